"""Reading NWB beside h5py and pynwb: the same files, alternating in one run, wall and CPU seconds, best of the rounds.

    cargo build --release --examples && python benches/nwb/run.py [FOLDER] [--scale 0.01] [--rounds 5]

FOLDER is made by dev/make_session.py at the scale given where it lacks a file (scale 0.01: 0.8 GB; scale 1 is a full two hours).
Peers run inside this process with their imports done; ours pays for starting a process. `volts` is the work that a window really is:
channels x time, float64, scaled. `counts` is h5py's array as it stands in the file (time x channels, int16), which ours never returns.
"""
import argparse, json, os, pathlib, platform, resource, statistics, subprocess, sys, time
import h5py, numpy as np, pynwb

parser = argparse.ArgumentParser()
parser.add_argument("folder", nargs="?", default="target/session")
parser.add_argument("--scale", default="0.01")
parser.add_argument("--rounds", type=int, default=5)
given = parser.parse_args()
FOLDER = pathlib.Path(given.folder)
CORES = len(os.sched_getaffinity(0))
PARTS = ["session", "probe", "blocks", "shuffled", "columns"]
missing = [part for part in PARTS if not (FOLDER / f"{part}.nwb").exists()]
if missing:
    subprocess.run([sys.executable, "dev/make_session.py", FOLDER, "--scale", given.scale, "--only", *missing], check=True)


def used(who):
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def timed(who, act):
    wall, cpu = time.perf_counter(), used(who)
    value = act()
    return time.perf_counter() - wall, used(who) - cpu, value


def ours(*arguments, threads=CORES):
    def act():
        env = dict(os.environ, RAYON_NUM_THREADS=str(threads))
        return subprocess.run(arguments, env=env, check=True, capture_output=True, text=True).stdout
    return lambda: timed(resource.RUSAGE_CHILDREN, act)


def theirs(act):
    return lambda: timed(resource.RUSAGE_SELF, act)


def compare(name, contestants):
    """Alternating rounds; the first contestant is the one that the others are held against."""
    times = {who: [] for who in contestants}
    for _ in range(given.rounds):
        for who, run in contestants.items():
            wall, cpu, value = run()
            times[who].append((wall, cpu))
    base = {}
    for who, seen in times.items():
        walls, cpus = zip(*seen)
        wall, cpu = min(walls), min(cpus)
        base = base or {"wall": wall, "cpu": cpu}
        spread = statistics.median(walls) / wall
        print(f"| {name} | {who} | {wall:.3f} | {spread:.1f} | {cpu:.3f} | {wall / base['wall']:.2f} | {cpu / base['cpu']:.2f} |", flush=True)


def h5py_units():
    with h5py.File(FOLDER / "session.nwb") as f:
        u = f["units"]
        return list(u["id"][:]), list(u.attrs["colnames"]), np.diff(u["spike_times_index"][:], prepend=0)


def pynwb_units():
    with pynwb.NWBHDF5IO(FOLDER / "session.nwb", "r") as io:
        u = io.read().units
        return list(u.id[:]), u.colnames, np.diff(u["spike_times"].data[:], prepend=0)


def rows_of(area):
    with h5py.File(FOLDER / "session.nwb") as f:
        e = f["general/extracellular_ephys/electrodes"]
        where = dict(zip(e["id"][:], e["location"].asstr()[:]))
        return [row for row, peak in enumerate(f["units/peak_channel_id"][:]) if where[peak] == area]


def h5py_area(area):
    rows = rows_of(area)
    with h5py.File(FOLDER / "session.nwb") as f:
        u = f["units"]
        ends = u["spike_times_index"][:]
        times = u["spike_times"]
        return [times[(ends[row - 1] if row else 0) : ends[row]] for row in rows]


def pynwb_area(area):
    rows = rows_of(area)
    with pynwb.NWBHDF5IO(FOLDER / "session.nwb", "r") as io:
        u = io.read().units
        return [u["spike_times"][row] for row in rows]


def h5py_windows(part, seconds, volts, cache):
    def act():
        with h5py.File(FOLDER / f"{part}.nwb", rdcc_nbytes=cache, rdcc_nslots=10007) as f:
            d = f["acquisition/lfp/data"]
            rate = 1250 if part == "probe" else 2500
            conversion = d.attrs["conversion"]
            for first in range(0, len(d) // (seconds * rate) * seconds * rate, seconds * rate):
                x = d[first : first + seconds * rate]
                if volts:
                    x = np.ascontiguousarray(x.T.astype("f8") * conversion)
    return theirs(act)


print(f"{platform.machine()}, {CORES} cores, load {os.getloadavg()[0]:.1f}, h5py {h5py.__version__} (HDF5 {h5py.version.hdf5_version}), pynwb {pynwb.__version__}\n")
print("| task | who | wall s | median / best | CPU s | wall / ours | CPU / ours |\n| --- | --- | --- | --- | --- | --- | --- |")
WINDOWS = "target/release/examples/windows"
compare("open, list units", {
    "tcs-batch inspect": ours("target/release/tcs-batch", "inspect", FOLDER / "session.nwb", "--json"),
    "h5py": theirs(h5py_units), "pynwb": theirs(pynwb_units)})
compare("spikes of one area", {
    "ours": ours(WINDOWS, FOLDER / "session.nwb", "spikes", "0", "1", "CA1"),
    "h5py": theirs(lambda: h5py_area("CA1")), "pynwb": theirs(lambda: pynwb_area("CA1"))})
for part, seconds in [("blocks", 60), ("shuffled", 60), ("columns", 60), ("columns", 10), ("probe", 10)]:
    compare(f"{part}, {seconds} s windows", {
        f"ours, {CORES} threads": ours(WINDOWS, FOLDER / f"{part}.nwb", "/acquisition/lfp", str(seconds)),
        "ours, 1 thread": ours(WINDOWS, FOLDER / f"{part}.nwb", "/acquisition/lfp", str(seconds), threads=1),
        "h5py volts": h5py_windows(part, seconds, True, 1 << 20),
        "h5py volts, cache 256 MiB": h5py_windows(part, seconds, True, 256 << 20),
        "h5py counts": h5py_windows(part, seconds, False, 1 << 20)})
