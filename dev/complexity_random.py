"""Compares Lempel-Ziv variants, PCI, integration, Phi, dimensions and neighbourhood measures with peers on 200 random inputs each.

Run from the repository root after `cargo build --release --example metric`, with a Python that has numpy, scipy, antropy, neurokit2, dit, scikit-dimension,
scikit-learn and gudhi (none of them is needed to build or test). What has no peer package is compared with `complexity_reference.py`.
Prints the largest differences; exits 1 when one is too large. An argument is the seed.
"""
import json
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import dit
import gudhi
import neurokit2
import numpy as np
import skdim
from gudhi.wasserstein import wasserstein_distance
from sklearn.manifold import trustworthiness

sys.path.insert(0, "dev")
import complexity_reference as reference

warnings.filterwarnings("ignore")
rng = np.random.default_rng(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
N = 200
worst, seen = {}, {}


def ours(kind, keys, matrices):
    """Rows of every matrix (channels × samples)."""
    with tempfile.TemporaryDirectory() as folder:
        files = [str(Path(folder) / f"{index}.npy") for index in range(len(matrices))]
        for file, matrix in zip(files, matrices):
            np.save(file, np.ascontiguousarray(np.asarray(matrix, dtype=float).T))
        out = subprocess.run(["target/release/examples/metric", kind, keys, *files], check=True, capture_output=True, text=True).stdout
    return [json.loads(line) for line in out.splitlines()]


def known(rows, statistic="value"):
    return next(row["value"]["Known"] for row in rows if row["statistic"] == statistic)


def compare(name, kind, keys, inputs, peer, allowed, statistic="value"):
    for one, rows in zip(inputs, ours(kind, keys, inputs)):
        difference = abs(known(rows, statistic) - peer(one))
        worst[name] = max(worst.get(name, (0, 0))[0], difference), allowed
        seen[name] = seen.get(name, 0) + 1


def texts():
    out = []
    while len(out) < N:
        n, alphabet, stay = rng.integers(2, 800), rng.integers(2, 30), rng.random()
        text = rng.integers(0, alphabet, n)
        for t in range(1, n):
            text[t] = text[t - 1] if rng.random() < stay else text[t]
        out.append(text[None, :])
    return out


def mixed(m, n):
    return rng.normal(size=(m, m)) @ rng.normal(size=(m, n)) + 0.3 * rng.normal(size=(m, n))


def process(m, n):
    a = rng.normal(size=(m, m)) * 0.5 / m + np.diag(rng.uniform(-0.4, 0.5, m))
    a *= min(1.0, 0.9 / max(abs(np.linalg.eigvals(a))))
    shape, x = rng.normal(size=(m, m)) * 0.4 + np.eye(m), np.zeros((m, n))
    for t in range(1, n):
        x[:, t] = a @ x[:, t - 1] + shape @ rng.normal(size=m)
    return x


NONE = 'binarise = "none"'
every = texts()
compare("lz78 phrases", "lz78", NONE, every, lambda x: reference.lz78(x[0]), 0, "phrases")
compare("lzc words", "lzc", NONE, every, lambda x: reference.lzw(x[0]), 0, "phrases")
walks = [np.cumsum(rng.normal(size=(1, rng.integers(20, 500))), axis=1) for _ in range(N)]
compare("permutation lz, order 3 (neurokit2)", "lz76", 'binarise = "ordinal"', walks, lambda x: neurokit2.complexity_lempelziv(x[0], permutation=True, dimension=3, delay=1)[0], 1e-12)
compare("permutation lz, order 5 (antropy)", "lz76", 'binarise = "ordinal"\norder = 5\ndelay = 2', walks, lambda x: reference.permutation_lz(x[0], 5, 2)[1], 1e-12)

matrices = []
while len(matrices) < N:
    rows, columns = rng.integers(2, 30), rng.integers(2, 50)
    x = (rng.random((rows, columns)) < rng.random()).astype(int)
    stay = rng.random()
    for t in range(1, columns):
        x[:, t] = np.where(rng.random(rows) < stay, x[:, t - 1], x[:, t])
    if 0 < x.mean() < 1:
        matrices.append(x)
compare("pci phrases", "pci", "ready = true", matrices, reference.lz_matrix, 0, "phrases")
compare("pci", "pci", "ready = true", matrices, reference.pci, 1e-12)
evoked = []
for _ in range(N):
    x = rng.normal(size=(rng.integers(2, 8), 120))
    x[:, 60:] += rng.normal(size=(len(x), 1)) * 4 * np.sin(np.arange(60) * rng.uniform(0.05, 0.6))
    evoked.append(x)
# The example's clock runs at 1 Hz from 0.
seconds = np.arange(120.0)
compare("pci-st", "pci-st", "baseline_s = [5.0, 55.0]\nresponse_s = [60.0, 110.0]", evoked, lambda x: reference.pci_st(x, seconds, (5, 55), (60, 110))[0], 1e-9)

clouds = [mixed(int(rng.integers(2, 7)), int(rng.integers(20, 150))) for _ in range(N)]
kinds = [("total-correlation", lambda t, d: t), ("dual-total-correlation", lambda t, d: d), ("o-information", lambda t, d: t - d), ("s-information", lambda t, d: t + d)]
for kind, pick in kinds:
    compare(f"{kind}, gaussian", kind, "", clouds, lambda x: pick(*reference.correlations(x, lambda c: reference.gaussian_entropy(c, 0))), 1e-9)
    compare(f"{kind}, copula", kind, 'estimator = "gaussian-copula"', clouds, lambda x: pick(*reference.correlations(reference.normal_scores(x), lambda c: reference.gaussian_entropy(c, 1))), 1e-9)
    compare(f"{kind}, ksg", kind, 'estimator = "ksg"\nk = 4', clouds, lambda x: pick(*reference.ksg_correlations(x, 4)), 1e-9)
symbols = []
while len(symbols) < N:
    x = rng.integers(0, rng.integers(2, 4), (rng.integers(2, 5), rng.integers(30, 200)))
    x[-1] = np.where(rng.random(x.shape[1]) < rng.random(), x[:-1].sum(axis=0) % 2, x[-1])
    if all(len(set(c)) > 1 for c in x):
        symbols.append(x)


def law(x):
    outcomes, counts = np.unique(x, axis=1, return_counts=True)
    return dit.Distribution(["".join(map(str, o)) for o in outcomes.T], counts / counts.sum())


PLAIN = 'estimator = "discrete"\nbias = "none"'
compare("total correlation, discrete (dit)", "total-correlation", PLAIN, symbols, lambda x: dit.multivariate.total_correlation(law(x)) * np.log(2), 1e-9)
compare("dual total correlation, discrete (dit)", "dual-total-correlation", PLAIN, symbols, lambda x: dit.multivariate.dual_total_correlation(law(x)) * np.log(2), 1e-9)
compare("o-information, discrete, corrected", "o-information", 'estimator = "discrete"', symbols, lambda x: np.subtract(*reference.correlations(x, lambda c: reference.discrete_entropy(c, 1))), 1e-9)

processes = [process(int(rng.integers(2, 5)), int(rng.integers(60, 300))) for _ in range(N)]
for variant in ["wms", "r", "star", "g"]:
    weakest = lambda x: (lambda p: p.weakest(getattr(p, variant)))(reference.Process(x, 1))
    compare(f"phi {variant}, weakest cut", "phi", f'variant = "{variant}"', processes, weakest, 1e-6 if variant == "g" else 1e-8)

points = [rng.normal(size=(3, 5)).T[:, :3] @ np.vstack([rng.random((2, n)), 0.05 * rng.normal(size=(1, n))]) for n in rng.integers(60, 400, N)]
compare("twonn (skdim)", "intrinsic-dimension", "", points, lambda x: skdim.id.TwoNN().fit(x.T).dimension_, 1e-8)
compare("levina-bickel (skdim)", "intrinsic-dimension", 'method = "mle"', points, lambda x: skdim.id.MLE().fit(x.T, n_neighbors=10).dimension_, 1e-8)
compare("levina-bickel, mean (skdim)", "intrinsic-dimension", 'method = "mle"\naverage = "mean"', points, lambda x: skdim.id.MLE().fit(x.T, n_neighbors=10, comb="mean").dimension_, 1e-8)
compare("correlation dimension", "intrinsic-dimension", 'method = "correlation"', points, lambda x: reference.correlation_dimension(x.T, 10), 1e-8)
# The median radius is often a distance itself, which scikit-learn, used by skdim, rounds otherwise: one pair more or less.
compare("correlation dimension (skdim)", "intrinsic-dimension", 'method = "correlation"', points, lambda x: skdim.id.CorrInt(k1=10, k2=20).fit(x.T).dimension_, 0.02)


def ratio(x):
    values = np.linalg.eigvalsh(np.cov(x))
    return values.sum() ** 2 / (values**2).sum()


compare("participation ratio (numpy)", "intrinsic-dimension", 'method = "participation-ratio"', points, ratio, 1e-10)



def diagram(x, landmarks):
    simplices = gudhi.RipsComplex(points=x[landmarks]).create_simplex_tree(max_dimension=2)
    simplices.compute_persistence(min_persistence=0)
    return simplices.persistence_intervals_in_dimension(1)


def reconstructions():
    """Pairs of clouds of 40 points: no landmarks are needed."""
    pairs = []
    for _ in range(N):
        before = mixed(3, 40)
        pairs += [before, before[:2] + 0.3 * rng.normal(size=(2, 40))]
    unit = lambda x: (x - x.mean(axis=1, keepdims=True)) / np.sqrt(x.var(axis=1).sum())
    peers = {
        "bottleneck": lambda a, b: reference.bottleneck(diagram(unit(a).T, range(40)), diagram(unit(b).T, range(40))),
        "wasserstein": lambda a, b: wasserstein_distance(diagram(unit(a).T, range(40)), diagram(unit(b).T, range(40)), order=1, internal_p=np.inf),
        "trustworthiness": lambda a, b: trustworthiness(a.T, b.T, n_neighbors=7),
        "continuity": lambda a, b: trustworthiness(b.T, a.T, n_neighbors=7),
    }
    for measure, peer in peers.items():
        keys = f'measure = "{measure}"' + ("\nneighbours = 7" if measure in ("trustworthiness", "continuity") else "")
        for at, rows in enumerate(ours("reconstruction-error", keys, pairs)):
            difference = abs(known(rows) - peer(pairs[2 * at], pairs[2 * at + 1]))
            name = f"reconstruction error, {measure} (gudhi or scikit-learn)"
            worst[name] = max(worst.get(name, (0, 0))[0], difference), 1e-9
            seen[name] = seen.get(name, 0) + 1


reconstructions()

for name, (difference, allowed) in worst.items():
    print(f"{name}: {difference:.2g} in {seen[name]} (allowed {allowed:g})")
sys.exit(any(difference > allowed for difference, allowed in worst.values()))
