//! The texts of a vector: `\x` and the hexadecimal digits of a record, which is exact, or floats that are yet to be compressed,
//! `[0.1, 0.2, …]` or `{0.1, 0.2, …}`.
//!
//! The second form is pgvector's, the third that of PostgreSQL's arrays, whose elements may stand in quotation marks: so some
//! clients write them. White space is allowed around each, and around each number.

use tq_memory::{Grow, OutOfMemory};

/// How much of a number that is out of range is kept for the message.
const SHOWN: usize = 200;

/// What a text says.
#[derive(Debug, Clone, PartialEq)]
pub enum VectorText {
    /// Bytes that claim to be a record; [`RecordView::parse`](crate::RecordView::parse) tells.
    Record(Vec<u8>),
    /// At least one float. Infinities and NaN have texts too, and aren't refused here.
    Floats(Vec<f32>),
}

/// Why a text is no vector's.
#[derive(thiserror::Error, Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TextError {
    /// None of the forms.
    #[error("neither \"\\x\" with hexadecimal digits nor numbers in brackets")]
    Syntax,
    /// `[]` or `{}`.
    #[error("no numbers between the brackets")]
    Empty,
    /// An array with a NULL in it.
    #[error("a NULL among the numbers")]
    Null,
    /// An array of arrays, so many dimensions deep.
    #[error("an array of {0} dimensions")]
    Nested(u32),
    /// A finite number that `f32` can't hold.
    #[error("\"{0}\" is out of range")]
    Range(String),
    /// There is no memory for what it says.
    #[error("{0}")]
    Memory(#[from] OutOfMemory),
    /// Half a byte is left over.
    #[error("odd number of digits")]
    OddDigits,
    /// Something else where a hexadecimal digit should be.
    #[error("\"{}\" at position {position} is not a digit", .byte.escape_ascii())]
    NotDigit {
        /// What is there.
        byte: u8,
        /// Where: behind `\x`, in bytes, counted from 1.
        position: usize,
    },
}

impl VectorText {
    /// Reads each of the forms.
    ///
    /// # Errors
    /// The text is no vector's; see [`TextError`].
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let text = text.trim();
        match text.strip_prefix("\\x") {
            Some(digits) => parse_digits(digits.as_bytes()).map(Self::Record),
            None => parse_floats(text).map(Self::Floats),
        }
    }
}

/// The text of a record: `\x` and lower-case digits. There is room for one byte more, which C wants at its end.
///
/// # Errors
/// [`OutOfMemory`].
pub fn record_text(record: &[u8]) -> Result<String, OutOfMemory> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    // Gathered as a text, in memory that was made room for as bytes.
    let mut text = String::from_utf8(tq_memory::with_capacity(3 + 2 * record.len())?).unwrap_or_default();
    text.push_str("\\x");
    for byte in record {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    Ok(text)
}

fn parse_digits(digits: &[u8]) -> Result<Vec<u8>, TextError> {
    if !digits.len().is_multiple_of(2) {
        return Err(TextError::OddDigits);
    }
    let nibble = |place: usize| {
        let byte = digits[place];
        let value = char::from(byte).to_digit(16).map(|value| value as u8);
        value.ok_or(TextError::NotDigit { byte, position: place + 1 })
    };
    let mut bytes = tq_memory::with_capacity(digits.len() / 2)?;
    for i in 0..digits.len() / 2 {
        bytes.push(nibble(2 * i)? << 4 | nibble(2 * i + 1)?);
    }
    Ok(bytes)
}

fn parse_floats(text: &str) -> Result<Vec<f32>, TextError> {
    let between = |open, close| text.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
    let (inner, is_array) = match (between('[', ']'), between('{', '}')) {
        (Some(inner), _) => (inner, false),
        (_, Some(inner)) => (inner, true),
        _ => return Err(TextError::Syntax),
    };
    let inner = inner.trim();
    if inner.is_empty() {
        return Err(TextError::Empty);
    }
    if is_array && inner.starts_with('{') {
        return Err(TextError::Nested(1 + inner.bytes().take_while(|byte| *byte == b'{').count() as u32));
    }
    let mut floats = Vec::new();
    for piece in inner.split(',').map(str::trim) {
        floats.try_push(parse_float(if is_array { unquoted(piece)? } else { piece })?)?;
    }
    Ok(floats)
}

/// An element of an array: what stands in its quotation marks, if it has any.
fn unquoted(piece: &str) -> Result<&str, TextError> {
    match piece.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"').map(str::trim).ok_or(TextError::Syntax),
        None if piece.eq_ignore_ascii_case("null") => Err(TextError::Null),
        None => Ok(piece),
    }
}

fn parse_float(piece: &str) -> Result<f32, TextError> {
    let value: f32 = piece.parse().map_err(|_| TextError::Syntax)?;
    // "1e39" parses to infinity without a word; "inf" means what it says.
    if value.is_infinite() && piece.bytes().any(|byte| byte.is_ascii_digit()) {
        return Err(TextError::Range(piece.chars().take(SHOWN).collect()));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form() {
        assert_eq!(VectorText::parse(" \\x01aF "), Ok(VectorText::Record(vec![1, 0xaf])));
        assert_eq!(VectorText::parse("\\x"), Ok(VectorText::Record(vec![])));
        assert_eq!(VectorText::parse("\t[ 1, -2.5e-1 ,+3]\n"), Ok(VectorText::Floats(vec![1.0, -0.25, 3.0])));
        for text in ["{1,-0.25,3}", " { 1 , -2.5e-1,+3 }\n", r#"{"1","-0.25",3}"#, r#"{ " 1" ,-.25,"3"}"#] {
            assert_eq!(VectorText::parse(text), Ok(VectorText::Floats(vec![1.0, -0.25, 3.0])), "{text}");
        }
        assert_eq!(record_text(&[0, 0x1f, 0xa0]).unwrap(), "\\x001fa0");
    }

    #[test]
    fn infinities_are_left_to_others() {
        let Ok(VectorText::Floats(floats)) = VectorText::parse("[inf,-Infinity,NaN]") else { panic!() };
        assert!(floats[0] == f32::INFINITY && floats[1] == f32::NEG_INFINITY && floats[2].is_nan());
    }

    #[test]
    fn what_is_wrong() {
        for text in [
            "",
            "x",
            "\\",
            "\\X00",
            "[",
            "]",
            "[1",
            "1]",
            "[1,]",
            "[,1]",
            "[1 2]",
            "[[1]]",
            "[1]x",
            "(1)",
            "[0x1]",
            "{",
            "}",
            "{1",
            "{1]",
            "[1}",
            "{1,}",
            "{,1}",
            "{1}{2}",
            "[\"1\"]",
            "{\"1}",
            "{1\"}",
            "{\"1\"\"2\"}",
            "{\"\"}",
            "{\"null\"}",
            "[null]",
            "[0:1]={1,2}",
            "{1,{2}}",
            "{\\1}",
            "{\"\\1\"}",
        ] {
            assert_eq!(VectorText::parse(text), Err(TextError::Syntax), "{text}");
        }
        assert_eq!(VectorText::parse("[ ]"), Err(TextError::Empty));
        assert_eq!(VectorText::parse("{ }"), Err(TextError::Empty));
        assert_eq!(VectorText::parse("{1,NULL}"), Err(TextError::Null));
        assert_eq!(VectorText::parse("{{1,2},{3,4}}"), Err(TextError::Nested(2)));
        assert_eq!(VectorText::parse("{1e39}"), Err(TextError::Range("1e39".into())));
        assert_eq!(VectorText::parse("[0, 1e39 ]"), Err(TextError::Range("1e39".into())));
        assert_eq!(VectorText::parse("\\x012"), Err(TextError::OddDigits));
        assert_eq!(VectorText::parse("\\x01 2"), Err(TextError::NotDigit { byte: b' ', position: 3 }));
        assert_eq!(VectorText::parse("\\x0é").unwrap_err(), TextError::OddDigits);
        assert_eq!(
            VectorText::parse("\\xé").unwrap_err().to_string(),
            "\"\\xc3\" at position 1 is not a digit"
        );
    }
}
