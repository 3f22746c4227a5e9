//! The one place that talks to libhdf5: files, groups and arrays as plain values with errors that name the place.
//!
//! Every call goes through the crate's process-wide lock, so the types are `Send`, and reads of several threads take turns.
//! Opening never locks the file (read-only and network mounts refuse locks) and never prints HDF5's own error stack.
//! Nothing is read but what is asked for, and sizes are checked against what the file stores before memory is taken.

use super::bulk::Bulk;
use super::failure::{filter_name, open_error, readable_size};
use super::matrix::Layout;
use crate::read::ReadError;
use ::hdf5::plist::file_access::LogFlags;
use ::hdf5::types::{FixedAscii, FixedUnicode, FloatSize, IntSize, TypeDescriptor, VarLenAscii, VarLenUnicode};
use ::hdf5::{Container, H5Type, Hyperslab, LinkType, Location, LocationType, ObjectReference1, ReferencedObject, Selection, SliceOrIndex};
use ndarray::IxDyn;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Chunk cache of a file that nobody asked more for, bytes a dataset: enough for 87 chunks of (47320, 1) float32 (Allen LFP).
const CHUNK_CACHE: usize = 32 << 20;
/// Hash slots of the chunk cache: a prime of about 100 a chunk, as HDF5's manual advises.
const CHUNK_SLOTS: usize = 10_007;
/// Deflate shrinks at most 1032 times: an array that declares more than this over what it stores is damaged.
const MAX_COMPRESSION: u64 = 1_100;
/// No single read takes more memory than this many values (32 GiB as `f64`).
const MAX_VALUES: usize = 1 << 32;

/// Reads of fewer values than this leave the bulk path alone.
const FEW_VALUES: usize = 1_000;
/// Attributes of more values than this are damaged.
const MAX_ATTRIBUTE: usize = 1 << 16;
/// Arrays of fewer bytes than this need not prove that the file holds them.
const MODEST_BYTES: u64 = 16 << 20;
/// Links of one group that are looked at: a hostile file has millions.
const MOST_LINKS: usize = 100_000;
/// Columns of references longer than this are no table's.
const MAX_REFERENCES: usize = 1 << 24;

/// An open HDF5 file.
#[derive(Debug)]
pub struct File {
    inner: ::hdf5::File,
    path: PathBuf,
}

/// What a link leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A group.
    Group,
    /// A dataset.
    Dataset,
    /// A named type.
    Other,
    /// Nothing: the target of a soft or external link is missing.
    Dangling,
}

/// One link of a group.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its name in the group.
    pub name: String,
    /// What it leads to.
    pub kind: Kind,
    /// File and address of what it leads to: equal for two links to one object.
    pub address: String,
    /// Whether it is a soft or external link.
    pub is_link: bool,
}

/// What the elements of an array are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Element {
    /// Floating point, bytes.
    Float(usize),
    /// Signed integer, bytes.
    Int(usize),
    /// Unsigned integer, bytes.
    Uint(usize),
    /// The enumeration FALSE, TRUE.
    Bool,
    /// Another enumeration.
    Enum,
    /// Variable-length text.
    Text,
    /// Text of a fixed number of bytes.
    FixedText(usize),
    /// References, compounds, ragged types: what no column of ours reads.
    Other,
}

impl Element {
    fn of(dtype: &::hdf5::Datatype) -> Self {
        let integer = |size: IntSize| size as usize;
        match dtype.to_descriptor() {
            Ok(TypeDescriptor::Integer(size)) => Self::Int(integer(size)),
            Ok(TypeDescriptor::Unsigned(size)) => Self::Uint(integer(size)),
            Ok(TypeDescriptor::Float(size)) => Self::Float(match size {
                FloatSize::U2 => 2,
                FloatSize::U4 => 4,
                FloatSize::U8 => 8,
            }),
            Ok(TypeDescriptor::Boolean) => Self::Bool,
            Ok(TypeDescriptor::Enum(_)) => Self::Enum,
            Ok(TypeDescriptor::VarLenAscii | TypeDescriptor::VarLenUnicode) => Self::Text,
            Ok(TypeDescriptor::FixedAscii(size) | TypeDescriptor::FixedUnicode(size)) => Self::FixedText(size),
            _ => Self::Other,
        }
    }
    /// Whether it reads as a number.
    pub fn is_number(&self) -> bool {
        matches!(self, Self::Float(_) | Self::Int(_) | Self::Uint(_))
    }
    /// Whether it reads as text.
    pub fn is_text(&self) -> bool {
        matches!(self, Self::Text | Self::FixedText(_))
    }
    /// numpy's name of it.
    pub fn numpy_name(&self) -> String {
        match self {
            Self::Float(bytes) => format!("float{}", bytes * 8),
            Self::Int(bytes) => format!("int{}", bytes * 8),
            Self::Uint(bytes) => format!("uint{}", bytes * 8),
            Self::Bool => "bool".to_owned(),
            Self::Enum => "enum".to_owned(),
            Self::FixedText(bytes) => format!("S{bytes}"),
            Self::Text | Self::Other => "object".to_owned(),
        }
    }
}

/// An array of a file: its shape and type are known, its values unread.
#[derive(Debug)]
pub struct Array {
    pub(super) dataset: ::hdf5::Dataset,
    pub(super) file: PathBuf,
    lazy: Box<Lazy>,
    /// Its path in the file.
    pub path: String,
    /// Its shape; empty for a scalar.
    pub shape: Vec<usize>,
    /// Its elements.
    pub element: Element,
}

/// What is found out about an array when it is first asked for.
#[derive(Debug, Default)]
struct Lazy {
    /// How it is read past the library, once somebody asked for many values.
    bulk: OnceLock<Option<Bulk>>,
    /// Bytes stored: the library adds up all chunks to tell.
    stored: OnceLock<u64>,
    /// The filters: asked for before every read.
    filters: OnceLock<Vec<FilterStep>>,
}

/// One step of a filter pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterStep {
    /// HDF5's registered number.
    pub id: i32,
    /// The name h5py uses.
    pub name: String,
    /// Whether this process can undo it.
    pub available: bool,
}

impl File {
    /// Opens `path` read-only, without a lock.
    ///
    /// # Errors
    /// `missing`, `unreadable`, `not-hdf5`, `truncated` or `damaged`, each with what to do.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        Self::open_with_cache(path, CHUNK_CACHE)
    }

    /// The same with a chunk cache of `bytes` for each array, if that is more than the usual.
    ///
    /// # Errors
    /// As [`File::open`].
    pub fn open_with_cache(path: &Path, bytes: usize) -> Result<Self, ReadError> {
        let size = readable_size(path)?;
        let log = super::trace::log_of(path);
        let opened = ::hdf5::File::with_options()
            .with_fapl(|fapl| {
                if let Some(log) = log.as_ref().and_then(|log| log.to_str()) {
                    fapl.log_options(Some(log), LogFlags::LOC_READ, 0);
                }
                fapl.file_locking(false).chunk_cache(CHUNK_SLOTS, bytes.max(CHUNK_CACHE), 0.75)
            })
            .open(path);
        match opened {
            Ok(inner) => Ok(Self { inner, path: path.to_owned() }),
            Err(error) => Err(open_error(path, size, &error)),
        }
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// An error about this file.
    pub fn error(&self, kind: &str, what: impl Into<String>) -> ReadError {
        ReadError::new(&self.path, kind, what)
    }

    /// The array at `path`, if there is one.
    pub fn array(&self, path: &str) -> Option<Array> {
        let dataset = self.inner.dataset(path).ok()?;
        let shape = dataset.get_shape().ok()?;
        let element = dataset.dtype().map_or(Element::Other, |dtype| Element::of(&dtype));
        Some(Array { dataset, file: self.path.clone(), lazy: Box::default(), path: absolute(path), shape, element })
    }

    /// Whether there is a group at `path`.
    pub fn is_group(&self, path: &str) -> bool {
        self.inner.group(path).is_ok()
    }

    /// The links of the group at `path` by name; empty when it is no group.
    pub fn members(&self, path: &str) -> Vec<Member> {
        let Ok(group) = self.inner.group(path) else { return Vec::new() };
        let mut links = Vec::new();
        // A group whose index is damaged shows the links found before the damage.
        let _ = group.iter_visit_default(|name, info| {
            if links.len() >= MOST_LINKS {
                return Err("too many links".into());
            }
            links.push((name.to_owned(), info.link_type));
            Ok(())
        });
        links.sort_by(|a, b| a.0.cmp(&b.0));
        links
            .into_iter()
            .map(|(name, link)| {
                let is_link = link != LinkType::Hard;
                match group.loc_info_by_name(&name) {
                    Ok(info) => {
                        let kind = match info.loc_type {
                            LocationType::Group => Kind::Group,
                            LocationType::Dataset => Kind::Dataset,
                            _ => Kind::Other,
                        };
                        Member { name, kind, address: format!("{}:{:?}", info.fileno, info.token), is_link }
                    }
                    Err(_) => Member { name, kind: Kind::Dangling, address: String::new(), is_link },
                }
            })
            .collect()
    }

    /// A text attribute of the group or array at `path`; a list's first.
    pub fn text_attribute(&self, path: &str, name: &str) -> Option<String> {
        self.text_attributes(path, name)?.into_iter().next()
    }

    /// Whether the group or array at `path` has an attribute; its value is not read.
    pub fn has_attribute(&self, path: &str, name: &str) -> bool {
        self.location(path).is_some_and(|location| location.attr(name).is_ok())
    }

    /// All texts of an attribute.
    pub fn text_attributes(&self, path: &str, name: &str) -> Option<Vec<String>> {
        texts_of(&*attribute(&self.location(path)?, name)?).ok()
    }

    /// A numeric attribute; a list's first.
    pub fn number_attribute(&self, path: &str, name: &str) -> Option<f64> {
        numbers_of(&*attribute(&self.location(path)?, name)?).ok()?.into_iter().next()
    }

    /// The path of what an attribute that is an object reference points to; `None` for a null reference.
    pub fn reference_attribute(&self, path: &str, name: &str) -> Option<String> {
        let location = self.location(path)?;
        let attribute = attribute(&location, name)?;
        let reference = attribute.read_raw::<ObjectReference1>().ok()?.into_iter().next()?;
        let target = match location.dereference(&reference).ok()? {
            ReferencedObject::Group(group) => group.name(),
            ReferencedObject::Dataset(dataset) => dataset.name(),
            ReferencedObject::Datatype(_) => return None,
        };
        (!target.is_empty()).then_some(target)
    }

    /// The paths of what an array of object references points to; `None` for null references.
    pub fn references(&self, path: &str) -> Option<Vec<Option<String>>> {
        let dataset = self.inner.dataset(path).ok()?;
        if dataset.size() > MAX_REFERENCES {
            return None;
        }
        // Thousands of rows point to a few objects, and finding an object's name means a search.
        let mut known: BTreeMap<String, Option<String>> = BTreeMap::new();
        let name_of = |reference: &ObjectReference1| match self.inner.dereference(reference).ok()? {
            ReferencedObject::Group(group) => Some(group.name()),
            ReferencedObject::Dataset(dataset) => Some(dataset.name()),
            ReferencedObject::Datatype(_) => None,
        };
        let references = dataset.read_raw::<ObjectReference1>().ok()?;
        Some(
            references
                .iter()
                .map(|reference| known.entry(format!("{reference:?}")).or_insert_with(|| name_of(reference)).clone())
                .collect(),
        )
    }

    /// Text of a scalar (or one-element) dataset.
    pub fn text(&self, path: &str) -> Option<String> {
        self.array(path)?.texts().ok()?.into_iter().next()
    }

    fn location(&self, path: &str) -> Option<Location> {
        let info = self.inner.loc_info_by_name(path).ok()?;
        match info.loc_type {
            LocationType::Group => self.inner.group(path).ok()?.as_location().ok(),
            LocationType::Dataset => self.inner.dataset(path).ok()?.as_location().ok(),
            _ => None,
        }
    }
}

impl Array {
    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().fold(1, |n, &length| n.saturating_mul(length))
    }
    /// Whether it has no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Whether its values lie along one axis: `(n)`, `(n, 1)`, `(1, n)`.
    pub fn is_vector(&self) -> bool {
        !self.shape.is_empty() && self.shape.iter().filter(|&&n| n != 1).count() <= 1
    }
    /// Values of a vector, as [`Array::block`].
    ///
    /// # Errors
    /// As [`Array::numbers`].
    pub fn stretch(&self, range: Range<usize>) -> Result<Vec<f64>, ReadError> {
        let long = self.shape.iter().position(|&n| n != 1).unwrap_or(0);
        let ranges: Vec<Range<usize>> = (0..self.shape.len()).map(|axis| if axis == long { range.clone() } else { 0..1 }).collect();
        self.block(&ranges)
    }
    /// The shape of its chunks; `None` when contiguous.
    pub fn chunks(&self) -> Option<Vec<usize>> {
        self.dataset.chunk()
    }
    /// Bytes of one element in the file.
    pub fn element_bytes(&self) -> usize {
        self.dataset.dtype().map_or(1, |dtype| dtype.size()).max(1)
    }
    /// Bytes that the values take in the file, compressed.
    pub fn stored_bytes(&self) -> u64 {
        *self.lazy.stored.get_or_init(|| self.dataset.storage_size())
    }
    /// The filter pipeline in the order of writing.
    pub fn filters(&self) -> Vec<FilterStep> {
        let read = || {
            let pipeline = self.dataset.dcpl().and_then(|plist| plist.get_filters()).unwrap_or_default();
            pipeline.iter().map(|step| FilterStep { id: step.id(), name: filter_name(step.id()), available: step.is_available() }).collect()
        };
        self.lazy.filters.get_or_init(read).clone()
    }
    /// Names of its attributes.
    pub fn attribute_names(&self) -> Vec<String> {
        self.dataset.attr_names().unwrap_or_default()
    }
    /// A text attribute.
    pub fn text_attribute(&self, name: &str) -> Option<String> {
        texts_of(&*attribute(&self.dataset, name)?).ok()?.into_iter().next()
    }
    /// A numeric attribute.
    pub fn number_attribute(&self, name: &str) -> Option<f64> {
        numbers_of(&*attribute(&self.dataset, name)?).ok()?.into_iter().next()
    }
    /// An error about this array.
    pub fn error(&self, kind: &str, what: impl Into<String>) -> ReadError {
        ReadError::new(&self.file, kind, what).at(&self.path)
    }

    /// All values as `f64`, in memory order.
    ///
    /// # Errors
    /// `unsupported` filter or type, `damaged`.
    pub fn numbers(&self) -> Result<Vec<f64>, ReadError> {
        self.check(self.len())?;
        if let Some(values) = self.stretch_in_bulk(0..self.len())? {
            return Ok(values);
        }
        numbers_of(&self.dataset).map_err(|error| self.damaged(&error))
    }

    /// All values as integers, in memory order; what does not fit an `i64` becomes its largest.
    ///
    /// # Errors
    /// As [`Array::numbers`].
    pub fn integers(&self) -> Result<Vec<i64>, ReadError> {
        self.check(self.len())?;
        self.dataset.read_raw::<i64>().map_err(|error| self.damaged(&error))
    }

    /// All values as text.
    ///
    /// # Errors
    /// As [`Array::numbers`].
    pub fn texts(&self) -> Result<Vec<String>, ReadError> {
        self.check(self.len())?;
        texts_of(&self.dataset).map_err(|error| self.damaged(&error))
    }

    /// A box of values as `f64`, in memory order; one range an axis. Conversion from the stored type is exact up to 64-bit integers.
    ///
    /// # Errors
    /// As [`Array::numbers`].
    pub fn block(&self, ranges: &[Range<usize>]) -> Result<Vec<f64>, ReadError> {
        self.check(ranges.iter().map(ExactSizeIterator::len).product())?;
        if let [range] = ranges
            && let Some(values) = self.stretch_in_bulk(range.clone())?
        {
            return Ok(values);
        }
        self.block_by_library(ranges)
    }

    /// The same by libhdf5 alone: what bulk reads are held against.
    ///
    /// # Errors
    /// As [`Array::numbers`].
    pub fn block_by_library(&self, ranges: &[Range<usize>]) -> Result<Vec<f64>, ReadError> {
        // Narrow types travel narrow and widen here: HDF5's own conversion works in small steps and is several times slower.
        match self.element {
            Element::Int(2) => self.slab::<i16>(ranges).map(|values| values.into_iter().map(f64::from).collect()),
            Element::Float(4) => self.slab::<f32>(ranges).map(|values| values.into_iter().map(f64::from).collect()),
            // HDF5 converts enumerations to integers only.
            Element::Bool => self.slab::<i8>(ranges).map(|values| values.into_iter().map(f64::from).collect()),
            _ => self.slab::<f64>(ranges),
        }
        .map_err(|error| self.damaged(&error))
    }

    /// Single elements of a one-dimensional array, all in one call.
    ///
    /// # Errors
    /// As [`Array::numbers`].
    pub fn points(&self, at: &[usize]) -> Result<Vec<f64>, ReadError> {
        self.check(at.len())?;
        if at.is_empty() {
            return Ok(Vec::new());
        }
        if self.shape.len() != 1 {
            return at.iter().map(|&at| Ok(self.stretch(at..at + 1)?[0])).collect();
        }
        if let Some(bulk) = self.bulk(at.len())
            && let Some(values) = bulk.points(self, at)?
        {
            return Ok(values);
        }
        let selection = Selection::from(ndarray::Array1::from(at.to_vec()));
        let values = self.dataset.read_slice_1d::<f64, _>(selection).map_err(|error| self.damaged(&error))?;
        Ok(values.into_raw_vec_and_offset().0)
    }

    /// `rows` of `columns` (increasing), column after column, past the library: in parallel, each value through `finish` with its
    /// column's position in `columns`. `false` where that cannot be done; `out` is then unchanged or in part filled.
    ///
    /// # Errors
    /// `damaged` or `truncated`, with the place of the chunk.
    pub fn columns(
        &self,
        rows: Range<usize>,
        columns: &[usize],
        layout: Layout,
        out: &mut [f64],
        finish: impl Fn(usize, f64) -> f64 + Sync,
    ) -> Result<bool, ReadError> {
        self.bulk(out.len()).map_or(Ok(false), |bulk| bulk.read(self, (rows, columns), layout, out, finish))
    }

    /// Whether bulk reads go past the library.
    pub fn is_bulk(&self) -> bool {
        self.bulk(usize::MAX).is_some()
    }

    /// A stretch of a one-dimensional array past the library.
    fn stretch_in_bulk(&self, range: Range<usize>) -> Result<Option<Vec<f64>>, ReadError> {
        if self.shape.len() != 1 || range.is_empty() || self.bulk(range.len()).is_none() {
            return Ok(None);
        }
        let mut values = vec![0.0; range.len()];
        Ok(self.columns(range, &[0], Layout::TimeFirst, &mut values, |_, value| value)?.then_some(values))
    }

    /// A few values are not worth finding out where all chunks are, unless that is known already.
    fn bulk(&self, values: usize) -> Option<&Bulk> {
        if values < FEW_VALUES && self.lazy.bulk.get().is_none() {
            return None;
        }
        self.lazy.bulk.get_or_init(|| Bulk::of(self)).as_ref()
    }

    fn slab<T: H5Type>(&self, ranges: &[Range<usize>]) -> ::hdf5::Result<Vec<T>> {
        let axes: Vec<SliceOrIndex> = ranges.iter().map(|range| SliceOrIndex::from(range.clone())).collect();
        let values = self.dataset.read_slice::<T, _, IxDyn>(Selection::from(Hyperslab::from(axes)))?;
        Ok(values.into_raw_vec_and_offset().0)
    }

    /// Refuses what cannot be decoded, and sizes that the file cannot hold.
    ///
    /// # Errors
    /// `unsupported` or `damaged`.
    pub fn check(&self, values: usize) -> Result<(), ReadError> {
        if self.element == Element::Other {
            return Err(self.error("unsupported", "the values are neither numbers nor text (a reference or compound type)"));
        }
        if let Some(step) = self.filters().into_iter().find(|step| !step.available) {
            let hint = "install the plugin and point HDF5_PLUGIN_PATH at it: pip install hdf5plugin; \
                        export HDF5_PLUGIN_PATH=$(python -c 'import hdf5plugin; print(hdf5plugin.PLUGIN_PATH)')";
            return Err(self
                .error("unsupported", format!("compressed with filter {} (id {}), which is not available here", step.name, step.id))
                .hint(hint));
        }
        let declared = (values as u64).saturating_mul(self.element_bytes() as u64);
        // A contiguous array counts as stored whether the file has its bytes or not.
        let stored = || self.stored_bytes().min(std::fs::metadata(&self.file).map_or(u64::MAX, |about| about.len()));
        if declared > MODEST_BYTES && declared / MAX_COMPRESSION > stored() {
            let stored = stored();
            let what = format!("{values} values ({declared} bytes) are declared, but only {stored} bytes are stored");
            return Err(self.error("damaged", what).hint("the file was written incompletely: write or download it again"));
        }
        if values > MAX_VALUES {
            return Err(self
                .error("too-large", format!("{values} values at once need {} GiB", values >> 27))
                .hint("ask for shorter windows or fewer channels"));
        }
        Ok(())
    }

    fn damaged(&self, error: &::hdf5::Error) -> ReadError {
        self.error("damaged", format!("HDF5 cannot read the values: {error}"))
            .hint("compare its checksum with the source and download it again")
    }
}

/// An attribute of a size that somebody may have meant.
fn attribute(location: &Location, name: &str) -> Option<::hdf5::Attribute> {
    location.attr(name).ok().filter(|attribute| attribute.size() <= MAX_ATTRIBUTE)
}

/// A path with its leading slash.
pub fn absolute(path: &str) -> String {
    format!("/{}", path.trim_matches('/'))
}

/// A member's path.
pub fn join(group: &str, name: &str) -> String {
    format!("{}/{name}", group.trim_end_matches('/'))
}

fn numbers_of(container: &Container) -> ::hdf5::Result<Vec<f64>> {
    match Element::of(&container.dtype()?) {
        // HDF5 converts enumerations to integers only.
        Element::Bool | Element::Enum => Ok(container.read_raw::<i8>()?.into_iter().map(f64::from).collect()),
        element if element.is_number() => container.read_raw::<f64>(),
        _ => Err("not a number".into()),
    }
}

fn texts_of(container: &Container) -> ::hdf5::Result<Vec<String>> {
    fn owned<T>(values: &[T], bytes: impl Fn(&T) -> &[u8]) -> Vec<String> {
        let text = |value| String::from_utf8_lossy(bytes(value)).trim_end_matches(['\0', ' ']).to_owned();
        values.iter().map(text).collect()
    }
    // The crate wants a fixed text's length at compile time; HDF5 pads to any longer one.
    macro_rules! fixed {
        ($kind:ident, $size:expr, $($longest:literal)*) => {
            match $size {
                $(..=$longest => Ok(owned(&container.read_raw::<$kind<$longest>>()?, |value| value.as_bytes())),)*
                size => Err(format!("text of {size} bytes").into()),
            }
        };
    }
    match container.dtype()?.to_descriptor()? {
        TypeDescriptor::VarLenUnicode => Ok(owned(&container.read_raw::<VarLenUnicode>()?, |value| value.as_bytes())),
        TypeDescriptor::VarLenAscii => Ok(owned(&container.read_raw::<VarLenAscii>()?, |value| value.as_bytes())),
        TypeDescriptor::FixedAscii(size) => fixed!(FixedAscii, size, 16 128 1024 16384),
        TypeDescriptor::FixedUnicode(size) => fixed!(FixedUnicode, size, 16 128 1024 16384),
        _ => Err("not text".into()),
    }
}
