//! Reading a declaration.

use super::prefix::{CodecPrefix, Declaration};
use super::{Typmod, TypmodError, bit_width};
use crate::{CodeKind, RotationKind};
use tq_format::{BitWidth, MAX_DIMENSION};

impl Typmod {
    /// What `tqvec(…)` says where it names no codec: one or two numbers (dimension, bit width) in this order, and words in any place.
    ///
    /// # Errors
    /// [`TypmodError`].
    pub fn parse<'a>(parts: impl Iterator<Item = &'a str>) -> Result<Typmod, TypmodError> {
        match Typmod::parse_declaration(parts)? {
            Declaration { typmod, codec: None } => Ok(typmod),
            Declaration { codec: Some(word), .. } => Err(TypmodError::UnknownWord(word)),
        }
    }

    /// What `tqvec(…)` says. A word that means nothing else is the name of a codec, beside which no number is needed.
    ///
    /// # Errors
    /// [`TypmodError`].
    pub fn parse_declaration<'a>(parts: impl Iterator<Item = &'a str>) -> Result<Declaration, TypmodError> {
        let mut numbers = Vec::new();
        let mut residual = false;
        let mut normalize = false;
        let mut rotation = None;
        let mut trellis = false;
        let mut prefix = None;
        let mut codec: Option<String> = None;
        for part in parts {
            match part.trim().to_ascii_lowercase().as_str() {
                "residual" if residual => return Err(TypmodError::ResidualTwice),
                "residual" => residual = true,
                "trellis" if trellis => return Err(TypmodError::TrellisTwice),
                "trellis" => trellis = true,
                "normalize" if normalize => return Err(TypmodError::NormalizeTwice),
                "normalize" => normalize = true,
                word @ ("haar" | "hadamard") => {
                    if rotation.is_some() {
                        return Err(TypmodError::RotationTwice);
                    }
                    rotation = RotationKind::from_name(word);
                }
                number => match number.parse::<i64>() {
                    Ok(number) => numbers.push(number),
                    Err(_) => match codec {
                        Some(first) => return Err(TypmodError::CodecTwice(first, part.to_string())),
                        None => {
                            prefix = CodecPrefix::of_word(part.trim());
                            codec = Some(part.to_string());
                        }
                    },
                },
            }
        }
        if let Some(prefix) = prefix
            && numbers.is_empty()
            && !residual
            && !trellis
            && rotation.is_none()
        {
            return Ok(Declaration { typmod: Typmod::of_codec(prefix).normalizing(normalize), codec: None });
        }
        if codec.is_some() && numbers.is_empty() {
            let typmod = Typmod { rotation, normalize, ..Typmod::default() };
            return if residual {
                Err(TypmodError::ResidualOfNoWidth)
            } else if trellis {
                Err(TypmodError::TrellisOfNoWidth)
            } else {
                Ok(Declaration { typmod, codec })
            };
        }
        let (dimension, width) = match numbers.as_slice() {
            [] => return Err(TypmodError::NoDimension),
            [dimension] => (*dimension, None),
            [dimension, width] => (*dimension, Some(*width)),
            _ => return Err(TypmodError::TooManyNumbers),
        };
        if !(1..=i64::from(MAX_DIMENSION)).contains(&dimension) {
            return Err(TypmodError::Dimension(dimension));
        }
        let width = match width {
            None => None,
            Some(bits) => Some(bit_width(bits).ok_or(TypmodError::BitWidth(bits))?),
        };
        if residual && width.is_none() {
            return Err(TypmodError::ResidualOfNoWidth);
        }
        match width {
            None if trellis => return Err(TypmodError::TrellisOfNoWidth),
            Some(BitWidth::Eight) if trellis => return Err(TypmodError::TrellisOfEightBits),
            _ => {}
        }
        let typmod = Typmod {
            dimension: Some(dimension as u32),
            fidelity: width.map(|width| (width, residual)),
            rotation,
            trellis,
            codec: None,
            normalize,
        };
        Ok(Declaration { typmod, codec })
    }

    /// Dimension, width, residual, rotation and kind of codes of the built-in codec that a declaration such as `tqvec(1536, 4)` stands
    /// for; `None` for any other text.
    #[allow(clippy::type_complexity)] // five plain parts
    pub fn of_declaration(
        text: &str,
    ) -> Option<Result<(u32, BitWidth, bool, RotationKind, CodeKind), TypmodError>> {
        let text = text.trim().to_ascii_lowercase();
        let parts = text.strip_prefix("tqvec")?.trim_start().strip_prefix('(')?.strip_suffix(')')?;
        let parsed = Typmod::parse(parts.split(',')).and_then(|typmod| {
            let dimension = typmod.dimension.ok_or(TypmodError::NoDimension)?;
            let (width, residual) = typmod.fidelity.ok_or(TypmodError::NoBitWidth)?;
            Ok((dimension, width, residual, typmod.rotation(), typmod.codes()))
        });
        Some(parsed)
    }
}
