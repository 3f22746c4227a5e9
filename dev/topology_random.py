"""Compares examples/rips with gudhi and ripser.py on 300 random clouds: lattices, duplicates, lines, ties, thresholds, Z/3.

    cargo build --release --example rips && python dev/topology_random.py [RIPS_BINARY] [CLOUDS]

gudhi's simplex tree is double precision and an independent reduction: counts must be equal and the bottleneck distance at most
1e-12 of the largest length. ripser.py is single precision: 1e-6.
"""
import subprocess, sys, tempfile, pathlib
import numpy as np, gudhi, ripser

BINARY = sys.argv[1] if len(sys.argv) > 1 else "target/release/examples/rips"
CLOUDS = int(sys.argv[2]) if len(sys.argv) > 2 else 300


def cloud(rng, kind):
    dim = int(rng.integers(1, 9))
    n = int(rng.integers(1, 33))
    if kind == "uniform":
        return rng.random((n, dim))
    if kind == "lattice":
        return rng.integers(0, 3, (n, min(dim, 4))).astype(float)
    if kind == "duplicates":
        return rng.random((max(n // 3, 1), dim))[rng.integers(0, max(n // 3, 1), n)]
    if kind == "collinear":
        return rng.integers(0, 40, (n, 1)) * np.ones((1, dim)) / 7
    if kind == "grid":
        side = int(rng.integers(2, 6))
        return np.stack(np.meshgrid(np.arange(side), np.arange(side)), -1).reshape(-1, 2).astype(float)
    angle = rng.random(n) * 2 * np.pi
    return np.stack([np.cos(angle), np.sin(angle)], 1) + rng.normal(0, 0.1, (n, 2))


def ours(path, max_dim, threshold, modulus, *how):
    command = [BINARY, path, str(max_dim), "enclosing" if threshold is None else repr(threshold), str(modulus), *how]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[1:]
    rows = np.array([[float(cell) for cell in line.split(",")] for line in lines]).reshape(-1, 3)
    return [rows[rows[:, 0] == dim, 1:] for dim in range(max_dim + 1)]


def theirs(points, max_dim, threshold, modulus):
    differences = points[:, None, :] - points[None, :, :]
    distances = np.sqrt((differences**2).sum(-1))
    limit = distances.max(1).min() if threshold is None else threshold
    tree = gudhi.RipsComplex(distance_matrix=distances, max_edge_length=limit).create_simplex_tree(max_dimension=max_dim + 1)
    tree.compute_persistence(homology_coeff_field=modulus, min_persistence=0, persistence_dim_max=True)
    return [np.asarray(tree.persistence_intervals_in_dimension(dim)).reshape(-1, 2) for dim in range(max_dim + 1)], distances, limit


def compare(name, mine, other, tolerance, counts):
    for dim, (a, b) in enumerate(zip(mine, other)):
        b = b[b[:, 1] > b[:, 0]]
        if counts and len(a) != len(b):
            return f"{name} H{dim}: {len(a)} pairs, not {len(b)}"
        distance = gudhi.bottleneck_distance(a, b) if len(a) + len(b) else 0.0
        if not distance <= tolerance:
            return f"{name} H{dim}: bottleneck {distance}"
    return None


def main():
    folder = pathlib.Path(tempfile.mkdtemp())
    kinds = ["uniform", "lattice", "duplicates", "collinear", "grid", "circle"]
    failures = 0
    for seed in range(CLOUDS):
        rng = np.random.default_rng(seed)
        points = cloud(rng, kinds[seed % len(kinds)])
        max_dim = int(rng.integers(0, 4))
        modulus = [2, 3, 11][int(rng.integers(0, 3))]
        path = str(folder / "cloud.npy")
        np.save(path, points)
        spread = float(np.linalg.norm(np.ptp(points, axis=0)))
        threshold = None if rng.random() < 0.5 else spread * float(rng.random())
        how = [["plain", "dense"], ["plain", "bits"], ["plain", "sparse"], ["collapse", "bits"], ["collapse", "sparse"], []][seed // 6 % 6]
        mine = ours(path, max_dim, threshold, modulus, *how)
        reference, distances, limit = theirs(points, max_dim, threshold, modulus)
        problem = compare("gudhi", mine, reference, 1e-12 * max(spread, 1e-300), True)
        if problem is None and len(points) > 1:
            single = ripser.ripser(distances, distance_matrix=True, maxdim=min(max_dim, 2), thresh=limit, coeff=modulus)["dgms"]
            # An edge as long as the threshold falls on either side of it in single precision.
            if threshold is None:
                # The essential class is +inf in both; others may die by rounding at the radius itself.
                mine_finite = [a[np.isfinite(a[:, 1])] for a in mine]
                single = [np.asarray(b, float)[np.isfinite(b[:, 1])] for b in single]
                problem = compare("ripser.py", mine_finite, single, 1e-6 * max(spread, 1), False)
        if problem:
            failures += 1
            print(f"seed {seed} {kinds[seed % len(kinds)]} n={len(points)} dim={points.shape[1]} max_dim={max_dim} Z/{modulus} {how} threshold={threshold}: {problem}")
    print(f"{CLOUDS - failures} of {CLOUDS} clouds agree")
    sys.exit(failures > 0)


main()
