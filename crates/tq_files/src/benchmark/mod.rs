//! Files of benchmarks, which are numbers and little else: `.fvecs`, `.bvecs` and `.ivecs` of TEXMEX, `.fbin`, `.u8bin` and
//! `.i8bin` of big-ann-benchmarks.
//!
//! ```text
//! *vecs   each row: its dimension, u32, and as many f32, u8 or i32
//! *bin    number of rows, u32; dimension, u32; the rows, of f32, u8 or i8
//! ```
//! All is little-endian. They have no magic number: whoever reads one says what it is, or its name does, and all of it must
//! fit. No crate reads them otherwise than whole.

mod write;

use std::path::Path;

pub use self::write::FbinWriter;
use crate::array::{Array, ArrayFile, Cell, Layout};
use crate::rows::Element;
use crate::{ContainerError, MappedFile, OpenError};

/// Which of these formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BenchmarkFormat {
    /// Rows of `f32`, each behind its dimension.
    Fvecs,
    /// Rows of `u8`, each behind its dimension.
    Bvecs,
    /// Rows of `i32`, each behind its dimension.
    Ivecs,
    /// A matrix of `f32`.
    Fbin,
    /// A matrix of `u8`.
    U8bin,
    /// A matrix of `i8`.
    I8bin,
}

impl BenchmarkFormat {
    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            BenchmarkFormat::Fvecs => "fvecs",
            BenchmarkFormat::Bvecs => "bvecs",
            BenchmarkFormat::Ivecs => "ivecs",
            BenchmarkFormat::Fbin => "fbin",
            BenchmarkFormat::U8bin => "u8bin",
            BenchmarkFormat::I8bin => "i8bin",
        }
    }

    const fn element(self) -> Element {
        match self {
            BenchmarkFormat::Fvecs | BenchmarkFormat::Fbin => Element::F32,
            BenchmarkFormat::Bvecs | BenchmarkFormat::U8bin => Element::U8,
            BenchmarkFormat::Ivecs => Element::I32,
            BenchmarkFormat::I8bin => Element::I8,
        }
    }

    const fn counts_rows(self) -> bool {
        match self {
            BenchmarkFormat::Fvecs | BenchmarkFormat::Bvecs | BenchmarkFormat::Ivecs => true,
            BenchmarkFormat::Fbin | BenchmarkFormat::U8bin | BenchmarkFormat::I8bin => false,
        }
    }
}

/// Opens the file at `path` as one of that format, and checks that it is a whole number of rows. That each says the same
/// dimension is seen when it is read.
///
/// # Errors
/// [`OpenError::File`] as [`MappedFile::open`], [`OpenError::Container`] with what is wrong.
pub fn open_benchmark(format: BenchmarkFormat, path: &Path) -> Result<ArrayFile, OpenError> {
    let file = MappedFile::open(path)?;
    let array = match format.counts_rows() {
        true => counted_rows(format, &file)?,
        false => matrix(format, &file)?,
    };
    Ok(ArrayFile::new(file, format.name(), vec![array]))
}

fn counted_rows(format: BenchmarkFormat, file: &MappedFile) -> Result<Array, OpenError> {
    let name = format.name();
    let Some([dimension]) = words(file)? else {
        // Without rows, nothing says their dimension.
        return malformed(format!("{name} file of {} bytes has no row", file.len()));
    };
    // Those of the library are signed.
    if dimension == 0 || dimension > i32::MAX as u32 {
        return malformed(format!("{name} file: its first row has {dimension} columns"));
    }
    let row = 4 + u64::from(dimension) * format.element().width();
    if !file.len().is_multiple_of(row) {
        return malformed(format!(
            "{name} file of {} bytes is no whole number of rows of {row} bytes: its first row has {dimension} columns",
            file.len()
        ));
    }
    Ok(array(format, file.len() / row, dimension, 0))
}

fn matrix(format: BenchmarkFormat, file: &MappedFile) -> Result<Array, OpenError> {
    let name = format.name();
    let Some([rows, dimension]) = words(file)? else {
        return malformed(format!("{name} header is truncated: 8 bytes needed, {} present", file.len()));
    };
    if dimension == 0 {
        return malformed(format!("{name} file: its {rows} rows have no columns"));
    }
    let array = array(format, rows.into(), dimension, 8);
    match array.check(file.len())? {
        end if end == file.len() => Ok(array),
        end => malformed(format!(
            "{} bytes stand behind the end of {rows} rows of {dimension} columns, at byte {end}",
            file.len() - end
        )),
    }
}

fn array(format: BenchmarkFormat, rows: u64, dimension: u32, offset: u64) -> Array {
    let element = format.element();
    Array {
        name: String::new(),
        dtype: match element {
            Element::F32 => "f32",
            Element::I32 => "i32",
            Element::I8 => "i8",
            _ => "u8",
        }
        .to_owned(),
        cell: Cell::Number(element),
        big_endian: false,
        layout: if format.counts_rows() { Layout::CountedRows } else { Layout::Rows },
        shape: vec![rows, dimension.into()],
        offset,
        entry: None,
        obstacle: None,
    }
}

/// The first numbers of a file; `None` if it is shorter.
fn words<const N: usize>(file: &MappedFile) -> Result<Option<[u32; N]>, OpenError> {
    let first = |bytes: &[u8]| {
        let words = bytes.as_chunks::<4>().0.get(..N)?;
        Some(std::array::from_fn(|index| u32::from_le_bytes(words[index])))
    };
    Ok(file.read(first)?)
}

fn malformed<T>(problem: String) -> Result<T, OpenError> {
    Err(ContainerError::Malformed(problem).into())
}
