"""What the runner costs: units a second, efficiency at two workers, resuming. One command, under three minutes on an idle machine.

    cargo build --release && python3 benches/runner/run.py > table.md          (apt-get install parallel for the GNU rows)

The work of a unit is the same for all: read 100 of 1,000,000 doubles from one .npy file, cut them at their median, count the phrases
of Lempel and Ziv 1976, write one result file. Python's standard library alone; with pyarrow, the answers are compared too.
"""
import argparse, array, functools, json, multiprocessing, os, pathlib, platform, random, resource, shutil, statistics, struct, subprocess, sys, tempfile, time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "release/tcs-batch"
UNITS, LENGTH = 10_000, 100
HEADER = 128  # bytes of the .npy header below


def write_npy(path, numbers):
    head = "{'descr': '<f8', 'fortran_order': False, 'shape': (%d, 1), }" % len(numbers)
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", HEADER - 10) + head.ljust(HEADER - 11).encode() + b"\n" + array.array("d", numbers).tobytes())


def phrases(bits):
    """Lempel and Ziv 1976, by the scan of Kaspar and Schuster 1987; the last phrase may be cut short by the end."""
    n, start, count = len(bits), 0, 0
    while start < n:
        length = 1
        while start + length <= n and bits.find(bits[start:start + length], 0, start + length - 1) >= 0:
            length += 1
        start, count = start + length, count + 1
    return count


def unit(job, index):
    """One unit: read, count, write. `sync`: temporary file, fsync, rename, fsync of the folder, as tcs-batch does; else write and rename."""
    source, folder, sync = job
    with open(source, "rb") as file:
        file.seek(HEADER + 8 * LENGTH * index)
        values = array.array("d", file.read(8 * LENGTH))
    middle = statistics.median(values)
    text = json.dumps({"unit": index, "phrases": phrases(bytes(value > middle for value in values))})
    name = os.path.join(folder, f"{index}.json")
    with open(name + ".tmp", "w") as file:
        file.write(text)
        if sync:
            file.flush()
            os.fsync(file.fileno())
    os.rename(name + ".tmp", name)
    if sync:
        handle = os.open(folder, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)


def job(folder, text):
    path = folder / "job.toml"
    path.write_text('schema_version = 1\n[job]\nname = "runner"\n[output]\nformats = []\n' + text)
    return path


def run(path, out, *more):
    return lambda: subprocess.run([BINARY, "run", path, "--out", out, "--progress", "none", "-q", *more], check=True)


def timed(call):
    """Wall seconds, and CPU seconds of this process and the children that it waited for."""
    def cpu():
        return sum(u.ru_utime + u.ru_stime for u in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))
    before, begin = cpu(), time.perf_counter()
    call()
    return time.perf_counter() - begin, cpu() - before


def alternate(calls, rounds, before=lambda name: None):
    """Each call in turn, `rounds` times; the order is turned round every other time."""
    times = {name: [] for name in calls}
    for at in range(rounds):
        for name in list(calls)[:: -1 if at % 2 else 1]:
            before(name)
            times[name].append(timed(calls[name]))
    return times


def pool(source, folder, sync):
    with multiprocessing.Pool(2) as workers:
        for _ in workers.imap_unordered(functools.partial(unit, (str(source), str(folder), sync)), range(UNITS), chunksize=32):
            pass


def gnu(source, folder, n, *options):
    """`n` jobs handed to GNU parallel; each starts this script as a worker."""
    worker = f"{sys.executable} -S -E {__file__} --worker {source} {folder}"
    subprocess.run(["parallel", "-j2", "--will-cite", *options, worker], input="".join(f"{k}\n" for k in range(n)), text=True, check=True)


def true(n):
    subprocess.run(["parallel", "-j2", "--will-cite", "true"], input="".join(f"{k}\n" for k in range(n)), text=True, check=True)


def spread(numbers, digits=2):
    return f"{statistics.median(numbers):.{digits}f} ({min(numbers):.{digits}f} to {max(numbers):.{digits}f})"


def throughput(folder, source, rounds, few):
    """Rows of the table: who, units a second at the median and at best, CPU seconds, ratio to ours."""
    out, files = folder / "ours", folder / "files"
    path = job(folder, f'[[dataset]]\nid = "noise"\nsource = "{source}"\nsampling_rate_hz = 100.0\nwindow = {{ length_s = 1.0 }}\n[[metric]]\nkind = "lz76"\n')

    def clean(name):
        for place in (out, files):
            shutil.rmtree(place, ignore_errors=True)
        files.mkdir()

    ours = "tcs-batch run --workers 2"
    calls = {
        ours: (UNITS, run(path, out, "--workers", "2")),
        "Pool(2).imap_unordered, chunks of 32, fsync of file and folder": (UNITS, lambda: pool(source, files, True)),
        "the same, no fsync": (UNITS, lambda: pool(source, files, False)),
    }
    if few and shutil.which("parallel"):
        calls["GNU parallel -j2 -N 250: 40 Python processes, fsync of file and folder"] = (UNITS, lambda: gnu(source, files, UNITS, "-N", "250"))
        calls[f"GNU parallel -j2, one Python process a unit ({few} units)"] = (few, lambda: gnu(source, files, few))
        calls[f"GNU parallel -j2 true: a process that does nothing ({few} units)"] = (few, lambda: true(few))
    times = alternate({name: call for name, (_, call) in calls.items()}, rounds, clean)
    rates = {name: [calls[name][0] / wall for wall, _ in all_of] for name, all_of in times.items()}
    for name, numbers in rates.items():
        ratios = [mine / theirs for mine, theirs in zip(rates[ours], numbers)]
        cpu = statistics.median(cpu for _, cpu in times[name]) / calls[name][0] * 1e3
        yield f"| {name} | {spread(numbers, 0)} | {max(numbers):.0f} | {cpu:.3f} | {'1' if name == ours else spread(ratios)} |"


def agree(folder, source):
    """The counts of ours and of `phrases` on every unit."""
    try:
        import pyarrow.parquet
    except ImportError:
        return "pyarrow is not there: the answers were not compared"
    out = folder / "ours"
    shutil.rmtree(out, ignore_errors=True)
    run(folder / "job.toml", out, "--workers", "2")()
    table = pyarrow.parquet.read_table(out / "metrics.parquet").to_pydict()
    ours = [int(value) for value, statistic in zip(table["value"], table["statistic"]) if statistic == "phrases"]
    files = folder / "files"
    pool(source, files, False)
    theirs = [json.loads((files / f"{index}.json").read_text())["phrases"] for index in range(UNITS)]
    assert ours == theirs, "the two count different phrases"
    return f"all {UNITS:,} counts agree"


def efficiency(folder, rounds):
    """T1 / (2 T2) of 48 equal Rips windows, and of the same machine with two processes that share nothing."""
    source = folder / "cloud.npy"
    dice = random.Random(3)
    write_npy(source, [dice.gauss(0, 1) for _ in range(48 * 500)])
    path = job(folder, f'''[[dataset]]\nid = "cloud"\nsource = "{source}"\nsampling_rate_hz = 500.0\nwindow = {{ length_s = 1.0 }}
[embedding]\nmethod = "takens"\ndimension = 5\ndelay = 3\n[persistence]\nmax_dim = 2\nmax_points = 170\nsummaries = ["entropy"]\n''')
    one, two = sorted(os.sched_getaffinity(0))[:2]

    def pinned(cores, *more, out="ours"):
        command = ["taskset", "-c", cores, BINARY, "run", path, "--out", folder / out, "--fresh", "--progress", "none", "-q", *more]
        return [str(part) for part in command]

    def apart():
        halves = [subprocess.Popen(pinned(str(core), "--workers", "1", "--shard", f"{at}/2", out=f"half{at}")) for at, core in ((1, one), (2, two))]
        assert all(half.wait() == 0 for half in halves)

    times = alternate({
        "one": lambda: subprocess.run(pinned(str(one), "--workers", "1"), check=True),
        "two": lambda: subprocess.run(pinned(f"{one},{two}", "--workers", "2"), check=True),
        "apart": apart,
    }, rounds)
    walls = {name: [wall for wall, _ in all_of] for name, all_of in times.items()}
    ratio = lambda name: [first / (2 * both) for first, both in zip(walls["one"], walls[name])]
    best = lambda name: min(walls["one"]) / (2 * min(walls[name]))
    cpus = {name: spread([cpu for _, cpu in all_of]) for name, all_of in times.items()}
    yield f"| 1 worker on one core | {spread(walls['one'])} | {cpus['one']} | | |"
    yield f"| 2 workers on two cores | {spread(walls['two'])} | {cpus['two']} | {spread(ratio('two'))} | {best('two'):.2f} |"
    yield f"| two runs of one shard each, a core each: what the machine gives | {spread(walls['apart'])} | {cpus['apart']} | {spread(ratio('apart'))} | {best('apart'):.2f} |"


def resume(folder, rounds):
    call = run(folder / "job.toml", folder / "ours", "--workers", "2")
    call()
    return [timed(call) for _ in range(rounds)]


def main():
    options = argparse.ArgumentParser(description="What the runner costs.")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--disk", type=pathlib.Path, default=ROOT / "target", help="a folder on the disk to write to")
    options.add_argument("--memory", type=pathlib.Path, default=pathlib.Path("/dev/shm"), help="a folder in memory")
    options.add_argument("--worker", nargs="+", help=argparse.SUPPRESS)
    options = options.parse_args()
    if options.worker:
        source, folder, *units = options.worker
        for index in units:
            unit((source, folder, True), int(index))
        return
    begin, load = time.perf_counter(), [os.getloadavg()[0]]
    print(f"{time.strftime('%Y-%m-%d')}, {platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; {options.rounds} rounds, in turn.\n")
    for name, place in (("memory", options.memory), ("disk", options.disk)):
        with tempfile.TemporaryDirectory(dir=place) as folder:
            folder = pathlib.Path(folder)
            source = folder / "noise.npy"
            dice = random.Random(1)
            write_npy(source, [dice.random() for _ in range(UNITS * LENGTH)])
            print(f"Output in {name}: units a second, median (least to most)\n\n| who | units/s | best | CPU ms a unit | ours / theirs |\n| --- | ---: | ---: | ---: | ---: |")
            for row in throughput(folder, source, options.rounds, 100 if name == "memory" else 0):
                print(row, flush=True)
            times = resume(folder, 5)
            load.append(os.getloadavg()[0])
            print(f"\nThe same run again, all {UNITS:,} finished: {spread([wall for wall, _ in times])} s, CPU {spread([cpu for _, cpu in times])} s", flush=True)
            if name == "memory":
                print(f"Same work: {agree(folder, source)}.\n")
                print("48 equal Rips windows (H2 of 170 points each): seconds, T1 / (2 T2), the same of the best times\n\n| how | s | CPU s | efficiency | best |\n| --- | ---: | ---: | ---: | ---: |")
                for row in efficiency(folder, options.rounds):
                    print(row, flush=True)
            print(flush=True)
    load.append(os.getloadavg()[0])
    print(f"Load average at the start, between, and at the end: {', '.join(f'{one:.1f}' for one in load)}. The bench took {time.perf_counter() - begin:.0f} s.")


if __name__ == "__main__":
    main()
