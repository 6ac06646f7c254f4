//! The types that files have for the numbers of vectors, all little-endian, and `f32` or `f64` on both sides of them.

use half::{bf16, f16};
use tq_memory::{Grow, OutOfMemory};

use super::check::{TOO_LARGE_FOR_SINGLE, check_finite, value_error};
use super::error::RowsError;
use super::real::Real;

/// A type of floating-point numbers in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FloatType {
    /// IEEE binary16.
    F16,
    /// The upper half of IEEE binary32.
    Bf16,
    /// IEEE binary32.
    F32,
    /// IEEE binary64.
    F64,
}

/// Numbers of half precision that are converted at a time.
const SOME: usize = 1024;

impl FloatType {
    /// Bytes of a number.
    pub fn width(self) -> usize {
        match self {
            FloatType::F16 | FloatType::Bf16 => 2,
            FloatType::F32 => 4,
            FloatType::F64 => 8,
        }
    }

    /// Appends the numbers that `bytes` hold, the nearest that there are; a last one that is not whole is left out.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub(crate) fn decode<N: Real>(self, bytes: &[u8], out: &mut Vec<N>) -> Result<(), OutOfMemory> {
        out.try_room(bytes.len() / self.width())?;
        match self {
            FloatType::F16 => {
                let mut halves = [f16::ZERO; SOME];
                for bytes in bytes.as_chunks().0.chunks(SOME) {
                    let halves = &mut halves[..bytes.len()];
                    halves.iter_mut().zip(bytes).for_each(|(half, b)| *half = f16::from_le_bytes(*b));
                    N::extend_f16(halves, out);
                }
            }
            FloatType::Bf16 => {
                out.extend(bytes.as_chunks().0.iter().map(|b| N::of_f32(bf16::from_le_bytes(*b).to_f32())));
            }
            FloatType::F32 => {
                out.extend(bytes.as_chunks().0.iter().map(|b| N::of_f32(f32::from_le_bytes(*b))))
            }
            FloatType::F64 => {
                out.extend(bytes.as_chunks().0.iter().map(|b| N::of_f64(f64::from_le_bytes(*b))))
            }
        }
        Ok(())
    }

    /// Appends rows in this type; the first of them is row `first`, counted from 0, of the whole. `out` is to be thrown
    /// away after an error.
    ///
    /// # Errors
    /// [`RowsError::Value`] for a number that isn't finite, or not any more in this type.
    pub(crate) fn encode<N: Real>(
        self,
        rows: &[N],
        dimension: u32,
        first: u64,
        out: &mut Vec<u8>,
    ) -> Result<(), RowsError> {
        check_finite(rows, dimension, first)?;
        out.try_room(rows.len() * self.width())?;
        let too_large = match self {
            FloatType::F16 => {
                let (mut halves, mut too_large) = ([f16::ZERO; SOME], None);
                for (number, rows) in rows.chunks(SOME).enumerate() {
                    let halves = &mut halves[..rows.len()];
                    N::to_f16(rows, halves);
                    out.extend(halves.iter().flat_map(|half| half.to_le_bytes()));
                    let place = halves.iter().position(|half| !half.is_finite());
                    too_large = too_large.or(place.map(|place| number * SOME + place));
                }
                too_large
            }
            FloatType::Bf16 => {
                let halves = || rows.iter().map(|value| value.to_bf16());
                out.extend(halves().flat_map(bf16::to_le_bytes));
                halves().position(|half| !half.is_finite())
            }
            FloatType::F32 => match N::singles(rows) {
                // As they are in memory.
                Some(singles) if cfg!(target_endian = "little") => {
                    out.extend_from_slice(bytemuck::cast_slice(singles));
                    None
                }
                _ => {
                    out.extend(rows.iter().flat_map(|value| value.to_f32().to_le_bytes()));
                    rows.iter().position(|value| N::DOUBLE && !value.to_f32().is_finite())
                }
            },
            FloatType::F64 => {
                out.extend(rows.iter().flat_map(|value| value.to_f64().to_le_bytes()));
                None
            }
        };
        let Some(index) = too_large else { return Ok(()) };
        let problem = match self {
            FloatType::F32 => TOO_LARGE_FOR_SINGLE,
            _ => "too large for half precision",
        };
        Err(value_error(index, dimension, first, problem))
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::check_read;
    use super::*;

    const ALL: [FloatType; 4] = [FloatType::F16, FloatType::Bf16, FloatType::F32, FloatType::F64];

    #[test]
    fn there_and_back() {
        // Exact in all of them.
        let rows: Vec<f32> = (-40..40).map(|i| i as f32 / 8.0).collect();
        for float in ALL {
            let (mut bytes, mut back) = (vec![9], vec![7.0]);
            float.encode(&rows, 8, 0, &mut bytes).unwrap();
            assert_eq!(bytes.len(), 1 + rows.len() * float.width());
            float.decode(&bytes[1..], &mut back).unwrap();
            assert_eq!(back[1..], rows);
            check_finite(&back, 1, 0).unwrap();
            back.clear();
            float.decode(&bytes[1..bytes.len() - 1], &mut back).unwrap();
            assert_eq!(back, rows[..79]);
        }
    }

    #[test]
    fn bits_of_each() {
        let encode = |float: FloatType, value: f32| {
            let mut bytes = Vec::new();
            float.encode(&[value], 1, 0, &mut bytes).map(|()| bytes)
        };
        // 1 + 2⁻¹¹ lies between two halves and goes to the even one.
        assert_eq!(encode(FloatType::F16, 1.0 + f32::EPSILON * 4096.0).unwrap(), [0x00, 0x3c]);
        assert_eq!(encode(FloatType::Bf16, -1.5).unwrap(), [0xc0, 0xbf]);
        assert_eq!(encode(FloatType::F32, -1.5).unwrap(), [0, 0, 0xc0, 0xbf]);
        assert_eq!(encode(FloatType::F64, -1.5).unwrap(), [0, 0, 0, 0, 0, 0, 0xf8, 0xbf]);
        assert_eq!(encode(FloatType::F16, 65504.0).unwrap(), [0xff, 0x7b]);
        for (float, value) in [(FloatType::F16, 65520.0), (FloatType::Bf16, -f32::MAX)] {
            let error = encode(float, value).unwrap_err();
            assert_eq!(error.to_string(), "row 1, column 1: too large for half precision");
        }
        for float in ALL {
            assert_eq!(encode(float, f32::NAN).unwrap_err().to_string(), "row 1, column 1: not a number");
        }
    }

    #[test]
    fn what_does_not_become_finite_is_placed() {
        let mut bytes = Vec::new();
        for value in [1.0, 2.0, 3.0, f64::MAX] {
            bytes.extend(value.to_le_bytes());
        }
        let mut rows: Vec<f32> = Vec::new();
        FloatType::F64.decode(&bytes, &mut rows).unwrap();
        let error = check_read(true, &rows, 2, 10).unwrap_err();
        assert_eq!(error.to_string(), "row 12, column 2: infinite in single precision");
        let error = check_read(false, &[f32::NEG_INFINITY], 1, 0).unwrap_err();
        assert_eq!(error.to_string(), "row 1, column 1: infinite");
    }
}
