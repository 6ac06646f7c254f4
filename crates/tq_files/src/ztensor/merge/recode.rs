//! A file written anew with its parts compressed, or not: all else stays, whatever the tensors' layouts and attributes.

use std::collections::BTreeMap;

use super::copy::Copied;
use super::{Merger, entries};
use crate::cbor::Item;
use crate::cbor::encode::text;
use crate::container::hold_for_directory;
use crate::ztensor::ZtensorFile;
use crate::ztensor::frame::{ZtensorGeneration, alignment, check_size, directory_error};
use crate::ztensor::model::{Encoding, Object, Part};
use crate::ztensor::names::{SEEKABLE, check_name};
use crate::ztensor::read::{Stream, need, verify};
use crate::ztensor::write::frame;
use crate::ztensor::write::manifest::{self, Entries, map, number, place};
use crate::ztensor::write::part::{Checksum, Coding, PartWriter, Style};
use crate::{ContainerError, Output, RowsError};

/// Bytes that are decoded at a time.
const BLOCK: usize = 256 << 10;

/// Writes a file as one of generation 2, compressed or not if `compress` says so, and its attributes replaced if there are others;
/// returns the number of tensors. Tensors of older generations must be dense ones of numbers or booleans, or sparse ones that can
/// be read as rows. `poll` is called many times a second, and may unwind.
///
/// # Errors
/// A checksum that doesn't match; a part that lies in another file, or is encoded in a way that isn't known; what can't be
/// converted; a file that changed; the output's.
pub fn recode_ztensor(
    source: &ZtensorFile,
    compress: Option<bool>,
    attributes: Option<&BTreeMap<String, String>>,
    mut output: Box<dyn Output>,
    poll: &mut dyn FnMut(),
) -> Result<u64, RowsError> {
    // What is said of the tensors is read again, and written.
    let texts = attributes.into_iter().flatten().map(|(key, value)| key.len() + value.len() + 16);
    let _hold = hold_for_directory(source.directory.len() + texts.sum::<usize>())?;
    let generation = ZtensorGeneration::V2;
    frame::begin(&mut *output, generation)?;
    let (mut all, mut objects) = (Entries::new(), Entries::new());
    let coding = compress.map(|compress| if compress { Coding::Seekable } else { Coding::Raw });
    let mut merger =
        Merger { source, generation, coding, output: &mut *output, poll, copied: Copied::default() };
    merger.merge(&mut all, &mut objects)?;
    if let Some(attributes) = attributes {
        attributes.keys().try_for_each(|key| check_name(key))?;
        all = attributes.iter().map(|(key, value)| (text(key), text(value))).collect();
    }
    let directory = manifest::directory(generation, &all, &objects);
    check_size(directory.len() as u64)?;
    frame::end(&mut *output, generation, &directory)?;
    output.complete()?;
    Ok(objects.len() as u64)
}

impl Merger<'_> {
    /// Writes the parts of a tensor of generation 2 anew, and returns its entry of the directory, in which only their places,
    /// encodings and checksums are others.
    pub(super) fn recode(
        &mut self,
        object: &Object,
        item: &Item<'_>,
        coding: Coding,
    ) -> Result<Vec<u8>, RowsError> {
        let items = need(item, "parts")?.entries().map_err(directory_error)?;
        let mut parts = Vec::new();
        for (part, (role, item)) in object.parts.iter().zip(items) {
            let mut entry = entries(&item)?;
            self.recode_part(part, coding, &mut entry)?;
            parts.push((role.encoded().to_vec(), map(&entry)));
        }
        let mut entry = entries(item)?;
        entry.insert(text("parts"), map(&parts.into_iter().collect()));
        Ok(map(&entry))
    }

    fn recode_part(&mut self, part: &Part, coding: Coding, entry: &mut Entries) -> Result<(), RowsError> {
        if let Some(shard) = &part.shard {
            let problem = format!("{} lies in another file, shard \"{}\"", part.label, shard.escape_debug());
            return Err(ContainerError::Unsupported(problem).into());
        }
        verify(&self.source.file, part, self.poll)?;
        let limit = if part.encoding == Encoding::Raw { part.length } else { u64::MAX };
        let mut stream = Stream::open(&self.source.file, part, limit, self.poll)?;
        let style = Style { align: alignment(self.generation), coding, checksum: Checksum::Decoded };
        let mut writer = PartWriter::begin(self.output, style)?;
        let mut buffer = tq_memory::filled(BLOCK, 0)?;
        loop {
            (self.poll)();
            match stream.read(&self.source.file, &mut buffer)? {
                0 => break,
                count => writer.write(self.output, &buffer[..count])?,
            }
        }
        stream.finish(&self.source.file)?;
        let written = writer.finish(self.output)?;
        entry.insert(text("blob"), place(written.offset, written.length));
        entry.remove(&text("encoding"));
        entry.remove(&text("decoded_length"));
        if written.coding != Coding::Raw {
            entry.insert(text("encoding"), text(SEEKABLE));
            entry.insert(text("decoded_length"), number(written.decoded));
        }
        if let Some(digest) = &written.digest {
            entry.insert(text("digest"), text(digest));
        }
        Ok(())
    }
}
