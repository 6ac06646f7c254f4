//! Writing a file with one tensor, whose rows are as many as come, and perhaps another of their ids.
//!
//! Dense rows go to the output at once. The parts of a sparse tensor wait in temporary files: they lie one behind the
//! other in the file, and grow together. Files of generation 2 that are not compressed and have checksums are in canonical
//! form: offsets are multiples of 64 KiB, parts in the order of their names. (Two parts of a sparse tensor that happen to
//! have the same bytes would share them in it, and don't here unless they are empty.)

pub(super) mod frame;
pub(super) mod manifest;
pub(super) mod part;
mod whole;

pub(crate) use self::whole::WholeWriter;
use std::collections::BTreeMap;
use std::path::PathBuf;

use tq_memory::Grow;

use self::manifest::{Entries, ObjectEntry, PartEntry};
use self::part::{Checksum, Coding, PartWriter, Style, WrittenPart};
use super::frame::{ZtensorGeneration, alignment, check_size};
use super::model::{MOST_DENSE_DIMENSION, MOST_SPARSE_DIMENSION};
use super::names::{CSR, check_name};
use crate::cbor::encode::text;
use crate::container::{IdKind, IdTensor, hold_for_directory};
use crate::io::Spool;
use crate::rows::{Real, check_finite};
use crate::{ContainerError, FloatType, Id, Output, RowWriter, RowsError};

/// Numbers that are converted at a time.
const BLOCK: usize = 64 << 10;

/// What a zTensor file is to be like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZtensorOptions {
    /// [`D`](ZtensorGeneration::V2) for today's readers, [`C`](ZtensorGeneration::V1_2) for those before version 2.
    pub generation: ZtensorGeneration,
    /// The tensor's name, of 1 to 1024 bytes.
    pub tensor: String,
    /// The type of its numbers.
    pub float: FloatType,
    /// Whether it is stored as compressed sparse rows (CSR), without its zeros.
    pub sparse: bool,
    /// Whether it is compressed by zstd.
    pub compress: bool,
    /// Whether it gets checksums: XXH3 in generation 2, CRC32C in 1.2.
    pub checksum: bool,
    /// The name of a tensor of ids, if there is to be one.
    pub ids: Option<String>,
    /// What else the file is to say.
    pub attributes: BTreeMap<String, String>,
    /// The folder for the temporary files of a sparse tensor, and of ids. They have no names, and about the size that the tensor
    /// will have in the end.
    pub temporary: PathBuf,
}

impl Default for ZtensorOptions {
    /// A dense tensor `embedding` of `f32` in generation 2, uncompressed, with a checksum.
    fn default() -> Self {
        ZtensorOptions {
            generation: ZtensorGeneration::V2,
            tensor: "embedding".to_owned(),
            float: FloatType::F32,
            sparse: false,
            compress: false,
            checksum: true,
            ids: None,
            attributes: BTreeMap::new(),
            temporary: std::env::temp_dir(),
        }
    }
}

/// Writes rows as a tensor of a zTensor file, the only one but for that of their ids.
pub struct ZtensorWriter {
    output: Box<dyn Output>,
    options: ZtensorOptions,
    dimension: u32,
    rows: u64,
    body: Body,
    ids: Option<IdTensor>,
    /// A block's bytes, kept for its capacity.
    bytes: Vec<u8>,
}

enum Body {
    Dense(PartWriter),
    Sparse(Box<Sparse>),
}

/// Parts of a sparse tensor: columns as `u32`, where rows begin as `u64`, and the numbers.
struct Sparse {
    indices: Spool,
    indptr: Spool,
    values: Spool,
    entries: u64,
}

impl ZtensorWriter {
    /// Begins a file of rows of `dimension` numbers.
    ///
    /// # Errors
    /// [`ContainerError::Unsupported`] for a generation that isn't written, no dimension at all or one that is too large
    /// for a sparse tensor; [`ContainerError::Malformed`] for a name that isn't allowed; the output's.
    pub fn new(
        mut output: Box<dyn Output>,
        dimension: u32,
        options: ZtensorOptions,
    ) -> Result<Self, RowsError> {
        let unsupported = |problem: String| Err(ContainerError::Unsupported(problem).into());
        if !matches!(options.generation, ZtensorGeneration::V1_2 | ZtensorGeneration::V2) {
            return unsupported("only the generations C (1.2) and D (2) of zTensor are written".into());
        }
        let most = if options.sparse { MOST_SPARSE_DIMENSION } else { MOST_DENSE_DIMENSION };
        if !(1..=most).contains(&dimension.into()) {
            let kind = if options.sparse { "sparse" } else { "dense" };
            return unsupported(format!(
                "rows of {dimension} numbers can't be written: a {kind} tensor has 1 to {most}"
            ));
        }
        check_name(&options.tensor)?;
        options.ids.as_ref().map_or(Ok(()), |name| check_name(name))?;
        if options.ids.as_ref() == Some(&options.tensor) {
            return unsupported(format!("two tensors can't be called \"{}\"", options.tensor.escape_debug()));
        }
        let ids = options.ids.as_ref().map(|_| IdTensor::new(&options.temporary));
        options.attributes.keys().try_for_each(|key| check_name(key))?;
        frame::begin(&mut *output, options.generation)?;
        let style = options.style();
        let body = match options.sparse {
            false => Body::Dense(PartWriter::begin(&mut *output, style)?),
            true => {
                let spool = || Spool::new(&options.temporary);
                let mut sparse = Sparse { indices: spool(), indptr: spool(), values: spool(), entries: 0 };
                sparse.indptr.append(&0u64.to_le_bytes())?;
                Body::Sparse(Box::new(sparse))
            }
        };
        Ok(ZtensorWriter { output, options, dimension, rows: 0, body, ids, bytes: Vec::new() })
    }

    /// Rows so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Writes the tensor's directory and the footer.
    fn write_directory(
        &mut self,
        parts: Vec<PartEntry>,
        ids: Option<(IdKind, WrittenPart)>,
    ) -> Result<(), RowsError> {
        let options = &self.options;
        let texts = options.attributes.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
        let _hold = hold_for_directory(texts + 1024)?;
        let layout = match (options.sparse, options.generation) {
            (false, _) => "dense",
            (true, ZtensorGeneration::V2) => CSR,
            (true, _) => "sparse_csr",
        };
        let shape = [self.rows, self.dimension.into()];
        let object = ObjectEntry { shape: &shape, layout, parts, attributes: Entries::new() };
        let mut objects: Entries = [(text(&options.tensor), object.encode(options.generation))].into();
        if let (Some(name), Some((kind, written))) = (&options.ids, ids) {
            let dtype = if matches!(kind, IdKind::Whole { .. }) { "i64" } else { "u8" };
            let (shape, parts) = (kind.shape(), vec![entry("data", dtype, written)]);
            let object = ObjectEntry { shape: &shape, layout: "dense", parts, attributes: Entries::new() };
            objects.insert(text(name), object.encode(options.generation));
        }
        let attributes = options.attributes.iter().map(|(key, value)| (text(key), text(value))).collect();
        let directory = manifest::directory(options.generation, &attributes, &objects);
        check_size(directory.len() as u64)?;
        Ok(frame::end(&mut *self.output, options.generation, &directory)?)
    }
}

impl ZtensorOptions {
    fn style(&self) -> Style {
        let newest = self.generation == ZtensorGeneration::V2;
        Style {
            align: alignment(self.generation),
            coding: match self.compress {
                false => Coding::Raw,
                true if newest => Coding::Seekable,
                true => Coding::Zstd,
            },
            checksum: match self.checksum {
                false => Checksum::None,
                true if newest => Checksum::Decoded,
                true => Checksum::Stored,
            },
        }
    }

    /// The name of the numbers' type.
    fn dtype(&self) -> &'static str {
        match self.float {
            FloatType::F16 => "f16",
            FloatType::Bf16 => "bf16",
            FloatType::F32 => "f32",
            FloatType::F64 => "f64",
        }
    }
}

impl ZtensorWriter {
    /// Adds rows; a number that isn't finite, or is too large for the type of the file's numbers, is an error.
    fn append_rows<N: Real>(&mut self, rows: &[N]) -> Result<(), RowsError> {
        let dimension = self.dimension as usize;
        let ZtensorWriter { output, options, bytes, body, .. } = self;
        for block in rows.chunks((BLOCK / dimension).max(1) * dimension) {
            if !block.len().is_multiple_of(dimension) {
                let problem = format!("{} numbers are not whole rows of {dimension}", rows.len());
                return Err(ContainerError::Malformed(problem).into());
            }
            bytes.clear();
            match body {
                Body::Dense(part) => {
                    let same = options.float == FloatType::F32 && cfg!(target_endian = "little");
                    match N::singles(block).filter(|_| same) {
                        // Without a copy.
                        Some(singles) => {
                            check_finite(singles, self.dimension, self.rows)?;
                            part.write(&mut **output, bytemuck::cast_slice(singles))?;
                        }
                        None => {
                            options.float.encode(block, self.dimension, self.rows, bytes)?;
                            part.write(&mut **output, bytes)?;
                        }
                    }
                }
                Body::Sparse(sparse) => {
                    options.float.encode(block, self.dimension, self.rows, bytes)?;
                    sparse.append(block, dimension, bytes)?;
                }
            }
            self.rows += (block.len() / dimension) as u64;
        }
        Ok(())
    }
}

impl RowWriter for ZtensorWriter {
    fn append(&mut self, rows: &[f32]) -> Result<(), RowsError> {
        self.append_rows(rows)
    }

    fn append_doubles(&mut self, rows: &[f64]) -> Result<(), RowsError> {
        self.append_rows(rows)
    }

    fn append_ids(&mut self, ids: &[Id]) -> Result<(), RowsError> {
        match &mut self.ids {
            Some(tensor) => tensor.append(ids),
            None => Ok(()),
        }
    }

    fn bytes(&self) -> u64 {
        let waiting = match &self.body {
            Body::Dense(_) => 0,
            Body::Sparse(sparse) => sparse.indices.len() + sparse.indptr.len() + sparse.values.len(),
        };
        self.output.position() + waiting + self.ids.as_ref().map_or(0, IdTensor::waiting)
    }

    fn finish(mut self: Box<Self>) -> Result<(), RowsError> {
        let (style, dtype) = (self.options.style(), self.options.dtype());
        let empty = Body::Sparse(Box::new(Sparse::empty()));
        let parts = match std::mem::replace(&mut self.body, empty) {
            Body::Dense(part) => vec![entry("data", dtype, part.finish(&mut *self.output)?)],
            Body::Sparse(sparse) => {
                let wide =
                    self.options.generation == ZtensorGeneration::V1_2 || sparse.entries > u32::MAX.into();
                sparse.write(&mut *self.output, style, dtype, wide)?
            }
        };
        let mut written = None;
        if let Some(ids) = self.ids.take() {
            ids.check(self.rows)?;
            let (kind, mut part) = (ids.kind(), PartWriter::begin(&mut *self.output, style)?);
            ids.write(|some| Ok(part.write(&mut *self.output, some)?))?;
            written = Some((kind, part.finish(&mut *self.output)?));
        }
        self.write_directory(parts, written)?;
        Ok(self.output.complete()?)
    }
}

impl Sparse {
    fn empty() -> Self {
        let spool = || Spool::new("".as_ref());
        Sparse { indices: spool(), indptr: spool(), values: spool(), entries: 0 }
    }

    /// Adds the numbers of rows that aren't zero; `encoded` is all of them in the file's type. A negative zero stays.
    fn append<N: Real>(&mut self, rows: &[N], dimension: usize, encoded: &[u8]) -> Result<(), RowsError> {
        let width = encoded.len() / rows.len();
        let count = rows.iter().filter(|number| !number.is_positive_zero()).count();
        let mut indices = tq_memory::with_capacity(count * size_of::<u32>())?;
        let mut indptr = tq_memory::with_capacity(rows.len() / dimension * size_of::<u64>())?;
        let mut values = tq_memory::with_capacity(count * width)?;
        for (row, encoded) in rows.chunks_exact(dimension).zip(encoded.chunks_exact(dimension * width)) {
            for (column, _) in (0u32..).zip(row).filter(|(_, number)| !number.is_positive_zero()) {
                indices.extend(column.to_le_bytes());
                values.extend_from_slice(&encoded[column as usize * width..][..width]);
                self.entries += 1;
            }
            indptr.extend(self.entries.to_le_bytes());
        }
        self.indices.append(&indices)?;
        self.indptr.append(&indptr)?;
        Ok(self.values.append(&values)?)
    }

    /// Writes the parts in the order of their names, with indices of 64 bits or of 32.
    fn write(
        self,
        output: &mut dyn Output,
        style: Style,
        dtype: &'static str,
        wide: bool,
    ) -> Result<Vec<PartEntry>, RowsError> {
        let mut write = |spool: Spool, convert: fn(&[u8], &mut Vec<u8>)| -> Result<WrittenPart, RowsError> {
            let mut part = PartWriter::begin(output, style)?;
            let mut converted = Vec::new();
            spool.replay::<RowsError>(|bytes| {
                converted.clear();
                converted.try_room_exact(2 * bytes.len())?;
                convert(bytes, &mut converted);
                Ok(part.write(output, &converted)?)
            })?;
            Ok(part.finish(output)?)
        };
        let copy = |bytes: &[u8], out: &mut Vec<u8>| out.extend_from_slice(bytes);
        let widen = |bytes: &[u8], out: &mut Vec<u8>| {
            out.extend(
                bytes
                    .as_chunks::<4>()
                    .0
                    .iter()
                    .flat_map(|word| u64::from(u32::from_le_bytes(*word)).to_le_bytes()),
            );
        };
        // The lower half comes first, and is all there is.
        let narrow = |bytes: &[u8], out: &mut Vec<u8>| {
            out.extend(bytes.as_chunks::<8>().0.iter().flat_map(|word| [word[0], word[1], word[2], word[3]]));
        };
        let index = if wide { "u64" } else { "u32" };
        let indices = write(self.indices, if wide { widen } else { copy })?;
        let indptr = write(self.indptr, if wide { copy } else { narrow })?;
        let values = match self.entries {
            // In canonical form, what is empty is so at one place.
            0 if style.coding == Coding::Raw => indices.clone(),
            _ => write(self.values, copy)?,
        };
        Ok(vec![
            entry("indices", index, indices),
            entry("indptr", index, indptr),
            entry("values", dtype, values),
        ])
    }
}

fn entry(role: &'static str, dtype: &'static str, written: WrittenPart) -> PartEntry {
    PartEntry { role, dtype, logical: None, written }
}
