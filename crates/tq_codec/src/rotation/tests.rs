//! Rotations in parts and in pieces are the whole ones.

use super::*;

#[test]
fn single_coordinates_equal_whole_rotations() {
    for dimension in [1, 7, 8, 9, 31, 100] {
        let mut rotation = Rotation::haar(2, dimension);
        let x: Vec<f32> = (0..dimension).map(|i| (i as f32).sin()).collect();
        for level in Level::available() {
            rotation.level = level;
            let mut y = vec![0.0; x.len()];
            rotation.apply(&x, &mut y);
            for (i, y) in y.iter().enumerate() {
                assert_eq!(rotation.coordinate(i, &x).map(f32::to_bits), Some(y.to_bits()));
            }
        }
    }
    assert_eq!(Rotation::hadamard(2, 8).coordinate(0, &[0.0; 8]), None);
}

/// Whoever answers cancels must not wait for a pass over a large matrix.
#[test]
fn no_pass_over_a_matrix_goes_unpolled() {
    let dimension: u32 = 2500;
    let megabytes = (8 * dimension as usize * dimension as usize) >> 20;
    let mut polls = 0;
    let built = build_rotation_polling(RotationKind::Haar, 2, dimension, &mut || polls += 1).unwrap();
    // Two matrices are filled with zeros, one with variables, one gets its signs.
    assert!(polls >= 2 * megabytes / 8 + megabytes, "{polls} polls in building {megabytes} MB");

    let cancelled = |mut left: usize| {
        let mut poll = || {
            left -= 1;
            assert!(left > 0, "a cancel");
        };
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| built.prepare(false, &mut poll))).is_err()
    };
    assert!(cancelled(megabytes / 4), "in the first pass");
    let prepared = |residual| {
        let mut polls = 0;
        built.prepare(residual, &mut || polls += 1);
        polls
    };
    assert!(prepared(true) >= megabytes / 2, "the norm, which a cancel has left unknown");
    assert_eq!(prepared(true), 0);
    assert!(cancelled(megabytes / 4), "in the second pass");
    assert!(prepared(false) >= megabytes / 2, "the matrix in f32");
    assert_eq!(prepared(false), 0);

    let x: Vec<f32> = (0..dimension).map(|i| (i as f32).sin()).collect();
    let (mut y, mut back, mut polls) = (vec![0.0; x.len()], vec![0.0; x.len()], 0);
    built.apply_polling(built.level, &x, &mut y, &mut || polls += 1);
    assert!((0..x.len()).all(|i| built.coordinate(i, &x) == Some(y[i])));
    assert!(polls >= megabytes / 17, "{polls} polls in rotating by {megabytes} MB");
    polls = 0;
    built.apply_inverse_polling(&y, &mut back, &mut || polls += 1);
    assert!(polls >= megabytes / 17, "{polls} polls in rotating back by {megabytes} MB");
    assert!(x.iter().zip(&back).all(|(x, back)| (x - back).abs() < 1e-5));
    polls = 0;
    built.single().unwrap().apply(built.level, &x, &mut back, &mut || polls += 1);
    assert!(polls >= megabytes / 35, "{polls} polls in rotating by {megabytes} MB of f64");
    assert!(y.iter().zip(&back).all(|(y, near)| (y - near).abs() < 1e-4));

    Rotation::hadamard(2, 8).prepare(true, &mut || panic!("nothing to prepare"));
    Rotation::hadamard(2, 8).prepare(false, &mut || panic!("nothing to prepare"));
}
