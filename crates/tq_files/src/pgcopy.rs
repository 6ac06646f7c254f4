//! PostgreSQL's binary COPY data: what a file begins and ends with, and its fields.
//!
//! ```text
//! "PGCOPY\n\377\r\n\0"  i32 flags = 0  i32 extension length = 0
//! per row:  i16 columns   per column:  i32 length   that many bytes
//! i16 -1
//! ```
//!
//! A field of type `numeric` (`numeric_recv`, utils/adt/numeric.c):
//!
//! ```text
//! i16 count of digits   i16 weight of the first   u16 sign (0 or 0x4000)   u16 digits shown behind the point
//! per digit:  i16 from 0 to 9999
//! ```
//!
//! A digit counts 10000 times what the next one counts; the weight is the power of 10000 of the first. All is big-endian.

/// What the data begins with.
pub const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// What the data ends with.
pub const TRAILER: [u8; 2] = (-1i16).to_be_bytes();

/// Appends a field of these bytes, at most 2 GiB.
pub fn field(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(bytes.len() as i32).to_be_bytes());
    out.extend_from_slice(bytes);
}

const BASE_DIGITS: usize = 4;
const NEGATIVE: u16 = 0x4000;

/// Appends the field of a number in decimal notation without an exponent, its length in front; `None`, and nothing
/// appended, for other text and for more digits than the type has.
pub fn numeric(text: &str, out: &mut Vec<u8>) -> Option<()> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (NEGATIVE, digits),
        None => (0, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let decimal = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !decimal(whole) || !decimal(fraction) {
        return None;
    }
    let shown = u16::try_from(fraction.len()).ok().filter(|shown| *shown < 0x4000)?;
    // Both parts in groups of four digits, counted from the point.
    let lead = whole.len().next_multiple_of(BASE_DIGITS) - whole.len();
    let tail = fraction.len().next_multiple_of(BASE_DIGITS) - fraction.len();
    let padded = format!("{}{whole}{fraction}{}", "0".repeat(lead), "0".repeat(tail));
    let groups: Vec<i16> = padded
        .as_bytes()
        .chunks(BASE_DIGITS)
        .map(|group| group.iter().fold(0, |value, digit| value * 10 + i16::from(digit - b'0')))
        .collect();
    let whole_groups = (lead + whole.len()) / BASE_DIGITS;
    let first = groups.iter().position(|group| *group != 0).unwrap_or(groups.len());
    let last = groups.iter().rposition(|group| *group != 0).map_or(first, |last| last + 1);
    let significant = &groups[first..last];
    let weight = i16::try_from(whole_groups as i64 - 1 - first as i64).ok()?;
    let count = i16::try_from(significant.len()).ok()?;
    let (weight, sign) = if count == 0 { (0, 0) } else { (weight, sign) };
    out.extend_from_slice(&(8 + 2 * i32::from(count)).to_be_bytes());
    out.extend_from_slice(&count.to_be_bytes());
    out.extend_from_slice(&weight.to_be_bytes());
    out.extend_from_slice(&sign.to_be_bytes());
    out.extend_from_slice(&shown.to_be_bytes());
    for group in significant {
        out.extend_from_slice(&group.to_be_bytes());
    }
    Some(())
}
