//! Electrodes and brain areas. Two rules that must not be mixed up: a `DynamicTableRegion` holds *row numbers* of the electrodes
//! table, `peak_channel_id` holds electrode *ids*.

use super::table::Table;
use crate::read::ReadError;
use crate::read::filter::{Column, label};
use crate::read::hdf5::{File, join};
use std::collections::BTreeMap;

/// Where the electrodes table stands in every NWB 2 file.
pub const ELECTRODES: &str = "/general/extracellular_ephys/electrodes";
/// Columns of a units table that name its area directly, in the order of trust.
const AREA_COLUMNS: &[&str] = &["location", "brain_area", "brain_region", "area", "region", "structure", "acronym"];

/// Columns of a units table that hold one *row number* of the electrodes table, in the order of trust.
const ROW_COLUMNS: &[&str] = &["max_electrode", "peak_electrode"];

/// The electrodes table (or one of regions of interest), with what channels and units ask of it.
#[derive(Debug)]
pub struct Electrodes {
    /// The table.
    pub table: Table,
    /// Ids by row.
    pub ids: Vec<i64>,
    /// Areas by row.
    pub locations: Vec<Option<String>>,
    /// Probes or electrode groups by row.
    pub groups: Vec<Option<String>>,
}

impl Electrodes {
    /// Reads ids, areas and groups of the table at `path`, if it is one.
    ///
    /// # Errors
    /// As [`crate::read::hdf5::Array::numbers`].
    pub fn open(file: &File, path: &str) -> Result<Option<Self>, ReadError> {
        let Some(table) = Table::open(file, path) else { return Ok(None) };
        let ids = table.ids(file)?;
        let locations = areas(file, &table)?;
        let groups = match table.plain.iter().find(|name| *name == "group_name") {
            Some(name) => labels(&table.column(file, name)?),
            None => group_names(file, &table, "group"),
        };
        Ok(Some(Self { table, ids, locations, groups }))
    }

    /// The table that the region column at `path` points into; `standard` where the reference is null.
    ///
    /// # Errors
    /// As [`Electrodes::open`].
    pub fn of_region(file: &File, path: &str, standard: Option<&str>) -> Result<Option<Self>, ReadError> {
        let target = file.reference_attribute(path, "table").filter(|target| file.is_group(target));
        target.as_deref().or(standard).map_or(Ok(None), |target| Self::open(file, target))
    }

    /// The cells of one of its columns at `rows`; empty where there is no row.
    ///
    /// # Errors
    /// As [`Table::column`].
    pub fn column_at(&self, file: &File, name: &str, rows: &[Option<usize>]) -> Result<Column, ReadError> {
        Ok(match self.table.column(file, name)? {
            Column::Number(cells) => Column::Number(rows.iter().map(|row| row.map_or(f64::NAN, |row| cells[row])).collect()),
            Column::Text(cells) => Column::Text(rows.iter().map(|row| cells[(*row)?].clone()).collect()),
            Column::Bool(cells) => Column::Text(rows.iter().map(|row| Some(cells[(*row)?].to_string())).collect()),
        })
    }
}

/// The area of each row of a table, from the first of its area columns that says anything.
fn areas(file: &File, table: &Table) -> Result<Vec<Option<String>>, ReadError> {
    for name in AREA_COLUMNS {
        if table.plain.iter().any(|column| column == name) {
            let found = labels(&table.column(file, name)?);
            if found.iter().any(Option::is_some) {
                return Ok(found);
            }
        }
    }
    Ok(vec![None; table.rows])
}

/// Row numbers that a region column holds, checked against the table.
///
/// # Errors
/// `damaged` for a row that the table does not have.
pub fn region_rows(file: &File, path: &str, values: &[i64], rows: usize) -> Result<Vec<usize>, ReadError> {
    let row = |&value: &i64| usize::try_from(value).ok().filter(|&row| row < rows);
    values
        .iter()
        .map(|value| row(value).ok_or_else(|| file.error("damaged", format!("electrode row {value} of a table of {rows} rows")).at(path)))
        .collect()
}

/// Where the units of a file are.
#[derive(Debug, Default)]
pub struct Places {
    /// The electrode (row) that stands for each unit.
    pub rows: Vec<Option<usize>>,
    /// The electrodes table.
    pub electrodes: Option<Electrodes>,
    /// Area of each unit.
    pub locations: Vec<Option<String>>,
    /// Probe or electrode group of each unit.
    pub groups: Vec<Option<String>>,
    /// What to tell the user.
    pub notes: Vec<String>,
}

/// Finds the electrode, area and group of each unit. The area is the unit's own column, else that of its electrode
/// (`peak_channel_id`: an id; `max_electrode`: a row; else the first of `electrodes`: rows), else that of its electrode group.
///
/// # Errors
/// `damaged` for electrode rows that do not exist; as [`crate::read::hdf5::Array::numbers`].
pub fn places(file: &File, units: &Table) -> Result<Places, ReadError> {
    let has = |name: &str| units.plain.iter().any(|column| column == name);
    let mut places = Places { rows: vec![None; units.rows], ..Places::default() };
    if has("peak_channel_id") {
        by_electrode_id(file, units, &mut places)?;
    } else if let Some(name) = ROW_COLUMNS.iter().find(|name| has(name)) {
        by_row_column(file, units, name, &mut places)?;
    } else if units.has("electrodes") {
        by_electrode_list(file, units, &mut places)?;
    }
    let of_electrode = |of: fn(&Electrodes) -> &Vec<Option<String>>| -> Vec<Option<String>> {
        let electrodes = places.electrodes.as_ref();
        places.rows.iter().map(|row| of(electrodes?).get((*row)?).cloned().flatten()).collect()
    };
    let mut groups = of_electrode(|electrodes| &electrodes.groups);
    if groups.iter().all(Option::is_none) {
        groups = match units.plain.iter().find(|name| ["probe_name", "group_name", "probe"].contains(&name.as_str())) {
            Some(name) => labels(&units.column(file, name)?),
            None => group_names(file, units, "electrode_group"),
        };
    }
    let mut locations = areas(file, units)?;
    if locations.iter().all(Option::is_none) {
        locations = of_electrode(|electrodes| &electrodes.locations);
    }
    if locations.iter().all(Option::is_none) && units.has("electrode_group") {
        locations = by_group(file, units);
    }
    Ok(Places { locations, groups, ..places })
}

fn by_electrode_id(file: &File, units: &Table, places: &mut Places) -> Result<(), ReadError> {
    let Some(electrodes) = Electrodes::open(file, ELECTRODES)? else { return Ok(()) };
    let rows: BTreeMap<i64, usize> = electrodes.ids.iter().enumerate().map(|(row, &id)| (id, row)).collect();
    let Column::Number(wanted) = units.column(file, "peak_channel_id")? else { return Ok(()) };
    places.rows = wanted.iter().map(|&id| rows.get(&(id as i64)).copied().filter(|_| id.is_finite())).collect();
    let lost = places.rows.iter().filter(|row| row.is_none()).count();
    if lost > 0 {
        places.notes.push(format!("{lost} units have a peak_channel_id that the electrodes table lacks: their area is unknown"));
    }
    places.electrodes = Some(electrodes);
    Ok(())
}

fn by_row_column(file: &File, units: &Table, name: &str, places: &mut Places) -> Result<(), ReadError> {
    let path = join(&units.path, name);
    let Some(electrodes) = Electrodes::of_region(file, &path, Some(ELECTRODES))? else { return Ok(()) };
    let Column::Number(wanted) = units.column(file, name)? else { return Ok(()) };
    let given: Vec<i64> = wanted.iter().filter(|row| row.is_finite()).map(|&row| row as i64).collect();
    let mut rows = region_rows(file, &path, &given, electrodes.table.rows)?.into_iter();
    places.rows = wanted.iter().map(|row| if row.is_finite() { rows.next() } else { None }).collect();
    places.electrodes = Some(electrodes);
    Ok(())
}

/// The first electrode of each unit: ragged by an index, or a fixed number a unit.
fn by_electrode_list(file: &File, units: &Table, places: &mut Places) -> Result<(), ReadError> {
    let path = join(&units.path, "electrodes");
    let Some(array) = file.array(&path).filter(|array| array.element.is_number()) else { return Ok(()) };
    let Some(electrodes) = Electrodes::of_region(file, &path, Some(ELECTRODES))? else { return Ok(()) };
    let values = array.integers()?;
    let firsts: Vec<Option<usize>> = match file.array(&format!("{path}_index")) {
        Some(index) => {
            let ranges = crate::read::hdf5::ranges(&index.integers()?, values.len()).map_err(|what| index.error("damaged", what))?;
            ranges.into_iter().map(|range| (!range.is_empty()).then_some(range.start)).collect()
        }
        None => {
            let each = array.shape.get(1).copied().unwrap_or(1).max(1);
            (0..units.rows).map(|row| Some(row * each)).collect()
        }
    };
    if firsts.len() != units.rows {
        return Err(file.error("damaged", format!("{} electrode lists for {} units", firsts.len(), units.rows)).at(path));
    }
    let values: Vec<Option<i64>> = firsts.into_iter().map(|first| values.get(first?).copied()).collect();
    let given: Vec<i64> = values.iter().flatten().copied().collect();
    let mut rows = region_rows(file, &path, &given, electrodes.table.rows)?.into_iter();
    places.rows = values.into_iter().map(|value| value.and_then(|_| rows.next())).collect();
    places.electrodes = Some(electrodes);
    Ok(())
}

/// The area of the electrode group that a unit points to.
fn by_group(file: &File, units: &Table) -> Vec<Option<String>> {
    let groups = file.references(&join(&units.path, "electrode_group")).filter(|groups| groups.len() == units.rows);
    let area = |group: Option<String>| file.text_attribute(&group?, "location").as_deref().and_then(label);
    groups.map_or_else(|| vec![None; units.rows], |groups| groups.into_iter().map(area).collect())
}

/// The names of the groups that a column of references points to.
fn group_names(file: &File, table: &Table, column: &str) -> Vec<Option<String>> {
    let groups = if table.has(column) { file.references(&join(&table.path, column)) } else { None };
    let name = |group: Option<String>| group?.rsplit('/').next().map(str::to_owned);
    let known = groups.filter(|groups| groups.len() == table.rows);
    known.map_or_else(|| vec![None; table.rows], |groups| groups.into_iter().map(name).collect())
}

fn labels(column: &Column) -> Vec<Option<String>> {
    (0..column.len()).map(|row| column.text(row).as_deref().and_then(label)).collect()
}
