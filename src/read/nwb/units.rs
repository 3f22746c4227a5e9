//! Units tables: finding them, their ragged spike times, and opening them for reading.

use super::electrodes::{self, Places};
use super::table::Table;
use super::walk::{self, Tree};
use crate::read::filter::{self, Column};
use crate::read::hdf5::{Array, File, Kind, Source, Trains, absolute, join, ranges, span_of};
use crate::read::{Channel, Header, ReadError, Request};

/// Sessions last hours; spike times beyond five days are hardly seconds.
pub const LONGEST_S: f64 = 432_000.0;

/// The units of a file and where their spikes stand.
#[derive(Debug)]
pub struct Units {
    /// The table; without columns in NWB 1.x.
    pub table: Table,
    /// Names of the units.
    pub ids: Vec<String>,
    /// Their spikes.
    pub source: Source,
}

/// Opens the units table at `path`.
///
/// # Errors
/// `damaged` when the index does not fit the spike times: the table and both numbers.
pub fn open_table(file: &File, path: &str) -> Result<Units, ReadError> {
    let table = Table::open(file, path);
    let (times, index) = (file.array(&join(path, "spike_times")), file.array(&join(path, "spike_times_index")));
    let Some(times) = times.filter(|times| times.element.is_number()) else {
        let columns = table.map(|table| table.columns.join(", ")).unwrap_or_default();
        return Err(file.error("no-units", "the units table holds no spike_times").at(path).hint(format!("its columns: {columns}")));
    };
    let rows = table.as_ref().map(|table| table.rows);
    let table =
        table.unwrap_or_else(|| Table { path: path.to_owned(), columns: Vec::new(), missing: Vec::new(), plain: Vec::new(), rows: 0 });
    let cut = match &index {
        Some(index) => cut(index, &times)?,
        None if rows == Some(1) => vec![0..times.len()],
        None => {
            return Err(times.error("damaged", "there is no spike_times_index, so nobody can tell which spike is whose"));
        }
    };
    if let Some(rows) = rows.filter(|&rows| rows != cut.len()) {
        let what = format!("spike_times_index has {} rows, the units table {rows}", cut.len());
        return Err(file.error("damaged", what).at(path));
    }
    let table = Table { rows: cut.len(), ..table };
    let ids = table.ids(file)?.iter().map(i64::to_string).collect();
    Ok(Units { table, ids, source: Source::Ragged { times, ranges: cut } })
}

fn cut(index: &Array, times: &Array) -> Result<Vec<std::ops::Range<usize>>, ReadError> {
    if !times.is_vector() {
        return Err(times.error("damaged", format!("spike times have the shape {:?}", times.shape)));
    }
    ranges(&index.integers()?, times.len()).map_err(|what| {
        index
            .error("damaged", format!("the index does not fit {}: {what}", times.path))
            .hint("the file was cut or written incompletely: fetch it again from its source")
    })
}

/// Paths of all tables with spike times.
pub fn candidates(tree: &Tree) -> Vec<String> {
    let is_units = |node: &&walk::Node| node.has_array("spike_times") && (node.has_array("spike_times_index") || node.has_array("id"));
    tree.nodes.iter().filter(is_units).map(|node| node.path.clone()).collect()
}

/// Where the Allen Cell Types files (NWB 1.x) keep spikes: an array a sweep, seconds from the start of the sweep.
const SWEEP_SPIKES: [&str; 2] = ["/analysis/spike_times", "/analysis/aibs_spike_times"];

/// Spikes of NWB 1.x: a sorted recording's, else those of sweeps.
pub fn legacy(file: &File, tree: &Tree) -> Option<Units> {
    unit_times(file, tree).or_else(|| SWEEP_SPIKES.iter().find_map(|path| sweeps(file, path)))
}

/// One array a sweep; each counts as a unit.
fn sweeps(file: &File, path: &str) -> Option<Units> {
    let arrays = file.members(path).into_iter().filter(|member| member.kind == Kind::Dataset);
    let arrays = arrays.filter_map(|member| Some((member.name.clone(), file.array(&join(path, &member.name))?)));
    let mut arrays: Vec<(String, Array)> = arrays.filter(|(_, array)| array.element.is_number() && array.shape.len() == 1).collect();
    // Sweep_10 after Sweep_2.
    arrays.sort_by_key(|(name, _)| (name.chars().filter(char::is_ascii_digit).collect::<String>().parse::<u64>().ok(), name.clone()));
    if arrays.is_empty() {
        return None;
    }
    let (ids, arrays): (Vec<String>, Vec<Array>) = arrays.into_iter().unzip();
    let table = Table { path: path.to_owned(), columns: Vec::new(), missing: Vec::new(), plain: Vec::new(), rows: ids.len() };
    Some(Units { table, ids, source: Source::Separate(arrays) })
}

/// `/processing/<module>/UnitTimes/<unit>/times`, one array a unit.
fn unit_times(file: &File, tree: &Tree) -> Option<Units> {
    let home = tree
        .nodes
        .iter()
        .find(|node| node.path.rsplit('/').next() == Some("UnitTimes") || walk::class(file, &node.path).as_deref() == Some("UnitTimes"))?;
    let mut units: Vec<(String, Array)> = home
        .members
        .iter()
        .filter(|member| member.kind == Kind::Group)
        .filter_map(|member| Some((member.name.clone(), file.array(&join(&join(&home.path, &member.name), "times"))?)))
        .filter(|(_, times)| times.element.is_number() && times.shape.len() == 1)
        .collect();
    // unit_list keeps the order of the file's author; names alone would put cell_10 before cell_2.
    let order = file.array(&join(&home.path, "unit_list")).and_then(|list| list.texts().ok()).unwrap_or_default();
    units.sort_by_key(|(name, _)| order.iter().position(|listed| listed == name).unwrap_or(usize::MAX));
    if units.is_empty() {
        return None;
    }
    let (ids, arrays): (Vec<String>, Vec<Array>) = units.into_iter().unzip();
    let table = Table { path: home.path.clone(), columns: Vec::new(), missing: Vec::new(), plain: Vec::new(), rows: ids.len() };
    Some(Units { table, ids, source: Source::Separate(arrays) })
}

/// Finds the units that a request means.
///
/// # Errors
/// `no-units` when there are none (what there is instead is listed) or several to choose from.
pub fn find(file: &File, wanted: Option<&str>) -> Result<Units, ReadError> {
    if let Some(path) = wanted {
        let path = absolute(path);
        let table = path.strip_suffix("/spike_times").unwrap_or(&path);
        if file.array(&join(table, "spike_times")).is_some() {
            return open_table(file, table);
        }
        if let Some(units) = sweeps(file, &path).filter(|_| SWEEP_SPIKES.contains(&path.as_str())) {
            return Ok(units);
        }
    } else if file.array("/units/spike_times").is_some() {
        return open_table(file, "/units");
    }
    let tree = walk::walk(file);
    let found = candidates(&tree);
    if let Some(path) = wanted {
        let hint = if found.is_empty() {
            "the file has no table with spike_times".to_owned()
        } else {
            format!("tables with spike_times: {}", found.join(", "))
        };
        return Err(file.error("no-units", "there is no units table here").at(path).hint(hint));
    }
    match found.as_slice() {
        [only] => open_table(file, only),
        [] => legacy(file, &tree).ok_or_else(|| nothing(file, &tree)),
        several => {
            Err(file.error("no-units", "there are several units tables").hint(format!("choose one with `series`: {}", several.join(", "))))
        }
    }
}

fn nothing(file: &File, tree: &Tree) -> ReadError {
    if let Some(units) = Table::open(file, "/units") {
        let hint = format!("its columns: {}; a session of behaviour or imaging has no spikes", units.columns.join(", "));
        return file.error("no-units", format!("the units table has {} rows and no spike_times", units.rows)).at("/units").hint(hint);
    }
    let series = super::series::candidates(file, tree);
    let hint = if series.is_empty() {
        "it has no time series either".to_owned()
    } else {
        format!("it has the time series {}: use signal = \"series\"", series.join(", "))
    };
    file.error("no-units", "the file has no units table").hint(hint)
}

/// Applies the filters and makes the header.
///
/// # Errors
/// As [`filter::select`] and [`Array::numbers`].
pub fn open(file: &File, request: &Request) -> Result<(Trains, Header), ReadError> {
    let units = find(file, request.series.first().map(String::as_str))?;
    let ends = if units.source.is_small() {
        let all: Vec<usize> = (0..units.source.n_units()).collect();
        crate::read::hdf5::extremes(units.source.load(&all)?.iter().flatten())
    } else {
        units.source.ends(usize::MAX)?
    };
    let span = span_of(ends);
    let mut places = electrodes::places(file, &units.table)?;
    let mut notes = std::mem::take(&mut places.notes);
    if SWEEP_SPIKES.contains(&units.table.path.as_str()) {
        notes.push("spike times are seconds from the start of each sweep; every sweep counts as a unit".to_owned());
    }
    let kept = select(file, request, &units, &places, span.length_s())?;
    notes.extend(kept.notes);
    let channels: Vec<Channel> =
        kept.rows.iter().map(|&row| Channel { name: units.ids[row].clone(), location: places.locations[row].clone() }).collect();
    let mut groups: Vec<Option<String>> = kept.rows.iter().map(|&row| places.groups[row].clone()).collect();
    if groups.iter().all(Option::is_none) {
        groups.clear();
    }
    let unplaced = channels.iter().filter(|channel| channel.location.is_none()).count();
    if unplaced > 0 {
        notes.push(format!("{unplaced} of {} units have no brain area", channels.len()));
    }
    let silent = kept.rows.iter().filter(|&&row| units.source.count(row) == 0).count();
    if silent > 0 {
        notes.push(format!("{silent} units have no spikes"));
    }
    if span.stop_s > LONGEST_S {
        notes.push(format!("spike times reach {:.0} s: they may be in milliseconds or samples, not seconds", span.stop_s));
    }
    let n_channels_total = units.ids.len();
    let small = units.source.is_small();
    let mut trains = Trains::new(units.source, kept.rows, channels.clone(), span);
    if small {
        notes.extend(trains.load()?);
    }
    let header = Header {
        channels,
        n_channels_total,
        rate_hz: None,
        n_samples: None,
        span,
        unit_of_measure: "s".to_owned(),
        notes,
        groups,
        excluded: Vec::new(),
    };
    Ok((trains, header))
}

fn select(file: &File, request: &Request, units: &Units, places: &Places, length_s: f64) -> Result<filter::Kept, ReadError> {
    let table = &units.table;
    let own = |name: &str| table.plain.iter().any(|column| column == name);
    let mut names = table.plain.clone();
    let of_electrodes = places.electrodes.as_ref().map(|electrodes| electrodes.table.plain.clone()).unwrap_or_default();
    for other in ["id", "rate_hz", "location"].map(str::to_owned).into_iter().chain(of_electrodes) {
        if !names.contains(&other) {
            names.push(other);
        }
    }
    let column = |name: &str| match (name, &places.electrodes) {
        ("location", _) => Ok(Column::Text(places.locations.clone())),
        ("id", _) => Ok(Column::Text(units.ids.iter().cloned().map(Some).collect())),
        ("rate_hz", _) if !own(name) => {
            // A recording without spikes has no length and every unit rate 0.
            let rate = |unit| units.source.count(unit) as f64 / length_s;
            Ok(Column::Number((0..units.ids.len()).map(rate).map(|rate| if rate.is_finite() { rate } else { 0.0 }).collect()))
        }
        (_, Some(electrodes)) if !own(name) => electrodes.column_at(file, name, &places.rows),
        _ => table.column(file, name),
    };
    let view = filter::Table { path: file.path(), place: &table.path, rows_are: "units", n_rows: units.ids.len(), names, column: &column };
    filter::select(&request.units, &view)
}
