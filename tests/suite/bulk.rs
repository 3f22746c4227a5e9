//! Bulk reads past libhdf5 against libhdf5 itself, bit by bit, and both against h5py: `bulk*.h5` of `dev/make_twins.py` hold random
//! arrays in every layout, type and filter. And damaged chunks: an error that names the place.

use rand::{Rng, RngExt, SeedableRng};
use std::ops::Range;
use std::path::{Path, PathBuf};
use tcs_batch::read::hdf5::{Array, File, Layout};

fn twin(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/twins").join(name)
}

fn cases() -> Vec<(String, String, f64)> {
    let Ok(text) = std::fs::read_to_string(twin("facts.json")) else {
        println!("skipped: python dev/make_twins.py target/twins");
        return Vec::new();
    };
    let facts: serde_json::Value = serde_json::from_str(&text).unwrap();
    let text = |case: &serde_json::Value, key: &str| case[key].as_str().unwrap().to_owned();
    facts["bulk"].as_array().unwrap().iter().map(|case| (text(case, "file"), text(case, "path"), case["check"].as_f64().unwrap())).collect()
}

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

fn range(random: &mut impl Rng, length: usize) -> Range<usize> {
    let start = random.random_range(0..length);
    start..random.random_range(start..length) + 1
}

/// Some columns of some rows by the library, column after column.
fn by_library(array: &Array, rows: &Range<usize>, columns: &[usize], layout: Layout) -> Vec<f64> {
    let column = |&at: &usize| match (array.shape.len(), layout) {
        (1, _) => array.block_by_library(std::slice::from_ref(rows)).unwrap(),
        (_, Layout::TimeFirst) => array.block_by_library(&[rows.clone(), at..at + 1]).unwrap(),
        (_, Layout::ChannelsFirst) => array.block_by_library(&[at..at + 1, rows.clone()]).unwrap(),
    };
    columns.iter().flat_map(column).collect()
}

#[test]
fn any_part_of_any_array_equals_the_librarys_bit_by_bit() {
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    let (mut fast, mut slow) = (0, 0);
    for (file, path, _) in cases() {
        let file = File::open(&twin(&file)).unwrap();
        let array = file.array(&path).unwrap();
        if !array.is_bulk() {
            slow += 1;
            continue;
        }
        let mut read = 0;
        for at in 0..12 {
            let layout = if at % 3 == 2 && array.shape.len() == 2 { Layout::ChannelsFirst } else { Layout::TimeFirst };
            let (n, width) = match (array.shape.as_slice(), layout) {
                (&[n], _) => (n, 1),
                (&[n, width], Layout::TimeFirst) | (&[width, n], Layout::ChannelsFirst) => (n, width),
                _ => unreachable!(),
            };
            let rows = range(&mut random, n);
            let columns: Vec<usize> = (0..width).filter(|_| random.random_bool(0.6)).collect();
            let mut values = vec![0.0; rows.len() * columns.len()];
            if array.columns(rows.clone(), &columns, layout, &mut values, |_, value| value).unwrap() {
                assert_eq!(bits(&values), bits(&by_library(&array, &rows, &columns, layout)), "{path} {rows:?} of {columns:?}");
                read += 1;
            }
        }
        fast += usize::from(read > 0);
    }
    println!("{fast} read past the library, {slow} left to it");
    // Not an accident that everything was left to the library.
    assert!(fast + slow == 0 || (fast >= 100 && slow >= 20), "{fast} read past the library, {slow} left to it");
}

#[test]
fn whole_arrays_are_what_h5py_reads() {
    for (name, path, check) in cases() {
        let file = File::open(&twin(&name)).unwrap();
        let array = file.array(&path).unwrap();
        let values = array.numbers().unwrap();
        let sum: f64 = values.iter().enumerate().map(|(at, value)| value * ((at + 1) % 97) as f64).sum();
        assert!((sum - check).abs() <= 1e-9 * check.abs(), "{name}{path}: {sum}, h5py {check}");
    }
}

#[test]
fn points_are_the_elements_of_the_whole() {
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(2);
    for (file, path, _) in cases() {
        let file = File::open(&twin(&file)).unwrap();
        let array = file.array(&path).unwrap();
        if array.shape.len() != 1 {
            continue;
        }
        let whole = array.numbers().unwrap();
        let at: Vec<usize> = (0..array.len()).filter(|_| random.random_bool(0.02)).collect();
        assert!(array.is_bulk() || array.filters().len() < 4);
        assert_eq!(bits(&array.points(&at).unwrap()), bits(&at.iter().map(|&at| whole[at]).collect::<Vec<_>>()), "{path}");
    }
}

/// A copy of a twin in which the bytes of a chunk were changed.
#[test]
fn a_damaged_chunk_is_named_and_the_others_still_read() {
    let source = twin("bulk_damage.h5");
    if !source.exists() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged.h5");
    let mut bytes = std::fs::read(&source).unwrap();
    // The second chunk of /gzip starts with zlib's head and stands where the file says; find it by decoding what is there.
    let heads: Vec<usize> = (0..bytes.len() - 1).filter(|&at| bytes[at] == 0x78 && bytes[at + 1] == 0x5e).collect();
    let second = heads[1];
    bytes[second + 40] ^= 0x55;
    std::fs::write(&path, &bytes).unwrap();
    let file = File::open(&path).unwrap();
    let array = file.array("/gzip").unwrap();
    assert!(array.is_bulk());
    let mut values = vec![0.0; 3000];
    let error = array.columns(0..3000, &[0], Layout::TimeFirst, &mut values, |_, value| value).unwrap_err();
    assert_eq!(error.kind, "damaged");
    for part in ["damaged.h5", "/gzip", "the chunk from element (1000) on", "corrupt"] {
        assert!(error.to_string().contains(part), "`{part}` is missing in: {error}");
    }
    let mut values = vec![0.0; 1000];
    assert!(array.columns(2000..3000, &[0], Layout::TimeFirst, &mut values, |_, value| value).unwrap());
    assert_eq!(bits(&values), bits(&array.block_by_library(&[2000..3000]).unwrap()));
}
