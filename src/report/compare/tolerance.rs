//! How much a number may change before it counts.

use std::collections::BTreeMap;
use std::str::FromStr;

/// How far a number may be from the earlier one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerance {
    /// In the number's own unit of measure.
    pub absolute: f64,
    /// As a part of the earlier number's size.
    pub relative: f64,
}

impl Tolerance {
    /// Of numbers whose last digits may differ between machines.
    pub const DEFAULT: Self = Self { absolute: 1e-9, relative: 1e-6 };

    /// Whether the numbers are equal, as `numpy.isclose(out, base)` says: infinities are equal to themselves alone.
    pub fn equal(self, base: f64, out: f64) -> bool {
        base == out || (base.is_finite() && out.is_finite() && (out - base).abs() <= self.limit(base.abs()))
    }
    /// The largest difference that counts as none, for numbers of this size.
    pub(super) fn limit(self, size: f64) -> f64 {
        self.absolute + self.relative * size
    }
    /// As [`Tolerance::equal`]; a number that does not exist is equal to another that does not.
    pub(super) fn equal_or_absent(self, base: Option<f64>, out: Option<f64>) -> bool {
        // NaN, which a table of ours never holds, says no more than null does.
        match (base.filter(|number| !number.is_nan()), out.filter(|number| !number.is_nan())) {
            (Some(base), Some(out)) => self.equal(base, out),
            (None, None) => true,
            _ => false,
        }
    }
}

/// `|out - base| / |base|`; `+inf` where `base` is 0 or either is infinite.
pub(super) fn relative(base: f64, out: f64) -> f64 {
    let ratio = (out - base).abs() / base.abs();
    if base == out {
        0.0
    } else if ratio.is_nan() {
        f64::INFINITY
    } else {
        ratio
    }
}

/// A tolerance of its own for a metric or one of its statistics. As typed: `METRIC[.STATISTIC]=ABSOLUTE[,relative=RELATIVE]`.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedTolerance {
    /// `lz76`, `lz76.value`, `persistence.rips.diagram`, `fidelity.overall`.
    pub name: String,
    /// The absolute part; `None`: that of everything else.
    pub absolute: Option<f64>,
    /// The relative part; `None`: that of everything else.
    pub relative: Option<f64>,
}

impl FromStr for NamedTolerance {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let shape = || "write METRIC=X, METRIC.STATISTIC=X or METRIC=X,relative=Y, for example lz76=0.01,relative=0".to_owned();
        let (name, numbers) = text.split_once('=').ok_or_else(shape)?;
        let (absolute, relative) = match numbers.split_once(',') {
            Some((absolute, relative)) => (absolute, Some(relative.trim().strip_prefix("relative=").ok_or_else(shape)?)),
            None => (numbers, None),
        };
        if name.trim().is_empty() {
            return Err(shape());
        }
        Ok(Self { name: name.trim().to_owned(), absolute: Some(amount(absolute)?), relative: relative.map(amount).transpose()? })
    }
}

/// A tolerance's number as typed: 0 or more.
///
/// # Errors
/// When it is no number, negative, infinite or NaN.
pub fn amount(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(number) if number.is_finite() && number >= 0.0 => Ok(number),
        _ => Err(format!("a tolerance is a number that is 0 or more, not `{}`", text.trim())),
    }
}

/// Tolerances as one place gives them: `[compare]` of the job file, or the command line.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settings {
    /// Of all that has none of its own.
    pub absolute: Option<f64>,
    /// As `absolute`.
    pub relative: Option<f64>,
    /// Exceptions; of two for the same name, the later counts.
    pub named: Vec<NamedTolerance>,
}

/// Who gave a tolerance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Giver {
    /// Nobody.
    Default,
    /// `[compare]` of the later output's job.
    Job,
    /// The command line.
    CommandLine,
}

impl Giver {
    /// As it is shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Job => "job file",
            Self::CommandLine => "command line",
        }
    }
}

/// The tolerances of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Tolerances {
    /// Of all that has none of its own.
    pub general: Tolerance,
    /// Who gave its absolute and its relative part.
    pub general_by: [Giver; 2],
    /// By `METRIC` and `METRIC.STATISTIC`.
    pub named: BTreeMap<String, (Tolerance, Giver)>,
}

impl Default for Tolerances {
    fn default() -> Self {
        Self::new(&Settings::default(), &Settings::default())
    }
}

impl Tolerances {
    /// Those of the job file, with the command line over them.
    ///
    /// What the command line says of a whole metric takes the place of what the job file says of its statistics.
    pub fn new(job: &Settings, command_line: &Settings) -> Self {
        let first = |typed: Option<f64>, job: Option<f64>, default: f64| match (typed, job) {
            (Some(number), _) => (number, Giver::CommandLine),
            (None, Some(number)) => (number, Giver::Job),
            (None, None) => (default, Giver::Default),
        };
        let (absolute, absolute_by) = first(command_line.absolute, job.absolute, Tolerance::DEFAULT.absolute);
        let (relative, relative_by) = first(command_line.relative, job.relative, Tolerance::DEFAULT.relative);
        let mut all = Self { general: Tolerance { absolute, relative }, general_by: [absolute_by, relative_by], named: BTreeMap::new() };
        for named in &job.named {
            all.name(named, Giver::Job);
        }
        let whole =
            |name: &str| command_line.named.iter().any(|typed| name.strip_prefix(&typed.name).is_some_and(|rest| rest.starts_with('.')));
        all.named.retain(|name, _| !whole(name));
        for named in &command_line.named {
            all.name(named, Giver::CommandLine);
        }
        all
    }
    fn name(&mut self, named: &NamedTolerance, by: Giver) {
        let Tolerance { absolute, relative } = self.general;
        let tolerance = Tolerance { absolute: named.absolute.unwrap_or(absolute), relative: named.relative.unwrap_or(relative) };
        self.named.insert(named.name.clone(), (tolerance, by));
    }
    /// That of the statistic, or else of the metric, or else the general one.
    pub fn of(&self, metric: &str, statistic: &str) -> Tolerance {
        let own = self.named.get(&format!("{metric}.{statistic}")).or_else(|| self.named.get(metric));
        own.map_or(self.general, |(tolerance, _)| *tolerance)
    }
    /// The names that were typed on the command line.
    pub(super) fn typed(&self) -> impl Iterator<Item = &str> {
        self.named.iter().filter(|(_, (_, by))| *by == Giver::CommandLine).map(|(name, _)| name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected values from numpy 2: `numpy.isclose(out, base, rtol=0.01, atol=0.1)`.
    #[test]
    fn numbers_are_close_as_numpy_says() {
        let tolerance = Tolerance { absolute: 0.1, relative: 0.01 };
        let inf = f64::INFINITY;
        for (base, out, equal) in [
            (0.0, 0.1, true),
            (0.0, 0.11, false),
            (100.0, 101.05, true),
            (100.0, 101.2, false),
            (-100.0, -98.95, true),
            (-100.0, 100.0, false),
            (inf, inf, true),
            (inf, -inf, false),
            (inf, 1.0, false),
            (1.0, inf, false),
        ] {
            assert_eq!(tolerance.equal(base, out), equal, "{base} {out}");
        }
    }

    fn named(texts: &[&str]) -> Vec<NamedTolerance> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn the_most_special_tolerance_counts() {
        let typed = Settings {
            absolute: Some(0.0),
            relative: Some(0.25),
            named: named(&["lz76=0.5", "lz76.phrases=2,relative=0", "persistence.rips=1"]),
        };
        let tolerances = Tolerances::new(&Settings::default(), &typed);
        assert_eq!(tolerances.of("lz76", "value"), Tolerance { absolute: 0.5, relative: 0.25 });
        assert_eq!(tolerances.of("lz76", "phrases"), Tolerance { absolute: 2.0, relative: 0.0 });
        assert_eq!(tolerances.of("persistence.rips", "longest_h1").absolute, 1.0);
        assert_eq!(tolerances.of("transfer-entropy", "value"), tolerances.general);
    }

    #[test]
    fn the_command_line_wins_over_the_job() {
        let job = Settings {
            absolute: Some(1.0),
            relative: Some(2.0),
            named: [
                named(&["lz76.value=3", "lz76-b.value=4"]),
                vec![NamedTolerance { name: "te".into(), absolute: None, relative: Some(5.0) }],
            ]
            .concat(),
        };
        let of_job = Tolerances::new(&job, &Settings::default());
        assert_eq!((of_job.general, of_job.general_by), (Tolerance { absolute: 1.0, relative: 2.0 }, [Giver::Job; 2]));
        assert_eq!(of_job.of("lz76", "value"), Tolerance { absolute: 3.0, relative: 2.0 });
        assert_eq!(of_job.of("te", "value"), Tolerance { absolute: 1.0, relative: 5.0 });
        assert_eq!(of_job.typed().count(), 0);
        let typed = Settings { absolute: Some(0.5), relative: None, named: named(&["lz76=7"]) };
        let both = Tolerances::new(&job, &typed);
        assert_eq!((both.general, both.general_by), (Tolerance { absolute: 0.5, relative: 2.0 }, [Giver::CommandLine, Giver::Job]));
        assert_eq!(both.of("lz76", "value").absolute, 7.0, "a whole metric typed replaces its statistics in the job");
        assert_eq!(both.of("lz76-b", "value").absolute, 4.0, "another metric that begins alike does not");
        assert_eq!(both.of("te", "value"), Tolerance { absolute: 0.5, relative: 5.0 });
        assert_eq!(both.typed().collect::<Vec<_>>(), ["lz76"]);
    }

    #[test]
    fn what_is_no_tolerance_is_refused() {
        for text in ["lz76", "=1", "lz76=", "lz76=x", "lz76=-1", "lz76=nan", "lz76=inf", "lz76=1,rel=2", "lz76=1,relative=-2"] {
            assert!(text.parse::<NamedTolerance>().is_err(), "{text}");
        }
    }

    #[test]
    fn relative_change_is_of_the_earlier_number() {
        assert_eq!(relative(2.0, 3.0), 0.5);
        assert_eq!(relative(-4.0, -3.0), 0.25);
        assert_eq!(relative(0.0, 1e-30), f64::INFINITY);
        assert_eq!(relative(0.0, 0.0), 0.0);
        assert_eq!(relative(f64::INFINITY, 1.0), f64::INFINITY);
    }
}
