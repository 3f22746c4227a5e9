//! `source = "https://…"`, `"s3://…"`, `"dandi:…"`, `"catalogue:NAME"`: where the file will stand, without asking any server.

use crate::fetch::catalogue::{Catalogue, Place};
use crate::fetch::{self, Address, Cache, FetchError, Settings, Wanted};
use crate::read::{self, Format, READERS};
use crate::spec::Section;
use std::path::{Path, PathBuf};

/// A source that is not a plain path.
pub struct Remote {
    /// Where its file stands, or will once it is fetched.
    pub path: PathBuf,
    /// Its format, where the address or the catalogue tells.
    pub format: Option<&'static Format>,
    /// What is to be fetched; `None` when the file lies on this machine.
    pub wanted: Option<Wanted>,
    /// What its sum must be.
    pub sha256: Option<String>,
}

/// Finds a source that is no path. The outer `None`: it is one; the inner: it is wrong, and that was reported.
pub fn locate(section: &Section<'_>, base: &Path, source: &str) -> Option<Option<Remote>> {
    fetch::is_remote(source).then(|| match resolve(source, base) {
        Ok(remote) => told(section, source, remote),
        Err(error) => {
            section.error(section.span_of("source"), format!("{}: {}", error.uri, error.what), error.hint.unwrap_or_default());
            None
        }
    })
}

/// An address that does not tell its format asks for `format`.
fn told(section: &Section<'_>, source: &str, remote: Remote) -> Option<Remote> {
    let named = section.raw("format").is_some();
    if remote.format.is_none() && !named {
        let names: Vec<&str> = READERS.iter().map(|format| format.name).collect();
        let shown = fetch::uri::redacted(source);
        section.error(
            section.span_of("source"),
            format!("cannot tell the format of {shown} before it is fetched"),
            format!("set `format`: {}", names.join(", ")),
        );
        return None;
    }
    Some(remote)
}

/// Resolves an address or a catalogue name, as seen from the folder `base`.
///
/// # Errors
/// When it is no address, or the catalogue has no such name (near ones are named).
pub fn resolve(source: &str, base: &Path) -> Result<Remote, FetchError> {
    let cache = Cache::at(&Settings::from_env().cache);
    let Some(name) = source.strip_prefix("catalogue:") else {
        let wanted = Wanted { address: Address::parse(source)?, sha256: None, says: "the job".into(), size: None };
        let path = wanted.path(&cache);
        return Ok(Remote { format: by_name_of(&path), path, wanted: Some(wanted), sha256: None });
    };
    let catalogue = Catalogue::near(base);
    let Some(item) = catalogue.find(name)? else {
        return Err(FetchError::new(source, "bad-uri", "the catalogue has no such recording").hint(catalogue.suggest(name)));
    };
    let format = READERS.iter().copied().find(|format| format.name == item.record.format);
    let sha256 = item.record.sha256.as_ref().map(|sum| sum.to_lowercase());
    match item.place()? {
        Place::Local(path) if path.is_file() => Ok(Remote { path, format, wanted: None, sha256 }),
        Place::Local(path) => Err(FetchError::new(source, "not-found", format!("there is no file {}", path.display()))),
        Place::Remote(wanted) => Ok(Remote { path: wanted.path(&cache), format, wanted: Some(wanted), sha256 }),
    }
}

/// The format by the ending alone; an HDF5 ending may be NWB, which only the file tells once it is there.
fn by_name_of(path: &Path) -> Option<&'static Format> {
    match read::format_of(path) {
        Some(format) if format.name == read::hdf5::FORMAT.name && !path.exists() => None,
        format => format,
    }
}
