"""Transfer entropy side by side with JIDT and pyinform: prints the table of README.md.

Run from the repository root after `cargo build --release --example metric`, with Java, NumPy and pyinform; JIDT_JAR as in
dev/transfer_entropy_random.py (without it, JIDT's rows are left out). CPU seconds on both sides, so that a busy machine matters less, alternately and three times; the least of
each and the spread. Ours on one thread, less the same process without computing; JIDT's with one thread, as it reports them, after a warm-up.
"""
import os
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import pyinform

rng = np.random.default_rng(1)
ROUNDS = 3
folder = tempfile.TemporaryDirectory()
jar = os.environ.get("JIDT_JAR")
if jar:
    subprocess.run(["javac", "-cp", jar, "-d", folder.name, "dev/jidt/Te.java"], check=True)
else:
    print("JIDT_JAR is not set: without JIDT\n")


def cpu(keys, file, repeat):
    before = os.times()
    environment = {**os.environ, "REPEAT": str(repeat), "RAYON_NUM_THREADS": "1"}
    subprocess.run(["target/release/examples/metric", "transfer-entropy", keys, file], check=True, stdout=subprocess.DEVNULL, env=environment)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def ours(keys, matrix, repeat):
    file = str(Path(folder.name) / f"{len(os.listdir(folder.name))}.npy")
    np.save(file, matrix.astype(float))
    return lambda: (cpu(keys, file, repeat + 1) - cpu(keys, file, 1)) / repeat


def jidt(line, matrix):
    scored = np.stack([(x - x.mean()) / x.std(ddof=1) for x in matrix.T.copy()])
    small, large = str(Path(folder.name) / "warm.bin"), str(Path(folder.name) / f"{len(matrix)}.bin")
    for file, columns in [(small, scored[:, :2000]), (large, scored)]:
        np.concatenate([[len(columns)], columns.ravel()]).astype("<f8").tofile(file)

    def run():
        asked = "\n".join([f"{line} {small}"] * 20 + [f"{line} {large}"]) + "\n"
        out = subprocess.run(["java", "-cp", f"{jar}:{folder.name}", "Te"], input=asked, check=True, capture_output=True, text=True).stdout
        return float(out.splitlines()[-1].split()[2])

    return run


def pairs_by_pyinform(trains, scale):
    columns = [np.ascontiguousarray(train, dtype=np.int32) for train in trains.T]

    def run():
        start = time.process_time()
        for source in columns:
            for target in columns:
                if source is not target:
                    pyinform.transfer_entropy(source, target, k=1)
        return (time.process_time() - start) * scale

    return run


def coupled(n):
    x = rng.normal(size=(n, 2))
    for t in range(1, n):
        x[t, 1] += 0.5 * x[t - 1, 0] + 0.3 * x[t - 1, 1]
    return x


ONE = 'pairs = [["0", "1"]]\n'
rows = []
for n, repeat in [(10_000, 20), (100_000, 3)]:
    data = coupled(n)
    rows.append((f"KSG, {n:.0e} points, k = l = 1", "JIDT", jidt("ksg 1 1 1 1 1 4 0 1 1", data), ours(ONE + 'estimator = "ksg"', data, repeat)))
    rows.append((f"KSG, {n:.0e} points, k = l = 2", "JIDT", jidt("ksg 2 1 2 1 1 4 0 1 1", data),
                 ours(ONE + 'estimator = "ksg"\ntarget_history = 2\nsource_history = 2', data, repeat)))
data = coupled(100_000)
rows.append(("Gaussian, 1e5 samples, k = l = 3", "JIDT", jidt("gaussian 3 1 3 1 1 4 0 1 1", data),
             ours(ONE + 'estimator = "gaussian"\ntarget_history = 3\nsource_history = 3', data, 20)))
few, many = (rng.random((1_000_000, 10)) < 0.05).astype(int), (rng.random((1_000_000, 200)) < 0.05).astype(int)
rows.append(("all 39,800 pairs of 200 binary trains of 1e6", "pyinform (90 pairs, scaled)", pairs_by_pyinform(few, 39_800 / 90), ours("", many, 1)))
four = rng.integers(0, 4, (100_000, 8))
rows.append(("all 56 pairs of 8 streams of 4 symbols, 1e5", "pyinform", pairs_by_pyinform(four, 1), ours("alphabet = 4", four, 20)))

print("| what | peer | peer, CPU s | ours, CPU s | ratio |")
print("| --- | --- | ---: | ---: | ---: |")
for what, peer, theirs, mine in rows:
    if peer == "JIDT" and not jar:
        continue
    slow, fast = zip(*((theirs(), mine()) for _ in range(ROUNDS)))
    print(f"| {what} | {peer} | {min(slow):.3g} to {max(slow):.3g} | {min(fast):.3g} to {max(fast):.3g} | {min(slow) / min(fast):.0f} |", flush=True)
million = coupled(1_000_000)
print(f"\nOurs, KSG of 1e6 points, k = l = 1: {ours(ONE + 'estimator = ' + repr('ksg').replace(chr(39), chr(34)), million, 1)():.3g} CPU s")
file = str(Path(folder.name) / "many.npy")
np.save(file, many.astype(float))
print(f"Ours, the 39,800 pairs with 100 surrogates: {cpu('surrogates = 100', file, 1) - cpu('', file, 0):.3g} CPU s")
