//! Time × channel matrices in HDF5: windows of rows, kept columns only, scaled to physical units.
//!
//! Chunks are the unit of work: rows are read in blocks that begin and end at chunk borders, and columns in runs that share
//! chunks, so that no chunk is decompressed twice for one window.

use super::shim::{Array, File};
use crate::data::{Content, Series};
use crate::read::ReadError;
use std::ops::Range;

/// Values of one block, at most: 64 MiB as `f64`.
const BLOCK_VALUES: usize = 8 << 20;
/// Columns of a contiguous array that lie nearer than this are read in one go: a seek costs more than the bytes between.
const NEAR_COLUMNS: usize = 16;
/// No chunk cache grows beyond this, bytes.
const LARGEST_CACHE: usize = 512 << 20;

/// Which axis of the array is time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// `(time)` or `(time, channel)`.
    TimeFirst,
    /// `(channel, time)`.
    ChannelsFirst,
}

/// A matrix of a file and how to read it.
#[derive(Debug)]
pub struct Matrix {
    /// The array.
    pub data: Array,
    /// Its orientation.
    pub layout: Layout,
    /// Channels to keep, increasing.
    pub columns: Vec<usize>,
    /// Factor of each kept channel.
    pub scale: Vec<f64>,
    /// Added after scaling.
    pub offset: f64,
}

impl Matrix {
    /// All channels of an array, unscaled.
    pub fn new(data: Array, layout: Layout) -> Self {
        let n = channels(&data.shape, layout);
        Self { data, layout, columns: (0..n).collect(), scale: vec![1.0; n], offset: 0.0 }
    }
    /// Number of samples.
    pub fn n_samples(&self) -> usize {
        samples(&self.data.shape, self.layout)
    }

    /// Rows `rows` of the kept channels, channel after channel, in physical units: `value * scale[channel] + offset` in `f64`.
    ///
    /// # Errors
    /// As [`Array::block`].
    pub fn read(&self, rows: Range<usize>) -> Result<Vec<f64>, ReadError> {
        let n_rows = rows.len();
        self.data.check(n_rows.saturating_mul(self.columns.len().max(1)))?;
        let mut values = vec![0.0; n_rows * self.columns.len()];
        let finish = |channel: usize, raw: f64| raw * self.scale[channel] + self.offset;
        if self.data.columns(rows.clone(), &self.columns, self.layout, &mut values, finish)? {
            return Ok(values);
        }
        for run in self.runs() {
            let columns = self.columns[run.start]..self.columns[run.end - 1] + 1;
            for block in self.blocks(&rows, columns.len()) {
                let raw = self.data.block(&self.ranges(block.clone(), columns.clone()))?;
                let offset = block.start - rows.start;
                for channel in run.clone() {
                    let into = &mut values[channel * n_rows + offset..][..block.len()];
                    self.scatter(&raw, columns.len(), self.columns[channel] - columns.start, channel, into);
                }
            }
        }
        Ok(values)
    }

    /// One channel out of a block.
    fn scatter(&self, raw: &[f64], width: usize, column: usize, channel: usize, into: &mut [f64]) {
        let (scale, offset) = (self.scale[channel], self.offset);
        let (first, step) = match self.layout {
            Layout::TimeFirst => (column, width),
            Layout::ChannelsFirst => (column * into.len(), 1),
        };
        for (value, raw) in into.iter_mut().zip(raw[first..].iter().step_by(step)) {
            *value = raw * scale + offset;
        }
    }

    fn ranges(&self, rows: Range<usize>, columns: Range<usize>) -> Vec<Range<usize>> {
        match (self.data.shape.len(), self.layout) {
            (1, _) => vec![rows],
            (_, Layout::TimeFirst) => vec![rows, columns],
            (_, Layout::ChannelsFirst) => vec![columns, rows],
        }
    }

    /// Chunk shape as (rows, columns); `None` when contiguous.
    fn chunk(&self) -> Option<(usize, usize)> {
        let chunk = self.data.chunks()?;
        Some(match (chunk.as_slice(), self.layout) {
            ([rows], _) => (*rows, 1),
            ([rows, columns], Layout::TimeFirst) | ([columns, rows], Layout::ChannelsFirst) => (*rows, *columns),
            _ => return None,
        })
    }

    /// Runs of kept channels (as ranges of their positions) that are cheaper read together.
    fn runs(&self) -> Vec<Range<usize>> {
        let near = self.chunk().map_or(NEAR_COLUMNS, |(_, columns)| columns.max(1));
        let mut runs: Vec<Range<usize>> = Vec::new();
        for (at, &column) in self.columns.iter().enumerate() {
            match runs.last_mut() {
                Some(run) if column - self.columns[run.end - 1] <= near => run.end = at + 1,
                _ => runs.push(at..at + 1),
            }
        }
        runs
    }

    /// Cuts rows into blocks that end at chunk borders.
    fn blocks(&self, rows: &Range<usize>, width: usize) -> Vec<Range<usize>> {
        let fit = (BLOCK_VALUES / width.max(1)).max(1);
        let chunk_rows = self.chunk().map_or(1, |(rows, _)| rows.max(1));
        let step = (fit / chunk_rows).max(1) * chunk_rows;
        let mut blocks = Vec::new();
        let mut start = rows.start;
        while start < rows.end {
            let end = ((start / step + 1) * step).min(rows.end);
            blocks.push(start..end);
            start = end;
        }
        blocks
    }

    /// Opens the file again with a chunk cache that holds a row of chunks twice, when the usual cache is too small for that:
    /// neighbouring windows then share the chunks at their border.
    ///
    /// # Errors
    /// As [`File::open`], and `damaged` when the array is gone.
    pub fn with_cache(self, file: File) -> Result<(Self, File), ReadError> {
        let Some((rows, columns)) = self.chunk().filter(|_| !self.data.is_bulk()) else { return Ok((self, file)) };
        let across = channels(&self.data.shape, self.layout).div_ceil(columns.max(1));
        let row_of_chunks = rows.saturating_mul(columns).saturating_mul(self.data.element_bytes()).saturating_mul(across);
        let bytes = row_of_chunks.saturating_mul(2).min(LARGEST_CACHE);
        let (path, file_path) = (self.data.path.clone(), file.path().to_owned());
        // The cache is fixed when a file is first opened, so every handle to it must go.
        drop((self.data, file));
        let file = File::open_with_cache(&file_path, bytes)?;
        let data = file.array(&path).ok_or_else(|| file.error("damaged", "the array is gone").at(&path))?;
        Ok((Self { data, ..self }, file))
    }
}

/// Makes the series of a window.
///
/// # Errors
/// `not-finite` with the channel, sample and time.
pub fn series(matrix: &Matrix, rows: Range<usize>, names: Vec<String>, clock: (f64, f64), unit: &str) -> Result<Content, ReadError> {
    let (t_start_s, rate_hz) = clock;
    let values = matrix.read(rows)?;
    let series = Series::new(names, values, rate_hz, t_start_s, unit);
    series.map(Content::Series).map_err(|error| {
        let hint = "choose a window without it, or leave the channel out with `channels`; values are never filled in";
        matrix.data.error("not-finite", error.to_string()).hint(hint)
    })
}

/// Number of samples of an array of this shape.
pub fn samples(shape: &[usize], layout: Layout) -> usize {
    match layout {
        Layout::TimeFirst => shape.first().copied().unwrap_or(1),
        Layout::ChannelsFirst => shape.get(1).copied().unwrap_or(1),
    }
}

/// Number of channels of an array of this shape.
pub fn channels(shape: &[usize], layout: Layout) -> usize {
    match layout {
        Layout::TimeFirst => shape.get(1).copied().unwrap_or(1),
        Layout::ChannelsFirst => shape.first().copied().unwrap_or(1),
    }
}
