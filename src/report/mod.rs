//! Reports: `report.html`, `report.md` and `junit.xml`, from an output folder's tables and `manifest.json` alone.
//!
//! No number of science is computed here: tables are summarised (mean, median, least, most) and drawn. What cannot be found is left out.

pub mod compare;
mod content;
mod facts;
mod figure;
mod grid;
mod html;
mod junit;
mod manifest;
mod md;
mod number;
mod section;
mod summary;

use crate::table::{TableError, atomic};
use std::path::{Path, PathBuf};

/// A form of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// One self-contained page with pictures.
    Html,
    /// The same facts as tables.
    Md,
    /// Units and expectations as test cases.
    Junit,
}

impl Format {
    /// All of them, in the order in which they are written.
    pub const ALL: [Self; 3] = [Self::Html, Self::Md, Self::Junit];

    /// Its name in the job file's `formats`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Md => "md",
            Self::Junit => "junit",
        }
    }
    /// The file it makes in the output folder.
    pub fn file(self) -> &'static str {
        match self {
            Self::Html => "report.html",
            Self::Md => "report.md",
            Self::Junit => "junit.xml",
        }
    }
    /// All names.
    pub const NAMES: &'static [&'static str] = &["html", "md", "junit"];
    /// The format of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}

/// Why a report could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The folder is not what a run writes.
    #[error("{out} holds no units.parquet, so it is not the output of a finished run; name the folder that `tcs-batch run` wrote")]
    NotAnOutput {
        /// The folder.
        out: PathBuf,
    },
    /// A table cannot be read, or a report not written.
    #[error(transparent)]
    Table(#[from] TableError),
    /// `manifest.json` is not JSON.
    #[error("cannot read {path}: {source}; the tables are not affected: move it away to make a report without it")]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// Where it breaks.
        source: serde_json::Error,
    },
    /// `metrics.parquet` cannot be summarised.
    #[error("cannot summarise {path}: {source}; write it again with `tcs-batch run`")]
    Summary {
        /// The table.
        path: PathBuf,
        /// What polars says.
        source: Box<polars::error::PolarsError>,
    },
    /// A page could not be laid out.
    #[error("cannot lay out {file}: {what}; this is an error in tcs-batch, please report it")]
    Layout {
        /// The page.
        file: &'static str,
        /// What the library says.
        what: String,
    },
}

/// Writes the asked-for reports of the output folder `out` into it and returns their paths, in the order of `formats`.
///
/// # Errors
/// When `out` holds no `units.parquet`, a table or the manifest is broken, or a report cannot be written.
pub fn write(out: &Path, formats: &[Format]) -> Result<Vec<PathBuf>, ReportError> {
    let facts = facts::read(out)?;
    let content = content::content(&facts);
    let mut paths = Vec::new();
    for &format in formats {
        let broken = |what: String| ReportError::Layout { file: format.file(), what };
        let text = match format {
            Format::Html => html::render(&facts, &content).map_err(broken)?,
            Format::Md => md::render(&content),
            Format::Junit => junit::render(&facts).map_err(|error| broken(error.to_string()))?,
        };
        let path = out.join(format.file());
        atomic::write_bytes(&path, text.as_bytes()).map_err(TableError::from)?;
        paths.push(path);
    }
    Ok(paths)
}

/// The text of `report.md`, without writing it.
///
/// # Errors
/// As [`write`].
pub fn markdown(out: &Path) -> Result<String, ReportError> {
    Ok(md::render(&content::content(&facts::read(out)?)))
}
