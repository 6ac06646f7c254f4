//! The content of an entry, front to back, inflated a block at a time.
//!
//! Compressed bytes are copied from the mapping before they are inflated. No more comes out than the entry says that it has,
//! and its checksum is compared when it has all come.

use flate2::{Crc, Decompress, FlushDecompress, Status};
use tq_memory::Hold;

use super::directory::{Entry, Method};
use crate::io::at;
use crate::{ContainerError, MappedFile, RowsError};

/// Compressed bytes that are copied at a time.
const INPUT_BYTES: u64 = 64 << 10;
/// More than the library allocates for a stream.
const STATE_BYTES: usize = 128 << 10;

/// Reads the content of an entry.
pub(crate) struct Inflate {
    decoder: Decompress,
    _hold: Hold,
    name: String,
    input: Vec<u8>,
    /// What of it was used.
    used: usize,
    /// Where the next input lies, and where the entry ends.
    next: u64,
    end: u64,
    /// Bytes of the content that are still to come.
    left: u64,
    ended: bool,
    crc: Crc,
    expected: u32,
}

impl Inflate {
    /// Of an entry that is deflated.
    ///
    /// # Errors
    /// Memory.
    pub(crate) fn new(entry: &Entry) -> Result<Self, RowsError> {
        if entry.method != Method::Deflated {
            let problem = format!("entry \"{}\" is not deflated", entry.name.escape_debug());
            return Err(ContainerError::Unsupported(problem).into());
        }
        let hold = tq_memory::hold(STATE_BYTES)?;
        Ok(Inflate {
            decoder: Decompress::new(false),
            _hold: hold,
            name: tq_memory::text(&entry.name)?,
            input: Vec::new(),
            used: 0,
            next: entry.start,
            end: entry.start + entry.length,
            left: entry.size,
            ended: false,
            crc: Crc::new(),
            expected: entry.crc,
        })
    }

    /// Fills `out` with the next bytes; when these are the last, all that can be checked is.
    ///
    /// # Errors
    /// The content is shorter, damaged, or not what its checksum was made of; the file changed.
    pub(crate) fn fill(&mut self, file: &MappedFile, out: &mut [u8]) -> Result<(), RowsError> {
        if out.len() as u64 > self.left {
            return Err(self.malformed("is shorter than what is in it"));
        }
        let mut done = 0;
        while done < out.len() {
            done += self.step(file, &mut out[done..])?;
        }
        self.left -= out.len() as u64;
        self.crc.update(out);
        if self.left == 0 { self.finish(file) } else { Ok(()) }
    }

    /// Inflates some bytes, or takes input.
    fn step(&mut self, file: &MappedFile, out: &mut [u8]) -> Result<usize, RowsError> {
        if self.ended {
            return Err(self.malformed("has fewer bytes than it says"));
        }
        if self.used == self.input.len() {
            let count = INPUT_BYTES.min(self.end - self.next);
            let range = at(self.next, count);
            self.input = file.read(|bytes| tq_memory::copied(bytes.get(range).unwrap_or_default()))??;
            (self.used, self.next) = (0, self.next + count);
            file.release_below(self.next);
        }
        let (read, made) = (self.decoder.total_in(), self.decoder.total_out());
        let status = self.decoder.decompress(&self.input[self.used..], out, FlushDecompress::None);
        let (read, made) = (self.decoder.total_in() - read, self.decoder.total_out() - made);
        self.used += read as usize;
        match status {
            Ok(Status::StreamEnd) => self.ended = true,
            Ok(Status::Ok | Status::BufError) if read > 0 || made > 0 => {}
            Ok(Status::Ok | Status::BufError) => return Err(self.malformed("breaks off")),
            Err(_) => return Err(self.malformed("can't be inflated")),
        }
        Ok(made as usize)
    }

    /// Checks that nothing comes any more, and the checksum.
    fn finish(&mut self, file: &MappedFile) -> Result<(), RowsError> {
        while !self.ended {
            if self.step(file, &mut [0])? > 0 {
                return Err(self.malformed("has more bytes than it says"));
            }
        }
        match self.crc.sum() == self.expected {
            true => Ok(()),
            false => Err(ContainerError::Checksum {
                tensor: self.name.clone(),
                part: "data".to_owned(),
                scheme: "CRC-32",
            }
            .into()),
        }
    }

    fn malformed(&self, problem: &str) -> RowsError {
        let name = self.name.escape_debug();
        ContainerError::Malformed(format!("ZIP archive: entry \"{name}\" {problem}")).into()
    }
}
