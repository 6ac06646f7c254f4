//! What a column of vectors is declared as: `tqvec(1536)`, `tqvec(1536, 4)`, `tqvec(1536, 4, residual)`,
//! `tqvec(1536, 4, hadamard)`, `tqvec(1536, 4, trellis)`, `tqvec(1536, 4, normalize)`, `tqvec(1536, 4, 'a codec')`.
//!
//! A declaration is kept as a *type modifier*, one `i32` that is not negative:
//!
//! ```text
//! bit  0..15  dimension, 1 to 16384
//! bit 16..17  bit width: 0 any, 1 two, 2 four, 3 eight bits
//! bit 18      residual (only with a bit width)
//! bit 19..20  rotation: 0 not said, 1 haar, 2 hadamard
//! bit 21      trellis codes (only with a bit width of two or four)
//! bit 29      normalize: floats are scaled to unit length on their way in
//! bit 30      0
//! ```
//!
//! or, for a registered codec, which has a dimension, a width, a residual and a rotation of its own:
//!
//! ```text
//! bit  0..27  the first seven digits of the codec's config_hash
//! bit 29      normalize, as above
//! bit 30      1
//! ```
//!
//! So a modifier means the same in every database, and needs no codec to be there: a dump restores tables before codecs.
//!
//! The rotation steers how floats are compressed on their way in: Haar's, which TinyQuant decodes, where a width is said, and where
//! nothing is the fast one, since that is also what a literal becomes before anyone knows what column it is for. A record names
//! its rotation only through its config_hash, so it is enforced where that is the hash of a built-in codec. So are trellis codes, where
//! they are said.

mod error;
mod parse;
mod prefix;

pub use error::{TypmodError, TypmodMismatch};
pub use prefix::{CodecPrefix, Declaration};

use crate::{CodeKind, CodecConfig, CodecDefinition, CodecError, RotationKind, builtin};
use std::fmt;
use tq_format::{BitWidth, RecordView};

/// A column's or cast's type modifier.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Typmod {
    dimension: Option<u32>,
    fidelity: Option<(BitWidth, bool)>,
    rotation: Option<RotationKind>,
    trellis: bool,
    codec: Option<CodecPrefix>,
    normalize: bool,
}

/// Width and residual of what floats become where no modifier says another.
pub const FLOATS: (BitWidth, bool) = (BitWidth::Eight, true);

const WIDTH_SHIFT: u32 = 16;
const RESIDUAL_SHIFT: u32 = 18;
const ROTATION_SHIFT: u32 = 19;
const TRELLIS: u32 = 1 << 21;
const NORMALIZE: u32 = 1 << 29;
const CODEC: u32 = 1 << 30;

/// The width of that many bits, or `None` when it isn't 2, 4 or 8.
pub fn bit_width(bits: i64) -> Option<BitWidth> {
    u32::try_from(bits).ok().and_then(BitWidth::from_bits)
}

impl Typmod {
    /// The modifier behind the integer; a negative one is "none".
    pub fn from_raw(raw: i32) -> Typmod {
        let Ok(bits) = u32::try_from(raw) else {
            return Typmod::default();
        };
        let normalize = bits & NORMALIZE != 0;
        if bits & CODEC != 0 {
            return Typmod::of_codec(CodecPrefix(bits & 0xfff_ffff)).normalizing(normalize);
        }
        let dimension = bits & 0xffff;
        let residual = bits >> RESIDUAL_SHIFT & 1 == 1;
        let width = match bits >> WIDTH_SHIFT & 3 {
            1 => Some(BitWidth::Two),
            2 => Some(BitWidth::Four),
            3 => Some(BitWidth::Eight),
            _ => None,
        };
        let rotation = match bits >> ROTATION_SHIFT & 3 {
            1 => Some(RotationKind::Haar),
            2 => Some(RotationKind::Hadamard),
            _ => None,
        };
        Typmod {
            dimension: (dimension != 0).then_some(dimension),
            fidelity: width.map(|width| (width, residual)),
            rotation,
            trellis: matches!(width, Some(BitWidth::Two | BitWidth::Four)) && bits & TRELLIS != 0,
            codec: None,
            normalize,
        }
    }

    /// The codec of that prefix.
    pub fn of_codec(codec: CodecPrefix) -> Typmod {
        Typmod { codec: Some(codec), ..Typmod::default() }
    }

    /// The same, and whether floats are scaled to unit length.
    #[must_use]
    pub fn normalizing(self, normalize: bool) -> Typmod {
        Typmod { normalize, ..self }
    }

    /// Any dimension, this fidelity and rotation.
    pub fn of_fidelity(width: BitWidth, residual: bool, rotation: RotationKind) -> Typmod {
        Typmod { fidelity: Some((width, residual)), rotation: Some(rotation), ..Typmod::default() }
    }

    /// The integer that [`Typmod::from_raw`] reads; 0 for "none".
    pub fn to_raw(self) -> i32 {
        let normalize = if self.normalize { NORMALIZE } else { 0 };
        if let Some(CodecPrefix(prefix)) = self.codec {
            return (CODEC | normalize | prefix) as i32;
        }
        let width = match self.fidelity {
            None => 0,
            Some((BitWidth::Two, _)) => 1,
            Some((BitWidth::Four, _)) => 2,
            Some((BitWidth::Eight, _)) => 3,
        };
        let residual = u32::from(matches!(self.fidelity, Some((_, true))));
        let rotation = match self.rotation {
            None => 0,
            Some(RotationKind::Haar) => 1,
            Some(RotationKind::Hadamard) => 2,
        };
        let bits = self.dimension.unwrap_or(0)
            | width << WIDTH_SHIFT
            | residual << RESIDUAL_SHIFT
            | rotation << ROTATION_SHIFT
            | if self.trellis { TRELLIS } else { 0 }
            | normalize;
        bits as i32
    }

    /// The codec that it names.
    pub fn codec(self) -> Option<CodecPrefix> {
        self.codec
    }

    /// Whether floats are scaled to unit length on their way in.
    pub fn normalizes(self) -> bool {
        self.normalize
    }

    /// The dimension that it fixes, if it does; a codec's isn't known here.
    pub fn dimension(self) -> Option<u32> {
        self.dimension
    }

    /// The bit width and residual that floats get when they are compressed under this modifier. Without one they
    /// keep all that the format can keep.
    pub fn fidelity(self) -> (BitWidth, bool) {
        self.fidelity.unwrap_or(FLOATS)
    }

    /// The rotation for floats compressed under this modifier.
    pub fn rotation(self) -> RotationKind {
        self.rotation.unwrap_or(match self.fidelity {
            Some(_) => RotationKind::Haar,
            None => RotationKind::Hadamard,
        })
    }

    /// The kind of codes that floats get when they are compressed under this modifier.
    pub fn codes(self) -> CodeKind {
        if self.trellis { CodeKind::Trellis } else { CodeKind::Scalar }
    }

    /// The same with trellis codes, or without; there are none of eight bits, and none where no width is said.
    #[must_use]
    pub fn with_codes(self, codes: CodeKind) -> Typmod {
        let has_trellis = matches!(self.fidelity, Some((BitWidth::Two | BitWidth::Four, _)));
        Typmod { trellis: has_trellis && codes == CodeKind::Trellis, ..self }
    }

    /// Whether a record of [`FLOATS`] with that rotation is what the modifier makes of floats, or, where it says neither width
    /// nor rotation, what it has ever made of them.
    pub fn keeps_floats(self, rotation: RotationKind) -> bool {
        let says_nothing = self.fidelity.is_none() && self.rotation.is_none();
        self.codec.is_none()
            && !self.normalize
            && self.fidelity() == FLOATS
            && (says_nothing || self.rotation() == rotation)
    }

    /// What defines the built-in codec for floats of this modifier, if it says their dimension and width.
    ///
    /// # Errors
    /// [`CodecError::DimensionOutOfRange`], [`CodecError::TrellisOfEightBits`].
    pub fn builtin_codec(self) -> Result<Option<CodecDefinition>, CodecError> {
        let (Some(dimension), Some((width, residual))) = (self.dimension, self.fidelity) else {
            return Ok(None);
        };
        builtin::definition_of(dimension, width, residual, self.rotation(), self.codes()).map(Some)
    }

    /// Refuses a dimension that the modifier doesn't allow.
    ///
    /// # Errors
    /// [`TypmodMismatch::Dimension`].
    pub fn check_dimension(self, got: u32) -> Result<(), TypmodMismatch> {
        match self.dimension {
            Some(expected) if expected != got => Err(TypmodMismatch::Dimension { expected, got }),
            _ => Ok(()),
        }
    }

    /// Refuses a codec that isn't what the modifier says beside its name: where it says no width, any is right, and likewise the rotation.
    ///
    /// # Errors
    /// [`TypmodError::OtherCodec`].
    pub fn check_codec(self, name: &str, codec: &CodecConfig) -> Result<(), TypmodError> {
        let differs = |expected: String, got: String| {
            Err(TypmodError::OtherCodec { name: name.to_owned(), expected, got })
        };
        let fidelity = |(width, residual): (BitWidth, bool)| {
            let residual = if residual { "with residual" } else { "without residual" };
            format!("{} bits a dimension {residual}", width.bits())
        };
        let own = (codec.bit_width(), codec.residual());
        match (self.dimension, self.fidelity, self.rotation) {
            (Some(expected), ..) if expected != codec.dimension() => {
                differs(format!("{expected} dimensions"), format!("{}", codec.dimension()))
            }
            (_, Some(expected), _) if expected != own => differs(fidelity(expected), fidelity(own)),
            (.., Some(expected)) if expected != codec.rotation() => {
                differs(format!("the {expected} rotation"), format!("the {} rotation", codec.rotation()))
            }
            _ if self.trellis && codec.codes() != CodeKind::Trellis => {
                differs("trellis codes".to_string(), format!("{} codes", codec.codes()))
            }
            _ => Ok(()),
        }
    }

    /// Refuses a record that the modifier doesn't allow.
    ///
    /// # Errors
    /// [`TypmodMismatch`].
    pub fn check(self, record: &RecordView<'_>) -> Result<(), TypmodMismatch> {
        self.check_shape(
            record.dimension(),
            record.bit_width(),
            record.has_residual(),
            record.config_hash().as_bytes(),
        )
    }

    /// [`Typmod::check`] for records known by their shape and hash alone.
    ///
    /// # Errors
    /// [`TypmodMismatch`].
    pub fn check_shape(
        self,
        dimension: u32,
        width: BitWidth,
        residual: bool,
        hash: &[u8],
    ) -> Result<(), TypmodMismatch> {
        if let Some(expected) = self.codec
            && CodecPrefix::of_hash(hash) != Some(expected)
        {
            return Err(TypmodMismatch::Codec { expected });
        }
        self.check_dimension(dimension)?;
        if let Some((expected, expected_residual)) = self.fidelity {
            if width != expected {
                return Err(TypmodMismatch::BitWidth { expected, got: width });
            }
            if residual != expected_residual {
                return Err(TypmodMismatch::Residual { expected: expected_residual });
            }
        }
        if self.rotation.is_none() && !self.trellis {
            return Ok(());
        }
        let Some((rotation, codes)) = builtin::kind_of(hash, dimension, width, residual) else {
            return Ok(());
        };
        if let Some(expected) = self.rotation
            && rotation != expected
        {
            return Err(TypmodMismatch::Rotation { expected, got: rotation });
        }
        if self.trellis && codes != CodeKind::Trellis {
            return Err(TypmodMismatch::Codes { expected: CodeKind::Trellis, got: codes });
        }
        Ok(())
    }
}

/// What stands behind `tqvec`, parentheses included; nothing for "none".
impl fmt::Display for Typmod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = "(";
        let mut part = |part: &dyn fmt::Display| {
            write!(f, "{before}{part}")?;
            before = ",";
            Ok(())
        };
        if let Some(dimension) = self.dimension {
            part(&dimension)?;
        }
        if let Some((width, residual)) = self.fidelity {
            part(&width.bits())?;
            if residual {
                part(&"residual")?;
            }
        }
        if let Some(rotation) = self.rotation {
            part(&rotation)?;
        }
        if self.trellis {
            part(&"trellis")?;
        }
        if let Some(codec) = self.codec {
            part(&codec)?;
        }
        if self.normalize {
            part(&"normalize")?;
        }
        if before == "," { f.write_str(")") } else { Ok(()) }
    }
}
