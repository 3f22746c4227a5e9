//! Addresses of recordings: `https://…`, `s3://bucket/key`, `dandi:ID[@VERSION]/path`; `catalogue:NAME` is resolved in `catalogue`.

use super::FetchError;
use url::{Host, Url};

/// Schemes of sources that are not local paths.
pub const SCHEMES: &[&str] = &["https://", "http://", "s3://", "dandi:", "catalogue:"];

/// Whether a source of a job file is an address rather than a path.
pub fn is_remote(source: &str) -> bool {
    SCHEMES.iter().any(|scheme| source.starts_with(scheme))
}

/// A parsed address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Address {
    /// `https://…`, or `http://…` of this very machine.
    Http(Url),
    /// A public object of S3.
    S3 {
        /// The bucket.
        bucket: String,
        /// The object's key.
        key: String,
    },
    /// An asset of the DANDI archive.
    Dandi {
        /// Six digits.
        dandiset: String,
        /// `draft` or a published version; `None`: the latest published one, else the draft.
        version: Option<String>,
        /// Path of the asset in the dandiset.
        path: String,
    },
}

impl Address {
    /// Parses an address.
    ///
    /// # Errors
    /// `bad-uri`, without the part that may be a password.
    pub fn parse(text: &str) -> Result<Self, FetchError> {
        let bad = |what: String| FetchError::new(redacted(text), "bad-uri", what);
        let is_web = text.starts_with("http");
        if text.chars().any(|letter| letter.is_control() || is_web && letter.is_whitespace()) {
            return Err(bad("an address has no spaces or line breaks".into()).hint("write a space as %20"));
        }
        if let Some(rest) = text.strip_prefix("s3://") {
            let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
            let fits = |letter: char| letter.is_ascii_alphanumeric() || ".-_".contains(letter);
            if bucket.len() < 3 || !bucket.chars().all(fits) || key.is_empty() || key.ends_with('/') {
                return Err(bad("an S3 address is s3://BUCKET/KEY, and the key names one object".into()));
            }
            return Ok(Self::S3 { bucket: bucket.into(), key: key.into() });
        }
        if let Some(rest) = text.strip_prefix("dandi:") {
            return dandi(rest).ok_or_else(|| {
                bad("a DANDI address is dandi:ID/PATH or dandi:ID@VERSION/PATH, the id six digits".into())
                    .hint("for example dandi:000017/sub-Cori/sub-Cori_ses-20161214T120000.nwb")
            });
        }
        let url = Url::parse(text).map_err(|error| bad(format!("not an address ({error})")))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(bad("an address with a user name or password is not taken: the job file is copied into every result".into())
                .hint("use a public or a presigned address, or download the file and give its path"));
        }
        match url.scheme() {
            "https" => {}
            "http" if is_this_machine(&url) => {}
            "http" => return Err(bad("http:// can be altered on its way".into()).hint("use https://")),
            scheme => return Err(bad(format!("`{scheme}:` addresses are not known")).hint(format!("known: {}", SCHEMES.join(" ")))),
        }
        if url.path().ends_with('/') {
            return Err(bad("the address names a folder, not a file".into()));
        }
        Ok(Self::Http(url))
    }

    /// The address as it may be shown and remembered: the values of a query are left out, as they may be a signature.
    pub fn shown(&self) -> String {
        match self {
            Self::Http(url) => redacted(url.as_str()),
            Self::S3 { bucket, key } => format!("s3://{bucket}/{key}"),
            Self::Dandi { dandiset, version: None, path } => format!("dandi:{dandiset}/{path}"),
            Self::Dandi { dandiset, version: Some(version), path } => format!("dandi:{dandiset}@{version}/{path}"),
        }
    }

    /// A short name under which the cache remembers this address; equal for two signatures of one address.
    pub fn key(&self) -> String {
        let text = match self {
            Self::Http(url) => {
                let mut url = url.clone();
                let is_signature = |name: &str| {
                    let name = name.to_ascii_lowercase();
                    name.starts_with("x-amz-") || ["signature", "expires", "awsaccesskeyid", "sig", "se", "token"].contains(&name.as_str())
                };
                let kept: Vec<(String, String)> =
                    url.query_pairs().filter(|(name, _)| !is_signature(name)).map(|(name, value)| (name.into(), value.into())).collect();
                url.set_fragment(None);
                url.set_query(None);
                if !kept.is_empty() {
                    url.query_pairs_mut().extend_pairs(kept);
                }
                url.to_string()
            }
            other => other.shown(),
        };
        blake3::hash(text.as_bytes()).to_hex()[..20].to_owned()
    }

    /// The file's name: what follows the last slash, with nothing in it that a file system minds.
    pub fn file_name(&self) -> String {
        let last = match self {
            Self::Http(url) => {
                let raw = url.path().rsplit('/').next().unwrap_or_default();
                percent_decoded(raw)
            }
            Self::S3 { key: path, .. } | Self::Dandi { path, .. } => path.rsplit('/').next().unwrap_or_default().to_owned(),
        };
        let tame = |letter: char| if letter.is_control() || "/\\:*?\"<>|".contains(letter) { '_' } else { letter };
        let name: String = last.chars().map(tame).collect();
        let name = name.trim_start_matches('.');
        // The end is kept: it says the format.
        let from = name.len().saturating_sub(120);
        let from = (from..=name.len()).find(|&at| name.is_char_boundary(at)).unwrap_or(0);
        if name.is_empty() { "file".into() } else { name[from..].to_owned() }
    }

    /// The web address of an S3 object: `endpoint/bucket/key` at an endpoint of one's own, else `bucket.s3.region.amazonaws.com/key`.
    pub fn s3_url(bucket: &str, key: &str, endpoint: Option<&str>, region: Option<&str>) -> Result<Url, FetchError> {
        let bad = |error: url::ParseError| FetchError::new(format!("s3://{bucket}/{key}"), "bad-uri", format!("not an address ({error})"));
        let host = region.map_or_else(|| "s3.amazonaws.com".to_owned(), |region| format!("s3.{region}.amazonaws.com"));
        // A dot in a bucket's name does not fit the certificate of *.s3.amazonaws.com.
        let (base, in_path) = match endpoint {
            Some(endpoint) => (endpoint.trim_end_matches('/').to_owned(), true),
            None if bucket.contains('.') => (format!("https://{host}"), true),
            None => (format!("https://{bucket}.{host}"), false),
        };
        let mut url = Url::parse(&base).map_err(bad)?;
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty();
            if in_path {
                segments.push(bucket);
            }
            segments.extend(key.split('/'));
        }
        Ok(url)
    }
}

/// Whether an address stays on this machine, where nobody listens in.
pub(super) fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn dandi(rest: &str) -> Option<Address> {
    let (head, path) = rest.trim_start_matches('/').split_once('/')?;
    let (dandiset, version) = head.split_once('@').map_or((head, None), |(id, version)| (id, Some(version.to_owned())));
    let version_fits = version.as_ref().is_none_or(|version| {
        version == "draft" || (version.starts_with("0.") && version.chars().all(|letter| letter.is_ascii_digit() || letter == '.'))
    });
    let fits = dandiset.len() == 6 && dandiset.bytes().all(|byte| byte.is_ascii_digit());
    (fits && version_fits && !path.is_empty() && !path.ends_with('/')).then(|| Address::Dandi {
        dandiset: dandiset.into(),
        version,
        path: path.into(),
    })
}

fn percent_decoded(text: &str) -> String {
    // A query pair decodes as wanted once `+` is protected.
    url::form_urlencoded::parse(format!("n={}", text.replace('+', "%2B").replace('&', "%26")).as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

/// A text without what may be a credential: the user's part of an address and the values of its query.
pub fn redacted(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let end = after.find(|letter: char| letter.is_whitespace() || "\"'`<>".contains(letter)).unwrap_or(after.len());
        let (address, tail) = after.split_at(end);
        // The last @ before the path: a password may hold one itself.
        let host_end = address.find(['/', '?', '#']).unwrap_or(address.len());
        let address = match address[..host_end].rfind('@') {
            Some(at) => format!("…@{}", &address[at + 1..]),
            // A password with a slash in it: everything up to the last @ goes.
            None if address[..host_end].contains(':') && address.contains('@') && !is_port(&address[..host_end]) => {
                format!("…@{}", address.rsplit('@').next().unwrap_or_default())
            }
            None => address.to_owned(),
        };
        out.push_str(address.split_once('?').map_or(address.as_str(), |(path, _)| path));
        if address.contains('?') {
            out.push_str("?…");
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

fn is_port(host: &str) -> bool {
    host.rsplit_once(':').is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        let parse = |text| Address::parse(text).unwrap();
        assert_eq!(parse("s3://b-1/a/c.nwb"), Address::S3 { bucket: "b-1".into(), key: "a/c.nwb".into() });
        let dandi = parse("dandi:000017@0.240329.1926/sub-Cori/x.nwb");
        assert_eq!(dandi.shown(), "dandi:000017@0.240329.1926/sub-Cori/x.nwb");
        assert_eq!(dandi.file_name(), "x.nwb");
        assert_eq!(parse("https://h.org/a/b%20c+d.nwb?x=1").file_name(), "b c+d.nwb");
        for bad in [
            "s3://bucket",
            "s3://b/",
            "dandi:17/x.nwb",
            "dandi:000017",
            "dandi:000017@latest/x",
            "http://example.org/x.nwb",
            "ftp://h/x",
            "https://h.org/",
            "https://",
            "https://h/a b",
        ] {
            assert_eq!(Address::parse(bad).unwrap_err().kind, "bad-uri", "{bad}");
        }
        assert!(Address::parse("http://127.0.0.1:8080/x.nwb").is_ok());
    }

    #[test]
    fn nothing_secret_is_shown() {
        for (text, shown) in [
            ("https://me:pw@h.org/x.nwb", "https://…@h.org/x.nwb"),
            ("https://me:p@w@h.org/x", "https://…@h.org/x"),
            ("https://me:p/w@h.org/x", "https://…@h.org/x"),
            ("source = \"https://me:pw@h.org/x\" # https://h/y?sig=1", "source = \"https://…@h.org/x\" # https://h/y?…"),
            ("https://h.org:8080/a@b.nwb", "https://h.org:8080/a@b.nwb"),
            ("no address at all", "no address at all"),
        ] {
            assert_eq!(redacted(text), shown);
        }
        let error = Address::parse("https://me:secret@h.org/x.nwb").unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn one_key_for_all_signatures_and_another_for_another_query() {
        let key = |text| Address::parse(text).unwrap().key();
        assert_eq!(key("https://h.org/x?X-Amz-Signature=1&v=2"), key("https://h.org/x?v=2&X-Amz-Signature=9"));
        assert_ne!(key("https://h.org/x?v=2"), key("https://h.org/x?v=3"));
    }

    #[test]
    fn s3_objects_have_web_addresses() {
        let url = |bucket, key, endpoint, region| Address::s3_url(bucket, key, endpoint, region).unwrap().to_string();
        assert_eq!(url("bk", "a/b c.nwb", None, None), "https://bk.s3.amazonaws.com/a/b%20c.nwb");
        assert_eq!(url("bk", "a", None, Some("us-west-2")), "https://bk.s3.us-west-2.amazonaws.com/a");
        assert_eq!(url("b.k", "a", None, None), "https://s3.amazonaws.com/b.k/a");
        assert_eq!(url("bk", "a", Some("http://127.0.0.1:9/"), None), "http://127.0.0.1:9/bk/a");
    }
}
