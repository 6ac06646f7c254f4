//! Writing an index, whose number of vectors is known at the end only.
//!
//! Codes go to the output as they are made. Scales, norms and ids come behind all codes, so they wait: the
//! first mebibyte of each in memory, more in a temporary file: see [`WaitingBytes`].

use std::path::Path;
use std::sync::Arc;

use tq_codec::{Quantvec, QuantvecRows, Workers};
use tq_format::qvec;

use super::read::at;
use super::waiting::{WaitingBytes, WaitingIds};
use crate::rows::to_singles;
use crate::{Output, RowWriter, RowsError};

/// Which quantvec is to read the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum QvecVersion {
    /// The first releases, which read nothing else.
    One,
    /// Today's, which reads nothing else.
    #[default]
    Two,
}

/// What an index is to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QvecOptions {
    /// Dimensions of the vectors: a multiple of 8, since filling up would change what the vectors are.
    pub dimension: u32,
    /// The version of the format.
    pub version: QvecVersion,
    /// Bits of a code.
    pub bits: qvec::Bits,
    /// How quantvec is to rank unless told otherwise.
    pub metric: qvec::Metric,
    /// What the rotation is drawn by: any finite number.
    pub seed: f64,
    /// Whether each vector has an id.
    pub keyed: bool,
}

impl QvecOptions {
    /// What quantvec makes by default: 4 bits, cosine, seed 42, no ids.
    pub fn new(dimension: u32) -> Self {
        QvecOptions {
            dimension,
            version: QvecVersion::Two,
            bits: qvec::Bits::Four,
            metric: qvec::Metric::Cosine,
            seed: 42.0,
            keyed: false,
        }
    }
}

/// Writes rows as an index of quantvec.
pub struct QvecWriter {
    output: Box<dyn Output>,
    header: qvec::Header,
    codec: Quantvec,
    workers: Arc<Workers>,
    scales: WaitingBytes,
    norms: WaitingBytes,
    ids: WaitingIds,
    /// Rows of a block, kept for their capacity.
    encoded: QuantvecRows,
}

impl QvecWriter {
    /// Begins an index of vectors compressed on `workers`. What has to wait does so in `folder`, beside the target for instance.
    /// Makes the codec, which may take long for a dimension that isn't a power of two: `poll` is called many times a second,
    /// and may unwind.
    ///
    /// # Errors
    /// [`RowsError::Setup`] for a dimension that isn't a multiple of 8 up to 16000 or without memory for the codec;
    /// [`RowsError::QvecSeed`]; the output's.
    pub fn new(
        mut output: Box<dyn Output>,
        options: &QvecOptions,
        folder: &Path,
        workers: Arc<Workers>,
        poll: &mut dyn FnMut(),
    ) -> Result<Self, RowsError> {
        let QvecOptions { dimension, version, bits, metric, seed, keyed } = *options;
        if !seed.is_finite() {
            return Err(RowsError::QvecSeed { seed });
        }
        let codec = Quantvec::new(dimension, bits, seed, poll).map_err(RowsError::Setup)?;
        let layout = if version == QvecVersion::One { qvec::Layout::V1 } else { qvec::Layout::V2 };
        let header = qvec::Header { layout, keyed, metric, bits, dimension, count: 0, seed };
        output.append(&header.to_bytes())?;
        let spool = || WaitingBytes::new(folder);
        Ok(QvecWriter {
            output,
            header,
            codec,
            workers,
            scales: spool(),
            norms: spool(),
            ids: WaitingIds::new(spool()),
            encoded: QuantvecRows::default(),
        })
    }

    /// Rows that [`append`](RowWriter::append) takes some ten milliseconds for.
    pub fn round_rows(&self) -> usize {
        self.codec.round_rows(&self.workers)
    }

    /// Vectors so far.
    pub fn count(&self) -> u32 {
        self.header.count
    }

    /// The id of the next vector that has none yet; it may come before its vector or after it. In an index with ids every
    /// vector has one, and no two the same: see [`qvec::Id`] for what is the same.
    ///
    /// # Errors
    /// [`RowsError::QvecId`] for a number that isn't finite, an integer that isn't canonical, a text with a byte order mark at
    /// its start; [`RowsError::QvecDuplicateId`]; [`FileError::Io`](crate::FileError::Io).
    pub fn push_id(&mut self, id: &qvec::Id<'_>) -> Result<(), RowsError> {
        self.ids.push(id)
    }
}

impl RowWriter for QvecWriter {
    fn append(&mut self, rows: &[f32]) -> Result<(), RowsError> {
        let dimension = self.codec.dimension();
        for block in rows.chunks(self.codec.round_rows(&self.workers) * dimension) {
            let first = u64::from(self.header.count);
            let most = qvec::MAX_CODE_BYTES / self.codec.row_len().max(1) as u64;
            let count = first + block.len().div_ceil(dimension) as u64;
            if count > most {
                return Err(RowsError::QvecTooMany { most });
            }
            let encoded = &mut self.encoded;
            encoded.clear();
            let result = self.codec.encode_batch_on(&self.workers, block, encoded, &mut || {});
            result.map_err(|error| at(first, error))?;
            self.output.append(&encoded.codes)?;
            self.scales.append_floats(&encoded.scales)?;
            self.norms.append_floats(&encoded.norms)?;
            // At most 2²⁸.
            self.header.count = count as u32;
        }
        Ok(())
    }

    fn append_doubles(&mut self, rows: &[f64]) -> Result<(), RowsError> {
        self.append(&to_singles(rows, self.header.dimension, self.header.count.into())?)
    }

    fn bytes(&self) -> u64 {
        self.output.position()
    }

    fn finish(mut self: Box<Self>) -> Result<(), RowsError> {
        let output = &mut *self.output;
        let expected = if self.header.keyed { self.header.count } else { 0 };
        if self.ids.count() != expected {
            return Err(RowsError::QvecIdCount { ids: self.ids.count(), expected });
        }
        self.scales.pour(output)?;
        self.norms.pour(output)?;
        // No calibration; and in version 2 no lists.
        output.append(if self.header.layout == qvec::Layout::V2 { &[0, 0] } else { &[0] })?;
        self.ids.pour(output)?;
        output.write_at(qvec::COUNT_OFFSET, &self.header.count.to_le_bytes())?;
        Ok(self.output.complete()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FileError;

    /// Takes any number of bytes.
    struct Nowhere(u64);

    impl Output for Nowhere {
        fn append(&mut self, bytes: &[u8]) -> Result<(), FileError> {
            self.0 += bytes.len() as u64;
            Ok(())
        }

        fn write_at(&mut self, _: u64, _: &[u8]) -> Result<(), FileError> {
            Ok(())
        }

        fn position(&self) -> u64 {
            self.0
        }

        fn complete(self: Box<Self>) -> Result<(), FileError> {
            Ok(())
        }
    }

    #[test]
    fn codes_end_where_quantvec_misreads_them() {
        for (dimension, bits, most) in
            [(8, qvec::Bits::Two, (1 << 27) - 1), (1024, qvec::Bits::Four, 524_287)]
        {
            let options = QvecOptions { bits, ..QvecOptions::new(dimension) };
            let workers = Arc::new(Workers::new(1).unwrap());
            let folder = std::env::temp_dir();
            let writer = QvecWriter::new(Box::new(Nowhere(0)), &options, &folder, workers, &mut || {});
            let mut writer = writer.unwrap();
            writer.header.count = most - 1;
            let row = vec![1.0; dimension as usize];
            writer.append(&row).unwrap();
            let error = writer.append(&row).unwrap_err();
            assert!(
                matches!(error, RowsError::QvecTooMany { most: got } if got == u64::from(most)),
                "{error}"
            );
            assert_eq!(writer.count(), most);
        }
    }
}
