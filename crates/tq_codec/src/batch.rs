//! Encoding and decoding many vectors at once: the same records as one at a time, many times faster.
//!
//! Rows are taken in blocks whose rotation is one matrix product. Codes come from `f32` and are settled in `f64` near
//! the thresholds, as for single vectors; residuals need the rotated values themselves, so the product is made in
//! `f64`, and the values that another order of summation could round to another `f32` are computed again in
//! the order of [`Rotation::apply`].
//!
//! [`Rotation::apply`]: crate::Rotation::apply

use crate::codec::check_decoded;
use crate::product::{F32_NORMS, Single};
use crate::{BatchError, Codec, CodecError, Workers, check_vector};
use tq_format::RecordView;
use tq_memory::{Grow, OutOfMemory};

/// Rows of a block: enough for a product at full speed, few enough to stay in the cache.
const ROWS: usize = 128;

/// Rows that a thread takes at a time when there are several: few, so that all end at about the same time.
const ROWS_OF_A_THREAD: usize = 2 * ROWS;

impl Codec {
    /// Compresses `rows` (`n × d`, row-major) and appends the *n* records to `out`, which an error leaves as it was.
    ///
    /// The records are those of [`Codec::encode`] for each row, to the byte. Runs on the calling thread; needs a few
    /// buffers of 128 rows.
    ///
    /// # Errors
    /// The error that [`Codec::encode`] has for the first row that has one; [`CodecError::DimensionMismatch`] for a
    /// last row that is too short.
    pub fn encode_batch(&self, rows: &[f32], out: &mut Vec<u8>) -> Result<(), BatchError> {
        let d = self.dimension();
        let (count, rest) = (rows.len() / d, rows.len() % d);
        let start = out.len();
        out.try_room_exact(count.saturating_mul(self.builder().record_len()))?;
        let mut encoder = BlockEncoder::new(self)?;
        let mut encode = || {
            for (number, block) in rows[..count * d].chunks(ROWS * d).enumerate() {
                encoder.encode(block, out).map_err(|error| at(number * ROWS, error))?;
            }
            match rest {
                0 => Ok(()),
                got => {
                    Err(BatchError { row: count, source: CodecError::DimensionMismatch { expected: d, got } })
                }
            }
        };
        let result = encode();
        if result.is_err() {
            out.truncate(start);
        }
        result
    }

    /// [`Codec::encode_batch`] on several threads.
    ///
    /// `poll` is called on the calling thread before each round of some ten milliseconds, for whatever else the caller has
    /// to attend to; it may unwind, which leaves a part of the records in `out`.
    ///
    /// # Errors
    /// Those of [`Codec::encode_batch`], and [`CodecError::WorkerPanicked`] with the first row of the round.
    pub fn encode_batch_on(
        &self,
        workers: &Workers,
        rows: &[f32],
        out: &mut Vec<u8>,
        poll: &mut dyn FnMut(),
    ) -> Result<(), BatchError> {
        let d = self.dimension();
        let start = out.len();
        out.try_room_exact((rows.len() / d).saturating_mul(self.builder().record_len()))?;
        // Made once, before several threads would wait for it.
        self.rotation().prepare(self.config().residual(), poll);
        let of_a_thread = ROWS_OF_A_THREAD.min(Workers::round_rows(d));
        let round = Workers::round_rows(d) * workers.threads();
        for (number, rows) in rows.chunks(round * d).enumerate() {
            poll();
            let blocks = tq_memory::collected(rows.chunks(of_a_thread * d).enumerate())?;
            let encode = |(block, rows)| {
                let mut records = Vec::new();
                self.encode_batch(rows, &mut records).map_err(|error| at(block * of_a_thread, error))?;
                Ok(records)
            };
            let encoded = workers.map(blocks, encode).map_err(|source| BatchError { row: 0, source });
            let encoded = encoded.and_then(|blocks| blocks.into_iter().collect::<Result<Vec<_>, _>>());
            match encoded {
                // There is room for all of them.
                Ok(blocks) => blocks.iter().for_each(|records| out.extend_from_slice(records)),
                Err(error) => {
                    out.truncate(start);
                    return Err(at(number * round, error));
                }
            }
        }
        Ok(())
    }

    /// Decompresses `records` and appends the vectors to `out` (`n × d`, row-major), which an error leaves as it was.
    ///
    /// Rotated back in `f32`: values differ from those of [`Codec::decode`] by at most 2e-5 of the vector's norm, and
    /// usually by less than 1e-7 of it. Under the Hadamard rotation they are equal.
    ///
    /// # Errors
    /// Those of [`Codec::decode`], for the first record that has one.
    pub fn decode_batch(&self, records: &[RecordView<'_>], out: &mut Vec<f32>) -> Result<(), BatchError> {
        for (row, record) in records.iter().enumerate() {
            self.check_record(record).map_err(|source| BatchError { row, source })?;
        }
        let d = self.dimension();
        let start = out.len();
        let mut rotated = tq_memory::filled(ROWS.min(records.len()) * d, 0.0)?;
        out.try_resize(start + records.len() * d, 0.0)?;
        let mut part = Vec::new();
        let blocks = records.chunks(ROWS).zip(out[start..].chunks_mut(ROWS * d));
        for (block, (records, vectors)) in blocks.enumerate() {
            let rotated = &mut rotated[..records.len() * d];
            for (record, row) in records.iter().zip(rotated.chunks_exact_mut(d)) {
                self.dequantize(record, row);
            }
            let single = self.rotation().single();
            if let Some(single) = single
                && let Err(error) = single.apply_inverse_rows(rotated, vectors, &mut part)
            {
                out.truncate(start);
                return Err(error.into());
            }
            let block = ROWS * block;
            for (number, (row, vector)) in
                rotated.chunks_exact(d).zip(vectors.chunks_exact_mut(d)).enumerate()
            {
                let norm = check_vector(row).unwrap_or(f64::INFINITY);
                if single.is_none() || !F32_NORMS.contains(&norm) {
                    self.rotation().apply_inverse(row, vector);
                    if let Err(source) = check_decoded(vector) {
                        out.truncate(start);
                        return Err(BatchError { row: block + number, source });
                    }
                }
            }
        }
        Ok(())
    }

    /// [`Codec::decode_batch`] on several threads.
    ///
    /// The caller waits for the end: one with other duties passes at most [`Codec::round_rows`] records at a time.
    ///
    /// # Errors
    /// Those of [`Codec::decode_batch`], and [`CodecError::WorkerPanicked`] with the first row.
    pub fn decode_batch_on(
        &self,
        workers: &Workers,
        records: &[RecordView<'_>],
        out: &mut Vec<f32>,
    ) -> Result<(), BatchError> {
        let size = records.len().div_ceil(workers.threads()).clamp(1, ROWS_OF_A_THREAD);
        self.rotation().single();
        let decode = |(block, records): (usize, &[RecordView<'_>])| {
            let mut vectors = Vec::new();
            self.decode_batch(records, &mut vectors).map_err(|error| at(block * size, error))?;
            Ok::<_, BatchError>(vectors)
        };
        let decoded = workers
            .map(tq_memory::collected(records.chunks(size).enumerate())?, decode)
            .map_err(|source| BatchError { row: 0, source })?;
        let decoded = decoded.into_iter().collect::<Result<Vec<_>, _>>()?;
        out.try_room_exact(records.len() * self.dimension())?;
        decoded.iter().for_each(|vectors| out.extend_from_slice(vectors));
        Ok(())
    }

    /// Rows that `workers` rotate in some ten milliseconds: what a caller with other duties gives them at a time.
    pub fn round_rows(&self, workers: &Workers) -> usize {
        Workers::round_rows(self.dimension()) * workers.threads()
    }
}

/// An error of a block, at its place in the batch.
fn at(first: usize, error: BatchError) -> BatchError {
    BatchError { row: first + error.row, ..error }
}

struct BlockEncoder<'a> {
    codec: &'a Codec,
    scratch: crate::encode::Scratch,
    norms: Vec<f64>,
    rotated: Vec<f32>,
    part: Vec<f32>,
    wide: [Vec<f64>; 2],
}

impl<'a> BlockEncoder<'a> {
    fn new(codec: &'a Codec) -> Result<Self, OutOfMemory> {
        Ok(Self {
            codec,
            scratch: codec.scratch()?,
            norms: Vec::new(),
            rotated: Vec::new(),
            part: Vec::new(),
            wide: [Vec::new(), Vec::new()],
        })
    }

    /// Encodes at most [`ROWS`] whole rows.
    fn encode(&mut self, rows: &[f32], out: &mut Vec<u8>) -> Result<(), BatchError> {
        let d = self.codec.dimension();
        self.norms.clear();
        self.norms.try_room_exact(rows.len() / d)?;
        let mut refusal = None;
        for (row, vector) in rows.chunks_exact(d).enumerate() {
            match self.codec.check_encodable(vector) {
                Ok(norm) => self.norms.push(norm),
                Err(source) => {
                    refusal = Some(BatchError { row, source });
                    break;
                }
            }
        }
        // Rows before the refused one may fail as well, in ways that show later.
        let rows = &rows[..self.norms.len() * d];
        if !rows.is_empty() {
            self.rotated.try_resize(rows.len(), 0.0)?;
            let single = if self.codec.config().residual() { None } else { self.codec.rotation().single() };
            match single {
                Some(single) => self.encode_near(single, rows, out)?,
                None => self.encode_exact(rows, out)?,
            }
        }
        refusal.map_or(Ok(()), Err)
    }

    fn encode_near(&mut self, single: &Single, rows: &[f32], out: &mut Vec<u8>) -> Result<(), BatchError> {
        let d = self.codec.dimension();
        let margin = single.apply_rows(rows, &mut self.rotated, &mut self.part)?;
        if self.scratch.paths.is_some() {
            return self.encode_near_paths(rows, margin, out);
        }
        let vectors = rows.chunks_exact(d).zip(self.rotated.chunks_exact_mut(d));
        for (row, ((vector, rotated), norm)) in vectors.zip(&self.norms).enumerate() {
            let scratch = &mut self.scratch;
            let result = if F32_NORMS.contains(norm) {
                self.codec.encode_near(vector, rotated, margin * norm, scratch, out)
            } else {
                self.codec.rotation().apply(vector, rotated);
                self.codec.encode_rotated(rotated, scratch, out)
            };
            result.map_err(|source| BatchError { row, source })?;
        }
        Ok(())
    }

    /// The end of [`BlockEncoder::encode_near`] for trellis codes, whose paths are found for all rows at once.
    fn encode_near_paths(&mut self, rows: &[f32], margin: f64, out: &mut Vec<u8>) -> Result<(), BatchError> {
        let (codec, d) = (self.codec, self.codec.dimension());
        let centre = codec.rotated_centre();
        if let Some(paths) = &mut self.scratch.paths {
            let vectors = rows.chunks_exact(d).zip(self.rotated.chunks_exact_mut(d));
            for ((vector, rotated), norm) in vectors.zip(&self.norms) {
                if F32_NORMS.contains(norm) {
                    let more = centre.map_or(0.0, |centre| centre.subtract_near(rotated));
                    paths.add_near(codec, rotated, ((margin * norm + more) as f32).next_up())?;
                } else {
                    codec.rotation().apply(vector, rotated);
                    paths.add(codec, rotated)?;
                }
            }
            paths.settle(codec, rows);
        }
        codec.encode_added(&[], &mut self.scratch, out)
    }

    fn encode_exact(&mut self, rows: &[f32], out: &mut Vec<u8>) -> Result<(), BatchError> {
        let (codec, d) = (self.codec, self.codec.dimension());
        if codec.rotation().matrix().is_some() {
            self.rotate_exactly(rows)?;
        } else {
            for (vector, rotated) in rows.chunks_exact(d).zip(self.rotated.chunks_exact_mut(d)) {
                codec.rotation().apply(vector, rotated);
            }
        }
        codec.encode_rotated_rows(&mut self.rotated, &mut self.scratch, out)
    }

    /// Fills `rotated` with the values of [`Rotation::apply`](crate::Rotation::apply), to the bit.
    fn rotate_exactly(&mut self, rows: &[f32]) -> Result<(), OutOfMemory> {
        let (rotation, d) = (self.codec.rotation(), self.codec.dimension());
        let [from, to] = &mut self.wide;
        from.clear();
        from.try_room_exact(rows.len())?;
        from.extend(rows.iter().map(|&x| f64::from(x)));
        to.try_resize(rows.len(), 0.0)?;
        let Some(margin) = rotation.apply_rows_f64(from, to)? else { return Ok(()) };
        let vectors = rows.chunks_exact(d).zip(to.chunks_exact(d)).zip(self.rotated.chunks_exact_mut(d));
        for (((vector, sums), rotated), norm) in vectors.zip(&self.norms) {
            let margin = margin * norm;
            // A zero may have either sign.
            let is_doubtful = |sum: f64| (sum - margin) as f32 != (sum + margin) as f32 || sum == 0.0;
            let mut doubtful = false;
            for (y, &sum) in rotated.iter_mut().zip(sums) {
                *y = sum as f32;
                doubtful |= is_doubtful(sum);
            }
            if !doubtful {
                continue;
            }
            for (index, &sum) in sums.iter().enumerate() {
                if is_doubtful(sum)
                    && let Some(y) = rotation.coordinate(index, vector)
                {
                    rotated[index] = y;
                }
            }
        }
        Ok(())
    }
}
