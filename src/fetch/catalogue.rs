//! The catalogue: one small TOML file a public recording, `datasets/NAME.toml`.
//!
//! A name is looked for in the folder that `TCS_DATASETS` names, then in the nearest `datasets/` folder at or above the job file (the
//! working folder for `tcs-batch datasets`), then among the files that ship inside the program.

use super::uri::is_remote;
use super::{Address, FetchError, Wanted};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Name and text of a catalogue file of this repository.
macro_rules! shipped {
    ($name:literal) => {
        ($name, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/datasets/", $name, ".toml")))
    };
}

/// The catalogue that ships, by name; `datasets/` of the repository.
static SHIPPED: &[(&str, &str)] = &[
    shipped!("allen-visual-behavior-1044385384-s3"),
    shipped!("allen-visual-behavior-506940"),
    shipped!("allen-visual-coding-715093703"),
    shipped!("allen-visual-coding-715093703-lfp-810755797"),
    shipped!("allen-visual-coding-721123822"),
    shipped!("allen-visual-coding-760693773-s3"),
    shipped!("grid-cells-sargolini-10073"),
    shipped!("head-direction-a3707"),
    shipped!("head-direction-a8604"),
    shipped!("head-direction-mouse28-140313"),
    shipped!("human-mtl-chandravadia-2020-p11hmh"),
    shipped!("human-mtl-sub-4-sample"),
    shipped!("human-mtl-zheng-2022-sub-4"),
    shipped!("ibl-brain-wide-map-dy-016"),
    shipped!("mc-maze-jenkins"),
    shipped!("mc-maze-small-jenkins"),
    shipped!("steinmetz-2019-cori"),
];

/// What a catalogue file says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Its name: that of its file.
    pub name: String,
    /// What it is, in a line.
    pub title: String,
    /// The paper and the data set to cite.
    pub citation: String,
    /// Licence of the data, or what is known of it.
    pub licence: String,
    /// Where it is to be had: an address, or a path relative to the catalogue file.
    pub uri: String,
    /// Where a copy lies beside the catalogue file (relative path); taken when it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Bytes, where known for certain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Roughly how large it is, GB, where that is all that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about_gb: Option<f64>,
    /// SHA-256, where known for certain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Its format, as `format` of a dataset.
    pub format: String,
    /// Its layout inside the format.
    pub layout: String,
    /// What it is good for.
    pub good_for: Vec<String>,
    /// Whether the maintainers downloaded it and compared sum and size.
    pub checked: bool,
    /// Where address, size and sum come from.
    pub provenance: String,
}

/// A record, and where it was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// What it says.
    pub record: Record,
    /// The catalogue file; `None` for one inside the program.
    pub from: Option<PathBuf>,
}

/// Where a catalogue item's bytes are.
#[derive(Debug, Clone, PartialEq)]
pub enum Place {
    /// A file on this machine.
    Local(PathBuf),
    /// To be fetched.
    Remote(Wanted),
}

impl Item {
    /// Where it is: the copy beside the catalogue file when there is one, else the address.
    ///
    /// # Errors
    /// When the address is none.
    pub fn place(&self) -> Result<Place, FetchError> {
        let record = &self.record;
        let beside = |file: &str| self.from.as_ref().and_then(|from| from.parent()).map(|folder| folder.join(file));
        if let Some(path) = record.file.as_deref().and_then(beside).filter(|path| path.is_file()) {
            return Ok(Place::Local(path));
        }
        if !is_remote(&record.uri) {
            return match beside(&record.uri) {
                Some(path) => Ok(Place::Local(path)),
                None => {
                    Err(FetchError::new(format!("catalogue:{}", record.name), "bad-uri", "this recording ships with the repository only")
                        .hint("clone the repository, or set TCS_DATASETS to its datasets/ folder"))
                }
            };
        }
        let address = Address::parse(&record.uri)?;
        let says = format!("the catalogue ({})", record.name);
        Ok(Place::Remote(Wanted { address, sha256: record.sha256.as_ref().map(|sum| sum.to_lowercase()), says, size: record.size }))
    }
}

/// A catalogue as seen from a folder.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Catalogue {
    /// Folders in the order in which they are asked.
    folders: Vec<PathBuf>,
}

impl Catalogue {
    /// The catalogue of a job file in `folder`.
    pub fn near(folder: &Path) -> Self {
        let named = std::env::var_os("TCS_DATASETS").filter(|value| !value.is_empty()).map(PathBuf::from);
        let start = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        let nearest = start.ancestors().map(|folder| folder.join("datasets")).find(|folder| folder.is_dir());
        Self { folders: named.into_iter().chain(nearest).collect() }
    }

    /// The record of a name; `None` when there is none.
    ///
    /// # Errors
    /// When its file is not a catalogue file.
    pub fn find(&self, name: &str) -> Result<Option<Item>, FetchError> {
        if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\']) {
            return Ok(None);
        }
        for folder in &self.folders {
            let path = folder.join(format!("{name}.toml"));
            match std::fs::read_to_string(&path) {
                Ok(text) => return parse(name, &text, Some(path)).map(Some),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(FetchError::new(path.display(), "bad-catalogue", format!("cannot be read ({error})"))),
            }
        }
        match SHIPPED.iter().find(|(known, _)| *known == name) {
            Some((_, text)) => parse(name, text, None).map(Some),
            None => Ok(None),
        }
    }

    /// All names, sorted.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = SHIPPED.iter().map(|(name, _)| (*name).to_owned()).collect();
        for folder in &self.folders {
            let Ok(entries) = std::fs::read_dir(folder) else { continue };
            let found = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()?.strip_suffix(".toml").map(str::to_owned));
            names.extend(found.filter(|name| !name.starts_with('.')));
        }
        names.sort();
        names.dedup();
        names
    }

    /// A hint for a name that there is not: those that hold it or begin like it, else the nearest, else where all are listed.
    pub fn suggest(&self, typed: &str) -> String {
        let names = self.names();
        let start: String = typed.chars().take(5).collect();
        let alike: Vec<&str> = names
            .iter()
            .map(String::as_str)
            .filter(|name| !typed.is_empty() && (name.contains(typed) || name.starts_with(&start)))
            .collect();
        match crate::spec::nearest(typed, names.iter().map(String::as_str)) {
            Some(name) => format!("did you mean `{name}`?"),
            None if !alike.is_empty() => format!("did you mean one of: {}?", alike.join(", ")),
            None => "tcs-batch datasets list shows all".into(),
        }
    }

    /// All records by name, and the files that are none.
    pub fn all(&self) -> (Vec<Item>, Vec<FetchError>) {
        let (mut items, mut errors) = (Vec::new(), Vec::new());
        for name in self.names() {
            match self.find(&name) {
                Ok(item) => items.extend(item),
                Err(error) => errors.push(error),
            }
        }
        (items, errors)
    }
}

fn parse(name: &str, text: &str, from: Option<PathBuf>) -> Result<Item, FetchError> {
    let shown = from.as_ref().map_or_else(|| format!("catalogue:{name}"), |path| path.display().to_string());
    let bad = |what: String| FetchError::new(&shown, "bad-catalogue", what).hint("docs/catalogue.md lists the keys of a catalogue file");
    let record: Record = toml::from_str(text).map_err(|error| bad(super::uri::redacted(error.to_string().trim_end())))?;
    if record.name != name {
        return Err(bad(format!("its name is `{}`, but its file is called {name}.toml", record.name)));
    }
    if record.sha256.as_ref().is_some_and(|sum| sum.len() != 64 || !sum.bytes().all(|byte| byte.is_ascii_hexdigit())) {
        return Err(bad("`sha256` must be 64 hexadecimal digits".into()));
    }
    if is_remote(&record.uri) {
        Address::parse(&record.uri)?;
    }
    Ok(Item { record, from })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ships_is_the_folder_and_every_file_is_whole() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets");
        let mut names: Vec<String> = std::fs::read_dir(&folder)
            .unwrap()
            .filter_map(|entry| entry.unwrap().file_name().into_string().unwrap().strip_suffix(".toml").map(str::to_owned))
            .collect();
        names.sort();
        let shipped: Vec<&str> = SHIPPED.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, shipped, "a file of datasets/ is missing from SHIPPED, or SHIPPED is not sorted");
        assert!(shipped.len() >= 12);
        let near = Catalogue::near(&folder);
        for name in &names {
            let item = near.find(name).unwrap().unwrap();
            let record = &item.record;
            assert_eq!(item.from, Some(folder.join(format!("{name}.toml"))));
            for text in [&record.title, &record.citation, &record.licence, &record.layout, &record.provenance] {
                assert!(!text.is_empty(), "{name}");
            }
            // What was not downloaded must say so.
            if let Place::Local(path) = item.place().unwrap() {
                let (sha256, size) = super::super::cache::sha256_of(&path).unwrap();
                assert_eq!((Some(sha256), Some(size), record.checked), (record.sha256.clone(), record.size, true), "{name}");
            } else {
                assert!(!record.checked, "{name}");
            }
            assert_eq!(Catalogue::default().find(name).unwrap().unwrap().record, *record);
        }
    }

    #[test]
    fn a_bad_file_is_named_and_a_missing_one_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let datasets = folder.path().join("datasets");
        std::fs::create_dir_all(&datasets).unwrap();
        std::fs::write(datasets.join("mine.toml"), "name = \"other\"\n").unwrap();
        let catalogue = Catalogue::near(&folder.path().join("jobs"));
        let error = catalogue.find("mine").unwrap_err();
        assert!(error.kind == "bad-catalogue" && error.uri.ends_with("mine.toml"), "{error}");
        assert_eq!(catalogue.find("no-such").unwrap(), None);
        assert_eq!(catalogue.find("../mine").unwrap(), None);
        assert!(catalogue.names().contains(&"mine".to_owned()));
        assert_eq!(catalogue.all().1.len(), 1);
    }
}
