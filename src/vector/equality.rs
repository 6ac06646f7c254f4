//! `=` and `<>` between a column and a literal.
//!
//! They compare bytes, and a literal `'[…]'` is an 8 bit record with residual before anyone knows what it will be compared with: it
//! would never be equal to a record of a `tqvec(1536, 4)` column. So the planner is asked to compare the column with what it would
//! store of the literal. It calls [`support`] for each `=` and `<>` between `tqvec`s, before it looks for indexes:
//!
//! ```text
//! column = constant              column = the constant, compressed as the column's type says
//! column = $1 + whatever else    column = tqvec_comparand(…, the column's modifier), which does it when the statement runs
//! ```
//!
//! Only values that stand for floats (see [`super::casts`]) are compressed, and only beside a column whose type says more than they
//! are. Which plan runs must not change what is equal: a parameter may be a constant in one plan and none in another, so whatever
//! depends on no column is treated alike, and what a planner folds to constants on both sides is left alone.

#![allow(unsafe_code)]

use std::ffi::CStr;

use pgrx::prelude::*;
use pgrx::{PgList, PgMemoryContexts, pg_sys};
use tq_format::RecordView;

use super::casts::recompressed;
use crate::datum::record::Varlena;
use crate::datum::typmod::Typmod;
use crate::error::{Error, raise};

/// A support function's request that concerns us, and what its nodes are looked at with.
struct Comparison {
    call: *mut pg_sys::FuncExpr,
    /// Null outside of queries: in constraints, defaults and index expressions.
    root: *mut pg_sys::PlannerInfo,
    sides: [*mut pg_sys::Node; 2],
}

#[allow(unreachable_pub)] // reached by its symbol
#[doc(hidden)]
#[unsafe(no_mangle)]
pub extern "C" fn pg_finfo_tqvec_equality_support() -> &'static pg_sys::Pg_finfo_record {
    static INFO: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
    &INFO
}

/// The planner support function of `=` and `<>`.
#[allow(unreachable_pub)] // reached by its symbol
#[doc(hidden)]
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn tqvec_equality_support(fcinfo: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: vector.sql declares one argument, `internal`, for which the planner passes a node.
    unsafe {
        let request: *mut pg_sys::Node = (*fcinfo).args.as_slice(1)[0].value.cast_mut_ptr();
        let answer = match support(request) {
            Ok(answer) => answer,
            Err(error) => raise(error),
        };
        pg_sys::Datum::from(answer.unwrap_or(std::ptr::null_mut()))
    }
}

/// What takes the place of the comparison that the request is about; `None` for requests of another kind and what stays as it is.
///
/// # Errors
/// What goes wrong in the server while a literal is compressed. A literal that can't be is left as it is, and equal to nothing.
///
/// # Safety
/// `request` must be what the planner passes to a support function.
unsafe fn support(request: *mut pg_sys::Node) -> Result<Option<*mut pg_sys::Node>, Error> {
    // SAFETY: the node's tag says what it is; a call of a function with two arguments has two.
    unsafe {
        if !pgrx::is_a(request, pg_sys::NodeTag::T_SupportRequestSimplify) {
            return Ok(None);
        }
        let pg_sys::SupportRequestSimplify { root, fcall: call, .. } = *request.cast();
        let sides = PgList::<pg_sys::Node>::from_pg((*call).args);
        let (Some(left), Some(right)) = (sides.get_ptr(0), sides.get_ptr(1)) else { return Ok(None) };
        let comparison = Comparison { call, root, sides: [left, right] };
        for value in [1, 0] {
            if let Some(node) = comparison.comparand(value)? {
                return Ok(comparison.with(value, node));
            }
        }
        Ok(None)
    }
}

impl Comparison {
    /// What the column on the other side is to be compared with instead of the value on this one; `None` if that isn't a column, this
    /// no value of the statement's, or nothing would change.
    unsafe fn comparand(&self, side: usize) -> Result<Option<*mut pg_sys::Node>, Error> {
        let (value, column) = (self.sides[side], self.sides[1 - side]);
        // SAFETY: both are expressions of type `tqvec`; the tag of a node says what it is, and a Const that isn't null holds a datum
        // of its type.
        unsafe {
            let modifier = modifier_of(column);
            if modifier < 0 || !self.holds_column(column) || self.is_of_values(column) {
                return Ok(None);
            }
            if pgrx::is_a(value, pg_sys::NodeTag::T_Const) {
                let constant = &*value.cast::<pg_sys::Const>();
                if constant.constisnull {
                    return Ok(None);
                }
                let record = Varlena::packed(constant.constvalue);
                let made = compressed(record.bytes(), modifier);
                record.release();
                let Some(datum) = made?.and_then(IntoDatum::into_datum) else { return Ok(None) };
                let none = pg_sys::InvalidOid;
                let made = pg_sys::makeConst(constant.consttype, modifier, none, -1, datum, false, false);
                return Ok(Some(made.cast()));
            }
            if pg_sys::exprTypmod(value) == modifier
                || !(self.is_of_values(value) || self.is_of_statement(value))
            {
                return Ok(None);
            }
            Ok(self.compressed_later(value, modifier))
        }
    }

    /// A call of `tqvec_comparand`; `None` if it is there already, or there is no such function.
    unsafe fn compressed_later(&self, value: *mut pg_sys::Node, modifier: i32) -> Option<*mut pg_sys::Node> {
        // SAFETY: nodes are made in the current memory context, the planner's.
        unsafe {
            let record = pg_sys::exprType(value);
            let function = comparand_function((*self.call).funcid, record)?;
            let is_made = pgrx::is_a(value, pg_sys::NodeTag::T_FuncExpr)
                && (*value.cast::<pg_sys::FuncExpr>()).funcid == function;
            if is_made {
                return None;
            }
            let none = pg_sys::InvalidOid;
            let modifier =
                pg_sys::makeConst(pg_sys::INT4OID, -1, none, 4, pg_sys::Datum::from(modifier), false, true);
            let mut arguments = PgList::<pg_sys::Node>::new();
            arguments.push(value);
            arguments.push(modifier.cast());
            let form = pg_sys::CoercionForm::COERCE_EXPLICIT_CALL;
            Some(pg_sys::makeFuncExpr(function, record, arguments.into_pg(), none, none, form).cast())
        }
    }

    /// The comparison with another value on that side; `None` if the operator isn't found.
    unsafe fn with(&self, side: usize, value: *mut pg_sys::Node) -> Option<*mut pg_sys::Node> {
        let mut sides = self.sides;
        sides[side] = value;
        // SAFETY: look-ups by OID; the operator takes the types of both sides, which are the same as before.
        unsafe {
            let record = pg_sys::exprType(sides[1 - side]);
            let cache = pg_sys::lookup_type_cache(record, pg_sys::TYPECACHE_EQ_OPR as i32);
            let equals = (*cache).eq_opr;
            let operator = [equals, pg_sys::get_negator(equals)]
                .into_iter()
                .find(|operator| pg_sys::get_opcode(*operator) == (*self.call).funcid)?;
            let [left, right] = sides.map(<*mut pg_sys::Node>::cast);
            let none = pg_sys::InvalidOid;
            let clause = pg_sys::make_opclause(operator, pg_sys::BOOLOID, false, left, right, none, none);
            (*clause.cast::<pg_sys::OpExpr>()).opfuncid = (*self.call).funcid;
            Some(clause.cast())
        }
    }

    /// Whether the expression is of a row of some relation, of this query or one around it.
    unsafe fn holds_column(&self, node: *mut pg_sys::Node) -> bool {
        // SAFETY: the expression and the planner's state are valid.
        unsafe {
            let outer = if self.root.is_null() { 0 } else { (*self.root).query_level };
            pg_sys::contain_var_clause(node)
                || (1..outer as i32).any(|level| pg_sys::contain_vars_of_level(node, level))
        }
    }

    /// Whether the expression is a column of a VALUES list, whose values are as the statement says.
    unsafe fn is_of_values(&self, node: *mut pg_sys::Node) -> bool {
        // SAFETY: a Var of this query has an entry in its range table.
        unsafe {
            if self.root.is_null() || !pgrx::is_a(node, pg_sys::NodeTag::T_Var) {
                return false;
            }
            let variable = &*node.cast::<pg_sys::Var>();
            if variable.varlevelsup != 0 {
                return false;
            }
            let tables = PgList::<pg_sys::RangeTblEntry>::from_pg((*(*self.root).parse).rtable);
            let entry = usize::try_from(variable.varno as i64 - 1).ok().and_then(|at| tables.get_ptr(at));
            entry.is_some_and(|entry| (*entry).rtekind == pg_sys::RTEKind::RTE_VALUES)
        }
    }

    /// Whether the expression has one value for the whole statement, or can be evaluated without a row: no column and no sub-query.
    unsafe fn is_of_statement(&self, node: *mut pg_sys::Node) -> bool {
        // SAFETY: the expression is valid, and a Param where its tag says so.
        unsafe {
            let is_internal = pgrx::is_a(node, pg_sys::NodeTag::T_Param)
                && (*node.cast::<pg_sys::Param>()).paramkind != pg_sys::ParamKind::PARAM_EXTERN;
            let is_placeholder = pgrx::is_a(node, pg_sys::NodeTag::T_CaseTestExpr)
                || pgrx::is_a(node, pg_sys::NodeTag::T_CoerceToDomainValue);
            !is_internal
                && !is_placeholder
                && !self.holds_column(node)
                && !pg_sys::contain_subplans(node)
                && !pg_sys::contain_agg_clause(node)
                && !pg_sys::contain_window_function(node)
        }
    }
}

/// The type modifier of an expression, also where a domain says it; -1 if there is none.
unsafe fn modifier_of(node: *mut pg_sys::Node) -> i32 {
    // SAFETY: the expression is valid, and a RelabelType where its tag says so.
    unsafe {
        if pgrx::is_a(node, pg_sys::NodeTag::T_RelabelType) {
            let relabel = &*node.cast::<pg_sys::RelabelType>();
            let inner = pg_sys::exprType(relabel.arg.cast());
            // The coercion to the base type forgets the modifier. One that the user wrote, of the type to itself, is meant to.
            if relabel.resulttypmod == -1 && inner != relabel.resulttype {
                let mut modifier = -1;
                let base = pg_sys::getBaseTypeAndTypmod(inner, &mut modifier);
                return if base == relabel.resulttype { modifier } else { -1 };
            }
        }
        pg_sys::exprTypmod(node)
    }
}

/// The OID of `tqvec_comparand(tqvec, integer)`, beside a function of ours in whatever schema that is.
unsafe fn comparand_function(ours: pg_sys::Oid, record: pg_sys::Oid) -> Option<pg_sys::Oid> {
    const NAME: &CStr = c"tqvec_comparand";
    // SAFETY: a look-up by name, argument types and schema; the tuple of a function is valid until it is released.
    unsafe {
        let arguments = pg_sys::buildoidvector([record, pg_sys::INT4OID].as_ptr(), 2);
        let tuple = pg_sys::SearchSysCache3(
            pg_sys::SysCacheIdentifier::PROCNAMEARGSNSP as i32,
            NAME.as_ptr().into(),
            arguments.into(),
            pg_sys::get_func_namespace(ours).into(),
        );
        if tuple.is_null() {
            return None;
        }
        let function = (*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_proc>()).oid;
        pg_sys::ReleaseSysCache(tuple);
        Some(function)
    }
}

/// What a column of that modifier would store of a record that stands for floats; `None` if nothing else than the record, or nothing.
///
/// # Errors
/// What goes wrong in the server. Floats that the column would refuse are none of its records.
fn compressed(record: &[u8], modifier: i32) -> Result<Option<Vec<u8>>, Error> {
    let made = RecordView::parse_stored(record)
        .map_err(Error::from)
        .and_then(|record| recompressed(&record, Typmod::from_raw(modifier)));
    match made {
        Err(error) if error.is_about_data() => Ok(None),
        made => made,
    }
}

/// What [`tqvec_comparand`] was last asked, and the answer.
#[derive(Default)]
struct ComparandCache {
    /// The value stays the same from row to row, so that the answer's datum may be given more than once.
    is_fixed: bool,
    asked: Option<(Vec<u8>, i32)>,
    answer: Option<Vec<u8>>,
    /// The answer as a datum in the memory of the call site.
    kept: Option<pg_sys::Datum>,
}

#[allow(unreachable_pub)] // reached by its symbol
#[doc(hidden)]
#[unsafe(no_mangle)]
pub extern "C" fn pg_finfo_tqvec_comparand() -> &'static pg_sys::Pg_finfo_record {
    static INFO: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
    &INFO
}

/// A value as a column of a type modifier would store it, or the value itself. A scan asks for each row about the same value.
#[allow(unreachable_pub)] // reached by its symbol
#[doc(hidden)]
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn tqvec_comparand(fcinfo: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: vector.sql declares the function STRICT with the arguments `tqvec` and `integer`; fn_extra is this function's alone, and
    // dropped with fn_mcxt.
    unsafe {
        let arguments = (*fcinfo).args.as_slice(2);
        let (value, modifier) = (arguments[0].value, arguments[1].value.value() as i32);
        let flinfo = (*fcinfo).flinfo;
        let mut own = ComparandCache::default();
        let memory = if flinfo.is_null() {
            &mut own
        } else {
            if (*flinfo).fn_extra.is_null() {
                let is_fixed = pg_sys::get_fn_expr_arg_stable(flinfo, 0);
                (*flinfo).fn_extra = PgMemoryContexts::For((*flinfo).fn_mcxt)
                    .leak_and_drop_on_delete(ComparandCache { is_fixed, ..ComparandCache::default() })
                    .cast();
            }
            &mut *(*flinfo).fn_extra.cast::<ComparandCache>()
        };
        let record = Varlena::packed(value);
        let asked = memory.ask(record.bytes(), modifier);
        record.release();
        if let Err(error) = asked {
            raise(error);
        }
        let Some(answer) = memory.answer.as_deref() else { return value };
        if !memory.is_fixed {
            return answer.into_datum().unwrap_or(value);
        }
        if memory.kept.is_none() {
            memory.kept = PgMemoryContexts::For((*flinfo).fn_mcxt).switch_to(|_| answer.into_datum());
        }
        memory.kept.unwrap_or(value)
    }
}

impl ComparandCache {
    /// Sees to it that `answer` is that of this question.
    fn ask(&mut self, record: &[u8], modifier: i32) -> Result<(), Error> {
        if self.asked.as_ref().is_some_and(|asked| asked.1 == modifier && asked.0 == record) {
            return Ok(());
        }
        // Forgotten first, in case of an error.
        self.asked = None;
        if let Some(kept) = self.kept.take() {
            // SAFETY: the datum is this call site's own, and the row that it was given for is done with.
            unsafe { pg_sys::pfree(kept.cast_mut_ptr()) };
        }
        self.answer = compressed(record, modifier)?;
        self.asked = Some((record.to_vec(), modifier));
        Ok(())
    }
}
