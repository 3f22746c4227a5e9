"""LZ76 and discrete transfer entropy side by side with antropy and pyinform: prints the table of README.md.

Run from the repository root after `cargo build --release --example metric`, with a Python that has the peers.
Ours is timed inside the process (without start and reading), theirs around the call; each is the best of a few runs.
"""
import os
import subprocess
import tempfile
import time
from pathlib import Path

import antropy
import numpy as np
import pyinform

rng = np.random.default_rng(1)
RUNS = 3


def ours(kind, keys, matrix, threads):
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "x.npy")
        np.save(file, matrix.astype(float))
        environment = {**os.environ, "TIMES": "1", "RAYON_NUM_THREADS": str(threads)}
        out = subprocess.run(["target/release/examples/metric", kind, keys, *[file] * RUNS], check=True, capture_output=True, text=True, env=environment)
    return min(map(float, out.stdout.split()))


def theirs(call, runs=1):
    best = float("inf")
    for _ in range(runs):
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return best


def all_pairs(trains):
    for source in range(trains.shape[1]):
        for target in range(trains.shape[1]):
            if source != target:
                pyinform.transfer_entropy(columns[source], columns[target], k=1)


antropy.lziv_complexity("0110")  # compiles
rows = []
bits = rng.integers(0, 2, 100_000)
string = "".join(map(str, bits))
rows.append(("LZ76, 1e5 random bits", "antropy", theirs(lambda: antropy.lziv_complexity(string)), ours("lz76", 'binarise = "none"', bits[:, None], 1)))
sticky = np.cumsum(rng.random(100_000) < 0.05) % 2
string = "".join(map(str, sticky))
rows.append(("LZ76, 1e5 bits that change in 5 %", "antropy", theirs(lambda: antropy.lziv_complexity(string)), ours("lz76", 'binarise = "none"', sticky[:, None], 1)))
trains = (rng.random((100_000, 40)) < 0.05).astype(int)
columns = [np.ascontiguousarray(trains[:, column], dtype=np.int32) for column in range(40)]
rows.append(("TE, all 1560 pairs of 40 binary trains of 1e5", "pyinform", theirs(lambda: all_pairs(trains), 2), ours("transfer-entropy", "", trains, 1)))
four = rng.integers(0, 4, (100_000, 8))
columns = [np.ascontiguousarray(four[:, column], dtype=np.int32) for column in range(8)]
rows.append(("TE, all 56 pairs of 8 streams of 4 symbols, 1e5", "pyinform", theirs(lambda: all_pairs(four), 2), ours("transfer-entropy", "alphabet = 4", four, 1)))

print("| what | peer | peer, s | ours, s (one thread) | ratio |")
print("| --- | --- | ---: | ---: | ---: |")
for what, peer, slow, fast in rows:
    print(f"| {what} | {peer} | {slow:.4g} | {fast:.4g} | {slow / fast:.0f} |")
million = rng.integers(0, 2, 1_000_000)
print(f"\nOurs, LZ76 of 1e6 random bits: {ours('lz76', 'binarise = \"none\"', million[:, None], 1):.3f} s; "
      f"TE of all 39800 pairs of 200 binary trains of 1e6: {ours('transfer-entropy', '', (rng.random((1_000_000, 200)) < 0.05), 1):.2f} s.")
