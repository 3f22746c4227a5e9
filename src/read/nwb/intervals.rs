//! Interval tables: those of NWB 2 and, in NWB 1.x, the groups under `/epochs` (one table) and stimuli given as frame numbers.

use super::table::Table;
use super::walk::{self, Node, Tree};
use crate::read::filter::{self, Column};
use crate::read::hdf5::{Array, File, Kind, absolute, join};
use crate::read::{Filter, ReadError};
use crate::spec::nearest;

/// An interval table of a file; its cells are unread.
#[derive(Debug)]
pub struct Intervals {
    /// Its path.
    pub path: String,
    /// Number of rows.
    pub rows: usize,
    /// Names of its columns in the file's order.
    pub columns: Vec<String>,
    source: Source,
}

#[derive(Debug)]
enum Source {
    /// NWB 2.
    Table(Table),
    /// NWB 1.x: names of the groups under `/epochs`.
    Epochs(Vec<String>),
    /// NWB 1.x: a stimulus whose `frame_duration` (row, 2) holds frame numbers of an imaging clock, and the clock's path.
    Frames { clock: String },
}

/// Columns that NWB 1.x epochs have.
const EPOCH_COLUMNS: [&str; 4] = ["name", "start_time", "stop_time", "description"];

impl Intervals {
    /// The table at `path`, if it is one.
    pub fn open(file: &File, path: &str) -> Option<Self> {
        if let Some(table) = Table::open(file, path) {
            let (rows, columns) = (table.rows, table.columns.clone());
            return Some(Self { path: path.to_owned(), rows, columns, source: Source::Table(table) });
        }
        Self::epochs(file, path).or_else(|| Self::frames(file, path))
    }

    fn epochs(file: &File, path: &str) -> Option<Self> {
        if path != "/epochs" {
            return None;
        }
        let groups = file.members(path).into_iter().filter(|member| member.kind == Kind::Group);
        let mut names: Vec<String> = groups.map(|member| member.name).collect();
        names.retain(|name| file.array(&join(&join(path, name), "start_time")).is_some());
        // Sweep_10 after Sweep_2.
        names.sort_by_key(|name| (name.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned(), name.len(), name.clone()));
        let described = names.iter().any(|name| file.array(&join(&join(path, name), "description")).is_some());
        let columns = EPOCH_COLUMNS.iter().take(if described { 4 } else { 3 }).map(|&name| name.to_owned()).collect();
        (!names.is_empty()).then(|| Self { path: path.to_owned(), rows: names.len(), columns, source: Source::Epochs(names) })
    }

    fn frames(file: &File, path: &str) -> Option<Self> {
        let frames = file.array(&join(path, "frame_duration")).filter(|frames| frames.element.is_number())?;
        let &[rows, 2] = frames.shape.as_slice() else { return None };
        let clock = imaging_clock(file)?;
        let mut columns = vec!["start_time".to_owned(), "stop_time".to_owned(), "start_frame".to_owned(), "stop_frame".to_owned()];
        match features(file, path) {
            Some(names) => columns.extend(names),
            None => columns.push("data".to_owned()),
        }
        Some(Self { path: path.to_owned(), rows, columns, source: Source::Frames { clock } })
    }

    /// A column with one cell a row.
    ///
    /// # Errors
    /// `bad-value` when there is none of that name (the columns are listed), or frames lie beyond the clock; as [`Array::numbers`].
    pub fn column(&self, file: &File, name: &str) -> Result<Column, ReadError> {
        if !self.columns.iter().any(|column| column == name) && name != "id" {
            let near = nearest(name, self.columns.iter().map(String::as_str));
            let meant = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
            let hint = format!("{meant}columns of its {} rows: {}", self.rows, self.columns.join(", "));
            return Err(file.error("bad-value", format!("the table has no column `{name}`")).at(&self.path).hint(hint));
        }
        match &self.source {
            Source::Table(table) => table.column(file, name),
            Source::Epochs(names) => Ok(epoch_column(file, &self.path, names, name)),
            Source::Frames { clock } => self.frame_column(file, clock, name),
        }
    }

    fn frame_column(&self, file: &File, clock: &str, name: &str) -> Result<Column, ReadError> {
        let array = |path: &str| file.array(path).ok_or_else(|| file.error("damaged", "the array is gone").at(path));
        let frames = || array(&join(&self.path, "frame_duration"))?.numbers();
        let side = usize::from(name.starts_with("stop"));
        match name {
            "id" => Ok(Column::Number((0..self.rows).map(|row| row as f64).collect())),
            "start_frame" | "stop_frame" => Ok(Column::Number(frames()?.chunks_exact(2).map(|pair| pair[side]).collect())),
            "start_time" | "stop_time" => {
                let times = array(clock)?.numbers()?;
                let time = |frame: f64| {
                    let found = if frame >= 0.0 { times.get(frame as usize) } else { None };
                    found.copied().ok_or_else(|| {
                        file.error("bad-value", format!("frame {frame} of an imaging clock of {} frames", times.len())).at(&self.path)
                    })
                };
                frames()?.chunks_exact(2).map(|pair| time(pair[side])).collect::<Result<_, _>>().map(Column::Number)
            }
            _ => {
                let data = array(&join(&self.path, "data"))?;
                let width = (data.len() / self.rows.max(1)).max(1);
                let at = features(file, &self.path).and_then(|names| names.iter().position(|known| known == name)).unwrap_or(0);
                let values = data.numbers()?;
                Ok(Column::Number(values.chunks_exact(width).map(|row| row.get(at).copied().unwrap_or(f64::NAN)).collect()))
            }
        }
    }
}

fn epoch_column(file: &File, path: &str, names: &[String], column: &str) -> Column {
    let member = |name: &String| join(&join(path, name), column);
    match column {
        "id" => Column::Number((0..names.len()).map(|row| row as f64).collect()),
        "name" => Column::Text(names.iter().cloned().map(Some).collect()),
        "description" => Column::Text(names.iter().map(|name| file.text(&member(name))).collect()),
        _ => {
            let time = |name: &String| file.array(&member(name)).and_then(|array: Array| array.numbers().ok()?.first().copied());
            Column::Number(names.iter().map(|name| time(name).unwrap_or(f64::NAN)).collect())
        }
    }
}

fn features(file: &File, path: &str) -> Option<Vec<String>> {
    file.array(&join(path, "features")).and_then(|array| array.texts().ok()).filter(|names| !names.is_empty())
}

/// Time stamps of the imaging frames: those of the first dF/F or fluorescence series.
fn imaging_clock(file: &File) -> Option<String> {
    let tree = walk::walk(file);
    let of = |word: &str| {
        let node = tree.nodes.iter().find(|node| node.path.contains(word) && node.has_array("timestamps") && node.has_array("data"));
        node.map(|node| join(&node.path, "timestamps"))
    };
    of("/DfOverF/").or_else(|| of("/Fluorescence/"))
}

/// Whether a group is an interval table of an NWB file.
fn is_interval(file: &File, node: &Node) -> bool {
    // NWB 2.0b kept `trials`, `epochs` and `invalid_times` at the root.
    node.path.starts_with("/intervals/")
        || ["/trials", "/epochs", "/invalid_times"].contains(&node.path.as_str())
        || node.has_array("frame_duration")
        || walk::class(file, &node.path).as_deref() == Some("TimeIntervals")
}

/// All interval tables of a file.
pub fn all(file: &File, tree: &Tree) -> Vec<Intervals> {
    tree.nodes.iter().filter(|node| is_interval(file, node)).filter_map(|node| Intervals::open(file, &node.path)).collect()
}

/// The table that a job means: by its path, by its name under `/intervals`, else by its name anywhere, with or without the
/// Allen Institute's `_presentations` (2.x) or `_stimulus` (1.x). Files are asked in turn.
///
/// # Errors
/// `bad-value` when there is none; the tables that there are are listed.
pub fn find<'f>(files: &'f [File], wanted: &str) -> Result<(&'f File, Intervals), ReadError> {
    let path = absolute(wanted);
    for file in files {
        if let Some(found) = Intervals::open(file, &path).or_else(|| Intervals::open(file, &format!("/intervals{path}"))) {
            return Ok((file, found));
        }
    }
    let mut listed = Vec::new();
    for file in files {
        for table in all(file, &walk::walk(file)) {
            if ["", "_presentations", "_stimulus"].iter().any(|ending| table.path.ends_with(&format!("{path}{ending}"))) {
                return Ok((file, table));
            }
            listed.push(format!("{} ({} rows)", table.path.trim_start_matches('/'), table.rows));
        }
    }
    let hint = if listed.is_empty() { "the file has no interval tables".to_owned() } else { format!("there are: {}", listed.join(", ")) };
    Err(files[0].error("bad-value", format!("there is no interval table `{wanted}`")).hint(hint))
}

/// A column of times.
///
/// # Errors
/// As [`find`] and [`Intervals::column`]; `bad-value` when it holds text.
pub fn times(files: &[File], table: &str, column: &str) -> Result<Vec<f64>, ReadError> {
    let (file, table) = find(files, table)?;
    match table.column(file, column)? {
        Column::Number(cells) => Ok(cells),
        Column::Bool(cells) => Ok(cells.into_iter().map(|cell| f64::from(u8::from(cell))).collect()),
        Column::Text(_) => Err(file.error("bad-value", format!("column `{column}` holds text, not times")).at(&table.path)),
    }
}

/// The rows that meet conditions.
///
/// # Errors
/// As [`filter::select`].
pub fn rows(files: &[File], table: &str, condition: &Filter) -> Result<Vec<usize>, ReadError> {
    let (file, table) = find(files, table)?;
    let mut names = table.columns.clone();
    names.push("id".to_owned());
    let column = |name: &str| table.column(file, name);
    let view = filter::Table { path: file.path(), place: &table.path, rows_are: "rows", n_rows: table.rows, names, column: &column };
    filter::select(condition, &view).map(|kept| kept.rows)
}
