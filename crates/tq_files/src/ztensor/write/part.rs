//! Writing a part: its place, its encoding and its checksum.

use std::io;

use tq_memory::Grow;

use crate::io::append_zeros;
use crate::ztensor::compression::ZstdEncoder;
use crate::ztensor::digest::Hasher;
use crate::ztensor::seek_table;
use crate::{FileError, Output};

/// Content of a frame, as the reference writer has it.
const FRAME_BYTES: usize = 1 << 20;

/// How a part is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ztensor) struct Style {
    /// Its offset is a multiple of it.
    pub(in crate::ztensor) align: u64,
    pub(in crate::ztensor) coding: Coding,
    pub(in crate::ztensor) checksum: Checksum,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ztensor) enum Coding {
    Raw,
    /// One zstd frame.
    Zstd,
    /// zstd frames and a table of them.
    Seekable,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ztensor) enum Checksum {
    None,
    /// CRC32C of the bytes in the file.
    Stored,
    /// XXH3 of the decoded bytes.
    Decoded,
}

/// A part that was written.
#[derive(Debug, Clone)]
pub(in crate::ztensor) struct WrittenPart {
    pub(in crate::ztensor) coding: Coding,
    pub(in crate::ztensor) offset: u64,
    pub(in crate::ztensor) length: u64,
    pub(in crate::ztensor) decoded: u64,
    pub(in crate::ztensor) digest: Option<String>,
}

/// A part being written.
pub(in crate::ztensor) struct PartWriter {
    coder: Coder,
    style: Style,
    hasher: Option<Hasher>,
    offset: u64,
    decoded: u64,
}

enum Coder {
    Raw,
    Zstd(ZstdEncoder, Vec<u8>),
    Seekable {
        compressor: ZstdEncoder,
        /// Content of the next frame.
        content: Vec<u8>,
        /// Entries of the table.
        table: Vec<u8>,
    },
}

impl PartWriter {
    /// Begins a part at the next place it may have.
    ///
    /// # Errors
    /// [`FileError::Io`].
    pub(in crate::ztensor) fn begin(output: &mut dyn Output, style: Style) -> Result<Self, FileError> {
        pad(output, style.align)?;
        let coder = match style.coding {
            Coding::Raw => Coder::Raw,
            Coding::Zstd => {
                let buffer = tq_memory::filled(128 << 10, 0).map_err(short)?;
                Coder::Zstd(ZstdEncoder::new(false).map_err(failed)?, buffer)
            }
            Coding::Seekable => {
                let content = tq_memory::with_capacity(FRAME_BYTES).map_err(short)?;
                let compressor = ZstdEncoder::new(true).map_err(failed)?;
                Coder::Seekable { compressor, content, table: Vec::new() }
            }
        };
        let hasher = match style.checksum {
            Checksum::None => None,
            Checksum::Stored => Some(Hasher::Crc32c(0)),
            Checksum::Decoded => Some(Hasher::Xxh3(Box::default())),
        };
        Ok(PartWriter { coder, style, hasher, offset: output.position(), decoded: 0 })
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// [`FileError::Io`].
    pub(in crate::ztensor) fn write(
        &mut self,
        output: &mut dyn Output,
        mut bytes: &[u8],
    ) -> Result<(), FileError> {
        self.decoded += bytes.len() as u64;
        let mut sink = Sink { output, hasher: None };
        match (&mut self.hasher, self.style.checksum) {
            (Some(hasher), Checksum::Decoded) => hasher.update(bytes),
            (hasher, _) => sink.hasher = hasher.as_mut(),
        }
        match &mut self.coder {
            Coder::Raw => sink.put(bytes),
            Coder::Zstd(encoder, buffer) => {
                while !bytes.is_empty() {
                    let step = encoder.step(bytes, buffer).map_err(failed)?;
                    sink.put(&buffer[..step.written])?;
                    bytes = &bytes[step.read..];
                }
                Ok(())
            }
            Coder::Seekable { compressor, content, table } => {
                while !bytes.is_empty() {
                    let (now, later) = bytes.split_at(bytes.len().min(FRAME_BYTES - content.len()));
                    content.extend_from_slice(now);
                    bytes = later;
                    if content.len() == FRAME_BYTES {
                        put_frame(&mut sink, compressor, content, table)?;
                    }
                }
                Ok(())
            }
        }
    }

    /// Completes the part.
    ///
    /// # Errors
    /// [`FileError::Io`].
    pub(in crate::ztensor) fn finish(mut self, output: &mut dyn Output) -> Result<WrittenPart, FileError> {
        let stored = self.hasher.as_mut().filter(|_| self.style.checksum == Checksum::Stored);
        let mut sink = Sink { output, hasher: stored };
        match &mut self.coder {
            Coder::Raw => {}
            Coder::Zstd(encoder, buffer) => loop {
                let step = encoder.end(buffer).map_err(failed)?;
                sink.put(&buffer[..step.written])?;
                if step.remaining == 0 {
                    break;
                }
            },
            Coder::Seekable { compressor, content, table } => {
                if !content.is_empty() {
                    put_frame(&mut sink, compressor, content, table)?;
                }
                let frames = u32::try_from(table.len() / 8)
                    .map_err(|_| failed(io::Error::other("too many frames")))?;
                sink.put(&seek_table::head_of(table.len() as u64))?;
                sink.put(table)?;
                sink.put(&frames.to_le_bytes())?;
                // No checksums in the table: the frames have their own.
                sink.put(&[0])?;
                sink.put(&seek_table::MAGIC.to_le_bytes())?;
            }
        }
        let length = output.position() - self.offset;
        let digest = self.hasher.map(|hasher| hasher.finish().to_string());
        Ok(WrittenPart {
            coding: self.style.coding,
            offset: self.offset,
            length,
            decoded: self.decoded,
            digest,
        })
    }
}

/// Where encoded bytes go.
struct Sink<'a> {
    output: &'a mut dyn Output,
    hasher: Option<&'a mut Hasher>,
}

impl Sink<'_> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        if let Some(hasher) = &mut self.hasher {
            hasher.update(bytes);
        }
        self.output.append(bytes)
    }
}

/// Writes a frame and notes it in the table.
fn put_frame(
    sink: &mut Sink<'_>,
    compressor: &mut ZstdEncoder,
    content: &mut Vec<u8>,
    table: &mut Vec<u8>,
) -> Result<(), FileError> {
    let frame = compressor.frame(content).map_err(failed)?;
    table.try_room(8).map_err(short)?;
    // A frame is hardly larger than its content.
    table.extend((frame.len() as u32).to_le_bytes());
    table.extend((content.len() as u32).to_le_bytes());
    content.clear();
    sink.put(&frame)
}

/// Appends zeros up to a multiple of `align`.
pub(in crate::ztensor) fn pad(output: &mut dyn Output, align: u64) -> Result<(), FileError> {
    let gap = output.position().next_multiple_of(align) - output.position();
    append_zeros(output, gap)
}

fn short(error: tq_memory::OutOfMemory) -> FileError {
    failed(error.into())
}

/// zstd fails at compressing only when memory is short.
fn failed(source: io::Error) -> FileError {
    FileError::Io { path: "(compressed part)".into(), op: "compress", source }
}
