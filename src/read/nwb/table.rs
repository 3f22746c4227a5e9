//! Dynamic tables: units, electrodes, trials.

use crate::read::ReadError;
use crate::read::filter::Column;
use crate::read::hdf5::{Array, File, Kind, join};

/// A table of a file; its cells are unread.
#[derive(Debug, Clone)]
pub struct Table {
    /// Its path.
    pub path: String,
    /// Its columns in the file's order, ids and indices left out.
    pub columns: Vec<String>,
    /// Columns that it lists and does not have.
    pub missing: Vec<String>,
    /// Columns with one number, text or truth value a row.
    pub plain: Vec<String>,
    /// Number of rows.
    pub rows: usize,
}

impl Table {
    /// The table at `path`: a group with `id` or `colnames`.
    pub fn open(file: &File, path: &str) -> Option<Self> {
        let members = file.members(path);
        let arrays: Vec<&str> = members.iter().filter(|member| member.kind == Kind::Dataset).map(|member| member.name.as_str()).collect();
        let listed = file.text_attributes(path, "colnames").unwrap_or_default();
        if !arrays.contains(&"id") && listed.is_empty() {
            return None;
        }
        let is_index = |name: &str| name.strip_suffix("_index").is_some_and(|of| arrays.contains(&of));
        let (mut columns, missing): (Vec<String>, Vec<String>) = listed.into_iter().partition(|name| arrays.contains(&name.as_str()));
        let unlisted = arrays.iter().filter(|name| **name != "id" && !is_index(name) && !columns.iter().any(|column| column == *name));
        let unlisted: Vec<String> = unlisted.map(|&name| name.to_owned()).collect();
        columns.extend(unlisted);
        let ragged = |name: &str| arrays.iter().any(|array| array.strip_suffix("_index") == Some(name));
        let length = |name: &str| file.array(&join(path, name)).and_then(|array| array.shape.first().copied());
        let ids = || file.array(&join(path, "id")).filter(|array| !array.shape.is_empty()).map(|array| array.len());
        let rows = ids()
            .or_else(|| columns.iter().find(|name| ragged(name)).and_then(|name| length(&format!("{name}_index"))))
            .or_else(|| columns.iter().find_map(|name| length(name)))
            .unwrap_or(0);
        let plain =
            columns.iter().filter(|name| !ragged(name) && file.array(&join(path, name)).is_some_and(|array| is_plain(&array, rows)));
        let plain = plain.cloned().collect();
        Some(Self { path: path.to_owned(), columns, missing, plain, rows })
    }

    /// Whether it has a column of this name.
    pub fn has(&self, name: &str) -> bool {
        self.columns.iter().any(|column| column == name)
    }

    /// A column with one cell a row.
    ///
    /// # Errors
    /// `bad-value` when there is none of that name or it is ragged; as [`Array::numbers`].
    pub fn column(&self, file: &File, name: &str) -> Result<Column, ReadError> {
        let error = |what: String| file.error("bad-value", what).at(&self.path).hint(format!("its columns: {}", self.columns.join(", ")));
        let Some(array) = file.array(&join(&self.path, name)) else { return Err(error(format!("there is no column `{name}`"))) };
        if name != "id" && !self.plain.iter().any(|column| column == name) {
            return Err(error(format!("column `{name}` does not hold one number or text a row")));
        }
        read(&array)
    }

    /// The ids of its rows; row numbers where it has none.
    ///
    /// # Errors
    /// As [`Array::numbers`].
    pub fn ids(&self, file: &File) -> Result<Vec<i64>, ReadError> {
        match file.array(&join(&self.path, "id")) {
            Some(array) if array.element.is_number() => array.integers(),
            _ => Ok((0..self.rows as i64).collect()),
        }
    }
}

/// One value a row: `(rows)`, or as MATLAB and others write it `(rows, 1)` or `(1, rows)`.
fn is_plain(array: &Array, rows: usize) -> bool {
    use crate::read::hdf5::Element;
    array.is_vector() && array.len() == rows && array.element != Element::Other
}

fn read(array: &Array) -> Result<Column, ReadError> {
    use crate::read::hdf5::Element;
    Ok(match array.element {
        Element::Bool => Column::Bool(array.numbers()?.into_iter().map(|cell| cell != 0.0).collect()),
        _ if array.element.is_text() => Column::Text(array.texts()?.into_iter().map(|cell| (!cell.is_empty()).then_some(cell)).collect()),
        _ => Column::Number(array.numbers()?),
    })
}
