//! What the planner makes of a distance whose query has to be converted first.
//!
//! ```text
//! record <=> query::real[]          record <=> tq_once(query, …)    the cast, once for each query; see `once`
//! record <=> $1::tqvec              record <=> tq_once($1)          of a text; of columns it is left alone, where indexes are on casts
//! record <=> record::real[]         record <=> record               in the rotated space, nothing is decompressed
//! record <=> tq_decompress(record)  the same
//! ```
//! Only casts are replaced, and only immutable ones; a chain of them (`halfvec` to `vector` to `real[]`) link by link. What
//! a cast is, `pg_cast` says: nothing goes by names of types or functions, and nobody's bytes are read here. The support
//! function isn't told whether it was a function or an operator that was called, so where there is an operator, it
//! makes a call of that: it means the same, and an index can be found for it.

#![allow(unsafe_code)]

use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::server::expressions::{cast_function, is_varlena, nodes};

/// What the functions here know about the one that is called.
struct DistanceCall {
    call: *mut pg_sys::FuncExpr,
    schema: pg_sys::Oid,
    extension: pg_sys::Oid,
    /// Declared types of the arguments.
    types: [pg_sys::Oid; 2],
}

impl DistanceCall {
    /// `None` for calls that can't be of one of the distances from floats.
    ///
    /// # Safety
    /// `call` must be a valid node.
    unsafe fn of(call: *mut pg_sys::FuncExpr) -> Option<DistanceCall> {
        // SAFETY: by the contract; what the catalog returns is an array of as many OIDs as it says.
        unsafe {
            let function = (*call).funcid;
            let (mut types, mut count) = (std::ptr::null_mut(), 0);
            pg_sys::get_func_signature(function, &mut types, &mut count);
            if count != 2 || nodes((*call).args).count() != 2 {
                return None;
            }
            Some(DistanceCall {
                call,
                schema: pg_sys::get_func_namespace(function),
                extension: pg_sys::getExtensionOfObject(pg_sys::ProcedureRelationId, function),
                types: [*types, *types.add(1)],
            })
        }
    }

    /// A function of the extension's, in the schema of the one that is called.
    ///
    /// # Safety
    /// `name` must be a C string.
    unsafe fn function(&self, name: *const i8, types: &[pg_sys::Oid]) -> Option<pg_sys::Oid> {
        // SAFETY: a look-up in a system catalog by its key, of a column that is an OID.
        unsafe {
            let types = pg_sys::buildoidvector(types.as_ptr(), types.len() as i32);
            let found = pg_sys::GetSysCacheOid(
                pg_sys::SysCacheIdentifier::PROCNAMEARGSNSP as i32,
                pg_sys::Anum_pg_proc_oid as pg_sys::AttrNumber,
                pg_sys::Datum::from(name),
                pg_sys::Datum::from(types),
                self.schema.into(),
                pg_sys::Datum::null(),
            );
            let ours = found != pg_sys::InvalidOid
                && pg_sys::getExtensionOfObject(pg_sys::ProcedureRelationId, found) == self.extension;
            ours.then_some(found)
        }
    }

    /// The operator behind which that function is, if there is one.
    fn operator(&self, function: pg_sys::Oid, types: [pg_sys::Oid; 2]) -> Option<pg_sys::Oid> {
        [c"<->", c"<#>", c"<=>", c"<+>"].into_iter().find_map(|name| {
            // SAFETY: a look-up in a system catalog by its key, of a column that is an OID.
            unsafe {
                let operator = pg_sys::GetSysCacheOid(
                    pg_sys::SysCacheIdentifier::OPERNAMENSP as i32,
                    pg_sys::Anum_pg_operator_oid as pg_sys::AttrNumber,
                    pg_sys::Datum::from(name.as_ptr()),
                    types[0].into(),
                    types[1].into(),
                    self.schema.into(),
                );
                (operator != pg_sys::InvalidOid && pg_sys::get_opcode(operator) == function)
                    .then_some(operator)
            }
        })
    }

    /// The call that does the same for less; null if this is it.
    ///
    /// # Safety
    /// That of [`DistanceCall::of`].
    unsafe fn simplified(&self) -> Option<*mut pg_sys::Node> {
        // SAFETY: the nodes are valid; a new list takes what was changed, and the old one stays as it is.
        unsafe {
            let mut arguments: Vec<*mut pg_sys::Node> = nodes((*self.call).args).collect();
            let mut function = (*self.call).funcid;
            let mut types = self.types;
            // Between two records, the one that is a query is.
            let floats = match types.iter().position(|declared| *declared == pg_sys::FLOAT4ARRAYOID) {
                Some(floats) => floats,
                None => arguments.iter().position(|argument| is_cast_parameter(*argument))?,
            };
            let record = self.types[1 - floats];
            let cast = arguments[floats];
            if let Some(decompressed) = decompressed(cast, record) {
                arguments[floats] = decompressed;
                types = [record; 2];
                function = self.function(pg_sys::get_func_name(function), &types)?;
            } else {
                let once = self.function(c"tq_once".as_ptr(), &[pg_sys::ANYOID])?;
                arguments[floats] = converted_once(cast, once)?;
            }
            let (call, result) = (self.call, pg_sys::FLOAT8OID);
            Some(match self.operator(function, types) {
                Some(operator) => {
                    let [left, right] = [arguments[0].cast(), arguments[1].cast()];
                    let node = pg_sys::make_opclause(
                        operator,
                        result,
                        false,
                        left,
                        right,
                        (*call).funccollid,
                        (*call).inputcollid,
                    );
                    (*node.cast::<pg_sys::OpExpr>()).opfuncid = function;
                    node.cast()
                }
                None => {
                    let list = arguments
                        .into_iter()
                        .fold(std::ptr::null_mut(), |list, node| pg_sys::lappend(list, node.cast()));
                    let (collation, form) = ((*call).funccollid, (*call).funcformat);
                    pg_sys::makeFuncExpr(function, result, list, collation, (*call).inputcollid, form).cast()
                }
            })
        }
    }
}

/// The record that is decompressed by this node, if it does that.
///
/// # Safety
/// `node` must be a valid expression.
unsafe fn decompressed(node: *mut pg_sys::Node, record: pg_sys::Oid) -> Option<*mut pg_sys::Node> {
    // SAFETY: the node's tag says what it is.
    unsafe {
        if (*node).type_ != pg_sys::NodeTag::T_FuncExpr {
            return None;
        }
        let call = node.cast::<pg_sys::FuncExpr>();
        let is_ours = (*call).funcid == cast_function(record, pg_sys::FLOAT4ARRAYOID);
        let mut arguments = nodes((*call).args);
        arguments.next().filter(|_| is_ours && arguments.next().is_none())
    }
}

/// The node with `tq_once` for each of the casts that follow each other at its top; `None` if there is none.
///
/// # Safety
/// `node` must be a valid expression, `once` the function.
unsafe fn converted_once(node: *mut pg_sys::Node, once: pg_sys::Oid) -> Option<*mut pg_sys::Node> {
    // SAFETY: the node's tag says what it is; lists are copied before they are changed.
    unsafe {
        let (arguments, target, collations) = match (*node).type_ {
            pg_sys::NodeTag::T_FuncExpr => {
                let call = node.cast::<pg_sys::FuncExpr>();
                is_cast(call).then_some(())?;
                ((*call).args, (*call).funcresulttype, ((*call).funccollid, (*call).inputcollid))
            }
            pg_sys::NodeTag::T_ArrayCoerceExpr => {
                let coercion = node.cast::<pg_sys::ArrayCoerceExpr>();
                let element = (*coercion).elemexpr.cast::<pg_sys::Node>();
                if (*element).type_ != pg_sys::NodeTag::T_FuncExpr || (*coercion).resulttypmod != -1 {
                    return None;
                }
                let element = element.cast::<pg_sys::FuncExpr>();
                let mut of = nodes((*element).args);
                let placeholder = of.next().filter(|_| of.next().is_none())?;
                let array = pg_sys::getBaseType(pg_sys::exprType((*coercion).arg.cast()));
                let same = (*placeholder).type_ == pg_sys::NodeTag::T_CaseTestExpr
                    && pg_sys::get_element_type(array) == pg_sys::exprType(placeholder)
                    && pg_sys::get_element_type((*coercion).resulttype) == (*element).funcresulttype
                    // Where the arrays have a cast of their own, `tq_once` would take that.
                    && cast_function(array, (*coercion).resulttype) == pg_sys::InvalidOid
                    && is_cast(element);
                same.then_some(())?;
                let list = pg_sys::lappend(std::ptr::null_mut(), (*coercion).arg.cast());
                (list, (*coercion).resulttype, ((*coercion).resultcollid, (*element).inputcollid))
            }
            pg_sys::NodeTag::T_CoerceViaIO => {
                let coercion = node.cast::<pg_sys::CoerceViaIO>();
                let source = pg_sys::getBaseType(pg_sys::exprType((*coercion).arg.cast()));
                let target = (*coercion).resulttype;
                // Where there is a cast of its own, `tq_once` would take that.
                let same =
                    cast_function(source, target) == pg_sys::InvalidOid && is_read_alike(source, target);
                same.then_some(())?;
                let list = pg_sys::lappend(std::ptr::null_mut(), (*coercion).arg.cast());
                (list, target, ((*coercion).resultcollid, pg_sys::InvalidOid))
            }
            _ => return None,
        };
        let mut arguments: Vec<*mut pg_sys::Node> = nodes(arguments).collect();
        if !is_varlena(pg_sys::exprType(arguments[0])) || !is_varlena(target) {
            return None;
        }
        if let Some(inner) = converted_once(arguments[0], once) {
            arguments[0] = inner;
        }
        let list =
            arguments.into_iter().fold(std::ptr::null_mut(), |list, node| pg_sys::lappend(list, node.cast()));
        let form = pg_sys::CoercionForm::COERCE_EXPLICIT_CAST;
        Some(pg_sys::makeFuncExpr(once, target, list, collations.0, collations.1, form).cast())
    }
}

/// Whether a node is a parameter, a sub-select, or a column of a query around this one (as in LATERAL), below one or more casts.
///
/// # Safety
/// `node` must be a valid expression.
unsafe fn is_cast_parameter(mut node: *mut pg_sys::Node) -> bool {
    let mut casts = 0;
    // SAFETY: the node's tag says what it is.
    unsafe {
        loop {
            node = match (*node).type_ {
                pg_sys::NodeTag::T_FuncExpr if is_cast(node.cast()) => {
                    match nodes((*node.cast::<pg_sys::FuncExpr>()).args).next() {
                        Some(first) => first,
                        None => return false,
                    }
                }
                pg_sys::NodeTag::T_CoerceViaIO => (*node.cast::<pg_sys::CoerceViaIO>()).arg.cast(),
                pg_sys::NodeTag::T_RelabelType => (*node.cast::<pg_sys::RelabelType>()).arg.cast(),
                pg_sys::NodeTag::T_Param | pg_sys::NodeTag::T_SubLink => return casts > 0,
                pg_sys::NodeTag::T_Var => return casts > 0 && (*node.cast::<pg_sys::Var>()).varlevelsup > 0,
                _ => return false,
            };
            casts += 1;
        }
    }
}

/// Whether a value of one type, written and read as the other, is always the same: what does it is immutable. `array_in` is marked as
/// no more than stable, because elements might not be; numbers are.
fn is_read_alike(source: pg_sys::Oid, target: pg_sys::Oid) -> bool {
    let immutable = |function: pg_sys::Oid| {
        // SAFETY: a look-up in a system catalog.
        unsafe { pg_sys::func_volatile(function) as u8 == pg_sys::PROVOLATILE_IMMUTABLE }
    };
    let input = |of: pg_sys::Oid| {
        let (mut function, mut parameter) = (pg_sys::InvalidOid, pg_sys::InvalidOid);
        // SAFETY: a look-up in a system catalog, which writes to both.
        unsafe { pg_sys::getTypeInputInfo(of, &mut function, &mut parameter) };
        function
    };
    let (mut output, mut is_varlena) = (pg_sys::InvalidOid, false);
    // SAFETY: likewise.
    let element = unsafe {
        pg_sys::getTypeOutputInfo(source, &mut output, &mut is_varlena);
        pg_sys::get_element_type(target)
    };
    immutable(output) && immutable(input(if element == pg_sys::InvalidOid { target } else { element }))
}

/// Whether a call is what a cast makes of its first argument, and always makes of it.
///
/// # Safety
/// `call` must be a valid node.
unsafe fn is_cast(call: *mut pg_sys::FuncExpr) -> bool {
    // SAFETY: by the contract.
    unsafe {
        let mut arguments = nodes((*call).args);
        let Some(first) = arguments.next() else { return false };
        let function = (*call).funcid;
        function == cast_function(pg_sys::getBaseType(pg_sys::exprType(first)), (*call).funcresulttype)
            && !(*call).funcretset
            && !(*call).funcvariadic
            && arguments.all(|option| (*option).type_ == pg_sys::NodeTag::T_Const)
            && pg_sys::func_strict(function)
            && pg_sys::func_volatile(function) as u8 == pg_sys::PROVOLATILE_IMMUTABLE
            && pg_sys::func_parallel(function) as u8 == pg_sys::PROPARALLEL_SAFE
    }
}

#[allow(unreachable_pub)] // reached by its symbol
#[doc(hidden)]
#[unsafe(no_mangle)]
pub extern "C" fn pg_finfo_tq_distance_support() -> &'static pg_sys::Pg_finfo_record {
    static INFO: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
    &INFO
}

/// The planner's support function of the distances between a record and floats.
#[allow(unreachable_pub)] // reached by its symbol
#[doc(hidden)]
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn tq_distance_support(fcinfo: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: ops.sql declares one argument, which is a request of the planner's.
    unsafe {
        let request = (*fcinfo).args.as_slice(1)[0].value.cast_mut_ptr::<pg_sys::Node>();
        if request.is_null() || (*request).type_ != pg_sys::NodeTag::T_SupportRequestSimplify {
            return pg_sys::Datum::null();
        }
        let call = (*request.cast::<pg_sys::SupportRequestSimplify>()).fcall;
        let simplified = DistanceCall::of(call).and_then(|called| called.simplified());
        simplified.map_or(pg_sys::Datum::null(), pg_sys::Datum::from)
    }
}
