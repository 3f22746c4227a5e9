"""Writes the reference values of tests/data/metrics and tests/data/embed (run from the repository root; see the README.md there).

The inputs are drawn here from NumPy's PCG64; the values come from antropy, pyinform, scipy and NumPy, never from this project.
"""
import json
from importlib.metadata import version

import antropy
import numpy as np
import pyinform
import scipy.signal

rng = np.random.default_rng(1976)


def sticky(n, alphabet, stay):
    out = rng.integers(0, alphabet, n)
    for t in range(1, n):
        if rng.random() < stay:
            out[t] = out[t - 1]
    return out


def lz76_texts():
    cases = []
    for n, alphabet, stay in [(20, 2, 0), (50, 2, 0.5), (200, 2, 0.9), (300, 3, 0), (300, 5, 0.7), (150, 26, 0)]:
        text = sticky(n, alphabet, stay)
        string = "".join(chr(97 + s) for s in text)
        cases.append({"symbols": text.tolist(), "phrases": antropy.lziv_complexity(string),
                      "normalised": antropy.lziv_complexity(string, normalize=True)})
    return cases


def lz76_signals():
    cases = []
    for n in [401, 600]:
        x = np.round(np.cumsum(rng.normal(size=n)) + 0.05 * np.arange(n) + rng.normal(size=n), 6)
        envelope = np.abs(scipy.signal.hilbert(scipy.signal.detrend(x - x.mean())))
        rules = {"median": x > np.median(x), "mean": x > x.mean(), "hilbert-mean": envelope >= envelope.mean()}
        expected = {}
        for rule, bits in rules.items():
            string = "".join(map(str, bits.astype(int)))
            expected[rule] = {"phrases": antropy.lziv_complexity(string), "normalised": antropy.lziv_complexity(string, normalize=True)}
        cases.append({"values": x.tolist(), "expected": expected})
    return cases


def transfer_entropies():
    cases = []
    for n, alphabet, history in [(300, 2, 1), (300, 2, 3), (400, 4, 1), (500, 3, 2)]:
        source = sticky(n, alphabet, 0.3)
        target = np.where(rng.random(n) < 0.6, np.roll(source, 1), sticky(n, alphabet, 0.5))
        bits = {}
        for name, (x, y) in {"0->1": (source, target), "1->0": (target, source)}.items():
            bits[name] = pyinform.transfer_entropy(x, y, k=history)
        cases.append({"alphabet": alphabet, "target_history": history, "source": source.tolist(), "target": target.tolist(), "bits": bits})
    return cases


def pca():
    cases = []
    for samples, channels, kept in [(40, 5, 3), (6, 9, 4)]:
        x = np.round(rng.normal(size=(samples, channels)) @ rng.normal(size=(channels, channels)) + 3, 6)
        u, s, vt = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
        signs = np.sign(vt[np.arange(len(vt)), np.abs(vt).argmax(axis=1)])
        scores = (u * s * signs)[:, :kept]
        variance = s**2 / (samples - 1)
        cases.append({"values": x.tolist(), "dimension": kept, "scores": scores.tolist(),
                      "whitened": (scores / np.sqrt(variance[:kept])).tolist(), "ratio": (variance / variance.sum())[:kept].tolist()})
    return cases


def write(path, reference, cases):
    with open(path, "w") as out:
        json.dump({"reference": reference, "cases": cases}, out)
        out.write("\n")


def named(*packages):
    return ", ".join(f"{name} {version(name)}" for name in packages)


write("tests/data/metrics/lz76_texts.json", named("antropy"), lz76_texts())
write("tests/data/metrics/lz76_signals.json", named("antropy", "scipy", "numpy"), lz76_signals())
write("tests/data/metrics/transfer_entropy.json", named("pyinform"), transfer_entropies())
write("tests/data/embed/pca.json", named("numpy") + " (numpy.linalg.svd)", pca())
