//! The ids of a keyed index: reading one, writing one, and telling whether two are the same.

use std::hash::{BuildHasher, Hash, Hasher, RandomState};

use super::Error;

const NUMBER: u8 = 0;
const TEXT: u8 = 1;
const INTEGER: u8 = 2;

/// A mark that decoders of the Web drop from the start of a text.
const BYTE_ORDER_MARK: char = '\u{FEFF}';

/// The id of a vector. The number 1, the text "1" and the integer 1 are three ids; 0 and -0 are one.
#[derive(Clone, Copy, Debug)]
pub enum Id<'a> {
    /// A JavaScript number, fractions and all.
    Number(f64),
    /// A string. A byte order mark at its start is not part of it, since quantvec's decoder drops that.
    Text(&'a str),
    /// A bigint in canonical decimal notation, of any length.
    Integer(&'a str),
}

impl PartialEq for Id<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            // A NaN is itself, as in a JavaScript Set.
            (Self::Number(a), Self::Number(b)) => a == b || (a.is_nan() && b.is_nan()),
            (Self::Text(a), Self::Text(b)) | (Self::Integer(a), Self::Integer(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Id<'_> {}

impl Hash for Id<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Number(number) if number.is_nan() => (NUMBER, f64::NAN.to_bits()).hash(state),
            // Adding 0 makes 0 of -0.
            Self::Number(number) => (NUMBER, (number + 0.0).to_bits()).hash(state),
            Self::Text(text) => (TEXT, text).hash(state),
            Self::Integer(text) => (INTEGER, text).hash(state),
        }
    }
}

impl Id<'_> {
    /// Bytes of the id in a file.
    pub fn written_len(&self) -> usize {
        match self {
            Self::Number(_) => 9,
            Self::Text(text) | Self::Integer(text) => 5 + text.len(),
        }
    }

    /// Appends the id as it stands in a file. `None`, and nothing appended, for one that wouldn't be read as what it is: a number that
    /// isn't finite, an integer that isn't canonical, a text with a byte order mark at its start or of 4 GiB.
    ///
    /// Allocates nothing where there is room for [`written_len`](Self::written_len) bytes.
    pub fn write(&self, out: &mut Vec<u8>) -> Option<()> {
        let (tag, text) = match self {
            Self::Number(number) => {
                number.is_finite().then_some(())?;
                out.push(NUMBER);
                out.extend_from_slice(&number.to_le_bytes());
                return Some(());
            }
            Self::Text(text) => (TEXT, *text),
            Self::Integer(text) => (INTEGER, *text),
        };
        let readable =
            if tag == TEXT { !text.starts_with(BYTE_ORDER_MARK) } else { is_canonical_integer(text) };
        let length = u32::try_from(text.len()).ok().filter(|_| readable)?;
        out.push(tag);
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(text.as_bytes());
        Some(())
    }
}

/// Which kinds of ids an index has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IdKinds {
    /// [`Id::Number`].
    pub numbers: bool,
    /// [`Id::Text`].
    pub texts: bool,
    /// [`Id::Integer`].
    pub integers: bool,
}

impl IdKinds {
    pub(super) fn add(&mut self, id: &Id<'_>) {
        match id {
            Id::Number(_) => self.numbers = true,
            Id::Text(_) => self.texts = true,
            Id::Integer(_) => self.integers = true,
        }
    }
}

/// Whether a text is `0` or an optional minus and digits of which the first is not 0.
pub fn is_canonical_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    text == "0"
        || (digits.starts_with(|c: char| ('1'..='9').contains(&c))
            && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// Reads the id of `slot` at `offset`; returns it and where the next one starts. A number need not be finite.
pub(super) fn read_id(bytes: &[u8], offset: usize, slot: u32) -> Result<(Id<'_>, usize), Error> {
    let tag = *field::<1>(bytes, offset, slot, "tag")?.first().unwrap_or(&NUMBER);
    let at = offset + 1;
    if tag == NUMBER {
        let number = f64::from_le_bytes(*field(bytes, at, slot, "number")?);
        return Ok((Id::Number(number), at + 8));
    }
    let start = offset as u64;
    if tag != TEXT && tag != INTEGER {
        return Err(Error::IdTag { slot, offset: start, got: tag });
    }
    let length = u32::from_le_bytes(*field(bytes, at, slot, "length")?) as usize;
    let text = bytes[at + 4..].get(..length).ok_or_else(|| Error::IdTruncated {
        slot,
        field: "text",
        offset: at as u64 + 4,
        needed: length as u64,
        got: (bytes.len() - at - 4) as u64,
    })?;
    let text = std::str::from_utf8(text).map_err(|_| Error::IdUtf8 { slot, offset: start })?;
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let next = at + 4 + length;
    if tag == TEXT {
        return Ok((Id::Text(text), next));
    }
    if !is_canonical_integer(text) {
        return Err(Error::IdInteger { slot, offset: start });
    }
    Ok((Id::Integer(text), next))
}

/// Where the id after the one at `offset` starts, if tag and lengths are those of an id.
pub(super) fn skip_id(bytes: &[u8], offset: usize) -> Option<usize> {
    let rest = bytes.get(offset..)?;
    let (tag, rest) = rest.split_first()?;
    let len = match *tag {
        NUMBER => 9,
        TEXT | INTEGER => 5 + u32::from_le_bytes(*rest.first_chunk()?) as usize,
        _ => return None,
    };
    offset.checked_add(len).filter(|next| *next <= bytes.len())
}

fn field<'a, const N: usize>(
    bytes: &'a [u8],
    offset: usize,
    slot: u32,
    field: &'static str,
) -> Result<&'a [u8; N], Error> {
    let rest = bytes.get(offset..).unwrap_or_default();
    rest.first_chunk().ok_or(Error::IdTruncated {
        slot,
        field,
        offset: offset as u64,
        needed: N as u64,
        got: rest.len() as u64,
    })
}

/// A set of ids that keeps eight bytes and a third of each: its hash, under a key that no file can know.
///
/// An equal hash is only a suspicion, for the caller to look into; among ten million ids there is a wrong one in one of a
/// hundred thousand files.
pub(super) struct IdHashes {
    state: RandomState,
    /// Open addressing with linear probing; 0 marks a free place.
    table: Vec<u64>,
}

impl IdHashes {
    /// A set for `count` ids.
    pub(super) fn new(count: usize) -> Result<Self, Error> {
        let places = count + count / 3 + 1;
        let mut table = Vec::new();
        table
            .try_reserve_exact(places)
            .map_err(|_| Error::OutOfMemory { bytes: places as u64 * size_of::<u64>() as u64 })?;
        table.resize(places, 0);
        Ok(Self { state: RandomState::new(), table })
    }

    /// Adds an id, of which there may be no more than the set is for; `false` if one with its hash is there.
    pub(super) fn insert(&mut self, id: &Id<'_>) -> bool {
        let hash = self.state.hash_one(id).max(1);
        // The upper half of a product of 128 bits: a place in the table without a division.
        let mut place = ((u128::from(hash) * self.table.len() as u128) >> 64) as usize;
        loop {
            match self.table[place] {
                0 => break,
                found if found == hash => return false,
                _ => place = if place + 1 == self.table.len() { 0 } else { place + 1 },
            }
        }
        self.table[place] = hash;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_integers() {
        for good in ["0", "7", "-7", "10", "123456789012345678901234567890"] {
            assert!(is_canonical_integer(good), "{good}");
        }
        for bad in ["", "-", "-0", "00", "007", "+5", " 7", "7 ", "0x10", "1e3", "--1", "١"] {
            assert!(!is_canonical_integer(bad), "{bad:?}");
        }
    }

    #[test]
    fn sameness_is_that_of_a_javascript_set() {
        use Id::{Integer, Number, Text};
        let state = RandomState::new();
        let same = |a, b| {
            assert!(a != b || state.hash_one(a) == state.hash_one(b));
            a == b
        };
        assert!(same(Number(0.0), Number(-0.0)));
        assert!(same(Number(f64::NAN), Number(-f64::NAN)));
        assert!(!same(Number(1.0), Text("1")));
        assert!(!same(Integer("1"), Text("1")));
        assert!(!same(Integer("1"), Number(1.0)));
        assert!(same(Text("a"), Text("a")));
    }

    #[test]
    fn unreadable_ids_are_not_written() {
        let mut out = Vec::new();
        for id in [Id::Number(f64::NAN), Id::Number(f64::INFINITY), Id::Integer("01"), Id::Text("\u{FEFF}a")]
        {
            assert_eq!(id.write(&mut out), None);
        }
        assert!(out.is_empty());
    }
}
