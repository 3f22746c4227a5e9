//! Vietoris-Rips persistent homology of a finite metric space.
//!
//! An edge enters at its length, a higher simplex with its longest edge; coefficients are a prime field. The semantics are
//! Ripser's (Bauer, *Ripser: efficient computation of Vietoris-Rips persistence barcodes*, J. Appl. Comput. Topol. 2021): values
//! are edge lengths, pairs of zero persistence are left out, `death = +inf` marks a class alive at the threshold.

mod collapse;
mod field;
mod filtration;
mod graph;
mod key;
mod queue;
mod reduce;

use super::HomologyError;
use crate::data::{Diagrams, DistanceMatrix, Pair, Points};
use field::{Field, Prime, Two};
use filtration::{Edge, Filtration, Input, Rows};
use graph::{Bits, Dense, Graph, Sparse};
use key::{Key, Numbering};
use reduce::{Complex, Overgrown, Pivots, RankPair, Reduction};

/// The highest homology dimension that can be asked for.
pub const MAX_DIM: usize = 30;

/// Up to which edge length the complex is built.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Threshold {
    /// The enclosing radius, `min_i max_j d(i, j)`: nothing happens beyond it, so nothing is lost.
    #[default]
    Enclosing,
    /// This length; classes alive at it get `death = +inf`.
    At(f64),
    /// No bound. The diagrams are those of [`Threshold::Enclosing`].
    Infinite,
}

/// Whether edges are collapsed before the computation (which changes no diagram).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Collapse {
    /// Where it usually pays: for dimensions 2 and above.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How the neighbourhood graph is stored (which changes no diagram).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Layout {
    /// By the number of points and edges.
    #[default]
    Auto,
    /// A matrix, scanned row by row.
    Dense,
    /// A matrix with a bit for each edge.
    Bits,
    /// Sorted neighbour lists: memory grows with the edges, not with the square of the points.
    Sparse,
}

/// A Vietoris-Rips computation, made step by step.
///
/// ```
/// use tcs_batch::data::Points;
/// use tcs_batch::homology::Rips;
///
/// let square = Points::new(vec![0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0], 2)?;
/// let diagrams = Rips::points(&square).max_dim(1).compute()?;
/// let hole = diagrams.by_dim[1][0];
/// assert_eq!((hole.birth, hole.death), (1.0, 2.0_f64.sqrt()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy)]
#[must_use = "nothing is computed before `compute`"]
pub struct Rips<'a> {
    input: Input<'a>,
    max_dim: usize,
    threshold: Threshold,
    modulus: u16,
    memory_limit_bytes: Option<u64>,
    collapse: Collapse,
    layout: Layout,
}

impl<'a> Rips<'a> {
    /// The Rips filtration of points with the Euclidean metric, up to dimension 1 and the enclosing radius, over Z/2.
    pub fn points(points: &'a Points) -> Self {
        Self::new(Input::Points(points))
    }

    /// The Rips filtration of a distance matrix, with the same defaults. The triangle inequality is not needed.
    pub fn distances(matrix: &'a DistanceMatrix) -> Self {
        Self::new(Input::Distances(matrix))
    }

    fn new(input: Input<'a>) -> Self {
        let (collapse, layout) = (Collapse::Auto, Layout::Auto);
        Self { input, max_dim: 1, threshold: Threshold::Enclosing, modulus: 2, memory_limit_bytes: None, collapse, layout }
    }

    /// The highest homology dimension, at most [`MAX_DIM`].
    pub fn max_dim(mut self, max_dim: usize) -> Self {
        self.max_dim = max_dim;
        self
    }
    /// The edge length up to which the complex is built.
    pub fn threshold(mut self, threshold: Threshold) -> Self {
        self.threshold = threshold;
        self
    }
    /// The prime number of elements of the coefficient field.
    pub fn modulus(mut self, modulus: u16) -> Self {
        self.modulus = modulus;
        self
    }
    /// Refuse, with advice, rather than use (about) more memory than this.
    pub fn memory_limit_bytes(mut self, bytes: u64) -> Self {
        self.memory_limit_bytes = Some(bytes);
        self
    }
    /// Whether edges are collapsed first.
    pub fn collapse(mut self, collapse: Collapse) -> Self {
        self.collapse = collapse;
        self
    }
    /// How the graph is stored.
    pub fn layout(mut self, layout: Layout) -> Self {
        self.layout = layout;
        self
    }

    /// Computes the diagrams in dimensions `0..=max_dim`.
    ///
    /// # Errors
    /// When the modulus is not prime, the threshold is negative or NaN, `max_dim` exceeds [`MAX_DIM`], simplices do not fit
    /// 128-bit numbers, or the memory limit would be passed.
    pub fn compute(self) -> Result<Diagrams, HomologyError> {
        if !field::is_prime(self.modulus) {
            return Err(HomologyError::Modulus(self.modulus));
        }
        if self.max_dim > MAX_DIM {
            return Err(HomologyError::Dimension(self.max_dim));
        }
        if let Threshold::At(value) = self.threshold
            && (value.is_nan() || value < 0.0)
        {
            return Err(HomologyError::Threshold(value));
        }
        let rows = Rows::new(self.input);
        let (reported, threshold) = match self.threshold {
            // Beyond the enclosing radius nothing happens, so a larger threshold would only cost time.
            Threshold::At(value) if value <= rows.least_enclosing_radius() => (value, value),
            Threshold::At(value) => (value, value.min(rows.enclosing_radius())),
            Threshold::Infinite => (f64::INFINITY, rows.enclosing_radius()),
            Threshold::Enclosing => {
                let radius = rows.enclosing_radius();
                (radius, radius)
            }
        };
        let edge_count = self.check_edges(&rows, threshold)?;
        let filtration = rows.filtration(threshold, edge_count);
        let mut by_dim = self.by_dim(filtration)?;
        for pairs in &mut by_dim {
            pairs.sort_unstable_by(|a, b| a.birth.total_cmp(&b.birth).then(a.death.total_cmp(&b.death)));
        }
        Ok(Diagrams { by_dim, threshold: reported, n_points: rows.n(), covering_radius: None })
    }

    /// Refuses edges that would not fit; the answer is their number where it was counted.
    fn check_edges(&self, rows: &Rows<'_>, threshold: f64) -> Result<usize, HomologyError> {
        /// Sort key, edge, cycle edge, value and two entries of a neighbour list.
        const BYTES_PER_EDGE: u64 = 16 + 12 + 12 + 8 + 16;
        let n = rows.n();
        let pairs = (n as u64).saturating_mul(n as u64) / 2;
        if self.memory_limit_bytes.is_none() && pairs < i32::MAX as u64 {
            return Ok(0);
        }
        let edges = rows.count_within(threshold);
        let limit_bytes = self.memory_limit_bytes.unwrap_or(u64::MAX).min(BYTES_PER_EDGE * (i32::MAX as u64 - 1));
        let needed_bytes = edges * BYTES_PER_EDGE;
        if needed_bytes <= limit_bytes {
            return Ok(edges as usize);
        }
        let share = limit_bytes as f64 / needed_bytes as f64;
        Err(HomologyError::Memory {
            what: format!("the list of {edges} edges between {n} points"),
            needed_bytes,
            limit_bytes,
            landmarks: (n as f64 * share.sqrt()) as usize,
            threshold: rows.quantile(share * edges as f64 / pairs as f64),
        })
    }

    fn by_dim(&self, mut filtration: Filtration) -> Result<Vec<Vec<Pair>>, HomologyError> {
        let n = filtration.n;
        let mut by_dim = vec![Vec::new(); self.max_dim + 1];
        let (pairs, mut cycles) = filtration::kruskal(&filtration);
        by_dim[0] = pairs;
        // n points span no cycle above dimension n - 2.
        let top = self.max_dim.min(n.saturating_sub(2));
        if top == 0 || cycles.is_empty() {
            return Ok(by_dim);
        }
        let scope = self.scope(n, top, filtration.values.len())?;
        if self.collapses(n) {
            filtration.edges = collapse::collapse(&filtration);
            cycles = filtration::kruskal(&filtration).1;
        }
        let higher = self.higher(&scope, &filtration.edges, &cycles)?;
        for (pairs, ranks) in by_dim[1..].iter_mut().zip(higher) {
            pairs.extend(ranks.into_iter().map(|(birth, death)| Pair {
                birth: filtration.values[birth as usize],
                death: death.map_or(f64::INFINITY, |rank| filtration.values[rank as usize]),
            }));
        }
        Ok(by_dim)
    }

    /// The widths of the numbers of simplices, or the error that says how many points would fit.
    fn scope(&self, n: usize, top: usize, n_ranks: usize) -> Result<Scope, HomologyError> {
        let rank_bits = usize::BITS - n_ranks.leading_zeros();
        let key_bits = |n: usize| key::index_bits(n, top + 2).map(|bits| (bits, bits + rank_bits));
        if let Some((index_bits, key_bits)) = key_bits(n)
            && key_bits <= u128::BITS
        {
            return Ok(Scope { n, top, index_bits, key_bits });
        }
        let (mut low, mut high) = (1, n);
        while low + 1 < high {
            let middle = usize::midpoint(low, high);
            if key_bits(middle).is_some_and(|(_, bits)| bits <= u128::BITS) { low = middle } else { high = middle }
        }
        let bits = key_bits(n).map_or(u128::BITS + 1, |(_, bits)| bits);
        Err(HomologyError::TooLarge { n_points: n, max_dim: self.max_dim, bits, max_points: low })
    }

    fn collapses(&self, n: usize) -> bool {
        /// Above this the collapse's matrix is large and its time grows with the number of edges times the neighbours squared.
        const MOST_POINTS: usize = 8192;
        match self.collapse {
            Collapse::Auto => {
                let fits = self.memory_limit_bytes.is_none_or(|limit| (4 * n * n) as u64 <= limit / 2);
                self.max_dim >= 2 && n <= MOST_POINTS && fits
            }
            Collapse::Always => true,
            Collapse::Never => false,
        }
    }

    /// Dimensions `1..=top`, by the layout that fits.
    fn higher(&self, scope: &Scope, edges: &[Edge], cycles: &[Edge]) -> Result<Vec<Vec<RankPair>>, HomologyError> {
        match self.pick_layout(scope.n, edges.len()) {
            Layout::Dense => self.with_graph(&Dense::new(scope.n, edges), scope, cycles),
            Layout::Bits => self.with_graph(&Bits::new(scope.n, edges), scope, cycles),
            Layout::Sparse | Layout::Auto => self.with_graph(&Sparse::new(scope.n, edges), scope, cycles),
        }
    }

    fn pick_layout(&self, n: usize, edges: usize) -> Layout {
        /// A matrix of 64 MiB is welcome, however few the edges.
        const ALWAYS_A_MATRIX: usize = 4096;
        /// Share of pairs: below it bits took 0.4 to 0.75 of the time of rows in dimension 2 (benches/topology/README.md) and
        /// about as long in dimension 1.
        const BITS_BELOW: f64 = 0.6;
        if self.layout != Layout::Auto {
            return self.layout;
        }
        let matrix_bytes = 4 * n * n;
        let fits = self.memory_limit_bytes.is_none_or(|limit| (matrix_bytes as u64) < limit / 2);
        if !fits || (n > ALWAYS_A_MATRIX && matrix_bytes > 32 * edges) {
            Layout::Sparse
        } else if (edges as f64) < BITS_BELOW * (n * (n - 1) / 2) as f64 {
            Layout::Bits
        } else {
            Layout::Dense
        }
    }

    /// Dimensions `1..=top`, by the narrowest number that holds a simplex.
    fn with_graph<G: Graph>(&self, graph: &G, scope: &Scope, cycles: &[Edge]) -> Result<Vec<Vec<RankPair>>, HomologyError> {
        if scope.key_bits <= u64::BITS {
            self.with_key(&Complex { graph, numbering: &Numbering::<u64>::new(scope.n, scope.top + 2, scope.index_bits) }, scope, cycles)
        } else {
            self.with_key(&Complex { graph, numbering: &Numbering::<u128>::new(scope.n, scope.top + 2, scope.index_bits) }, scope, cycles)
        }
    }

    fn with_key<G: Graph, K: Key>(
        &self,
        complex: &Complex<'_, G, K>,
        scope: &Scope,
        cycles: &[Edge],
    ) -> Result<Vec<Vec<RankPair>>, HomologyError> {
        match self.modulus {
            2 => self.dimensions(complex, Two, scope, cycles),
            p => self.dimensions(complex, Prime(p), scope, cycles),
        }
    }

    fn dimensions<G: Graph, K: Key, F: Field>(
        &self,
        complex: &Complex<'_, G, K>,
        field: F,
        scope: &Scope,
        cycles: &[Edge],
    ) -> Result<Vec<Vec<RankPair>>, HomologyError> {
        let (n, top) = (scope.n, scope.top);
        let limit = self.memory_limit_bytes.unwrap_or(u64::MAX);
        let columns_limit = limit.min(u64::from(u32::MAX) * size_of::<K>() as u64);
        let mut all = Vec::with_capacity(top);
        let mut pivots: Pivots<K, F::Coefficient> = Pivots::default();
        for dim in 1..=top {
            let columns = match dim {
                1 => complex.edge_columns(cycles),
                _ => complex.columns(n, dim, &pivots, columns_limit).map_err(|grown| self.overgrown(n, dim, &grown))?,
            };
            let mut reduction = Reduction::new(complex, field, dim);
            all.push(reduction.run(&columns, limit).map_err(|grown| self.overgrown(n, dim, &grown))?);
            pivots = reduction.pivots;
        }
        Ok(all)
    }

    fn overgrown(&self, n: usize, dim: usize, grown: &Overgrown) -> HomologyError {
        let limit_bytes = self.memory_limit_bytes.unwrap_or(u64::MAX);
        let share = limit_bytes as f64 / grown.0 as f64;
        HomologyError::Memory {
            what: format!("reducing dimension {dim} of {n} points"),
            needed_bytes: grown.0,
            limit_bytes,
            // Columns in dimension d are sets of d + 1 points.
            landmarks: (n as f64 * share.min(1.0).powf(1.0 / (dim as f64 + 1.0))) as usize,
            threshold: None,
        }
    }
}

/// How large the complex is, and how wide the numbers of its simplices are.
struct Scope {
    n: usize,
    /// The highest dimension with anything to compute.
    top: usize,
    index_bits: u32,
    /// Index and rank together.
    key_bits: u32,
}
