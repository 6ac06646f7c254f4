//! Ids of rows, whatever the format: one by one, and all of a file's.

use tq_format::qvec;
use tq_memory::OutOfMemory;

/// An id.
#[derive(Debug, Clone, PartialEq)]
pub enum Id {
    /// A number, as JavaScript has them.
    Number(f64),
    /// A whole number of any length, in canonical decimal notation.
    Integer(String),
    /// Anything else.
    Text(String),
}

/// The whole numbers that a double holds, each of them.
const MOST_EXACT: u64 = 1 << 53;

impl Id {
    /// A whole number: as [`Number`](Self::Number) where that holds it exactly.
    pub fn of_whole(id: i64) -> Self {
        match id.unsigned_abs() <= MOST_EXACT {
            true => Id::Number(id as f64),
            false => Id::Integer(id.to_string()),
        }
    }

    /// [`of_whole`](Self::of_whole), of any length.
    pub(crate) fn of_integer(id: i128) -> Self {
        i64::try_from(id).map_or_else(|_| Id::Integer(id.to_string()), Id::of_whole)
    }

    /// A number in decimal notation without an exponent; `None` if it is none, or has a fraction that no double has.
    pub fn of_decimal(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = whole.strip_prefix('-').unwrap_or(whole);
        // Neither NaN nor the infinities.
        if digits.is_empty() || !digits.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        if fraction.bytes().all(|digit| digit == b'0') {
            let canonical = if whole == "-0" { "0" } else { whole };
            return Some(canonical.parse().map_or_else(|_| Id::Integer(canonical.into()), Id::of_whole));
        }
        // A fraction counts if the same digits come back.
        let number = text.parse::<f64>().ok()?;
        (number.to_string() == text.trim_end_matches('0')).then_some(Id::Number(number))
    }

    /// The id as an index has it.
    pub fn view(&self) -> qvec::Id<'_> {
        match self {
            Id::Number(number) => qvec::Id::Number(*number),
            Id::Integer(digits) => qvec::Id::Integer(digits),
            Id::Text(text) => qvec::Id::Text(text),
        }
    }

    /// Copies the id of an index.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn copied(id: qvec::Id<'_>) -> Result<Self, OutOfMemory> {
        Ok(match id {
            qvec::Id::Number(number) => Id::Number(number),
            qvec::Id::Text(text) => Id::Text(tq_memory::text(text)?),
            qvec::Id::Integer(digits) => Id::Integer(tq_memory::text(digits)?),
        })
    }

    /// The id as text; of a number the shortest digits that give the same number again.
    pub fn into_text(self) -> String {
        match self {
            Id::Number(number) => number.to_string(),
            Id::Integer(text) | Id::Text(text) => text,
        }
    }

    /// The whole number of 64 bits that it is.
    pub(crate) fn as_whole(&self) -> Option<i64> {
        match self {
            Id::Number(number) if number.fract() == 0.0 && number.abs() <= MOST_EXACT as f64 => {
                Some(*number as i64)
            }
            Id::Integer(digits) => digits.parse().ok(),
            Id::Number(_) | Id::Text(_) => None,
        }
    }
}

/// The ids of a corpus's records, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ids {
    /// Whole numbers.
    Bigint(Vec<i64>),
    /// UUIDs, their bytes in the order in which they are written.
    Uuid(Vec<[u8; 16]>),
    /// Anything else.
    Text(Vec<String>),
}

impl Ids {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Bigint(ids) => ids.len(),
            Self::Uuid(ids) => ids.len(),
            Self::Text(ids) => ids.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What SQL calls their type.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Bigint(_) => "bigint",
            Self::Uuid(_) => "uuid",
            Self::Text(_) => "text",
        }
    }

    /// Ids of one type for all: whole numbers if they are that, else texts.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn of(ids: Vec<Id>) -> Result<Self, OutOfMemory> {
        let mut whole = tq_memory::with_capacity(ids.len())?;
        whole.extend(ids.iter().map_while(Id::as_whole));
        if whole.len() == ids.len() {
            return Ok(Ids::Bigint(whole));
        }
        drop(whole);
        let mut texts = tq_memory::with_capacity(ids.len())?;
        for id in ids {
            // Each is a small piece.
            tq_memory::check()?;
            texts.push(id.into_text());
        }
        Ok(Ids::Text(texts))
    }

    /// The id at a place, counted from 0, taken out: a text is left empty.
    pub fn take(&mut self, index: usize) -> Option<Id> {
        match self {
            Ids::Bigint(ids) => ids.get(index).map(|id| Id::of_whole(*id)),
            Ids::Uuid(ids) => ids.get(index).map(|id| Id::Text(uuid_text(id))),
            Ids::Text(ids) => ids.get_mut(index).map(|id| Id::Text(std::mem::take(id))),
        }
    }
}

/// A UUID as it is written: 32 lower-case digits in five groups.
pub fn uuid_text(uuid: &[u8; 16]) -> String {
    let digits: String = uuid.iter().map(|byte| format!("{byte:02x}")).collect();
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}

/// A UUID from its 32 digits, with hyphens anywhere.
pub fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let digits: Vec<u8> = text
        .bytes()
        .filter(|byte| *byte != b'-')
        .map(|byte| (byte as char).to_digit(16).map(|digit| digit as u8))
        .collect::<Option<_>>()?;
    let mut uuid = [0; 16];
    if digits.len() != 32 {
        return None;
    }
    for (byte, pair) in uuid.iter_mut().zip(digits.as_chunks::<2>().0) {
        *byte = pair[0] << 4 | pair[1];
    }
    Some(uuid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_exact_or_texts() {
        for (text, id) in [
            ("42", Id::Number(42.0)),
            ("-0", Id::Number(0.0)),
            ("1.50", Id::Number(1.5)),
            ("10.000", Id::Number(10.0)),
            ("9007199254740992", Id::Number(9_007_199_254_740_992.0)),
            ("9007199254740993", Id::Integer("9007199254740993".into())),
            ("123456789012345678901234567890", Id::Integer("123456789012345678901234567890".into())),
        ] {
            assert_eq!(Id::of_decimal(text), Some(id), "{text}");
        }
        for text in ["", "-", "--1", ".5", "NaN", "Infinity", "-Infinity", "0.12345678901234567890", "1e5"] {
            assert_eq!(Id::of_decimal(text), None, "{text}");
        }
        assert_eq!(Id::of_whole(-(1 << 53) - 1), Id::Integer("-9007199254740993".into()));
    }

    #[test]
    fn ids_of_a_file_have_one_type() {
        let whole = [Id::Number(1.0), Id::Integer("9007199254740993".into())];
        assert_eq!(Ids::of(whole.to_vec()), Ok(Ids::Bigint(vec![1, 9_007_199_254_740_993])));
        let mixed = [Id::Number(1.5), Id::Text("a".into())];
        let mut ids = Ids::of(mixed.to_vec()).unwrap();
        assert_eq!(ids, Ids::Text(vec!["1.5".into(), "a".into()]));
        assert_eq!((ids.take(1), ids.take(2)), (Some(Id::Text("a".into())), None));
    }
}
