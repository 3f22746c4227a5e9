"""Writes the reference values of tests/data/metrics that `tests/suite/complexity.rs` reads (run from the repository root).

Needs numpy, scipy, neurokit2 and dit. The inputs are drawn here from NumPy's PCG64; the values come from the packages or from `complexity_reference.py`.
"""
import json
import sys
from importlib.metadata import version

import dit
import neurokit2
import numpy as np

sys.path.insert(0, "dev")
import complexity_reference as reference

rng = np.random.default_rng(2013)


def write(name, source, cases):
    with open(f"tests/data/metrics/{name}.json", "w") as out:
        json.dump({"reference": source, "cases": cases}, out)
        out.write("\n")


def permutation():
    cases = []
    for n, order, delay in [(300, 3, 1), (300, 4, 2), (150, 2, 3)]:
        x = np.round(np.cumsum(rng.normal(size=n)), 9)
        if order <= 3:
            value, info = neurokit2.complexity_lempelziv(x, permutation=True, dimension=order, delay=delay)
            phrases = int(info["Complexity_Kolmogorov"])
        else:
            # neurokit2 0.2.13 writes symbols of 10 and more as two digits and counts those: antropy on one letter a pattern.
            phrases, value = reference.permutation_lz(x, order, delay)
        cases.append({"values": x.tolist(), "order": order, "delay": delay, "phrases": phrases, "value": float(value)})
    return cases


def matrices():
    cases = []
    for rows, columns, p, stay in [(5, 12, 0.3, 0), (20, 30, 0.5, 0), (16, 25, 0.1, 0.7), (9, 40, 0.8, 0.5)]:
        x = (rng.random((rows, columns)) < p).astype(int)
        for t in range(1, columns):
            x[:, t] = np.where(rng.random(rows) < stay, x[:, t - 1], x[:, t])
        cases.append({"matrix": x.tolist(), "phrases": reference.lz_matrix(x), "value": reference.pci(x)})
    return cases


def evoked():
    cases = []
    times = (np.arange(240) - 120) / 1000
    for channels in [4, 9]:
        wave = np.exp(-np.maximum(times, 0) / 0.05) * (times >= 0) * np.sin(2 * np.pi * 25 * times)
        x = np.round(rng.normal(size=(channels, 1)) * wave * 5 + rng.normal(size=(channels, 240)) * 0.5, 6)
        value, components = reference.pci_st(x, times, (-0.1, -0.01), (0.0, 0.1))
        cases.append({"evoked": x.tolist(), "value": value, "components": components})
    return cases


def integration():
    cases = []
    mixed = np.round(rng.normal(size=(4, 4)) @ rng.normal(size=(4, 120)) + rng.normal(size=(4, 120)), 6)
    expected = {}

    def put(keys, pair):
        for kind, value in [("total-correlation", pair[0]), ("dual-total-correlation", pair[1]), ("o-information", pair[0] - pair[1]), ("s-information", sum(pair))]:
            expected[f"{kind}\n{keys}"] = float(value)

    for corrected, bias in [(0, "none"), (1, "small-sample")]:
        entropy = lambda x: reference.gaussian_entropy(x, corrected)
        put(f'bias = "{bias}"', reference.correlations(mixed, entropy))
        put(f'estimator = "gaussian-copula"\nbias = "{bias}"', reference.correlations(reference.normal_scores(mixed), entropy))
    put('estimator = "ksg"\nk = 3', reference.ksg_correlations(mixed, 3))
    cases.append({"channels": mixed.tolist(), "expected": dict(expected)})
    expected.clear()
    x = rng.integers(0, 3, (3, 200))
    x[2] = np.where(rng.random(200) < 0.7, (x[0] + x[1]) % 3, x[2])
    outcomes, counts = np.unique(x, axis=1, return_counts=True)
    law = dit.Distribution(["".join(map(str, o)) for o in outcomes.T], counts / counts.sum())
    nats = np.log(2)
    total, dual = dit.multivariate.total_correlation(law) * nats, dit.multivariate.dual_total_correlation(law) * nats
    put('estimator = "discrete"\nbias = "none"', (total, dual))
    put('estimator = "discrete"', reference.correlations(x, lambda c: reference.discrete_entropy(c, 1)))
    cases.append({"channels": x.tolist(), "expected": dict(expected)})
    return cases


def phi_g():
    cases = []
    for m in [2, 3]:
        x = np.zeros((m, 200))
        a = rng.normal(size=(m, m)) * 0.4 / m + np.eye(m) * 0.3
        for t in range(1, 200):
            x[:, t] = a @ x[:, t - 1] + rng.normal(size=m)
        x = np.round(x, 6)
        cases.append({"channels": x.tolist(), "value": reference.Process(x, 1).g([[at] for at in range(m)])})
    return cases


own = f"dev/complexity_reference.py with numpy {version('numpy')}"
write("permutation_lz", f"neurokit2 {version('neurokit2')}; order 4: antropy {version('antropy')}", permutation())
write("pci", own, matrices())
write("pci_st", own, evoked())
write("integration", f"{own}; plug-in discrete: dit {version('dit')}", integration())
write("phi_g", f"{own} (scipy's BFGS)", phi_g())
