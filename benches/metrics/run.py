"""LZ76 and discrete transfer entropy side by side with antropy and pyinform: prints the table of README.md.

Run from the repository root after `cargo build --release --example metric`, with a Python that has the peers.
CPU seconds on both sides, so that a busy machine matters less: ours a mean over repeats in one process on one thread, less the same process
without any (start and reading); theirs the best call.
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
NONE = 'binarise = "none"'


def ours(kind, keys, matrix, runs=5):
    def cpu_seconds(repeat):
        before = os.times()
        environment = {**os.environ, "REPEAT": str(repeat), "RAYON_NUM_THREADS": "1"}
        subprocess.run(["target/release/examples/metric", kind, keys, file], check=True, stdout=subprocess.DEVNULL, env=environment)
        after = os.times()
        return after.children_user + after.children_system - before.children_user - before.children_system

    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "x.npy")
        np.save(file, matrix.astype(float))
        return (cpu_seconds(runs) - cpu_seconds(0)) / runs


def theirs(call, runs=1):
    best = float("inf")
    for _ in range(runs):
        start = time.process_time()
        call()
        best = min(best, time.process_time() - start)
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
rows.append(("LZ76, 1e5 random bits", "antropy", theirs(lambda: antropy.lziv_complexity(string)), ours("lz76", NONE, bits[:, None], 50)))
sticky = np.cumsum(rng.random(100_000) < 0.05) % 2
string = "".join(map(str, sticky))
rows.append(("LZ76, 1e5 bits that change in 5 %", "antropy", theirs(lambda: antropy.lziv_complexity(string)), ours("lz76", NONE, sticky[:, None], 50)))
trains = (rng.random((100_000, 40)) < 0.05).astype(int)
columns = [np.ascontiguousarray(trains[:, column], dtype=np.int32) for column in range(40)]
rows.append(("TE, all 1560 pairs of 40 binary trains of 1e5", "pyinform", theirs(lambda: all_pairs(trains), 2), ours("transfer-entropy", "", trains, 10)))
four = rng.integers(0, 4, (100_000, 8))
columns = [np.ascontiguousarray(four[:, column], dtype=np.int32) for column in range(8)]
rows.append(("TE, all 56 pairs of 8 streams of 4 symbols, 1e5", "pyinform", theirs(lambda: all_pairs(four), 2), ours("transfer-entropy", "alphabet = 4", four)))
if "PYPCI" in os.environ:
    # pypci is no package: PYPCI names the folder of its pci.py (github.com/noreun/pypci); with bitarray 3 it silently counts 2.
    import importlib.metadata
    import json
    import sys

    assert importlib.metadata.version("bitarray") < "3", "pypci needs bitarray < 3"
    sys.path.insert(0, os.environ["PYPCI"])
    import pci

    matrix = (rng.random((5124, 107)) < 0.15).astype(int)
    for t in range(1, 107):
        matrix[:, t] = np.where(rng.random(5124) < 0.8, matrix[:, t - 1], matrix[:, t])
    matrix = matrix[np.argsort(matrix.sum(axis=1), kind="stable")]
    start = time.process_time()
    count = pci.lz_complexity_2D(matrix)
    slow = time.process_time() - start
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder) / "x.npy", matrix.T.astype(float))
        rows_of = subprocess.run(["target/release/examples/metric", "pci", "ready = true", str(Path(folder) / "x.npy")], check=True, capture_output=True)
        phrases = next(row["value"]["Known"] for row in json.loads(rows_of.stdout) if row["statistic"] == "phrases")
    assert phrases == count, (phrases, count)
    rows.append(("PCI, phrases of 5124 sources x 107 times", "pypci", slow, ours("pci", "ready = true", matrix.T, 10)))

print("| what | peer | peer, CPU s | ours, CPU s | ratio |")
print("| --- | --- | ---: | ---: | ---: |")
for what, peer, slow, fast in rows:
    print(f"| {what} | {peer} | {slow:.4g} | {fast:.4g} | {slow / fast:.0f} |")
million, many = rng.integers(0, 2, (1_000_000, 1)), rng.random((100_000, 200)) < 0.05
print(f"\nOurs, LZ76 of 1e6 random bits: {ours('lz76', NONE, million):.3f} s")
print(f"Ours, TE of all 39800 pairs of 200 binary trains of 1e5: {ours('transfer-entropy', '', many):.3f} s")
