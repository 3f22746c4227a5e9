//! `[[expect]]`: what a paper or an earlier run says.

use super::datasets::Datasets;
use super::{Aggregate, EmbeddingStage, Expectation, FidelityStage, MetricStage, PersistenceStage, Published};
use crate::spec::{Section, suggest};

/// Names that an expectation can be about.
pub struct Known {
    /// A name, and its statistics (empty: not listed).
    names: Vec<(String, Vec<String>)>,
}

impl Known {
    /// All names under which rows stand in `metrics.parquet` and `fidelity.parquet`.
    pub fn new(
        embeddings: &[EmbeddingStage],
        persistences: &[PersistenceStage],
        metrics: &[MetricStage],
        fidelity: Option<&FidelityStage>,
    ) -> Self {
        let texts = |all: &[&str]| all.iter().map(|&one| one.to_owned()).collect::<Vec<_>>();
        let names = metrics
            .iter()
            .map(|stage| (stage.name.clone(), texts(stage.metric.statistics())))
            .chain(persistences.iter().map(|stage| (format!("persistence.{}", stage.name), of_persistence(stage))))
            .chain(embeddings.iter().map(|stage| (format!("embedding.{}", stage.name), Vec::new())))
            .chain(fidelity.map(|stage| {
                let tests = stage.tests.iter().map(|test| test.name().to_owned());
                ("fidelity".to_owned(), std::iter::once("overall".to_owned()).chain(tests).collect())
            }));
        Self { names: names.collect() }
    }

    /// What `metric` and `statistic` of a section name; what the job does not compute is an error. `more`: further names of persistence.
    pub fn named(&self, section: &Section<'_>, more: &[&str]) -> (Option<String>, Option<String>) {
        let metric = section.required_string("metric");
        let statistics = metric.as_ref().and_then(|metric| self.names.iter().find(|(name, _)| name == metric)).map(|(_, known)| known);
        if let (Some(metric), None) = (&metric, statistics) {
            let names: Vec<&str> = self.names.iter().map(|(name, _)| name.as_str()).collect();
            section.error(section.span_of("metric"), format!("the job computes no `{metric}`"), suggest(metric, &names));
        }
        let statistic = section.string("statistic");
        let more = if metric.as_ref().is_some_and(|metric| metric.starts_with("persistence.")) { more } else { &[] };
        if let (Some(statistic), Some(known)) = (&statistic, statistics)
            && !known.is_empty()
            && !known.contains(statistic)
            && !more.contains(&statistic.as_str())
        {
            let names: Vec<&str> = known.iter().map(String::as_str).chain(more.iter().copied()).collect();
            section.error(
                section.span_of("statistic"),
                format!("there is no statistic `{statistic}` of this metric"),
                suggest(statistic, &names),
            );
        }
        (metric, statistic)
    }
}

fn of_persistence(stage: &PersistenceStage) -> Vec<String> {
    let each = |dim: usize| crate::homology::summary::STATISTICS.iter().map(move |name| format!("{name}_h{dim}"));
    (0..=stage.params.max_dim).flat_map(each).chain(["points", "threshold", "covering_radius"].map(str::to_owned)).collect()
}

/// Checks every `[[expect]]`.
pub fn check(root: &Section<'_>, datasets: &Datasets, known: &Known) -> Vec<Expectation> {
    root.sections("expect", false).iter().filter_map(|section| expectation(section, datasets, known)).collect()
}

fn expectation(section: &Section<'_>, datasets: &Datasets, known: &Known) -> Option<Expectation> {
    let (metric, statistic) = known.named(section, &[]);
    let ids = match section.string("dataset") {
        Some(id) => datasets.resolve(section, section.span_of("dataset"), &id),
        None if datasets.all.len() == 1 => vec![0],
        None => {
            if section.raw("dataset").is_none() {
                section.error(section.span(), "[[expect]] needs `dataset`", "say which dataset the value is about");
            }
            Vec::new()
        }
    };
    let aggregate = match section.choice("aggregate", &["mean", "median", "min", "max", "all"]) {
        Some("median") => Aggregate::Median,
        Some("min") => Aggregate::Min,
        Some("max") => Aggregate::Max,
        Some("all") => Aggregate::All,
        _ => Aggregate::Mean,
    };
    let published = published(section);
    let source = section.string("source");
    section.finish();
    let datasets = ids.into_iter().map(|index| datasets.all[index].id.clone()).collect();
    Some(Expectation { metric: metric?, datasets, statistic, aggregate, published: published?, source })
}

fn published(section: &Section<'_>) -> Option<Published> {
    let value = section.number("value");
    let not_negative = |number: f64| number >= 0.0;
    let tolerance = section.number_where("tolerance", "0 or more", not_negative);
    let relative = section.number_where("relative", "0 or more", not_negative);
    let range = section.range("range");
    let given = |key: &'static str| section.raw(key).is_some();
    if given("range") {
        for key in ["value", "tolerance", "relative"] {
            if given(key) {
                section.error(section.span_of(key), format!("`{key}` does not go with `range`"), "");
            }
        }
        return range.map(Published::Range);
    }
    if !given("value") {
        section.error(section.span(), "[[expect]] needs `value` or `range`", "value = 0.95 with tolerance = 0.02, or range = [0.9, 1.0]");
        return None;
    }
    let tolerance = match (tolerance, relative) {
        (Some(tolerance), None) => tolerance,
        (None, Some(relative)) => relative * value?.abs(),
        (Some(_), Some(_)) => {
            section.error(section.span_of("relative"), "`relative` does not go with `tolerance`", "");
            return None;
        }
        (None, None) => {
            if !given("tolerance") && !given("relative") {
                section.error(section.span(), "[[expect]] needs `tolerance` or `relative` beside `value`", "");
            }
            return None;
        }
    };
    Some(Published::Value { value: value?, tolerance })
}
