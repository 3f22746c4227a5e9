"""`tcs-batch compare` of two outputs with 1,000,000 rows in metrics.parquet, beside a join of pyarrow that counts the same changes.

    cargo build --release && python benches/compare/run.py > table.md          (a Python with NumPy and pyarrow)
"""
import importlib.util, json, os, pathlib, resource, statistics, subprocess, sys, tempfile, time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "release/tcs-batch"
ROWS, ROUNDS = 1_000_000, 5
KEY = ["dataset", "unit", "metric", "statistic", "source", "target", "unit_of_measure"]
VALUES = ["value", "ci_low", "ci_high", "p_value"]


def write(folder, shift, order):
    import numpy as np, pyarrow as pa, pyarrow.parquet as pq
    at = np.arange(ROWS)
    dice = np.random.default_rng(1)
    values, p = dice.normal(size=ROWS), dice.uniform(size=ROWS)
    values[at % 1000 == 7] += shift
    units = np.array([f"rec/{k}.000-{k + 1}.000" for k in range(ROWS // 100)])
    channels = np.array([f"ch{k}" for k in range(10)])
    empty = pa.nulls(ROWS, pa.float64())
    table = pa.table({
        "job": np.full(ROWS, "big"), "dataset": np.full(ROWS, "rec"), "unit": units[at // 100],
        "window_start_s": at // 100 * 1.0, "window_stop_s": at // 100 + 1.0,
        "metric": np.full(ROWS, "transfer-entropy"), "statistic": np.full(ROWS, "value"),
        "source": channels[at % 10], "target": channels[at // 10 % 10], "value": values, "unit_of_measure": np.full(ROWS, "bit"),
        "ci_low": empty, "ci_high": empty, "p_value": p, "surrogates": pa.array(np.full(ROWS, 200), pa.uint32()),
    })
    none = lambda type: pa.nulls(1, type)
    unit = pa.table({
        "unit": ["rec/all"], "dataset": ["rec"], "window_start_s": [0.0], "window_stop_s": [1.0], "status": ["done"],
        "error_kind": none(pa.string()), "error": none(pa.string()), "attempts": pa.array([1], pa.uint32()), "device": ["cpu"],
        "seconds": [1.0], "peak_memory_bytes": none(pa.uint64()),
    })
    folder.mkdir()
    pq.write_table(table.take(order(ROWS)), folder / "metrics.parquet", compression="zstd", row_group_size=65_536)
    pq.write_table(unit, folder / "units.parquet")
    (folder / "manifest.json").write_text(json.dumps({"schema_version": 1, "job": {"name": "big", "hash": "a"}}))


def peer(base, out):
    """The same join by hand: prints how many rows changed."""
    import numpy as np, pyarrow.parquet as pq
    a, b = (pq.read_table(f"{folder}/metrics.parquet", columns=KEY + VALUES) for folder in (base, out))
    joined = a.join(b, KEY, join_type="full outer", right_suffix="_out")
    changed = np.zeros(len(joined), bool)
    for name in VALUES:
        x, y = (joined[column].to_numpy() for column in (name, name + "_out"))
        changed |= ~np.isclose(y, x, rtol=1e-6, atol=1e-9, equal_nan=True)
    print(int(changed.sum()))


def spawn(command, folder):
    """Wall and CPU seconds, peak memory in MB, standard output."""
    said = folder / "said"
    with open(said, "w") as to:
        begin = time.perf_counter()
        pid = os.posix_spawn(command[0], command, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, to.fileno(), 1)])
        _, _, used = os.wait4(pid, 0)
    return time.perf_counter() - begin, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, said.read_text()


def main():
    if not all(map(importlib.util.find_spec, ("numpy", "pyarrow"))):
        print("skipped: NumPy and pyarrow make the tables; pip install -r benches/requirements.txt")
        return
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        # In a process of its own: Linux counts the memory of the process that starts another into the other's peak.
        subprocess.run([sys.executable, __file__, "--write", folder], check=True)
        print(f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; {ROUNDS} rounds in turn: median (least to most)\n")
        print("| what | who | wall s | CPU s | peak MB |\n| --- | --- | ---: | ---: | ---: |")
        for out, expected in (("same", 0), ("out", ROWS // 1000)):
            commands = {
                "tcs-batch compare": [str(BINARY), "compare", str(folder / "base"), str(folder / out), "--json"],
                "pyarrow": [sys.executable, __file__, str(folder / "base"), str(folder / out)],
            }
            found = {name: [] for name in commands}
            for _ in range(ROUNDS):
                for name, command in commands.items():
                    found[name].append(spawn(command, folder))
            for name, runs in found.items():
                said = runs[0][3]
                changed = json.loads(said)["counts"]["metrics"]["changed"] if name.startswith("tcs") else int(said)
                assert changed == expected, (name, changed)
                cell = lambda at, digits: f"{statistics.median(run[at] for run in runs):.{digits}f} ({min(run[at] for run in runs):.{digits}f} to {max(run[at] for run in runs):.{digits}f})"
                what = "equal tables" if out == "same" else f"rows in another order, {expected:,} of them changed"
                print(f"| {what} | {name} | {cell(0, 2)} | {cell(1, 2)} | {cell(2, 0)} |", flush=True)


def tables(folder):
    import numpy as np
    write(folder / "base", 0.0, np.arange)
    write(folder / "same", 0.0, np.arange)
    write(folder / "out", 0.1, lambda n: np.random.default_rng(2).permutation(n))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--write", folder]:
            tables(pathlib.Path(folder))
        case [base, out]:
            peer(base, out)
        case _:
            main()
