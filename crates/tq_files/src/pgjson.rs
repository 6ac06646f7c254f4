//! Which JSON PostgreSQL's `jsonb` takes: less than there is.

/// Digits of a number, and of its exponent, that `numeric` takes in any case.
const MOST_DIGITS: usize = 1000;
const MOST_EXPONENT_DIGITS: usize = 3;

/// Whether `jsonb` takes a text that is JSON, in a database of UTF-8 or of another encoding. Of any other text the answer says nothing.
pub fn fits_jsonb(json: &str, unicode: bool) -> bool {
    let mut rest = json;
    while let Some(start) =
        rest.find(|letter: char| letter == '"' || letter == '-' || letter.is_ascii_digit())
    {
        let (fine, behind) = match rest[start..].strip_prefix('"') {
            Some(string) => string_fits(string, unicode),
            None => number_fits(&rest[start..]),
        };
        if !fine {
            return false;
        }
        rest = behind;
    }
    true
}

/// Of a string whose quote is taken off: a NUL and half a surrogate pair are no text.
fn string_fits(string: &str, unicode: bool) -> (bool, &str) {
    let (mut at, mut high) = (0, false);
    // An escape at the end, or of a letter of several bytes, is no JSON.
    while let Some(found) = string.get(at..).and_then(|rest| rest.find(['"', '\\'])) {
        // Half a pair stands alone if anything comes between it and the other half.
        if high && found > 0 {
            return (false, "");
        }
        at += found;
        let escape = string.as_bytes().get(at + 1);
        if string.as_bytes()[at] == b'"' {
            return (!high, &string[at + 1..]);
        }
        if escape != Some(&b'u') {
            if high {
                return (false, "");
            }
            at += 2;
            continue;
        }
        let code = string.get(at + 2..at + 6).and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let fine = match code {
            None | Some(0) => false,
            Some(0xDC00..=0xDFFF) => std::mem::take(&mut high),
            Some(0xD800..=0xDBFF) => !std::mem::replace(&mut high, true),
            Some(_) => !high,
        };
        if !fine || code.is_some_and(|code| code > 0x7F && !unicode) {
            return (false, "");
        }
        at += 6;
    }
    (false, "")
}

fn number_fits(text: &str) -> (bool, &str) {
    let end = text.find(|letter: char| !(letter.is_ascii_alphanumeric() || "+-.".contains(letter)));
    let (number, behind) = text.split_at(end.unwrap_or(text.len()));
    let exponent =
        number.find(['e', 'E']).map_or(0, |at| number[at + 1..].trim_start_matches(['+', '-']).len());
    (number.len() <= MOST_DIGITS && exponent <= MOST_EXPONENT_DIGITS, behind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_jsonb_takes() {
        for json in ["null", "[1,-2.5e10,\"a\\\"b\"]", "{\"a\":\"\\ud83d\\ude00\"}", "\"\\n\\\\u0000\""] {
            assert!(fits_jsonb(json, true), "{json}");
        }
        for json in [
            "\"\\u0000\"",
            "\"\\ud83d\"",
            "\"\\ud83d \\ude00\"",
            "\"\\ude00\"",
            "[1e1000]",
            &format!("[{}]", "1".repeat(1001)),
            // No JSON at all.
            "\"1\\",
            "\"\\\u{e9}\"",
            "\"\\u00",
            "\"",
        ] {
            assert!(!fits_jsonb(json, true), "{json:.40}");
        }
        assert!(fits_jsonb("\"\\u00e9\"", true));
        assert!(!fits_jsonb("\"\\u00e9\"", false));
    }
}
