//! PyTorch's files (`.pt`, `.pth`, `.bin`), as `torch.save` has written them since version 1.6: archives of ZIP.
//!
//! ```text
//! NAME/data.pkl     a pickle: a tensor, or dictionaries and lists of them, that refer to storages by their numbers
//! NAME/byteorder    "little" or "big"; without it, little
//! NAME/data/0       the numbers of a storage, stored
//! NAME/version      and others, which aren't read
//! ```
//! A tensor is a view of a storage: an offset, a shape, and for each dimension the distance of its numbers. What lies in rows is
//! read where it is; a transposed matrix and one that was cut out of another, number by number.
//!
//! Files of older versions, which are a pickle and what follows it, and programs of TorchScript are told by what they begin with,
//! and refused.

mod pickle;
mod state;

use std::path::Path;

use self::pickle::{MOST_BYTES, Pickle, Storage, Tensor};
use self::state::{Named, tensors};
use crate::array::{Array, ArrayFile, Layout};
use crate::container::hold_for_directory;
use crate::io::at;
use crate::zip::{Entry, Inflate, Method, entries};
use crate::{ContainerError, MappedFile, OpenError, RowsError};

/// What a file of older versions begins with: a pickle of its magic number.
pub(crate) const LEGACY: &[u8; 14] = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19";
/// Most dimensions that are read: as many as PyTorch has.
const MOST_DIMENSIONS: usize = 64;
/// More than the longest word of a byte order.
const MOST_ORDER_BYTES: u64 = 16;

/// Opens the file of PyTorch at `path`, and checks that the storages of its tensors are all there. Nothing in it is run.
///
/// # Errors
/// [`OpenError::File`] as [`MappedFile::open`], [`OpenError::Container`] with what is wrong.
pub fn open_torch(path: &Path) -> Result<ArrayFile, OpenError> {
    let file = MappedFile::open(path)?;
    if file.read(|bytes| bytes.starts_with(LEGACY))? {
        return Err(not_read("it is a file of PyTorch before 1.6", AGAIN).into());
    }
    let entries = Entries::new(entries(&file)?)?;
    let bytes = content(&file, entries.named("data.pkl")?, MOST_BYTES)?;
    let big_endian = match entries.find("byteorder")? {
        None => false,
        Some(entry) => match &content(&file, entry, MOST_ORDER_BYTES)?[..] {
            b"little" => false,
            b"big" => true,
            other => {
                let problem =
                    format!("its byte order is \"{}\", neither little nor big", other.escape_ascii());
                return Err(ContainerError::Malformed(problem).into());
            }
        },
    };
    // Names, shapes and entries, each a small piece.
    let _hold = hold_for_directory(bytes.len())?;
    let pickle = Pickle::read(&bytes)?;
    let mut named = tensors(&pickle)?;
    repeated(&mut named)?;
    let mut arrays = tq_memory::with_capacity(named.len())?;
    for Named { name, tensor } in named {
        arrays.push(array(&pickle, &entries, name, &tensor, big_endian)?);
    }
    Ok(ArrayFile::new(file, "PyTorch", arrays))
}

/// The way out of an old file.
const AGAIN: &str =
    "Load it with a newer version, and save it again: torch.save(torch.load(path, weights_only=True), path).";

/// Refuses a name that two tensors have; their order stays.
fn repeated(named: &mut [Named]) -> Result<(), ContainerError> {
    let mut names = tq_memory::collected(named.iter().map(|named| named.name.as_str()))?;
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        None => Ok(()),
        Some(pair) => {
            let problem = format!("pickle: tensor \"{}\" stands twice", pair[0].escape_debug());
            Err(ContainerError::Malformed(problem))
        }
    }
}

/// The entries of an archive, in the order of their names.
struct Entries {
    entries: Vec<Entry>,
    /// What the names begin with.
    folder: String,
}

impl Entries {
    fn new(mut entries: Vec<Entry>) -> Result<Self, ContainerError> {
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        if let Some(pair) = entries.windows(2).find(|pair| pair[0].name == pair[1].name) {
            let problem = format!("ZIP archive: entry \"{}\" stands twice", pair[0].name.escape_debug());
            return Err(ContainerError::Malformed(problem));
        }
        let mut folders = entries.iter().filter_map(|entry| entry.name.strip_suffix("data.pkl"));
        let folder = match (folders.next(), folders.next()) {
            (Some(folder), None) if folder.ends_with('/') => tq_memory::text(folder)?,
            (Some(_), Some(_)) => {
                return Err(ContainerError::Malformed("ZIP archive: it has several pickles".to_owned()));
            }
            _ => return Err(ContainerError::Malformed("ZIP archive: it has no NAME/data.pkl".to_owned())),
        };
        let found = Entries { entries, folder };
        match found.find("constants.pkl")? {
            None => Ok(found),
            Some(_) => Err(not_read(
                "it is a program of TorchScript",
                "Save its tensors: torch.save(torch.jit.load(path).state_dict(), path).",
            )),
        }
    }

    /// The entry of that name, if there is one.
    fn find(&self, name: &str) -> Result<Option<&Entry>, ContainerError> {
        let mut wanted = tq_memory::with_capacity(self.folder.len() + name.len())?;
        wanted.extend_from_slice(self.folder.as_bytes());
        wanted.extend_from_slice(name.as_bytes());
        let place = self.entries.binary_search_by(|entry| entry.name.as_bytes().cmp(&wanted));
        Ok(place.ok().and_then(|place| self.entries.get(place)))
    }

    fn named(&self, name: &str) -> Result<&Entry, ContainerError> {
        self.find(name)?.ok_or_else(|| {
            let name = format!("{}{name}", self.folder);
            ContainerError::Malformed(format!("ZIP archive: entry \"{}\" is missing", name.escape_debug()))
        })
    }
}

/// The content of an entry of at most so many bytes.
fn content(file: &MappedFile, entry: &Entry, most: u64) -> Result<Vec<u8>, OpenError> {
    let name = entry.name.escape_debug();
    if entry.size > most {
        let problem = format!("entry \"{name}\" has {} bytes: at most {most} are read", entry.size);
        return Err(ContainerError::Malformed(problem).into());
    }
    match entry.method {
        Method::Stored => {
            let range = at(entry.start, entry.length);
            Ok(file.read(|bytes| tq_memory::copied(bytes.get(range).unwrap_or_default()))??)
        }
        Method::Deflated => {
            let mut content = tq_memory::filled(entry.size as usize, 0)?;
            let inflated = Inflate::new(entry).and_then(|mut inflate| inflate.fill(file, &mut content));
            inflated.map_err(|error| match error {
                RowsError::File(error) => OpenError::File(error),
                RowsError::Container(error) => OpenError::Container(error),
                RowsError::Memory(error) => error.into(),
                other => OpenError::Container(ContainerError::Malformed(other.to_string())),
            })?;
            Ok(content)
        }
        Method::Other => {
            let problem =
                format!("ZIP archive: entry \"{name}\" is encrypted, or neither stored nor deflated");
            Err(ContainerError::Unsupported(problem).into())
        }
    }
}

/// The array that a tensor is.
fn array(
    pickle: &Pickle<'_>,
    entries: &Entries,
    name: String,
    tensor: &Tensor,
    big_endian: bool,
) -> Result<Array, ContainerError> {
    let problem =
        |problem: String| ContainerError::Malformed(format!("tensor \"{}\": {problem}", name.escape_debug()));
    let numbers = |place, what| {
        let numbers = pickle.kept.items(place);
        if numbers.len() > MOST_DIMENSIONS {
            let count = numbers.len();
            return Err(problem(format!("it has {count} dimensions: at most {MOST_DIMENSIONS} are read")));
        }
        let numbers = numbers.iter().map(|number| number.natural());
        let all: Option<Vec<u64>> = numbers.collect();
        all.ok_or_else(|| problem(format!("its {what} is no tuple of natural numbers")))
    };
    let (shape, strides) = (numbers(tensor.size, "shape")?, numbers(tensor.stride, "stride")?);
    if shape.len() != strides.len() {
        let (dimensions, count) = (shape.len(), strides.len());
        return Err(problem(format!("it has {dimensions} dimensions and {count} strides")));
    }
    let Some(Storage { dtype, key, count }) = pickle.kept.storage(tensor.storage).copied() else {
        return Err(problem("it has no storage".to_owned()));
    };
    let cell = tensor.dtype.cell();
    let entry = entries.named(&format!("data/{}", pickle.text(key)))?;
    let bytes = count.checked_mul(dtype.map_or(1, |dtype| dtype.cell().width()));
    if bytes != Some(entry.size) {
        let (entry, size) = (entry.name.escape_debug(), entry.size);
        return Err(problem(format!(
            "its storage \"{entry}\" has {size} bytes, and should have {count} numbers"
        )));
    }
    let width = cell.width();
    let in_bytes: Option<Vec<u64>> = strides.iter().map(|stride| stride.checked_mul(width)).collect();
    let (Some(offset), Some(in_bytes)) = (tensor.offset.checked_mul(width), in_bytes) else {
        return Err(problem("it is beyond all bounds".to_owned()));
    };
    let layout = if in_rows(&shape, &strides) { Layout::Rows } else { Layout::Strided(in_bytes) };
    let strided = matches!(layout, Layout::Strided(_));
    let mut array = Array {
        name: name.clone(),
        dtype: tensor.dtype.name().to_owned(),
        cell,
        big_endian,
        layout,
        shape,
        offset,
        entry: None,
        obstacle: None,
    };
    let extent = array.bytes().and_then(|bytes| offset.checked_add(bytes));
    let (Some(cells), Some(end)) = (array.cells(), extent.filter(|end| *end <= entry.size)) else {
        return Err(problem(format!(
            "shape {:?} is beyond its storage of {} bytes",
            array.shape, entry.size
        )));
    };
    // Then the same number stands for several, and a few bytes for any number of rows.
    if strided && cells.saturating_mul(width) > end - offset {
        array.obstacle = Some("its numbers overlap: save tensor.contiguous()".to_owned());
    }
    if entry.method != Method::Stored {
        array.obstacle = Some("it is compressed, as torch.save never does".to_owned());
    } else {
        array.offset += entry.start;
    }
    array.entry = Some(entry.clone());
    Ok(array)
}

/// Whether numbers lie one behind the other, the last dimension varying fastest.
fn in_rows(shape: &[u64], strides: &[u64]) -> bool {
    if shape.contains(&0) {
        return true;
    }
    let mut next = 1u64;
    shape.iter().zip(strides).rev().all(|(size, stride)| {
        let right = *size == 1 || *stride == next;
        next = next.saturating_mul(*size);
        right
    })
}

fn not_read(problem: &str, hint: &'static str) -> ContainerError {
    ContainerError::NotRead { problem: problem.to_owned(), hint }
}
