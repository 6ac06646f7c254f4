//! Reading the [seek table](crate::ztensor::seek_table) behind zstd frames.

use crate::io::{at, copy};
use crate::ztensor::label::Label;
use crate::ztensor::model::Part;
use crate::ztensor::seek_table::{HEAD, MAGIC, TAIL, head_of};
use crate::{FileError, MappedFile, RowsError};

/// Most content of a frame.
const MOST_CONTENT: u64 = 16 << 20;
/// Entries that are checked between two calls of `poll`.
const STEP: u64 = 1 << 16;

/// A table that was checked, and how far its frames were read.
pub(in crate::ztensor) struct SeekTable {
    /// Where the next entry lies, and where they end.
    next: u64,
    end: u64,
    /// Bytes of an entry.
    width: u64,
}

impl SeekTable {
    /// Finds the table of a part and checks that its frames make up the part and `decoded` bytes of content, and that
    /// all have the same but the last one.
    pub(in crate::ztensor) fn check(
        file: &MappedFile,
        part: &Part,
        decoded: u64,
        poll: &mut dyn FnMut(),
    ) -> Result<Self, RowsError> {
        let wrong = |problem: &str| part.label.malformed(format!("its seek table {problem}"));
        if part.length < HEAD + TAIL {
            return Err(wrong("is missing").into());
        }
        let tail: [u8; TAIL as usize] = copy(file, part.offset + part.length - TAIL)?;
        let [a, b, c, d, flags, magic @ ..] = tail;
        if u32::from_le_bytes(magic) != MAGIC || flags & 0x7f != 0 {
            return Err(wrong("is missing, or of an unknown kind").into());
        }
        let width = if flags == 0 { 8 } else { 12 };
        let size = u64::from(u32::from_le_bytes([a, b, c, d])) * width;
        let frames =
            part.length.checked_sub(HEAD + size + TAIL).ok_or_else(|| wrong("is larger than the part"))?;
        let head: [u8; HEAD as usize] = copy(file, part.offset + frames)?;
        if head != head_of(size) {
            return Err(wrong("doesn't begin where it should, or has another size").into());
        }
        let start = part.offset + frames + HEAD;
        let table = SeekTable { next: start, end: start + size, width };
        table.check_entries(file, &part.label, (frames, decoded), poll)?;
        Ok(table)
    }

    fn check_entries(
        &self,
        file: &MappedFile,
        label: &Label,
        sums: (u64, u64),
        poll: &mut dyn FnMut(),
    ) -> Result<(), RowsError> {
        let wrong = |problem: String| Err(RowsError::from(label.malformed(problem)));
        let (mut stored, mut content, mut first) = (0u64, 0u64, None);
        for next in (self.next..self.end).step_by((STEP * self.width) as usize) {
            poll();
            let range = at(next, (STEP * self.width).min(self.end - next));
            let entries = file.read(|bytes| tq_memory::copied(bytes.get(range).unwrap_or_default()))??;
            for (i, entry) in entries.chunks_exact(self.width as usize).enumerate() {
                let (frame, size) = parse(entry);
                let last = next + (i as u64 + 1) * self.width == self.end;
                if size > MOST_CONTENT || !last && size != *first.get_or_insert(size) {
                    return wrong(format!(
                        "a frame has {size} bytes of content, more than 16 MiB or unlike the first"
                    ));
                }
                (stored, content) = (stored + frame, content + size);
            }
        }
        match (stored, content) == sums {
            true => Ok(()),
            false => wrong(format!(
                "its seek table has {stored} bytes in frames with {content} of content, instead of {} and {}",
                sums.0, sums.1
            )),
        }
    }

    /// Stored bytes and content of the next frame.
    pub(in crate::ztensor) fn next(&mut self, file: &MappedFile) -> Result<Option<(u64, u64)>, FileError> {
        if self.next >= self.end {
            return Ok(None);
        }
        let entry: [u8; 8] = copy(file, self.next)?;
        self.next += self.width;
        Ok(Some(parse(&entry)))
    }
}

fn parse(entry: &[u8]) -> (u64, u64) {
    let number = |at: usize| {
        entry.get(at..at + 4).map_or(0, |bytes| bytes.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b)))
    };
    (number(0), number(4))
}
