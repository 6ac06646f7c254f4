//! CBOR (RFC 8949), as directories of tensor files are written in it: one data item that fills its bytes.
//!
//! [`parse`] checks the whole of it, and gives an [`Item`] that can be walked without further doubts about its bytes, only
//! about what they say. Nothing is allocated by a length that the bytes declare, nesting is limited, and a key that stands
//! twice in a map is an error. minicbor decodes heads and scalars; it checks neither keys nor the deterministic encoding.

pub(crate) mod encode;

use half::f16;
use minicbor::Decoder;
use minicbor::data::Type;

/// Containers and tags that may stand in one another.
const MOST_DEPTH: u32 = 32;

/// What the bytes of an item must be like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Well formed (section 5.3.1), and keys of maps valid: no two alike.
    WellFormed,
    /// In core deterministic encoding (section 4.2.1): shortest heads and floats, definite lengths, keys in the order of
    /// their bytes; and no tags, `undefined` or simple values other than `false`, `true` and `null`.
    Deterministic,
}

/// What is wrong with CBOR, or isn't what its reader expects.
#[derive(thiserror::Error, Debug, Clone, PartialEq, Eq)]
#[error("{problem} at byte {offset}")]
pub(crate) struct CborError {
    /// Where, from the beginning of the bytes that were parsed.
    pub(crate) offset: usize,
    /// What.
    pub(crate) problem: &'static str,
}

/// Checks that `bytes` are one data item in that form, and nothing behind it.
///
/// # Errors
/// What is wrong, and where.
pub(crate) fn parse(bytes: &[u8], form: Form) -> Result<Item<'_>, CborError> {
    let mut decoder = Decoder::new(bytes);
    walk(&mut decoder, Some(form), 0)?;
    if decoder.position() != bytes.len() {
        return Err(CborError { offset: decoder.position(), problem: "more than one item" });
    }
    Ok(Item { bytes, offset: 0 })
}

/// A data item in bytes that were checked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Item<'b> {
    bytes: &'b [u8],
    offset: usize,
}

impl<'b> Item<'b> {
    /// An error about this item.
    pub(crate) fn error(&self, problem: &'static str) -> CborError {
        CborError { offset: self.offset, problem }
    }

    /// A number that isn't negative.
    pub(crate) fn unsigned(&self) -> Result<u64, CborError> {
        self.decoder().u64().map_err(|_| self.error("expected an unsigned integer"))
    }

    /// A text in one piece.
    pub(crate) fn text(&self) -> Result<&'b str, CborError> {
        self.decoder().str().map_err(|_| self.error("expected a text"))
    }

    /// Its bytes.
    pub(crate) fn encoded(&self) -> &'b [u8] {
        let mut decoder = self.decoder();
        // These bytes were walked before, and are the same.
        match walk(&mut decoder, None, 0) {
            Ok(()) => &self.bytes[self.offset..decoder.position()],
            Err(_) => &[],
        }
    }

    /// Whether it is `null`.
    pub(crate) fn is_null(&self) -> bool {
        matches!(self.kind(), Some(Type::Null))
    }

    /// Whether it is a map.
    pub(crate) fn is_map(&self) -> bool {
        matches!(self.kind(), Some(Type::Map | Type::MapIndef))
    }

    /// The elements of an array.
    pub(crate) fn elements(&self) -> Result<Items<'b>, CborError> {
        let mut decoder = self.decoder();
        let left = decoder.array().map_err(|_| self.error("expected an array"))?;
        Ok(Items { decoder, left })
    }

    /// Keys and values of a map.
    pub(crate) fn entries(&self) -> Result<Entries<'b>, CborError> {
        let mut decoder = self.decoder();
        let left = decoder.map().map_err(|_| self.error("expected a map"))?;
        Ok(Entries(Items { decoder, left: left.map(|pairs| pairs.saturating_mul(2)) }))
    }

    /// The value of a map's key, if it is there.
    pub(crate) fn get(&self, key: &str) -> Result<Option<Item<'b>>, CborError> {
        let mut entries = self.entries()?;
        Ok(entries.find(|(name, _)| name.text() == Ok(key)).map(|(_, value)| value))
    }

    fn decoder(&self) -> Decoder<'b> {
        let mut decoder = Decoder::new(self.bytes);
        decoder.set_position(self.offset);
        decoder
    }

    fn kind(&self) -> Option<Type> {
        self.decoder().datatype().ok()
    }
}

/// Iterates over the elements of an array.
#[derive(Debug)]
pub(crate) struct Items<'b> {
    decoder: Decoder<'b>,
    /// `None` if a break ends them.
    left: Option<u64>,
}

impl<'b> Iterator for Items<'b> {
    type Item = Item<'b>;

    fn next(&mut self) -> Option<Item<'b>> {
        match &mut self.left {
            Some(0) => return None,
            Some(left) => *left -= 1,
            None if at_break(&self.decoder) => return None,
            None => {}
        }
        let item = Item { bytes: self.decoder.input(), offset: self.decoder.position() };
        // These bytes were walked before, and are the same.
        walk(&mut self.decoder, None, 0).ok()?;
        Some(item)
    }
}

/// Iterates over keys and values of a map.
#[derive(Debug)]
pub(crate) struct Entries<'b>(Items<'b>);

impl<'b> Iterator for Entries<'b> {
    type Item = (Item<'b>, Item<'b>);

    fn next(&mut self) -> Option<Self::Item> {
        Some((self.0.next()?, self.0.next()?))
    }
}

/// Goes over one item, checking it if a form is given.
fn walk(decoder: &mut Decoder<'_>, form: Option<Form>, depth: u32) -> Result<(), CborError> {
    let offset = decoder.position();
    let fail = |problem| CborError { offset, problem };
    let ends = |_| fail("item breaks off or isn't well formed");
    if depth > MOST_DEPTH {
        return Err(fail("items are nested too deeply"));
    }
    let kind = decoder.datatype().map_err(ends)?;
    match kind {
        Type::U8 | Type::U16 | Type::U32 | Type::U64 => drop(decoder.u64().map_err(ends)?),
        Type::I8 | Type::I16 | Type::I32 | Type::I64 | Type::Int => drop(decoder.int().map_err(ends)?),
        Type::Bytes | Type::BytesIndef => {
            decoder.bytes_iter().map_err(ends)?.try_for_each(|part| part.map(drop)).map_err(ends)?;
        }
        Type::String | Type::StringIndef => {
            let ends = |_| fail("text breaks off or isn't UTF-8");
            decoder.str_iter().map_err(ends)?.try_for_each(|part| part.map(drop)).map_err(ends)?;
        }
        Type::Array | Type::ArrayIndef => {
            let left = decoder.array().map_err(ends)?;
            walk_all(decoder, left, |decoder| walk(decoder, form, depth + 1))?;
        }
        Type::Map | Type::MapIndef => walk_map(decoder, form, depth)?,
        Type::Tag => {
            decoder.tag().map_err(ends)?;
            walk(decoder, form, depth + 1)?;
        }
        Type::F16 => drop(decoder.f16().map_err(ends)?),
        Type::F32 => drop(decoder.f32().map_err(ends)?),
        Type::F64 => drop(decoder.f64().map_err(ends)?),
        Type::Bool => drop(decoder.bool().map_err(ends)?),
        Type::Null => decoder.null().map_err(ends)?,
        Type::Undefined => decoder.undefined().map_err(ends)?,
        Type::Simple => {
            let value = decoder.simple().map_err(ends)?;
            if decoder.position() - offset == 2 && value < 32 {
                return Err(fail("item isn't well formed"));
            }
        }
        Type::Break => return Err(fail("unexpected break")),
        Type::Unknown(_) => return Err(fail("item isn't well formed")),
    }
    match form {
        Some(Form::Deterministic) => check_deterministic(decoder.input(), offset, kind).map_err(fail),
        _ => Ok(()),
    }
}

/// Goes over a map, whose keys must differ.
fn walk_map(decoder: &mut Decoder<'_>, form: Option<Form>, depth: u32) -> Result<(), CborError> {
    let offset = decoder.position();
    let bytes = decoder.input();
    let left = decoder.map().map_err(|_| CborError { offset, problem: "map breaks off" })?;
    let mut keys: Vec<&[u8]> = Vec::new();
    walk_all(decoder, left, |decoder| {
        let start = decoder.position();
        walk(decoder, form, depth + 1)?;
        let key = &bytes[start..decoder.position()];
        let fail = |problem| Err(CborError { offset: start, problem });
        match form {
            Some(Form::WellFormed) => keys.push(Decoder::new(key).str().map_or(key, str::as_bytes)),
            Some(Form::Deterministic) => match keys.pop().map(|last| last.cmp(key)) {
                Some(std::cmp::Ordering::Equal) => return fail("key stands twice in its map"),
                Some(std::cmp::Ordering::Greater) => return fail("keys of a map are not in order"),
                _ => keys.push(key),
            },
            None => {}
        }
        walk(decoder, form, depth + 1)
    })?;
    keys.sort_unstable();
    match keys.windows(2).any(|pair| pair[0] == pair[1]) {
        true => Err(CborError { offset, problem: "key stands twice in a map" }),
        false => Ok(()),
    }
}

/// Repeats `step` so many times, or up to a break.
fn walk_all<'b>(
    decoder: &mut Decoder<'b>,
    left: Option<u64>,
    mut step: impl FnMut(&mut Decoder<'b>) -> Result<(), CborError>,
) -> Result<(), CborError> {
    match left {
        // However large the number is, the first step beyond the bytes fails.
        Some(count) => (0..count).try_for_each(|_| step(decoder)),
        None => {
            while !at_break(decoder) {
                step(decoder)?;
            }
            decoder.set_position(decoder.position() + 1);
            Ok(())
        }
    }
}

/// Whether what has no declared length ends here.
fn at_break(decoder: &Decoder<'_>) -> bool {
    matches!(decoder.datatype(), Ok(Type::Break))
}

/// Checks the head of an item that is well formed.
fn check_deterministic(bytes: &[u8], offset: usize, kind: Type) -> Result<(), &'static str> {
    let head = &bytes[offset..];
    let argument = |width: usize| head[1..=width].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    match kind {
        Type::BytesIndef | Type::StringIndef | Type::ArrayIndef | Type::MapIndef => {
            return Err("length is indefinite");
        }
        Type::Tag | Type::Undefined | Type::Simple => return Err("tag or simple value that isn't allowed"),
        Type::Bool | Type::Null => return Ok(()),
        Type::F16 if argument(2) == 0x7e00 => return Ok(()),
        Type::F16 | Type::F32 | Type::F64 => return check_float(argument(1 << (head[0] & 3)), kind),
        _ => {}
    }
    let shortest = match head[0] & 31 {
        24 => argument(1) >= 24,
        25 => argument(2) > u64::from(u8::MAX),
        26 => argument(4) > u64::from(u16::MAX),
        27 => argument(8) > u64::from(u32::MAX),
        _ => true,
    };
    if shortest { Ok(()) } else { Err("integer or length isn't in its shortest form") }
}

/// Checks that a float other than the one allowed NaN has no shorter form.
fn check_float(bits: u64, kind: Type) -> Result<(), &'static str> {
    let (nan, shorter) = match kind {
        Type::F16 => (f16::from_bits(bits as u16).is_nan(), false),
        Type::F32 => {
            let value = f32::from_bits(bits as u32);
            (value.is_nan(), f16::from_f32(value).to_f32() == value)
        }
        _ => {
            let value = f64::from_bits(bits);
            (value.is_nan(), f64::from(value as f32) == value)
        }
    };
    if nan || shorter { Err("float isn't in its shortest form") } else { Ok(()) }
}

#[cfg(test)]
mod tests;
