"""Whether the simulated head-direction ring shows in H1: ratio of the longest to the second longest bar of PCA(6) counts.

usage: ring_check.py BIN_S FILE.csv...   (two columns without header: unit, time in seconds). Needs numpy and ripser.
"""

import sys
import numpy as np
from ripser import ripser


def ratio(counts, n_landmarks=400, dimension=6):
    x = counts.T - counts.mean(1)
    u, s, _ = np.linalg.svd(x, full_matrices=False)
    points = u[:, :dimension] * s[:dimension]
    chosen, near = [0], np.linalg.norm(points - points[0], axis=1)
    while len(chosen) < min(n_landmarks, len(points)):
        chosen.append(int(near.argmax()))
        near = np.minimum(near, np.linalg.norm(points - points[chosen[-1]], axis=1))
    bars = ripser(points[chosen], maxdim=1)["dgms"][1]
    longest = np.sort(bars[:, 1] - bars[:, 0])[::-1]
    return longest[0] / longest[1]


if __name__ == "__main__":
    bin_s = float(sys.argv[1])
    for seed, path in enumerate(sys.argv[2:]):
        unit, time = np.loadtxt(path, delimiter=",").T
        n_bins, n_units = int(300 / bin_s), int(unit.max()) + 1
        draw = np.random.default_rng(seed)
        counts, shifted = np.zeros((2, n_units, n_bins))
        for one in range(n_units):
            times = time[unit == one]
            counts[one] = np.histogram(times, n_bins, (0, 300))[0]
            shifted[one] = np.histogram((times + draw.uniform(0, 300)) % 300, n_bins, (0, 300))[0]
        print(f"{path} ring {ratio(counts):.2f} shifted {ratio(shifted):.2f}", flush=True)
