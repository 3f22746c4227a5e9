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

/// The electrodes table, with what channels and units ask of it.
#[derive(Debug)]
pub struct Electrodes {
    /// The table.
    pub table: Table,
    /// Ids by row.
    pub ids: Vec<i64>,
    /// Areas by row.
    pub locations: Vec<Option<String>>,
}

impl Electrodes {
    /// Reads ids and areas of the table at `path`, if it is one.
    ///
    /// # Errors
    /// As [`crate::read::hdf5::Array::numbers`].
    pub fn open(file: &File, path: &str) -> Result<Option<Self>, ReadError> {
        let Some(table) = Table::open(file, path) else { return Ok(None) };
        let ids = table.ids(file)?;
        let locations = match table.plain.iter().find(|name| AREA_COLUMNS.contains(&name.as_str())) {
            Some(name) => labels(&table.column(file, name)?),
            None => vec![None; table.rows],
        };
        Ok(Some(Self { table, ids, locations }))
    }

    /// The table that the region column at `path` points into; the standard place where the reference is null.
    ///
    /// # Errors
    /// As [`Electrodes::open`].
    pub fn of_region(file: &File, path: &str) -> Result<Option<Self>, ReadError> {
        let target = file.reference_attribute(path, "table").filter(|target| file.is_group(target));
        Self::open(file, target.as_deref().unwrap_or(ELECTRODES))
    }
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

/// The area of each unit, and what to tell the user.
///
/// # Errors
/// `damaged` for electrode rows that do not exist; as [`crate::read::hdf5::Array::numbers`].
pub fn unit_locations(file: &File, units: &Table) -> Result<(Vec<Option<String>>, Vec<String>), ReadError> {
    for name in AREA_COLUMNS {
        if units.plain.iter().any(|column| column == name) {
            let found = labels(&units.column(file, name)?);
            if found.iter().any(Option::is_some) {
                return Ok((found, Vec::new()));
            }
        }
    }
    if units.plain.iter().any(|column| column == "peak_channel_id") {
        return by_electrode_id(file, units);
    }
    let found = if units.has("electrodes") { by_electrode_row(file, units)? } else { vec![None; units.rows] };
    if found.iter().all(Option::is_none) && units.has("electrode_group") {
        return Ok((by_group(file, units), Vec::new()));
    }
    Ok((found, Vec::new()))
}

fn by_electrode_id(file: &File, units: &Table) -> Result<(Vec<Option<String>>, Vec<String>), ReadError> {
    let Some(electrodes) = Electrodes::open(file, ELECTRODES)? else { return Ok((vec![None; units.rows], Vec::new())) };
    let rows: BTreeMap<i64, usize> = electrodes.ids.iter().enumerate().map(|(row, &id)| (id, row)).collect();
    let Column::Number(wanted) = units.column(file, "peak_channel_id")? else { return Ok((vec![None; units.rows], Vec::new())) };
    let found: Vec<Option<usize>> = wanted.iter().map(|&id| rows.get(&(id as i64)).copied()).collect();
    let lost = found.iter().filter(|row| row.is_none()).count();
    let notes = if lost > 0 {
        vec![format!("{lost} units have a peak_channel_id that the electrodes table lacks: their area is unknown")]
    } else {
        Vec::new()
    };
    Ok((found.into_iter().map(|row| electrodes.locations.get(row?)?.clone()).collect(), notes))
}

fn by_electrode_row(file: &File, units: &Table) -> Result<Vec<Option<String>>, ReadError> {
    let path = join(&units.path, "electrodes");
    let unknown = vec![None; units.rows];
    let Some(array) = file.array(&path).filter(|array| array.element.is_number()) else { return Ok(unknown) };
    let Some(electrodes) = Electrodes::of_region(file, &path)? else { return Ok(unknown) };
    let values = array.integers()?;
    // The first electrode of each unit: ragged by an index, or a fixed number a unit.
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
    Ok(values
        .into_iter()
        .map(|value| value.and_then(|_| rows.next()).and_then(|row| electrodes.locations.get(row).cloned().flatten()))
        .collect())
}

/// The area of the electrode group that a unit points to.
fn by_group(file: &File, units: &Table) -> Vec<Option<String>> {
    let groups = file.references(&join(&units.path, "electrode_group")).filter(|groups| groups.len() == units.rows);
    let area = |group: Option<String>| file.text_attribute(&group?, "location").as_deref().and_then(label);
    groups.map_or_else(|| vec![None; units.rows], |groups| groups.into_iter().map(area).collect())
}

fn labels(column: &Column) -> Vec<Option<String>> {
    (0..column.len()).map(|row| column.text(row).as_deref().and_then(label)).collect()
}
