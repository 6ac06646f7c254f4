//! All tensors of a file, of any shape, as a file of another format; or of several safetensors files as one.
//!
//! | from \ to | zTensor | safetensors | Burnpack |
//! | --- | --- | --- | --- |
//! | numbers, booleans | as they are | as they are | as they are |
//! | floats of 8 bits | `f32` | as they are | `F32` |
//! | GGUF's Q8_0, Q4_0 | `f32` | `F32` | `F32` |
//! | sparse tensors | with their zeros | with their zeros | with their zeros |
//!
//! Attributes that are texts go along. What has another type, or lies in another file, is an error that names it; nothing is left
//! out silently.

mod burnpack;
mod safetensors;
mod ztensor;

use std::collections::BTreeMap;

use crate::container::{CellReader, CellType, Cells};
use crate::rows::{Element, number};
use crate::{ArrayFile, Container, ContainerError, MergeError, Merged, Output, RowsError, ZtensorGeneration};

/// Bytes that are written at a time, a multiple of any number's width.
const BLOCK: usize = 256 << 10;

/// What is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WholeOptions {
    /// The format.
    pub format: WholeFormat,
    /// What a tensor without a name is called.
    pub tensor: String,
    /// What the file is to say instead of the source's attributes.
    pub attributes: Option<BTreeMap<String, String>>,
}

/// A format that takes tensors of any shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WholeFormat {
    /// zTensor of generation 1.2 or 2.
    Ztensor {
        /// Which of them.
        generation: ZtensorGeneration,
        /// Whether tensors are compressed by zstd.
        compress: bool,
    },
    /// safetensors.
    Safetensors,
    /// Burnpack.
    Burnpack,
}

/// Writes all tensors of a file, in its order; returns how many they are. `poll` is called many times a second, and may unwind.
///
/// # Errors
/// [`ContainerError::NotCells`] for a tensor that can't be written; what the format has no room for; a checksum that doesn't
/// match; a file that changed; the output's.
pub fn write_whole(
    source: &dyn Container,
    options: &WholeOptions,
    output: Box<dyn Output>,
    poll: &mut dyn FnMut(),
) -> Result<u64, RowsError> {
    let attributes = match &options.attributes {
        Some(attributes) => {
            tq_memory::collected(attributes.iter().map(|(key, value)| (key.clone(), value.clone())))?
        }
        None => source.attributes()?,
    };
    let whole = Whole::new(vec![source], &options.tensor, attributes)?;
    if let Some((name, ..)) = whole.repeated()? {
        let problem = format!("two tensors would be called \"{}\"", name.escape_debug());
        return Err(ContainerError::Unsupported(problem).into());
    }
    match options.format {
        WholeFormat::Ztensor { generation, compress } => whole.ztensor(generation, compress, output, poll)?,
        WholeFormat::Safetensors => drop(whole.safetensors(output, poll)?),
        WholeFormat::Burnpack => whole.burnpack(output, poll)?,
    }
    Ok(source.tensors().len() as u64)
}

/// Writes the tensors of all files into one, in the order of the files. Metadata are united; where files say different things
/// under one key, the first is kept. `poll` is called many times a second, and may unwind.
///
/// # Errors
/// [`MergeError::Nothing`] without files; [`MergeError::Clash`] for a tensor that two files have; [`MergeError::Container`] for
/// a tensor that can't be written; a file that changed; the output's.
pub fn merge_safetensors(
    sources: &[ArrayFile],
    output: Box<dyn Output>,
    poll: &mut dyn FnMut(),
) -> Result<Merged, MergeError> {
    if sources.is_empty() {
        return Err(MergeError::Nothing);
    }
    let failed = |error| match error {
        RowsError::File(error) => MergeError::File(error),
        RowsError::Memory(error) => MergeError::Memory(error),
        RowsError::Container(error) => MergeError::Container(error),
        other => MergeError::Container(ContainerError::Malformed(other.to_string())),
    };
    let mut attributes = Vec::new();
    for source in sources {
        attributes.extend(source.attributes()?);
    }
    let files = tq_memory::collected(sources.iter().map(|source| source as &dyn Container))?;
    let whole = Whole::new(files, "", attributes)?;
    if let Some((name, one, other)) = whole.repeated()? {
        let path = |index| whole.place(index).0.file().path();
        return Err(MergeError::clash("tensor", name, path(one), path(other)));
    }
    let bytes = whole.safetensors(output, poll).map_err(failed)?;
    Ok(Merged { count: whole.count() as u64, bytes, foreign_dropped: false })
}

/// Files on their way.
struct Whole<'s> {
    sources: Vec<&'s dyn Container>,
    /// Of each tensor, the number of its file, and its own in it.
    places: Vec<(usize, usize)>,
    unnamed: &'s str,
    attributes: Vec<(String, String)>,
}

impl<'s> Whole<'s> {
    fn new(
        sources: Vec<&'s dyn Container>,
        unnamed: &'s str,
        attributes: Vec<(String, String)>,
    ) -> Result<Self, ContainerError> {
        let numbered = |(file, source): (usize, &&dyn Container)| {
            (0..source.tensors().len()).map(move |index| (file, index))
        };
        let places = tq_memory::collected(sources.iter().enumerate().flat_map(numbered))?;
        Ok(Whole { sources, places, unnamed, attributes })
    }

    /// How many tensors there are.
    fn count(&self) -> usize {
        self.places.len()
    }

    /// The file of a tensor, and its number there.
    fn place(&self, index: usize) -> (&'s dyn Container, usize) {
        let (file, tensor) = self.places[index];
        (self.sources[file], tensor)
    }

    /// The name of a tensor.
    fn name(&self, index: usize) -> &'s str {
        let (source, tensor) = self.place(index);
        match source.tensors().get(tensor).map(|tensor| tensor.name.as_str()) {
            // An archive or a directory may have such a name, too.
            None | Some("") => self.unnamed,
            Some(name) => name,
        }
    }

    /// A name that two tensors have, and which these are.
    fn repeated(&self) -> Result<Option<(&'s str, usize, usize)>, ContainerError> {
        let mut names = tq_memory::collected((0..self.count()).map(|index| (self.name(index), index)))?;
        names.sort_unstable();
        Ok(names.windows(2).find(|pair| pair[0].0 == pair[1].0).map(|pair| (pair[0].0, pair[0].1, pair[1].1)))
    }

    /// Bytes of all names and attributes.
    fn texts(&self) -> usize {
        let names = (0..self.count()).map(|index| self.name(index).len() + 64);
        let attributes = self.attributes.iter().map(|(key, value)| key.len() + value.len() + 16);
        names.sum::<usize>() + attributes.sum::<usize>()
    }

    /// The elements of a tensor; with `eight` also floats of eight bits, else those as `f32`.
    fn cells(&self, index: usize, eight: bool, poll: &mut dyn FnMut()) -> Result<Cells, RowsError> {
        let (source, tensor) = self.place(index);
        let cells = source.cells(tensor, poll)?;
        let kind = match cells.kind {
            CellType::Number(element @ (Element::F8E4m3 | Element::F8E5m2 | Element::F8E8m0)) if !eight => {
                element
            }
            _ => return Ok(cells),
        };
        let Cells { shape, reader, .. } = cells;
        let reader = Box::new(Widened { reader, kind, bytes: Vec::new() });
        Ok(Cells::new(CellType::Number(Element::F32), &shape, reader))
    }

    /// Gives the bytes of elements, some at a time.
    fn copy(
        &self,
        mut cells: Cells,
        poll: &mut dyn FnMut(),
        mut put: impl FnMut(&[u8]) -> Result<(), RowsError>,
    ) -> Result<(), RowsError> {
        let mut block = tq_memory::filled((BLOCK as u64).min(cells.bytes) as usize, 0)?;
        while cells.bytes > 0 {
            poll();
            let some = &mut block[..(BLOCK as u64).min(cells.bytes) as usize];
            cells.reader.fill(some)?;
            put(some)?;
            cells.bytes -= some.len() as u64;
        }
        Ok(())
    }

    /// What an error says of a tensor that the format has no room for.
    fn refused(&self, index: usize, obstacle: impl Into<String>) -> RowsError {
        ContainerError::NotCells { tensor: self.name(index).to_owned(), obstacle: obstacle.into() }.into()
    }
}

/// Floats of eight bits as `f32`.
struct Widened {
    reader: Box<dyn CellReader>,
    kind: Element,
    bytes: Vec<u8>,
}

impl CellReader for Widened {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RowsError> {
        use tq_memory::Grow;
        self.bytes.try_resize(out.len() / 4, 0)?;
        self.reader.fill(&mut self.bytes)?;
        for (out, byte) in out.as_chunks_mut().0.iter_mut().zip(&self.bytes) {
            *out = number::<f32>(self.kind, &[*byte]).to_le_bytes();
        }
        Ok(())
    }
}
