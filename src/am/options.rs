//! `WITH (…)`.

use std::ffi::{CStr, c_int};
use std::mem::offset_of;
use std::sync::OnceLock;

use pgrx::prelude::*;
use tq_format::BitWidth;
use tq_index::{MOST_LISTS, Refine};

use super::table::column_of;

/// The options of an index, as the server keeps them: a varlena.
#[repr(C)]
struct IndexOptions {
    length: i32,
    lists: c_int,
    refine: c_int,
    bits: c_int,
}

/// What the option `refine` may say.
const INDEX: c_int = 0;
const TABLE: c_int = 1;

/// What the option `bits` says if it isn't there.
const NO_BITS: c_int = 0;

/// What `lists` says if the number of rows is to decide.
const AUTOMATIC: c_int = -1;

/// Rows below which an index that isn't told otherwise is flat: a pass over all slots takes a millisecond at 384 dimensions.
pub(super) const FLAT_BELOW: f64 = 200_000.0;

static KIND: OnceLock<pg_sys::relopt_kind::Type> = OnceLock::new();

/// Registers the options.
pub(super) fn init() {
    // SAFETY: adds to a table of the backend's, which copies the texts; the library is loaded once.
    KIND.get_or_init(|| unsafe {
        let kind = pg_sys::add_reloption_kind();
        pg_sys::add_int_reloption(
            kind,
            c"lists".as_ptr(),
            c"Lists that rows are divided into; 0 is a flat index, -1 goes by the number of rows.".as_ptr(),
            AUTOMATIC,
            AUTOMATIC,
            MOST_LISTS as c_int,
            pg_sys::AccessExclusiveLock as pg_sys::LOCKMODE,
        );
        // The server keeps the array.
        let member = |name: &'static CStr, value| pg_sys::relopt_enum_elt_def {
            string_val: name.as_ptr(),
            symbol_val: value,
        };
        let members = [member(c"index", INDEX), member(c"table", TABLE), Default::default()];
        pg_sys::add_enum_reloption(
            kind,
            c"refine".as_ptr(),
            c"Where the codes are that rows are measured by.".as_ptr(),
            Box::leak(Box::new(members)).as_mut_ptr(),
            INDEX,
            c"Valid values are \"index\" and \"table\".".as_ptr(),
            pg_sys::AccessExclusiveLock as pg_sys::LOCKMODE,
        );
        let members = [member(c"4", 4), member(c"8", 8), Default::default()];
        pg_sys::add_enum_reloption(
            kind,
            c"bits".as_ptr(),
            c"Bits a dimension that vector and halfvec are compressed to.".as_ptr(),
            Box::leak(Box::new(members)).as_mut_ptr(),
            NO_BITS,
            c"Valid values are \"4\" and \"8\".".as_ptr(),
            pg_sys::AccessExclusiveLock as pg_sys::LOCKMODE,
        );
        kind
    });
}

/// Parses the options of an index.
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn parse(options: pg_sys::Datum, validate: bool) -> *mut pg_sys::bytea {
    #[allow(clippy::needless_update)] // there is a field more since version 18
    let elements = [
        pg_sys::relopt_parse_elt {
            optname: c"lists".as_ptr(),
            opttype: pg_sys::relopt_type::RELOPT_TYPE_INT,
            offset: offset_of!(IndexOptions, lists) as c_int,
            ..Default::default()
        },
        pg_sys::relopt_parse_elt {
            optname: c"refine".as_ptr(),
            opttype: pg_sys::relopt_type::RELOPT_TYPE_ENUM,
            offset: offset_of!(IndexOptions, refine) as c_int,
            ..Default::default()
        },
        pg_sys::relopt_parse_elt {
            optname: c"bits".as_ptr(),
            opttype: pg_sys::relopt_type::RELOPT_TYPE_ENUM,
            offset: offset_of!(IndexOptions, bits) as c_int,
            ..Default::default()
        },
    ];
    let Some(kind) = KIND.get() else { return std::ptr::null_mut() };
    // SAFETY: the elements describe the fields of the struct whose size is given.
    unsafe {
        pg_sys::build_reloptions(
            options,
            validate,
            *kind,
            size_of::<IndexOptions>(),
            elements.as_ptr(),
            elements.len() as c_int,
        )
        .cast()
    }
}

/// How many lists an index is to have for so many rows: as its option says, or about as many as a list has rows.
///
/// # Safety
/// `index` must be an open index of ours.
pub(super) unsafe fn lists_of(index: pg_sys::Relation, rows: f64) -> u32 {
    // SAFETY: by the contract; the options are null or as `parse` has made them.
    let asked = unsafe {
        let options = (*index).rd_options.cast::<IndexOptions>();
        if options.is_null() { AUTOMATIC } else { (*options).lists }
    };
    match u32::try_from(asked) {
        Ok(lists) => lists,
        Err(_) if rows < FLAT_BELOW => 0,
        Err(_) => (rows.sqrt() as u32).min(MOST_LISTS),
    }
}

/// Where an index is to keep its codes: as its option says, but in the index if the table doesn't have the values.
///
/// # Safety
/// `index` must be an open index of ours.
pub(super) unsafe fn refine_of(index: pg_sys::Relation) -> Refine {
    // SAFETY: by the contract; the options are null or as `parse` has made them.
    unsafe {
        let options = (*index).rd_options.cast::<IndexOptions>();
        let asked = if options.is_null() { INDEX } else { (*options).refine };
        if asked == TABLE && column_of(index).is_some() { Refine::Table } else { Refine::Index }
    }
}

/// Bits a dimension that an index's option asks for, if it is there.
///
/// # Safety
/// `index` must be an open index of ours.
pub(super) unsafe fn bits_of(index: pg_sys::Relation) -> Option<BitWidth> {
    // SAFETY: by the contract; the options are null or as `parse` has made them.
    let asked = unsafe {
        let options = (*index).rd_options.cast::<IndexOptions>();
        if options.is_null() { NO_BITS } else { (*options).bits }
    };
    BitWidth::from_bits(u32::try_from(asked).unwrap_or_default())
}
