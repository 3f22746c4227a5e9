//! Spike trains in HDF5: one ragged column, or one array a unit.
//!
//! Spikes are read in few long stretches and sliced in memory: thousands of small reads are slower than one large one.

use super::bulk::cache;
use super::marks::{Looked, Marks};
use super::shim::Array;
use crate::data::{Content, Span, SpikeTrain, Spikes};
use crate::read::{Channel, ReadError};
use std::ops::Range;

/// Spikes of at most this many bytes are read when the file is opened: that is cheaper than looking for their ends one by one.
pub const SMALL: usize = 64 << 20;
/// Stretches of the ragged column that lie nearer than this (128 KiB) are read in one go.
const NEAR: usize = 16 << 10;
/// A stretch is at most this long (16 MiB) unless one unit has more: the copy into trains then adds little to the peak.
const STRETCH: usize = 2 << 20;

/// Where the spikes of each unit stand.
#[derive(Debug)]
pub enum Source {
    /// A flat array and the stretch of each unit.
    Ragged {
        /// Spike times, seconds, unit after unit.
        times: Array,
        /// One range a unit.
        ranges: Vec<Range<usize>>,
    },
    /// One array a unit.
    Separate(Vec<Array>),
}

/// Turns a ragged column's index into ranges. `index[i]` is the *exclusive end* of row `i`; row 0 starts at 0.
///
/// # Errors
/// When the ends decrease, are negative, or lie beyond `len`: the row and both numbers, as text.
pub fn ranges(index: &[i64], len: usize) -> Result<Vec<Range<usize>>, String> {
    let mut start = 0usize;
    let mut ranges = Vec::with_capacity(index.len());
    for (row, &end) in index.iter().enumerate() {
        let stop = usize::try_from(end).map_err(|_| format!("row {row} ends at {end}, before the data begin"))?;
        if stop < start {
            return Err(format!("row {row} ends at {stop}, before the row above it ends ({start})"));
        }
        if stop > len {
            return Err(format!("row {row} ends at {stop}, but there are only {len} values"));
        }
        ranges.push(start..stop);
        start = stop;
    }
    Ok(ranges)
}

impl Source {
    /// Number of spikes of a unit.
    pub fn count(&self, unit: usize) -> usize {
        match self {
            Self::Ragged { ranges, .. } => ranges[unit].len(),
            Self::Separate(arrays) => arrays[unit].len(),
        }
    }
    /// Where the spikes of all units stand, if that is one array.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::Ragged { times, .. } => Some(&times.path),
            Self::Separate(_) => None,
        }
    }
    /// Number of units.
    pub fn n_units(&self) -> usize {
        match self {
            Self::Ragged { ranges, .. } => ranges.len(),
            Self::Separate(arrays) => arrays.len(),
        }
    }
    /// Number of spikes of all units.
    pub fn total(&self) -> usize {
        (0..self.n_units()).map(|unit| self.count(unit)).sum()
    }
    /// Whether all spikes are few enough to be read at once without a second thought.
    pub fn is_small(&self) -> bool {
        self.total() * 8 < SMALL
    }

    /// Spike times of `units` (increasing), as stored.
    ///
    /// # Errors
    /// As [`Array::block`].
    pub fn load(&self, units: &[usize]) -> Result<Vec<Vec<f64>>, ReadError> {
        let (times, ranges) = match self {
            Self::Separate(arrays) => return units.iter().map(|&unit| arrays[unit].numbers()).collect(),
            Self::Ragged { times, ranges } => (times, ranges),
        };
        let mut trains = Vec::with_capacity(units.len());
        let mut at = 0;
        while at < units.len() {
            let start = ranges[units[at]].start;
            let mut stop = at + 1;
            let near = |stop: usize| ranges[units[stop]].start - ranges[units[stop - 1]].end < NEAR;
            while stop < units.len() && near(stop) && ranges[units[stop]].end - start < STRETCH {
                stop += 1;
            }
            let stretch = start..ranges[units[stop - 1]].end;
            let values = if stretch.is_empty() { Vec::new() } else { times.stretch(stretch)? };
            trains.extend(units[at..stop].iter().map(|&unit| values[ranges[unit].start - start..ranges[unit].end - start].to_vec()));
            at = stop;
        }
        Ok(trains)
    }

    /// Part of a unit's spike times.
    ///
    /// # Errors
    /// As [`Array::block`].
    pub fn part(&self, unit: usize, part: Range<usize>) -> Result<Vec<f64>, ReadError> {
        match self {
            _ if part.is_empty() => Ok(Vec::new()),
            Self::Separate(arrays) => arrays[unit].block(&[part]),
            Self::Ragged { times, ranges } => times.block(&[ranges[unit].start + part.start..ranges[unit].start + part.end]),
        }
    }

    /// Whether a few spikes can be read without decoding many.
    fn is_contiguous(&self) -> bool {
        matches!(self, Self::Ragged { times, .. } if times.chunks().is_none())
    }

    /// Earliest and latest spike, from the first and last spike of each unit: exact where units are sorted.
    /// `None` without spikes, or when finding out would decompress more than `budget` bytes.
    ///
    /// # Errors
    /// As [`Array::block`].
    pub fn ends(&self, budget: usize) -> Result<Option<(f64, f64)>, ReadError> {
        let ends = |range: &Range<usize>| [range.start, range.end.saturating_sub(1)];
        let asked: Vec<(&Array, Vec<usize>)> = match self {
            Self::Ragged { times, ranges } => vec![(times, ranges.iter().filter(|range| !range.is_empty()).flat_map(ends).collect())],
            Self::Separate(arrays) => {
                arrays.iter().filter(|array| !array.is_empty()).map(|array| (array, ends(&(0..array.len())).to_vec())).collect()
            }
        };
        if asked.iter().map(|(array, at)| touched_bytes(array, at)).sum::<usize>() > budget {
            return Ok(None);
        }
        let mut found = Vec::new();
        for (array, at) in asked {
            found.extend(array.points(&at)?);
        }
        Ok(extremes(found.iter()))
    }
}

/// Bytes that reading these elements (increasing) decompresses: whole chunks.
fn touched_bytes(array: &Array, at: &[usize]) -> usize {
    let Some(shape) = array.chunks() else { return 0 };
    let chunk = shape.iter().product::<usize>().max(1);
    let mut chunks: Vec<usize> = at.iter().map(|at| at / chunk).collect();
    chunks.dedup();
    chunks.len().saturating_mul(chunk).saturating_mul(array.element_bytes())
}

/// Least and greatest finite value.
pub fn extremes<'v>(values: impl Iterator<Item = &'v f64>) -> Option<(f64, f64)> {
    values.filter(|value| value.is_finite()).fold(None, |found, &value| {
        let (low, high) = found.unwrap_or((value, value));
        Some((low.min(value), high.max(value)))
    })
}

/// The stretch of the clock that spikes from `first` to `last` tell of: from 0 where the first comes at 0 or later and within the
/// first half, else from the first spike; to just after the last, so that the half-open span holds it.
pub fn span_of(ends: Option<(f64, f64)>) -> Span {
    let (first, last) = ends.unwrap_or((0.0, 0.0));
    let start_s = if first >= 0.0 && first <= last / 2.0 { 0.0 } else { first };
    Span { start_s, stop_s: last.next_up() }
}

/// What was wrong with spike times and was put right.
#[derive(Debug, Default)]
pub struct Mended {
    dropped: usize,
    unsorted: usize,
    negative: usize,
}

impl Mended {
    /// Drops what is not finite and sorts; the answer is whether there was nothing to do.
    pub fn mend(&mut self, times_s: &mut Vec<f64>) -> bool {
        let before = times_s.len();
        times_s.retain(|time| time.is_finite());
        let (dropped, unsorted) = (before - times_s.len(), !times_s.is_sorted());
        if unsorted {
            times_s.sort_by(f64::total_cmp);
        }
        self.dropped += dropped;
        self.unsorted += usize::from(unsorted);
        self.negative += times_s.partition_point(|&time| time < 0.0);
        dropped == 0 && !unsorted
    }

    fn notes(&self) -> Vec<String> {
        let said = [
            (self.dropped, "spike times that are not finite were dropped"),
            (self.unsorted, "units had unsorted spike times, which were sorted"),
            (self.negative, "spikes come before time 0 and were kept"),
        ];
        said.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect()
    }
}

/// How the spikes are at hand once they were looked through.
#[derive(Debug)]
enum Loaded {
    /// In memory.
    Held(Vec<Vec<f64>>),
    /// In the file, with marks to find them by.
    Marked(Marks),
}

/// The kept units of a file.
#[derive(Debug)]
pub struct Trains {
    source: Source,
    kept: Vec<usize>,
    channels: Vec<Channel>,
    span: Span,
    loaded: Option<Loaded>,
}

impl Trains {
    /// Units `kept` of a source, called as `channels` say.
    pub fn new(source: Source, kept: Vec<usize>, channels: Vec<Channel>, span: Span) -> Self {
        Self { source, kept, channels, span, loaded: None }
    }

    /// Looks through the spikes if that was not done yet: sorts what is unsorted and drops what is not finite.
    /// Answers what it had to mend.
    ///
    /// # Errors
    /// As [`Array::block`].
    pub fn load(&mut self) -> Result<Vec<String>, ReadError> {
        if self.loaded.is_some() {
            return Ok(Vec::new());
        }
        let (loaded, ends, mended) = if self.stays_in_file() {
            let Looked { marks, ends, mended } = Marks::of(&self.source, &self.kept)?;
            (Loaded::Marked(marks), ends, mended)
        } else {
            let mut mended = Mended::default();
            let mut trains = self.source.load(&self.kept)?;
            for times_s in &mut trains {
                mended.mend(times_s);
            }
            let ends = extremes(trains.iter().flat_map(|times_s| times_s.first().into_iter().chain(times_s.last())));
            (Loaded::Held(trains), ends, mended)
        };
        if let Some((low, high)) = ends {
            // Only the ends of each unit were looked at on opening; an unsorted unit may reach further.
            self.span = Span { start_s: self.span.start_s.min(low), stop_s: self.span.stop_s.max(high.next_up()) };
        }
        self.loaded = Some(loaded);
        Ok(mended.notes())
    }

    /// Small sessions are held in memory. Long ones stay in the file; where a window would have to decode the chunks of all units
    /// anew, only when they are more than this process may keep.
    fn stays_in_file(&self) -> bool {
        let bytes = 8 * self.kept.iter().map(|&unit| self.source.count(unit)).sum::<usize>();
        bytes > if self.source.is_contiguous() { SMALL } else { SMALL.max(2 * cache::limit()) }
    }

    /// The spikes of a window, or all.
    ///
    /// # Errors
    /// `outside` when the window does not touch the recording; as [`Trains::load`].
    pub fn read(&self, span: Option<Span>, error: impl Fn(&str, String) -> ReadError) -> Result<Content, ReadError> {
        let whole = self.span;
        let span = span.unwrap_or(whole);
        if span.start_s >= whole.stop_s || span.stop_s <= whole.start_s {
            let what = format!("the window from {} s to {} s lies outside the recording", span.start_s, span.stop_s);
            return Err(error("outside", what).hint(format!("it covers {} s to {} s", whole.start_s, whole.stop_s)));
        }
        let cut = match &self.loaded {
            None => Vec::new(),
            Some(Loaded::Marked(marks)) => marks.window(&self.source, span)?,
            Some(Loaded::Held(trains)) => {
                let inside = |times_s: &Vec<f64>| {
                    let first = times_s.partition_point(|&time| time < span.start_s);
                    let last = times_s.partition_point(|&time| time < span.stop_s).max(first);
                    times_s[first..last].to_vec()
                };
                trains.iter().map(inside).collect()
            }
        };
        let named =
            |(times_s, channel): (Vec<f64>, &Channel)| SpikeTrain { id: channel.name.clone(), location: channel.location.clone(), times_s };
        let cut = cut.into_iter().zip(&self.channels).map(named).collect();
        Spikes::new(cut, span).map(Content::Spikes).map_err(|broken| error("bad-value", broken.to_string()))
    }

    /// The stretch that the spikes cover.
    pub fn span(&self) -> Span {
        self.span
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_index_holds_exclusive_ends() {
        assert_eq!(ranges(&[2, 2, 5], 5).unwrap(), [0..2, 2..2, 2..5]);
        assert!(ranges(&[], 5).unwrap().is_empty());
        assert_eq!(ranges(&[3], 2).unwrap_err(), "row 0 ends at 3, but there are only 2 values");
        assert_eq!(ranges(&[3, 1], 3).unwrap_err(), "row 1 ends at 1, before the row above it ends (3)");
        assert!(ranges(&[-1], 3).is_err());
    }

    #[test]
    fn spans_begin_at_zero_where_the_recording_plausibly_does() {
        assert_eq!(span_of(Some((0.03, 100.0))), Span { start_s: 0.0, stop_s: 100f64.next_up() });
        assert_eq!(span_of(Some((90.0, 100.0))).start_s, 90.0);
        assert_eq!(span_of(Some((-1.0, 100.0))).start_s, -1.0);
    }

    proptest! {
        #[test]
        fn ranges_tile_the_values(lengths in prop::collection::vec(0usize..20, 0..30), spare in 0usize..5) {
            let ends: Vec<i64> = lengths.iter().scan(0, |end, n| { *end += *n as i64; Some(*end) }).collect();
            let total: usize = lengths.iter().sum();
            let cut = ranges(&ends, total + spare).unwrap();
            prop_assert_eq!(cut.iter().map(|range| range.len()).collect::<Vec<_>>(), lengths.clone());
            prop_assert!(cut.windows(2).all(|pair| pair[0].end == pair[1].start));
            prop_assert!(total == 0 || ranges(&ends, total - 1).is_err());
        }

        #[test]
        fn no_index_panics_or_reaches_beyond(index in prop::collection::vec(any::<i64>(), 0..20), len in 0usize..1000) {
            if let Ok(cut) = ranges(&index, len) {
                prop_assert!(cut.iter().all(|range| range.start <= range.end && range.end <= len));
                prop_assert_eq!(cut.len(), index.len());
            }
        }
    }
}
