"""Compares LZ76, discrete transfer entropy and PCA with antropy, pyinform and scikit-learn on random inputs.

Run from the repository root after `cargo build --release --example metric`. Prints the largest differences; exits 1 when one is too large.
"""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import antropy
import numpy as np
import pyinform
from sklearn.decomposition import PCA

rng = np.random.default_rng(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
worst = {}


def ours(kind, keys, matrices):
    with tempfile.TemporaryDirectory() as folder:
        files = [str(Path(folder) / f"{index}.npy") for index in range(len(matrices))]
        for file, matrix in zip(files, matrices):
            np.save(file, np.ascontiguousarray(matrix, dtype=float))
        out = subprocess.run(["target/release/examples/metric", kind, keys, *files], check=True, capture_output=True, text=True).stdout
    return [json.loads(line) for line in out.splitlines()]


def known(rows, statistic, source="0"):
    return next(row["value"]["Known"] for row in rows if row["statistic"] == statistic and row["source"] == source)


def differ(name, a, b):
    worst[name] = max(worst.get(name, 0.0), float(np.max(np.abs(np.asarray(a) - np.asarray(b)))))


# 200 texts: alphabets of 2 to 30, from constant-like to random.
texts = []
while len(texts) < 200:
    n, alphabet, stay = rng.integers(2, 1500), rng.integers(2, 30), rng.random()
    text = rng.integers(0, alphabet, n)
    for t in range(1, n):
        text[t] = text[t - 1] if rng.random() < stay else text[t]
    if len(set(text)) > 1:
        texts.append(text)
for text, rows in zip(texts, ours("lz76", 'binarise = "none"', [text[:, None] for text in texts])):
    string = "".join(chr(40 + symbol) for symbol in text)
    differ("lz76 phrases", known(rows, "phrases"), antropy.lziv_complexity(string))
    differ("lz76 value", known(rows, "value"), antropy.lziv_complexity(string, normalize=True))

# 200 pairs of streams, in 20 groups of one setting; pyinform takes the alphabet from the data.
for _ in range(20):
    alphabet, history = int(rng.integers(2, 5)), int(rng.integers(1, 5))
    pairs = []
    for _ in range(10):
        n, part = rng.integers(50, 3000), rng.random()
        source = rng.integers(0, alphabet, n)
        target = np.where(rng.random(n) < part, np.roll(source, 1), rng.integers(0, alphabet, n))
        pairs.append(np.stack([source, target], axis=1))
    keys = f"alphabet = {alphabet}\ntarget_history = {history}"
    for pair, rows in zip(pairs, ours("transfer-entropy", keys, pairs)):
        differ("transfer entropy", known(rows, "value", "0"), pyinform.transfer_entropy(pair[:, 0], pair[:, 1], k=history))
        differ("transfer entropy", known(rows, "value", "1"), pyinform.transfer_entropy(pair[:, 1], pair[:, 0], k=history))

# 50 matrices, wide and tall.
for _ in range(50):
    samples, channels = rng.integers(3, 60, 2)
    kept = int(rng.integers(1, min(samples - 1, channels) + 1))
    matrix = rng.normal(size=(samples, channels)) * rng.exponential(size=channels) + rng.normal(size=channels)
    (out,) = ours("embed:pca", f"dimension = {kept}", [matrix])
    reference = PCA(kept, svd_solver="full").fit(matrix)
    differ("pca scores", out["points"], reference.transform(matrix))
    differ("pca ratio", known(out["rows"], "explained_variance", None), reference.explained_variance_ratio_.sum())

allowed = {"lz76 phrases": 0, "lz76 value": 1e-12, "transfer entropy": 1e-12, "pca scores": 1e-8, "pca ratio": 1e-12}
for name, difference in worst.items():
    print(f"{name}: {difference:.2g} (allowed {allowed[name]:g})")
sys.exit(any(worst[name] > allowed[name] for name in allowed))
