//! Several files of one session: whether they belong together, and what the file's authors call invalid.

use super::table::Table;
use crate::data::Span;
use crate::read::filter::Column;
use crate::read::hdf5::{File, join};
use crate::read::{Excluded, ReadError};
use std::collections::BTreeSet;
use std::path::Path;

/// Opens further files of the session of `first`.
///
/// # Errors
/// `session` when session ids or start times differ; as [`File::open`].
pub fn open_with(first: &File, paths: &[std::path::PathBuf], notes: &mut Vec<String>) -> Result<Vec<File>, ReadError> {
    paths.iter().map(|path| open_one(first, path, notes)).collect()
}

fn open_one(first: &File, path: &Path, notes: &mut Vec<String>) -> Result<File, ReadError> {
    let file = File::open(path)?;
    let text = |file: &File, path: &str| file.text(path).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let mut compared = false;
    for (place, what) in [("/general/session_id", "session"), ("/session_start_time", "start time")] {
        let (Some(ours), Some(theirs)) = (text(first, place), text(&file, place)) else { continue };
        let same = ours == theirs || (what == "start time" && instant(&ours).zip(instant(&theirs)).is_some_and(|(a, b)| a == b));
        if !same {
            let said = format!("its {what} is {theirs}, that of {} is {ours}", first.path().display());
            return Err(file.error("session", said).at(place).hint("`with` takes files of the same session: their clocks must agree"));
        }
        compared = true;
    }
    if !compared {
        notes.push(format!("{} names no session: whether it belongs to this one was not checked", path.display()));
    }
    Ok(file)
}

/// Seconds of an ISO 8601 time with zone, so that `…T08:00:00Z` and `…T10:00:00+02:00` are the same.
fn instant(text: &str) -> Option<f64> {
    let (date, time) = text.split_once(['T', ' '])?;
    let mut parts = date.split('-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let zone_at = time.find(['Z', '+', '-'])?;
    let (clock, zone) = time.split_at(zone_at);
    let mut parts = clock.split(':').map(|part| part.parse::<f64>().ok());
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next().flatten().unwrap_or(0.0));
    let offset_s = match zone.trim_start_matches(['+', '-']).split_once(':') {
        Some((h, m)) => h.parse::<f64>().ok()? * 3600.0 + m.parse::<f64>().ok()? * 60.0,
        None => 0.0,
    };
    let offset_s = if zone.starts_with('-') { -offset_s } else { offset_s };
    // Days of the civil calendar (Howard Hinnant's days_from_civil).
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let of_era = (y - era * 400) * 365 + (y - era * 400) / 4 - (y - era * 400) / 100 + of_year;
    Some((era * 146_097 + of_era - 719_468) as f64 * 86_400.0 + hours * 3600.0 + minutes * 60.0 + seconds - offset_s)
}

/// Stretches of `intervals/invalid_times` that concern some probes, in time. A row concerns them when it has no tags, one that names
/// no probe (`all_probes`, `artefact`), or one that names one of them; rows that name other probes alone do not. The tag `stimulus`
/// alone is about the stimulus. `groups` are the probes of the channels; unknown ones may be any.
///
/// # Errors
/// `damaged` when the tags' index does not fit; as [`crate::read::hdf5::Array::numbers`].
pub fn excluded(file: &File, groups: &[Option<String>]) -> Result<Vec<Excluded>, ReadError> {
    let table =
        ["/intervals/invalid_times", "/invalid_times"].iter().find_map(|path| Table::open(file, path)).filter(|table| table.rows > 0);
    let Some(table) = table else { return Ok(Vec::new()) };
    let (Ok(Column::Number(start)), Ok(Column::Number(stop))) = (table.column(file, "start_time"), table.column(file, "stop_time")) else {
        return Ok(Vec::new());
    };
    let tags = tags(file, &table)?;
    let known: BTreeSet<String> = file.members("/general/extracellular_ephys").into_iter().map(|member| member.name).collect();
    let ours: BTreeSet<&String> = groups.iter().flatten().collect();
    let any = ours.is_empty() || groups.iter().any(Option::is_none);
    let mut found = Vec::new();
    for ((&start_s, &stop_s), tags) in start.iter().zip(&stop).zip(tags) {
        // The Allen Institute writes the kind of object and its number beside the name of a probe.
        let words: Vec<&String> = tags.iter().filter(|tag| !tag.starts_with("Ecephys") && tag.parse::<u64>().is_err()).collect();
        let probes: Vec<&&String> = words.iter().filter(|word| known.contains(**word)).collect();
        let stimulus_only = !words.is_empty() && words.iter().all(|word| *word == "stimulus");
        let concerns =
            probes.is_empty() || any || probes.iter().any(|probe| ours.contains(**probe)) || words.iter().any(|word| *word == "all_probes");
        if concerns && start_s.is_finite() && stop_s.is_finite() && stop_s >= start_s {
            found.push(Excluded { span: Span { start_s, stop_s }, tags, stimulus_only });
        }
    }
    found.sort_by(|a, b| a.span.start_s.total_cmp(&b.span.start_s));
    Ok(found)
}

/// The tags of each row.
fn tags(file: &File, table: &Table) -> Result<Vec<Vec<String>>, ReadError> {
    let path = join(&table.path, "tags");
    let Some(array) = file.array(&path).filter(|array| array.element.is_text()) else { return Ok(vec![Vec::new(); table.rows]) };
    let all = array.texts()?;
    let Some(index) = file.array(&format!("{path}_index")) else {
        let each = if all.len() == table.rows { all.into_iter().map(|tag| vec![tag]).collect() } else { vec![Vec::new(); table.rows] };
        return Ok(each);
    };
    let ranges = crate::read::hdf5::ranges(&index.integers()?, all.len()).map_err(|what| index.error("damaged", what))?;
    if ranges.len() != table.rows {
        return Err(index.error("damaged", format!("{} lists of tags for {} rows", ranges.len(), table.rows)));
    }
    Ok(ranges.into_iter().map(|range| all[range].to_vec()).collect())
}

/// Seconds that some stretches cover together.
pub fn covered_s(excluded: &[Excluded]) -> f64 {
    let (mut total, mut until) = (0.0, f64::NEG_INFINITY);
    for Excluded { span, .. } in excluded {
        total += (span.stop_s - span.start_s.max(until)).max(0.0);
        until = until.max(span.stop_s);
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_with_zones_compare_as_instants() {
        assert_eq!(instant("1970-01-01T00:00:00Z"), Some(0.0));
        assert_eq!(instant("2019-01-19T00:54:18-08:00"), instant("2019-01-19T08:54:18+00:00"));
        assert_eq!(instant("2000-03-01 00:00:01.5+00:00"), Some(951_868_801.5));
        assert_eq!(instant("Wed Jan 20 10:24:01 2016"), None);
    }

    #[test]
    fn overlapping_stretches_count_once() {
        let stretch = |start_s, stop_s| Excluded { span: Span { start_s, stop_s }, tags: Vec::new(), stimulus_only: false };
        assert_eq!(covered_s(&[stretch(0.0, 2.0), stretch(1.0, 3.0), stretch(5.0, 5.5)]), 3.5);
    }
}
