//! `tq_once`: a cast whose results are kept, for arguments that come again.
//!
//! A query may come as any type that casts to `real[]`, and where it isn't a constant of the plan, the executor casts it
//! for every row. The planner therefore (see [`super::support`]) writes `tq_once(query, …)` for `query::type`: the same
//! cast, looked up by the types, of what the rows have in common. Plans, views and foreign servers see a cast, since the
//! call is marked as one.
//!
//! A kept result has a serial number, by which the distance functions know the query again without comparing it. Results are
//! in memory of Rust's, which the functions that take them may read and nobody writes.

#![allow(unsafe_code)]

use pgrx::prelude::*;
use pgrx::{PgMemoryContexts, pg_sys};
use tq_memory::OutOfMemory;

use super::datum_key;
use super::datum_key::DatumKey;
use super::serial;
use super::value_cache::ValueCache;
use crate::error::{Error, VectorError, raise};
use crate::server::expressions::{cast_function, is_varlena, nodes};

/// Memory for the results that one call keeps.
const KEPT_BYTES: usize = 4 << 20;
/// So many different arguments in a row, and the next results are handed out without keeping them.
const PATIENCE: u32 = 16;
/// After which every so many are kept again, in case that arguments have begun to repeat.
const RETRY: u32 = 16;

/// A copy of a varlena, aligned as one.
struct KeptResult {
    serial: u64,
    words: Vec<u64>,
}

/// State of one call.
struct RepeatedCast {
    conversion: *mut pg_sys::ExprState,
    context: *mut pg_sys::ExprContext,
    kept: ValueCache<KeptResult>,
    /// Where the result of the call before is.
    last: Option<usize>,
    /// What it has given out last.
    given: usize,
    /// Calls since an argument came again.
    misses: u32,
}

impl Drop for RepeatedCast {
    fn drop(&mut self) {
        serial::withdraw(self.given);
    }
}

impl KeptResult {
    /// # Safety
    /// `datum` must be a varlena that is neither compressed nor out of line.
    unsafe fn of(datum: pg_sys::Datum) -> Result<KeptResult, OutOfMemory> {
        let serial = serial::next();
        // SAFETY: by the contract its header says how many bytes it has, and there is room for so many.
        unsafe {
            let varlena = datum.cast_mut_ptr::<pg_sys::varlena>();
            let size = pgrx::varsize_any(varlena);
            let mut words = tq_memory::filled(size.div_ceil(size_of::<u64>()), 0u64)?;
            words.as_mut_ptr().cast::<u8>().copy_from_nonoverlapping(varlena.cast::<u8>(), size);
            Ok(KeptResult { serial, words })
        }
    }
}

impl RepeatedCast {
    /// The cast of the argument.
    ///
    /// # Safety
    /// `argument` must be a non-null datum of the type that the state was made for.
    unsafe fn result(&mut self, argument: pg_sys::Datum) -> pg_sys::Datum {
        // SAFETY: `support` and `conversion` see to it that both types are varlenas. What makes room for a new result was
        // given out for a row before this one.
        unsafe {
            if let Some(place) = self.last
                && self.kept.holds(place, argument)
            {
                self.misses = 0;
                return self.give(place);
            }
            self.last = None;
            self.misses = self.misses.saturating_add(1);
            if self.misses > PATIENCE && !self.misses.is_multiple_of(RETRY) {
                return self.convert(argument);
            }
            let hash = datum_key::hash(argument);
            if let Some(place) = self.kept.find(hash, argument) {
                self.misses = 0;
                return self.give(place);
            }
            let result = pg_sys::pg_detoast_datum(self.convert(argument).cast_mut_ptr());
            match self.keep(hash, argument, result.into()) {
                Ok(place) => self.give(place),
                Err(error) => raise(error.into()),
            }
        }
    }

    /// Keeps a result, and returns where it is.
    ///
    /// # Safety
    /// That of [`RepeatedCast::result`]; `result` must be a varlena that is neither compressed nor out of line.
    unsafe fn keep(
        &mut self,
        hash: u64,
        argument: pg_sys::Datum,
        result: pg_sys::Datum,
    ) -> Result<usize, OutOfMemory> {
        let mut key = DatumKey::default();
        // SAFETY: by the contract.
        let copied = unsafe {
            key.store(argument)?;
            KeptResult::of(result)?
        };
        let bytes = size_of_val(copied.words.as_slice());
        self.kept.insert(hash, key, copied, bytes)
    }

    /// The result that is kept there.
    fn give(&mut self, place: usize) -> pg_sys::Datum {
        let kept = self.kept.value(place);
        let address = kept.words.as_mut_ptr() as usize;
        if self.given != address {
            let serial = kept.serial;
            serial::give(self.given, address, serial);
            self.given = address;
        }
        self.last = Some(place);
        pg_sys::Datum::from(address)
    }

    /// Runs the cast, in the memory context of the row.
    ///
    /// # Safety
    /// That of [`RepeatedCast::result`].
    #[allow(ffi_unwind_calls)] // in a guard of pgrx's
    unsafe fn convert(&self, argument: pg_sys::Datum) -> pg_sys::Datum {
        // SAFETY: state and context were made by PostgreSQL and live as long as this.
        unsafe {
            (*self.context).caseValue_datum = argument;
            (*self.context).caseValue_isNull = false;
            let mut is_null = false;
            let (state, context) = (self.conversion, self.context);
            let result = match (*state).evalfunc {
                Some(evaluate) => {
                    pg_sys::ffi::pg_guard_ffi_boundary(|| evaluate(state, context, &mut is_null))
                }
                None => raise(Error::Vector(VectorError::OnceCall)),
            };
            // The function is declared to be strict, and so are the casts that it stands for.
            if is_null { raise(Error::Vector(VectorError::ArrayNulls)) } else { result }
        }
    }
}

/// The state of a call with this expression, in the current memory context.
///
/// # Safety
/// `expression` must be null or a valid expression node.
unsafe fn prepare(expression: *mut pg_sys::Node) -> Result<RepeatedCast, Error> {
    // SAFETY: the node's tag says what it is; the catalog is asked by OIDs.
    unsafe {
        if expression.is_null() || (*expression).type_ != pg_sys::NodeTag::T_FuncExpr {
            return Err(Error::Vector(VectorError::OnceCall));
        }
        let conversion = conversion(expression.cast()).ok_or(Error::Vector(VectorError::OnceCall))?;
        // ExecInitExpr checks the right to execute the cast's function.
        Ok(RepeatedCast {
            conversion: pg_sys::ExecInitExpr(conversion.cast(), std::ptr::null_mut()),
            context: pg_sys::CreateStandaloneExprContext(),
            kept: ValueCache::new(KEPT_BYTES),
            last: None,
            given: 0,
            misses: 0,
        })
    }
}

/// The cast that a call of `tq_once` stands for, of a placeholder's value.
///
/// # Safety
/// `call` must be a valid node.
unsafe fn conversion(call: *mut pg_sys::FuncExpr) -> Option<*mut pg_sys::Node> {
    // SAFETY: by the contract; new nodes are filled in as PostgreSQL's parser would.
    unsafe {
        let mut arguments = nodes((*call).args);
        let first = arguments.next()?;
        let options: Vec<*mut pg_sys::Node> = arguments.collect();
        let (source, target) = (pg_sys::getBaseType(pg_sys::exprType(first)), (*call).funcresulttype);
        if !is_varlena(source) || !is_varlena(target) {
            return None;
        }
        let value = placeholder(source, pg_sys::exprCollation(first));
        let function = cast_function(source, target);
        if function != pg_sys::InvalidOid {
            let expected = [pg_sys::INT4OID, pg_sys::BOOLOID];
            let fits = pg_sys::get_func_nargs(function) as usize == 1 + options.len()
                && options
                    .iter()
                    .zip(expected)
                    .all(|(option, expected)| pg_sys::exprType(*option) == expected);
            return fits.then(|| function_call(function, target, value, &options, call).cast());
        }
        if !options.is_empty() {
            return None;
        }
        let (element, result) = (pg_sys::get_element_type(source), pg_sys::get_element_type(target));
        if element == pg_sys::InvalidOid || result == pg_sys::InvalidOid {
            return Some(by_text(value, target, call).cast());
        }
        let function = cast_function(element, result);
        if function == pg_sys::InvalidOid || pg_sys::get_func_nargs(function) != 1 {
            return None;
        }
        let each = placeholder(element, pg_sys::exprCollation(first));
        let node = pg_sys::palloc0(size_of::<pg_sys::ArrayCoerceExpr>()).cast::<pg_sys::ArrayCoerceExpr>();
        (*node).xpr.type_ = pg_sys::NodeTag::T_ArrayCoerceExpr;
        (*node).arg = value.cast();
        (*node).elemexpr = function_call(function, result, each, &[], call).cast();
        (*node).resulttype = target;
        (*node).resulttypmod = -1;
        (*node).resultcollid = (*call).funccollid;
        (*node).coerceformat = pg_sys::CoercionForm::COERCE_EXPLICIT_CAST;
        (*node).location = -1;
        Some(node.cast())
    }
}

/// A value, written and read as another type.
unsafe fn by_text(
    value: *mut pg_sys::Node,
    target: pg_sys::Oid,
    call: *mut pg_sys::FuncExpr,
) -> *mut pg_sys::CoerceViaIO {
    // SAFETY: memory of the node's size, zeroed; all nodes are valid.
    unsafe {
        let node = pg_sys::palloc0(size_of::<pg_sys::CoerceViaIO>()).cast::<pg_sys::CoerceViaIO>();
        (*node).xpr.type_ = pg_sys::NodeTag::T_CoerceViaIO;
        (*node).arg = value.cast();
        (*node).resulttype = target;
        (*node).resultcollid = (*call).funccollid;
        (*node).coerceformat = pg_sys::CoercionForm::COERCE_EXPLICIT_CAST;
        (*node).location = -1;
        node
    }
}

unsafe fn function_call(
    function: pg_sys::Oid,
    result: pg_sys::Oid,
    value: *mut pg_sys::Node,
    options: &[*mut pg_sys::Node],
    call: *mut pg_sys::FuncExpr,
) -> *mut pg_sys::FuncExpr {
    // SAFETY: all nodes are valid.
    unsafe {
        let mut arguments = pg_sys::lappend(std::ptr::null_mut(), value.cast());
        for option in options {
            arguments = pg_sys::lappend(arguments, option.cast());
        }
        let form = pg_sys::CoercionForm::COERCE_EXPLICIT_CALL;
        pg_sys::makeFuncExpr(function, result, arguments, (*call).funccollid, (*call).inputcollid, form)
    }
}

unsafe fn placeholder(of: pg_sys::Oid, collation: pg_sys::Oid) -> *mut pg_sys::Node {
    // SAFETY: memory of the node's size, zeroed.
    unsafe {
        let node = pg_sys::palloc0(size_of::<pg_sys::CaseTestExpr>()).cast::<pg_sys::CaseTestExpr>();
        (*node).xpr.type_ = pg_sys::NodeTag::T_CaseTestExpr;
        (*node).typeId = of;
        (*node).typeMod = -1;
        (*node).collation = collation;
        node.cast()
    }
}

#[allow(unreachable_pub)] // reached by its symbol
#[doc(hidden)]
#[unsafe(no_mangle)]
pub extern "C" fn pg_finfo_tq_once() -> &'static pg_sys::Pg_finfo_record {
    static INFO: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
    &INFO
}

/// The cast of the first argument to the call's result type; the other arguments are the cast's own.
#[allow(unreachable_pub)] // reached by its symbol
#[doc(hidden)]
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn tq_once(fcinfo: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: ops.sql declares the function STRICT, with one argument or more; fn_extra belongs to this function alone, and
    // what it points to is dropped together with fn_mcxt. `conversion` has looked at the argument's type.
    unsafe {
        let flinfo = (*fcinfo).flinfo;
        if flinfo.is_null() {
            raise(Error::Vector(VectorError::OnceCall));
        }
        let memory = (*flinfo).fn_mcxt;
        if (*flinfo).fn_extra.is_null() {
            let once = PgMemoryContexts::For(memory).switch_to(|_| prepare((*flinfo).fn_expr));
            let once = once.unwrap_or_else(|error| raise(error));
            (*flinfo).fn_extra = PgMemoryContexts::For(memory).leak_and_drop_on_delete(once).cast();
        }
        let once = &mut *(*flinfo).fn_extra.cast::<RepeatedCast>();
        once.result((*fcinfo).args.as_slice(1)[0].value)
    }
}
