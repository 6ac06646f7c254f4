//! The path of a trellis in the words of `docs/trellis.md`; also of use to `tq_codec`'s tests.

/// The codes of a row of grid values, for a table of 256 entries by state and the distance of neighbouring grid values.
pub(crate) fn path(bits: u32, table: &[f32], step: f32, grid: &[i16]) -> Vec<u8> {
    let (groups, mask) = (256usize >> bits, (1u32 << bits) - 1);
    let mut costs: Vec<f32> = (0..256u32)
        .map(|state| f32::from_bits(if state == 0 { 0 } else { 0x7100_0000 | (state & mask) }))
        .collect();
    let mut survivors: Vec<Vec<u32>> = Vec::new();
    for x in grid {
        let least = |group: &[f32]| group.iter().copied().fold(f32::INFINITY, f32::min);
        let least: Vec<f32> = costs.chunks(1 << bits).map(least).collect();
        survivors.push(least.iter().map(|cost| cost.to_bits() & mask).collect());
        let cost = |state: usize| {
            let error = f32::from(*x) - table[state] / step;
            let sum = least[state % groups] + error * error;
            f32::from_bits((sum.to_bits() & !mask) | (state as u32 & mask))
        };
        costs = (0..256).map(cost).collect();
    }
    let mut state = 0;
    for other in 1..256 {
        if costs[other] < costs[state] {
            state = other;
        }
    }
    let mut codes = vec![0; grid.len()];
    for (code, survivors) in codes.iter_mut().zip(&survivors).rev() {
        *code = (state >> (8 - bits)) as u8;
        let group = state % groups;
        state = group << bits | survivors[group] as usize;
    }
    codes
}

/// The number on the grid that is nearest to a value, ties to even.
pub(crate) fn on_the_grid(step: f32, value: f32) -> i16 {
    (f64::from(value) / f64::from(step)).round_ties_even().clamp(-4095.0, 4095.0) as i16
}

/// The distance of neighbouring grid values: the power of two of which the largest entry is 128 to 256 times (two bits) or 256 to 512 times
/// (four bits).
pub(crate) fn grid_step(bits: u32, table: &[f32]) -> f32 {
    let largest = table.iter().fold(0f32, |largest, entry| largest.max(entry.abs()));
    let least = if bits == 2 { 128.0 } else { 256.0 };
    let mut step = 1.0f32;
    while largest / step < least {
        step /= 2.0;
    }
    while largest / step >= 2.0 * least {
        step *= 2.0;
    }
    step
}

/// The states that codes pass through: the numbers of their entries.
pub(crate) fn states(bits: u32, codes: &[u8]) -> Vec<usize> {
    let mut state = 0usize;
    let next = |code: &u8| {
        state = state >> bits | usize::from(*code) << (8 - bits);
        state
    };
    codes.iter().map(next).collect()
}
