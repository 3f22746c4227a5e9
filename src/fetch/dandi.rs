//! Assets of the DANDI archive, found through its REST API (<https://api.dandiarchive.org/swagger/>):
//! the dandiset's latest published version, the asset at a path of it, its size and SHA-256, and where it is downloaded.

use super::download::Target;
use super::http::Web;
use super::{Address, FetchError};
use serde_json::Value as Json;
use url::Url;

/// The archive's API, unless `TCS_DANDI_API` names another.
pub const API: &str = "https://api.dandiarchive.org/api";

/// Finds an asset.
///
/// # Errors
/// When the archive cannot be asked, and when it has no such dandiset, version or path (near ones are named).
pub fn find(web: &Web<'_>, dandiset: &str, version: Option<&str>, path: &str) -> Result<Target, FetchError> {
    let shown = Address::Dandi { dandiset: dandiset.into(), version: version.map(str::to_owned), path: path.into() }.shown();
    let odd = |what: &str| FetchError::new(&shown, "http", format!("the archive's answer {what}")).hint("check TCS_DANDI_API");
    let about = |error: FetchError, what: &str| match error.kind {
        "not-found" => {
            FetchError::new(&shown, "not-found", what.to_owned()).hint("see https://dandiarchive.org/dandiset/".to_owned() + dandiset)
        }
        _ => error,
    };
    let version = match version {
        Some(version) => version.to_owned(),
        None => {
            let set = web.json(&url(web, &["dandisets", dandiset], None)?).map_err(|error| about(error, "there is no such dandiset"))?;
            set["most_recent_published_version"]["version"].as_str().unwrap_or("draft").to_owned()
        }
    };
    let assets = web
        .json(&url(web, &["dandisets", dandiset, "versions", &version, "assets"], Some(path))?)
        .map_err(|error| about(error, "there is no such dandiset or version"))?;
    let found = assets["results"].as_array().ok_or_else(|| odd("has no list of assets"))?;
    let Some(asset) = found.iter().find(|asset| asset["path"].as_str() == Some(path)) else {
        return Err(no_such_path(web, &shown, dandiset, &version, path, found));
    };
    let id = asset["asset_id"].as_str().ok_or_else(|| odd("has an asset without an id"))?;
    let metadata = web.json(&url(web, &["dandisets", dandiset, "versions", &version, "assets", id], None)?)?;
    let sha256 = metadata["digest"]["dandi:sha2-256"].as_str().map(str::to_lowercase);
    let size = asset["size"].as_u64().or_else(|| metadata["contentSize"].as_u64());
    Ok(Target {
        shown,
        url: url(web, &["assets", id, "download"], None)?,
        s3: None,
        sha256,
        says: format!("DANDI {dandiset} {version}"),
        size,
    })
}

fn no_such_path(web: &Web<'_>, shown: &str, dandiset: &str, version: &str, path: &str, found: &[Json]) -> FetchError {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let listed = if found.is_empty() {
        url(web, &["dandisets", dandiset, "versions", version, "assets"], Some(folder)).and_then(|url| web.json(&url)).ok()
    } else {
        None
    };
    let near = listed.as_ref().and_then(|listed| listed["results"].as_array()).map_or(found, Vec::as_slice);
    let mut paths: Vec<&str> = near.iter().filter_map(|asset| asset["path"].as_str()).collect();
    paths.sort_by(|a, b| strsim::jaro_winkler(b, path).total_cmp(&strsim::jaro_winkler(a, path)).then(a.cmp(b)));
    paths.truncate(3);
    let hint = if paths.is_empty() {
        format!("see https://dandiarchive.org/dandiset/{dandiset}/{version}/files")
    } else {
        format!("near it: {}", paths.join(", "))
    };
    FetchError::new(shown, "not-found", format!("version {version} has no asset at this path")).hint(hint)
}

/// `API/a/b/c/`, with `?path=` for a list of assets.
fn url(web: &Web<'_>, parts: &[&str], path: Option<&str>) -> Result<Url, FetchError> {
    let base = &web.settings.dandi_api;
    let bad = |what: String| FetchError::new(super::uri::redacted(base), "bad-uri", what).hint("check TCS_DANDI_API");
    let mut url = Url::parse(base).map_err(|error| bad(format!("not an address ({error})")))?;
    url.path_segments_mut().map_err(|()| bad("not a web address".into()))?.pop_if_empty().extend(parts).push("");
    if let Some(path) = path {
        url.query_pairs_mut().append_pair("path", path).append_pair("page_size", "100");
    }
    Ok(url)
}
