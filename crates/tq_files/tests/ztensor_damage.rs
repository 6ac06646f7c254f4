//! zTensor files of all generations that were damaged or cut off: errors, or read as what they say; never a panic, nor memory
//! taken for what isn't there.

mod common;
mod zt_common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use common::{Memory, Random, damage, peak_memory, write_anew};
use tempfile::TempDir;
use tq_files::{
    Container, ContainerError, MergeError, OpenError, RowsError, ZtensorFile, ZtensorGeneration,
    merge_ztensors,
};
use zt_common::{Part, Stored, Tensor, build, end_2};

const CASES: usize = 100_000;
/// Numbers that are read of one tensor at most, and kept.
const MOST_NUMBERS: usize = 1 << 18;
const GENERATIONS: [ZtensorGeneration; 4] =
    [ZtensorGeneration::V0_1, ZtensorGeneration::V1_0, ZtensorGeneration::V1_2, ZtensorGeneration::V2];

struct Sample {
    generation: ZtensorGeneration,
    bytes: Vec<u8>,
    /// Where its parts begin.
    places: Vec<usize>,
    checksums: bool,
    rows: Vec<Numbers>,
}

fn tensor(name: &'static str, layout: &'static str, shape: [u64; 2], parts: Vec<Part>) -> Tensor {
    Tensor { name, layout, shape: shape.to_vec(), parts }
}

fn part(role: &'static str, dtype: &'static str, content: Vec<u8>, stored: &Stored) -> Part {
    Part { role, dtype, content, stored: stored.clone() }
}

fn words(numbers: &[u64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

fn floats(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// Tensors of a file: dense ones and, but for the first generation, sparse ones, the same or not in the order of rows.
fn tensors(stored: &Stored, kind: usize) -> Vec<Tensor> {
    let values = floats(&[1.5, -2.0, 3.0, 0.25, 5.0]);
    match kind {
        0 => {
            let numbers: Vec<f32> = (0..60).map(|i| i as f32 - 7.5).collect();
            let halves = (0..12u16).flat_map(|i| (0x3c00 + i).to_le_bytes()).collect();
            vec![
                tensor("a", "dense", [12, 5], vec![part("data", "f32", floats(&numbers), stored)]),
                tensor("b", "dense", [3, 4], vec![part("data", "f16", halves, &Stored::Raw)]),
            ]
        }
        1 => vec![tensor(
            "csr",
            "sparse_csr",
            [4, 6],
            vec![
                part("indptr", "u64", words(&[0, 2, 2, 3, 5]), stored),
                part("values", "f32", values, stored),
                part("indices", "u64", words(&[0, 5, 3, 1, 2]), stored),
            ],
        )],
        _ => {
            let rows = if kind == 2 { [0, 0, 2, 3, 3] } else { [3, 0, 0, 2, 3] };
            let coords = [rows, [0, 5, 3, 1, 2]].concat();
            let parts =
                vec![part("coords", "u64", words(&coords), stored), part("values", "f32", values, stored)];
            vec![tensor("coo", "sparse_coo", [4, 6], parts)]
        }
    }
}

fn samples(folder: &Path) -> Vec<Sample> {
    let path = folder.join("sample.zt");
    let mut samples = Vec::new();
    for generation in GENERATIONS {
        let kinds = if generation == ZtensorGeneration::V0_1 { 1 } else { 4 };
        for kind in 0..kinds {
            for stored in [Stored::Raw, Stored::Zstd] {
                for checksums in [false, true] {
                    let (bytes, places) = build(generation, &tensors(&stored, kind), checksums);
                    write_anew(&path, &bytes);
                    let rows = use_all(&path).unwrap();
                    assert_eq!(rows.len(), if kind == 0 { 2 } else { 1 });
                    samples.push(Sample { generation, bytes, places, checksums, rows });
                }
            }
        }
    }
    samples
}

/// The name of a tensor, and the first of its numbers as bits.
type Numbers = (String, Vec<u32>);

/// Reads all tensors that can be read.
fn use_all(path: &Path) -> Result<Vec<Numbers>, RowsError> {
    let open = || {
        ZtensorFile::open(path).map_err(|error| match error {
            OpenError::File(error) => RowsError::File(error),
            OpenError::Container(error) => RowsError::Container(error),
        })
    };
    let file = open()?;
    let mut all = Vec::new();
    for (index, tensor) in file.tensors().iter().enumerate() {
        file.verify(index, &mut || {})?;
        let reader = Box::new(open()?).rows(index, &mut || {});
        if tensor.obstacle.is_some() {
            assert!(matches!(reader, Err(RowsError::Container(ContainerError::NotRows { .. }))));
            continue;
        }
        let mut reader = reader?;
        let (mut numbers, mut rows) = (Vec::new(), 0);
        while numbers.len() < MOST_NUMBERS {
            let before = numbers.len();
            let count = reader.read(1000, &mut numbers)?;
            assert!(count <= 1000 && numbers.len() - before == count * reader.dimension() as usize);
            rows += count as u64;
            if count == 0 {
                assert_eq!([rows, reader.dimension().into()], tensor.shape[..]);
                break;
            }
        }
        assert!(numbers.iter().all(|number| number.is_finite()));
        all.push((tensor.name.clone(), numbers.iter().map(|number| number.to_bits()).collect()));
    }
    Ok(all)
}

/// What is in front of the directory, and the directory.
fn split(sample: &Sample) -> (Vec<u8>, Vec<u8>) {
    let bytes = &sample.bytes;
    let footer = match sample.generation {
        ZtensorGeneration::V2 => 40,
        ZtensorGeneration::V1_2 => 16,
        _ => 8,
    };
    let end = bytes.len() - footer;
    let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
    let start = if footer == 40 { word(end) } else { end - word(end) };
    (bytes[..start].to_vec(), bytes[start..end].to_vec())
}

/// A file of them, with a footer that is right.
fn join(generation: ZtensorGeneration, front: Vec<u8>, directory: &[u8]) -> Vec<u8> {
    let (mut bytes, start) = (front.clone(), front.len());
    bytes.extend_from_slice(directory);
    match generation {
        ZtensorGeneration::V2 => end_2(&mut bytes, start),
        _ => bytes.extend((directory.len() as u64).to_le_bytes()),
    }
    if generation == ZtensorGeneration::V1_2 {
        bytes.extend(b"ZTEN1000");
    }
    bytes
}

/// What is damaged.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Where {
    Directory,
    Parts,
    Anywhere,
}

fn damaged_sample(sample: &Sample, place: Where, random: &mut Random) -> Vec<u8> {
    let (mut front, mut directory) = split(sample);
    match place {
        Where::Directory => {
            let hot = directory.len();
            damage(&mut directory, hot, random);
        }
        Where::Parts => {
            for _ in 0..=random.below(3) {
                let at = sample.places[random.below(sample.places.len())] + random.below(80);
                if let Some(byte) = front.get_mut(at) {
                    *byte ^= random.word() as u8;
                }
            }
        }
        Where::Anywhere => {
            let mut bytes = sample.bytes.clone();
            let hot = bytes.len();
            damage(&mut bytes, hot, random);
            return bytes;
        }
    }
    join(sample.generation, front, &directory)
}

#[test]
fn damaged() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data.zt");
    let samples = samples(folder.path());
    let mut random = Random(21);
    let before = peak_memory();
    let mut outcomes: BTreeMap<_, [usize; 4]> = BTreeMap::new();
    let (mut merged, mut unmerged) = (0, 0);
    for round in 0..CASES {
        // As many of each generation.
        let of: Vec<&Sample> = samples.iter().filter(|s| s.generation == GENERATIONS[round % 4]).collect();
        let sample = of[round / 4 % of.len()];
        let place = [Where::Directory, Where::Directory, Where::Parts, Where::Anywhere][random.below(4)];
        write_anew(&path, &damaged_sample(sample, place, &mut random));
        let outcome = match use_all(&path) {
            Ok(rows) => {
                // Nothing of a part can change under its checksum.
                assert!(place != Where::Parts || !sample.checksums || rows == sample.rows, "round {round}");
                if round % 5 == 0 {
                    match merge_again(&path, &rows, folder.path()) {
                        true => merged += 1,
                        false => unmerged += 1,
                    }
                }
                if rows == sample.rows { "read, the same" } else { "read, something else" }
            }
            Err(RowsError::Container(ContainerError::Malformed(_))) => "malformed",
            Err(RowsError::Container(ContainerError::Unsupported(_))) => "not supported",
            Err(RowsError::Container(ContainerError::Checksum { .. })) => "checksum",
            Err(RowsError::Value { .. }) => "not finite",
            Err(error) => panic!("round {round}: {error}"),
        };
        outcomes.entry(outcome).or_default()[round % 4] += 1;
    }
    println!("{CASES} damaged files, by generation: {outcomes:?}; {merged} merged, {unmerged} not");
    for outcome in ["malformed", "checksum", "read, the same", "read, something else"] {
        assert!(outcomes[outcome].iter().all(|count| *count > 500), "{outcome}");
    }
    assert!(outcomes["not finite"].iter().sum::<usize>() > 50);
    assert!(merged > 500);
    if let (Some(before), Some(after)) = (before, peak_memory()) {
        assert!(after - before < 256 << 20, "{} bytes more than before", after - before);
    }
}

/// Merges what was read; what comes of that reads the same, or there is something that can't be merged.
fn merge_again(path: &Path, rows: &[Numbers], folder: &Path) -> bool {
    let memory = Memory::default();
    let source = [ZtensorFile::open(path).unwrap()];
    if let Err(error) = merge_ztensors(&source, Box::new(memory.clone()), &mut || {}) {
        assert!(matches!(error, MergeError::Tensors { .. }), "{error}");
        // What isn't read may be malformed within; columns of a row must increase only in generation 2.
        let unread = source[0].tensors().iter().any(|tensor| tensor.obstacle.is_some());
        let error = error.to_string();
        assert!(unread || error.contains("can't become") || error.contains("increasing order"), "{error}");
        return false;
    }
    let target = folder.join("merged.zt");
    write_anew(&target, &memory.bytes());
    let mut again = use_all(&target).unwrap();
    let mut rows = rows.to_vec();
    again.sort();
    rows.sort();
    assert!(again == rows);
    true
}

#[test]
fn cut_off_at_every_byte() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data.zt");
    let (mut cuts, mut empty) = (0, 0);
    for sample in samples(folder.path()) {
        write_anew(&path, &[&sample.bytes[..], &[0]].concat());
        assert!(use_all(&path).is_err(), "one byte more");
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        for length in (0..sample.bytes.len()).rev() {
            file.set_len(length as u64).unwrap();
            match ZtensorFile::open(&path) {
                Err(OpenError::Container(ContainerError::Malformed(_))) => {}
                Err(error) => panic!("{error}"),
                // The magic and zeros are a file without tensors.
                Ok(file) => {
                    assert!(sample.generation == ZtensorGeneration::V0_1 && length == 16);
                    assert!(file.tensors().is_empty());
                    empty += 1;
                }
            }
            cuts += 1;
        }
    }
    println!("{cuts} files cut off, {empty} of them without a tensor");
    assert_eq!(empty, 4);
}
