//! Kernels for x86-64. Both levels have the same files with the same functions:
//!
//! - `strided`: rows of 2 and 4 bit codes without residuals (of 2 bit codes for AVX2), a byte of codes a lane;
//! - `natural`: rows in dimension order: residuals, 8 bit codes, and decoding to floats;
//! - `signs`: rows of sign bits in slots, several at once;
//! - `lanes`: registers for the loops of [`crate::lanes`];
//! - `kernels`: the table of what there is.
//!
//! `planes` looks codes up byte by byte: 4 bit codes for AVX2, 8 bit codes for AVX-512, which also has `counts`, the norms of 2 bit
//! rows. Kernels take slices and cut them into fixed-size arrays, so that their only `unsafe` parts are loads and stores through
//! references; what a caller must see to is the processor's features.

pub(crate) mod avx2;
pub(crate) mod avx512;
