//! Several Burnpack files as one: their tensors' bytes as they are, one behind the other under a directory of all.

use std::collections::BTreeMap;
use std::path::Path;

use tq_memory::Grow;

use super::BurnpackFile;
use super::directory::Directory;
use super::encode::{Integers, encode};
use super::layout::{ALIGNMENT, MOST_TENSORS, data_start};
use crate::container::hold_for_directory;
use crate::io::append_zeros;
use crate::{Container, ContainerError, MergeError, Merged, Output};

/// Bytes that are copied in one step: a few milliseconds' work.
const STEP_BYTES: u64 = 4 << 20;

/// Writes the tensors of all files into one, byte for byte, in the order of the files and, within each, of their data.
///
/// Metadata and scalars are united; where files say different things under one key of metadata, the first is kept. What the
/// format doesn't know is left out. `poll` is called many times a second, and may unwind.
///
/// # Errors
/// [`MergeError::Nothing`] without files; [`MergeError::Clash`] for a tensor that two files have, or a scalar that they have
/// with different values; [`MergeError::Container`] for more than a file may have; a file that changed; the output's.
pub fn merge_burnpacks(
    sources: &[BurnpackFile],
    mut output: Box<dyn Output>,
    poll: &mut dyn FnMut(),
) -> Result<Merged, MergeError> {
    if sources.is_empty() {
        return Err(MergeError::Nothing);
    }
    // Where the directory ends, the data begins: it is shorter than that.
    let directories = sources.iter().map(|source| source.start as usize).sum::<usize>();
    let _hold = hold_for_directory(directories)?;
    let MergePlan { directory, copies } = MergePlan::make(sources)?;
    let front = encode(&directory, Integers::Shortest)?;
    let start = data_start(front.len());
    output.append(&front)?;
    let mut block = Vec::new();
    for TensorCopy { source, from, len, to } in copies {
        // Less than a step: from the end of the directory, or of the tensor before.
        let gap = (start + to).saturating_sub(output.position());
        append_zeros(&mut *output, gap)?;
        let mut done = 0;
        while done < len {
            let step = STEP_BYTES.min(len - done);
            block.clear();
            block.try_room_exact(step as usize)?;
            // Within the file as it was mapped, so these numbers fit.
            let range = (from + done) as usize..(from + done + step) as usize;
            source.file().read(|bytes| block.extend_from_slice(&bytes[range]))?;
            source.file().release_below(from + done);
            output.append(&block)?;
            done += step;
            poll();
        }
    }
    // The data begins there even if there is none.
    let gap = start.saturating_sub(output.position());
    append_zeros(&mut *output, gap)?;
    let merged =
        Merged { count: directory.tensors.len() as u64, bytes: output.position(), foreign_dropped: false };
    output.complete()?;
    Ok(merged)
}

/// What the merged file is to hold, and where that comes from.
struct MergePlan<'s> {
    directory: Directory,
    /// In the order of their data.
    copies: Vec<TensorCopy<'s>>,
}

/// Bytes of a tensor, on their way.
struct TensorCopy<'s> {
    source: &'s BurnpackFile,
    /// Where they are in the source.
    from: u64,
    len: u64,
    /// Where they go, from where the data begins.
    to: u64,
}

impl<'s> MergePlan<'s> {
    fn make(sources: &'s [BurnpackFile]) -> Result<Self, MergeError> {
        let mut plan = MergePlan { directory: Directory::default(), copies: Vec::new() };
        let mut names: BTreeMap<&str, &Path> = BTreeMap::new();
        let mut metadata = BTreeMap::new();
        let mut scalars: BTreeMap<&str, (&[u8], &Path)> = BTreeMap::new();
        let mut end = 0u64;
        for source in sources {
            let path = source.file.path();
            let mut entries: Vec<_> = source.directory.tensors.iter().collect();
            entries.sort_unstable_by_key(|entry| (entry.range, &entry.name));
            for entry in entries {
                if let Some(first) = names.insert(&entry.name, path) {
                    return Err(MergeError::clash("tensor", &entry.name, first, path));
                }
                let (len, from) = (entry.len(), source.start + entry.range.0);
                // A sum of lengths of files.
                let to = end.next_multiple_of(ALIGNMENT);
                end = to + len;
                plan.copies.push(TensorCopy { source, from, len, to });
                let mut entry = entry.clone();
                entry.range = (to, end);
                plan.directory.tensors.push(entry);
            }
            for (key, value) in &source.directory.metadata {
                metadata.entry(key).or_insert(value);
            }
            for (name, value) in &source.directory.scalars {
                let (first, first_path) = *scalars.entry(name).or_insert((value, path));
                if first != value {
                    return Err(MergeError::clash("scalar", name, first_path, path));
                }
            }
        }
        if names.len() > MOST_TENSORS {
            let count = names.len();
            let problem = format!("{count} tensors: a Burnpack file has at most {MOST_TENSORS}");
            return Err(ContainerError::Unsupported(problem).into());
        }
        plan.directory.tensors.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        plan.directory.metadata = metadata.into_iter().map(|(k, v)| (k.clone(), v.clone())).collect();
        plan.directory.scalars = scalars.into_iter().map(|(k, (v, _))| (k.to_owned(), v.to_vec())).collect();
        Ok(plan)
    }
}
