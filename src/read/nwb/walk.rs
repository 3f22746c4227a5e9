//! Finding things in an NWB file by path and members. Extension types are common and their schemas need not be there, so
//! `neurodata_type` is a hint, never a condition.

use crate::read::Problem;
use crate::read::hdf5::{File, Kind, MOST_OBJECTS, Member, join};
use std::collections::BTreeSet;

/// Deeper nesting than this is a damaged or hostile file.
const DEEPEST: usize = 32;

/// A group and its links.
#[derive(Debug)]
pub struct Node {
    /// Its path.
    pub path: String,
    /// Its members by name.
    pub members: Vec<Member>,
}

impl Node {
    /// Whether it has a dataset of this name.
    pub fn has_array(&self, name: &str) -> bool {
        self.members.iter().any(|member| member.name == name && member.kind == Kind::Dataset)
    }
}

/// All groups of a file, each once however many links lead to it, by path.
#[derive(Debug, Default)]
pub struct Tree {
    /// The groups.
    pub nodes: Vec<Node>,
    /// Links that lead nowhere, and where the walk ended early.
    pub dangling: Vec<Problem>,
}

/// Walks the file. Hard links go first, so that an object reached by several names keeps its own; cycles end at what was seen.
/// The cached schema (`/specifications`) is left out.
pub fn walk(file: &File) -> Tree {
    let mut tree = Tree::default();
    let mut seen = BTreeSet::new();
    let mut links: Vec<(String, usize, String)> = Vec::new();
    let mut waiting = vec![("/".to_owned(), 0)];
    loop {
        let (path, depth) = match (waiting.pop(), links.pop()) {
            (Some(next), link) => {
                links.extend(link);
                next
            }
            // Links are decided last: by then every group has been seen under its own name.
            (None, Some((path, depth, address))) if seen.insert(address.clone()) => (path, depth),
            (None, Some(_)) => continue,
            (None, None) => break,
        };
        if tree.nodes.len() >= MOST_OBJECTS {
            tree.dangling.push(Problem { path, what: format!("more than {MOST_OBJECTS} groups: the rest is not listed") });
            break;
        }
        let members = file.members(&path);
        for member in &members {
            let inner = join(&path, &member.name);
            match member.kind {
                Kind::Dangling => {
                    tree.dangling.push(Problem { path: inner, what: "a link whose target does not exist; taken as absent".to_owned() });
                }
                Kind::Group if inner != "/specifications" && depth < DEEPEST => {
                    if member.is_link {
                        links.push((inner, depth + 1, member.address.clone()));
                    } else if seen.insert(member.address.clone()) {
                        waiting.push((inner, depth + 1));
                    }
                }
                _ => {}
            }
        }
        tree.nodes.push(Node { path, members });
    }
    tree.nodes.sort_by(|a, b| a.path.cmp(&b.path));
    tree.dangling.sort_by(|a, b| a.path.cmp(&b.path));
    tree
}

/// The class of an object: `neurodata_type`, or in NWB 1.x the last of `ancestry`.
pub fn class(file: &File, path: &str) -> Option<String> {
    let ancestry = file.text_attributes(path, "ancestry").and_then(|mut names| names.pop());
    ancestry.or_else(|| file.text_attribute(path, "neurodata_type"))
}

/// The version of NWB: an attribute of the root (2.x), or a dataset (1.x).
pub fn version(file: &File) -> Option<String> {
    file.text_attribute("/", "nwb_version").or_else(|| file.text("/nwb_version"))
}
