//! Several zTensor files as one.
//!
//! Parts of files of the merged one's generation are copied as they are; those of older generations are decoded, checked
//! by the rules of the newest, and written anew.

mod convert;
mod copy;
mod recode;

use std::collections::BTreeMap;
use std::path::Path;

use self::copy::Copied;
pub use self::recode::recode_ztensor;
use super::ZtensorFile;
use super::frame::{ZtensorGeneration, check_size, directory_error};
use super::names::check_name;
use super::read::need;
use super::write::frame;
use super::write::manifest::{self, Entries};
use super::write::part::Coding;
use crate::cbor::encode::text;
use crate::cbor::{self, Form, Item};
use crate::container::hold_for_directory;
use crate::{ContainerError, MergeError, Merged, Output, RowsError};

/// Writes the tensors of all files into one: of generation 1.2 if all are of it, and of 2 otherwise.
///
/// Attributes of the files are united; where they say different things under one key, the first is kept. What the format
/// doesn't know is left out. Checksums are compared before anything is copied. Parts that share their bytes do so in the
/// merged file, too. Tensors of older generations than the merged file's must be dense ones of numbers or booleans, or
/// sparse ones that can be read as rows. `poll` is called many times a second, and may unwind.
///
/// # Errors
/// [`MergeError::Nothing`] without files; [`MergeError::Clash`] for a tensor that two files have; [`MergeError::Tensors`]
/// for a checksum that doesn't match, a part that lies in another file, and what can't be converted; [`MergeError::Rows`]
/// for a number of a sparse tensor that isn't finite; [`MergeError::Container`] for more than a file may have; a file that
/// changed; the output's.
pub fn merge_ztensors(
    sources: &[ZtensorFile],
    mut output: Box<dyn Output>,
    poll: &mut dyn FnMut(),
) -> Result<Merged, MergeError> {
    if sources.is_empty() {
        return Err(MergeError::Nothing);
    }
    // What is said of the tensors is read again, and written.
    let directories = sources.iter().map(|source| source.directory.len()).sum::<usize>();
    let _hold = hold_for_directory(directories)?;
    check_names(sources)?;
    let all = |generation| sources.iter().all(|source| source.generation == generation);
    let generation =
        if all(ZtensorGeneration::V1_2) { ZtensorGeneration::V1_2 } else { ZtensorGeneration::V2 };
    frame::begin(&mut *output, generation)?;
    let (mut attributes, mut objects) = (Entries::new(), Entries::new());
    for source in sources {
        let failed = |error| MergeError::tensors(source.file.path(), error);
        let copied = Copied::default();
        let mut merger = Merger { source, generation, coding: None, output: &mut *output, poll, copied };
        merger.merge(&mut attributes, &mut objects).map_err(failed)?;
    }
    let directory = manifest::directory(generation, &attributes, &objects);
    check_size(directory.len() as u64)?;
    frame::end(&mut *output, generation, &directory)?;
    let merged = Merged { count: objects.len() as u64, bytes: output.position(), foreign_dropped: false };
    output.complete()?;
    Ok(merged)
}

fn check_names(sources: &[ZtensorFile]) -> Result<(), MergeError> {
    let mut names: BTreeMap<&str, &Path> = BTreeMap::new();
    for source in sources {
        let path = source.file.path();
        for object in &source.objects {
            if let Some(first) = names.insert(&object.name, path) {
                return Err(MergeError::clash("tensor", &object.name, first, path));
            }
        }
    }
    Ok(())
}

/// One of the files on its way into the merged one.
struct Merger<'a> {
    source: &'a ZtensorFile,
    /// The merged file's.
    generation: ZtensorGeneration,
    /// How all parts are to be encoded; `None` for as they are.
    coding: Option<Coding>,
    output: &'a mut dyn Output,
    poll: &'a mut dyn FnMut(),
    copied: Copied,
}

impl Merger<'_> {
    /// Writes the bytes of all tensors, and adds what the directory is to say.
    fn merge(&mut self, attributes: &mut Entries, objects: &mut Entries) -> Result<(), RowsError> {
        let source = self.source;
        let (form, key) = match source.generation {
            // It has no attributes, and what it has instead is each tensor's own.
            ZtensorGeneration::V0_1 => {
                return source.objects.iter().try_for_each(|object| {
                    objects.insert(text(&object.name), self.convert(object, Entries::new())?);
                    Ok(())
                });
            }
            ZtensorGeneration::V1_0 => (Form::WellFormed, "tensors"),
            ZtensorGeneration::V1_2 => (Form::WellFormed, "objects"),
            ZtensorGeneration::V2 => (Form::Deterministic, "objects"),
        };
        let root = cbor::parse(&source.directory, form).map_err(directory_error)?;
        for (key, value) in self.attributes(&root)? {
            attributes.entry(key).or_insert(value);
        }
        // They were read from there, in this order.
        let entries = need(&root, key)?.entries().map_err(directory_error)?;
        for (object, (_, item)) in source.objects.iter().zip(entries) {
            let entry = match source.generation == self.generation {
                true => match self.coding {
                    None => self.copy(object, &item)?,
                    Some(coding) => self.recode(object, &item, coding)?,
                },
                false => self.convert(object, self.attributes(&item)?)?,
            };
            objects.insert(text(&object.name), entry);
        }
        Ok(())
    }

    /// The attributes in a map, if it has any: those that may stand in the merged file.
    fn attributes(&self, of: &Item<'_>) -> Result<Entries, ContainerError> {
        let attributes = of.get("attributes").map_err(directory_error)?;
        let Some(attributes) = attributes.filter(Item::is_map) else { return Ok(Entries::new()) };
        let mut entries = entries(&attributes)?;
        if self.generation == ZtensorGeneration::V2 {
            entries.retain(|key, value| {
                let key = cbor::parse(key, Form::Deterministic);
                let named = key.is_ok_and(|key| key.text().is_ok_and(|key| check_name(key).is_ok()));
                named && cbor::parse(value, Form::Deterministic).is_ok()
            });
        }
        Ok(entries)
    }
}

/// A map's keys that are texts, and their values.
fn entries(map: &Item<'_>) -> Result<Entries, ContainerError> {
    let entries = map.entries().map_err(directory_error)?;
    Ok(entries.filter_map(|(key, value)| Some((text(key.text().ok()?), value.encoded().to_vec()))).collect())
}
