//! CBOR (RFC 8949), as directories of tensor files are written in it: one data item that fills its bytes.
//!
//! [`parse`] checks the whole of it, and gives an [`Item`] that can be walked without further doubts about its bytes, only
//! about what they say. Nothing is allocated by a length that the bytes declare, nesting is limited, and a key that stands
//! twice in a map is an error. minicbor decodes heads and scalars; it checks neither keys nor the deterministic encoding.

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
mod tests {
    use super::*;

    fn problem(bytes: &[u8], form: Form) -> Option<&'static str> {
        parse(bytes, form).err().map(|error| error.problem)
    }

    /// What is well formed, in hexadecimal, and what of that is deterministic.
    #[test]
    fn forms() {
        let both = [
            "00",
            "17",
            "1818",
            "1a00010000",
            "1bffffffffffffffff",
            "20",
            "3bffffffffffffffff",
            "40",
            "6161",
            "80",
            "a0",
            "f4",
            "f5",
            "f6",
            "f90000",
            "f97e00",
            "fa47c35000",
            "fb3ff199999999999a",
            "a26161016162f6",
            "8301a161610280",
            "f97c00",
            "fa00000001",
        ];
        let not_deterministic = [
            "1817",
            "190001",
            "1a00000001",
            "1b00000000ffffffff",
            "3817",
            "580161",
            "7801 61",
            "980100",
            "9f01ff",
            "bf616101ff",
            "5f4161ff",
            "7f6161ff",
            "c100",
            "f7",
            "e0",
            "f8ff",
            "f97e01",
            "fa00000000",
            "fa7fc00000",
            "fb3ff0000000000000",
            "fb7ff8000000000000",
            "a2616201616102",
            "fa80000000",
        ];
        let neither = [
            "",
            "18",
            "19ff",
            "1c",
            "3f",
            "42ff",
            "62ff",
            "61ff",
            "8101ff",
            "81",
            "a161",
            "a16161",
            "ff",
            "9f",
            "9f01",
            "bf6161ff",
            "bf",
            "5f6161ff",
            "7f4161ff",
            "7f5f4161ffff",
            "f818",
            "f800",
            "fc",
            "fe",
            "0000",
            "c1",
            "5f40",
            "a2616101616102",
            "a201020102",
            "bf616101616102ff",
            "a261610178016102",
            "9bffffffffffffffff01",
            "bbffffffffffffffff0102",
            "5bffffffffffffffff01",
            "7bffffffffffffffff61",
            "9b000001000000000001",
        ];
        let bytes = |hex: &str| {
            let hex = hex.replace(' ', "");
            (0..hex.len())
                .step_by(2)
                .map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap())
                .collect::<Vec<_>>()
        };
        for hex in both {
            assert_eq!(problem(&bytes(hex), Form::WellFormed), None, "{hex}");
            assert_eq!(problem(&bytes(hex), Form::Deterministic), None, "{hex}");
        }
        for hex in not_deterministic {
            assert_eq!(problem(&bytes(hex), Form::WellFormed), None, "{hex}");
            assert!(problem(&bytes(hex), Form::Deterministic).is_some(), "{hex}");
        }
        for hex in neither {
            assert!(problem(&bytes(hex), Form::WellFormed).is_some(), "{hex}");
            assert!(problem(&bytes(hex), Form::Deterministic).is_some(), "{hex}");
        }
    }

    #[test]
    fn depth() {
        for open in [&[0x81][..], &[0x9f], &[0xa1, 0], &[0xc1]] {
            let nested = |times: usize| open.repeat(times).into_iter().chain([0]).collect::<Vec<u8>>();
            assert_eq!(problem(&nested(33), Form::WellFormed), Some("items are nested too deeply"));
            assert_ne!(problem(&nested(32), Form::WellFormed), Some("items are nested too deeply"));
            assert_eq!(problem(&nested(1 << 20), Form::WellFormed), Some("items are nested too deeply"));
        }
        assert_eq!(problem(&[&[0x81; 32][..], &[0]].concat(), Form::Deterministic), None);
    }

    #[test]
    fn walking() {
        // {"a": [1, [], {"x": 2}], "b": null, "c": "ü"}, once with definite lengths and once without.
        let definite = b"\xa3\x61a\x83\x01\x80\xa1\x61x\x02\x61b\xf6\x61c\x62\xc3\xbc";
        let indefinite = b"\xbf\x61a\x9f\x01\x9f\xff\xbf\x61x\x02\xff\xff\x61b\xf6\x61c\x62\xc3\xbc\xff";
        for bytes in [&definite[..], &indefinite[..]] {
            let item = parse(bytes, Form::WellFormed).unwrap();
            let keys: Vec<_> = item.entries().unwrap().map(|(key, _)| key.text().unwrap()).collect();
            assert_eq!(keys, ["a", "b", "c"]);
            let elements: Vec<_> = item.get("a").unwrap().unwrap().elements().unwrap().collect();
            assert_eq!(elements.len(), 3);
            assert_eq!(elements[0].unsigned(), Ok(1));
            assert_eq!(elements[1].elements().unwrap().count(), 0);
            assert_eq!(elements[2].get("x").unwrap().unwrap().unsigned(), Ok(2));
            assert!(item.get("b").unwrap().unwrap().is_null());
            assert_eq!(item.get("c").unwrap().unwrap().text(), Ok("ü"));
            assert!(item.get("d").unwrap().is_none() && item.is_map());
            assert_eq!(item.encoded(), bytes);
            assert_eq!(item.get("c").unwrap().unwrap().encoded(), b"\x62\xc3\xbc");
            assert!(
                elements[0].text().is_err() && elements[0].entries().is_err() && item.elements().is_err()
            );
            assert_eq!(item.unsigned().unwrap_err().to_string(), "expected an unsigned integer at byte 0");
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_the_bytes_are(bytes in proptest::collection::vec(0u8.., 0..200)) {
            if let Ok(item) = parse(&bytes, Form::Deterministic) {
                parse(&bytes, Form::WellFormed).unwrap();
                let inner = item.elements().map(Iterator::count).or(item.entries().map(Iterator::count));
                proptest::prop_assert!(inner.unwrap_or(0) <= bytes.len());
            }
        }
    }
}
