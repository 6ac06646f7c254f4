//! The 24 bytes at the start of a QVEC file.

use super::{Error, HEADER_LEN};

/// Bits of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bits {
    /// 2 bits: 4 levels.
    Two,
    /// 3 bits: 8 levels.
    Three,
    /// 4 bits: 16 levels.
    Four,
}

impl Bits {
    /// The width of so many bits, if there is one.
    pub fn from_bits(bits: u32) -> Option<Self> {
        match bits {
            2 => Some(Self::Two),
            3 => Some(Self::Three),
            4 => Some(Self::Four),
            _ => None,
        }
    }

    /// 2, 3 or 4.
    pub fn bits(self) -> u32 {
        match self {
            Self::Two => 2,
            Self::Three => 3,
            Self::Four => 4,
        }
    }

    /// The number of different codes: 4, 8 or 16.
    pub fn levels(self) -> usize {
        1 << self.bits()
    }

    /// Bytes of the codes of a vector whose dimension is a multiple of 8.
    pub fn row_len(self, dimension: u32) -> usize {
        (dimension / 8) as usize * self.bits() as usize
    }
}

/// Which of the three layouts a file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layout {
    /// Version 1 as quantvec's first description has it: without the calibration byte. No release of it reads this.
    Doc1,
    /// Version 1 as quantvec's first releases write it.
    V1,
    /// Version 2, with a place for an inverted file.
    V2,
}

impl Layout {
    /// The version byte.
    pub fn version(self) -> u8 {
        match self {
            Self::Doc1 | Self::V1 => 1,
            Self::V2 => 2,
        }
    }

    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Doc1 => "v1doc",
            Self::V1 => "v1",
            Self::V2 => "v2",
        }
    }
}

/// The ranking that an index was made for. It changes neither codes nor scales nor norms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Metric {
    /// Inner product.
    Dot,
    /// Cosine similarity.
    Cosine,
    /// Squared Euclidean distance.
    Euclidean,
}

impl Metric {
    /// The metric of that name, as quantvec spells it.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Dot, Self::Cosine, Self::Euclidean].into_iter().find(|metric| metric.name() == name)
    }

    /// Its name in quantvec.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dot => "dot",
            Self::Cosine => "cosine",
            Self::Euclidean => "euclidean",
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Dot),
            1 => Some(Self::Cosine),
            2 => Some(Self::Euclidean),
            _ => None,
        }
    }

    fn byte(self) -> u8 {
        match self {
            Self::Dot => 0,
            Self::Cosine => 1,
            Self::Euclidean => 2,
        }
    }
}

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Header {
    /// The layout of what follows.
    pub layout: Layout,
    /// Whether every vector has an id.
    pub keyed: bool,
    /// The default ranking.
    pub metric: Metric,
    /// Bits of a code.
    pub bits: Bits,
    /// Dimensions of a vector, a multiple of 8.
    pub dimension: u32,
    /// The number of vectors.
    pub count: u32,
    /// What the rotation was drawn by: any finite number.
    pub seed: f64,
}

impl Header {
    /// Reads a header, with the checks that need no more than it. Version 1 is [`Layout::V1`] for the time being.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let head = bytes.first_chunk::<HEADER_LEN>();
        let head = head.ok_or(Error::TooShort { got: bytes.len() as u64 })?;
        let [m0, m1, m2, m3, version, kind, metric, bits, d0, d1, d2, d3, n0, n1, n2, n3, seed @ ..] = *head;
        let magic = [m0, m1, m2, m3];
        if magic != *b"QVEC" {
            return Err(Error::BadMagic { got: magic });
        }
        let layout = match version {
            1 => Layout::V1,
            2 => Layout::V2,
            got => return Err(Error::BadVersion { got }),
        };
        if kind > 1 {
            return Err(Error::BadKind { got: kind });
        }
        let metric = Metric::from_byte(metric).ok_or(Error::BadMetric { got: metric })?;
        let bits = Bits::from_bits(bits.into()).ok_or(Error::BadBits { got: bits })?;
        let dimension = u32::from_le_bytes([d0, d1, d2, d3]);
        if dimension == 0 || !dimension.is_multiple_of(8) {
            return Err(Error::BadDimension { got: dimension });
        }
        let seed = f64::from_le_bytes(seed);
        if !seed.is_finite() {
            return Err(Error::BadSeed { got: seed });
        }
        let count = u32::from_le_bytes([n0, n1, n2, n3]);
        Ok(Self { layout, keyed: kind == 1, metric, bits, dimension, count, seed })
    }

    /// The header's bytes.
    pub fn to_bytes(&self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[..4].copy_from_slice(b"QVEC");
        bytes[4] = self.layout.version();
        bytes[5] = self.keyed.into();
        bytes[6] = self.metric.byte();
        bytes[7] = self.bits.bits() as u8;
        bytes[8..12].copy_from_slice(&self.dimension.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.count.to_le_bytes());
        bytes[16..].copy_from_slice(&self.seed.to_le_bytes());
        bytes
    }
}
