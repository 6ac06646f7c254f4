//! Paths of a trellis, against a search through all of them and against the definition's words.

use crate::support::Rng;
use crate::support::path::{grid_step, on_the_grid, path};
use tq_simd::{Level, Trellis, TrellisRoom, Width, dequantize};

const WIDTHS: [Width; 2] = [Width::TrellisTwo, Width::TrellisFour];

/// A table of unit normal values, or nearly.
fn table(rng: &mut Rng) -> Vec<f32> {
    rng.normals(256)
}

pub(crate) fn rounds_to_the_grid(level: Level) {
    let mut rng = Rng::new(41);
    for width in WIDTHS {
        for scale in [1.0, 2f32.powi(-95), 2f32.powi(95), 0.05103104] {
            let table: Vec<f32> = table(&mut rng).iter().map(|x| x * scale).collect();
            let trellis = Trellis::new(width, &table).unwrap();
            let step = trellis.step();
            assert_eq!(step, grid_step(width.bits(), &table));
            for count in (0..=33).chain([100]) {
                let mut values: Vec<f32> = rng.normals(count).iter().map(|x| x * scale).collect();
                values.extend([0.0, -0.0, 0.5, 1.5, 2.5, -0.5, -1.5, 4094.5, 1e6, -1e6].map(|x| x * step));
                values.extend([f32::MAX, f32::MIN, f32::MIN_POSITIVE]);
                let by_the_book = |shift: f32| -> Vec<i16> {
                    values.iter().map(|x| on_the_grid(step, x + shift)).collect()
                };
                let (mut grid, mut low, mut high) =
                    (vec![0; values.len()], vec![0; values.len()], vec![0; values.len()]);
                trellis.round(level, &values, &mut grid);
                trellis.round_within(level, &values, 0.3 * step, &mut low, &mut high);
                assert_eq!(grid, by_the_book(0.0));
                assert_eq!((low, high), (by_the_book(-0.3 * step), by_the_book(0.3 * step)));
            }
        }
    }
}

/// What a path costs, exactly but for the rounding of its `f64` sums.
fn cost(width: Width, table: &[f32], step: f32, grid: &[i16], codes: &[u8]) -> f64 {
    let bits = width.bits();
    let mut state = 0usize;
    grid.iter()
        .zip(codes)
        .map(|(x, code)| {
            state = state >> bits | usize::from(*code) << (8 - bits);
            (f64::from(*x) - f64::from(table[state]) / f64::from(step)).powi(2)
        })
        .sum()
}

/// No path is cheaper by more than what the tags and the rounding of costs amount to.
pub(crate) fn finds_the_best_path(level: Level) {
    let mut rng = Rng::new(42);
    let mut room = TrellisRoom::default();
    for width in WIDTHS {
        let longest = if width == Width::TrellisTwo { 7 } else { 4 };
        for d in 1..=if cfg!(miri) { 2 } else { longest } {
            for _ in 0..if cfg!(miri) { 1 } else { 5 } {
                let table = table(&mut rng);
                let trellis = Trellis::new(width, &table).unwrap();
                let mut grid = vec![0; d];
                trellis.round(level, &rng.normals(d), &mut grid);
                let mut codes = vec![0; d];
                trellis.encode(level, d, &grid, &mut codes, &mut room).unwrap();
                let least = (0..1usize << (d as u32 * width.bits()))
                    .map(|path| {
                        let mask = (1 << width.bits()) - 1;
                        let codes: Vec<u8> =
                            (0..d).map(|i| (path >> (i as u32 * width.bits()) & mask) as u8).collect();
                        cost(width, &table, trellis.step(), &grid, &codes)
                    })
                    .fold(f64::INFINITY, f64::min);
                let found = cost(width, &table, trellis.step(), &grid, &codes);
                assert!(found <= least * (1.0 + 1e-5) + 1e-3, "{width:?} d={d}: {found} instead of {least}");
            }
        }
    }
}

/// One row, a few, sixteen and more: the same codes, and those of the definition.
pub(crate) fn paths_are_those_of_the_definition(level: Level) {
    let mut rng = Rng::new(43);
    let mut room = TrellisRoom::default();
    let dimensions: &[usize] =
        if cfg!(miri) { &[1, 5] } else { &[1, 2, 3, 4, 5, 7, 8, 31, 33, 100, 384, 1536] };
    for width in WIDTHS {
        for &d in dimensions {
            let table = table(&mut rng);
            let trellis = Trellis::new(width, &table).unwrap();
            let count = if cfg!(miri) { 5 } else { 37 };
            let mut values = rng.normals(count * d);
            // Outliers, ties and zeros.
            values[..d].fill(1e9);
            values[d..2 * d].fill(0.0);
            values[2 * d..3 * d].iter_mut().for_each(|x| *x *= 30.0);
            let mut grid = vec![0; count * d];
            trellis.round(level, &values, &mut grid);
            let expected: Vec<u8> =
                grid.chunks(d).flat_map(|grid| path(width.bits(), &table, trellis.step(), grid)).collect();
            for rows in [1, 3, 4, 15, 16, 17, count] {
                let rows = rows.min(count);
                let mut codes = vec![0xee; rows * d];
                trellis.encode(level, d, &grid[..rows * d], &mut codes, &mut room).unwrap();
                assert_eq!(codes, expected[..rows * d], "{} {width:?} d={d}, {rows} rows", level.name());
            }
            // What is decoded from the packed codes is what the path says.
            let mut packed = vec![0; width.packed_len(d)];
            for (i, code) in expected[..d].iter().enumerate() {
                let bit = i * width.bits() as usize;
                packed[bit / 8] |= code << (bit % 8);
            }
            let mut decoded = vec![0.0; d];
            dequantize(level, width, &packed, None, &table, &mut decoded);
            let mut state = 0usize;
            for (value, code) in decoded.iter().zip(&expected[..d]) {
                state = state >> width.bits() | usize::from(*code) << (8 - width.bits());
                assert_eq!(*value, table[state]);
            }
        }
    }
}

#[test]
fn tables_out_of_range_are_refused() {
    let table = table(&mut Rng::new(44));
    assert!(Trellis::new(Width::Two, &table).is_none());
    assert!(Trellis::new(Width::Eight, &table).is_none());
    assert!(Trellis::new(Width::TrellisTwo, &table[..255]).is_none());
    for (index, value) in [(3, f32::NAN), (255, f32::INFINITY), (0, 2e31)] {
        let mut table = table.clone();
        table[index] = value;
        assert!(Trellis::new(Width::TrellisTwo, &table).is_none(), "{value}");
    }
    let tiny: Vec<f32> = table.iter().map(|x| x * 1e-35).collect();
    assert!(Trellis::new(Width::TrellisFour, &tiny).is_none());
}
