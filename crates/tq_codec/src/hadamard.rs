//! The signs of a Hadamard rotation, drawn from a seed. `docs/hadamard.md` is the definition of the whole;
//! the transforms are `tq_simd`'s.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use tq_memory::OutOfMemory;

/// A mask for each input of each transform, in order: the sign bit where it is negated.
///
/// Sign *n* is bit *n* mod 8 of byte ⌊*n*/8⌋ of the ChaCha20 stream.
pub(crate) fn signs(seed: u64, dimension: usize) -> Result<Vec<u32>, OutOfMemory> {
    let count = tq_simd::hadamard_signs(dimension);
    let mut stream = tq_memory::filled(count.div_ceil(8), 0)?;
    ChaCha20Rng::seed_from_u64(seed).fill_bytes(&mut stream);
    tq_memory::collected((0..count).map(|n| u32::from(stream[n / 8] >> (n % 8) & 1) << 31))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first words of seed 42 are known; their bits, least significant first, are the first signs.
    #[test]
    fn signs_of_seed_42() {
        let signs = signs(42, 100).unwrap();
        assert_eq!(signs.len(), 6 * 64);
        let words = [0x8398_bc11_d7b5_4878u64, 0x6902_c9f9_a317_6399, 0x190a_545d_0071_67d5];
        for (n, sign) in signs.iter().take(192).enumerate() {
            let bit = words[n / 64] >> (n % 64) & 1;
            assert_eq!(*sign, (bit as u32) << 31, "sign {n}");
        }
    }
}
