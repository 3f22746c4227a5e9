//! Prints the Rips diagrams of an `.npy` file as CSV: `rips FILE MAX_DIM [THRESHOLD|enclosing] [MODULUS] [collapse|plain] [LAYOUT]`.
//!
//! A matrix is points (one a row), a vector the lower triangle of a distance matrix. The benchmarks and the random comparison
//! with other programs run it.

use ndarray::{Array1, Array2};
use std::error::Error;
use std::io::Write;
use std::time::Instant;
use tcs_batch::data::{DistanceMatrix, Points};
use tcs_batch::homology::{Collapse, Layout, Rips, Threshold};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |at: usize| arguments.get(at).map(String::as_str);
    let path = argument(0).ok_or("which .npy file?")?;
    let start = Instant::now();
    let input = read(path)?;
    let rips = match &input {
        Input::Points(points) => Rips::points(points),
        Input::Distances(matrix) => Rips::distances(matrix),
    };
    let threshold = match argument(2) {
        None | Some("enclosing") => Threshold::Enclosing,
        Some(number) => Threshold::At(number.parse()?),
    };
    let collapse = match argument(4) {
        Some("collapse") => Collapse::Always,
        Some("plain") => Collapse::Never,
        _ => Collapse::Auto,
    };
    let layout = match argument(5) {
        Some("dense") => Layout::Dense,
        Some("bits") => Layout::Bits,
        Some("sparse") => Layout::Sparse,
        _ => Layout::Auto,
    };
    let max_dim = argument(1).map_or(Ok(1), str::parse)?;
    let modulus = argument(3).map_or(Ok(2), str::parse)?;
    let rips = rips.max_dim(max_dim).threshold(threshold).modulus(modulus).collapse(collapse).layout(layout);
    let diagrams = rips.compute()?;
    let seconds = start.elapsed().as_secs_f64();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    writeln!(out, "dim,birth,death")?;
    for (dim, pairs) in diagrams.by_dim.iter().enumerate() {
        for pair in pairs {
            writeln!(out, "{dim},{},{}", pair.birth, pair.death)?;
        }
    }
    eprintln!("{seconds:.6} s, threshold {}", diagrams.threshold);
    Ok(())
}

enum Input {
    Points(Points),
    Distances(DistanceMatrix),
}

fn read(path: &str) -> Result<Input, Box<dyn Error>> {
    if let Ok(matrix) = ndarray_npy::read_npy::<_, Array2<f64>>(path) {
        let dim = matrix.ncols();
        return Ok(Input::Points(Points::new(matrix.iter().copied().collect(), dim)?));
    }
    if let Ok(matrix) = ndarray_npy::read_npy::<_, Array2<f32>>(path) {
        let dim = matrix.ncols();
        return Ok(Input::Points(Points::new(matrix.iter().map(|&value| f64::from(value)).collect(), dim)?));
    }
    let lower: Array1<f64> = ndarray_npy::read_npy(path)?;
    let n = (1.0 + (1.0 + 8.0 * lower.len() as f64).sqrt()) as usize / 2;
    Ok(Input::Distances(DistanceMatrix::from_lower(n, lower.to_vec())?))
}
