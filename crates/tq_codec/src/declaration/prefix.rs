//! How a declaration names a registered codec.

use std::fmt;

use super::Typmod;

/// The first seven hexadecimal digits of a codec's config_hash: what a modifier has room for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct CodecPrefix(pub(super) u32);

/// Digits of a [`CodecPrefix`].
const PREFIX_DIGITS: usize = 7;

/// What stands before them in a declaration.
const PREFIX_WORD: &str = "codec_";

impl CodecPrefix {
    /// That of a hash; `None` if it doesn't begin with so many digits in lower case.
    pub fn of_hash(hash: &[u8]) -> Option<Self> {
        let digits = hash.get(..PREFIX_DIGITS)?;
        let value = |digit: &u8| match digit {
            b'0'..=b'9' => Some(u32::from(digit - b'0')),
            b'a'..=b'f' => Some(u32::from(digit - b'a') + 10),
            _ => None,
        };
        digits.iter().try_fold(0, |all, digit| Some(all << 4 | value(digit)?)).map(Self)
    }

    /// That of a word such as `codec_0123abc`.
    pub fn of_word(word: &str) -> Option<Self> {
        let digits = word.strip_prefix(PREFIX_WORD)?;
        Self::of_hash(digits.as_bytes()).filter(|_| digits.len() == PREFIX_DIGITS)
    }

    /// The digits as a number.
    pub fn number(self) -> u32 {
        self.0
    }

    /// The digits.
    pub fn digits(self) -> String {
        format!("{:07x}", self.0)
    }
}

/// The word of a declaration.
impl fmt::Display for CodecPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX_WORD}{:07x}", self.0)
    }
}

/// A declaration that may name a codec.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Declaration {
    /// What it says beside the codec's name.
    pub typmod: Typmod,
    /// The name of a registered codec.
    pub codec: Option<String>,
}
