//! The values that codes stand for, and the rule that picks one.
//!
//! The rule is the reference's, in f32 and with its ties: between the two entries around a value the nearer
//! one wins, and the higher one if f32 can't tell. Both f32 distances are monotone in the value, so between
//! two neighbours there is exactly one smallest f32 that goes to the higher: its threshold. Finding the
//! thresholds once by bisection over the f32 numbers turns the rule into comparisons, with equal outcome for
//! every f32 (a test walks the numbers around each threshold).
//!
//! Of a trellis a code by itself stands for nothing: the codes of a whole row are chosen together (see `paths`).

use crate::{CodeKind, CodecError, kernel_width, lloyd_max, trellis};
use half::bf16;
use std::sync::Arc;
use tq_format::BitWidth;
use tq_simd::Trellis;

/// The entries of a codebook, finite, and what picks the codes: for scalar codes entries ascend, and there are thresholds between them.
#[derive(Clone, PartialEq, Debug)]
pub struct Codebook {
    width: BitWidth,
    entries: Vec<f32>,
    rule: Rule,
}

/// What picks the codes of values.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Rule {
    /// A code is the number of thresholds at or below the value; there are `2^bits - 1` of them.
    Thresholds(Vec<f32>),
    /// The path of least squared error.
    Trellis(Arc<Trellis>),
}

impl Codebook {
    /// A codebook of `2^bits` entries.
    ///
    /// # Errors
    /// [`CodecError::CodebookCount`], [`CodecError::CodebookNotFinite`], and
    /// [`CodecError::CodebookNotAscending`] unless each entry is greater than the one before it.
    pub fn new(width: BitWidth, entries: Vec<f32>) -> Result<Self, CodecError> {
        let expected = width.levels();
        if entries.len() != expected {
            return Err(CodecError::CodebookCount {
                codes: CodeKind::Scalar,
                bits: width.bits(),
                expected,
                got: entries.len(),
            });
        }
        if let Some(index) = entries.iter().position(|entry| !entry.is_finite()) {
            return Err(CodecError::CodebookNotFinite { index });
        }
        if let Some(index) = entries.windows(2).position(|pair| pair[0] >= pair[1]) {
            return Err(CodecError::CodebookNotAscending { index: index + 1 });
        }
        Ok(Self::ascending(width, entries))
    }

    fn ascending(width: BitWidth, entries: Vec<f32>) -> Self {
        let thresholds = entries.windows(2).map(|pair| threshold(pair[0], pair[1])).collect();
        Self { width, entries, rule: Rule::Thresholds(thresholds) }
    }

    /// A codebook for a trellis: 256 entries, by state, in no order.
    ///
    /// # Errors
    /// [`CodecError::TrellisOfEightBits`], [`CodecError::CodebookCount`], [`CodecError::CodebookNotFinite`] and
    /// [`CodecError::TrellisRange`].
    pub fn of_trellis(width: BitWidth, entries: Vec<f32>) -> Result<Self, CodecError> {
        if width == BitWidth::Eight {
            return Err(CodecError::TrellisOfEightBits);
        }
        let expected = CodeKind::Trellis.entries(width);
        if entries.len() != expected {
            return Err(CodecError::CodebookCount {
                codes: CodeKind::Trellis,
                bits: width.bits(),
                expected,
                got: entries.len(),
            });
        }
        if let Some(index) = entries.iter().position(|entry| !entry.is_finite()) {
            return Err(CodecError::CodebookNotFinite { index });
        }
        match Trellis::new(kernel_width(width, CodeKind::Trellis), &entries) {
            Some(trellis) => Ok(Self { width, entries, rule: Rule::Trellis(Arc::new(trellis)) }),
            None => {
                let largest = entries.iter().fold(0f32, |largest, entry| largest.max(entry.abs()));
                Err(CodecError::TrellisRange { largest })
            }
        }
    }

    /// A codebook for codes of that kind.
    ///
    /// # Errors
    /// Those of [`Codebook::new`] or of [`Codebook::of_trellis`].
    pub fn of(codes: CodeKind, width: BitWidth, entries: Vec<f32>) -> Result<Self, CodecError> {
        match codes {
            CodeKind::Scalar => Self::new(width, entries),
            CodeKind::Trellis => Self::of_trellis(width, entries),
        }
    }

    /// The fixed table of a trellis (see [`trellis`](mod@crate::trellis)) for values of that standard deviation. Entries are rounded to
    /// bfloat16, a few hundredths of a per cent of the error, so that kernels look up half the bytes.
    ///
    /// # Errors
    /// [`CodecError::TrellisOfEightBits`], [`CodecError::CodebookNotFinite`] and [`CodecError::TrellisRange`].
    pub fn fixed_trellis(width: BitWidth, deviation: f64) -> Result<Self, CodecError> {
        let half = trellis::lower_half(width).ok_or(CodecError::TrellisOfEightBits)?;
        let upper = half.iter().rev().map(|entry| -entry);
        Self::of_trellis(
            width,
            half.iter()
                .copied()
                .chain(upper)
                .map(|entry| bf16::from_f64(entry * deviation).to_f32())
                .collect(),
        )
    }

    /// The codebook of the built-in codec, for values of variance `1/dimension`.
    ///
    /// # Errors
    /// [`CodecError::TrellisOfEightBits`].
    pub fn builtin(codes: CodeKind, width: BitWidth, dimension: u32) -> Result<Self, CodecError> {
        match codes {
            CodeKind::Scalar => Ok(Self::lloyd_max(width, dimension)),
            CodeKind::Trellis => Self::fixed_trellis(width, 1.0 / f64::from(dimension.max(1)).sqrt()),
        }
    }

    /// The Lloyd-Max codebook of the normal distribution with variance `1/dimension`.
    pub fn lloyd_max(width: BitWidth, dimension: u32) -> Self {
        let scale = f64::from(dimension.max(1)).sqrt();
        let half = lloyd_max::positive_half(width);
        let negative = half.iter().rev().map(|c| (-c / scale) as f32);
        let entries: Vec<f32> = negative.chain(half.iter().map(|c| (c / scale) as f32)).collect();
        Self::ascending(width, entries)
    }

    /// The kind of codes that it is for.
    pub fn codes(&self) -> CodeKind {
        match self.rule {
            Rule::Thresholds(_) => CodeKind::Scalar,
            Rule::Trellis(_) => CodeKind::Trellis,
        }
    }

    /// Bits for a code.
    pub fn bit_width(&self) -> BitWidth {
        self.width
    }

    /// The `2^bits` entries, ascending; of a trellis the 256, by state.
    pub fn entries(&self) -> &[f32] {
        &self.entries
    }

    /// What picks the codes.
    pub(crate) fn rule(&self) -> &Rule {
        &self.rule
    }

    /// The code of the entry nearest to `value`; ties go to the higher entry, NaN to the lowest. Of a trellis the lowest code: one value has
    /// none there.
    #[inline]
    pub fn quantize(&self, value: f32) -> u8 {
        let Rule::Thresholds(thresholds) = &self.rule else { return 0 };
        // The code is the number of thresholds at or below the value; there are 2^bits - 1 of them, so every
        // probe of this search is in range.
        let mut code = 0;
        let mut step = self.entries.len() / 2;
        while step > 0 {
            code += if value >= thresholds[code + step - 1] { step } else { 0 };
            step /= 2;
        }
        code as u8
    }

    /// `out[i]` = the entry that code `i` of a row chooses; `codes` are the row's first ones, a byte each.
    pub(crate) fn look_up(&self, codes: &[u8], out: &mut [f32]) {
        match &self.rule {
            Rule::Thresholds(_) => {
                for (out, code) in out.iter_mut().zip(codes) {
                    *out = self.entries[usize::from(*code)];
                }
            }
            Rule::Trellis(_) => {
                let bits = self.width.bits();
                let mut state = 0u8;
                for (out, code) in out.iter_mut().zip(codes) {
                    state = state >> bits | code << (8 - bits);
                    *out = self.entries[usize::from(state)];
                }
            }
        }
    }
}

/// The smallest f32 above `left` that is not nearer to `left` than to `right`.
fn threshold(left: f32, right: f32) -> f32 {
    let goes_left = |value: f32| (value - left).abs() < (value - right).abs();
    let (mut below, mut at) = (ordinal(left), ordinal(right));
    while at - below > 1 {
        let middle = below + (at - below) / 2;
        if goes_left(from_ordinal(middle)) { below = middle } else { at = middle }
    }
    from_ordinal(at)
}

/// Numbers the finite f32 in ascending order; both zeros are number 0.
fn ordinal(value: f32) -> i64 {
    let magnitude = i64::from(value.to_bits() & 0x7fff_ffff);
    if value.is_sign_negative() { -magnitude } else { magnitude }
}

fn from_ordinal(ordinal: i64) -> f32 {
    let value = f32::from_bits((ordinal.unsigned_abs() & 0x7fff_ffff) as u32);
    if ordinal < 0 { -value } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WIDTHS: [BitWidth; 3] = [BitWidth::Two, BitWidth::Four, BitWidth::Eight];

    /// The rule in the words of the reference: the first entry at or above the value is the right one of two.
    fn by_the_book(entries: &[f32], value: f32) -> u8 {
        let n = entries.len();
        let p = entries.iter().position(|&entry| entry >= value).unwrap_or(n);
        let p = if value.is_nan() { 0 } else { p };
        let right = p.min(n - 1);
        let left = right.saturating_sub(1);
        let chosen =
            if (value - entries[left]).abs() < (value - entries[right]).abs() { left } else { right };
        chosen as u8
    }

    fn check_around(codebook: &Codebook, value: f32) {
        let centre = ordinal(value);
        for number in centre - 40..=centre + 40 {
            let value = from_ordinal(number);
            assert_eq!(codebook.quantize(value), by_the_book(codebook.entries(), value), "at {value:e}");
        }
    }

    fn check(codebook: &Codebook) {
        for pair in codebook.entries().windows(2) {
            check_around(codebook, pair[0]);
            check_around(codebook, pair[1]);
            check_around(codebook, 0.5 * pair[0] + 0.5 * pair[1]);
        }
        let Rule::Thresholds(thresholds) = codebook.rule() else { panic!("scalar codes have thresholds") };
        for &threshold in thresholds {
            check_around(codebook, threshold);
        }
        for value in [0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, f32::MAX, f32::MIN] {
            assert_eq!(codebook.quantize(value), by_the_book(codebook.entries(), value), "at {value}");
        }
    }

    #[test]
    fn thresholds_are_the_rule_on_lloyd_max() {
        for width in WIDTHS {
            for dimension in [1, 3, 384, 1536, 16384] {
                check(&Codebook::lloyd_max(width, dimension));
            }
        }
    }

    #[test]
    fn thresholds_are_the_rule_on_awkward_codebooks() {
        let tiny = f32::from_bits(1);
        for entries in [
            vec![-f32::MAX, -1.0, 1.0, f32::MAX],
            vec![-tiny, 0.0, tiny, 2.0 * tiny],
            vec![-0.0, tiny, 1.0, 1.0 + f32::EPSILON],
            vec![0.0, 1e-30, 1e-10, 1e30],
            vec![1.0, 2.0, 3.0, 4.0],
        ] {
            check(&Codebook::new(BitWidth::Two, entries).unwrap());
        }
    }

    #[test]
    fn ties_go_up() {
        let codebook = Codebook::new(BitWidth::Two, vec![-3.0, -1.0, 1.0, 3.0]).unwrap();
        assert_eq!([-2.0, 0.0, 2.0].map(|tie| codebook.quantize(tie)), [1, 2, 3]);
    }

    #[test]
    fn lloyd_max_is_symmetric_and_valid() {
        for width in WIDTHS {
            let codebook = Codebook::lloyd_max(width, 1536);
            assert_eq!(Codebook::new(width, codebook.entries().to_vec()).as_ref(), Ok(&codebook));
            let entries = codebook.entries();
            assert!(entries.iter().zip(entries.iter().rev()).all(|(a, b)| *a == -*b));
        }
    }

    #[test]
    fn refusals_name_the_entry() {
        let new = |entries: &[f32]| Codebook::new(BitWidth::Two, entries.to_vec());
        assert_eq!(
            new(&[0.0; 3]),
            Err(CodecError::CodebookCount { codes: CodeKind::Scalar, bits: 2, expected: 4, got: 3 })
        );
        assert_eq!(new(&[0.0, 1.0, f32::NAN, 3.0]), Err(CodecError::CodebookNotFinite { index: 2 }));
        assert_eq!(new(&[0.0, 1.0, 2.0, f32::INFINITY]), Err(CodecError::CodebookNotFinite { index: 3 }));
        assert_eq!(new(&[0.0, 1.0, 1.0, 2.0]), Err(CodecError::CodebookNotAscending { index: 2 }));
        assert_eq!(new(&[1.0, 0.0, 2.0, 3.0]), Err(CodecError::CodebookNotAscending { index: 1 }));
        assert_eq!(new(&[-0.0, 0.0, 2.0, 3.0]), Err(CodecError::CodebookNotAscending { index: 1 }));
    }

    proptest! {
        #[test]
        fn thresholds_are_the_rule_everywhere(
            mut entries in prop::collection::btree_set(-1_000_000i64..1_000_000, 16),
            exponent in -30i32..30,
            bits in prop::collection::vec(any::<u32>(), 64),
            near in prop::collection::vec(-1.1f32..1.1, 64),
        ) {
            let scale = 2f32.powi(exponent);
            let entries: Vec<f32> = std::mem::take(&mut entries).into_iter().map(|e| e as f32 * scale).collect();
            let codebook = Codebook::new(BitWidth::Four, entries).unwrap();
            let near = near.into_iter().map(|x| x * 1e6 * scale);
            for value in bits.into_iter().map(f32::from_bits).chain(near) {
                prop_assert_eq!(codebook.quantize(value), by_the_book(codebook.entries(), value));
            }
        }
    }
}
