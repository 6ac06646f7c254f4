//! What the tests and examples share: finding the reference data, reading it, and reproducible numbers.
#![allow(dead_code, unreachable_pub, missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};

/// `../shared` next to the repository, or `None`, visibly, when this machine doesn't have it.
pub fn shared(part: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(part);
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: needs {part} (../shared not present)");
    None
}

/// A matrix read from a `.npy` file, row-major.
pub struct Matrix<T> {
    pub rows: usize,
    pub columns: usize,
    pub values: Vec<T>,
}

impl<T> Matrix<T> {
    pub fn row(&self, i: usize) -> &[T] {
        &self.values[i * self.columns..][..self.columns]
    }
}

/// Type code, shape and payload of a version 1 `.npy` file in C order.
fn npy(path: &Path) -> (String, usize, usize, Vec<u8>) {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00", "{}", path.display());
    let header_len = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = std::str::from_utf8(&bytes[10..10 + header_len]).unwrap();
    assert!(header.contains("'fortran_order': False"), "{header}");
    let after = |key: &str| header.split_once(key).unwrap().1;
    let kind = after("'descr': '").split_once('\'').unwrap().0.to_owned();
    let shape = after("'shape': (").split_once(')').unwrap().0;
    let mut sizes = shape.split(',').map(|size| size.trim().parse().unwrap());
    let (rows, columns) = (sizes.next().unwrap(), sizes.next().unwrap());
    (kind, rows, columns, bytes[10 + header_len..].to_vec())
}

/// A matrix of float16 or float32, as f32.
pub fn read_npy_f32(path: &Path) -> Matrix<f32> {
    let (kind, rows, columns, bytes) = npy(path);
    let values: Vec<f32> = match kind.as_str() {
        "<f2" => bytes.as_chunks().0.iter().map(|b| half::f16::from_le_bytes(*b).to_f32()).collect(),
        "<f4" => f32s(&bytes),
        other => panic!("{}: type {other}", path.display()),
    };
    assert_eq!(values.len(), rows * columns);
    Matrix { rows, columns, values }
}

/// A matrix of int32.
pub fn read_npy_i32(path: &Path) -> Matrix<i32> {
    let (kind, rows, columns, bytes) = npy(path);
    assert_eq!(kind, "<i4", "{}", path.display());
    let values: Vec<i32> = bytes.as_chunks().0.iter().map(|b| i32::from_le_bytes(*b)).collect();
    assert_eq!(values.len(), rows * columns);
    Matrix { rows, columns, values }
}

fn f32s(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

pub fn read_f32s(path: &Path) -> Vec<f32> {
    f32s(&fs::read(path).unwrap())
}

pub fn read_f64s(path: &Path) -> Vec<f64> {
    fs::read(path).unwrap().as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect()
}

/// Files in `directory` whose names end in `suffix`, sorted; at least one.
pub fn files(directory: &Path, suffix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> =
        entries.filter(|path| path.to_str().is_some_and(|name| name.ends_with(suffix))).collect();
    found.sort();
    assert!(!found.is_empty(), "no *{suffix} in {}", directory.display());
    found
}

/// SplitMix64, and roughly normal numbers from it: reproducible test data, nothing more.
pub struct Random(pub u64);

impl Random {
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn uniform(&mut self) -> f64 {
        (self.word() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn normal(&mut self) -> f32 {
        (0..12).map(|_| self.uniform()).sum::<f64>() as f32 - 6.0
    }

    pub fn vector(&mut self, dimension: usize) -> Vec<f32> {
        (0..dimension).map(|_| self.normal()).collect()
    }

    pub fn unit_vector(&mut self, dimension: usize) -> Vec<f32> {
        tq_codec::normalize(&self.vector(dimension)).unwrap()
    }
}

/// Σ (a - b)² / Σ a².
pub fn relative_squared_error(original: &[f32], decoded: &[f32]) -> f64 {
    let error: f64 = original.iter().zip(decoded).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2)).sum();
    error / original.iter().map(|&a| f64::from(a).powi(2)).sum::<f64>()
}

/// A row of the table of test vectors in `docs/hadamard.md`.
pub fn hadamard_row(seed: u64, dimension: u32) -> String {
    use sha2::{Digest, Sha256};
    let x: Vec<f32> = (0..dimension).map(|i| ((7 * i + 3) % 31) as f32 / 16.0 - 15.0 / 16.0).collect();
    let mut y = vec![0.0; x.len()];
    tq_codec::Rotation::hadamard(seed, dimension).apply(&x, &mut y);
    let bits = |y: &f32| format!("{:08x}", y.to_bits());
    let first: Vec<String> = y.iter().take(4).map(bits).collect();
    let bytes: Vec<u8> = y.iter().flat_map(|y| y.to_le_bytes()).collect();
    let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let last = bits(&y[y.len() - 1]);
    format!("| {seed} | {dimension} | {} | {last} | {digest} |", first.join(" "))
}
