//! Indexes of every layout, damaged in 100,000 ways: each is an error or reads as exactly what the bytes say. And views of
//! bytes that change after they were checked: whatever comes of it, no panic.

mod qvec_common;

use std::collections::BTreeMap;

use qvec_common::{Parts, Random};
use tq_format::qvec;

const CASES: usize = 100_000;

fn samples(random: &mut Random) -> Vec<Vec<u8>> {
    let mut samples = Vec::new();
    for layout in [qvec::Layout::Doc1, qvec::Layout::V1, qvec::Layout::V2] {
        for keyed in [false, true, true] {
            for _ in 0..6 {
                samples.push(random.parts(layout, keyed).bytes());
            }
        }
    }
    samples
}

/// Damages a file in one of several ways.
fn damaged(sound: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = sound.to_vec();
    // Half of it near the ends, where a byte decides about all.
    let place = match random.below(4) {
        0 => random.below(24.min(bytes.len())),
        1 => bytes.len() - 1 - random.below(bytes.len().min(64)),
        _ => random.below(bytes.len()),
    };
    match random.below(20) {
        0 => bytes.truncate(place),
        1 => drop(bytes.drain(place..(place + 1 + random.below(16)).min(sound.len()))),
        2 => drop(bytes.splice(place..place, (0..=random.below(16)).map(|i| i as u8))),
        kind => {
            let count = (1 + random.below(8)).min(bytes.len() - place);
            for byte in &mut bytes[place..place + count] {
                *byte = match kind % 4 {
                    0 => *byte ^ (1 << random.below(8)),
                    1 => 0,
                    2 => 0xff,
                    _ => random.below(256) as u8,
                };
            }
        }
    }
    bytes
}

#[test]
fn damaged_indexes() {
    let mut random = Random(2026);
    let samples = samples(&mut random);
    let mut outcomes: BTreeMap<&str, usize> = BTreeMap::new();
    for _ in 0..CASES {
        let bytes = damaged(&samples[random.below(samples.len())], &mut random);
        let outcome = match qvec::View::parse(&bytes) {
            Err(error) => error.code(),
            Ok(view) => {
                assert_eq!(Parts::of(&view).bytes(), bytes);
                "read"
            }
        };
        *outcomes.entry(outcome).or_default() += 1;
    }
    println!("{CASES} cases: {outcomes:?}");
    // All happen, or the damage isn't what it is meant to be.
    for outcome in ["BAD_LENGTH", "BAD_ID", "BAD_CALIBRATION", "BAD_IVF", "BAD_SCALE", "BAD_NORM", "read"] {
        assert!(outcomes.get(outcome).is_some_and(|count| *count > 20), "{outcome}");
    }
}

#[test]
fn bytes_that_change_under_a_view() {
    let mut random = Random(11);
    let (mut same, mut others) = (0, 0);
    for sound in samples(&mut random) {
        let geometry = qvec::View::parse(&sound).unwrap().geometry().clone();
        assert!(geometry.view(&sound[1..]).is_none());
        for round in 0..200 {
            let mut bytes = sound.clone();
            match round {
                0 => bytes.fill(0),
                1 => bytes.fill(0xff),
                _ => {
                    let place = random.below(bytes.len());
                    bytes[place..].iter_mut().for_each(|byte| *byte ^= random.below(256) as u8);
                }
            }
            let view = geometry.view(&bytes).unwrap();
            let count = view.header().count;
            assert_eq!(view.rows(0..count).count(), count as usize);
            assert!(view.row(count).is_none());
            view.calibration().map(|c| c.shifts().chain(c.scales()).count());
            if let Some(ivf) = view.inverted_file() {
                assert_eq!(ivf.centroid(0).count(), view.header().dimension as usize);
                assert_eq!((0..count).filter_map(|slot| ivf.list(slot)).count(), count as usize);
            }
            let good = view.ids_from(0).filter(Result::is_ok).count();
            let found = (0..count).filter(|slot| view.id(*slot).is_ok()).count();
            if good == found { same += 1 } else { others += 1 }
        }
    }
    println!("{same} read alike by slot and in order, {others} not");
    assert!(same > 0 && others > 0);
}
