//! What an embedding does to the shape of what it was made of. The definitions of `bottleneck` and `wasserstein` are this tool's own:
//! no standard one is known for a "topological reconstruction error".
//!
//! The cloud before is the unit's matrix, one point a sample; the cloud after is the embedding, whose point `i` belongs to sample `i`
//! (a delay vector to its first sample).
//!
//! * `bottleneck`, `wasserstein` (order 1): the distance between the Vietoris-Rips diagrams of the clouds in one dimension, under the
//!   L-infinity metric. Each cloud is first divided by the root mean square distance of its points from their mean, unless
//!   `scale = "none"`, and thinned to `max_points` greedy landmarks, chosen before and used for both. 0: the same diagram; a
//!   difference below twice the landmarks' covering radius (relative, as scaled) may be the thinning's.
//! * `trustworthiness`: `1 - 2 / (n k (2n - 3k - 1)) Σ (rank - k)` over the points that are among the `k` nearest after but not before,
//!   by their rank before. `continuity`: the same with before and after exchanged (J. Venna & S. Kaski 2001, ICANN). 1: none
//!   came in, or none was torn off; about 0.5 by chance.

use super::{Bench, Beside, Metric, Needs, Output, no_resampling};
use crate::data::{MetricRow, Points, Series, Value};
use crate::homology::{Rips, bottleneck::bottleneck, landmarks, wasserstein::wasserstein};
use crate::spec::{Entry, Key, Section};
use rayon::prelude::*;

/// The registry's entry.
pub const ENTRY: Entry<dyn Metric> = Entry {
    kind: "reconstruction-error",
    summary: "what an embedding does to the shape of what it was made of",
    keys: &[
        Key {
            name: "measure",
            default: "\"bottleneck\"",
            help: "bottleneck, wasserstein: of Rips diagrams; trustworthiness, continuity: of neighbours",
        },
        Key { name: "neighbours", default: "10", help: "trustworthiness, continuity: nearest neighbours that should be kept" },
        Key { name: "homology", default: "1", help: "bottleneck, wasserstein: dimension of the diagram, 0 to 2" },
        Key { name: "max_points", default: "300", help: "bottleneck, wasserstein: landmarks above that" },
        Key { name: "scale", default: "\"rms\"", help: "bottleneck, wasserstein: rms: each cloud by its own size; none" },
    ],
    parse: |section| Reconstruction::parse(section).map(|metric| Box::new(metric) as Box<dyn Metric>),
};

const MEASURES: &[&str] = &["bottleneck", "wasserstein", "trustworthiness", "continuity"];

/// The metric with checked parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Reconstruction {
    measure: &'static str,
    neighbours: usize,
    homology: usize,
    max_points: usize,
    scaled: bool,
}

impl Reconstruction {
    fn parse(section: &Section<'_>) -> Option<Self> {
        let before = section.diagnostics().len();
        no_resampling(section);
        let measure = section.choice("measure", MEASURES).unwrap_or("bottleneck");
        let neighbours = section.integer("neighbours", 1).unwrap_or(10) as usize;
        let homology = section.integer("homology", 0).unwrap_or(1) as usize;
        if homology > 2 {
            section.error(section.span_of("homology"), format!("`homology` must be 2 or less, not {homology}"), "");
        }
        let max_points = section.integer("max_points", 2).unwrap_or(300) as usize;
        let scaled = section.choice("scale", &["rms", "none"]) != Some("none");
        let of_diagrams = matches!(measure, "bottleneck" | "wasserstein");
        for key in ["neighbours", "homology", "max_points", "scale"] {
            if section.raw(key).is_some() && of_diagrams == (key == "neighbours") {
                let goes = if of_diagrams { "trustworthiness\" and \"continuity" } else { "bottleneck\" and \"wasserstein" };
                section.error(section.span_of(key), format!("`{key}` goes with the measures \"{goes}\""), "");
            }
        }
        (section.diagnostics().len() == before).then_some(Self { measure, neighbours, homology, max_points, scaled })
    }

    fn value(&self, before: &Series, after: &Series) -> Result<f64, String> {
        let n = after.n_samples();
        if before.n_samples() < n {
            return Err(format!("the embedding has {n} points, what it was made of only {} samples", before.n_samples()));
        }
        let (before, after) = (cloud(before, n)?, cloud(after, n)?);
        match self.measure {
            "trustworthiness" => self.kept(&before, &after),
            "continuity" => self.kept(&after, &before),
            measure => self.diagrams(&before, &after, measure),
        }
    }

    fn diagrams(&self, before: &Points, after: &Points, measure: &str) -> Result<f64, String> {
        let (before, after) =
            if self.scaled { (rescaled(before, "before")?, rescaled(after, "after")?) } else { (before.clone(), after.clone()) };
        let marks = landmarks::greedy(&before, self.max_points.min(before.len())).indices;
        let diagram = |points: &Points| {
            let diagrams = Rips::points(&points.select(&marks)).max_dim(self.homology).compute().map_err(|error| error.to_string())?;
            Ok::<_, String>(diagrams.by_dim.into_iter().nth(self.homology).unwrap_or_default())
        };
        let (a, b) = (diagram(&before)?, diagram(&after)?);
        let distance = if measure == "wasserstein" { wasserstein(&a, &b, 1.0) } else { bottleneck(&a, &b) };
        if distance.is_finite() { Ok(distance) } else { Err("the diagrams have different numbers of classes that never die".into()) }
    }

    /// Trustworthiness of `shown` as a picture of `real`.
    fn kept(&self, real: &Points, shown: &Points) -> Result<f64, String> {
        let (n, k) = (real.len(), self.neighbours);
        if 2 * k >= n {
            return Err(format!("{k} neighbours of {n} points: `neighbours` must be below half the number of points"));
        }
        let excess = |from: usize| {
            let order = |points: &Points| -> Vec<usize> {
                let one = points.point(from);
                let apart: Vec<f64> = points.iter().map(|other| one.iter().zip(other).map(|(a, b)| (a - b) * (a - b)).sum()).collect();
                let mut order: Vec<usize> = (0..n).filter(|&other| other != from).collect();
                order.sort_by(|&a, &b| apart[a].total_cmp(&apart[b]).then(a.cmp(&b)));
                order
            };
            let mut rank = vec![0; n];
            order(real).into_iter().enumerate().for_each(|(at, point)| rank[point] = at + 1);
            order(shown)[..k].iter().map(|&point| rank[point].saturating_sub(k)).sum::<usize>()
        };
        let sum: usize = (0..n).into_par_iter().map(excess).sum();
        let (n, k) = (n as f64, k as f64);
        Ok(1.0 - sum as f64 * 2.0 / (n * k * (2.0 * n - 3.0 * k - 1.0)))
    }
}

/// The first `n` samples as points.
fn cloud(series: &Series, n: usize) -> Result<Points, String> {
    let values = (0..n).flat_map(|t| series.iter().map(move |channel| channel[t])).collect();
    Points::new(values, series.n_channels()).map_err(|error| error.to_string())
}

/// The cloud over the root mean square distance of its points from their mean.
fn rescaled(points: &Points, which: &str) -> Result<Points, String> {
    let (n, dim) = (points.len() as f64, points.dim());
    let mean: Vec<f64> = (0..dim).map(|axis| points.iter().map(|point| point[axis]).sum::<f64>() / n).collect();
    let square = points.iter().map(|point| point.iter().zip(&mean).map(|(a, b)| (a - b) * (a - b)).sum::<f64>()).sum::<f64>() / n;
    if square == 0.0 {
        return Err(format!("all points {which} the embedding are the same"));
    }
    Points::new(points.values().iter().map(|value| value / square.sqrt()).collect(), dim).map_err(|error| error.to_string())
}

impl Metric for Reconstruction {
    fn needs(&self) -> Needs {
        Needs::Embedding
    }
    fn statistics(&self) -> &'static [&'static str] {
        &["value"]
    }
    fn evaluate(&self, bench: &Bench<'_>) -> Output {
        self.evaluate_beside(bench, &Beside::default())
    }
    fn evaluate_beside(&self, bench: &Bench<'_>, beside: &Beside<'_>) -> Output {
        let value = match beside.before {
            Some(before) => self.value(before, bench.series).map_or_else(Value::Undefined, Value::Known),
            None => Value::Undefined("there is no embedding to compare with what it was made of".into()),
        };
        Output { rows: vec![MetricRow::new("value", value, "1")], curves: Vec::new() }
    }
    fn params(&self) -> serde_json::Value {
        serde_json::json!({
            "measure": self.measure, "neighbours": self.neighbours, "homology": self.homology, "max_points": self.max_points,
            "scaled": self.scaled,
        })
    }
    fn version(&self) -> u32 {
        1
    }
    fn cost_s(&self, n_channels: usize, n_samples: usize) -> f64 {
        let (m, n) = (n_channels as f64, n_samples as f64);
        match self.measure {
            "trustworthiness" | "continuity" => 1e-9 * n * n * (m + 60.0),
            _ => {
                4e-2 * (n.min(self.max_points as f64) / 300.0).powi(3) * 20f64.powi(self.homology as i32 - 1)
                    + 1e-9 * m * n * self.max_points as f64
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::with_section;

    fn circle(n: usize, stretch: f64) -> Series {
        let angle = |at: usize| std::f64::consts::TAU * at as f64 / n as f64;
        let values = (0..n).map(|at| angle(at).cos()).chain((0..n).map(|at| stretch * angle(at).sin())).collect();
        Series::new(vec!["x".into(), "y".into()], values, 1.0, 0.0, "").unwrap()
    }
    fn run(keys: &str, before: &Series, after: &Series) -> Value {
        let (metric, found) = with_section(keys, Reconstruction::parse);
        assert!(found.is_empty(), "{found:?}");
        let beside = Beside { before: Some(before), ..Beside::default() };
        metric.unwrap().evaluate_beside(&Bench { series: after, spikes: None, seed: 1 }, &beside).rows.remove(0).value
    }

    #[test]
    fn the_same_cloud_is_kept_and_a_flattened_ring_is_not() {
        let (ring, line) = (circle(80, 1.0), circle(80, 0.0));
        let large = ring.with_values(ring.values().iter().map(|value| 50.0 * value).collect()).unwrap();
        for measure in MEASURES {
            let keys = format!("measure = \"{measure}\"");
            let perfect = if matches!(*measure, "bottleneck" | "wasserstein") { 0.0 } else { 1.0 };
            assert!((run(&keys, &ring, &large).known().unwrap() - perfect).abs() < 1e-9, "{measure}");
            assert!((run(&keys, &ring, &line).known().unwrap() - perfect).abs() > 0.005, "{measure}");
        }
        // The ring lives from the side of the polygon to sqrt 3: its diagonal is half that away.
        let side = 2.0 * (std::f64::consts::PI / 80.0).sin();
        let lost = run("measure = \"wasserstein\"", &ring, &line).known().unwrap();
        assert!((lost - 0.5 * (3f64.sqrt() - side)).abs() < 0.01, "{lost}");
        assert!(run("measure = \"wasserstein\"\nscale = \"none\"", &ring, &large).known().unwrap() > 10.0);
        // Flattening brings far points near but tears nothing apart.
        assert!(run("measure = \"trustworthiness\"", &ring, &line).known().unwrap() < 0.8);
    }

    #[test]
    fn what_cannot_be_said_is_said_so() {
        let undefined = |keys: &str, before: &Series, after: &Series| match run(keys, before, after) {
            Value::Undefined(reason) => reason,
            other => panic!("{other:?}"),
        };
        let ring = circle(20, 1.0);
        assert!(undefined("measure = \"continuity\"", &ring, &ring).contains("half the number"));
        assert!(undefined("", &ring, &circle(30, 1.0)).contains("30 points"));
        let flat = ring.with_values(vec![1.0; 40]).unwrap();
        assert!(undefined("", &ring, &flat).contains("same"));
        let (_, found) = with_section("neighbours = 3\nsurrogates = 5", Reconstruction::parse);
        assert_eq!(found.len(), 2);
    }
}
