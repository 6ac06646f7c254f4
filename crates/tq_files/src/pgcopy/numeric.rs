//! Whole and fractional decimal numbers as fields of type `numeric` (`numeric_recv`, utils/adt/numeric.c).
//!
//! ```text
//! i16 count of digits   i16 weight of the first   u16 sign (0 or 0x4000)   u16 digits shown behind the point
//! per digit:  i16 from 0 to 9999
//! ```
//!
//! A digit counts 10000 times what the next one counts; the weight is the power of 10000 of the first.

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

#[cfg(test)]
mod tests {
    use super::*;

    /// A field's number again, in decimal notation, read as the type's documentation says.
    fn read(field: &[u8]) -> String {
        let words: Vec<i32> =
            field[4..].as_chunks().0.iter().map(|word| i16::from_be_bytes(*word).into()).collect();
        assert_eq!(field.len() - 4, u32::from_be_bytes(*field.first_chunk().unwrap()) as usize);
        let [count, weight, sign, shown, ref digits @ ..] = words[..] else { panic!("{field:?}") };
        assert_eq!(digits.len() as i32, count);
        assert!(digits.iter().all(|digit| (0..10_000).contains(digit)), "{digits:?}");
        assert!(digits.first() != Some(&0) && digits.last() != Some(&0), "{digits:?}");
        let digit =
            |power: i32| usize::try_from(weight - power).ok().and_then(|at| digits.get(at)).unwrap_or(&0);
        let whole: String = (0..=weight.max(0)).rev().map(|power| format!("{:04}", digit(power))).collect();
        let fraction: String = (1..=shown / 4 + 1).map(|power| format!("{:04}", digit(-power))).collect();
        let whole = whole.trim_start_matches('0');
        let whole = if whole.is_empty() { "0" } else { whole };
        let point = if shown > 0 { "." } else { "" };
        let minus = if sign != 0 { "-" } else { "" };
        format!("{minus}{whole}{point}{}", &fraction[..shown as usize])
    }

    #[test]
    fn there_and_back() {
        for text in [
            "0",
            "1",
            "-1",
            "9999",
            "10000",
            "-10001",
            "123456789012345678901234567890",
            "0.5",
            "-0.0001",
            "1.50",
            "10000.00001",
            "100000000",
            "0.00000001",
            "9007199254740993",
            "42.1234567",
        ] {
            let mut out = vec![7];
            numeric(text, &mut out).unwrap();
            assert_eq!(read(&out[1..]), text);
        }
        for (text, same) in [("-0", "0"), ("007", "7"), ("-0.00", "0.00"), ("5.", "5")] {
            let mut out = Vec::new();
            numeric(text, &mut out).unwrap();
            assert_eq!(read(&out), same, "{text}");
        }
    }

    #[test]
    fn what_is_no_number_leaves_nothing() {
        let long = "9".repeat(140_000);
        for text in ["", "-", "NaN", "1e5", "+1", "--1", ".5", "1.2.3", "1 ", "\u{0661}", long.as_str()] {
            let mut out = Vec::new();
            assert_eq!(numeric(text, &mut out), None, "{text:.20}");
            assert!(out.is_empty());
        }
    }
}
