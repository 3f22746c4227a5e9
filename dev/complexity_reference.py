"""The definitions of the complexity and integration metrics once more, written from the papers, slowly and without this project's code.

`dev/complexity_golden.py` and `dev/complexity_random.py` use them where no peer package offers the quantity.
"""
import itertools

import numpy as np
from scipy import optimize, special, stats
from scipy.spatial import distance


def lz78(text):
    words, word = set(), ()
    for symbol in text:
        word += (symbol,)
        if word not in words:
            words.add(word)
            word = ()
    return len(words) + bool(word)


def lzw(text):
    """The dictionary's size as Schartner's code counts it."""
    words, word = set(), ()
    for symbol in text:
        if word + (symbol,) in words:
            word += (symbol,)
        else:
            words.add(word + (symbol,))
            word = (symbol,)
    return len(words)


def permutation_lz(x, order, delay):
    """Phrases (antropy) of the rank patterns, and their normalised value."""
    import antropy

    n = len(x) - (order - 1) * delay
    patterns = [tuple(np.argsort(x[at : at + (order - 1) * delay + 1 : delay], kind="stable")) for at in range(n)]
    names = {pattern: at for at, pattern in enumerate(itertools.permutations(range(order)))}
    phrases = antropy.lziv_complexity("".join(chr(200 + names[tuple(map(int, pattern))]) for pattern in patterns))
    return phrases, phrases * np.log(n) / np.log(len(names)) / n


def lz_matrix(matrix):
    """Phrases of Casali et al. 2013: columns one by one, a phrase looked for in its column's past and in all columns before."""
    columns = ["".join(map(str, column)) for column in np.asarray(matrix, dtype=int).T]
    phrases = 0
    for at, column in enumerate(columns):
        start = 0
        while start < len(column):
            length = 1
            while start + length <= len(column):
                phrase = column[start : start + length]
                known = phrase in column[: start + length - 1] or any(phrase in other for other in columns[:at])
                if not known:
                    phrases += 1
                    break
                length += 1
            start += length
    return phrases + 1


def pci(matrix):
    matrix = np.asarray(matrix)
    p = matrix.mean()
    entropy = -p * np.log2(p) - (1 - p) * np.log2(1 - p)
    return lz_matrix(matrix) * np.log2(matrix.size) / (matrix.size * entropy)


def pci_st(evoked, times, base, response, k=1.2, min_snr=1.1, max_var=99.0, n_steps=100):
    """Comolatti et al. 2019: value and number of components."""
    place = lambda t: int(np.sum(times < t - 1e-9))
    b, r = slice(place(base[0]), place(base[1])), slice(place(response[0]), place(response[1]))
    _, s, vt = np.linalg.svd(evoked[:, r].T, full_matrices=False)
    share = np.cumsum(100 * s**2 / np.sum(s**2))
    components = (vt @ evoked)[: len(s) - np.sum(share >= max_var) + 1]
    total, kept = 0.0, 0
    for x in components:
        if np.sqrt(np.mean(x[r] ** 2) / np.mean(x[b] ** 2)) <= min_snr:
            continue
        kept += 1
        db, dr = (np.abs(x[part][:, None] - x[part][None, :]) for part in (b, r))
        n_b, n_r = len(db), len(dr)
        best = max(
            np.abs(np.diff((dr <= t).astype(int))).sum() / n_r**2 - k * np.abs(np.diff((db <= t).astype(int))).sum() / n_b**2
            for t in np.linspace(np.median(db), dr.max(), n_steps)
        )
        total += max(0.0, best * n_r)
    return total, kept


def gaussian_entropy(channels, corrected):
    """Up to a constant a channel; `corrected` as gcmi's `ent_g`."""
    channels = np.atleast_2d(channels)
    d, n = channels.shape
    h = 0.5 * np.linalg.slogdet(np.atleast_2d(np.cov(channels)))[1]
    if corrected:
        h -= d * (np.log(2) - np.log(n - 1)) / 2 + special.digamma((n - np.arange(1, d + 1)) / 2).sum() / 2
    return h


def discrete_entropy(channels, corrected):
    _, counts = np.unique(np.atleast_2d(channels), axis=1, return_counts=True)
    p = counts / counts.sum()
    return -(p * np.log(p)).sum() + corrected * (len(counts) - 1) / (2 * counts.sum())


def correlations(channels, entropy):
    m = len(channels)
    total = sum(entropy(channels[[j]]) for j in range(m)) - entropy(channels)
    dual = sum(entropy(np.delete(channels, j, axis=0)) for j in range(m)) - (m - 1) * entropy(channels)
    return total, dual


def normal_scores(channels):
    return special.ndtri(stats.rankdata(channels, axis=1) / (channels.shape[1] + 1))


def ksg_total(channels, k):
    x = np.array([(c - c.mean()) / c.std(ddof=1) for c in channels])
    m, n = x.shape
    apart = np.abs(x[:, :, None] - x[:, None, :])
    joint = apart.max(axis=0)
    np.fill_diagonal(joint, np.inf)
    reach = np.sort(joint, axis=1)[:, k - 1]
    counts = (apart < reach[None, :, None]).sum(axis=2) - 1
    return special.digamma(k) + (m - 1) * special.digamma(n) - special.digamma(counts + 1).sum(axis=0).mean()


def ksg_correlations(channels, k):
    m = len(channels)
    total = ksg_total(channels, k)
    rest = sum(ksg_total(np.delete(channels, j, axis=0), k) for j in range(m)) if m > 2 else 0.0
    return total, (m - 1) * total - rest


def correlation_dimension(points, k):
    """As skdim's CorrInt with k1 = k, k2 = 2k; distances by scipy, so that pairs at the radius itself are told apart exactly."""
    apart = distance.squareform(distance.pdist(points))
    near = np.sort(apart, axis=1)
    radii = [np.median(near[:, k]), np.median(near[:, 2 * k])]
    pairs = [((apart < radius).sum() - len(points)) for radius in radii]
    return np.log(pairs[1] / pairs[0]) / np.log(radii[1] / radii[0])


def bottleneck(a, b):
    """By assignments: the least distance at which all points find partners."""
    n, m = len(a), len(b)
    cost = np.zeros((n + m, n + m))
    cost[:n, :m] = np.abs(a[:, None, :] - b[None, :, :]).max(axis=2)
    cost[:n, m:] = ((a[:, 1] - a[:, 0]) / 2)[:, None]
    cost[n:, :m] = ((b[:, 1] - b[:, 0]) / 2)[None, :]
    reaches = np.unique(cost)
    low, high = 0, len(reaches) - 1
    while low < high:
        middle = (low + high) // 2
        far = (cost > reaches[middle]).astype(float)
        rows, columns = optimize.linear_sum_assignment(far)
        low, high = (low, middle) if far[rows, columns].sum() == 0 else (middle + 1, high)
    return reaches[low]


class Process:
    """A Gaussian process at two instants."""

    def __init__(self, channels, lag):
        n = channels.shape[1] - lag
        both = np.vstack([channels[:, :n], channels[:, lag:]])
        self.m, self.cov = len(channels), np.cov(both)

    def log_det(self, of):
        return np.linalg.slogdet(self.cov[np.ix_(of, of)])[1]

    def information(self, past, present):
        present = [at + self.m for at in present]
        return 0.5 * (self.log_det(past) + self.log_det(present) - self.log_det(list(past) + present))

    def wms(self, parts):
        every = list(range(self.m))
        return self.information(every, every) - sum(self.information(p, p) for p in parts)

    def r(self, parts):
        return self.wms(parts) + min(self.information(p, q) for p in parts for q in parts)

    def regression(self):
        m = self.m
        a = np.linalg.solve(self.cov[:m, :m], self.cov[:m, m:]).T
        return a, self.cov[m:, m:] - a @ self.cov[:m, m:]

    def star(self, parts):
        m = self.m
        w, s = np.zeros((m, m)), np.zeros((m, m))
        for p in parts:
            own = np.ix_(p, p)
            cross = self.cov[np.ix_([at + m for at in p], p)]
            w[own] = np.linalg.solve(self.cov[own], cross.T).T
            s[own] = self.cov[np.ix_([at + m for at in p], [at + m for at in p])] - w[own] @ cross.T
        driven, present = w @ self.cov[:m, :m] @ w.T, self.cov[m:, m:]

        def lost(log_beta):
            beta = np.exp(log_beta)
            c = s / beta + driven
            return -0.5 * (np.linalg.slogdet(c)[1] - np.linalg.slogdet(s / beta)[1] + np.trace(np.linalg.solve(c, present)) - beta * m)

        best = optimize.minimize_scalar(lost, bounds=(-8, 4), method="bounded", options={"xatol": 1e-11})
        every = list(range(m))
        return self.information(every, every) - max(-best.fun, 0.0)

    def g(self, parts):
        m = self.m
        a, noise = self.regression()
        inside = np.zeros((m, m), dtype=bool)
        for p in parts:
            inside[np.ix_(p, p)] = True
        past = self.cov[:m, :m]

        def divergence(free):
            own = np.zeros((m, m))
            own[inside] = free
            left = a - own
            sigma = noise + left @ past @ left.T
            slope = -2 * np.linalg.solve(sigma, left @ past) / 2
            return 0.5 * np.linalg.slogdet(sigma)[1], slope[inside]

        best = optimize.minimize(divergence, a[inside], jac=True, method="BFGS", options={"gtol": 1e-10, "maxiter": 5000})
        return best.fun - 0.5 * np.linalg.slogdet(noise)[1]

    def weakest(self, measure):
        every = set(range(self.m))
        cuts = ([sorted(c), sorted(every - set(c))] for size in range(1, self.m) for c in itertools.combinations(range(self.m), size) if 0 in c)
        return min(measure(cut) for cut in cuts)
