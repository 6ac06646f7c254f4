//! One call of `tq_compress_column`: going over the tables behind a column, batch by batch, until none of their rows is left
//! to fill, or those that are can't be filled.

#![allow(unsafe_code)]

use std::sync::Arc;

use pgrx::pg_sys;
use tq_codec::{Codec, Workers};

use super::batch::{Batch, LockPolicy, VectorPiece};
use super::progress::Progress;
use super::rejects::PassRejects;
use super::remaining::{RemainingRows, end_of, position};
use super::target::{TablePart, Target};
use crate::datum::rejects::Rejects;
use crate::error::interrupts::poll;
use crate::error::{ColumnError, Error, VectorError, notice, warning};
use crate::registry;
use crate::server::settings;

/// The floats of a piece, in bytes: enough for all threads, little beside what a backend holds anyway.
const PIECE_BYTES: usize = 16 << 20;
/// Rows of a piece before the dimension is known.
const FIRST_PIECE: usize = 64;
/// How many times what is left may not lessen though rows were filled: what undoes them is there to stay.
const STALLS: u32 = 3;
/// How many times on end others may move all rows out of the way before they can be locked.
const LOST: u32 = 20;

/// How many vectors make a piece.
fn piece_rows(dimension: usize) -> usize {
    (PIECE_BYTES / (size_of::<f32>() * dimension.max(1))).clamp(16, 1 << 16)
}

/// One call of the procedure.
pub(super) struct Run {
    target: Target,
    codec: Option<String>,
    batch: usize,
    workers: Workers,
    /// How many rows were filled, and at what number the last NOTICE was.
    total: u64,
    told: u64,
    /// The rows that are locked until the next commit.
    held: usize,
    /// Rows of the tables that are done, if they don't end the call.
    rejects: Option<Rejects>,
}

/// What going over a table once came to.
struct PassCounts {
    found: u64,
    filled: u64,
    /// Rows that were written, and have no record all the same.
    refused: u64,
    rejects: PassRejects,
}

impl Run {
    /// # Errors
    /// A codec that isn't registered, or whose records don't fit the column: before the first row is touched.
    pub(super) fn new(
        target: Target,
        codec: Option<String>,
        batch: usize,
        rejects: Option<Rejects>,
    ) -> Result<Run, Error> {
        if let Some(name) = &codec {
            named_codec(&target, name)?;
        }
        let workers = Workers::new(settings::threads())?;
        Ok(Run { target, codec, batch, workers, total: 0, told: 0, held: 0, rejects })
    }

    /// Fills all tables, and commits; returns how many rows can't be filled.
    ///
    /// # Safety
    /// An SPI connection that may commit must be open, in a transaction.
    pub(super) unsafe fn fill_all(&mut self) -> Result<u64, Error> {
        // SAFETY: by the contract.
        let mut progress = unsafe { Progress::new(&self.target) };
        progress.show(0, 0);
        let mut left = 0;
        for part in self.target.parts.clone() {
            left += self.fill(&part, &mut progress)?;
        }
        self.commit(&mut progress);
        progress.end();
        Ok(left)
    }

    /// Says what it came to.
    pub(super) fn tell(self, left: u64) {
        let Run { target, total, rejects, .. } = self;
        if let Some(rejects) = rejects.filter(|rejects| rejects.count() > 0) {
            notice(rejects.summary(), rejects.first(), rejects.hint());
        }
        if left > 0 {
            warning(
                format!("{left} rows of \"{}\" have a vector and still no record", target.shown),
                "A trigger or a row-level security policy kept them as they were, or others added or changed them meanwhile.",
            );
        }
        notice(
            format!("column \"{}\" of \"{}\": {total} rows compressed", target.column, target.shown),
            None,
            None,
        );
    }

    /// Fills a table; returns how many rows are left, but those that were rejected.
    fn fill(&mut self, part: &TablePart, progress: &mut Progress) -> Result<u64, Error> {
        // SAFETY: the connection is open, in a transaction.
        let end = unsafe { end_of(part) }?;
        let mut pass = self.pass(part, end, LockPolicy::Skip, progress)?;
        if pass.found == 0 {
            return Ok(0);
        }
        // SAFETY: as above.
        let mut open = unsafe { RemainingRows::count(&self.target, part) }?;
        let (mut least, mut stalls, mut lost) = (open.rows, 0, 0);
        while open.rows > 0 && !pass.rejects.are_all(&open) && stalls < STALLS && lost < LOST {
            // Two calls that wait for each other's rows must not hold any.
            self.commit(progress);
            pass = self.pass(part, open.last(), LockPolicy::Wait, progress)?;
            // SAFETY: as above.
            let now = unsafe { RemainingRows::count(&self.target, part) }?;
            // All were written in vain, as a trigger wants it, or rejected; or none could be locked or moved, as a policy does.
            let vain = pass.refused + pass.rejects.count() >= now.rows;
            let is_end = pass.filled == 0 && (vain || now == open);
            stalls += u32::from(pass.filled > 0 && now.rows >= least);
            lost = if pass.filled == 0 { lost + 1 } else { 0 };
            least = least.min(now.rows);
            open = now;
            if is_end {
                break;
            }
        }
        let left = open.rows.saturating_sub(pass.rejects.count());
        if let (Some(all), Some(these)) = (&mut self.rejects, pass.rejects.into_inner()) {
            all.absorb(these);
        }
        Ok(left)
    }

    /// Goes over a table once, from its first row up to a position. If it finds none, there was none anywhere.
    fn pass(
        &mut self,
        part: &TablePart,
        end: pg_sys::ItemPointerData,
        locked: LockPolicy,
        progress: &mut Progress,
    ) -> Result<PassCounts, Error> {
        let mut after = pg_sys::ItemPointerData::default();
        let mut rows =
            self.target.typmod.dimension().map_or(FIRST_PIECE, |dimension| piece_rows(dimension as usize));
        let rejects = PassRejects::behind(self.rejects.as_ref());
        let mut pass = PassCounts { found: 0, filled: 0, refused: 0, rejects };
        // Only the first statement sees the table whole. What is written goes behind the end, and isn't to be met again.
        let mut limit = position((u32::MAX, u16::MAX));
        loop {
            poll();
            let wanted = rows.min(self.batch - self.held);
            // SAFETY: the connection is open, in a transaction, and nothing of the batch before is.
            let batch = unsafe { Batch::begin() };
            let found = batch.find(&self.target, part, (after, limit), wanted)?;
            let mut read = batch.read(&self.target, part, &found, locked, &mut pass.rejects)?;
            for piece in &mut read.pieces {
                let records = self.compress(part, piece, &mut pass.rejects)?;
                let filled = batch.write(&self.target, part, piece, &records)?;
                pass.filled += filled as u64;
                pass.refused += piece.positions.len().saturating_sub(filled) as u64;
                self.total += filled as u64;
            }
            batch.end();
            pass.found += found.len() as u64;
            limit = end;
            self.held += read.locked;
            if self.held >= self.batch {
                self.commit(progress);
            }
            progress.show(self.total, pass.rejects.count_all());
            match found.last() {
                Some(last) if found.len() == wanted => after = *last,
                _ => return Ok(pass),
            }
            if let Some(piece) = read.pieces.last() {
                rows = piece_rows(piece.dimension);
            }
        }
    }

    /// The piece's records, one behind the other. Rows that are rejected are none of the piece's any more.
    fn compress(
        &self,
        part: &TablePart,
        piece: &mut VectorPiece,
        rejects: &mut PassRejects,
    ) -> Result<Vec<u8>, Error> {
        let dimension = u32::try_from(piece.dimension).unwrap_or(u32::MAX);
        let named = self.codec.as_ref().map(|name| named_codec(&self.target, name)).transpose()?;
        let codec = match self.codec_for(dimension, named) {
            Ok(codec) => codec,
            Err(error) => {
                rejects.add_all(part, &std::mem::take(&mut piece.positions), error)?;
                return Ok(Vec::new());
            }
        };
        let mut records = Vec::new();
        let normalize = self.target.typmod.normalizes();
        if rejects.allowed() {
            let VectorPiece { positions, vectors, .. } = &mut *piece;
            let mut refused = |row: usize, error| rejects.add(part, positions[row], error);
            let good =
                registry::encode_good(&codec, &self.workers, vectors, normalize, &mut records, &mut refused)?;
            piece.keep(&good);
            return Ok(records);
        }
        let row_error = |row, error| piece.error(part, row, error);
        if normalize {
            let mut vectors = tq_memory::copied(&piece.vectors)?;
            registry::normalize_rows(&mut vectors, piece.dimension, row_error)?;
            registry::encode_batch(&codec, &self.workers, &vectors, &mut records, row_error)?;
        } else {
            registry::encode_batch(&codec, &self.workers, &piece.vectors, &mut records, row_error)?;
        }
        Ok(records)
    }

    /// What compresses vectors of that many dimensions, unless a codec is named.
    fn codec_for(&self, dimension: u32, named: Option<Arc<Codec>>) -> Result<Arc<Codec>, Error> {
        let Some(codec) = named else {
            self.target.typmod.check_dimension(dimension)?;
            return registry::of_typmod(self.target.typmod, dimension);
        };
        match codec.config().dimension() {
            expected if expected == dimension => Ok(codec),
            expected => Err(Error::Vector(VectorError::TypmodDimension { expected, got: dimension })),
        }
    }

    /// Commits, and says how far it got.
    fn commit(&mut self, progress: &mut Progress) {
        if self.held == 0 {
            return;
        }
        self.held = 0;
        progress.committed();
        // SAFETY: the connection may commit (is_atomic), and no batch is open.
        unsafe { pg_sys::SPI_commit() };
        if self.told == self.total {
            return;
        }
        self.told = self.total;
        notice(
            format!("{} rows of \"{}\" compressed and committed", self.total, self.target.shown),
            None,
            None,
        );
    }
}

/// A registered codec, if its records fit the column.
fn named_codec(target: &Target, name: &str) -> Result<Arc<Codec>, Error> {
    let codec = registry::by_name_or_hash(name)?;
    let config = codec.config();
    let fits = target.typmod.check_shape(
        config.dimension(),
        config.bit_width(),
        config.residual(),
        codec.hash().as_bytes(),
    );
    match fits {
        Ok(()) => Ok(codec),
        Err(source) => Err(Error::Column(ColumnError::Codec {
            codec: name.into(),
            column: target.column.clone(),
            source: Box::new(source.into()),
        })),
    }
}
