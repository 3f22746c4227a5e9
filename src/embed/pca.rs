//! Principal components: the population's state as the few directions in which it varies most.
//!
//! Samples are time bins, features are channels. With the centred matrix `X` (time × channels), the components are the
//! eigenvectors of `C = XᵀX / (n−1)` in order of falling eigenvalue, and a point is its row of `X` times the components
//! (K. Pearson 1901; H. Hotelling 1933). With more channels than samples the smaller `XXᵀ` has the same eigenvalues
//! (the Gram trick; M. Turk & A. Pentland 1991).
//!
//! The sign of a component is fixed as scikit-learn does (`svd_flip` with `u_based_decision=False`): its largest loading by
//! magnitude is positive. Where several are as large to within 1e-9, the first of them decides, so that rounding does not.

use super::{Embed, EmbedError, Embedded};
use crate::data::{MetricRow, Points, Series, Value};
use crate::spec::{Entry, Key, Section};
use nalgebra::{DMatrix, DVector, SymmetricEigen};

/// The registry's entry.
pub const ENTRY: Entry<dyn Embed> = Entry {
    kind: "pca",
    summary: "principal components of the channels",
    keys: &[
        Key { name: "dimension", default: "3", help: "components to keep, at most the smaller of channels and samples" },
        Key { name: "whiten", default: "false", help: "divide every component by its standard deviation" },
    ],
    parse: |section| Pca::parse(section).map(|pca| Box::new(pca) as Box<dyn Embed>),
};

/// Eigenvalues below this part of the largest are rounding, not variance: such a component has no direction.
const RANK_TOLERANCE: f64 = 1e-13;

/// Principal component analysis with checked parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Pca {
    dimension: usize,
    whiten: bool,
}

impl Pca {
    /// Keeps `dimension` components (at least 1).
    pub fn new(dimension: usize, whiten: bool) -> Self {
        Self { dimension: dimension.max(1), whiten }
    }

    fn parse(section: &Section<'_>) -> Option<Self> {
        let before = section.diagnostics().len();
        let dimension = section.integer("dimension", 1).and_then(|number| usize::try_from(number).ok()).unwrap_or(3);
        let whiten = section.boolean("whiten").unwrap_or(false);
        (section.diagnostics().len() == before).then(|| Self::new(dimension, whiten))
    }
}

impl Embed for Pca {
    fn embed(&self, series: &Series, _seed: u64) -> Result<Embedded, EmbedError> {
        let (n_channels, n_samples) = (series.n_channels(), series.n_samples());
        if self.dimension > n_channels.min(n_samples) {
            return Err(EmbedError(format!(
                "pca with dimension = {} needs as many channels and samples, but there are {n_channels} channels and {n_samples} samples",
                self.dimension
            )));
        }
        if series.iter().all(|channel| channel.iter().all(|&sample| sample == channel[0])) {
            return Err(EmbedError(format!("all {n_channels} channels are constant: there is no variance for pca to order")));
        }
        let components = Components::of(&centred(series), self.dimension);
        let points = self.points(&components)?;
        Ok(Embedded { points, rows: self.rows(&components) })
    }

    fn params(&self) -> serde_json::Value {
        serde_json::json!({ "method": "pca", "dimension": self.dimension, "whiten": self.whiten })
    }
    fn version(&self) -> u32 {
        1
    }
    fn cost_s(&self, n_channels: usize, n_samples: usize) -> f64 {
        // The product of the matrix with itself at some 5 GFLOP/s, then the eigenvectors at some 10 n³.
        let (small, large) = (n_channels.min(n_samples) as f64, n_channels.max(n_samples) as f64);
        2e-10 * (2.0 * small * small * large + 10.0 * small.powi(3))
    }
}

impl Pca {
    fn points(&self, components: &Components) -> Result<Points, EmbedError> {
        let mut scores = components.scores.clone();
        if self.whiten {
            for (index, mut row) in scores.row_iter_mut().enumerate() {
                let variance = components.variances[index];
                if variance == 0.0 {
                    return Err(EmbedError(format!(
                        "component {} has no variance and cannot be whitened: set `dimension` to {index} or less",
                        index + 1
                    )));
                }
                row /= variance.sqrt();
            }
        }
        // Column after column of components × time is point after point.
        Points::new(scores.as_slice().to_vec(), self.dimension).map_err(|error| EmbedError(error.to_string()))
    }

    fn rows(&self, components: &Components) -> Vec<MetricRow> {
        let ratios: Vec<f64> = components.variances.iter().map(|variance| variance / components.total_variance).collect();
        let number = |statistic: &str, value: f64| MetricRow::new(statistic, Value::Known(value), "1");
        let mut rows = vec![number("explained_variance", ratios.iter().sum::<f64>().min(1.0))];
        for (index, &ratio) in ratios.iter().enumerate() {
            rows.push(number("explained_variance_ratio", ratio).source(format!("pc{}", index + 1)));
        }
        rows.push(number("dimension", self.dimension as f64));
        rows
    }
}

/// The leading components of a centred matrix.
struct Components {
    /// Components × time.
    scores: DMatrix<f64>,
    /// Variance of each component (ddof 1); exactly 0 where it is rounding.
    variances: Vec<f64>,
    /// Variance of all channels together.
    total_variance: f64,
}

impl Components {
    /// `centred`: channels × time.
    fn of(centred: &DMatrix<f64>, dimension: usize) -> Self {
        let (n_channels, n_samples) = centred.shape();
        let freedom = (n_samples - 1) as f64;
        let total_variance = centred.norm_squared() / freedom;
        let by_channels = n_channels <= n_samples;
        let transposed = centred.transpose();
        let square = if by_channels { centred * &transposed } else { &transposed * centred } / freedom;
        let eigen = SymmetricEigen::new(square);
        let mut order: Vec<usize> = (0..eigen.eigenvalues.len()).collect();
        order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));

        let floor = RANK_TOLERANCE * eigen.eigenvalues[order[0]];
        let mut scores = DMatrix::zeros(dimension, n_samples);
        let mut variances = vec![0.0; dimension];
        for (row, &index) in order.iter().take(dimension).enumerate() {
            let variance = eigen.eigenvalues[index];
            if variance <= floor {
                continue;
            }
            let vector = eigen.eigenvectors.column(index).into_owned();
            let (loadings, score): (DVector<f64>, DVector<f64>) = if by_channels {
                let score = &transposed * &vector;
                (vector, score)
            } else {
                (centred * &vector, vector * (variance * freedom).sqrt())
            };
            variances[row] = variance;
            scores.set_row(row, &(score * sign_of(&loadings)).transpose());
        }
        Self { scores, variances, total_variance }
    }
}

/// The channels × time matrix with each channel's mean taken off.
fn centred(series: &Series) -> DMatrix<f64> {
    let mut matrix = DMatrix::from_row_slice(series.n_channels(), series.n_samples(), series.values());
    for mut row in matrix.row_iter_mut() {
        let mean = row.mean();
        row.add_scalar_mut(-mean);
    }
    matrix
}

/// The sign that makes the largest loading positive.
fn sign_of(loadings: &DVector<f64>) -> f64 {
    let largest = loadings.amax() * (1.0 - 1e-9);
    loadings.iter().find(|loading| loading.abs() >= largest).map_or(1.0, |loading| loading.signum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::with_section;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn series(n_channels: usize, values: Vec<f64>) -> Series {
        Series::new((0..n_channels).map(|index| format!("c{index}")).collect(), values, 1.0, 0.0, "").unwrap()
    }
    fn random(n_channels: usize, n_samples: usize, seed: u64) -> Series {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        series(n_channels, (0..n_channels * n_samples).map(|_| rng.random_range(-1.0..1.0)).collect())
    }
    fn transpose(of: &Series) -> Vec<f64> {
        (0..of.n_samples()).flat_map(|sample| of.iter().map(move |channel| channel[sample])).collect()
    }

    #[test]
    fn a_line_in_three_channels_is_one_component() {
        let line: Vec<f64> = (0..50).map(f64::from).collect();
        let values = [1.0, -3.0, 2.0].iter().flat_map(|slope| line.iter().map(move |t| slope * t)).collect();
        let out = Pca::new(2, false).embed(&series(3, values), 0).unwrap();
        assert!((out.rows[0].value.known().unwrap() - 1.0).abs() < 1e-12);
        assert_eq!(out.rows[2].value.known().unwrap(), 0.0);
        // The largest loading is that of slope -3 and is made positive: the score falls with time.
        let length = 14.0_f64.sqrt();
        for (t, point) in out.points.iter().enumerate() {
            assert!((point[0] + length * (t as f64 - 24.5)).abs() < 1e-9, "{point:?}");
            assert_eq!(point[1], 0.0);
        }
        let error = Pca::new(2, true).embed(&series(3, (0..50).flat_map(|_| [0.0, 1.0, 5.0]).collect()), 0);
        assert!(error.is_ok(), "three periodic channels out of step have rank 2: {error:?}");
    }

    #[test]
    fn both_ways_around_give_distances_of_the_data() {
        // With all components kept a rotation is all that happens: distances stay.
        for (n_channels, n_samples) in [(4, 30), (12, 6)] {
            let data = random(n_channels, n_samples, 3);
            let kept = n_channels.min(n_samples);
            let out = Pca::new(kept, false).embed(&data, 0).unwrap();
            let original = Points::new(transpose(&data), n_channels).unwrap();
            let squared = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| (x - y).powi(2)).sum::<f64>();
            for (i, j) in [(0, 1), (2, 5), (4, 3)] {
                let (new, old) = (squared(out.points.point(i), out.points.point(j)), squared(original.point(i), original.point(j)));
                assert!((new - old).abs() < 1e-12 * old, "{new} {old}");
            }
        }
    }

    #[test]
    fn whitened_components_have_unit_variance() {
        let out = Pca::new(3, true).embed(&random(5, 200, 1), 0).unwrap();
        for axis in 0..3 {
            let scores: Vec<f64> = out.points.iter().map(|point| point[axis]).collect();
            let variance = scores.iter().map(|score| score * score).sum::<f64>() / 199.0;
            assert!((variance - 1.0).abs() < 1e-12, "{variance}");
        }
    }

    #[test]
    fn impossible_requests_say_why() {
        let message = |dimension, data: &Series| Pca::new(dimension, false).embed(data, 0).unwrap_err().to_string();
        assert!(message(3, &random(2, 10, 0)).contains("2 channels and 10 samples"));
        assert!(message(3, &random(10, 2, 0)).contains("10 channels and 2 samples"));
        assert!(message(1, &series(2, vec![0.1; 20])).contains("all 2 channels are constant"));
        // Six samples span at most five directions.
        assert!(Pca::new(6, true).embed(&random(12, 6, 0), 0).unwrap_err().to_string().contains("component 6 has no variance"));
    }

    #[test]
    fn keys_are_checked() {
        let (parsed, found) = with_section("dimension = 0\nwhiten = 1", |section| (ENTRY.parse)(section).is_some());
        assert!(!parsed);
        assert_eq!(found.len(), 2);
        let params = with_section("whiten = true", |section| (ENTRY.parse)(section).unwrap().params()).0;
        assert_eq!(params, serde_json::json!({ "method": "pca", "dimension": 3, "whiten": true }));
    }
}
