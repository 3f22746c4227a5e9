//! NumPy's `.npy` files, one array each: booleans, integers and floats of either byte order, in C or Fortran order.
//!
//! Only the bytes of the rows that are asked for are read. The layout of the file is that of NEP 1 and of
//! `numpy.lib.format` (versions 1.0 to 3.0): magic, version, length of the header, a Python dictionary with `descr`,
//! `fortran_order` and `shape`, then the values. Archives (`.npz`), objects, texts and complex numbers are refused.

use super::memory::{self, Layout, Source};
use super::{Format, Inspection, ReadError, Reader, Request, SeriesSummary, SignalKind};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// The format's entry.
pub static FORMAT: Format = Format {
    name: "npy",
    summary: "a NumPy array; for series, rows are time and columns are channels",
    extensions: &["npy", "npz"],
    signals: &[SignalKind::Series, SignalKind::Points, SignalKind::Distances],
    open,
    inspect,
};

fn open(request: &Request) -> Result<Box<dyn Reader>, ReadError> {
    let path = &request.path;
    if request.signal == SignalKind::Spikes {
        return Err(memory::unsupported_signal(path, "npy", "spikes"));
    }
    let array = Array::open(path)?;
    if !request.series.is_empty() {
        return Err(ReadError::new(path, "no-series", "an npy file holds one array and no names").hint("remove `series`"));
    }
    if array.n_rows == 0 || array.n_columns == 0 {
        return Err(ReadError::new(path, "bad-value", format!("an array of shape {} holds no numbers", tuple(&array.shape))));
    }
    let columns = (0..array.n_columns).map(|column| (column, format!("c{column}"))).collect();
    let layout = Layout { format: "npy", columns, n_rows: array.n_rows, clock: None, notes: Vec::new() };
    memory::open(request, layout, Box::new(array))
}

fn inspect(path: &Path) -> Result<Inspection, ReadError> {
    let array = Array::open(path)?;
    let series = SeriesSummary { kind: "array".into(), shape: array.shape.clone(), dtype: array.dtype.numpy_name(), ..Default::default() };
    Ok(Inspection { file: path.display().to_string(), format: "npy".into(), series: vec![series], ..Default::default() })
}

/// An open array of one or two dimensions.
#[derive(Debug)]
struct Array {
    path: PathBuf,
    file: File,
    /// Where the values begin, bytes.
    start: u64,
    dtype: Dtype,
    column_major: bool,
    shape: Vec<usize>,
    n_rows: usize,
    n_columns: usize,
}

impl Array {
    fn open(path: &Path) -> Result<Self, ReadError> {
        let mut file = File::open(path).map_err(|error| memory::io_error(path, &error))?;
        let (text, start) = header_text(path, &mut file)?;
        let header = Header::parse(&text).ok_or_else(|| {
            ReadError::new(path, "damaged", format!("its header cannot be understood: {}", shortened(&text)))
                .hint("write it again with numpy.save")
        })?;
        let dtype = Dtype::parse(path, &header.descr)?;
        let (n_rows, n_columns) = match header.shape[..] {
            [n] => (n, 1),
            [rows, columns] => (rows, columns),
            _ => {
                let shape = tuple(&header.shape);
                return Err(ReadError::new(
                    path,
                    "unsupported",
                    format!("an array of shape {shape} has {} dimensions", header.shape.len()),
                )
                .hint("save one or two dimensions: rows are time or points, columns are channels or coordinates"));
            }
        };
        let n_bytes = n_rows.checked_mul(n_columns).and_then(|n| n.checked_mul(dtype.size)).map(|n| n as u64);
        let actual = file.metadata().map_err(|error| memory::io_error(path, &error))?.len().saturating_sub(start);
        match n_bytes {
            Some(expected) if expected <= actual => {}
            Some(expected) => {
                return Err(ReadError::new(
                    path,
                    "truncated",
                    format!("its header promises {expected} bytes of values, the file holds {actual}"),
                )
                .hint("copy or write the file again"));
            }
            None => return Err(ReadError::new(path, "damaged", format!("its shape {} is beyond any file", tuple(&header.shape)))),
        }
        Ok(Self { path: path.to_owned(), file, start, dtype, column_major: header.fortran_order, shape: header.shape, n_rows, n_columns })
    }

    /// `count` values from the `first` on, in the file's order.
    fn values(&mut self, first: usize, count: usize) -> Result<Vec<f64>, ReadError> {
        let mut bytes = vec![0; count * self.dtype.size];
        let at = self.start + (first * self.dtype.size) as u64;
        self.file
            .seek(SeekFrom::Start(at))
            .and_then(|_| self.file.read_exact(&mut bytes))
            .map_err(|error| memory::io_error(&self.path, &error))?;
        Ok(self.dtype.decode(&bytes))
    }
}

impl Source for Array {
    fn rows(&mut self, columns: &[usize], first: usize, count: usize) -> Result<Vec<f64>, ReadError> {
        if self.column_major || self.n_columns == 1 {
            let mut out = Vec::with_capacity(columns.len() * count);
            for column in columns {
                out.extend(self.values(column * self.n_rows + first, count)?);
            }
            return Ok(out);
        }
        // A block of rows at a time: all columns of a wide file at once would need twice the memory of the result.
        let block_rows = (1_usize << 20).div_ceil(self.n_columns).min(count.max(1));
        let mut out = vec![0.0; columns.len() * count];
        for block in (0..count).step_by(block_rows) {
            let rows = block_rows.min(count - block);
            let values = self.values((first + block) * self.n_columns, rows * self.n_columns)?;
            for (position, column) in columns.iter().enumerate() {
                let from = values.iter().skip(*column).step_by(self.n_columns);
                out[position * count + block..][..rows].iter_mut().zip(from).for_each(|(to, from)| *to = *from);
            }
        }
        Ok(out)
    }
    fn place(&self, column: usize, row: usize) -> String {
        if self.shape.len() == 1 { format!("[{row}]") } else { format!("[{row}, {column}]") }
    }
}

/// The header as text, and where the values begin.
fn header_text(path: &Path, file: &mut File) -> Result<(String, u64), ReadError> {
    let mut lead = [0; 8];
    let short = |error: std::io::Error| memory::io_error(path, &error);
    let found = file.by_ref().take(8).read(&mut lead).map_err(short)?;
    if lead.starts_with(b"PK") {
        return Err(ReadError::new(path, "unsupported", "this is an npz archive of several arrays")
            .hint("save the array you want with numpy.save as an .npy file"));
    }
    if found == 0 {
        return Err(ReadError::new(path, "truncated", "the file is empty").hint("copy or write the file again"));
    }
    if !lead.starts_with(b"\x93NUMPY") {
        return Err(ReadError::new(path, "damaged", "this is not an npy file: its first bytes are not \\x93NUMPY")
            .hint("set `format` to what it is"));
    }
    let (length, before) = if lead[6] == 1 {
        let mut bytes = [0; 2];
        file.read_exact(&mut bytes).map_err(short)?;
        (u64::from(u16::from_le_bytes(bytes)), 10)
    } else {
        let mut bytes = [0; 4];
        file.read_exact(&mut bytes).map_err(short)?;
        (u64::from(u32::from_le_bytes(bytes)), 12)
    };
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes).map_err(short)?;
    if (bytes.len() as u64) < length {
        return Err(ReadError::new(path, "truncated", format!("its header has {length} bytes, the file holds {} of them", bytes.len()))
            .hint("copy or write the file again"));
    }
    Ok((String::from_utf8_lossy(&bytes).into_owned(), before + length))
}

/// What the dictionary says.
#[derive(Debug, PartialEq)]
struct Header {
    /// The dtype: a text, or a list for records (kept as written).
    descr: String,
    fortran_order: bool,
    shape: Vec<usize>,
}

impl Header {
    /// Reads the three keys that numpy writes; their order is free.
    fn parse(text: &str) -> Option<Self> {
        let after = |key: &str| {
            let at = text.find(&format!("'{key}'")).or_else(|| text.find(&format!("\"{key}\"")))?;
            text[at + key.len() + 2..].trim_start().strip_prefix(':').map(str::trim_start)
        };
        let descr = after("descr")?;
        let descr = match descr.chars().next()? {
            quote @ ('\'' | '"') => descr[1..].split(quote).next()?.to_owned(),
            _ => descr.split("'fortran_order'").next()?.trim_end_matches([',', ' ']).to_owned(),
        };
        let order = after("fortran_order")?;
        let fortran_order = order.starts_with("True");
        if !fortran_order && !order.starts_with("False") {
            return None;
        }
        let shape = after("shape")?.strip_prefix('(')?.split(')').next()?;
        let sizes = shape.split(',').map(|size| size.trim().trim_end_matches('L')).filter(|size| !size.is_empty());
        Some(Self { descr, fortran_order, shape: sizes.map(|size| size.parse().ok()).collect::<Option<_>>()? })
    }
}

/// The type of the values.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Dtype {
    big_endian: bool,
    /// `b`oolean, `i`nteger, `u`nsigned, `f`loat.
    class: char,
    size: usize,
}

impl Dtype {
    fn parse(path: &Path, descr: &str) -> Result<Self, ReadError> {
        let mut letters = descr.chars();
        let order = letters.next();
        let class = letters.next();
        let size = letters.as_str().parse().ok();
        match (order, class, size) {
            (Some(order @ ('<' | '>' | '|' | '=')), Some(class @ ('b' | 'i' | 'u' | 'f')), Some(size))
                if matches!((class, size), ('b', 1) | ('i' | 'u', 1 | 2 | 4 | 8) | ('f', 4 | 8)) =>
            {
                Ok(Self { big_endian: order == '>', class, size })
            }
            _ => Err(ReadError::new(path, "unsupported", format!("values of dtype {} are not numbers that can be used", shortened(descr)))
                .hint("save booleans, integers or floats (float32 or float64) with numpy.save")),
        }
    }

    fn numpy_name(self) -> String {
        let class = match self.class {
            'b' => return "bool".to_owned(),
            'i' => "int",
            'u' => "uint",
            _ => "float",
        };
        format!("{class}{}", self.size * 8)
    }

    fn decode(self, bytes: &[u8]) -> Vec<f64> {
        macro_rules! numbers {
            ($type:ty, $size:literal) => {
                bytes
                    .as_chunks::<$size>()
                    .0
                    .iter()
                    .map(|&bytes| if self.big_endian { <$type>::from_be_bytes(bytes) } else { <$type>::from_le_bytes(bytes) } as f64)
                    .collect()
            };
        }
        match (self.class, self.size) {
            ('b', _) => bytes.iter().map(|&byte| f64::from(u8::from(byte != 0))).collect(),
            ('i', 1) => numbers!(i8, 1),
            ('i', 2) => numbers!(i16, 2),
            ('i', 4) => numbers!(i32, 4),
            ('i', _) => numbers!(i64, 8),
            ('u', 1) => numbers!(u8, 1),
            ('u', 2) => numbers!(u16, 2),
            ('u', 4) => numbers!(u32, 4),
            ('u', _) => numbers!(u64, 8),
            (_, 4) => numbers!(f32, 4),
            _ => numbers!(f64, 8),
        }
    }
}

fn tuple(shape: &[usize]) -> String {
    let sizes: Vec<_> = shape.iter().map(usize::to_string).collect();
    if sizes.len() == 1 { format!("({},)", sizes[0]) } else { format!("({})", sizes.join(", ")) }
}

fn shortened(text: &str) -> String {
    let short: String = text.trim().chars().take(60).collect();
    format!("`{short}{}`", if text.trim().chars().count() > 60 { "…" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_old_and_new_numpy_are_read() {
        let old = Header::parse("{'descr': '<f8', 'fortran_order': False, 'shape': (3L, 4L), }  \n").unwrap();
        assert_eq!(old, Header { descr: "<f8".into(), fortran_order: false, shape: vec![3, 4] });
        let other = Header::parse("{\"shape\": (), 'fortran_order': True, 'descr': [('a', '<i4'), ('b', '<f8')]}").unwrap();
        assert_eq!(other.shape, Vec::<usize>::new());
        assert!(other.fortran_order && other.descr.starts_with("[('a'"));
        assert_eq!(Header::parse("{'descr': '<f8', 'shape': (3,)}"), None);
        assert_eq!(Header::parse("{'descr': '<f8', 'fortran_order': False, 'shape': (-3,)}"), None);
    }
}
