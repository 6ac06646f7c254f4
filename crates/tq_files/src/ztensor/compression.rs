//! zstd's contexts, whose memory the library fetches itself: what it can't have is an error of its own here.
//!
//! The `zstd` crate's types panic when a context can't be made, and tell of memory as of damaged data.

use std::io;

use tq_memory::OutOfMemory;
use zstd::zstd_safe::{
    CCtx, CParameter, DCtx, ErrorCode, InBuffer, OutBuffer, ResetDirective, compress_bound, get_error_name,
};

/// zstd's level: its default.
const LEVEL: i32 = 3;

/// How far a step has come.
pub(super) struct Step {
    /// Bytes of the input that were used.
    pub(super) read: usize,
    /// Bytes of the output that were filled.
    pub(super) written: usize,
    /// 0 when all that there is was written, or the frame is complete.
    pub(super) remaining: usize,
}

/// What the library says.
fn failed(code: ErrorCode) -> io::Error {
    // The numbers of its errors aren't for programs, but the names are the same for all.
    match get_error_name(code) {
        "Allocation error : not enough memory" => io::ErrorKind::OutOfMemory.into(),
        name => io::Error::other(name),
    }
}

/// Compresses.
pub(super) struct ZstdEncoder(CCtx<'static>);

impl ZstdEncoder {
    /// With the frame's own checksum, if wanted.
    pub(super) fn new(checksum: bool) -> io::Result<Self> {
        let mut context = CCtx::try_create().ok_or(OutOfMemory { bytes: 0 })?;
        context.set_parameter(CParameter::CompressionLevel(LEVEL)).map_err(failed)?;
        if checksum {
            context.set_parameter(CParameter::ChecksumFlag(true)).map_err(failed)?;
        }
        Ok(ZstdEncoder(context))
    }

    /// Takes some of a stream.
    pub(super) fn step(&mut self, input: &[u8], output: &mut [u8]) -> io::Result<Step> {
        let (mut input, mut output) = (InBuffer::around(input), OutBuffer::around(output));
        let remaining = self.0.compress_stream(&mut output, &mut input).map_err(failed)?;
        Ok(Step { read: input.pos(), written: output.pos(), remaining })
    }

    /// Gives some of what is left of a stream.
    pub(super) fn end(&mut self, output: &mut [u8]) -> io::Result<Step> {
        let mut output = OutBuffer::around(output);
        let remaining = self.0.end_stream(&mut output).map_err(failed)?;
        Ok(Step { read: 0, written: output.pos(), remaining })
    }

    /// A frame of its own.
    pub(super) fn frame(&mut self, content: &[u8]) -> io::Result<Vec<u8>> {
        let mut frame = tq_memory::with_capacity(compress_bound(content.len()))?;
        self.0.compress2(&mut frame, content).map_err(failed)?;
        Ok(frame)
    }
}

/// Decompresses.
pub(super) struct ZstdDecoder(DCtx<'static>);

impl ZstdDecoder {
    pub(super) fn new() -> io::Result<Self> {
        let mut context = DCtx::try_create().ok_or(OutOfMemory { bytes: 0 })?;
        context.init().map_err(failed)?;
        Ok(ZstdDecoder(context))
    }

    /// Goes on to another frame.
    pub(super) fn restart(&mut self) -> io::Result<()> {
        self.0.reset(ResetDirective::SessionOnly).map(drop).map_err(failed)
    }

    /// Takes some of a frame.
    pub(super) fn step(&mut self, input: &[u8], output: &mut [u8]) -> io::Result<Step> {
        let (mut input, mut output) = (InBuffer::around(input), OutBuffer::around(output));
        let remaining = self.0.decompress_stream(&mut output, &mut input).map_err(failed)?;
        Ok(Step { read: input.pos(), written: output.pos(), remaining })
    }
}
