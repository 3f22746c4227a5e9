//! Spikes of a long session without holding them: every 256th of each unit, by which a window finds its own in the file.
//!
//! One pass over the kept units shows that they are sorted (only then may a window be cut by searching); a unit that is not is held
//! in memory, sorted.

use super::trains::{Mended, Source};
use crate::data::Span;
use crate::read::ReadError;
use std::ops::Range;

/// Spikes between two marks: a window reads at most this many more than its own at either end.
const STEP: usize = 256;
/// Spikes of one stretch of the pass, at most, unless a unit has more: 16 MiB.
const STRETCH: usize = 2 << 20;

/// One unit.
#[derive(Debug)]
enum Unit {
    /// Sorted in the file: its number there, and every [`STEP`]-th spike time.
    InFile { unit: usize, marks: Vec<f64> },
    /// Mended in memory.
    Held(Vec<f64>),
}

/// The kept units.
#[derive(Debug)]
pub struct Marks(Vec<Unit>);

/// What a pass over the kept units tells.
#[derive(Debug)]
pub struct Looked {
    /// By which windows are found.
    pub marks: Marks,
    /// The earliest and latest spike.
    pub ends: Option<(f64, f64)>,
    /// What had to be mended.
    pub mended: Mended,
}

impl Marks {
    /// Looks through `kept` units (increasing).
    ///
    /// # Errors
    /// As [`Source::load`].
    pub fn of(source: &Source, kept: &[usize]) -> Result<Looked, ReadError> {
        let mut units = Vec::with_capacity(kept.len());
        let mut mended = Mended::default();
        let mut ends: Option<(f64, f64)> = None;
        let mut rest = kept;
        while !rest.is_empty() {
            let mut spikes = 0;
            let fits = rest.iter().take_while(|&&unit| {
                spikes += source.count(unit);
                spikes <= STRETCH
            });
            let (now, later) = rest.split_at(fits.count().max(1));
            for (&unit, mut times_s) in now.iter().zip(source.load(now)?) {
                let was_fine = mended.mend(&mut times_s);
                if let (Some(&first), Some(&last)) = (times_s.first(), times_s.last()) {
                    let (low, high) = ends.unwrap_or((first, last));
                    ends = Some((low.min(first), high.max(last)));
                }
                units.push(match was_fine {
                    true => Unit::InFile { unit, marks: times_s.iter().copied().step_by(STEP).collect() },
                    false => Unit::Held(times_s),
                });
            }
            rest = later;
        }
        Ok(Looked { marks: Self(units), ends, mended })
    }

    /// The spikes of each unit in a window.
    ///
    /// # Errors
    /// As [`Source::load`].
    pub fn window(&self, source: &Source, span: Span) -> Result<Vec<Vec<f64>>, ReadError> {
        self.0.iter().map(|unit| unit.window(source, span)).collect()
    }
}

impl Unit {
    fn window(&self, source: &Source, span: Span) -> Result<Vec<f64>, ReadError> {
        let inside = |times_s: &[f64]| {
            let first = times_s.partition_point(|&time| time < span.start_s);
            let last = times_s.partition_point(|&time| time < span.stop_s).max(first);
            first..last
        };
        match self {
            Self::Held(times_s) => Ok(times_s[inside(times_s)].to_vec()),
            Self::InFile { unit, marks } => {
                let stretch = between(marks, span, source.count(*unit));
                let mut times_s = source.part(*unit, stretch)?;
                let wanted = inside(&times_s);
                times_s.truncate(wanted.end);
                times_s.drain(..wanted.start);
                Ok(times_s)
            }
        }
    }
}

/// Where in a unit of `n` spikes those of a window are.
fn between(marks: &[f64], span: Span, n: usize) -> Range<usize> {
    let before = marks.partition_point(|&time| time < span.start_s);
    let after = marks.partition_point(|&time| time < span.stop_s);
    let start = before.saturating_sub(1) * STEP;
    start..(after * STEP).min(n).max(start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_stretch_holds_all_spikes_of_the_window_and_little_more(
            steps in prop::collection::vec(0u8..3, 0..2000), start in -10.0..2000.0f64, length in 0.1..500.0f64,
        ) {
            let times: Vec<f64> = steps.iter().scan(0.0, |time, step| { *time += f64::from(*step); Some(*time) }).collect();
            let marks: Vec<f64> = times.iter().copied().step_by(STEP).collect();
            let span = Span { start_s: start, stop_s: start + length };
            let stretch = between(&marks, span, times.len());
            let own = times.iter().filter(|&&time| time >= span.start_s && time < span.stop_s).count();
            let found = times[stretch.clone()].iter().filter(|&&time| time >= span.start_s && time < span.stop_s).count();
            prop_assert_eq!(found, own);
            prop_assert!(stretch.len() <= own + 2 * STEP);
        }
    }
}
