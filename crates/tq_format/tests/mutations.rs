//! A corpus of 10,000 records, damaged in 100,000 ways: each is an error or reads as exactly what the bytes say.

mod common;

use common::rebuilt_record;
use tq_format::{BitWidth, CorpusBuilder, CorpusHeader, CorpusView, RecordBuilder, hash_field};

const RECORDS: u64 = 10_000;
const CASES: usize = 100_000;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end as u64) as usize
    }
}

fn corpus(random: &mut Random) -> Vec<u8> {
    let hash = "5f".repeat(32);
    // Eleven dimensions at 2 bits leave padding in the last byte.
    let field = hash_field(&hash).unwrap();
    let builder = RecordBuilder::new(&field, 11, BitWidth::Two, true).unwrap();
    let mut corpus = CorpusBuilder::new(CorpusHeader {
        vector_count: 0,
        dimension: 11,
        bit_width: BitWidth::Two,
        residual: true,
        config_hash: hash,
        metadata: b"{\"model\": \"x\"}".to_vec(),
    })
    .unwrap();
    let mut record = Vec::new();
    for _ in 0..RECORDS {
        record.clear();
        let codes: [u8; 11] = std::array::from_fn(|_| random.below(4) as u8);
        // Small numbers of half precision: finite, whatever they are.
        let residual: [u8; 22] =
            std::array::from_fn(|i| random.below(if i % 2 == 0 { 256 } else { 64 }) as u8);
        builder.write(&codes, Some(&residual), &mut record).unwrap();
        corpus.append(&record).unwrap();
    }
    corpus.finish()
}

#[derive(Default, Debug)]
struct Outcome {
    refused: usize,
    refused_at_record: usize,
    read: usize,
}

/// Reads the file as far as the damage at `place` can have mattered, or all of it.
fn read(bytes: &[u8], place: usize, whole: bool, outcome: &mut Outcome) {
    let Ok(view) = CorpusView::parse(bytes) else {
        outcome.refused += 1;
        return;
    };
    let (body, stride) = (view.body_offset() as usize, view.record_len() + 4);
    assert_eq!(body + stride * view.vector_count() as usize, bytes.len());
    let near = (place.saturating_sub(body) / stride) as u64;
    let range = if whole || place < body { 0..view.vector_count() } else { near.saturating_sub(1)..near + 2 };
    let mut refused = false;
    for (number, record) in (range.start..).zip(view.records_in(range)) {
        match record {
            Err(_) => refused = true,
            Ok(record) => {
                let at = body + stride * number as usize;
                assert_eq!(record.as_bytes(), &bytes[at + 4..at + stride]);
                // What was read says all that the bytes say.
                assert_eq!(rebuilt_record(record), record.as_bytes());
            }
        }
    }
    if refused {
        outcome.refused_at_record += 1;
    } else {
        outcome.read += 1;
    }
}

#[test]
fn damaged_corpora() {
    let mut random = Random(2026);
    let sound = corpus(&mut random);
    let body = CorpusView::parse(&sound).unwrap().body_offset() as usize;
    let mut bytes = sound.clone();
    let mut outcome = Outcome::default();
    read(&bytes, 0, true, &mut outcome);
    assert_eq!((outcome.read, outcome.refused), (1, 0));
    for case in 0..CASES {
        // Every tenth in the header, where a byte decides about all.
        let end = if case % 10 == 0 { body } else { bytes.len() };
        let place = random.below(end);
        let whole = case % 1000 == 1;
        match case % 50 {
            48 => read(&sound[..place], place, whole, &mut outcome),
            49 => {
                // Some bytes more or fewer, as an editor or a broken transfer leaves them.
                let mut other = sound.clone();
                let count = 1 + random.below(200);
                if random.below(2) == 0 {
                    other.splice(place..place, (0..count).map(|i| i as u8));
                } else {
                    other.drain(place..(place + count).min(sound.len()));
                }
                read(&other, place, whole, &mut outcome);
            }
            kind => {
                // One to eight bytes, of random or extreme values.
                let count = (1 + random.below(8)).min(bytes.len() - place);
                for byte in &mut bytes[place..place + count] {
                    *byte = match kind % 4 {
                        0 => !*byte,
                        1 => 0,
                        2 => 0xff,
                        _ => random.below(256) as u8,
                    };
                }
                read(&bytes, place, whole, &mut outcome);
                bytes[place..place + count].copy_from_slice(&sound[place..place + count]);
            }
        }
    }
    println!("{CASES} cases: {outcome:?}");
    assert_eq!(bytes, sound);
    assert_eq!(outcome.refused + outcome.refused_at_record + outcome.read, CASES + 1);
    // All three happen, or the damage isn't what it is meant to be.
    assert!(
        outcome.refused > CASES / 50 && outcome.refused_at_record > CASES / 4 && outcome.read > CASES / 10
    );
}
