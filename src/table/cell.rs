//! How a field of a row struct becomes a column: its Arrow type, whether it may be null, and the way back.
//!
//! NaN never stands for a missing value: an optional number that is NaN is written as null, a required one is an error.

use super::record::UnitStatus;
use crate::data::CurveKind;
use arrow_array::builder::{BooleanBuilder, FixedSizeListBuilder, Float32Builder, PrimitiveBuilder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Float32Type, Float64Type, Int8Type, UInt32Type, UInt64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::Field;
use std::collections::HashMap;
use std::sync::Arc;

/// A column with its field.
pub(super) struct Column {
    pub(super) field: Field,
    pub(super) array: ArrayRef,
}

/// A type that a column can hold.
pub(super) trait Cell: Sized {
    /// Whether a cell may be empty.
    const NULLABLE: bool;
    /// All cells as an Arrow array; the error names what cannot be written.
    fn to_array<'a>(cells: impl Iterator<Item = &'a Self> + Clone) -> Result<ArrayRef, String>
    where
        Self: 'a;
    /// All cells of an Arrow array, or `None` where it is of another type. Nulls are already ruled out unless `NULLABLE`.
    fn from_array(array: &dyn Array) -> Option<Result<Vec<Self>, String>>;
}

/// Makes a column. The metadata has one key at most: Arrow keeps it in a hash map, whose order would reach the file's bytes.
pub(super) fn column<'a, C: Cell + 'a>(name: &str, measure: &str, cells: impl Iterator<Item = &'a C> + Clone) -> Result<Column, String> {
    let array = C::to_array(cells).map_err(|what| format!("column `{name}`, {what}"))?;
    let mut field = Field::new(name, array.data_type().clone(), C::NULLABLE);
    if !measure.is_empty() {
        field.set_metadata(HashMap::from([("unit".to_owned(), measure.to_owned())]));
    }
    Ok(Column { field, array })
}

/// Takes a column out of a batch.
pub(super) fn values<C: Cell>(batch: &RecordBatch, name: &str) -> Result<Vec<C>, String> {
    let array = batch.column_by_name(name).ok_or_else(|| format!("column `{name}` is missing"))?;
    if !C::NULLABLE && array.null_count() > 0 {
        return Err(format!("column `{name}` has empty cells"));
    }
    C::from_array(array)
        .unwrap_or_else(|| Err(format!("its type is {}", array.data_type())))
        .map_err(|what| format!("column `{name}`: {what}"))
}

/// Numbers without a NaN: required, and optional.
macro_rules! whole_number {
    ($native:ty, $arrow:ty) => {
        impl Cell for $native {
            const NULLABLE: bool = false;
            fn to_array<'a>(cells: impl Iterator<Item = &'a Self> + Clone) -> Result<ArrayRef, String> {
                Ok(primitive::<$arrow>(cells.map(|&cell| Some(cell))))
            }
            fn from_array(array: &dyn Array) -> Option<Result<Vec<Self>, String>> {
                Some(Ok(array.as_primitive_opt::<$arrow>()?.values().to_vec()))
            }
        }
        impl Cell for Option<$native> {
            const NULLABLE: bool = true;
            fn to_array<'a>(cells: impl Iterator<Item = &'a Self> + Clone) -> Result<ArrayRef, String> {
                Ok(primitive::<$arrow>(cells.copied()))
            }
            fn from_array(array: &dyn Array) -> Option<Result<Vec<Self>, String>> {
                Some(Ok(array.as_primitive_opt::<$arrow>()?.iter().collect()))
            }
        }
    };
}
whole_number!(i8, Int8Type);
whole_number!(u32, UInt32Type);
whole_number!(u64, UInt64Type);

impl Cell for f64 {
    const NULLABLE: bool = false;
    fn to_array<'a>(cells: impl Iterator<Item = &'a Self> + Clone) -> Result<ArrayRef, String> {
        match cells.clone().position(|cell| cell.is_nan()) {
            Some(row) => Err(format!("row {row}: NaN where a number must stand")),
            None => Ok(primitive::<Float64Type>(cells.map(|&cell| Some(cell)))),
        }
    }
    fn from_array(array: &dyn Array) -> Option<Result<Vec<Self>, String>> {
        Some(Ok(array.as_primitive_opt::<Float64Type>()?.values().to_vec()))
    }
}

impl Cell for Option<f64> {
    const NULLABLE: bool = true;
    fn to_array<'a>(cells: impl Iterator<Item = &'a Self> + Clone) -> Result<ArrayRef, String> {
        Ok(primitive::<Float64Type>(cells.map(|cell| cell.filter(|number| !number.is_nan()))))
    }
    fn from_array(array: &dyn Array) -> Option<Result<Vec<Self>, String>> {
        Some(Ok(array.as_primitive_opt::<Float64Type>()?.iter().collect()))
    }
}

impl Cell for bool {
    const NULLABLE: bool = false;
    fn to_array<'a>(cells: impl Iterator<Item = &'a Self> + Clone) -> Result<ArrayRef, String> {
        let mut builder = BooleanBuilder::new();
        cells.for_each(|&cell| builder.append_value(cell));
        Ok(Arc::new(builder.finish()))
    }
    fn from_array(array: &dyn Array) -> Option<Result<Vec<Self>, String>> {
        Some(Ok(array.as_boolean_opt()?.iter().flatten().collect()))
    }
}

impl Cell for String {
    const NULLABLE: bool = false;
    fn to_array<'a>(cells: impl Iterator<Item = &'a Self> + Clone) -> Result<ArrayRef, String> {
        Ok(texts(cells.map(|cell| Some(cell.as_str()))))
    }
    fn from_array(array: &dyn Array) -> Option<Result<Vec<Self>, String>> {
        Some(Ok(array.as_string_opt::<i32>()?.iter().flatten().map(str::to_owned).collect()))
    }
}

impl Cell for Option<String> {
    const NULLABLE: bool = true;
    fn to_array<'a>(cells: impl Iterator<Item = &'a Self> + Clone) -> Result<ArrayRef, String> {
        Ok(texts(cells.map(Option::as_deref)))
    }
    fn from_array(array: &dyn Array) -> Option<Result<Vec<Self>, String>> {
        Some(Ok(array.as_string_opt::<i32>()?.iter().map(|cell| cell.map(str::to_owned)).collect()))
    }
}

/// An enum that stands in the table as a word.
macro_rules! word {
    ($word:ty, $($variant:path => $text:literal),+) => {
        impl Cell for $word {
            const NULLABLE: bool = false;
            fn to_array<'a>(cells: impl Iterator<Item = &'a Self> + Clone) -> Result<ArrayRef, String> {
                Ok(texts(cells.map(|cell| Some(match cell { $($variant => $text),+ }))))
            }
            fn from_array(array: &dyn Array) -> Option<Result<Vec<Self>, String>> {
                let parse = |text: &str| match text {
                    $($text => Ok($variant),)+
                    other => Err(format!("`{other}` is not one of {}", [$($text),+].join(", "))),
                };
                Some(array.as_string_opt::<i32>()?.iter().flatten().map(parse).collect())
            }
        }
    };
}
word!(UnitStatus, UnitStatus::Done => "done", UnitStatus::Failed => "failed", UnitStatus::Skipped => "skipped");
word!(CurveKind, CurveKind::Raster => "raster", CurveKind::Trace => "trace", CurveKind::Spectrum => "spectrum");

impl Cell for Vec<f32> {
    const NULLABLE: bool = false;
    /// The list is as long as the longest vector (at least 1); shorter ones end in nulls.
    fn to_array<'a>(cells: impl Iterator<Item = &'a Self> + Clone) -> Result<ArrayRef, String> {
        let width = cells.clone().map(Vec::len).max().unwrap_or(0).max(1);
        let list_size = i32::try_from(width).map_err(|_| format!("vectors of {width} coordinates are too long"))?;
        let mut builder = FixedSizeListBuilder::new(Float32Builder::new(), list_size);
        for (row, cell) in cells.enumerate() {
            if cell.iter().any(|number| number.is_nan()) {
                return Err(format!("row {row}: NaN where a number must stand"));
            }
            builder.values().append_slice(cell);
            builder.values().append_nulls(width - cell.len());
            builder.append(true);
        }
        Ok(Arc::new(builder.finish()))
    }
    fn from_array(array: &dyn Array) -> Option<Result<Vec<Self>, String>> {
        let list = array.as_fixed_size_list_opt()?;
        let numbers = list.values().as_primitive_opt::<Float32Type>()?;
        let width = list.value_length() as usize;
        let cells =
            (0..list.len()).map(|row| (row * width..(row + 1) * width).map_while(|at| numbers.is_valid(at).then(|| numbers.value(at))));
        Some(Ok(cells.map(Iterator::collect).collect()))
    }
}

fn primitive<P: ArrowPrimitiveType>(cells: impl Iterator<Item = Option<P::Native>>) -> ArrayRef {
    let mut builder = PrimitiveBuilder::<P>::new();
    cells.for_each(|cell| builder.append_option(cell));
    Arc::new(builder.finish())
}

fn texts<'a>(cells: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    let mut builder = StringBuilder::new();
    cells.for_each(|cell| builder.append_option(cell));
    Arc::new(builder.finish())
}
