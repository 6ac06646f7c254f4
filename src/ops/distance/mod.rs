//! Distances between vectors, at least one of them compressed.
//!
//! In a search one argument stays the same from row to row: the query. It is decoded, rotated and laid out for the
//! kernels once; each row then costs one pass over its codes. Which argument is the query is found as follows:
//!
//! 1. one that is a constant or a parameter of the statement, or the cast of one;
//! 2. otherwise, one whose value is the same as in the call before (the outer side of a nested loop, a sub-query);
//! 3. otherwise, one that has come before, and was worth keeping (see [`site`]);
//! 4. otherwise both vary, and both are decoded for this call.
//!
//! The ways round differently, in the seventh or eighth digit (README, Limits). One way for all would have to lay out a
//! query for every row of a join, or to rotate one for every row of a scan.
//!
//! The state lives in the function's extra state and is keyed by the query's bytes, which every call compares
//! (only a constant's need not be): a PL/pgSQL loop evaluates one call site with many queries.

#![allow(unsafe_code)]

mod operand;
mod pair;
mod site;
mod site_query;

use pgrx::prelude::*;
use pgrx::{PgMemoryContexts, pg_sys};
use tq_codec::Metric;

use self::operand::{Operand, OperandKind};
use self::site::CallSite;
use crate::error::raise;
use crate::server::expressions::nodes;

/// What a distance function computes.
#[derive(Clone, Copy)]
struct DistanceFunction {
    metric: Metric,
    negate: bool,
    kinds: [OperandKind; 2],
}

/// Which argument the plan holds fixed, and whether as a constant.
///
/// # Safety
/// `flinfo` must be the valid FmgrInfo of the running call.
unsafe fn fixed_argument(flinfo: *mut pg_sys::FmgrInfo) -> (Option<usize>, bool) {
    // SAFETY: by the contract; fn_expr, where there is one, is the call's expression node, whose tag says what it is.
    unsafe {
        let expression = (*flinfo).fn_expr;
        if expression.is_null() {
            return (None, false);
        }
        let list = match (*expression).type_ {
            pg_sys::NodeTag::T_OpExpr => (*expression.cast::<pg_sys::OpExpr>()).args,
            pg_sys::NodeTag::T_FuncExpr => (*expression.cast::<pg_sys::FuncExpr>()).args,
            _ => return (None, false),
        };
        let arguments: Vec<_> = nodes(list).collect();
        let fixed = [1, 0].into_iter().find(|side| arguments.get(*side).is_some_and(|node| is_fixed(*node)));
        (fixed, fixed.is_some_and(|side| (*arguments[side]).type_ == pg_sys::NodeTag::T_Const))
    }
}

/// Whether an argument is a constant of the plan, a parameter of the statement, or follows from such alone.
///
/// # Safety
/// `node` must be a valid expression node.
unsafe fn is_fixed(node: *mut pg_sys::Node) -> bool {
    // SAFETY: the node's tag says which structure it is.
    unsafe {
        match (*node).type_ {
            pg_sys::NodeTag::T_Const => true,
            pg_sys::NodeTag::T_Param => {
                (*node.cast::<pg_sys::Param>()).paramkind == pg_sys::ParamKind::PARAM_EXTERN
            }
            pg_sys::NodeTag::T_FuncExpr => {
                let call = node.cast::<pg_sys::FuncExpr>();
                pg_sys::func_volatile((*call).funcid) as u8 != pg_sys::PROVOLATILE_VOLATILE
                    && nodes((*call).args).all(|argument| is_fixed(argument))
            }
            _ => false,
        }
    }
}

/// One call of a distance function.
///
/// # Safety
/// `fcinfo` must be the call information of a strict two-argument function whose arguments have the types that
/// `function` says.
unsafe fn call(fcinfo: pg_sys::FunctionCallInfo, function: DistanceFunction) -> pg_sys::Datum {
    // SAFETY: a strict function with two arguments has both, not null; flinfo is valid or null; fn_extra belongs to
    // this function alone, and what it points to is dropped together with fn_mcxt.
    unsafe {
        let arguments = (*fcinfo).args.as_slice(2);
        let operand = |side: usize| Operand { kind: function.kinds[side], datum: arguments[side].value };
        let operands = [operand(0), operand(1)];
        let flinfo = (*fcinfo).flinfo;
        let result = if flinfo.is_null() {
            CallSite::default().distance(function.metric, &operands, || (None, false))
        } else {
            if (*flinfo).fn_extra.is_null() {
                (*flinfo).fn_extra = PgMemoryContexts::For((*flinfo).fn_mcxt)
                    .leak_and_drop_on_delete(CallSite::default())
                    .cast();
            }
            let site = &mut *(*flinfo).fn_extra.cast::<CallSite>();
            site.distance(function.metric, &operands, || fixed_argument(flinfo))
        };
        match result {
            Ok(distance) => pg_sys::Datum::from(if function.negate { -distance } else { distance }.to_bits()),
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
            const FUNCTION: DistanceFunction = DistanceFunction {
                metric: Metric::$metric,
                negate: $negate,
                kinds: [OperandKind::$left, OperandKind::$right],
            };
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
