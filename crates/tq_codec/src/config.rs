//! What identifies a codec: bit width, seed, dimension, residual, rotation, kind of codes and centre, and the hash of them.
//!
//! A record names its codec by the SHA-256 of a canonical string. The string is TinyQuant's to the last
//! character (Python booleans and all), because the hash is what makes records portable. The codebook is
//! not part of it: whoever looks a codec up by its hash has to keep one codebook for each hash.

use crate::CodecError;
use sha2::{Digest, Sha256};
use std::fmt;
use tq_format::{BitWidth, MAX_DIMENSION};

/// The seed of the built-in codec: the letters `TQCV` read as a big-endian integer.
///
/// No one else uses it, so a record of another codec can't be taken for one of the built-in codec.
pub const BUILTIN_SEED: u64 = 1_414_611_798;

/// The orthogonal map that spreads a vector evenly over its coordinates before quantisation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RotationKind {
    /// TinyQuant's: a dense matrix, uniformly distributed over the orthogonal group.
    Haar,
    /// Random signs and Walsh-Hadamard transforms, as `docs/hadamard.md` defines them; no other reader knows it.
    Hadamard,
}

impl RotationKind {
    /// The name in canonical strings and in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Haar => "haar",
            Self::Hadamard => "hadamard",
        }
    }

    /// The rotation called `name`, or `None`. Names are lower case.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Haar, Self::Hadamard].into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for RotationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a coordinate's code chooses its entry of the codebook.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum CodeKind {
    /// TinyQuant's: a code is the number of an entry.
    #[default]
    Scalar,
    /// The last eight bits of codes, up to and with the coordinate's own, are the number of one of 256 entries, as `docs/trellis.md` defines
    /// it; no other reader knows it.
    Trellis,
}

impl CodeKind {
    /// The name in canonical strings and in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Trellis => "trellis",
        }
    }

    /// The kind called `name`, or `None`. Names are lower case.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Scalar, Self::Trellis].into_iter().find(|kind| kind.name() == name)
    }

    /// The kind of codes of that width whose codebook has so many entries; scalar where none has.
    pub fn of_entries(width: BitWidth, entries: usize) -> Self {
        let is_trellis = width != BitWidth::Eight && entries == Self::Trellis.entries(width);
        if is_trellis { Self::Trellis } else { Self::Scalar }
    }

    /// Entries in a codebook for codes of that width.
    pub fn entries(self, width: BitWidth) -> usize {
        match self {
            Self::Scalar => width.levels(),
            Self::Trellis => 256,
        }
    }
}

impl fmt::Display for CodeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The lower-case hexadecimal SHA-256 of a configuration's canonical string: 64 ASCII characters, as they
/// stand in a record's hash field.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConfigHash([u8; 64]);

impl ConfigHash {
    fn of(canonical: &str) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 64];
        for (pair, byte) in text.chunks_exact_mut(2).zip(Sha256::digest(canonical.as_bytes())) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        Self(text)
    }

    /// The hash as text.
    pub fn as_str(&self) -> &str {
        // The constructor writes nothing but ASCII digits and letters.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The hash as the bytes of a record's hash field.
    pub fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

/// The SHA-256 of a centre's floats, little-endian.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CentreHash([u8; 32]);

impl CentreHash {
    fn of(centre: &[f32]) -> Self {
        let mut digest = Sha256::new();
        centre.iter().for_each(|x| digest.update(x.to_le_bytes()));
        Self(digest.finalize().into())
    }
}

/// In lower-case hexadecimal.
impl fmt::Display for CentreHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for CentreHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CentreHash({self})")
    }
}

impl fmt::Display for ConfigHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for ConfigHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConfigHash({self})")
    }
}

/// Everything that a codec's hash covers. A value of this type is valid: its dimension is in range.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct CodecConfig {
    bit_width: BitWidth,
    seed: u64,
    dimension: u32,
    residual: bool,
    rotation: RotationKind,
    codes: CodeKind,
    centre: Option<CentreHash>,
}

impl CodecConfig {
    /// A configuration from its parts.
    ///
    /// # Errors
    /// [`CodecError::DimensionOutOfRange`] unless `dimension` is in `1..=16384`.
    pub fn new(
        bit_width: BitWidth,
        seed: u64,
        dimension: u32,
        residual: bool,
        rotation: RotationKind,
    ) -> Result<Self, CodecError> {
        check_dimension(dimension)?;
        Ok(Self { bit_width, seed, dimension, residual, rotation, codes: CodeKind::Scalar, centre: None })
    }

    /// The configuration of the built-in codec: [`BUILTIN_SEED`] and the Haar rotation.
    ///
    /// # Errors
    /// As [`CodecConfig::new`].
    pub fn builtin(dimension: u32, bit_width: BitWidth, residual: bool) -> Result<Self, CodecError> {
        Self::new(bit_width, BUILTIN_SEED, dimension, residual, RotationKind::Haar)
    }

    /// The same with codes of that kind.
    ///
    /// # Errors
    /// [`CodecError::TrellisOfEightBits`].
    pub fn with_codes(self, codes: CodeKind) -> Result<Self, CodecError> {
        if codes == CodeKind::Trellis && self.bit_width == BitWidth::Eight {
            return Err(CodecError::TrellisOfEightBits);
        }
        Ok(Self { codes, ..self })
    }

    /// How codes choose entries of the codebook.
    pub fn codes(&self) -> CodeKind {
        self.codes
    }

    /// The same with a centre: a vector of length *d* that is taken off all vectors.
    ///
    /// # Errors
    /// [`CodecError::CentreLength`].
    pub fn with_centre(self, centre: &[f32]) -> Result<Self, CodecError> {
        let expected = self.dimension as usize;
        if centre.len() != expected {
            return Err(CodecError::CentreLength { expected, got: centre.len() });
        }
        Ok(Self { centre: Some(CentreHash::of(centre)), ..self })
    }

    /// The same without a centre.
    #[must_use]
    pub fn without_centre(self) -> Self {
        Self { centre: None, ..self }
    }

    /// The hash of the centre, if there is one.
    pub fn centre(&self) -> Option<&CentreHash> {
        self.centre.as_ref()
    }

    /// Bits for each coordinate.
    pub fn bit_width(&self) -> BitWidth {
        self.bit_width
    }

    /// The seed of the rotation.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The number of coordinates.
    pub fn dimension(&self) -> u32 {
        self.dimension
    }

    /// Whether records carry what quantisation left, in half precision.
    pub fn residual(&self) -> bool {
        self.residual
    }

    /// The kind of rotation.
    pub fn rotation(&self) -> RotationKind {
        self.rotation
    }

    /// The string that is hashed. For the Haar rotation, scalar codes and no centre it is TinyQuant's; another rotation, trellis codes and
    /// then the centre are named at its end.
    pub fn canonical(&self) -> String {
        let Self { bit_width, seed, dimension, residual, rotation, codes, centre } = *self;
        let bits = bit_width.bits();
        let residual = if residual { "True" } else { "False" };
        let rotation = match rotation {
            RotationKind::Haar => String::new(),
            other => format!(",rotation={other}"),
        };
        let codes = match codes {
            CodeKind::Scalar => String::new(),
            other => format!(",codes={other}"),
        };
        let centre = centre.map_or_else(String::new, |centre| format!(",centre={centre}"));
        format!(
            "CodecConfig(bit_width={bits},seed={seed},dimension={dimension},\
             residual_enabled={residual}{rotation}{codes}{centre})"
        )
    }

    /// The hash by which records name this configuration.
    pub fn hash(&self) -> ConfigHash {
        ConfigHash::of(&self.canonical())
    }
}

/// Refuses dimensions that no record may have.
pub(crate) fn check_dimension(dimension: u32) -> Result<(), CodecError> {
    if dimension == 0 || dimension > MAX_DIMENSION {
        return Err(CodecError::DimensionOutOfRange { dimension: dimension.into() });
    }
    Ok(())
}
