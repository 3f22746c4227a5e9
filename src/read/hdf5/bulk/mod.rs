//! Bulk reads past libhdf5's global lock: where the bytes are comes from the library, the bytes themselves by positional reads, and
//! chunks are decoded in parallel, each straight into its places of the result.
//!
//! Whatever is not known here (other filters, other layouts, types, sparse arrays) is left to the library: [`Bulk::of`] and the
//! reads answer "not mine", and the values are the same either way.

pub mod cache;
mod filters;
mod number;
mod source;

use super::matrix::Layout;
use super::shim::Array;
use crate::read::ReadError;
use ::hdf5::dataset::ChunkInfoRef;
use ::hdf5::plist::dataset_create::ChunkOpts;
use filters::{Pipeline, Scratch};
use number::Number;
use rayon::prelude::*;
use source::{LocalFile, ReadAt};
use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of a contiguous array that are read at a time.
const BAND_BYTES: usize = 1 << 20;
/// A contiguous row of more than this that is mostly not wanted is left to the library, which can seek inside it.
const WIDE_ROW_BYTES: usize = 64 << 10;
/// Rows whose cache lines stay near while all channels take their values from them.
const SHARED_ROWS: usize = 64;
/// An index of more chunks than this is left in the file (40 bytes a chunk).
const MOST_CHUNKS: usize = 1 << 22;
/// Deflate shrinks at most 1032 times, lzf 88: a chunk that declares more is damaged.
const MAX_COMPRESSION: usize = 1_040;
/// Chunks may be small and still hold headers of compressors.
const SLACK_BYTES: usize = 64 << 10;

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// A chunk in the file.
#[derive(Debug, Clone, Copy)]
struct Stored {
    /// Its number: row-major in the grid of chunks.
    number: u64,
    address: u64,
    size: u64,
    mask: u32,
}

#[derive(Debug)]
enum Place {
    Contiguous(u64),
    Chunked { shape: [usize; 2], grid: [usize; 2], pipeline: Pipeline, stored: Vec<Stored> },
}

/// An array that can be read past the library. Shapes have two axes; a one-dimensional array has a second of length 1.
#[derive(Debug)]
pub struct Bulk {
    id: u64,
    source: Box<dyn ReadAt>,
    number: Number,
    shape: [usize; 2],
    place: Place,
}

impl Drop for Bulk {
    fn drop(&mut self) {
        cache::forget(self.id);
    }
}

/// Rows and columns of a read, in the array's own axes.
#[derive(Clone, Copy)]
struct Axes {
    time: usize,
    channel: usize,
}

/// A stretch of one channel that lies in one chunk: which of the wanted columns, and where its values go.
struct Piece<'o> {
    at: usize,
    into: &'o mut [f64],
}

/// What lies in one chunk (or band): rows from `row` on, and the pieces of all columns that it holds.
struct Tile<'o> {
    row: usize,
    stored: Option<Stored>,
    pieces: Vec<Piece<'o>>,
}

impl Bulk {
    /// The array as this path sees it; nothing where it must be left to the library.
    pub fn of(array: &Array) -> Option<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let shape = two(&array.shape)?;
        let number = Number::of(&array.dataset.dtype().ok()?)?;
        // Reached through an external link, it is in another file.
        if array.dataset.filename() != array.file.to_str()? {
            return None;
        }
        let plist = array.dataset.dcpl().ok()?;
        if !plist.external().is_empty() {
            return None;
        }
        let source = LocalFile::open(&array.file).ok()?;
        let place = match plist.layout() {
            ::hdf5::dataset::Layout::Contiguous => Place::Contiguous(array.dataset.offset()?),
            ::hdf5::dataset::Layout::Chunked if plist.chunk_opts().unwrap_or_default() == ChunkOpts::empty() => chunked(array, shape)?,
            _ => return None,
        };
        Some(Self { id: NEXT.fetch_add(1, Ordering::Relaxed), source: Box::new(source), number, shape, place })
    }

    /// `rows` of `columns` (increasing) into `out`, column after column, each value through `finish` with its column's position.
    /// `false`: left to the library.
    ///
    /// # Errors
    /// `damaged` or `truncated` with the chunk's place.
    pub fn read(
        &self,
        array: &Array,
        (rows, columns): (Range<usize>, &[usize]),
        layout: Layout,
        out: &mut [f64],
        finish: impl Fn(usize, f64) -> f64 + Sync,
    ) -> Result<bool, ReadError> {
        let axes = match layout {
            Layout::TimeFirst => Axes { time: 0, channel: 1 },
            Layout::ChannelsFirst => Axes { time: 1, channel: 0 },
        };
        let inside = rows.end <= self.shape[axes.time] && columns.last().is_none_or(|&last| last < self.shape[axes.channel]);
        if !inside || out.len() != rows.len() * columns.len() {
            return Ok(false);
        }
        if out.is_empty() {
            return Ok(true);
        }
        let Some(mut tiles) = self.tiles(&rows, columns, axes, out) else { return Ok(false) };
        let keep = self.worth_keeping(tiles.len());
        let fill = |tile: &mut Tile<'_>| match tile.stored {
            Some(stored) => self.fill_chunk(array, stored, tile, columns, axes, keep, &finish),
            None => self.fill_band(array, tile, columns, axes, &finish),
        };
        match tiles.par_iter_mut().find_map_first(|tile| fill(tile).err()) {
            Some(error) => Err(error),
            None => Ok(true),
        }
    }

    /// Single elements of a one-dimensional array. `None`: left to the library.
    ///
    /// # Errors
    /// As [`Bulk::read`].
    pub fn points(&self, array: &Array, at: &[usize]) -> Result<Option<Vec<f64>>, ReadError> {
        let Place::Chunked { shape: [rows, 1], .. } = self.place else { return Ok(None) };
        if self.shape[1] != 1 || at.iter().any(|&at| at >= self.shape[0]) {
            return Ok(None);
        }
        let mut groups: Vec<(Stored, &[usize])> = Vec::new();
        for group in at.chunk_by(|a, b| a / rows == b / rows) {
            let Some(stored) = self.find((group[0] / rows) as u64) else { return Ok(None) };
            groups.push((stored, group));
        }
        let pick = |(stored, group): &(Stored, &[usize])| {
            self.decoded(array, *stored, true, |bytes| {
                let mut value = [0.0];
                let one = |&at: &usize| {
                    self.number.gather(bytes, at % rows, 1, &mut value, |value| value);
                    value[0]
                };
                group.iter().map(one).collect::<Vec<f64>>()
            })
        };
        let found: Vec<Result<Vec<f64>, ReadError>> = groups.par_iter().map(pick).collect();
        let mut values = Vec::with_capacity(at.len());
        for part in found {
            values.extend(part?);
        }
        Ok(Some(values))
    }

    /// Chunks of a read that fits half the cache are all kept, those of a larger one only where the window ends inside them.
    fn worth_keeping(&self, tiles: usize) -> bool {
        match &self.place {
            Place::Contiguous(_) => false,
            Place::Chunked { .. } => self.chunk_bytes().saturating_mul(tiles) <= cache::limit() / 2,
        }
    }

    fn chunk_bytes(&self) -> usize {
        match &self.place {
            Place::Contiguous(_) => 0,
            Place::Chunked { shape, .. } => shape[0].saturating_mul(shape[1]).saturating_mul(self.number.bytes()),
        }
    }

    fn find(&self, number: u64) -> Option<Stored> {
        let Place::Chunked { stored, .. } = &self.place else { return None };
        stored.binary_search_by_key(&number, |chunk| chunk.number).ok().map(|at| stored[at])
    }

    /// Cuts the result along the borders of chunks. `None` where a chunk was never written (its values are the fill value), or a
    /// contiguous array is better left to the library.
    fn tiles<'o>(&self, rows: &Range<usize>, columns: &[usize], axes: Axes, out: &'o mut [f64]) -> Option<Vec<Tile<'o>>> {
        let (band, across) = match &self.place {
            Place::Chunked { shape, .. } => (shape[axes.time], shape[axes.channel]),
            Place::Contiguous(_) if axes.time == 1 => (BAND_BYTES / self.number.bytes(), 1),
            Place::Contiguous(_) => {
                let row_bytes = self.shape[1] * self.number.bytes();
                if row_bytes > WIDE_ROW_BYTES && columns.len() * 8 < self.shape[1] {
                    return None;
                }
                ((BAND_BYTES / row_bytes).max(1), self.shape[1])
            }
        };
        let bands: Vec<usize> = (rows.start / band..=(rows.end - 1) / band).collect();
        let groups: Vec<&[usize]> = columns.chunk_by(|a, b| a / across == b / across).collect();
        // Band after band: neighbours in the file are read one after the other.
        let mut tiles: Vec<Tile<'o>> = Vec::with_capacity(bands.len() * groups.len());
        for &at in &bands {
            for group in &groups {
                let stored = match &self.place {
                    Place::Contiguous(_) => None,
                    Place::Chunked { grid, .. } => {
                        let mut place = [0; 2];
                        (place[axes.time], place[axes.channel]) = (at, group[0] / across);
                        Some(self.find((place[0] * grid[1] + place[1]) as u64)?)
                    }
                };
                tiles.push(Tile { row: (at * band).max(rows.start), stored, pieces: Vec::with_capacity(group.len()) });
            }
        }
        let mut rest = out;
        let mut at = 0;
        for (number, group) in groups.iter().enumerate() {
            for _ in *group {
                for (index, band_number) in bands.iter().enumerate() {
                    let tile = &mut tiles[index * groups.len() + number];
                    let (into, after) = rest.split_at_mut(((band_number + 1) * band).min(rows.end) - tile.row);
                    tile.pieces.push(Piece { at, into });
                    rest = after;
                }
                at += 1;
            }
        }
        Some(tiles)
    }

    #[allow(clippy::too_many_arguments)]
    fn fill_chunk(
        &self,
        array: &Array,
        stored: Stored,
        tile: &mut Tile<'_>,
        columns: &[usize],
        axes: Axes,
        keep: bool,
        finish: &(impl Fn(usize, f64) -> f64 + Sync),
    ) -> Result<(), ReadError> {
        let Place::Chunked { shape, .. } = &self.place else { return Ok(()) };
        let (time, channel) = (shape[axes.time], shape[axes.channel]);
        let filled = tile.pieces.first().map_or(0, |piece| piece.into.len());
        let rest = (self.shape[axes.time] - tile.row / time * time).min(time) - filled;
        self.decoded(array, stored, keep || rest > 0, |bytes| {
            let row = tile.row % time;
            self.scatter(bytes, &mut tile.pieces, axes, finish, |at| match axes.time {
                0 => (row * channel + columns[at] % channel, channel),
                _ => (columns[at] % channel * time + row, 1),
            });
        })
    }

    fn fill_band(
        &self,
        array: &Array,
        tile: &mut Tile<'_>,
        columns: &[usize],
        axes: Axes,
        finish: &(impl Fn(usize, f64) -> f64 + Sync),
    ) -> Result<(), ReadError> {
        let Place::Contiguous(offset) = self.place else { return Ok(()) };
        let (Some(first), Some(last)) = (tile.pieces.first(), tile.pieces.last()) else { return Ok(()) };
        let (n, low, high) = (first.into.len(), columns[first.at], columns[last.at]);
        let (start, length, step) = match axes.time {
            0 => (tile.row * self.shape[1] + low, (n - 1) * self.shape[1] + high - low + 1, self.shape[1]),
            _ => (low * self.shape[1] + tile.row, n, 1),
        };
        let bytes = self.number.bytes();
        let address = offset.saturating_add((start * bytes) as u64);
        if address.saturating_add((length * bytes) as u64) > self.source.len() {
            let what = format!("{} bytes are declared at byte {address}, but the file has only {}", length * bytes, self.source.len());
            return Err(array.error("truncated", what).hint("fetch the file again"));
        }
        SCRATCH.with_borrow_mut(|scratch| {
            scratch.bytes.resize(length * bytes, 0);
            self.source
                .read_exact_at(&mut scratch.bytes, address)
                .map_err(|error| array.error("io", format!("{} bytes at byte {address} cannot be read ({error})", length * bytes)))?;
            let Scratch { bytes, .. } = scratch;
            self.scatter(bytes, &mut tile.pieces, axes, finish, |at| (if axes.time == 0 { columns[at] - low } else { 0 }, step));
            Ok(())
        })
    }

    /// Values of a chunk to their places; `place` tells a column's first element and the step to the next.
    ///
    /// Where channels lie side by side, a few rows of all of them are done before the next rows: they share cache lines.
    fn scatter(
        &self,
        bytes: &[u8],
        pieces: &mut [Piece<'_>],
        axes: Axes,
        finish: &(impl Fn(usize, f64) -> f64 + Sync),
        place: impl Fn(usize) -> (usize, usize),
    ) {
        let n = pieces.first().map_or(0, |piece| piece.into.len());
        let rows = if axes.time == 0 && pieces.len() > 1 { SHARED_ROWS } else { n.max(1) };
        for row in (0..n).step_by(rows) {
            for piece in pieces.iter_mut() {
                let (first, step) = place(piece.at);
                let into = &mut piece.into[row..(row + rows).min(n)];
                self.number.gather(bytes, first + row * step, step, into, |value| finish(piece.at, value));
            }
        }
    }

    /// A chunk's values, from the cache or the file.
    fn decoded<T>(&self, array: &Array, stored: Stored, keep: bool, act: impl FnOnce(&[u8]) -> T) -> Result<T, ReadError> {
        let key = (self.id, stored.number);
        if let Some(bytes) = cache::get(key) {
            return Ok(act(&bytes));
        }
        SCRATCH.with_borrow_mut(|scratch| {
            self.decode(array, stored, scratch)?;
            if keep {
                let bytes = Arc::new(scratch.bytes.clone());
                cache::put(key, &bytes);
            }
            Ok(act(&scratch.bytes))
        })
    }

    fn decode(&self, array: &Array, stored: Stored, scratch: &mut Scratch) -> Result<(), ReadError> {
        let Place::Chunked { shape, grid, pipeline, .. } = &self.place else { return Ok(()) };
        let size = self.chunk_bytes();
        let damaged = |what: String| {
            let (row, column) =
                ((stored.number / grid[1] as u64) as usize * shape[0], (stored.number % grid[1] as u64) as usize * shape[1]);
            let first = if array.shape.len() == 1 { format!("{row}") } else { format!("{row}, {column}") };
            let what = format!("the chunk from element ({first}) on, {} bytes at byte {}: {what}", stored.size, stored.address);
            array
                .error("damaged", what)
                .hint("compare the file's checksum with its source and fetch it again; windows that avoid the chunk can be read")
        };
        let held = usize::try_from(stored.size).unwrap_or(usize::MAX);
        if held > size.saturating_add(size / 8).saturating_add(SLACK_BYTES)
            || size > held.saturating_mul(MAX_COMPRESSION).saturating_add(SLACK_BYTES)
        {
            return Err(damaged(format!("no filter makes that of {size} bytes")));
        }
        if stored.address.checked_add(stored.size).is_none_or(|end| end > self.source.len()) {
            return Err(damaged(format!("the file ends before it, at byte {}", self.source.len())));
        }
        scratch.bytes.resize(held, 0);
        self.source.read_exact_at(&mut scratch.bytes, stored.address).map_err(|error| damaged(error.to_string()))?;
        pipeline.undo(scratch, stored.mask, size, self.number.bytes()).map_err(damaged)
    }
}

/// One or two axes as two.
fn two(shape: &[usize]) -> Option<[usize; 2]> {
    match *shape {
        [rows] if rows > 0 => Some([rows, 1]),
        [rows, columns] if rows > 0 && columns > 0 => rows.checked_mul(columns)?.checked_mul(8).map(|_| [rows, columns]),
        _ => None,
    }
}

fn chunked(array: &Array, shape: [usize; 2]) -> Option<Place> {
    let pipeline = Pipeline::of(&array.filters())?;
    let chunk = two(&array.chunks()?)?;
    let grid = [shape[0].div_ceil(chunk[0]), shape[1].div_ceil(chunk[1])];
    let most = grid[0].checked_mul(grid[1]).filter(|&n| n <= MOST_CHUNKS)?;
    let mut stored: Vec<Stored> = Vec::new();
    let visit = |info: ChunkInfoRef<'_>| {
        let place = |axis: usize| info.offset.get(axis).map_or(0, |&offset| (offset as usize) / chunk[axis]);
        let (row, column) = (place(0), place(1));
        // A damaged index may go round in circles.
        if stored.len() == most || row >= grid[0] || column >= grid[1] {
            return -1;
        }
        let number = (row * grid[1] + column) as u64;
        stored.push(Stored { number, address: info.addr, size: info.size, mask: info.filter_mask });
        0
    };
    array.dataset.chunks_visit(visit).ok()?;
    stored.sort_unstable_by_key(|chunk| chunk.number);
    let twice = stored.windows(2).any(|pair| pair[0].number == pair[1].number);
    (!twice).then_some(Place::Chunked { shape: chunk, grid, pipeline, stored })
}
