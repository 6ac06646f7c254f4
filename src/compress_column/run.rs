//! One call of `tq_compress_column`: going over the tables behind a column, batch by batch, until none of their rows is left
//! to fill, or those that are can't be filled.

#![allow(unsafe_code)]

use std::sync::Arc;

use pgrx::pg_sys;
use tq_codec::{Codec, Workers};

use super::batch::{Batch, LockPolicy, VectorPiece};
use super::remaining::{RemainingRows, end_of, position};
use super::target::{TablePart, Target};
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
}

/// What going over a table once came to.
#[derive(Default)]
struct PassCounts {
    found: u64,
    filled: u64,
    /// Rows that were written, and have no record all the same.
    refused: u64,
}

impl Run {
    /// # Errors
    /// A codec that isn't registered, or whose records don't fit the column: before the first row is touched.
    pub(super) fn new(target: Target, codec: Option<String>, batch: usize) -> Result<Run, Error> {
        if let Some(name) = &codec {
            named_codec(&target, name)?;
        }
        let workers = Workers::new(settings::threads())?;
        Ok(Run { target, codec, batch, workers, total: 0, told: 0, held: 0 })
    }

    /// Fills all tables, and commits; returns how many rows can't be filled.
    ///
    /// # Safety
    /// An SPI connection that may commit must be open, in a transaction.
    pub(super) unsafe fn fill_all(&mut self) -> Result<u64, Error> {
        let mut left = 0;
        for part in self.target.parts.clone() {
            left += self.fill(&part)?;
        }
        self.commit();
        Ok(left)
    }

    /// Says what it came to.
    pub(super) fn tell(self, left: u64) {
        let Run { target, total, .. } = self;
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

    /// Fills a table; returns how many rows can't be filled.
    fn fill(&mut self, part: &TablePart) -> Result<u64, Error> {
        // SAFETY: the connection is open, in a transaction.
        let end = unsafe { end_of(part) }?;
        if self.pass(part, end, LockPolicy::Skip)?.found == 0 {
            return Ok(0);
        }
        // SAFETY: as above.
        let mut open = unsafe { RemainingRows::count(&self.target, part) }?;
        let (mut least, mut stalls, mut lost) = (open.rows, 0, 0);
        while open.rows > 0 && stalls < STALLS && lost < LOST {
            // Two calls that wait for each other's rows must not hold any.
            self.commit();
            let pass = self.pass(part, open.last(), LockPolicy::Wait)?;
            // SAFETY: as above.
            let now = unsafe { RemainingRows::count(&self.target, part) }?;
            // All were written in vain, as a trigger wants it, or none could be locked or moved, as a policy does.
            if pass.filled == 0 && (pass.refused >= now.rows || now == open) {
                return Ok(now.rows);
            }
            stalls += u32::from(pass.filled > 0 && now.rows >= least);
            lost = if pass.filled == 0 { lost + 1 } else { 0 };
            least = least.min(now.rows);
            open = now;
        }
        Ok(open.rows)
    }

    /// Goes over a table once, from its first row up to a position. If it finds none, there was none anywhere.
    fn pass(
        &mut self,
        part: &TablePart,
        end: pg_sys::ItemPointerData,
        locked: LockPolicy,
    ) -> Result<PassCounts, Error> {
        let mut after = pg_sys::ItemPointerData::default();
        let mut rows =
            self.target.typmod.dimension().map_or(FIRST_PIECE, |dimension| piece_rows(dimension as usize));
        let mut pass = PassCounts::default();
        // Only the first statement sees the table whole. What is written goes behind the end, and isn't to be met again.
        let mut limit = position((u32::MAX, u16::MAX));
        loop {
            poll();
            let wanted = rows.min(self.batch - self.held);
            // SAFETY: the connection is open, in a transaction, and nothing of the batch before is.
            let batch = unsafe { Batch::begin() };
            let found = batch.find(&self.target, part, (after, limit), wanted)?;
            let read = batch.read(&self.target, part, &found, locked)?;
            for piece in &read.pieces {
                let records = self.compress(part, piece)?;
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
                self.commit();
            }
            match found.last() {
                Some(last) if found.len() == wanted => after = *last,
                _ => return Ok(pass),
            }
            if let Some(piece) = read.pieces.last() {
                rows = piece_rows(piece.dimension);
            }
        }
    }

    /// The piece's records, one behind the other.
    fn compress(&self, part: &TablePart, piece: &VectorPiece) -> Result<Vec<u8>, Error> {
        let dimension = u32::try_from(piece.dimension).unwrap_or(u32::MAX);
        let codec = match &self.codec {
            Some(name) => named_codec(&self.target, name)?,
            None => {
                let typmod = self.target.typmod;
                let codec = typmod
                    .check_dimension(dimension)
                    .map_err(Error::from)
                    .and_then(|()| registry::of_typmod(typmod, dimension));
                codec.map_err(|error| piece.error(part, 0, error))?
            }
        };
        if codec.config().dimension() != dimension {
            let error = Error::Vector(VectorError::TypmodDimension {
                expected: codec.config().dimension(),
                got: dimension,
            });
            return Err(piece.error(part, 0, error));
        }
        let mut records = Vec::new();
        registry::encode_batch(&codec, &self.workers, &piece.vectors, &mut records, |row, error| {
            piece.error(part, row, error)
        })?;
        Ok(records)
    }

    /// Commits, and says how far it got.
    fn commit(&mut self) {
        if self.held == 0 {
            return;
        }
        self.held = 0;
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
