//! The JSON file in which TinyQuant's command line keeps a codec's configuration, next to its codebook.
//!
//! ```json
//! {
//!   "bit_width": 4,
//!   "seed": 42,
//!   "dimension": 64,
//!   "residual_enabled": true,
//!   "config_hash": "751b5d0e…"
//! }
//! ```
//! Written to the byte as TinyQuant writes it. The hash is informative: readers compute their own. Seeds are
//! 64-bit integers and are never taken through floating point. A rotation other than Haar's, and trellis codes, are named by one
//! more key each before the hash; TinyQuant passes over the key, computes another hash than the records bear and
//! so refuses them, as it should.

use crate::{CodeKind, CodecConfig, CodecError, RotationKind};
use serde::{Deserialize, Serialize};
use tq_format::BitWidth;

/// A configuration read from a sidecar, and the hash that the file states.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sidecar {
    /// The configuration; its hash is computed, not read.
    pub config: CodecConfig,
    /// The hash in the file, if it has one.
    pub stated_hash: Option<String>,
}

impl Sidecar {
    /// Whether the file states no hash or the right one.
    pub fn hash_agrees(&self) -> bool {
        self.stated_hash.as_ref().is_none_or(|stated| stated == self.config.hash().as_str())
    }
}

/// The file's keys, in its order.
#[derive(Serialize, Deserialize)]
struct Fields {
    bit_width: u32,
    seed: u64,
    dimension: u32,
    residual_enabled: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rotation: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    codes: Option<String>,
    #[serde(default)]
    config_hash: Option<String>,
}

/// Reads a sidecar. Keys that it doesn't know are passed over, as by TinyQuant.
///
/// # Errors
/// [`CodecError::Sidecar`] for what isn't such JSON or names an unknown rotation,
/// [`CodecError::BitWidthUnsupported`], [`CodecError::DimensionOutOfRange`].
pub fn parse(json: &[u8]) -> Result<Sidecar, CodecError> {
    // The derived reader would also take an array of the values.
    if json.trim_ascii_start().first() != Some(&b'{') {
        return Err(CodecError::Sidecar { reason: "not a JSON object".into() });
    }
    let fields: Fields =
        serde_json::from_slice(json).map_err(|error| CodecError::Sidecar { reason: error.to_string() })?;
    let bit_width = BitWidth::from_bits(fields.bit_width)
        .ok_or(CodecError::BitWidthUnsupported { bits: fields.bit_width })?;
    let rotation = match fields.rotation {
        None => RotationKind::Haar,
        Some(name) => RotationKind::from_name(&name)
            .ok_or_else(|| CodecError::Sidecar { reason: format!("unknown rotation \"{name}\"") })?,
    };
    let codes = match fields.codes {
        None => CodeKind::Scalar,
        Some(name) => CodeKind::from_name(&name)
            .ok_or_else(|| CodecError::Sidecar { reason: format!("unknown codes \"{name}\"") })?,
    };
    let config =
        CodecConfig::new(bit_width, fields.seed, fields.dimension, fields.residual_enabled, rotation)?
            .with_codes(codes)?;
    Ok(Sidecar { config, stated_hash: fields.config_hash })
}

/// Writes a sidecar: two spaces of indentation, no newline at the end.
///
/// # Errors
/// [`CodecError::Sidecar`] if the JSON writer fails, which it has no reason to.
pub fn write(config: &CodecConfig) -> Result<String, CodecError> {
    let rotation = match config.rotation() {
        RotationKind::Haar => None,
        other => Some(other.name().to_owned()),
    };
    let codes = match config.codes() {
        CodeKind::Scalar => None,
        other => Some(other.name().to_owned()),
    };
    let fields = Fields {
        bit_width: u32::from(config.bit_width().bits()),
        seed: config.seed(),
        dimension: config.dimension(),
        residual_enabled: config.residual(),
        rotation,
        codes,
        config_hash: Some(config.hash().to_string()),
    };
    serde_json::to_string_pretty(&fields).map_err(|error| CodecError::Sidecar { reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_keep_all_their_digits() {
        for seed in [0, 42, (1 << 53) + 1, u64::MAX] {
            let config = CodecConfig::new(BitWidth::Eight, seed, 384, true, RotationKind::Haar).unwrap();
            let json = write(&config).unwrap();
            assert!(json.contains(&format!("\"seed\": {seed},")), "{json}");
            let sidecar = parse(json.as_bytes()).unwrap();
            assert_eq!(sidecar.config, config);
            assert!(sidecar.hash_agrees());
        }
    }

    #[test]
    fn hadamard_is_named() {
        let config = CodecConfig::new(BitWidth::Two, 1, 8, false, RotationKind::Hadamard).unwrap();
        let json = write(&config).unwrap();
        assert!(json.contains("\"rotation\": \"hadamard\""), "{json}");
        assert_eq!(parse(json.as_bytes()).unwrap().config, config);
    }

    #[test]
    fn trellis_codes_are_named() {
        let config = CodecConfig::new(BitWidth::Two, 1, 8, false, RotationKind::Haar).unwrap();
        let config = config.with_codes(CodeKind::Trellis).unwrap();
        let json = write(&config).unwrap();
        assert!(json.contains("\"codes\": \"trellis\""), "{json}");
        assert_eq!(parse(json.as_bytes()).unwrap().config, config);
    }

    #[test]
    fn hashes_are_optional_and_never_believed() {
        let text = r#"{"seed": 7, "dimension": 3, "bit_width": 2, "residual_enabled": false, "more": [1]}"#;
        let sidecar = parse(text.as_bytes()).unwrap();
        assert_eq!(sidecar.stated_hash, None);
        assert!(sidecar.hash_agrees());
        let lying = text.replace("\"more\"", "\"config_hash\": \"00\", \"more\"");
        let sidecar_lying = parse(lying.as_bytes()).unwrap();
        assert_eq!(sidecar_lying.config.hash(), sidecar.config.hash());
        assert!(!sidecar_lying.hash_agrees());
    }

    #[test]
    fn refusals() {
        let base = r#"{"bit_width": 4, "seed": 7, "dimension": 3, "residual_enabled": false}"#;
        assert!(parse(base.as_bytes()).is_ok());
        let with = |from: &str, to: &str| parse(base.replace(from, to).as_bytes());
        assert_eq!(with("4", "3"), Err(CodecError::BitWidthUnsupported { bits: 3 }));
        assert_eq!(with("3,", "0,"), Err(CodecError::DimensionOutOfRange { dimension: 0 }));
        assert_eq!(with("3,", "16385,"), Err(CodecError::DimensionOutOfRange { dimension: 16385 }));
        for (from, to) in [
            ("7", "-7"),
            ("7", "7.0"),
            ("7", "18446744073709551616"),
            ("false", "0"),
            ("\"seed\": 7,", ""),
            ("}", ""),
            ("}", ", \"rotation\": \"givens\"}"),
            ("}", ", \"codes\": \"arithmetic\"}"),
        ] {
            assert!(matches!(with(from, to), Err(CodecError::Sidecar { .. })), "{from} -> {to}");
        }
        assert!(matches!(parse(b"\xff"), Err(CodecError::Sidecar { .. })));
        for array in [&b"[]"[..], b"[4, 7, 3, false, null, null]", b""] {
            assert!(matches!(parse(array), Err(CodecError::Sidecar { .. })));
        }
        assert!(parse(format!("\n {base}\n").as_bytes()).is_ok());
    }
}
