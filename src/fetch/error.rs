//! Why something could not be fetched: what happened, to which address, what to do.

use std::fmt::Display;
use std::path::Path;

/// An error of this room. The address in it never holds a credential.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{uri}: {what}{}", hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default())]
pub struct FetchError {
    /// What was asked for, as it may be shown.
    pub uri: String,
    /// What happened.
    pub what: String,
    /// What to do.
    pub hint: Option<String>,
    /// A stable word for `error_kind`: `bad-uri`, `offline`, `not-found`, `forbidden`, `http`, `network`, `timeout`, `changed`, `truncated`,
    /// `checksum`, `disk-full`, `cache`, `interrupted`.
    pub kind: &'static str,
}

impl FetchError {
    /// An error of `kind` about `uri`.
    pub fn new(uri: impl Display, kind: &'static str, what: impl Into<String>) -> Self {
        Self { uri: uri.to_string(), what: what.into(), hint: None, kind }
    }
    /// The same with what to do about it.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
    /// The cache could not be read or written at `path`.
    pub fn cache(path: &Path, error: &std::io::Error) -> Self {
        use std::io::ErrorKind as Io;
        let full = matches!(error.kind(), Io::StorageFull | Io::QuotaExceeded | Io::FileTooLarge);
        let hint = match error.kind() {
            Io::StorageFull | Io::QuotaExceeded => {
                "free some space, or set TCS_CACHE to a folder on another disk; what has arrived is kept"
            }
            Io::PermissionDenied | Io::ReadOnlyFilesystem => "set TCS_CACHE to a folder that you may write",
            _ => "check the folder, or set TCS_CACHE to another",
        };
        Self::new(path.display(), if full { "disk-full" } else { "cache" }, format!("the cache cannot be used ({error})")).hint(hint)
    }
}

/// A number of bytes as a person reads it: `442,304 bytes`, `2.1 GB`.
pub fn readable_bytes(bytes: u64) -> String {
    const STEPS: [(u64, &str); 3] = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    match STEPS.iter().find(|(step, _)| bytes >= *step) {
        Some((step, unit)) => format!("{:.1} {unit}", bytes as f64 / *step as f64),
        None => format!("{bytes} bytes"),
    }
}
