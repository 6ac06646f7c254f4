//! Every kernel of every available level against an oracle written here from the definition, over every tail length.
//!
//! One macro instantiates the same checks for each level, and those of rows for each width; a level that the processor lacks says
//! so and passes.

#[path = "levels/bounds.rs"]
mod bounds;
#[path = "levels/dense.rs"]
mod dense;
#[path = "levels/encode.rs"]
mod encode;
#[path = "levels/hadamard.rs"]
mod hadamard;
#[path = "levels/signs.rs"]
mod signs;
mod support;
#[path = "levels/trellis.rs"]
mod trellis;

use support::{Codes, Rng, Row, assert_close, codebooks, dimensions, oracle, rows};
use tq_simd::{Level, ScanQuery, Width, dequantize, unpack};

/// The stated tolerance of row kernels.
const TOLERANCE: f64 = 1e-5;

fn distances(level: Level, width: Width) {
    let mut rng = Rng::new(0x51ab * u64::from(width.bits()));
    for d in dimensions() {
        let query = rng.normals(d);
        for codebook in codebooks(width, d, &mut rng) {
            let scan = ScanQuery::new(level, width, &query, &codebook).unwrap();
            assert_eq!((scan.dimension(), scan.width()), (d, width));
            let centre = rng.normals(d);
            let centred = scan.clone().with_centre(&centre).unwrap();
            for row in rows(width, d, &mut rng) {
                for offset in [0, 1, 3] {
                    let row = row.at_offset(offset);
                    check_distances(&scan, &query, &codebook, &row);
                    check_centred(&centred, &query, &centre, &codebook, &row);
                }
            }
        }
    }
}

fn check_distances(scan: &ScanQuery, query: &[f32], codebook: &[f32], row: &Row) {
    let x = oracle::values(scan.width(), query.len(), row.codes(), row.residual(), codebook);
    let what = format!("{} {:?} d={} {row:?}", scan.level().name(), scan.width(), query.len());
    let (dot, norm) = (oracle::dot(query, &x), oracle::dot(&x, &x));
    let scale = (oracle::dot(query, query) * norm).sqrt();
    let l2 = oracle::squared_l2(query, &x);

    assert_close(scan.dot(row.codes(), row.residual()), dot, TOLERANCE * scale, &what);
    let (both_dot, both_norm) = scan.dot_and_norm(row.codes(), row.residual());
    assert_close(both_dot, dot, TOLERANCE * scale, &what);
    assert_close(both_norm, norm, TOLERANCE * norm, &what);
    assert_close(scan.squared_l2(row.codes(), row.residual()), l2, TOLERANCE * l2, &what);
}

fn check_centred(scan: &ScanQuery, query: &[f32], centre: &[f32], codebook: &[f32], row: &Row) {
    let x = oracle::values(scan.width(), query.len(), row.codes(), row.residual(), codebook);
    let sums: Vec<f64> = x.iter().zip(centre).map(|(x, m)| x + f64::from(*m)).collect();
    let what = format!("{} {:?} d={} {row:?}, centred", scan.level().name(), scan.width(), query.len());
    let (dot, norm) = scan.dot_and_centred_norm(row.codes(), row.residual());
    let scale = (oracle::dot(query, query) * oracle::dot(&x, &x)).sqrt();
    assert_close(dot, oracle::dot(query, &x), TOLERANCE * scale, &what);
    let expected = oracle::dot(&sums, &sums);
    assert_close(norm, expected, TOLERANCE * expected, &what);
}

/// Centres of every size, and one that the row nearly cancels: the norm keeps its digits.
fn centres(level: Level, width: Width) {
    let mut rng = Rng::new(78);
    for d in [1, 31, 205] {
        let query = rng.normals(d);
        let codebook = codebooks(width, d, &mut rng).remove(0);
        for with_residual in [false, true] {
            let row = Row::new(width, d, Codes::Random, with_residual, &mut rng);
            let x = oracle::values(width, d, row.codes(), row.residual(), &codebook);
            let moderate = rng.normals(d);
            let scaled = |factor: f32| moderate.iter().map(|m| m * factor).collect::<Vec<f32>>();
            let cancelled: Vec<f32> = x.iter().map(|x| -(*x as f32) * (1.0 + 1.0 / 1024.0)).collect();
            let opposite: Vec<f32> = x.iter().map(|x| -(*x as f32)).collect();
            for centre in [
                scaled(1e-30),
                scaled(1e30),
                scaled(f32::MIN_POSITIVE / 8.0),
                cancelled,
                opposite,
                vec![0.0; d],
            ] {
                let scan = ScanQuery::new(level, width, &query, &codebook).unwrap();
                let scan = scan.with_centre(&centre).unwrap();
                check_centred(&scan, &query, &centre, &codebook, &row);
            }
        }
    }
}

/// Values whose squares leave `f32`, on either side: the scan must notice and stay with the definition.
fn extremes(level: Level, width: Width) {
    let mut rng = Rng::new(77);
    let d = 205;
    let moderate = rng.normals(d);
    let scaled = |factor: f32| moderate.iter().map(|q| q * factor).collect::<Vec<f32>>();
    let queries =
        [moderate.clone(), scaled(1e-30), scaled(1e30), scaled(f32::MIN_POSITIVE / 8.0), vec![0.0; d]];
    let spread = |scale: f32| -> Vec<f32> {
        (0..width.levels()).map(|k| (k as f32 - 0.4 * width.levels() as f32) * scale).collect()
    };
    let mut mixed = spread(1e-3);
    mixed[0] = -1e30;
    mixed[width.levels() - 1] = 1e30;
    let mut vanishing = spread(1.0);
    vanishing[1] = 1e-30;
    let codebooks =
        [spread(1.0), spread(1e-30), spread(1e30), spread(f32::MIN_POSITIVE / 1024.0), mixed, vanishing];
    for query in &queries {
        for codebook in &codebooks {
            let scan = ScanQuery::new(level, width, query, codebook).unwrap();
            let centred = scan.clone().with_centre(&moderate).unwrap();
            for codes in [Codes::Random, Codes::Constant(1), Codes::Constant(0)] {
                for with_residual in [false, true] {
                    let row = Row::new(width, d, codes, with_residual, &mut rng);
                    check_distances(&scan, query, codebook, &row);
                    check_centred(&centred, query, &moderate, codebook, &row);
                }
            }
        }
    }
}

/// A row equal to the query is at distance zero, exactly, and a nearby one keeps its digits.
fn near_rows(level: Level, width: Width) {
    let mut rng = Rng::new(5);
    for d in [1, 31, 300, 1536] {
        let codebook: Vec<f32> = (0..width.levels()).map(|k| 1000.0 + k as f32).collect();
        let row = Row::new(width, d, Codes::Random, false, &mut rng);
        let mut query: Vec<f32> =
            oracle::values(width, d, row.codes(), None, &codebook).iter().map(|x| *x as f32).collect();
        let scan = ScanQuery::new(level, width, &query, &codebook).unwrap();
        assert_eq!(scan.squared_l2(row.codes(), None), 0.0);
        query[d / 2] += 0.0009765625;
        let scan = ScanQuery::new(level, width, &query, &codebook).unwrap();
        assert_close(scan.squared_l2(row.codes(), None), 2f64.powi(-20), 1e-12, "nearby");
    }
}

/// Infinite and NaN residuals give what the definition gives, never a finite number.
fn infinite_residuals(level: Level, width: Width) {
    let mut rng = Rng::new(6);
    for d in [1, 9, 100, 257] {
        let query: Vec<f32> = rng.normals(d).iter().map(|q| q.abs() + 0.1).collect();
        let codebook: Vec<f32> = (0..width.levels()).map(|k| k as f32 + 1.0).collect();
        let scan = ScanQuery::new(level, width, &query, &codebook).unwrap().with_centre(&query).unwrap();
        for (half, infinite) in [([0x00, 0x7c], true), ([0x01, 0x7e], false)] {
            let row = Row::new(width, d, Codes::Random, false, &mut rng);
            let mut residual = vec![0; 2 * d];
            residual[2 * (d - 1)..].copy_from_slice(&half);
            let (dot, norm) = scan.dot_and_norm(row.codes(), Some(&residual));
            let l2 = scan.squared_l2(row.codes(), Some(&residual));
            let (again, centred) = scan.dot_and_centred_norm(row.codes(), Some(&residual));
            for result in [dot, scan.dot(row.codes(), Some(&residual)), norm, l2, again, centred] {
                assert!(if infinite { result == f64::INFINITY } else { result.is_nan() }, "{result}");
            }
        }
    }
}

fn decoding(level: Level, width: Width) {
    let mut rng = Rng::new(9);
    for d in dimensions() {
        let codebook = codebooks(width, d, &mut rng).remove(0);
        for row in rows(width, d, &mut rng) {
            let row = row.at_offset(1);
            let expected = oracle::values(width, d, row.codes(), row.residual(), &codebook);
            let mut out = vec![f32::NAN; d + 1];
            dequantize(level, width, row.codes(), row.residual(), &codebook, &mut out[..d]);
            assert!(out[d].is_nan(), "wrote past the end");
            for (i, (value, expected)) in out.iter().zip(&expected).enumerate() {
                assert_eq!(f64::from(*value), *expected, "{} {width:?} d={d} i={i}", level.name());
            }
        }
    }
}

fn unpacking(_: Level, width: Width) {
    let mut rng = Rng::new(10);
    for d in dimensions() {
        let row = Row::new(width, d, Codes::Random, false, &mut rng).at_offset(1);
        let mut out = vec![0xee; d];
        unpack(width, row.codes(), &mut out);
        for (i, code) in out.iter().enumerate() {
            assert_eq!(usize::from(*code), oracle::code(width, row.codes(), i), "{width:?} d={d} i={i}");
        }
    }
}

/// Rows that end where the next page can't be read.
#[cfg(unix)]
fn page_ends(level: Level, width: Width) {
    let mut rng = Rng::new(11);
    let mut fence = support::fence::Fence::new(16);
    for d in (1..=300).chain([1000, 1536]) {
        let query = rng.normals(d);
        let codebook = codebooks(width, d, &mut rng).remove(0);
        let centre = rng.normals(d);
        let scan = ScanQuery::new(level, width, &query, &codebook).unwrap().with_centre(&centre).unwrap();
        let mut out = vec![0.0; d];
        for with_residual in [false, true] {
            let row = Row::new(width, d, Codes::Random, with_residual, &mut rng);
            let (dot, norm) = scan.dot_and_norm(row.codes(), row.residual());
            let l2 = scan.squared_l2(row.codes(), row.residual());
            let centred = scan.dot_and_centred_norm(row.codes(), row.residual());

            // Codes at the fence, then the residual at the fence.
            let fenced = fence.put(row.codes());
            assert_eq!(scan.dot(fenced, row.residual()), scan.dot(row.codes(), row.residual()));
            assert_eq!(scan.dot_and_norm(fenced, row.residual()), (dot, norm));
            assert_eq!(scan.squared_l2(fenced, row.residual()), l2);
            assert_eq!(scan.dot_and_centred_norm(fenced, row.residual()), centred);
            dequantize(level, width, fenced, row.residual(), &codebook, &mut out);
            if let Some(residual) = row.residual() {
                let fenced = fence.put(residual);
                assert_eq!(scan.dot_and_norm(row.codes(), Some(fenced)), (dot, norm));
                assert_eq!(scan.squared_l2(row.codes(), Some(fenced)), l2);
                assert_eq!(scan.dot_and_centred_norm(row.codes(), Some(fenced)), centred);
                dequantize(level, width, row.codes(), Some(fenced), &codebook, &mut out);
            }
        }
    }
}

macro_rules! at_every_level {
    ($($level:ident: $variant:ident),*) => { $(
        mod $level {
            at_every_level!(@widths $variant, two: Two, four: Four, eight: Eight,
                trellis_two: TrellisTwo, trellis_four: TrellisFour);
            at_every_level!(@whole $variant,
                dense: pairs_of_vectors, dense: rotations,
                encode: codes_count_thresholds, encode: rough_rotations,
                trellis: rounds_to_the_grid, trellis: finds_the_best_path, trellis: paths_are_those_of_the_definition,
                hadamard: rotates_as_defined_to_the_bit,
                signs: sums_of_signs, signs: queries_of_signs,
                bounds: bounds_of_signs, bounds: bounds_of_damaged_signs);
            #[cfg(unix)]
            at_every_level!(@whole $variant, dense: page_ends, signs: page_ends_of_signs);
        }
    )* };
    (@widths $level:ident, $($width:ident: $variant:ident),*) => { $(
        mod $width {
            at_every_level!(@checks $level, $variant,
                distances, centres, extremes, near_rows, infinite_residuals, decoding, unpacking);
            #[cfg(unix)]
            at_every_level!(@checks $level, $variant, page_ends);
        }
    )* };
    (@whole $level:ident, $($kernels:ident: $check:ident),*) => { $(
        #[test]
        fn $check() {
            if crate::support::announce(tq_simd::Level::$level) {
                crate::$kernels::$check(tq_simd::Level::$level);
            }
        }
    )* };
    (@checks $level:ident, $width:ident, $($check:ident),*) => { $(
        #[test]
        fn $check() {
            let (level, width) = (tq_simd::Level::$level, tq_simd::Width::$width);
            if crate::support::announce(level) {
                crate::$check(level, width);
            }
        }
    )* };
}

at_every_level!(scalar: Scalar, avx2: Avx2, avx512: Avx512, neon: Neon);

#[test]
fn the_asked_level_is_the_one_used() {
    let query = Rng::new(1).normals(64);
    for level in Level::ALL {
        let expected = if level.is_available() { level } else { Level::Scalar };
        assert_eq!(
            ScanQuery::new(level, Width::Two, &query, &[-1.0, -0.2, 0.2, 1.0]).unwrap().level(),
            expected
        );
        assert_eq!(
            ScanQuery::new(level, Width::Two, &query, &[-1e30, -0.2, 0.2, 1.0]).unwrap().level(),
            Level::Scalar
        );
    }
}

#[test]
fn wrong_lengths_are_refused() {
    let scan = ScanQuery::new(Level::detect(), Width::Four, &[1.0; 7], &[1.0; 16]).unwrap();
    for (codes, residual) in [(3, None), (5, None), (4, Some(13)), (4, Some(15)), (4, Some(0))] {
        let residual = residual.map(|len| vec![0; len]);
        let result = std::panic::catch_unwind(|| scan.dot(&vec![0; codes], residual.as_deref()));
        assert!(result.is_err());
    }
}
