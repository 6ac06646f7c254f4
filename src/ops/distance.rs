//! Distances between vectors, at least one of them compressed.
//!
//! In a search one argument stays the same from row to row: the query. It is decoded, rotated and laid out for the
//! kernels once; each row then costs one pass over its codes. Which argument is the query is found as follows:
//!
//! 1. one that is a constant or a parameter of the statement (`get_fn_expr_arg_stable`);
//! 2. otherwise, one whose value is the same as in the call before (the outer side of a nested loop, a sub-query);
//! 3. otherwise both vary, and both are decoded for this call.
//!
//! The ways round differently, in the seventh or eighth digit (README, Limits). One way for all would have to lay out a
//! query for every row of a join, or to rotate one for every row of a scan.
//!
//! The state lives in the function's extra state and is keyed by the query's bytes, which every call compares
//! (only a constant's need not be): a PL/pgSQL loop evaluates one call site with many queries.

#![allow(unsafe_code)]

use std::borrow::Cow;
use std::sync::Arc;

use pgrx::prelude::*;
use pgrx::{PgMemoryContexts, pg_sys};
use tq_codec::{Codec, Metric, PreparedQuery, distance_f32};
use tq_format::RecordView;
use tq_memory::Grow;

use crate::error::{Error, raise};
use crate::guc;
use crate::registry::{self, Query};
use crate::vector::{FloatArray, Varlena};

/// Codecs of one column for which a query is kept prepared. A column rarely mixes more than two.
const PREPARED_LIMIT: usize = 32;

/// What a function argument is declared as.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Record,
    Floats,
}

/// What a distance function computes.
#[derive(Clone, Copy)]
struct Function {
    metric: Metric,
    negate: bool,
    kinds: [Kind; 2],
}

/// A copy of a datum's bytes as they stand in the tuple, to tell whether the next call brings the same value.
///
/// For a value in TOAST these are the bytes of its pointer, which names one stored value and no other. In-memory
/// representations (expanded arrays of PL/pgSQL) may change behind their pointer and are compared by content.
#[derive(Default)]
struct Key {
    present: bool,
    bytes: Vec<u8>,
}

/// State of one call site.
#[derive(Default)]
struct CallSite {
    /// Which argument the plan holds fixed, and whether as a constant; `None` until the first call.
    planned: Option<(Option<usize>, bool)>,
    /// Which argument `query` was made from.
    query_side: Option<usize>,
    query: Query,
    query_key: Key,
    generation: u64,
    prepared: Vec<PreparedQuery>,
    /// The arguments of the call before, while no query is known.
    last: [Key; 2],
}

/// An argument of the call, undecoded.
struct Operand {
    kind: Kind,
    datum: pg_sys::Datum,
}

impl Key {
    fn holds(&self, operand: &Operand) -> bool {
        self.present && operand.with_key_bytes(|bytes| bytes == self.bytes)
    }

    fn store(&mut self, operand: &Operand) -> Result<(), Error> {
        self.present = false;
        operand.with_key_bytes(|bytes| {
            self.bytes.clear();
            self.bytes.try_extend(bytes)
        })?;
        self.present = true;
        Ok(())
    }
}

impl Operand {
    /// Calls `f` with the bytes that [`Key`] keeps.
    fn with_key_bytes<R>(&self, f: impl FnOnce(&[u8]) -> R) -> R {
        let pointer = self.datum.cast_mut_ptr::<pg_sys::varlena>();
        // SAFETY: the argument is a non-null varlena; its own header says how long it is as it stands. An in-memory
        // representation is flattened first; a pointer to TOAST on disk is not followed.
        unsafe {
            let in_memory = pgrx::varatt_is_1b_e(pointer)
                && pgrx::vartag_1b_e(pointer) != pg_sys::vartag_external::VARTAG_ONDISK as u8;
            if in_memory {
                let flat = pg_sys::pg_detoast_datum(pointer);
                let result = f(std::slice::from_raw_parts(flat.cast::<u8>(), pgrx::varsize_any(flat)));
                pg_sys::pfree(flat.cast());
                result
            } else {
                f(std::slice::from_raw_parts(pointer.cast::<u8>(), pgrx::varsize_any(pointer)))
            }
        }
    }

    /// The vector itself, decoded if it is a record.
    fn to_floats(&self) -> Result<Vec<f32>, Error> {
        match self.kind {
            Kind::Floats => {
                // SAFETY: the SQL declaration says `real[]`, and the function is strict.
                let array = unsafe { FloatArray::from_datum(self.datum) };
                Ok(match array.floats()? {
                    Cow::Borrowed(floats) => tq_memory::copied(floats)?,
                    Cow::Owned(floats) => floats,
                })
            }
            Kind::Record => self.with_record(registry::decode),
        }
    }

    fn with_record<R>(&self, f: impl FnOnce(&RecordView<'_>) -> Result<R, Error>) -> Result<R, Error> {
        // SAFETY: the SQL declaration says `tqvec`, and the function is strict.
        let varlena = unsafe { Varlena::packed(self.datum) };
        let result = f(&RecordView::parse_stored(varlena.bytes())?);
        varlena.release();
        result
    }
}

impl CallSite {
    /// The distance of one call. `fixed` is read once, in the call site's first call.
    fn distance(
        &mut self,
        function: Function,
        operands: &[Operand; 2],
        fixed: impl FnOnce() -> (Option<usize>, bool),
    ) -> Result<f64, Error> {
        let (planned, constant) = *self.planned.get_or_insert_with(fixed);
        let value = match planned {
            Some(side) => {
                let known = self.query_side == Some(side)
                    && self.generation == registry::generation()
                    && (constant || self.query_key.holds(&operands[side]));
                if !known {
                    self.take_query(side, &operands[side])?;
                }
                self.against_query(function.metric, side, &operands[1 - side])?
            }
            None => match self.repeated_side(operands)? {
                Some(side) => {
                    // `repeated_side` has compared the bytes.
                    if self.query_side != Some(side) || self.generation != registry::generation() {
                        self.take_query(side, &operands[side])?;
                    }
                    self.against_query(function.metric, side, &operands[1 - side])?
                }
                None => between_rows(function.metric, operands)?,
            },
        };
        Ok(if function.negate { -value } else { value })
    }

    /// The argument that is the same as in the call before, if one is.
    fn repeated_side(&mut self, operands: &[Operand; 2]) -> Result<Option<usize>, Error> {
        if let Some(side) = self.query_side {
            if self.query_key.holds(&operands[side]) {
                return Ok(Some(side));
            }
            // The outer row has moved on, in a nested loop: its next value is likely to stay for a while, too.
            self.query_side = None;
            self.last[1 - side].present = false;
            self.last[side].store(&operands[side])?;
            return Ok(None);
        }
        let repeated = [1, 0].into_iter().find(|&side| self.last[side].holds(&operands[side]));
        if repeated.is_none() {
            self.last[0].store(&operands[0])?;
            self.last[1].store(&operands[1])?;
        }
        Ok(repeated)
    }

    fn take_query(&mut self, side: usize, operand: &Operand) -> Result<(), Error> {
        // Forgotten first, so that an error on the way leaves no half-made query behind.
        self.query_side = None;
        self.prepared.clear();
        // Codecs may change while they are looked up.
        let generation = registry::generation();
        self.query = match operand.kind {
            Kind::Floats => Query::Floats(operand.to_floats()?),
            Kind::Record => operand.with_record(Query::from_record)?,
        };
        self.query_key.store(operand)?;
        self.generation = generation;
        self.query_side = Some(side);
        Ok(())
    }

    fn against_query(&mut self, metric: Metric, side: usize, row: &Operand) -> Result<f64, Error> {
        let dimension = self.query.dimension();
        match row.kind {
            Kind::Record => row.with_record(|record| {
                if record.dimension() as usize != dimension {
                    return Err(dimensions_differ(side, dimension, record.dimension() as usize));
                }
                let prepared = self.prepared_for(record)?;
                // While the kernel runs on this row, the next one comes into the cache.
                tq_simd::prefetch_below(record.as_bytes());
                registry::distance(prepared, metric, record)
            }),
            Kind::Floats => {
                // SAFETY: the SQL declaration says `real[]`, and the function is strict.
                let array = unsafe { FloatArray::from_datum(row.datum) };
                let floats = array.floats()?;
                if floats.len() != dimension {
                    return Err(dimensions_differ(side, dimension, floats.len()));
                }
                Ok(distance_f32(metric, self.query.floats()?, &floats))
            }
        }
    }

    /// The query, prepared for the record's codec. Codecs changed since the query was taken are no concern here:
    /// `distance` takes it anew then.
    #[inline]
    fn prepared_for(&mut self, record: &RecordView<'_>) -> Result<&mut PreparedQuery, Error> {
        let position = match self.prepared.iter().position(|prepared| prepared.matches(record)) {
            Some(position) => position,
            None => {
                let codec: Arc<Codec> = registry::for_record(record)?;
                if self.prepared.len() == PREPARED_LIMIT {
                    self.prepared.clear();
                }
                self.prepared.push(self.query.prepare(codec, guc::simd_level())?);
                self.prepared.len() - 1
            }
        };
        Ok(&mut self.prepared[position])
    }
}

/// Both arguments vary: both are decoded, in the rotated space if that is the same for both and the metric allows.
fn between_rows(metric: Metric, operands: &[Operand; 2]) -> Result<f64, Error> {
    if operands[0].kind == Kind::Record && operands[1].kind == Kind::Record && metric != Metric::L1 {
        let rotated = operands[0].with_record(|left| {
            operands[1].with_record(|right| {
                if left.dimension() != right.dimension() {
                    return Err(Error::DimensionsDiffer(left.dimension(), right.dimension()));
                }
                let codecs = [registry::for_record(left)?, registry::for_record(right)?];
                if !Arc::ptr_eq(codecs[0].rotation(), codecs[1].rotation()) {
                    return Ok(None);
                }
                let vector = || tq_memory::filled(left.dimension() as usize, 0.0);
                let mut vectors = [vector()?, vector()?];
                codecs[0].decode_rotated(left, &mut vectors[0])?;
                codecs[1].decode_rotated(right, &mut vectors[1])?;
                Ok(Some(distance_f32(metric, &vectors[0], &vectors[1])))
            })
        })?;
        if let Some(distance) = rotated {
            return Ok(distance);
        }
    }
    let left = operands[0].to_floats()?;
    let right = operands[1].to_floats()?;
    if left.len() != right.len() {
        return Err(dimensions_differ(0, left.len(), right.len()));
    }
    Ok(distance_f32(metric, &left, &right))
}

/// Names the dimensions in the order of the arguments.
fn dimensions_differ(query_side: usize, query: usize, row: usize) -> Error {
    let (left, right) = if query_side == 0 { (query, row) } else { (row, query) };
    Error::DimensionsDiffer(left as u32, right as u32)
}

/// Which argument the plan holds fixed, and whether as a constant.
///
/// # Safety
/// `flinfo` must be the valid FmgrInfo of the running call.
unsafe fn fixed_argument(flinfo: *mut pg_sys::FmgrInfo) -> (Option<usize>, bool) {
    // SAFETY: by the contract; fn_expr, where there is one, is the call's expression node.
    unsafe {
        let stable = |side: usize| pg_sys::get_fn_expr_arg_stable(flinfo, side as i32);
        match (stable(0), stable(1)) {
            (_, true) => (Some(1), is_constant((*flinfo).fn_expr, 1)),
            (true, false) => (Some(0), is_constant((*flinfo).fn_expr, 0)),
            (false, false) => (None, false),
        }
    }
}

/// Whether an argument of the call's expression is a `Const`, whose value cannot change from call to call.
///
/// # Safety
/// `expression` must be null or a valid expression node.
unsafe fn is_constant(expression: *mut pg_sys::Node, side: usize) -> bool {
    if expression.is_null() {
        return false;
    }
    // SAFETY: the node's tag says which structure it is.
    unsafe {
        let arguments = match (*expression).type_ {
            pg_sys::NodeTag::T_OpExpr => (*expression.cast::<pg_sys::OpExpr>()).args,
            pg_sys::NodeTag::T_FuncExpr => (*expression.cast::<pg_sys::FuncExpr>()).args,
            _ => return false,
        };
        if arguments.is_null() || (*arguments).length as usize <= side {
            return false;
        }
        let argument = (*(*arguments).elements.add(side)).ptr_value.cast::<pg_sys::Node>();
        (*argument).type_ == pg_sys::NodeTag::T_Const
    }
}

/// One call of a distance function.
///
/// # Safety
/// `fcinfo` must be the call information of a strict two-argument function whose arguments have the types that
/// `function` says.
unsafe fn call(fcinfo: pg_sys::FunctionCallInfo, function: Function) -> pg_sys::Datum {
    // SAFETY: a strict function with two arguments has both, not null; flinfo is valid or null; fn_extra belongs to
    // this function alone, and what it points to is dropped together with fn_mcxt.
    unsafe {
        let arguments = (*fcinfo).args.as_slice(2);
        let operand = |side: usize| Operand { kind: function.kinds[side], datum: arguments[side].value };
        let operands = [operand(0), operand(1)];
        let flinfo = (*fcinfo).flinfo;
        let result = if flinfo.is_null() {
            CallSite::default().distance(function, &operands, || (None, false))
        } else {
            if (*flinfo).fn_extra.is_null() {
                (*flinfo).fn_extra = PgMemoryContexts::For((*flinfo).fn_mcxt)
                    .leak_and_drop_on_delete(CallSite::default())
                    .cast();
            }
            let site = &mut *(*flinfo).fn_extra.cast::<CallSite>();
            site.distance(function, &operands, || fixed_argument(flinfo))
        };
        match result {
            Ok(distance) => pg_sys::Datum::from(distance.to_bits()),
            Err(error) => raise(error),
        }
    }
}

/// Defines an SQL-callable function and the record by which PostgreSQL knows its calling convention. pgrx's own
/// attribute would unpack and check arguments anew for every row.
macro_rules! distance_function {
    ($name:ident, $info:ident, $metric:ident, negate: $negate:literal, $left:ident, $right:ident) => {
        #[allow(unreachable_pub)] // reached by its symbol
        #[doc(hidden)]
        #[unsafe(no_mangle)]
        pub extern "C" fn $info() -> &'static pg_sys::Pg_finfo_record {
            static INFO: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
            &INFO
        }

        #[allow(unreachable_pub)] // reached by its symbol
        #[doc(hidden)]
        #[unsafe(no_mangle)]
        #[pg_guard]
        pub unsafe extern "C-unwind" fn $name(fcinfo: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
            const FUNCTION: Function =
                Function { metric: Metric::$metric, negate: $negate, kinds: [Kind::$left, Kind::$right] };
            // SAFETY: ops.sql declares the function STRICT with these argument types.
            unsafe { call(fcinfo, FUNCTION) }
        }
    };
}

distance_function!(tq_l2_rr, pg_finfo_tq_l2_rr, L2, negate: false, Record, Record);
distance_function!(tq_l2_rf, pg_finfo_tq_l2_rf, L2, negate: false, Record, Floats);
distance_function!(tq_l2_fr, pg_finfo_tq_l2_fr, L2, negate: false, Floats, Record);
distance_function!(tq_ip_rr, pg_finfo_tq_ip_rr, InnerProduct, negate: false, Record, Record);
distance_function!(tq_ip_rf, pg_finfo_tq_ip_rf, InnerProduct, negate: false, Record, Floats);
distance_function!(tq_ip_fr, pg_finfo_tq_ip_fr, InnerProduct, negate: false, Floats, Record);
distance_function!(tq_nip_rr, pg_finfo_tq_nip_rr, InnerProduct, negate: true, Record, Record);
distance_function!(tq_nip_rf, pg_finfo_tq_nip_rf, InnerProduct, negate: true, Record, Floats);
distance_function!(tq_nip_fr, pg_finfo_tq_nip_fr, InnerProduct, negate: true, Floats, Record);
distance_function!(tq_cosine_rr, pg_finfo_tq_cosine_rr, Cosine, negate: false, Record, Record);
distance_function!(tq_cosine_rf, pg_finfo_tq_cosine_rf, Cosine, negate: false, Record, Floats);
distance_function!(tq_cosine_fr, pg_finfo_tq_cosine_fr, Cosine, negate: false, Floats, Record);
distance_function!(tq_l1_rr, pg_finfo_tq_l1_rr, L1, negate: false, Record, Record);
distance_function!(tq_l1_rf, pg_finfo_tq_l1_rf, L1, negate: false, Record, Floats);
distance_function!(tq_l1_fr, pg_finfo_tq_l1_fr, L1, negate: false, Floats, Record);
