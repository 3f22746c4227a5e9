//! Point clouds and finite metric spaces.

use super::DataError;
use serde::{Deserialize, Serialize};

/// `n` points in `dim` coordinates, point after point; all finite.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Points {
    dim: usize,
    values: Vec<f64>,
}

impl Points {
    /// Makes a cloud from `values[point * dim + coordinate]`.
    ///
    /// # Errors
    /// When `dim` is 0, the values do not fill the points, or a coordinate is not finite (the point and coordinate are named).
    pub fn new(values: Vec<f64>, dim: usize) -> Result<Self, DataError> {
        if dim == 0 || !values.len().is_multiple_of(dim) {
            return Err(DataError::new(format!("{} values do not fill points of {dim} coordinates", values.len())));
        }
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            return Err(DataError::new(format!("point {} holds {} in coordinate {}", at / dim, values[at], at % dim)));
        }
        Ok(Self { dim, values })
    }

    /// Number of points.
    pub fn len(&self) -> usize {
        self.values.len() / self.dim
    }
    /// Whether there is no point.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
    /// Coordinates a point.
    pub fn dim(&self) -> usize {
        self.dim
    }
    /// One point's coordinates.
    pub fn point(&self, index: usize) -> &[f64] {
        &self.values[index * self.dim..(index + 1) * self.dim]
    }
    /// All points in order.
    pub fn iter(&self) -> impl Iterator<Item = &[f64]> {
        self.values.chunks_exact(self.dim)
    }
    /// All coordinates, point after point.
    pub fn values(&self) -> &[f64] {
        &self.values
    }
    /// The points at `indices`, in that order.
    pub fn select(&self, indices: &[usize]) -> Self {
        let values = indices.iter().flat_map(|&index| self.point(index).iter().copied()).collect();
        Self { dim: self.dim, values }
    }
}

/// Distances between `n` points: the lower triangle without the diagonal, row by row
/// (`d(1,0), d(2,0), d(2,1), …`). Finite and not negative; the triangle inequality is not asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DistanceMatrix {
    n: usize,
    lower: Vec<f64>,
}

impl DistanceMatrix {
    /// Takes the lower triangle of an `n` × `n` matrix.
    ///
    /// # Errors
    /// When the length is not `n (n - 1) / 2`, or a distance is negative or not finite (its row and column are named).
    pub fn from_lower(n: usize, lower: Vec<f64>) -> Result<Self, DataError> {
        if lower.len() != n * n.saturating_sub(1) / 2 {
            return Err(DataError::new(format!("{} values are not the lower triangle of a {n} × {n} matrix", lower.len())));
        }
        let mut at = 0;
        for row in 1..n {
            for column in 0..row {
                let distance = lower[at];
                if !(distance.is_finite() && distance >= 0.0) {
                    return Err(DataError::new(format!("the distance in row {row}, column {column} is {distance}")));
                }
                at += 1;
            }
        }
        Ok(Self { n, lower })
    }

    /// Takes a full square matrix, row by row.
    ///
    /// # Errors
    /// When it is not square, not symmetric (relative 1e-9), its diagonal is not 0, or a distance is negative or not finite.
    pub fn from_square(n: usize, square: &[f64]) -> Result<Self, DataError> {
        if square.len() != n * n {
            return Err(DataError::new(format!("{} values are not a {n} × {n} matrix", square.len())));
        }
        for row in 0..n {
            let own = square[row * n + row];
            if own != 0.0 {
                return Err(DataError::new(format!("the diagonal must be 0, but row {row} holds {own}")));
            }
            for column in 0..row {
                let (a, b) = (square[row * n + column], square[column * n + row]);
                if (a - b).abs() > 1e-9 * a.abs().max(b.abs()) {
                    return Err(DataError::new(format!(
                        "the matrix is not symmetric: row {row}, column {column} holds {a}, its mirror {b}"
                    )));
                }
            }
        }
        let lower = (1..n).flat_map(|row| square[row * n..row * n + row].iter().copied()).collect();
        Self::from_lower(n, lower)
    }

    /// Number of points.
    pub fn len(&self) -> usize {
        self.n
    }
    /// Whether there is no point.
    pub fn is_empty(&self) -> bool {
        self.n == 0
    }
    /// The lower triangle without the diagonal, row by row.
    pub fn lower(&self) -> &[f64] {
        &self.lower
    }
    /// The distance between two points.
    pub fn get(&self, i: usize, j: usize) -> f64 {
        match i.cmp(&j) {
            std::cmp::Ordering::Equal => 0.0,
            std::cmp::Ordering::Greater => self.lower[i * (i - 1) / 2 + j],
            std::cmp::Ordering::Less => self.lower[j * (j - 1) / 2 + i],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn square_and_lower_agree() {
        let square = [0.0, 1.0, 2.0, 1.0, 0.0, 3.0, 2.0, 3.0, 0.0];
        let matrix = DistanceMatrix::from_square(3, &square).unwrap();
        assert_eq!(matrix.lower(), [1.0, 2.0, 3.0]);
        assert_eq!(matrix.get(1, 2), 3.0);
    }

    #[test]
    fn bad_matrices_name_the_place() {
        assert!(DistanceMatrix::from_square(2, &[0.0, 1.0, 2.0, 0.0]).unwrap_err().to_string().contains("row 1, column 0"));
        assert!(DistanceMatrix::from_lower(2, vec![-1.0]).unwrap_err().to_string().contains("-1"));
        assert!(Points::new(vec![0.0, f64::NAN], 2).unwrap_err().to_string().contains("point 0"));
    }
}
