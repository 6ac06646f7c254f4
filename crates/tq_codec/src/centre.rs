//! What a codec takes off all vectors before it quantises them: the mean of those that it was made for.
//!
//! Embeddings of many models resemble one another; codes then spend their bits on what all have in common. With a centre *m*, codes are
//! of what is left:
//!
//! ```text
//! z = R·x - R·m     each of the two as Rotation::apply rounds it, the difference rounded once
//! e = z' + R·m      z' is the codebook's entry, plus residual, in f32; the sum rounded once
//! ```

use std::sync::Arc;

use crate::{CodecError, Rotation, check_vector};

/// The largest norm of a centre: with it, no square of a difference comes near the end of `f32`'s range.
const LARGEST_CENTRE: f64 = (1u64 << 40) as f64;

/// Refuses what can't be a centre.
///
/// # Errors
/// [`CodecError::NotFinite`], [`CodecError::CentreTooLong`].
pub fn check_centre(centre: &[f32]) -> Result<(), CodecError> {
    let norm = check_vector(centre)?;
    if norm > LARGEST_CENTRE { Err(CodecError::CentreTooLong { norm }) } else { Ok(()) }
}

/// A centre, as it was given and rotated.
#[derive(Debug)]
pub(crate) struct Centre {
    vector: Vec<f32>,
    rotated: Vec<f32>,
}

impl Centre {
    /// For codecs of that rotation. `poll` is called every few milliseconds, and may unwind.
    pub(crate) fn new(
        centre: &[f32],
        rotation: &Rotation,
        poll: &mut dyn FnMut(),
    ) -> Result<Arc<Self>, CodecError> {
        check_centre(centre)?;
        let mut rotated = tq_memory::filled(centre.len(), 0.0)?;
        rotation.apply_to(centre, &mut rotated, poll);
        Ok(Arc::new(Self { vector: tq_memory::copied(centre)?, rotated }))
    }

    /// As it was given.
    pub(crate) fn vector(&self) -> &[f32] {
        &self.vector
    }

    /// Rotated.
    pub(crate) fn rotated(&self) -> &[f32] {
        &self.rotated
    }

    /// Takes it off a rotated vector.
    pub(crate) fn subtract(&self, rotated: &mut [f32]) {
        rotated.iter_mut().zip(&self.rotated).for_each(|(y, m)| *y -= m);
    }

    /// Takes it off values that are near a rotated vector's; returns by how much more than before they may now be off.
    pub(crate) fn subtract_near(&self, near: &mut [f32]) -> f64 {
        self.subtract(near);
        // Both differences were rounded, this one and the definition's. Without signs, floats are ordered as their bits are.
        let largest = near.iter().map(|z| z.to_bits() & (u32::MAX >> 1)).max().unwrap_or(0);
        f64::from(f32::from_bits(largest)) / f64::from(1u32 << 22)
    }

    /// Adds it to what was decoded.
    pub(crate) fn add(&self, decoded: &mut [f32]) {
        decoded.iter_mut().zip(&self.rotated).for_each(|(z, m)| *z += m);
    }
}
