//! `tq_compress_column`: fills a `tqvec` column from a column of floats, in batches that are committed one by one.
//!
//! A single UPDATE over millions of rows holds them all in one transaction, and loses everything to a cancel. The procedure
//! goes over the table by physical position instead, compresses some thousand rows at a time on several threads, and
//! commits after each batch. What is left to do is what the table says (source there, target NULL), so calling again goes
//! on where an earlier call stopped. Rows are read under a row lock, so that nobody changes a vector between its
//! reading and its record's writing.

#![allow(unsafe_code)]

use pgrx::pg_sys;
use pgrx::prelude::*;
use tq_codec::{Codec, Workers};

use super::relation::{Batch, Part, Piece, Target};
use crate::encoding::Text;
use crate::error::{Error, SqlResult, notice};
use crate::interrupts::poll;
use crate::recovery::refuse_if_read_only;
use crate::{guc, registry};

/// The floats of a piece, in bytes: enough for all threads, little beside what a backend holds anyway.
const PIECE_BYTES: usize = 16 << 20;
/// Rows of a piece before the dimension is known.
const FIRST_PIECE: usize = 64;

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
    let relation = relation.ok_or(Error::NullArgument("relation"))?;
    let source = source.ok_or(Error::NullArgument("source"))?;
    let target = target.ok_or(Error::NullArgument("target"))?;
    let batch = batch.ok_or(Error::NullArgument("batch"))?;
    let batch = usize::try_from(batch).ok().filter(|rows| *rows > 0).ok_or(Error::BatchSize(batch))?;
    // SAFETY: fcinfo is the running call's.
    if unsafe { is_atomic(fcinfo) } {
        Err(Error::CallInTransaction)?;
    }
    refuse_if_read_only(c"tq_compress_column()");
    let target = Target::find(relation, source, target)?;
    let codec = codec.map(str::to_owned);
    if let Some(name) = &codec {
        // Before the first row is touched.
        named_codec(&target, name)?;
    }
    let workers = Workers::new(guc::threads()).map_err(Error::from)?;
    let mut run = Run { target, codec, batch, workers, total: 0, uncommitted: 0 };
    // SAFETY: all statements run on this connection. An error closes it with the transaction.
    let connected = unsafe { pg_sys::SPI_connect_ext(pg_sys::SPI_OPT_NONATOMIC as i32) };
    if connected != pg_sys::SPI_OK_CONNECT as i32 {
        Err(Error::Spi(pgrx::spi::SpiError::SpiError(pgrx::spi::SpiErrorCodes::Connect)))?;
    }
    for part in run.target.parts.clone() {
        run.fill(&part)?;
    }
    run.commit();
    // SAFETY: closes what was opened above.
    unsafe { pg_sys::SPI_finish() };
    let Run { target, total, .. } = run;
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
        Err(source) => Err(Error::ColumnCodec {
            codec: name.into(),
            column: target.column.clone(),
            source: source.into(),
        }),
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
    total: u64,
    uncommitted: usize,
}

impl Run {
    /// Goes over a table, and again as long as it finds fewer and fewer rows: others may have moved some meanwhile, and a
    /// trigger may take back what is written.
    fn fill(&mut self, part: &Part) -> Result<(), Error> {
        let mut before = u64::MAX;
        loop {
            let found = self.pass(part)?;
            if found == 0 || found >= before {
                return Ok(());
            }
            before = found;
        }
    }

    /// Goes over a table once, from its first page to its last; returns how many rows it compressed.
    fn pass(&mut self, part: &Part) -> Result<u64, Error> {
        let mut after = pg_sys::ItemPointerData::default();
        let mut rows =
            self.target.typmod.dimension().map_or(FIRST_PIECE, |dimension| piece_rows(dimension as usize));
        let mut found = 0;
        loop {
            poll();
            let wanted = rows.min(self.batch - self.uncommitted);
            // SAFETY: the connection is open, in a transaction, and nothing of the batch before is.
            let batch = unsafe { Batch::begin() };
            let (pieces, last) = batch.read(&self.target, part, after, wanted)?;
            for piece in &pieces {
                let records = self.compress(part, piece)?;
                batch.write(&self.target, part, piece, &records)?;
            }
            batch.end();
            let read: usize = pieces.iter().map(|piece| piece.positions.len()).sum();
            found += read as u64;
            self.total += read as u64;
            self.uncommitted += read;
            if self.uncommitted >= self.batch {
                self.commit();
            }
            match last {
                Some(last) if read == wanted => after = last,
                _ => return Ok(found),
            }
            if let Some(piece) = pieces.last() {
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
                    .and_then(|()| registry::builtin(dimension, width, residual, typmod.rotation()));
                codec.map_err(|error| piece.error(part, 0, error))?
            }
        };
        if codec.config().dimension() != dimension {
            let error = Error::TypmodDimension { expected: codec.config().dimension(), got: dimension };
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
        if self.uncommitted == 0 {
            return;
        }
        self.uncommitted = 0;
        // SAFETY: the connection may commit (is_atomic), and no batch is open.
        unsafe { pg_sys::SPI_commit() };
        notice(
            format!("{} rows of \"{}\" compressed and committed", self.total, self.target.shown),
            None,
            None,
        );
    }
}
