//! What defines a codec: its configuration, and what the configuration's hash stands for or leaves open.

use std::sync::Arc;

use crate::{Codebook, Codec, CodecConfig, CodecError, Rotation};

/// A codec without its rotation: small enough to be kept in a table or in a file beside records.
#[derive(Clone, PartialEq, Debug)]
pub struct CodecDefinition {
    config: CodecConfig,
    codebook: Codebook,
    centre: Option<Vec<f32>>,
}

impl CodecDefinition {
    /// A codec with that codebook, and with a centre of length *d* if one is given, whose hash then becomes part of the configuration.
    ///
    /// # Errors
    /// [`CodecError::CentreLength`]; [`CodecError::CentreMissing`] if the configuration has a centre already.
    pub fn new(
        config: CodecConfig,
        codebook: Codebook,
        centre: Option<Vec<f32>>,
    ) -> Result<Self, CodecError> {
        if config.centre().is_some() {
            return Err(CodecError::CentreMissing);
        }
        let config = match &centre {
            Some(centre) => config.with_centre(centre)?,
            None => config,
        };
        Ok(Self { config, codebook, centre })
    }

    /// What the codec's hash covers.
    pub fn config(&self) -> &CodecConfig {
        &self.config
    }

    /// The codebook.
    pub fn codebook(&self) -> &Codebook {
        &self.codebook
    }

    /// The centre, not rotated, if there is one.
    pub fn centre(&self) -> Option<&[f32]> {
        self.centre.as_deref()
    }

    /// The codec, made with its rotation. `poll` is called every few milliseconds where a large matrix is read, and may unwind.
    ///
    /// # Errors
    /// Those of [`Codec::new`] and [`Codec::with_centre`].
    pub fn codec(&self, rotation: Arc<Rotation>, poll: &mut dyn FnMut()) -> Result<Codec, CodecError> {
        let codec = Codec::new(self.config.without_centre(), self.codebook.clone(), rotation)?;
        match &self.centre {
            Some(centre) => codec.with_centre(centre, poll),
            None => Ok(codec),
        }
    }
}
