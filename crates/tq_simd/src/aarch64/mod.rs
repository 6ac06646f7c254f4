//! Kernels for AArch64. The level has the files that those of x86-64 have, with the same functions:
//!
//! - `strided`: rows of 2 and 4 bit codes without residuals, whole registers of codes at a time;
//! - `natural`: rows in dimension order: residuals, 8 bit codes, and decoding to floats;
//! - `signs`: rows of sign bits in slots, several at once;
//! - `lanes`: registers for the loops of [`crate::lanes`];
//! - `kernels`: the table of what there is.
//!
//! Advanced SIMD is part of every AArch64 processor that runs a general-purpose system, so nothing is asked at run time.

pub(crate) mod neon;
