//! Kernels for x86-64. Both levels have the same files with the same functions:
//!
//! - `strided`: rows of 2 and 4 bit codes without residuals, whole registers of codes at a time;
//! - `natural`: rows in dimension order: residuals, 8 bit codes, and decoding to floats;
//! - `dense`: rotations, and distances between decoded vectors.
//!
//! AVX-512 adds `planes`, 8 bit codes by byte permutes. Kernels take slices and cut them into fixed-size arrays, so that their
//! only `unsafe` parts are loads and stores through references; what a caller must see to is the processor's features.

pub(crate) mod avx2;
pub(crate) mod avx512;
