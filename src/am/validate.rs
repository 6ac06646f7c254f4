//! `amvalidate`: whether an operator class is one that an index can be made of.

use pgrx::prelude::*;

use super::opclass::{STRATEGIES, metric_of};
use crate::error::notice;

/// Checks the operators of the class's family.
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn validate(opclass: pg_sys::Oid) -> bool {
    // SAFETY: look-ups in the catalogs; the list is released, as is the tuple.
    unsafe {
        let class =
            pg_sys::SearchSysCache1(pg_sys::SysCacheIdentifier::CLAOID as i32, pg_sys::Datum::from(opclass));
        if class.is_null() {
            return false;
        }
        let family = (*pg_sys::heap_tuple_get_struct::<pg_sys::FormData_pg_opclass>(class)).opcfamily;
        pg_sys::ReleaseSysCache(class);
        let list = pg_sys::SearchSysCacheList(
            pg_sys::SysCacheIdentifier::AMOPSTRATEGY as i32,
            1,
            pg_sys::Datum::from(family),
            pg_sys::Datum::null(),
            pg_sys::Datum::null(),
        );
        let mut strategies = [false; STRATEGIES as usize + 1];
        let mut valid = true;
        for member in (*list).members.as_slice((*list).n_members as usize) {
            let tuple = &raw mut (**member).tuple;
            let operator = &*pg_sys::heap_tuple_get_struct::<pg_sys::FormData_pg_amop>(tuple);
            let known = metric_of(operator.amopstrategy as u16).is_some();
            if !known || operator.amoppurpose as u8 != pg_sys::AMOP_ORDER {
                notice(
                    "the operator family has an operator that a tinyquant index can't order by".into(),
                    None,
                    None,
                );
                valid = false;
            } else {
                strategies[operator.amopstrategy as usize] = true;
            }
        }
        pg_sys::ReleaseCatCacheList(list);
        if strategies.iter().filter(|there| **there).count() != 1 {
            notice("the operator family must have operators of exactly one strategy".into(), None, None);
            valid = false;
        }
        valid
    }
}
