//! `tq_compress_column`: fills a `tqvec` column from a column of floats, in batches that are committed one by one.
//!
//! A single UPDATE over millions of rows holds them all in one transaction, and loses everything to a cancel. The procedure
//! goes over the table by physical position instead, compresses some thousand rows at a time on several threads, and
//! commits after each batch. What is left to do is what the table says (source there, target NULL), so calling again goes
//! on where an earlier call stopped. Rows are read under a row lock, so that nobody changes a vector between its
//! reading and its record's writing.
//!
//! The first time over a table, rows that others have locked are left out: most of them are being compressed by another
//! call, or will be there again later. Then what is left is counted, and gone over again, waiting for locks, until none is
//! left or those that are can't be filled.

#![allow(unsafe_code)]

pub(crate) mod batch;
pub(crate) mod remaining;
pub(crate) mod statement;
pub(crate) mod target;
use pgrx::pg_sys;
use pgrx::prelude::*;
use tq_codec::{Codec, Workers};

use self::batch::{Batch, Locked, Piece};
use self::remaining::{Open, end_of, position};
use self::target::{Part, Target};
use crate::datum::arguments::Text;
use crate::error::interrupts::poll;
use crate::error::{ColumnError, Error, SqlResult, VectorError, notice, warning};
use crate::registry;
use crate::server::memory::cushion;
use crate::server::recovery::refuse_if_read_only;
use crate::server::settings;

/// The floats of a piece, in bytes: enough for all threads, little beside what a backend holds anyway.
const PIECE_BYTES: usize = 16 << 20;
/// Rows of a piece before the dimension is known.
const FIRST_PIECE: usize = 64;
/// How many times what is left may not lessen though rows were filled: what undoes them is there to stay.
const STALLS: u32 = 3;
/// How many times on end others may move all rows out of the way before they can be locked.
const LOST: u32 = 20;

/// Fills the column `target` from the column `source`.
#[pg_extern(sql = false)]
fn tq_compress_column(
    relation: Option<pg_sys::Oid>,
    source: Option<Text<'_>>,
    target: Option<Text<'_>>,
    batch: Option<i32>,
    codec: Option<Text<'_>>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> SqlResult<()> {
    let source = source.as_deref();
    let target = target.as_deref();
    let codec = codec.as_deref();
    let relation = relation.ok_or(Error::Vector(VectorError::NullArgument("relation")))?;
    let source = source.ok_or(Error::Vector(VectorError::NullArgument("source")))?;
    let target = target.ok_or(Error::Vector(VectorError::NullArgument("target")))?;
    let batch = batch.ok_or(Error::Vector(VectorError::NullArgument("batch")))?;
    let batch = usize::try_from(batch)
        .ok()
        .filter(|rows| *rows > 0)
        .ok_or(Error::Column(ColumnError::BatchSize(batch)))?;
    // SAFETY: fcinfo is the running call's.
    if unsafe { is_atomic(fcinfo) } {
        Err(Error::Column(ColumnError::CallInTransaction))?;
    }
    refuse_if_read_only(c"tq_compress_column()");
    let target = Target::find(relation, source, target)?;
    let codec = codec.map(str::to_owned);
    if let Some(name) = &codec {
        // Before the first row is touched.
        named_codec(&target, name)?;
    }
    let workers = Workers::new(settings::threads()).map_err(Error::from)?;
    let mut run = Run { target, codec, batch, workers, total: 0, told: 0, held: 0 };
    cushion().map_err(Error::from)?;
    // SAFETY: all statements run on this connection. An error closes it with the transaction.
    let connected = unsafe { pg_sys::SPI_connect_ext(pg_sys::SPI_OPT_NONATOMIC as i32) };
    if connected != pg_sys::SPI_OK_CONNECT as i32 {
        Err(Error::Spi(pgrx::spi::SpiError::SpiError(pgrx::spi::SpiErrorCodes::Connect)))?;
    }
    let mut left = 0;
    for part in run.target.parts.clone() {
        left += run.fill(&part)?;
    }
    run.commit();
    // SAFETY: closes what was opened above.
    unsafe { pg_sys::SPI_finish() };
    let Run { target, total, .. } = run;
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
    Ok(())
}

/// Whether the call may not commit, because it is a part of a transaction that someone else will.
///
/// # Safety
/// `fcinfo` must be a running call's.
unsafe fn is_atomic(fcinfo: pg_sys::FunctionCallInfo) -> bool {
    // SAFETY: by the contract; CALL puts a CallContext there, whose tag is checked.
    unsafe {
        let context = (*fcinfo).context;
        context.is_null()
            || !pgrx::is_a(context, pg_sys::NodeTag::T_CallContext)
            || (*context.cast::<pg_sys::CallContext>()).atomic
    }
}

/// A registered codec, if its records fit the column.
fn named_codec(target: &Target, name: &str) -> Result<std::sync::Arc<Codec>, Error> {
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

/// How many vectors make a piece.
fn piece_rows(dimension: usize) -> usize {
    (PIECE_BYTES / (size_of::<f32>() * dimension.max(1))).clamp(16, 1 << 16)
}

/// One call of the procedure.
struct Run {
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
struct Pass {
    found: u64,
    filled: u64,
    /// Rows that were written, and have no record all the same.
    refused: u64,
}

impl Run {
    /// Fills a table; returns how many rows can't be filled.
    fn fill(&mut self, part: &Part) -> Result<u64, Error> {
        // SAFETY: the connection is open, in a transaction.
        let end = unsafe { end_of(part) }?;
        if self.pass(part, end, Locked::Skip)?.found == 0 {
            return Ok(0);
        }
        // SAFETY: as above.
        let mut open = unsafe { Open::count(&self.target, part) }?;
        let (mut least, mut stalls, mut lost) = (open.rows, 0, 0);
        while open.rows > 0 && stalls < STALLS && lost < LOST {
            // Two calls that wait for each other's rows must not hold any.
            self.commit();
            let pass = self.pass(part, open.last(), Locked::Wait)?;
            // SAFETY: as above.
            let now = unsafe { Open::count(&self.target, part) }?;
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
    fn pass(&mut self, part: &Part, end: pg_sys::ItemPointerData, locked: Locked) -> Result<Pass, Error> {
        let mut after = pg_sys::ItemPointerData::default();
        let mut rows =
            self.target.typmod.dimension().map_or(FIRST_PIECE, |dimension| piece_rows(dimension as usize));
        let mut pass = Pass::default();
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
    fn compress(&self, part: &Part, piece: &Piece) -> Result<Vec<u8>, Error> {
        let dimension = u32::try_from(piece.dimension).unwrap_or(u32::MAX);
        let codec = match &self.codec {
            Some(name) => named_codec(&self.target, name)?,
            None => {
                let typmod = self.target.typmod;
                let (width, residual) = typmod.fidelity();
                let codec = typmod
                    .check_dimension(dimension)
                    .map_err(Error::from)
                    .and_then(|()| registry::builtin(dimension, width, residual, typmod.rotation()));
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
