//! Persistent homology against other programs' diagrams, known spaces, a brute-force reduction, and its own invariances.

use ndarray::{Array1, Array2};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::path::{Path, PathBuf};
use tcs_batch::data::{Diagrams, DistanceMatrix, Pair, Points};
use tcs_batch::homology::bottleneck::bottleneck;
use tcs_batch::homology::{Collapse, HomologyError, Layout, Rips, Threshold, landmarks, summary};

enum Input {
    Points(Points),
    Distances(DistanceMatrix),
}

impl Input {
    fn rips(&self) -> Rips<'_> {
        match self {
            Self::Points(points) => Rips::points(points),
            Self::Distances(matrix) => Rips::distances(matrix),
        }
    }
}

/// A file of the test data, or of the larger set beside the repository where that is there.
fn find(folder: &str, name: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let places = [root.join("tests/data/topology").join(name), root.join("../shared").join(folder).join("topology").join(name)];
    places.into_iter().find(|path| path.exists())
}

fn load(name: &str) -> Option<Input> {
    if let Some(path) = find("data", &format!("{name}.points.npy")) {
        let matrix: Array2<f64> = ndarray_npy::read_npy(path).unwrap();
        return Some(Input::Points(Points::new(matrix.iter().copied().collect(), matrix.ncols()).unwrap()));
    }
    let lower: Array1<f64> = ndarray_npy::read_npy(find("data", &format!("{name}.lower.npy"))?).unwrap();
    let n = (1.0 + (1.0 + 8.0 * lower.len() as f64).sqrt()) as usize / 2;
    Some(Input::Distances(DistanceMatrix::from_lower(n, lower.to_vec()).unwrap()))
}

fn golden(name: &str) -> Option<Vec<Vec<Pair>>> {
    let text = std::fs::read_to_string(find("golden", name)?).unwrap();
    let mut by_dim = Vec::new();
    for line in text.lines().skip(1) {
        let cells: Vec<f64> = line.split(',').map(|cell| cell.parse().unwrap()).collect();
        let dim = cells[0] as usize;
        by_dim.resize_with(by_dim.len().max(dim + 1), Vec::new);
        by_dim[dim].push(Pair { birth: cells[1], death: cells[2] });
    }
    Some(by_dim)
}

/// Compares with Ripser's diagrams: as many pairs in each dimension, and a bottleneck distance of rounding size.
fn check_golden(name: &str, max_dim: usize, threshold: Option<f64>, modulus: u16) {
    let mut file = format!("{name}.d{max_dim}");
    file += &threshold.map_or(String::new(), |value| format!(".t{value}"));
    file += &if modulus == 2 { ".csv".to_owned() } else { format!(".p{modulus}.csv") };
    let (Some(input), Some(golden)) = (load(name), golden(&file)) else {
        println!("skipped: {file} is not here");
        return;
    };
    let threshold = threshold.map_or(Threshold::Enclosing, Threshold::At);
    for collapse in [Collapse::Auto, Collapse::Never] {
        let ours = input.rips().max_dim(max_dim).threshold(threshold).modulus(modulus).collapse(collapse).compute().unwrap();
        assert_eq!(ours.by_dim.len(), max_dim + 1);
        for (dim, pairs) in ours.by_dim.iter().enumerate() {
            let expected = golden.get(dim).map_or(&[][..], Vec::as_slice);
            assert_eq!(pairs.len(), expected.len(), "{file}, dimension {dim}, {collapse:?}");
            let distance = bottleneck(pairs, expected);
            assert!(distance <= 1e-12 * ours.threshold, "{file}, dimension {dim}, {collapse:?}: {distance}");
        }
    }
}

#[test]
fn diagrams_equal_ripsers() {
    for (name, max_dim) in [
        ("projective_plane", 2),
        ("random16", 7),
        ("random_100_4", 2),
        ("random_50_16", 4),
        ("grid2d_9x9", 2),
        ("sphere_3_192", 2),
        ("sphere_3_192", 1),
        ("takens_torus_5d", 1),
        ("takens_torus_5d", 2),
        ("klein_400", 1),
        ("klein_400", 2),
        ("celegans", 2),
        ("vicsek_300", 2),
        ("dragon1000", 1),
        ("fractal_r", 1),
        ("fractal_r", 2),
        ("takens_neural_7d", 1),
        ("takens_neural_7d", 2),
    ] {
        check_golden(name, max_dim, None, 2);
    }
    check_golden("o3_1024", 3, Some(1.8), 2);
    check_golden("projective_plane", 2, None, 3);
    check_golden("klein_400", 1, None, 3);
}

#[test]
fn a_torus_of_many_points_at_a_small_threshold() {
    let Some(path) = find("data", "torus4_50000_f32.points.npy") else {
        println!("skipped: torus4_50000 is not here");
        return;
    };
    // The first 6,000 points: enough for neighbour lists, quick enough for every run.
    let matrix: Array2<f32> = ndarray_npy::read_npy(path).unwrap();
    let values = matrix.iter().take(6_000 * 4).map(|&value| f64::from(value)).collect();
    let points = Points::new(values, 4).unwrap();
    let rips = Rips::points(&points).threshold(Threshold::At(0.15));
    let sparse = rips.layout(Layout::Sparse).compute().unwrap();
    assert_eq!(sparse, rips.compute().unwrap());
    assert_eq!(sparse, rips.layout(Layout::Bits).compute().unwrap());
    assert_eq!(sparse.by_dim[0].len(), 6_000, "a pair or a survivor for each point");
}

#[test]
fn torsion_shows_in_the_field() {
    let Some(Input::Distances(plane)) = load("projective_plane") else { panic!("test data") };
    let count =
        |modulus| Rips::distances(&plane).max_dim(2).modulus(modulus).compute().unwrap().by_dim.iter().map(Vec::len).collect::<Vec<_>>();
    assert_eq!(count(2), [13, 1, 1]);
    for odd in [3, 5, 11, 65521] {
        assert_eq!(count(odd), [13, 0, 0], "Z/{odd}");
    }
}

/// Bars of at least this length in each dimension, the essential component counted.
fn long_bars(diagrams: &Diagrams, length: f64) -> Vec<usize> {
    diagrams.by_dim.iter().map(|pairs| pairs.iter().filter(|pair| pair.persistence() >= length).count()).collect()
}

#[test]
fn known_spaces_have_their_betti_numbers() {
    let tau = std::f64::consts::TAU;
    let circle = (0..40).flat_map(|i| <[f64; 2]>::from((tau * f64::from(i) / 40.0).sin_cos())).collect();
    let circle = Rips::points(&Points::new(circle, 2).unwrap()).max_dim(2).compute().unwrap();
    assert_eq!(long_bars(&circle, 1.0), [1, 1, 0]);
    // A regular 40-gon: born at the side, dead at the first diagonal that spans a third of the circle.
    let hole = circle.by_dim[1][0];
    assert!((hole.birth - 2.0 * (tau / 80.0).sin()).abs() < 1e-12 && (hole.death - 2.0 * (tau * 14.0 / 80.0).sin()).abs() < 1e-12);

    let golden_angle = tau * (1.0 - 1.0 / 1.618_033_988_749_895);
    let sphere = (0..120)
        .flat_map(|i| {
            let z = 1.0 - (2.0 * f64::from(i) + 1.0) / 120.0;
            let (s, c) = (golden_angle * f64::from(i)).sin_cos();
            let r = (1.0 - z * z).sqrt();
            [r * c, r * s, z]
        })
        .collect();
    let sphere = Rips::points(&Points::new(sphere, 3).unwrap()).max_dim(2).compute().unwrap();
    assert_eq!(long_bars(&sphere, 0.6), [1, 0, 1]);

    let torus = (0..12 * 12)
        .flat_map(|i| {
            let ((s, c), (t, d)) = ((tau * f64::from(i / 12) / 12.0).sin_cos(), (tau * f64::from(i % 12) / 12.0).sin_cos());
            [c, s, d, t]
        })
        .collect();
    let torus = Rips::points(&Points::new(torus, 4).unwrap()).max_dim(2).compute().unwrap();
    assert_eq!(long_bars(&torus, 0.6), [1, 2, 1]);
}

#[test]
fn a_line_and_a_square_in_closed_form() {
    let line = Points::new(vec![0.0, 1.0, 3.0, 6.0], 1).unwrap();
    let deaths: Vec<f64> = Rips::points(&line).max_dim(3).compute().unwrap().by_dim[0].iter().map(|pair| pair.death).collect();
    assert_eq!(deaths, [1.0, 2.0, 3.0, f64::INFINITY]);
    let square = Points::new(vec![0.0, 0.0, 3.0, 0.0, 3.0, 4.0, 0.0, 4.0], 2).unwrap();
    let at = |threshold| Rips::points(&square).threshold(threshold).compute().unwrap();
    assert_eq!(at(Threshold::Enclosing).by_dim[1], [Pair { birth: 4.0, death: 5.0 }]);
    assert_eq!(at(Threshold::At(4.5)).by_dim[1], [Pair { birth: 4.0, death: f64::INFINITY }]);
    assert_eq!(at(Threshold::At(3.5)).by_dim[0].iter().filter(|pair| pair.death.is_infinite()).count(), 2);
    assert_eq!(at(Threshold::Infinite).by_dim, at(Threshold::Enclosing).by_dim);
    assert_eq!(at(Threshold::At(0.0)).by_dim[0].len(), 4);
}

#[test]
fn the_smallest_inputs() {
    let none = Points::new(Vec::new(), 3).unwrap();
    assert_eq!(Rips::points(&none).max_dim(2).compute().unwrap().by_dim, [[], [], []]);
    let inf = Pair { birth: 0.0, death: f64::INFINITY };
    let one = Points::new(vec![1.0, 2.0, 3.0], 3).unwrap();
    assert_eq!(Rips::points(&one).max_dim(30).compute().unwrap().by_dim[0], [inf]);
    let same = Points::new(vec![1.0; 90], 3).unwrap();
    let diagrams = Rips::points(&same).max_dim(3).collapse(Collapse::Never).compute().unwrap();
    assert_eq!(diagrams.by_dim, [vec![inf], vec![], vec![], vec![]]);
}

#[test]
fn what_cannot_be_computed_is_refused_with_advice() {
    let cloud = cloud(200, 3, 1);
    let rips = Rips::points(&cloud);
    let message = |rips: Rips<'_>| rips.compute().unwrap_err().to_string();
    assert_eq!(message(rips.modulus(4)), "homology needs a prime modulus, not 4: try 2 (the default), 3 or 11");
    assert_eq!(message(rips.threshold(Threshold::At(-1.0))), "the threshold must be 0 or more, not -1");
    assert!(message(rips.threshold(Threshold::At(f64::NAN))).contains("NaN"));
    assert_eq!(message(rips.max_dim(31)), "homology is computed up to dimension 30, not 31");
    let Err(HomologyError::TooLarge { max_points, .. }) = rips.max_dim(30).compute() else { panic!("200 points in 31 dimensions") };
    assert!((31..200).contains(&max_points), "{max_points}");
    let Err(HomologyError::Memory { landmarks, threshold: Some(threshold), .. }) = rips.memory_limit_bytes(500_000).compute() else {
        panic!("20,000 edges in half a megabyte")
    };
    let few = landmarks::greedy(&cloud, landmarks);
    assert!(Rips::points(&cloud.select(&few.indices)).memory_limit_bytes(500_000).compute().is_ok());
    assert!(rips.threshold(Threshold::At(threshold * 0.9)).memory_limit_bytes(500_000).compute().is_ok());
    let fewer = cloud.select(&(0..100).collect::<Vec<_>>());
    let deep = Rips::points(&fewer).max_dim(3).collapse(Collapse::Never).memory_limit_bytes(330_000);
    assert!(message(deep).contains("dimension"), "{}", message(deep));
}

/// A cloud by a small linear congruence: the same on every machine.
fn cloud(n: usize, dim: usize, seed: u64) -> Points {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    Points::new((0..n * dim).map(|_| next()).collect(), dim).unwrap()
}

#[test]
fn wide_keys_change_nothing() {
    // 80 points up to dimension 16 do not fit 64 bits.
    let cloud = cloud(80, 3, 5);
    let wide = Rips::points(&cloud).max_dim(16).threshold(Threshold::At(0.4)).compute().unwrap();
    let narrow = Rips::points(&cloud).max_dim(2).threshold(Threshold::At(0.4)).compute().unwrap();
    assert_eq!(wide.by_dim[..3], narrow.by_dim);
    let odd = Rips::points(&cloud).max_dim(16).threshold(Threshold::At(0.4)).modulus(3).compute().unwrap();
    assert_eq!(wide.by_dim, odd.by_dim);
}

#[test]
fn bottleneck_distances_equal_those_of_other_programs() {
    let text = std::fs::read_to_string(find("golden", "distances.json").unwrap()).unwrap();
    let list: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(list.len(), 10);
    for entry in &list {
        let dim = entry["dim"].as_u64().unwrap() as usize;
        let diagram = |side: &str| -> Vec<Pair> {
            let pairs = golden(entry[side].as_str().unwrap()).unwrap().swap_remove(dim);
            pairs.into_iter().filter(|pair| pair.death.is_finite()).collect()
        };
        let (expected, ours) = (entry["bottleneck_hera_exact"].as_f64().unwrap(), bottleneck(&diagram("A"), &diagram("B")));
        assert!((ours - expected).abs() <= 1e-15 * (1.0 + expected), "{entry}: {ours}");
    }
}

#[test]
fn summaries_equal_those_of_other_programs() {
    let text = std::fs::read_to_string(find("golden", "descriptors_takens_H1.json").unwrap()).unwrap();
    let golden_values: serde_json::Value = serde_json::from_str(&text).unwrap();
    let numbers = |value: &serde_json::Value| -> Vec<f64> { value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect() };
    let close = |ours: &[f64], expected: &[f64]| {
        assert_eq!(ours.len(), expected.len());
        for (a, b) in ours.iter().zip(expected) {
            assert!((a - b).abs() <= 1e-12 * (1.0 + b.abs()), "{a} is not {b}");
        }
    };
    let bars = golden("takens_torus_5d.d2.csv").unwrap().swap_remove(1);
    assert_eq!(bars.len(), 117);
    let scalar = |key: &str| golden_values[key].as_f64().unwrap();
    close(&[summary::entropy(&bars).unwrap()], &[scalar("persistence_entropy_nat")]);
    close(&[summary::total_persistence(&bars, 1.0)], &[scalar("total_persistence_1")]);
    close(&[summary::total_persistence(&bars, 2.0)], &[scalar("total_persistence_2")]);
    close(&[summary::landscape_norm(&bars)], &[scalar("total_persistence_2") / 4.0]);
    close(&[summary::longest(&bars).unwrap()], &[scalar("max_persistence")]);
    let grid = numbers(&golden_values["betti_grid"]);
    let betti: Vec<f64> = summary::betti_curve(&bars, &grid).into_iter().map(|b| b as f64).collect();
    close(&betti, &numbers(&golden_values["betti_curve"]));
    for (ours, expected) in summary::landscapes(&bars, 3, &grid).iter().zip(golden_values["landscape_1_3"].as_array().unwrap()) {
        close(ours, &numbers(expected));
    }
    close(&summary::silhouette(&bars, 1.0, &grid), &numbers(&golden_values["silhouette_p1"]));
    let pixels = summary::ImageGrid { pixels: 20, birth: (0.0, 3.0), persistence: (0.0, 3.0), sigma: 0.1 };
    let expected: Vec<f64> = golden_values["pimage"]["density_at_centre"].as_array().unwrap().iter().flat_map(numbers).collect();
    close(&summary::image(&bars, &pixels), &expected);
}

#[test]
fn landmarks_keep_their_bound() {
    let Some(Input::Points(points)) = load("takens_torus_5d") else { panic!("test data") };
    let full = Rips::points(&points).compute().unwrap();
    for m in [50, 100, 200] {
        let chosen = landmarks::greedy(&points, m);
        let fewer = Rips::points(&points.select(&chosen.indices)).compute().unwrap();
        for dim in 0..2 {
            assert!(bottleneck(&full.by_dim[dim], &fewer.by_dim[dim]) <= 2.0 * chosen.covering_radius, "{m} landmarks, dimension {dim}");
        }
    }
}

/// Persistence by the textbook: all simplices, one boundary matrix, columns reduced from the left, over Z/p.
fn brute_force(points: &Points, max_dim: usize, p: i64) -> Vec<Vec<Pair>> {
    let n = points.len();
    let distance = |i: usize, j: usize| points.point(i).iter().zip(points.point(j)).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt();
    let mut simplices: Vec<(f64, u32, Vec<usize>)> = (1_u32..1 << n)
        .filter(|set| set.count_ones() as usize <= max_dim + 2)
        .map(|set| {
            let vertices: Vec<usize> = (0..n).filter(|v| set >> v & 1 == 1).collect();
            let value =
                vertices.iter().flat_map(|&i| vertices.iter().map(move |&j| (i, j))).map(|(i, j)| distance(i, j)).fold(0.0, f64::max);
            (value, set.count_ones(), vertices)
        })
        .collect();
    simplices.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| (a.1, &a.2).cmp(&(b.1, &b.2))));
    let position = |vertices: &[usize]| simplices.iter().position(|simplex| simplex.2 == vertices).unwrap();
    let inverse = |a: i64| (1..p).find(|b| a * b % p == 1).unwrap();
    let mut reduced: Vec<std::collections::BTreeMap<usize, i64>> = Vec::new();
    let mut owner = std::collections::BTreeMap::new();
    for (_, _, vertices) in &simplices {
        let mut column = std::collections::BTreeMap::new();
        if vertices.len() > 1 {
            for at in 0..vertices.len() {
                let mut facet = vertices.clone();
                facet.remove(at);
                column.insert(position(&facet), if at % 2 == 0 { 1 } else { p - 1 });
            }
        }
        while let Some((&low, &coefficient)) = column.last_key_value() {
            let Some(&other) = owner.get(&low) else {
                owner.insert(low, reduced.len());
                break;
            };
            let other: &std::collections::BTreeMap<usize, i64> = &reduced[other];
            let factor = (p - coefficient) * inverse(other[&low]) % p;
            for (&row, &value) in other {
                let sum = (column.get(&row).copied().unwrap_or(0) + factor * value) % p;
                if sum == 0 {
                    column.remove(&row)
                } else {
                    column.insert(row, sum)
                };
            }
        }
        reduced.push(column);
    }
    let mut by_dim = vec![Vec::new(); max_dim + 1];
    for at in (0..simplices.len()).filter(|&at| reduced[at].is_empty()) {
        let (birth, dim) = (simplices[at].0, simplices[at].1 as usize - 1);
        let death = owner.get(&at).map_or(f64::INFINITY, |&other| simplices[other].0);
        if dim <= max_dim && death > birth {
            by_dim[dim].push(Pair { birth, death });
        }
    }
    for pairs in &mut by_dim {
        pairs.sort_by(|a, b| a.birth.total_cmp(&b.birth).then(a.death.total_cmp(&b.death)));
    }
    by_dim
}

/// Prim's algorithm on the full matrix.
fn tree_edges(points: &Points) -> Vec<f64> {
    let distance = |i: usize, j: usize| points.point(i).iter().zip(points.point(j)).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt();
    let mut outside: Vec<(usize, f64)> = (1..points.len()).map(|j| (j, distance(0, j))).collect();
    let mut edges = Vec::new();
    while let Some(at) = (0..outside.len()).min_by(|&a, &b| outside[a].1.total_cmp(&outside[b].1)) {
        let (new, length) = outside.swap_remove(at);
        edges.push(length);
        for (j, near) in &mut outside {
            *near = near.min(distance(new, *j));
        }
    }
    edges.sort_by(f64::total_cmp);
    edges
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, rng_seed: RngSeed::Fixed(20_261_125), failure_persistence: None, ..ProptestConfig::default() }
}

/// Coordinates on a coarse lattice half of the time, so that ties and duplicates are common.
fn clouds(n: std::ops::Range<usize>, dims: std::ops::Range<usize>) -> impl Strategy<Value = Points> {
    (n, dims, any::<bool>()).prop_flat_map(|(n, dim, coarse)| {
        let coordinate = (0_u32..1 << 20).prop_map(move |x| if coarse { f64::from(x % 4) } else { f64::from(x) / f64::from(1 << 18) });
        prop::collection::vec(coordinate, n * dim).prop_map(move |values| Points::new(values, dim).unwrap())
    })
}

proptest! {
    #![proptest_config(config(100))]

    #[test]
    fn tiny_clouds_equal_the_textbook_reduction(points in clouds(1..9, 1..5), modulus in prop::sample::select(vec![2_u16, 3, 7])) {
        let max_dim = 6;
        let expected = brute_force(&points, max_dim, i64::from(modulus));
        for collapse in [Collapse::Always, Collapse::Never] {
            for layout in [Layout::Dense, Layout::Bits, Layout::Sparse] {
                let rips = Rips::points(&points).max_dim(max_dim).modulus(modulus).collapse(collapse).layout(layout);
                prop_assert_eq!(&rips.compute().unwrap().by_dim, &expected, "{:?} {:?}", collapse, layout);
            }
        }
    }
}

proptest! {
    #![proptest_config(config(40))]

    #[test]
    fn components_die_along_the_spanning_tree(points in clouds(1..60, 1..9)) {
        let diagrams = Rips::points(&points).max_dim(0).compute().unwrap();
        let deaths: Vec<f64> = diagrams.by_dim[0].iter().map(|pair| pair.death).filter(|death| death.is_finite()).collect();
        let tree: Vec<f64> = tree_edges(&points).into_iter().filter(|&length| length > 0.0).collect();
        prop_assert_eq!(deaths, tree);
    }

    #[test]
    fn order_layout_and_collapse_change_nothing(points in clouds(4..40, 1..5), share in 0.3..1.1_f64) {
        let radius = Rips::points(&points).max_dim(0).compute().unwrap().threshold;
        let threshold = Threshold::At(radius * share);
        let base = Rips::points(&points).max_dim(2).threshold(threshold);
        let expected = base.compute().unwrap();
        for layout in [Layout::Dense, Layout::Bits, Layout::Sparse] {
            prop_assert_eq!(&base.layout(layout).collapse(Collapse::Never).compute().unwrap(), &expected);
        }
        // Reversed coordinates would round differently, a reversed order of points does not.
        let reversed = points.select(&(0..points.len()).rev().collect::<Vec<_>>());
        prop_assert_eq!(&Rips::points(&reversed).max_dim(2).threshold(threshold).compute().unwrap(), &expected);
    }

    #[test]
    fn scaling_by_a_power_of_two_is_exact(points in clouds(2..40, 1..5)) {
        let scaled = Points::new(points.values().iter().map(|x| x * 4.0).collect(), points.dim()).unwrap();
        let (one, four) = (Rips::points(&points).compute().unwrap(), Rips::points(&scaled).compute().unwrap());
        for (a, b) in one.by_dim.iter().flatten().zip(four.by_dim.iter().flatten()) {
            prop_assert_eq!((a.birth * 4.0, a.death * 4.0), (b.birth, b.death));
        }
        prop_assert_eq!(one.by_dim.iter().map(Vec::len).collect::<Vec<_>>(), four.by_dim.iter().map(Vec::len).collect::<Vec<_>>());
    }

    #[test]
    fn diagrams_move_no_further_than_edges_do(points in clouds(2..40, 2..3), eps in 0.001..0.2_f64, seed in 1_u64..1000) {
        // Each coordinate moves by at most eps / sqrt(2), so a point by at most eps and an edge by at most 2 eps.
        let noise = cloud(points.len(), 2, seed);
        let moved = points.values().iter().zip(noise.values()).map(|(x, u)| x + eps / 2.0_f64.sqrt() * (2.0 * u - 1.0)).collect();
        let (a, b) = (Rips::points(&points).compute().unwrap(), Rips::points(&Points::new(moved, 2).unwrap()).compute().unwrap());
        for dim in 0..2 {
            prop_assert!(bottleneck(&a.by_dim[dim], &b.by_dim[dim]) <= 2.0 * eps + 1e-12);
        }
    }
}
