//! The formats' own libraries against the readers and writers of `tq_files`, both ways.
//!
//! `cargo test` in this folder, or the suite `crates` of `scripts/test`.
#![cfg(test)]

mod burnpack;
mod safetensors;
mod ztensor_1;
mod ztensor_2;

use std::path::Path;

use half::{bf16, f16};
use tq_files::{Container, FloatType, ZtensorGeneration, ZtensorOptions, ZtensorWriter};

/// Rows in the bytes of a type, little-endian.
fn encoded(float: FloatType, rows: &[f32]) -> Vec<u8> {
    match float {
        FloatType::F16 => rows.iter().flat_map(|value| f16::from_f32(*value).to_le_bytes()).collect(),
        FloatType::Bf16 => rows.iter().flat_map(|value| bf16::from_f32(*value).to_le_bytes()).collect(),
        FloatType::F32 => rows.iter().flat_map(|value| value.to_le_bytes()).collect(),
        FloatType::F64 => rows.iter().flat_map(|value| f64::from(*value).to_le_bytes()).collect(),
    }
}

/// The numbers of one tensor, as they are read here.
fn read(file: impl Container, name: &str) -> Vec<f32> {
    let index = file.tensors().iter().position(|tensor| tensor.name == name).unwrap();
    let mut reader = Box::new(file).rows(index, &mut || {}).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut rows = Vec::new();
    while reader.read(1000, &mut rows).unwrap() > 0 {}
    assert_eq!(rows.len() as u64, reader.rows() * u64::from(reader.dimension()));
    rows
}

/// Rows of numbers that aren't round, a third of them zero.
fn noise(rows: usize, dimension: usize) -> Vec<f32> {
    let mut state = rows as u64 * 1000 + dimension as u64;
    let number = move |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let bits = state >> 40;
        if bits.is_multiple_of(3) { 0.0 } else { bits as f32 / (1 << 23) as f32 - 1.0 }
    };
    (0..rows * dimension).map(number).collect()
}

/// Shapes of test tensors: none, one, some, and more than a frame of zstd's and a block of ours.
const SHAPES: [(usize, usize); 5] = [(0, 3), (1, 1), (7, 5), (300, 16), (3000, 130)];

/// Every kind of zTensor file of a generation.
fn kinds(generation: ZtensorGeneration) -> impl Iterator<Item = ZtensorOptions> {
    let floats = [FloatType::F32, FloatType::F16, FloatType::Bf16, FloatType::F64];
    floats.into_iter().flat_map(move |float| {
        (0..8).map(move |flags| ZtensorOptions {
            generation,
            tensor: "some tensor".into(),
            float,
            sparse: flags & 1 != 0,
            compress: flags & 2 != 0,
            checksum: flags & 4 != 0,
            attributes: [("model".to_owned(), "x".to_owned()), ("a".to_owned(), "ö".to_owned())].into(),
            ..ZtensorOptions::default()
        })
    })
}

/// Writes a file with one tensor.
fn write(path: &Path, dimension: usize, options: ZtensorOptions, rows: &[f32]) {
    use tq_files::{AtomicFile, RowWriter};
    let output = Box::new(AtomicFile::create(path).unwrap());
    let mut writer = Box::new(ZtensorWriter::new(output, dimension as u32, options).unwrap());
    writer.append(rows).unwrap();
    writer.finish().unwrap();
}

/// Rows in compressed form: the columns and the numbers of those that aren't zero, and where each row begins.
fn compressed(rows: &[f32], dimension: usize) -> (Vec<u64>, Vec<f32>, Vec<u64>) {
    let (mut columns, mut values, mut begins) = (Vec::new(), Vec::new(), vec![0]);
    for row in rows.chunks(dimension) {
        for (column, value) in row.iter().enumerate().filter(|(_, value)| value.to_bits() != 0) {
            columns.push(column as u64);
            values.push(*value);
        }
        begins.push(columns.len() as u64);
    }
    (columns, values, begins)
}
