//! Stored numbers to `f64`: exact up to 32-bit integers and all floats, to nearest beyond.

/// How an element is stored: little-endian, as on every machine that writes recordings today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Number {
    /// Signed, 1 byte.
    I8,
    /// Unsigned, 1 byte.
    U8,
    /// Signed, 2 bytes.
    I16,
    /// Unsigned, 2 bytes.
    U16,
    /// Signed, 4 bytes.
    I32,
    /// Unsigned, 4 bytes.
    U32,
    /// Signed, 8 bytes.
    I64,
    /// Unsigned, 8 bytes.
    U64,
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary64.
    F64,
}

impl Number {
    /// The number type of a stored type that is exactly one of ours; anything else (big-endian, padded, half) is not.
    pub fn of(dtype: &::hdf5::Datatype) -> Option<Self> {
        macro_rules! first {
            ($($rust:ty => $number:ident),*) => { $(if dtype.is::<$rust>() { return Some(Self::$number); })* };
        }
        if cfg!(target_endian = "little") {
            first!(f64 => F64, f32 => F32, i16 => I16, u16 => U16, i8 => I8, u8 => U8, i32 => I32, u32 => U32, i64 => I64, u64 => U64);
        }
        None
    }

    /// Bytes of an element.
    pub fn bytes(self) -> usize {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
        }
    }

    /// Elements `first`, `first + step`, … of `bytes`, each through `finish`, until `into` is full.
    pub fn gather(self, bytes: &[u8], first: usize, step: usize, into: &mut [f64], finish: impl Fn(f64) -> f64) {
        macro_rules! run {
            ($rust:ty, $size:literal) => {{
                let (elements, _) = bytes.as_chunks::<$size>();
                let values = elements[first..].iter().step_by(step.max(1));
                for (value, element) in into.iter_mut().zip(values) {
                    *value = finish(<$rust>::from_le_bytes(*element) as f64);
                }
            }};
        }
        match self {
            Self::I8 => run!(i8, 1),
            Self::U8 => run!(u8, 1),
            Self::I16 => run!(i16, 2),
            Self::U16 => run!(u16, 2),
            Self::I32 => run!(i32, 4),
            Self::U32 => run!(u32, 4),
            Self::I64 => run!(i64, 8),
            Self::U64 => run!(u64, 8),
            Self::F32 => run!(f32, 4),
            Self::F64 => run!(f64, 8),
        }
    }
}
