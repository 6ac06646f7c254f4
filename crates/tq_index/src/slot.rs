//! A slot: what the first stage knows of a row.
//!
//! With *e* the decoded record in rotated space, *c* the centre of the slot's page, *r* = *e* - *c*:
//!
//! ```text
//!  0  tid: heap block (u32), line (u16)
//!  6  flags (u16): 0 free, 1 a row
//!  8  norm (f32): |r|
//! 12  kappa (u16): <r, sign r> / (|r| sqrt d), of 1, in 65,535ths; 0 if it couldn't be made: see below
//! 14  rho (i16): <c, r> / (|c| |r|), of 1, in 32,767ths
//! 16  bits: bit i % 8 of byte i / 8 says whether r_i >= 0
//! ```
//!
//! A slot that is made anew, in an index whose codes are in the table, may be of a row that can't be read now. It has kappa 0, and with
//! rho 0 every search measures it, with rho 1 it comes last, as what nobody sees any more.
//!
//! All of it is made by the same additions in the same order everywhere, so that a check can demand it to the bit.

use crate::centre::Centre;
use crate::layout::{SLOT_HEAD, Tid};

/// Flags of a slot with a row.
const LIVE: u16 = 1;

/// Norms beyond which, either way, squares come near the ends of `f32`: such rows are kept with the others.
const MODERATE: std::ops::RangeInclusive<f64> = 1e-15..=1e15;

/// The numbers of a slot.
struct SlotNumbers {
    norm: f32,
    kappa: u16,
    rho: i16,
}

/// Whether the first stage can tell anything of that vector: its norm is a moderate number, and not zero.
pub(crate) fn is_moderate(rotated: &[f32]) -> bool {
    let square: f64 = rotated.iter().map(|x| f64::from(*x) * f64::from(*x)).sum();
    MODERATE.contains(&square.sqrt())
}

/// Fills `slot` for the row `tid` that decodes to `rotated`.
pub(crate) fn fill(slot: &mut [u8], tid: Tid, rotated: &[f32], centre: &Centre) {
    let (head, bits) = slot.split_at_mut(SLOT_HEAD);
    let numbers = measure(rotated, centre, bits);
    head[..6].copy_from_slice(&tid.to_bytes());
    head[6..8].copy_from_slice(&LIVE.to_le_bytes());
    head[8..12].copy_from_slice(&numbers.norm.to_le_bytes());
    head[12..14].copy_from_slice(&numbers.kappa.to_le_bytes());
    head[14..16].copy_from_slice(&numbers.rho.to_le_bytes());
}

/// Marks a slot whose row can't be read: measured by every search, or, if it `is_gone`, last.
pub(crate) fn fill_unread(slot: &mut [u8], is_gone: bool) {
    slot[12..14].fill(0);
    slot[14..16].copy_from_slice(&i16::from(is_gone).to_le_bytes());
}

/// What a search does with rows whose slots have no numbers, by the ratios that [`numbers`] gives: `None` if it has some.
#[inline]
pub(crate) fn unread(ratios: u32) -> Option<Unread> {
    match (ratios as u16, ratios >> 16) {
        (0, 0) => Some(Unread::First),
        (0, _) => Some(Unread::Last),
        _ => None,
    }
}

/// When a row is measured whose slot has no numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unread {
    First,
    Last,
}

/// Lanes that are summed by themselves, for compilers to use registers.
const LANES: usize = 32;

/// The numbers of a row, and its bits.
fn measure(rotated: &[f32], centre: &Centre, bits: &mut [u8]) -> SlotNumbers {
    let (mut squares, mut sizes, mut commons) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
    let (lines, rest) = rotated.as_chunks::<LANES>();
    let (centre_lines, centre_rest) = centre.vector().as_chunks::<LANES>();
    let (bit_lines, bits_rest) = bits.as_chunks_mut::<{ LANES / 8 }>();
    let mut line = |e: &[f32; LANES], c: &[f32; LANES]| {
        let mut signs = 0u32;
        for lane in 0..LANES {
            let r = e[lane] - c[lane];
            squares[lane] += r * r;
            sizes[lane] += r.abs();
            commons[lane] += r * c[lane];
            signs |= u32::from(r >= 0.0) << lane;
        }
        signs.to_le_bytes()
    };
    for ((e, c), bits) in lines.iter().zip(centre_lines).zip(bit_lines) {
        *bits = line(e, c);
    }
    if !rest.is_empty() {
        let (mut e, mut c) = ([0.0; LANES], [0.0; LANES]);
        e[..rest.len()].copy_from_slice(rest);
        c[..rest.len()].copy_from_slice(centre_rest);
        let signs = u32::from_le_bytes(line(&e, &c)) & ((1 << rest.len()) - 1);
        bits_rest.copy_from_slice(&signs.to_le_bytes()[..bits_rest.len()]);
    }
    let sum = |lanes: [f32; LANES]| lanes.iter().map(|x| f64::from(*x)).sum::<f64>();
    let norm = sum(squares).sqrt();
    let ratio = |sum: f64, of: f64| if of > 0.0 { (sum / of).clamp(-1.0, 1.0) } else { 0.0 };
    let kappa = ratio(sum(sizes), norm * (rotated.len() as f64).sqrt());
    let rho = ratio(sum(commons), norm * centre.norm());
    SlotNumbers {
        norm: norm as f32,
        kappa: ((kappa * 65_535.0).round() as u16).max(1),
        rho: (rho * 32_767.0).round() as i16,
    }
}

/// The row of a slot, if it has one.
#[inline]
pub(crate) fn tid(slot: &[u8]) -> Option<Tid> {
    is_live(slot).then(|| Tid::from_bytes(slot))
}

/// Whether the slot has a row.
#[inline]
pub(crate) fn is_live(slot: &[u8]) -> bool {
    slot[6] != 0
}

/// Frees a slot.
pub(crate) fn free(slot: &mut [u8]) {
    slot[6..8].fill(0);
}

/// The numbers of a slot, as [`tq_simd::sign_bounds`] takes them: the norm, and the ratios in one word.
#[inline(always)]
pub(crate) fn numbers(slot: &[u8]) -> (f32, u32) {
    let numbers = slot[8..16].as_chunks::<4>().0;
    (f32::from_le_bytes(numbers[0]), u32::from_le_bytes(numbers[1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_bits_by_hand() {
        let centre = Centre::new(1, vec![1.0, 0.0, 0.0]);
        let mut slot = [0xFF; 17];
        let tid = Tid { block: 70_000, offset: 3 };
        fill(&mut slot, tid, &[3.0, -1.0, 2.0], &centre);
        // r = (2, -1, 2), of norm 3; its signs' sum is 5, <c, r> = 2.
        let (norm, ratios) = numbers(&slot);
        assert_eq!(norm, 3.0);
        assert_eq!(ratios as u16, (5.0 / 3.0 / 3f64.sqrt() * 65_535.0).round() as u16);
        assert_eq!((ratios >> 16) as i16, (2.0 / 3.0 * 32_767f64).round() as i16);
        assert_eq!(slot[16], 0b101);
        assert_eq!(super::tid(&slot), Some(tid));
        free(&mut slot);
        assert_eq!(super::tid(&slot), None);
    }

    #[test]
    fn rows_that_cannot_be_read() {
        let centre = Centre::new(1, vec![1.0, 0.0, 0.0]);
        let mut slot = [0; 17];
        let tid = Tid { block: 7, offset: 3 };
        fill(&mut slot, tid, &[3.0, -1.0, 2.0], &centre);
        assert_eq!(unread(numbers(&slot).1), None);
        for (is_gone, when) in [(false, Unread::First), (true, Unread::Last)] {
            fill_unread(&mut slot, is_gone);
            assert_eq!((unread(numbers(&slot).1), super::tid(&slot)), (Some(when), Some(tid)));
        }
    }

    #[test]
    fn a_row_at_the_centre_has_no_rest() {
        let vector: Vec<f32> = (0..40).map(|i| i as f32 - 5.0).collect();
        let centre = Centre::new(1, vector.clone());
        let mut slot = [0; 16 + 5];
        fill(&mut slot, Tid { block: 0, offset: 1 }, &vector, &centre);
        assert_eq!(numbers(&slot), (0.0, 1));
        assert_eq!(slot[16..], [0xFF; 5]);
    }

    #[test]
    fn vectors_that_say_nothing() {
        assert!(is_moderate(&[1.0, 0.0]));
        for x in [0.0, 1e-30, 1e30, f32::INFINITY, f32::NAN] {
            assert!(!is_moderate(&[x, 0.0]), "{x}");
        }
    }
}
