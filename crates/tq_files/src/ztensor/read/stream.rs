//! The decoded bytes of a part, front to back, whatever its encoding.
//!
//! Compressed bytes are copied from the mapping before they are decompressed: zstd must not see them change. What comes
//! out is bounded by what the directory declares or the shape allows, and not a byte more is decompressed than that.

use tq_memory::{Grow, OutOfMemory};

use super::seekable::SeekTable;
use crate::io::at;
use crate::ztensor::compression::ZstdDecoder;
use crate::ztensor::label::Label;
use crate::ztensor::model::{Encoding, Part};
use crate::{ContainerError, FileError, MappedFile, RowsError};

/// Compressed bytes that are copied at a time.
const INPUT_BYTES: u64 = 128 << 10;

/// Reads the decoded bytes of a part.
pub(in crate::ztensor) struct Stream {
    label: Label,
    source: StreamSource,
    /// Bytes that may still come.
    left: u64,
    /// Whether they must come.
    exact: bool,
}

enum StreamSource {
    /// The place of the next byte.
    Raw(u64),
    Zstd(Box<ZstdFrame>),
    Seekable(Box<ZstdFrame>, SeekTable),
}

/// A zstd frame being decompressed.
struct ZstdFrame {
    decoder: ZstdDecoder,
    input: Vec<u8>,
    /// What of it was used.
    used: usize,
    /// Where the next input lies, and where the frame ends.
    next: u64,
    end: u64,
    ended: bool,
    /// Bytes of its content that are expected yet.
    left: u64,
}

impl Stream {
    /// Begins with the part, of which at most `limit` bytes are read if the directory doesn't say how many there are.
    ///
    /// `poll` is called while a table of frames is checked.
    ///
    /// # Errors
    /// The table isn't right; the file changed.
    pub(in crate::ztensor) fn open(
        file: &MappedFile,
        part: &Part,
        limit: u64,
        poll: &mut dyn FnMut(),
    ) -> Result<Self, RowsError> {
        let left = part.decoded.unwrap_or(limit);
        let frame = |end, left| ZstdFrame::new(part, end, left).map(Box::new);
        let source = match &part.encoding {
            Encoding::Raw => StreamSource::Raw(part.offset),
            Encoding::Zstd => StreamSource::Zstd(frame(part.offset + part.length, left)?),
            Encoding::Seekable => {
                StreamSource::Seekable(frame(part.offset, 0)?, SeekTable::check(file, part, left, poll)?)
            }
            Encoding::Unknown(name) => {
                let problem = format!("encoding \"{name}\" isn't read here");
                return Err(ContainerError::Unsupported(problem).into());
            }
        };
        Ok(Stream { label: part.label.clone(), source, left, exact: part.decoded.is_some() })
    }

    /// Reads until `out` is full or the part ends, and returns how many bytes it read.
    pub(in crate::ztensor) fn read(&mut self, file: &MappedFile, out: &mut [u8]) -> Result<usize, RowsError> {
        let want = usize::try_from(self.left).unwrap_or(usize::MAX).min(out.len());
        let out = &mut out[..want];
        let count = match &mut self.source {
            StreamSource::Raw(next) => {
                let range = at(*next, want as u64);
                file.read(|bytes| match bytes.get(range) {
                    Some(bytes) => out.copy_from_slice(bytes),
                    None => out.fill(0),
                })?;
                file.release_below(*next);
                *next += want as u64;
                want
            }
            StreamSource::Zstd(frame) => frame.read(file, out, &self.label)?,
            StreamSource::Seekable(frame, table) => {
                let mut count = 0;
                while count < want {
                    if frame.left == 0 {
                        frame.finish(file, &self.label)?;
                        let Some((stored, content)) = table.next(file)? else { break };
                        frame
                            .begin(frame.end, stored, content)
                            .map_err(|error| broken(&self.label, &error))?;
                        continue;
                    }
                    let most = usize::try_from(frame.left).unwrap_or(usize::MAX).min(want - count);
                    match frame.read(file, &mut out[count..][..most], &self.label)? {
                        0 => break,
                        some => count += some,
                    }
                }
                count
            }
        };
        if count < want && self.exact {
            return Err(self.label.malformed("it decompresses to fewer bytes than it must have").into());
        }
        self.left = if count < want { 0 } else { self.left - count as u64 };
        Ok(count)
    }

    /// Fills `out`.
    pub(in crate::ztensor) fn fill(&mut self, file: &MappedFile, out: &mut [u8]) -> Result<(), RowsError> {
        match self.read(file, out)? == out.len() {
            true => Ok(()),
            false => Err(self.label.malformed("it has fewer bytes than the other parts need").into()),
        }
    }

    /// Reads `count` bytes that are of no interest.
    pub(in crate::ztensor) fn skip(
        &mut self,
        file: &MappedFile,
        mut count: u64,
        poll: &mut dyn FnMut(),
    ) -> Result<(), RowsError> {
        if let StreamSource::Raw(next) = &mut self.source {
            let step = count.min(self.left);
            *next += step;
            self.left -= step;
            count -= step;
        }
        let mut buffer = tq_memory::filled(count.min(INPUT_BYTES) as usize, 0)?;
        while count > 0 {
            poll();
            let most = (buffer.len() as u64).min(count);
            self.fill(file, &mut buffer[..most as usize])?;
            count -= most;
        }
        Ok(())
    }

    /// Bytes from here to the end, which is where the stream is then.
    pub(in crate::ztensor) fn measure(
        &mut self,
        file: &MappedFile,
        poll: &mut dyn FnMut(),
    ) -> Result<u64, RowsError> {
        if self.exact {
            let left = self.left;
            self.skip(file, left, poll)?;
            return Ok(left);
        }
        let mut buffer = tq_memory::filled(INPUT_BYTES as usize, 0)?;
        let mut sum = 0;
        loop {
            poll();
            match self.read(file, &mut buffer)? {
                0 => break self.finish(file)?,
                count => sum += count as u64,
            }
        }
        Ok(sum)
    }

    /// Makes sure that nothing is left.
    pub(in crate::ztensor) fn finish(&mut self, file: &MappedFile) -> Result<(), RowsError> {
        if self.exact && self.left > 0 {
            return Err(self.label.malformed("it has more bytes than the other parts need").into());
        }
        match &mut self.source {
            StreamSource::Raw(_) => Ok(()),
            StreamSource::Zstd(frame) => frame.finish(file, &self.label),
            StreamSource::Seekable(frame, table) => {
                frame.finish(file, &self.label)?;
                // What may be left is frames without content.
                while let Some((stored, content)) = table.next(file)? {
                    frame.begin(frame.end, stored, content).map_err(|error| broken(&self.label, &error))?;
                    frame.finish(file, &self.label)?;
                }
                Ok(())
            }
        }
    }
}

fn broken(label: &Label, error: &std::io::Error) -> ContainerError {
    if error.kind() == std::io::ErrorKind::OutOfMemory {
        return OutOfMemory { bytes: 0 }.into();
    }
    label.malformed(format!("it can't be decompressed: {error}"))
}

impl ZstdFrame {
    /// The frame from the beginning of the part to `end`; none if that is the same.
    fn new(part: &Part, end: u64, left: u64) -> Result<Self, ContainerError> {
        let decoder = ZstdDecoder::new().map_err(|error| broken(&part.label, &error))?;
        let ended = end == part.offset && part.encoding == Encoding::Seekable;
        Ok(ZstdFrame { decoder, input: Vec::new(), used: 0, next: part.offset, end, ended, left })
    }

    /// Goes on to a frame of `stored` bytes at `start` with so much content.
    fn begin(&mut self, start: u64, stored: u64, content: u64) -> std::io::Result<()> {
        self.decoder.restart()?;
        self.input.clear();
        (self.used, self.next, self.end) = (0, start, start + stored);
        (self.ended, self.left) = (false, content);
        Ok(())
    }

    /// Reads until `out` is full or the frame ends.
    fn read(&mut self, file: &MappedFile, out: &mut [u8], label: &Label) -> Result<usize, RowsError> {
        let mut count = 0;
        while count < out.len() && !self.ended {
            if self.used == self.input.len() {
                self.refill(file)?;
            }
            let step = self.decoder.step(&self.input[self.used..], &mut out[count..]);
            let step = step.map_err(|error| broken(label, &error))?;
            self.used += step.read;
            count += step.written;
            self.ended = step.remaining == 0;
            if !self.ended && self.input.is_empty() && step.written == 0 {
                return Err(label.malformed("it can't be decompressed: it breaks off").into());
            }
        }
        self.left = self.left.saturating_sub(count as u64);
        Ok(count)
    }

    /// Copies the next input, none at the end.
    fn refill(&mut self, file: &MappedFile) -> Result<(), FileError> {
        let count = (self.end - self.next).min(INPUT_BYTES);
        let range = at(self.next, count);
        let input = &mut self.input;
        input.clear();
        let short = |error: OutOfMemory| FileError::Io {
            path: file.path().to_owned(),
            op: "read",
            source: error.into(),
        };
        input.try_room_exact(count as usize).map_err(short)?;
        file.read(|bytes| {
            input.clear();
            input.extend_from_slice(bytes.get(range).unwrap_or_default());
        })?;
        file.release_below(self.next);
        self.used = 0;
        self.next += count;
        Ok(())
    }

    /// Makes sure that the frame ends here, and that nothing follows it.
    fn finish(&mut self, file: &MappedFile, label: &Label) -> Result<(), RowsError> {
        if self.read(file, &mut [0], label)? > 0 {
            return Err(label.malformed("it decompresses to more bytes than it may have").into());
        }
        match self.used == self.input.len() && self.next == self.end {
            true => Ok(()),
            false => Err(label.malformed("there is something behind its compressed bytes").into()),
        }
    }
}
