"""Rips diagrams beside other programs: three alternating rounds, CPU seconds, one thread.

    cargo build --release --example rips && python benches/topology/run.py DATA_FOLDER > table.md

Peers that are not installed are left out; the C++ Ripser takes part where $RIPSER names its binary. Peers run inside this
process with their input in memory; ours and the C++ Ripser pay for starting, reading a file and writing the diagram.
"""
import os, pathlib, platform, resource, statistics, subprocess, sys, tempfile, time
import numpy as np

DATA = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/data/topology")
BINARY = "target/release/examples/rips"
ROUNDS = 3
FOLDER = pathlib.Path(tempfile.mkdtemp())


def square(lower):
    n = int((1 + (1 + 8 * len(lower)) ** 0.5) / 2)
    full = np.zeros((n, n))
    full[np.tril_indices(n, -1)] = lower
    return full + full.T


def windows():
    """Ten windows of 300 points of a 7-D delay embedding of a noisy two-tone signal."""
    rng = np.random.default_rng(3)
    out = []
    for window in range(10):
        t = np.arange(300 + 6 * 7) * 0.11 + window
        x = np.sin(t) + 0.6 * np.sin(t * 2**0.5 * 1.3) + 0.15 * rng.normal(size=len(t))
        out.append(np.stack([x[7 * k : 7 * k + 300] for k in range(7)], 1))
    return out


def inputs():
    for name, max_dim, threshold in [
        ("sphere_3_192", 2, None), ("o3_1024", 3, 1.8), ("klein_400", 1, None), ("dragon1000", 1, None),
        ("takens_neural_7d", 1, None), ("takens_neural_7d", 2, None),
    ]:
        path = next(DATA.glob(f"{name}.*.npy"))
        data = np.load(path)
        if data.ndim == 2:
            distances = np.sqrt(((data[:, None, :] - data[None, :, :]) ** 2).sum(-1))
        else:
            distances = square(data)
        yield f"{name} d{max_dim}", [(str(path), distances)], max_dim, threshold
    batch = []
    for at, data in enumerate(windows()):
        path = FOLDER / f"window{at}.npy"
        np.save(path, data)
        batch.append((str(path), np.sqrt(((data[:, None, :] - data[None, :, :]) ** 2).sum(-1))))
    for max_dim in (1, 2):
        yield f"10 windows of 300 in 7-D, d{max_dim}", batch, max_dim, None


def children():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def spawn(command):
    start = children()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return children() - start


def inside(call):
    start = time.process_time()
    call()
    return time.process_time() - start


def tools():
    def ours(path, distances, max_dim, limit, threshold):
        return spawn([BINARY, path, str(max_dim), "enclosing" if threshold is None else repr(threshold)])

    yield "tcs-batch", ours
    if "RIPSER" in os.environ:
        def cpp(path, distances, max_dim, limit, threshold):
            matrix = FOLDER / (pathlib.Path(path).stem + ".lower")
            if not matrix.exists():
                np.savetxt(matrix, distances[np.tril_indices(len(distances), -1)][None], delimiter=",", fmt="%.17g")
            extra = [] if threshold is None else ["--threshold", repr(threshold)]
            return spawn([os.environ["RIPSER"], "--format", "lower-distance", "--dim", str(max_dim), *extra, str(matrix)])

        yield "Ripser C++", cpp
    try:
        from gudhi.sklearn import RipsPersistence

        def gudhi(collapses):
            def run(path, distances, max_dim, limit, threshold):
                rips = RipsPersistence(list(range(max_dim + 1)), threshold=limit, input_type="full distance matrix",
                                       num_collapses=collapses, homology_coeff_field=2)
                return inside(lambda: rips.fit_transform([distances]))
            return run

        yield "gudhi", gudhi(0)
        yield "gudhi, collapse", gudhi(1)
    except ImportError:
        pass
    try:
        import ripser

        yield "ripser.py", lambda path, distances, max_dim, limit, threshold: inside(
            lambda: ripser.ripser(distances, distance_matrix=True, maxdim=max_dim, thresh=limit))
    except ImportError:
        pass
    try:
        from gph import ripser_parallel

        yield "giotto-ph", lambda path, distances, max_dim, limit, threshold: inside(
            lambda: ripser_parallel(distances, metric="precomputed", maxdim=max_dim, thresh=limit, n_threads=1))
    except ImportError:
        pass


def main():
    programs = list(tools())
    cpu = next((line.split(": ")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.processor())
    print(f"{time.strftime('%Y-%m-%d')}, {cpu}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; CPU seconds, median of {ROUNDS}")
    print("alternating rounds; in brackets the ratio to tcs-batch of the same round: median, and lowest to highest.\n")
    print("| input | " + " | ".join(name for name, _ in programs) + " |")
    print("| --- |" + " ---: |" * len(programs))
    for label, items, max_dim, threshold in inputs():
        rounds = {name: [] for name, _ in programs}
        for _ in range(ROUNDS):
            for name, run in programs:
                total = 0.0
                for path, distances in items:
                    limit = float(distances.max(1).min()) if threshold is None else threshold
                    total += run(path, distances, max_dim, limit, threshold)
                rounds[name].append(total)
        cells = []
        for name, _ in programs:
            ratios = sorted(b / a for a, b in zip(rounds["tcs-batch"], rounds[name]))
            cell = f"{statistics.median(rounds[name]):.3f}"
            cells.append(cell if name == "tcs-batch" else f"{cell} ({ratios[1]:.1f}x, {ratios[0]:.1f} to {ratios[-1]:.1f})")
        print(f"| {label} | " + " | ".join(cells) + " |", flush=True)


main()
