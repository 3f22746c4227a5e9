//! HDF5's filters, undone: gzip, shuffle, fletcher32, lzf, in any order that has one compressor. Every buffer has the size that the
//! chunk declares, so damaged bytes cannot make it grow.

use crate::read::hdf5::shim::FilterStep;
use libdeflater::{DecompressionError, Decompressor};

const SHUFFLE: i32 = 2;
const DEFLATE: i32 = 1;
const FLETCHER32: i32 = 3;
const LZF: i32 = 32_000;
/// Bytes that fletcher32 adds.
const CHECKSUM: usize = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Shuffle,
    Deflate,
    Fletcher32,
    Lzf,
}

/// The filters of a dataset in the order of writing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pipeline(Vec<Step>);

/// Buffers that one thread uses for chunk after chunk.
pub struct Scratch {
    /// What is read from the file, then what is decoded.
    pub bytes: Vec<u8>,
    spare: Vec<u8>,
    inflate: Decompressor,
}

impl Default for Scratch {
    fn default() -> Self {
        Self { bytes: Vec::new(), spare: Vec::new(), inflate: Decompressor::new() }
    }
}

impl Pipeline {
    /// The pipeline, if every filter is one of ours and at most one compresses.
    pub fn of(filters: &[FilterStep]) -> Option<Self> {
        let step = |filter: &FilterStep| match filter.id {
            SHUFFLE => Some(Step::Shuffle),
            DEFLATE => Some(Step::Deflate),
            FLETCHER32 => Some(Step::Fletcher32),
            LZF => Some(Step::Lzf),
            _ => None,
        };
        let steps: Vec<Step> = filters.iter().map(step).collect::<Option<_>>()?;
        let compressors = steps.iter().filter(|step| matches!(step, Step::Deflate | Step::Lzf)).count();
        (compressors <= 1 && steps.len() <= 32).then_some(Self(steps))
    }

    /// Undoes the filters on `scratch.bytes`, which then holds exactly `size` bytes. Bit `i` of `mask`: filter `i` was left out.
    ///
    /// # Errors
    /// What is wrong with the bytes, in words.
    pub fn undo(&self, scratch: &mut Scratch, mask: u32, size: usize, element: usize) -> Result<(), String> {
        let applied = |at: &usize| mask & (1 << at) == 0;
        for at in (0..self.0.len()).rev().filter(applied) {
            // What went into this filter when the chunk was written; nothing before it compresses, or this is the compressor.
            let checksums = (0..at).filter(applied).filter(|&before| self.0[before] == Step::Fletcher32).count();
            let before = size + CHECKSUM * checksums;
            let Scratch { bytes, spare, inflate } = scratch;
            match self.0[at] {
                Step::Fletcher32 => verify(bytes)?,
                Step::Shuffle => {
                    spare.resize(bytes.len(), 0);
                    unshuffle(bytes, spare, element);
                    std::mem::swap(bytes, spare);
                }
                Step::Deflate => {
                    spare.resize(before, 0);
                    let n = inflate.zlib_decompress(bytes, spare).map_err(|error| match error {
                        DecompressionError::BadData => "the gzip data are corrupt".to_owned(),
                        DecompressionError::InsufficientSpace => format!("the gzip data hold more than the chunk's {before} bytes"),
                    })?;
                    spare.truncate(n);
                    std::mem::swap(bytes, spare);
                }
                Step::Lzf => {
                    spare.resize(before, 0);
                    let n = unlzf(bytes, spare)?;
                    spare.truncate(n);
                    std::mem::swap(bytes, spare);
                }
            }
        }
        if scratch.bytes.len() != size {
            return Err(format!("it holds {} bytes and should hold {size}", scratch.bytes.len()));
        }
        Ok(())
    }
}

/// Byte planes back to elements; a remainder is stored as it is.
fn unshuffle(from: &[u8], into: &mut [u8], element: usize) {
    let n = if element > 1 { from.len() / element } else { 0 };
    if n == 0 {
        into.copy_from_slice(from);
        return;
    }
    fn planes<const SIZE: usize>(from: &[u8], into: &mut [u8], n: usize) {
        let planes: [&[u8]; SIZE] = std::array::from_fn(|byte| &from[byte * n..(byte + 1) * n]);
        for (at, element) in into.chunks_exact_mut(SIZE).enumerate().take(n) {
            for byte in 0..SIZE {
                element[byte] = planes[byte][at];
            }
        }
    }
    match element {
        2 => planes::<2>(from, into, n),
        4 => planes::<4>(from, into, n),
        8 => planes::<8>(from, into, n),
        _ => {
            for byte in 0..element {
                for at in 0..n {
                    into[at * element + byte] = from[byte * n + at];
                }
            }
        }
    }
    into[n * element..].copy_from_slice(&from[n * element..]);
}

/// Checks and drops the checksum at the end. Old versions of HDF5 wrote its halves byte-swapped; the library takes both, so do we.
fn verify(bytes: &mut Vec<u8>) -> Result<(), String> {
    let Some(length) = bytes.len().checked_sub(CHECKSUM) else { return Err("it is too short for its checksum".to_owned()) };
    let (data, stored) = bytes.split_at(length);
    let stored = u32::from_le_bytes([stored[0], stored[1], stored[2], stored[3]]);
    let found = fletcher32(data);
    let swapped = ((found & 0x00ff_00ff) << 8) | ((found & 0xff00_ff00) >> 8);
    if stored != found && stored != swapped {
        return Err(format!("its fletcher32 checksum is {found:08x}, the file says {stored:08x}"));
    }
    bytes.truncate(length);
    Ok(())
}

/// Fletcher's checksum over big-endian 16-bit words, as HDF5 computes it (`H5_checksum_fletcher32`).
fn fletcher32(data: &[u8]) -> u32 {
    let fold = |sum: u32| (sum & 0xffff) + (sum >> 16);
    let (mut sum1, mut sum2) = (0u32, 0u32);
    let words = data.chunks_exact(2);
    let odd = words.remainder();
    // 360 words are the most that cannot overflow 32 bits.
    for block in data[..data.len() - odd.len()].chunks(720) {
        for word in block.chunks_exact(2) {
            sum1 += u32::from(u16::from_be_bytes([word[0], word[1]]));
            sum2 += sum1;
        }
        (sum1, sum2) = (fold(sum1), fold(sum2));
    }
    if let [last] = odd {
        sum1 += u32::from(*last) << 8;
        sum2 += sum1;
        (sum1, sum2) = (fold(sum1), fold(sum2));
    }
    (fold(sum2) << 16) | fold(sum1)
}

/// LibLZF's format: literal runs (`000LLLLL`) and back references (`LLLooooo oooooooo`, or `111ooooo LLLLLLLL oooooooo`).
fn unlzf(from: &[u8], into: &mut [u8]) -> Result<usize, String> {
    let corrupt = || "the lzf data are corrupt".to_owned();
    let (mut at, mut end) = (0, 0);
    while let Some(&control) = from.get(at) {
        at += 1;
        if control < 32 {
            let length = usize::from(control) + 1;
            let literals = from.get(at..at + length).ok_or_else(corrupt)?;
            into.get_mut(end..end + length).ok_or_else(corrupt)?.copy_from_slice(literals);
            at += length;
            end += length;
            continue;
        }
        let mut length = usize::from(control >> 5);
        if length == 7 {
            length += usize::from(*from.get(at).ok_or_else(corrupt)?);
            at += 1;
        }
        let back = (usize::from(control & 31) << 8) + usize::from(*from.get(at).ok_or_else(corrupt)?) + 1;
        at += 1;
        length += 2;
        let start = end.checked_sub(back).ok_or_else(corrupt)?;
        if into.len() - end < length {
            return Err(corrupt());
        }
        if back >= length {
            into.copy_within(start..start + length, end);
        } else {
            // It overlaps what it writes: the last `back` bytes repeated.
            for offset in 0..length {
                into[end + offset] = into[start + offset];
            }
        }
        end += length;
    }
    Ok(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn step(id: i32) -> FilterStep {
        FilterStep { id, name: String::new(), available: true }
    }

    #[test]
    fn only_known_filters_make_a_pipeline() {
        assert!(Pipeline::of(&[step(SHUFFLE), step(DEFLATE), step(FLETCHER32)]).is_some());
        assert!(Pipeline::of(&[]).is_some());
        assert_eq!(Pipeline::of(&[step(32_015)]), None);
        assert_eq!(Pipeline::of(&[step(DEFLATE), step(DEFLATE)]), None);
    }

    #[test]
    fn the_checksum_is_the_one_of_the_textbook_in_big_endian_words() {
        // "abcde" and "abcdef" as big-endian words, by hand: sum1 = 6162 + 6364 + 6500, sum2 = the running total, both modulo 65535.
        let by_hand = |words: &[u32]| {
            let (mut a, mut b) = (0, 0);
            for word in words {
                a = (a + word) % 65_535;
                b = (b + a) % 65_535;
            }
            (b << 16) | a
        };
        assert_eq!(fletcher32(b"abcde"), by_hand(&[0x6162, 0x6364, 0x6500]));
        assert_eq!(fletcher32(b"abcdef"), by_hand(&[0x6162, 0x6364, 0x6566]));
    }

    #[test]
    fn lzf_repeats_and_refuses_to_reach_beyond() {
        let mut out = [0; 12];
        // "ab" literally, then 10 bytes from 2 back.
        assert_eq!(unlzf(&[1, b'a', b'b', 7 << 5, 1, 1], &mut out), Ok(12));
        assert_eq!(&out, b"abababababab");
        assert!(unlzf(&[1, b'a', b'b', 7 << 5, 1, 2], &mut out).is_err(), "before the start");
        assert!(unlzf(&[1, b'a', b'b', 7 << 5, 2, 1], &mut out).is_err(), "beyond the end");
        assert!(unlzf(&[5, b'a'], &mut out).is_err(), "cut short");
    }

    proptest! {
        #[test]
        fn no_bytes_panic_or_outgrow_the_chunk(
            bytes in prop::collection::vec(any::<u8>(), 0..300),
            ids in prop::collection::vec(prop::sample::select(vec![SHUFFLE, DEFLATE, FLETCHER32, LZF]), 0..4),
            size in 0usize..400,
            element in 1usize..9,
            mask in 0u32..16,
        ) {
            let Some(pipeline) = Pipeline::of(&ids.into_iter().map(step).collect::<Vec<_>>()) else { return Ok(()) };
            let mut scratch = Scratch { bytes, ..Scratch::default() };
            if pipeline.undo(&mut scratch, mask, size, element).is_ok() {
                prop_assert_eq!(scratch.bytes.len(), size);
            }
        }

        #[test]
        fn unshuffling_undoes_shuffling(bytes in prop::collection::vec(any::<u8>(), 0..200), element in 1usize..12) {
            let n = bytes.len() / element;
            let mut shuffled: Vec<u8> = (0..element).flat_map(|byte| (0..n).map(move |at| (at, byte))).map(|(at, byte)| bytes[at * element + byte]).collect();
            shuffled.extend(&bytes[n * element..]);
            let mut back = vec![0; bytes.len()];
            unshuffle(&shuffled, &mut back, element);
            prop_assert_eq!(back, bytes);
        }
    }
}
