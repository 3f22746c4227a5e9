//! Persistent cohomology of one dimension: which simplices are reduced, and their reduction.
//!
//! De Silva, Morozov, Vejdemo-Johansson, *Dualities in persistent (co)homology* (Inverse Problems 2011), with clearing (Chen and
//! Kerber 2011), implicit coboundaries, emergent and apparent pairs as in Bauer, *Ripser: efficient computation of
//! Vietoris-Rips persistence barcodes* (J. Appl. Comput. Topol. 2021). Columns are simplices in reverse filtration order; a
//! column's pivot is its first cofacet in filtration order.

use super::field::Field;
use super::filtration::Edge;
use super::graph::{ABSENT, Graph};
use super::key::{CofacetIndices, Key, KeyMap, Numbering};
use super::queue::{Entry, Queue};

/// The complex: a graph and the numbering of its simplices.
pub(crate) struct Complex<'a, G, K> {
    /// Edges with ranks.
    pub(crate) graph: &'a G,
    /// Numbers of simplices.
    pub(crate) numbering: &'a Numbering<K>,
}

/// A pair of ranks: birth, and death where there is one.
pub(crate) type RankPair = (i32, Option<i32>);

/// Pivots of a reduced dimension: the column that each belongs to, and the pivot's coefficient there.
pub(crate) type Pivots<K, C> = KeyMap<K, (u32, C)>;

/// The reduction grew beyond so many bytes.
pub(crate) struct Overgrown(pub(crate) u64);

impl<G: Graph, K: Key> Complex<'_, G, K> {
    /// The edges that close cycles and are in no apparent pair, in reverse filtration order.
    pub(crate) fn edge_columns(&self, cycles: &[Edge]) -> Vec<K> {
        let open = cycles.iter().rev().filter(|edge| !self.has_apparent_cofacet(&[edge.i, edge.j], edge.rank));
        open.map(|edge| self.numbering.key(edge.rank, self.numbering.index(&[edge.i, edge.j]))).collect()
    }

    /// The `dim`-simplices (`dim >= 2`) that are neither cleared nor in an apparent pair, in reverse filtration order.
    ///
    /// # Errors
    /// When they take more than `limit` bytes.
    pub(crate) fn columns<C>(&self, n: usize, dim: usize, cleared: &Pivots<K, C>, limit: u64) -> Result<Vec<K>, Overgrown> {
        let mut columns = Vec::new();
        let mut levels: Vec<Vec<(u32, i32)>> = vec![Vec::new(); dim + 1];
        let mut vertices = Vec::with_capacity(dim + 1);
        for v in (dim as u32..n as u32).rev() {
            vertices.push(v);
            self.descend(&mut vertices, -1, dim, &mut levels, &mut |vertices, rank| {
                if !self.has_apparent_cofacet(vertices, rank) && self.apparent_facet(vertices, rank).is_none() {
                    let key = self.numbering.key(rank, self.numbering.index(vertices));
                    if !cleared.contains_key(&key) {
                        columns.push(key);
                    }
                }
            });
            vertices.pop();
            let bytes = (columns.capacity() * size_of::<K>()) as u64;
            if bytes > limit {
                return Err(Overgrown(bytes));
            }
        }
        columns.sort_unstable_by(|a, b| b.cmp(a));
        Ok(columns)
    }

    /// Visits all `dim`-simplices that extend `vertices` (descending) by smaller vertices.
    fn descend(&self, vertices: &mut Vec<u32>, rank: i32, dim: usize, levels: &mut [Vec<(u32, i32)>], visit: &mut impl FnMut(&[u32], i32)) {
        let level = vertices.len();
        if level == dim + 1 {
            visit(vertices, rank);
            return;
        }
        let mut candidates = std::mem::take(&mut levels[level]);
        candidates.clear();
        self.graph.common(vertices, vertices[level - 1], ABSENT - 1, |w, highest| {
            candidates.push((w, highest));
            true
        });
        for &(w, highest) in &candidates {
            vertices.push(w);
            self.descend(vertices, rank.max(highest), dim, levels, visit);
            vertices.pop();
        }
        levels[level] = candidates;
    }

    /// The largest rank of an edge of `vertices` without the one at position `without`.
    #[inline]
    fn diameter(&self, vertices: &[u32], without: usize) -> i32 {
        let mut diameter = -1;
        for (a, &u) in vertices.iter().enumerate() {
            for (b, &v) in vertices[..a].iter().enumerate() {
                if a != without && b != without {
                    diameter = diameter.max(self.graph.rank(u, v));
                }
            }
        }
        diameter
    }

    /// Whether the simplex and its first cofacet have one diameter, and it is that cofacet's last facet.
    #[inline]
    fn has_apparent_cofacet(&self, vertices: &[u32], rank: i32) -> bool {
        let Some(w) = self.graph.top_within(vertices, rank) else { return false };
        // The cofacet's facets with a smaller index leave out a vertex above w: none may keep the diameter.
        (0..vertices.len()).take_while(|&at| vertices[at] > w).all(|at| {
            let shared = self.diameter(vertices, at);
            let new = vertices.iter().enumerate().filter(|&(other, _)| other != at).map(|(_, &v)| self.graph.rank(v, w)).max();
            shared.max(new.unwrap_or(-1)) < rank
        })
    }

    /// The position of the vertex whose removal gives the simplex that this one is in an apparent pair with, if it is in one.
    #[inline]
    fn apparent_facet(&self, vertices: &[u32], rank: i32) -> Option<usize> {
        let at = (0..vertices.len()).find(|&at| self.diameter(vertices, at) == rank)?;
        let mut facet = [0; super::MAX_DIM + 2];
        let facet = &mut facet[..vertices.len() - 1];
        facet[..at].copy_from_slice(&vertices[..at]);
        facet[at..].copy_from_slice(&vertices[at + 1..]);
        (self.graph.top_within(facet, rank) == Some(vertices[at])).then_some(at)
    }
}

/// The state of one dimension's reduction.
pub(crate) struct Reduction<'a, G, K: Key, F: Field> {
    complex: &'a Complex<'a, G, K>,
    field: F,
    /// Pivot of each reduced column.
    pub(crate) pivots: Pivots<K, F::Coefficient>,
    /// What was added to each column, column after column, the column itself (with coefficient 1) left out.
    added: Vec<Entry<K, F::Coefficient>>,
    bounds: Vec<usize>,
    queue: Queue<K, F::Coefficient>,
    /// Vertices of the simplex whose cofacets are asked for, and of the pivot.
    simplex: Vec<u32>,
    pivot_vertices: Vec<u32>,
}

impl<'a, G: Graph, K: Key, F: Field> Reduction<'a, G, K, F> {
    /// An empty reduction of `dim`-simplices.
    pub(crate) fn new(complex: &'a Complex<'a, G, K>, field: F, dim: usize) -> Self {
        Self {
            complex,
            field,
            pivots: Pivots::default(),
            added: Vec::new(),
            bounds: vec![0],
            queue: Queue::new(),
            simplex: vec![0; dim + 1],
            pivot_vertices: vec![0; dim + 2],
        }
    }

    /// Reduces the columns in order and returns the pairs of positive persistence.
    ///
    /// # Errors
    /// When the reduction's memory grows beyond `limit` bytes.
    pub(crate) fn run(&mut self, columns: &[K], limit: u64) -> Result<Vec<RankPair>, Overgrown> {
        /// Columns between two looks at the memory in use.
        const BETWEEN_CHECKS: usize = 64;
        let mut pairs = Vec::new();
        for (at, &column) in columns.iter().enumerate() {
            let birth = self.complex.numbering.rank(column);
            match self.reduce(at, columns) {
                None => pairs.push((birth, None)),
                Some(pivot) => {
                    let death = self.complex.numbering.rank(pivot.key);
                    if death > birth {
                        pairs.push((birth, Some(death)));
                    }
                    self.pivots.insert(pivot.key, (at as u32, pivot.coefficient));
                }
            }
            if at % BETWEEN_CHECKS == 0 && self.bytes() > limit {
                return Err(Overgrown(self.bytes()));
            }
        }
        Ok(pairs)
    }

    fn bytes(&self) -> u64 {
        let entries = self.added.capacity() + self.queue.capacity();
        let pivot = size_of::<(K, (u32, F::Coefficient))>() + 1;
        (entries * size_of::<Entry<K, F::Coefficient>>() + self.pivots.capacity() * pivot + self.bounds.capacity() * size_of::<usize>())
            as u64
    }

    /// Reduces one column; the answer is its pivot, or none where the class never dies.
    fn reduce(&mut self, at: usize, columns: &[K]) -> Option<Entry<K, F::Coefficient>> {
        let column = columns[at];
        let one = self.field.sign(false);
        let start = self.added.len();
        self.queue.clear();
        let mut pivot = match self.emergent_pivot(column) {
            Some(pivot) => Some(pivot),
            None => {
                self.push_cofacets(column, one, None);
                self.pop()
            }
        };
        while let Some(found) = pivot {
            if let Some(&(other, coefficient)) = self.pivots.get(&found.key) {
                let factor = self.field.cancel(found.coefficient, coefficient);
                let other = other as usize;
                self.add(columns[other], factor, found.key);
                for index in self.bounds[other]..self.bounds[other + 1] {
                    let entry = self.added[index];
                    self.add(entry.key, self.field.mul(entry.coefficient, factor), found.key);
                }
            } else if let Some((facet, sign)) = self.apparent_facet_of(found.key) {
                let factor = self.field.cancel(found.coefficient, sign);
                self.add(facet, factor, found.key);
            } else {
                break;
            }
            pivot = self.pop();
        }
        self.compress(start);
        self.bounds.push(self.added.len());
        pivot
    }

    /// Adds a multiple of a simplex's coboundary and notes that it was added.
    fn add(&mut self, simplex: K, factor: F::Coefficient, pivot: K) {
        self.added.push(Entry { key: simplex, coefficient: factor });
        self.push_cofacets(simplex, factor, Some(pivot));
    }

    /// Pushes the cofacets of a simplex. Up to `pivot` the whole sum vanishes, so those entries need not be seen.
    fn push_cofacets(&mut self, simplex: K, factor: F::Coefficient, pivot: Option<K>) {
        let Complex { graph, numbering } = *self.complex;
        let rank = numbering.rank(simplex);
        numbering.vertices(simplex, &mut self.simplex);
        let mut indices = CofacetIndices::new(numbering, &self.simplex);
        let (queue, field) = (&mut self.queue, self.field);
        let lowest = pivot.map_or(-1, |key| numbering.rank(key));
        graph.common(&self.simplex, u32::MAX, ABSENT - 1, |w, highest| {
            let highest = highest.max(rank);
            if highest >= lowest {
                let (index, odd) = indices.with(w);
                let key = numbering.key(highest, index);
                if pivot.is_none_or(|pivot| key > pivot) {
                    queue.push(Entry { key, coefficient: field.mul(field.sign(odd), factor) });
                }
            }
            true
        });
    }

    /// Takes the first simplex with a non-zero coefficient.
    fn pop(&mut self) -> Option<Entry<K, F::Coefficient>> {
        let field = self.field;
        self.queue.pop(|a, b| field.add(a, b))
    }

    /// The first cofacet, where it has the diameter of the simplex and is no other column's pivot: no reduction is needed then.
    fn emergent_pivot(&mut self, simplex: K) -> Option<Entry<K, F::Coefficient>> {
        let Complex { graph, numbering } = *self.complex;
        let rank = numbering.rank(simplex);
        numbering.vertices(simplex, &mut self.simplex);
        let w = graph.top_within(&self.simplex, rank)?;
        let (index, odd) = CofacetIndices::new(numbering, &self.simplex).with(w);
        let key = numbering.key(rank, index);
        let free = !self.pivots.contains_key(&key) && self.apparent_facet_of(key).is_none();
        free.then(|| Entry { key, coefficient: self.field.sign(odd) })
    }

    /// The simplex that this cofacet is in an apparent pair with, and the cofacet's coefficient in its coboundary.
    fn apparent_facet_of(&mut self, cofacet: K) -> Option<(K, F::Coefficient)> {
        let numbering = self.complex.numbering;
        let rank = numbering.rank(cofacet);
        numbering.vertices(cofacet, &mut self.pivot_vertices);
        let at = self.complex.apparent_facet(&self.pivot_vertices, rank)?;
        let below = self.pivot_vertices.len() - 1 - at;
        self.pivot_vertices.remove(at);
        let facet = numbering.key(rank, numbering.index(&self.pivot_vertices));
        self.pivot_vertices.push(0);
        Some((facet, self.field.sign(below & 1 == 1)))
    }

    /// Sums up what was added since `start`.
    fn compress(&mut self, start: usize) {
        self.added[start..].sort_unstable_by_key(|entry| entry.key);
        let mut kept = start;
        let mut from = start;
        while from < self.added.len() {
            let key = self.added[from].key;
            let mut sum = Some(self.added[from].coefficient);
            from += 1;
            while from < self.added.len() && self.added[from].key == key {
                let next = self.added[from].coefficient;
                sum = sum.map_or(Some(next), |sum| self.field.add(sum, next));
                from += 1;
            }
            if let Some(coefficient) = sum {
                self.added[kept] = Entry { key, coefficient };
                kept += 1;
            }
        }
        self.added.truncate(kept);
    }
}
