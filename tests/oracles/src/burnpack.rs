//! Burnpack by `burn-pack` 0.22, the library of the format alone. `burn-store`, which had it before, takes minutes to build.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use burn_pack::{Bytes, DType};
use tempfile::TempDir;
use tq_files::{
    AtomicFile, BurnpackFile, BurnpackOptions, BurnpackWriter, Container, FloatType, RowWriter, Tensor,
    merge_burnpacks,
};

use crate::{encoded, read};

const FLOATS: [FloatType; 4] = [FloatType::F16, FloatType::Bf16, FloatType::F32, FloatType::F64];

/// What a reader knows of a file: name, type, shape and bytes of each tensor, in order of name.
pub(crate) type Tensors = Vec<(String, String, Vec<usize>, Vec<u8>)>;

/// As burn-pack reads it.
pub(crate) fn read_by_burn(path: &Path) -> (Tensors, BTreeMap<String, String>) {
    let reader = burn_pack::Reader::from_file(path).unwrap_or_else(|error| panic!("{error}"));
    let metadata = reader.metadata().clone();
    let tensors = reader.into_tensors().unwrap().into_iter().map(|tensor| {
        let (name, dtype, shape, _, bytes) = tensor.into_parts().unwrap();
        (name, format!("{dtype:?}"), shape.to_vec(), bytes.to_vec())
    });
    (tensors.collect(), metadata)
}

/// As it is listed here.
fn names_and_types(path: &Path) -> Vec<(String, String, Vec<usize>)> {
    let file = BurnpackFile::open(path).unwrap();
    let of = |tensor: &Tensor| {
        (tensor.name.clone(), tensor.dtype.clone(), tensor.shape.iter().map(|size| *size as usize).collect())
    };
    file.tensors().iter().map(of).collect()
}

fn rows(path: &Path, name: &str) -> Vec<f32> {
    read(BurnpackFile::open(path).unwrap(), name)
}

/// Writes a matrix whose row *i* is *i* modulo 250, exact in all types.
fn write(path: &Path, rows: usize, dimension: u32, options: BurnpackOptions) -> Vec<f32> {
    let values: Vec<f32> = (0..rows).flat_map(|i| vec![(i % 250) as f32; dimension as usize]).collect();
    let output = Box::new(AtomicFile::create(path).unwrap());
    let mut writer = Box::new(BurnpackWriter::new(output, dimension, options).unwrap());
    writer.append(&values).unwrap();
    writer.finish().unwrap();
    values
}

fn dtype(float: FloatType) -> DType {
    match float {
        FloatType::F16 => DType::F16,
        FloatType::Bf16 => DType::BF16,
        FloatType::F32 => DType::F32,
        FloatType::F64 => DType::F64,
    }
}

/// What burn-pack itself writes of the same.
fn written_by_burn(
    name: &str,
    float: FloatType,
    shape: Vec<usize>,
    bytes: Vec<u8>,
    options: &BurnpackOptions,
) -> Vec<u8> {
    let tensor =
        burn_pack::Tensor::new(name.to_owned(), dtype(float), shape, None, Bytes::from_bytes_vec(bytes));
    let mut writer = burn_pack::Writer::new(vec![tensor]);
    for (key, value) in &options.metadata {
        writer = writer.with_metadata(key, value);
    }
    writer.into_bytes().unwrap().to_vec()
}

#[test]
fn what_we_write_burn_reads() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data.bpk");
    let (mut files, mut same, mut longer) = (0, 0, 0);
    let lengths = (1..=9).chain(60..=70).chain(160..=180).chain([300]);
    for length in lengths {
        for (rows, float) in (0..).map(|i| FLOATS[i % 4]).enumerate().take(3).chain([
            (11, FLOATS[0]),
            (24, FLOATS[1]),
            (256, FLOATS[2]),
            (300, FLOATS[3]),
            (70_000, FLOATS[length % 4]),
        ]) {
            let mut options =
                BurnpackOptions { tensor: "n".repeat(length), float, ..BurnpackOptions::default() };
            if length % 2 == 0 {
                options.metadata.insert("model".into(), "x".into());
            }
            let values = write(&path, rows, 3, options.clone());
            let (tensors, metadata) = read_by_burn(&path);
            let bytes = encoded(float, &values);
            let expected =
                (options.tensor.clone(), format!("{:?}", dtype(float)), vec![rows, 3], bytes.clone());
            assert!(tensors == [expected], "{length}, {rows}, {float:?}");
            assert_eq!(metadata, options.metadata);
            let theirs = written_by_burn(&options.tensor, float, vec![rows, 3], bytes, &options);
            let ours = fs::read(&path).unwrap();
            match ours == theirs {
                true => same += 1,
                // Room was left for a longer directory.
                false => {
                    assert_eq!(ours.len(), theirs.len() + 256);
                    longer += 1;
                }
            }
            files += 1;
        }
    }
    println!("{files} files read by burn-pack: {same} are its own to the byte, {longer} longer");
    assert!(same > 200 && longer > 0);
}

#[test]
fn what_burn_writes_we_read() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data.bpk");
    let values: Vec<f32> = (0..60).map(|i| i as f32).collect();
    let mut tensors = Vec::new();
    for (i, float) in FLOATS.into_iter().enumerate() {
        for (name, shape) in [("matrix", vec![12, 5]), ("row", vec![60]), ("cube", vec![3, 4, 5])] {
            let bytes = Bytes::from_bytes_vec(encoded(float, &values));
            let id = (i % 2 == 0).then_some(u64::MAX - i as u64);
            tensors.push(burn_pack::Tensor::new(format!("{name}.{float:?}"), dtype(float), shape, id, bytes));
        }
    }
    let empty = Bytes::from_bytes_vec(Vec::new());
    tensors.push(burn_pack::Tensor::new("empty".into(), DType::F32, vec![0, 7], None, empty));
    let integers = Bytes::from_bytes_vec(vec![1; 24]);
    tensors.push(burn_pack::Tensor::new("integers".into(), DType::I32, vec![2, 3], None, integers));
    let writer = burn_pack::Writer::new(tensors).with_metadata("k", "v").overwrite(true);
    let writer =
        writer.with_scalar("lr", burn_pack::Scalar::Float(0.1)).with_scalar("n", burn_pack::Scalar::Int(-3));
    writer.write_to_file(&path).unwrap();

    let (theirs, _) = read_by_burn(&path);
    let theirs: Vec<_> = theirs.into_iter().map(|(name, dtype, shape, _)| (name, dtype, shape)).collect();
    assert_eq!(names_and_types(&path), theirs);
    for float in FLOATS {
        assert_eq!(rows(&path, &format!("matrix.{float:?}")), values);
    }
    assert!(rows(&path, "empty").is_empty());
}

#[test]
fn merged_files_are_read_by_burn() {
    let folder = TempDir::new().unwrap();
    let paths: Vec<_> = (0..9).map(|i| folder.path().join(format!("{i}.bpk"))).collect();
    let mut expected = Tensors::new();
    for (i, path) in paths[..8].iter().enumerate() {
        let options = BurnpackOptions {
            tensor: format!("t{}", 9 - i),
            float: FLOATS[i % 4],
            ..BurnpackOptions::default()
        };
        write(path, i * i * 37, 3, options);
        expected.extend(read_by_burn(path).0);
    }
    expected.reverse();
    let sources: Vec<_> = paths[..8].iter().map(|path| BurnpackFile::open(path).unwrap()).collect();
    let output = Box::new(AtomicFile::create(&paths[8]).unwrap());
    assert_eq!(merge_burnpacks(&sources, output, &mut || {}).unwrap().count, 8);
    assert!(read_by_burn(&paths[8]).0 == expected);
}
