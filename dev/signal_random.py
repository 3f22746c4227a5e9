"""Random inputs with what scipy and fooof make of them, for tests/suite/signals.rs.

    python dev/signal_random.py tests/data/signal/peers.json            # the committed cases (scipy 1.17.1, fooof 1.1.1)
    python dev/signal_random.py /tmp/many.json 40 7                     # 40 rounds of larger inputs from seed 7, then
    TCS_SIGNAL_CASES=/tmp/many.json cargo test --release --test suite signals::agrees_with_the_peers
"""
import json
import sys
import warnings

import numpy as np
from scipy import ndimage, signal, stats

warnings.simplefilter("ignore")
from fooof import FOOOF  # noqa: E402


def rounded(x, digits=6):
    """Inputs with few digits, so that the file is short and both sides read the same numbers."""
    return [float(f"{v:.{digits}g}") for v in x]


def bandpass(rng, n):
    rate = float(rng.choice([100, 250, 1000, 1250.5]))
    low = float(round(rate * rng.uniform(0.004, 0.2), 3))
    high = float(round(min(low * rng.uniform(1.3, 30), rate * 0.49), 3))
    x = rounded(np.cumsum(rng.normal(size=n)) + rng.normal() * 10)
    sos = signal.butter(4, [low, high], "bandpass", fs=rate, output="sos")
    return dict(kind="bandpass", rate_hz=rate, band_hz=[low, high], input=x, output=list(signal.sosfiltfilt(sos, np.array(x))))


def resample(rng, n):
    up, down = int(rng.integers(1, 13)), int(rng.integers(1, 13))
    x = rounded(rng.normal(size=n))
    y = signal.resample_poly(np.array(x), up, down)
    return dict(kind="resample", rate_hz=60.0 * down, to_hz=60.0 * up, input=x, output=list(y))


def welch(rng, n):
    segment = int(rng.integers(4, n + 1))
    overlap = int(rng.integers(0, segment))
    choice = dict(
        window=str(rng.choice(["hann", "hamming", "blackman", "boxcar"])),
        detrend=str(rng.choice(["constant", "linear", "none"])),
        scaling=str(rng.choice(["density", "spectrum"])),
        average=str(rng.choice(["mean", "median"])),
    )
    rate = float(rng.choice([1, 200, 1000 / 3]))
    x = rounded(rng.normal(size=n) + 0.05 * np.arange(n) + 3)
    settings = {**choice, "detrend": False if choice["detrend"] == "none" else choice["detrend"]}
    f, p = signal.welch(np.array(x), fs=rate, nperseg=segment, noverlap=overlap, **settings)
    return dict(kind="welch", rate_hz=rate, segment=segment, overlap=overlap, **choice, input=x, frequencies=list(f), output=list(p))


def specparam(rng, n):
    f = np.arange(1, 201) * 0.5
    log_p = rng.uniform(-3, 3) - rng.uniform(0.3, 2.5) * np.log10(f)
    for centre in rng.choice([6, 10, 18, 27, 40, 60], size=rng.integers(0, 4), replace=False):
        log_p += rng.uniform(0.5, 1.5) * np.exp(-((f - centre - rng.uniform(-1, 1)) ** 2) / (2 * rng.uniform(0.8, 3) ** 2))
    p = rounded(10 ** (log_p + rng.normal(size=len(f)) * 0.04))
    model = FOOOF([1.0, 12.0], 6, 0.25, 2.0, "fixed", verbose=False)
    model.fit(f, np.array(p), [1, 90])
    return dict(kind="specparam", frequencies=list(f), input=p, range_hz=[1, 90], output=list(model.aperiodic_params_),
                peaks=[list(row) for row in model.peak_params_], r2=float(model.r_squared_))


def notch(rng, n):
    rate = float(rng.choice([250, 1000, 1250.5]))
    hz = float(round(rate * rng.uniform(0.02, 0.45), 3))
    x = rounded(np.cumsum(rng.normal(size=n)))
    b, a = signal.iirnotch(hz, 30.0, fs=rate)
    return dict(kind="notch", rate_hz=rate, hz=hz, input=x, output=list(signal.filtfilt(b, a, np.array(x))))


def smooth(rng, n):
    sigma = float(round(rng.uniform(0.3, 12), 3))
    x = rounded(rng.poisson(0.4, n))
    return dict(kind="smooth", rate_hz=100.0, sigma=sigma, input=x, output=list(ndimage.gaussian_filter1d(np.array(x), sigma, mode="constant")))


def detrend(rng, n):
    which = str(rng.choice(["constant", "linear"]))
    x = rounded(rng.normal(size=n) + 0.03 * np.arange(n) - 7)
    return dict(kind="detrend", rate_hz=1.0, trend=which, input=x, output=list(signal.detrend(np.array(x), type=which)))


def zscore(rng, n):
    x = rounded(rng.normal(size=n) * 1e-4 + 3)
    return dict(kind="zscore", rate_hz=1.0, input=x, output=list(stats.zscore(np.array(x))))


def rereference(rng, n):
    channels = int(rng.integers(2, 9))
    which = str(rng.choice(["average", "median"]))
    x = np.array(rounded(rng.normal(size=(channels * (n // channels))))).reshape(channels, -1)
    shared = x.mean(axis=0) if which == "average" else np.median(x, axis=0)
    return dict(kind="rereference", rate_hz=1.0, channels=channels, reference=which, input=list(x.ravel()), output=list((x - shared).ravel()))


def main(path, rounds=4, seed=1):
    rng = np.random.default_rng(seed)
    cases = []
    for at in range(rounds):
        n = int(rng.integers(60, 140) if rounds <= 4 else rng.integers(30, 3000))
        cases += [make(rng, n) for make in (bandpass, resample, welch, specparam)]
    rng = np.random.default_rng([seed, 2])
    for at in range(rounds):
        n = int(rng.integers(60, 140) if rounds <= 4 else rng.integers(30, 3000))
        cases += [make(rng, n) for make in (notch, smooth, detrend, zscore, rereference)]
    with open(path, "w") as file:
        file.write("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")


main(sys.argv[1], *map(int, sys.argv[2:]))
