//! What the tests of files of arrays share: opening and reading them, the golden files, damage.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;
use tq_files::{
    Container, ContainerError, Format, Id, OpenError, Output, RowWriter, RowsError, detect, open_benchmark,
    open_gguf, open_npy, open_npz, open_safetensors, open_torch,
};

use crate::common::{self, Memory, Random, data};

/// Bytes of a deflated array in Fortran order that may be in memory.
pub(crate) const MOST_UNPACKED: u64 = 1 << 20;

pub(crate) fn open_as(format: Format, path: &Path) -> Result<Box<dyn Container>, OpenError> {
    Ok(match format {
        Format::Npy => Box::new(open_npy(path)?),
        Format::Npz => Box::new(open_npz(path, MOST_UNPACKED)?),
        Format::Safetensors => Box::new(open_safetensors(path)?),
        Format::Gguf => Box::new(open_gguf(path)?),
        Format::Torch => Box::new(open_torch(path)?),
        other => Box::new(open_benchmark(other.benchmark().unwrap(), path)?),
    })
}

/// A file of the format that it is told to be.
pub(crate) fn open(path: &Path) -> Box<dyn Container> {
    let format = detect(path).unwrap().unwrap_or_else(|| panic!("{}: no format", path.display()));
    open_as(format, path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The rows of a tensor as doubles, read in blocks of at most `most`.
pub(crate) fn read(file: Box<dyn Container>, index: usize, most: usize) -> Result<Vec<f64>, RowsError> {
    let mut reader = file.rows(index, &mut || {})?;
    let mut rows = Vec::new();
    loop {
        let before = rows.len();
        let count = reader.read_doubles(most, &mut rows)?;
        assert!(count <= most && rows.len() - before == count * reader.dimension() as usize);
        if count == 0 {
            assert_eq!(rows.len() as u64, reader.rows() * u64::from(reader.dimension()));
            return Ok(rows);
        }
    }
}

/// The ids of a tensor as texts.
pub(crate) fn ids(file: Box<dyn Container>, index: usize, most: usize) -> Result<Vec<String>, RowsError> {
    let mut reader = file.ids(index, &mut || {})?;
    let mut ids: Vec<Id> = Vec::new();
    while reader.read(most, &mut ids)? > 0 {}
    assert_eq!(ids.len() as u64, reader.count());
    Ok(ids.into_iter().map(Id::into_text).collect())
}

/// Names of golden files in a folder, and what is in each.
pub(crate) fn index(folder: &Path) -> BTreeMap<String, BTreeMap<String, Value>> {
    serde_json::from_slice(&fs::read(folder.join("index.json")).unwrap()).unwrap()
}

/// NumPy's, safetensors' and those of benchmarks.
pub(crate) fn folder() -> PathBuf {
    data("arrays")
}

/// Compares the golden files of a folder with what is read of them; how many files, numbers and ids.
pub(crate) fn compare(folder: &Path, wanted: impl Fn(&str) -> bool) -> (usize, usize, usize) {
    let (mut files, mut tensors, mut values, mut texts) = (0, 0, 0, 0);
    for (name, expected) in index(folder).into_iter().filter(|(name, _)| wanted(name)) {
        let path = folder.join(&name);
        let file = open(&path);
        assert_eq!(file.tensors().len(), expected.len(), "{name}");
        files += 1;
        for (place, tensor) in file.tensors().iter().enumerate() {
            let expected = &expected[&tensor.name];
            assert_eq!(tensor.dtype, expected["dtype"].as_str().unwrap(), "{name} {tensor:?}");
            assert_eq!(serde_json::json!(tensor.shape), expected["shape"], "{name} {tensor:?}");
            tensors += 1;
            match expected["values"].as_array() {
                None => assert!(tensor.obstacle.is_some(), "{name} {tensor:?}"),
                Some(numbers) => {
                    assert_eq!(tensor.obstacle, None, "{name} {tensor:?}");
                    let numbers: Vec<f64> =
                        numbers.iter().map(|number| number.as_str().unwrap().parse().unwrap()).collect();
                    for most in [1, 3, 1000] {
                        assert_eq!(read(open(&path), place, most).unwrap(), numbers, "{name} {tensor:?}");
                    }
                    let (mut reader, mut singles) =
                        (open(&path).rows(place, &mut || {}).unwrap(), Vec::new());
                    while reader.read(2, &mut singles).unwrap() > 0 {}
                    assert!(singles.iter().zip(&numbers).all(|(a, b)| *a == *b as f32), "{name} {tensor:?}");
                    values += numbers.len();
                }
            }
            match expected.get("ids") {
                None => {
                    let shape = &tensor.shape;
                    let one = shape.len() == 1 || shape.len() == 2 && shape[1] == 1;
                    let refused = ids(open(&path), place, 10).is_err();
                    assert!(refused || one || !tensor.dtype.contains('f'), "{name} {tensor:?}");
                }
                Some(wanted) => {
                    let wanted: Vec<&str> =
                        wanted.as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
                    for most in [1, 100] {
                        assert_eq!(ids(open(&path), place, most).unwrap(), wanted, "{name}");
                    }
                    texts += wanted.len();
                }
            }
        }
    }
    eprintln!("{files} files, {tensors} tensors, {values} values and {texts} ids equal");
    (files, values, texts)
}

/// What refuses these bytes.
pub(crate) fn refusal(format: Format, bytes: &[u8]) -> String {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data");
    fs::write(&path, bytes).unwrap();
    match open_as(format, &path) {
        Err(OpenError::Container(ContainerError::Malformed(problem))) => problem,
        Err(other) => panic!("{other}"),
        Ok(file) => match read(file, 0, 1000) {
            Err(error) => error.to_string(),
            Ok(rows) => panic!("{} numbers of {}", rows.len(), bytes.escape_ascii()),
        },
    }
}

/// A file as it is written by one of the writers, in two blocks.
pub(crate) fn written(
    make: impl Fn(Box<dyn Output>) -> Result<Box<dyn RowWriter>, RowsError>,
    rows: &[f64],
    split: usize,
) -> Vec<u8> {
    let memory = Memory::default();
    let mut writer = make(Box::new(memory.clone())).unwrap();
    writer.append_doubles(&rows[..split]).unwrap();
    let singles: Vec<f32> = rows[split..].iter().map(|number| *number as f32).collect();
    writer.append(&singles).unwrap();
    let bytes = writer.bytes();
    writer.finish().unwrap();
    assert_eq!(memory.bytes().len() as u64, bytes);
    memory.bytes()
}

/// Reads all that a file has, in both ways; whether anything could be read.
pub(crate) fn read_all(format: Format, path: &Path, bytes: usize) -> Result<bool, OpenError> {
    let (file, mut any) = (open_as(format, path)?, false);
    for (index, tensor) in file.tensors().iter().enumerate() {
        match read(open_as(format, path)?, index, 1000) {
            Ok(rows) => {
                assert_eq!(tensor.obstacle, None);
                assert!(rows.len() <= bytes && rows.iter().all(|number| number.is_finite()));
                any = true;
            }
            Err(RowsError::File(error)) => panic!("{error}"),
            Err(_) => {}
        }
        let Ok(mut reader) = open_as(format, path)?.ids(index, &mut || {}) else { continue };
        let mut some = Vec::new();
        while some.len() < 10_000 && reader.read(100, &mut some).is_ok_and(|count| count > 0) {}
        any = true;
    }
    Ok(any)
}

/// Cuts each sample off at every byte: how many were refused as malformed, and the others, which `allowed` must allow.
pub(crate) fn cut_off_at_every_byte(
    samples: &[(Format, Vec<u8>)],
    allowed: impl Fn(&dyn Container, usize, usize) -> bool,
) -> (usize, usize) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data");
    let (mut cuts, mut shorter) = (0, 0);
    for (format, bytes) in samples {
        common::write_anew(&path, bytes);
        assert!(
            read_all(*format, &path, bytes.len()).unwrap() || bytes.windows(4).any(|word| word == b"('a'")
        );
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        for length in (0..bytes.len()).rev() {
            file.set_len(length as u64).unwrap();
            match open_as(*format, &path) {
                Err(OpenError::Container(ContainerError::Malformed(_))) => cuts += 1,
                Err(other) => panic!("{length} bytes: {other}"),
                Ok(file) => {
                    assert!(allowed(file.as_ref(), length, bytes.len()), "{length} of {} bytes", bytes.len());
                    shorter += 1;
                }
            }
        }
    }
    eprintln!("{cuts} files cut off, {shorter} of them read as shorter ones");
    (cuts, shorter)
}

/// How often what became of damaged files.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Outcomes {
    pub(crate) refused: usize,
    pub(crate) unread: usize,
    pub(crate) read: usize,
}

/// Damages samples in turn, mostly within their first `hot` bytes: they are errors or read as what they say; never is there a
/// panic, nor memory taken for what isn't there.
pub(crate) fn damage_all(samples: &[(Format, Vec<u8>)], cases: usize, hot: usize) -> Outcomes {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data");
    let mut random = Random(6);
    let before = common::peak_memory();
    let mut outcomes = Outcomes::default();
    for round in 0..cases {
        let (format, mut bytes) = samples[round % samples.len()].clone();
        common::damage(&mut bytes, hot, &mut random);
        common::write_anew(&path, &bytes);
        let _: Option<Format> = detect(&path).unwrap();
        match read_all(format, &path, bytes.len()) {
            Err(_) => outcomes.refused += 1,
            Ok(false) => outcomes.unread += 1,
            Ok(true) => outcomes.read += 1,
        }
    }
    eprintln!("{cases} damaged files: {outcomes:?}");
    if let (Some(before), Some(after)) = (before, common::peak_memory()) {
        assert!(after - before < 256 << 20, "{} bytes more than before", after - before);
    }
    outcomes
}
