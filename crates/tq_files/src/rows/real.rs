//! The numbers of rows in memory: in single precision, which vectors are compressed and searched in, or in double
//! precision, which keeps what files of doubles and of large whole numbers hold.
//!
//! What files hold becomes a [`Real`] of either kind without a third in between, so nothing is rounded twice.

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

/// `f32` or `f64`.
pub trait Real: Copy + Default + PartialEq + Send + Sync + sealed::Real {
    /// Whether this is double precision.
    const DOUBLE: bool;

    /// Whether this is neither infinite nor none.
    fn is_finite(self) -> bool;

    /// Whether this is none.
    fn is_nan(self) -> bool;

    /// Whether this is zero, and not the negative one.
    fn is_positive_zero(self) -> bool;

    /// The nearest `f32`, which may be infinite.
    fn to_f32(self) -> f32;

    /// The same number as `f64`.
    fn to_f64(self) -> f64;
}

/// What readers and writers of files need, and nobody else.
pub(crate) mod sealed {
    use half::{bf16, f16};

    pub trait Real: Sized {
        fn of_f64(number: f64) -> Self;
        fn of_i64(number: i64) -> Self;
        fn of_u64(number: u64) -> Self;
        fn of_f32(number: f32) -> Self;
        /// Appends numbers.
        fn extend_f32(numbers: &[f32], out: &mut Vec<Self>);
        /// Appends numbers.
        fn extend_f16(numbers: &[f16], out: &mut Vec<Self>);
        /// The numbers as they are in memory, where they are single precision.
        fn singles(numbers: &[Self]) -> Option<&[f32]>;
        fn to_f16(numbers: &[Self], out: &mut [f16]);
        fn to_bf16(self) -> bf16;
        /// Whether all are finite. Without a branch for each number, the compiler uses vector instructions.
        fn all_finite(numbers: &[Self]) -> bool;
    }
}

macro_rules! real {
    ($float:ty, $bits:ty, $double:expr, $singles:expr, $f16:ident, $odd:expr) => {
        impl Real for $float {
            const DOUBLE: bool = $double;

            #[inline]
            fn is_finite(self) -> bool {
                <$float>::is_finite(self)
            }

            #[inline]
            fn is_nan(self) -> bool {
                <$float>::is_nan(self)
            }

            #[inline]
            fn is_positive_zero(self) -> bool {
                self.to_bits() == 0
            }

            #[inline]
            fn to_f32(self) -> f32 {
                self as f32
            }

            #[inline]
            fn to_f64(self) -> f64 {
                self.into()
            }
        }

        impl sealed::Real for $float {
            #[inline]
            fn of_f64(number: f64) -> Self {
                number as $float
            }

            #[inline]
            fn of_i64(number: i64) -> Self {
                number as $float
            }

            #[inline]
            fn of_u64(number: u64) -> Self {
                number as $float
            }

            #[inline]
            fn of_f32(number: f32) -> Self {
                number.into()
            }

            #[inline]
            fn extend_f32(numbers: &[f32], out: &mut Vec<Self>) {
                out.extend(numbers.iter().map(|number| <$float>::from(*number)));
            }

            #[inline]
            fn extend_f16(numbers: &[f16], out: &mut Vec<Self>) {
                let start = out.len();
                out.resize(start + numbers.len(), 0.0);
                numbers.$f16(&mut out[start..]);
            }

            #[inline]
            fn singles(numbers: &[Self]) -> Option<&[f32]> {
                $singles(numbers)
            }

            #[inline]
            fn to_f16(numbers: &[Self], out: &mut [f16]) {
                match $singles(numbers) {
                    Some(singles) => out.convert_from_f32_slice(singles),
                    None => {
                        let odd: Vec<f32> = numbers.iter().map(|number| $odd(*number)).collect();
                        out.convert_from_f32_slice(&odd);
                    }
                }
            }

            #[inline]
            fn to_bf16(self) -> bf16 {
                bf16::from_f32($odd(self))
            }

            #[inline]
            fn all_finite(numbers: &[Self]) -> bool {
                const EXPONENT: $bits = <$float>::INFINITY.to_bits();
                // An exponent of ones carries into the sign when its lowest bit is added.
                let carry =
                    |number: &$float| (number.to_bits() & EXPONENT) + (1 << (<$float>::MANTISSA_DIGITS - 1));
                numbers.iter().fold(0, |bits, number| bits | carry(number)) >> (<$bits>::BITS - 1) == 0
            }
        }
    };
}

real!(f32, u32, false, Some, convert_to_f32_slice, std::convert::identity);
real!(f64, u64, true, |_| None, convert_to_f64_slice, to_odd);

/// Of the two floats around a number that is none, the one with an odd last digit: rounded again, to fewer digits, it becomes
/// what the number itself would. Rounded to the nearest it could come to lie in the middle, and go to the wrong side.
fn to_odd(number: f64) -> f32 {
    let near = number as f32;
    if f64::from(near) == number || !near.is_finite() || near.to_bits() & 1 == 1 {
        return near;
    }
    if f64::from(near) < number { near.next_up() } else { near.next_down() }
}
