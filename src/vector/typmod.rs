//! Type modifiers as SQL writes them: `tqvec(…)` becomes an integer, and back.

use std::ffi::{CStr, CString};

use pgrx::prelude::*;
use tq_codec::declaration::{CodecPrefix, Declaration, TypmodError};

use crate::datum::typmod::Typmod;
use crate::error::{Error, RegistryError, SqlResult};
use crate::registry;

/// `tqvec`'s TYPMOD_IN.
#[pg_extern(sql = false)]
fn tqvec_typmod_in(modifiers: Array<'_, &CStr>) -> SqlResult<i32> {
    let words: Vec<String> =
        modifiers.iter().flatten().map(|modifier| modifier.to_string_lossy().into_owned()).collect();
    let said = Typmod::parse_declaration(words.iter().map(String::as_str)).map_err(Error::from)?;
    Ok(resolved(said)?.to_raw())
}

/// The modifier of a declaration, whose codec is looked up, and must be what the numbers beside it say.
fn resolved(said: Declaration) -> Result<Typmod, Error> {
    let Declaration { typmod, codec: Some(name) } = said else {
        // A dump names codecs that aren't there yet, and pg_upgrade before their table can be read.
        if let Some(prefix) = said.typmod.codec() {
            registry::keep_if_there(prefix)?;
        }
        return Ok(said.typmod);
    };
    let codec = match CodecPrefix::of_word(name.trim()) {
        Some(prefix) => registry::by_prefix(prefix),
        None => registry::by_name_or_hash(&name),
    };
    let codec = codec.map_err(|error| match error {
        Error::Registry(RegistryError::NoSuchCodec(_)) => TypmodError::UnknownWord(name.clone()).into(),
        error => error,
    })?;
    typmod.check_codec(name.trim(), codec.config())?;
    let prefix =
        CodecPrefix::of_hash(codec.hash().as_bytes()).ok_or(Error::Registry(RegistryError::NoRegistry))?;
    // It may have been dropped since it was looked up.
    if !registry::keep_named(prefix)? {
        return Err(TypmodError::UnknownWord(name).into());
    }
    Ok(Typmod::of_codec(prefix).normalizing(typmod.normalizes()))
}

/// `tqvec`'s TYPMOD_OUT: what stands between the parentheses, and they.
#[pg_extern(sql = false)]
fn tqvec_typmod_out(raw: i32) -> CString {
    CString::new(Typmod::from_raw(raw).to_string()).unwrap_or_default()
}
