//! Vectors for `make bench`, as files for PostgreSQL's binary COPY into `(id int, v vector)`.
//!
//! ```text
//! bench_data synthetic ROWS DIMENSION QUERIES FOLDER    writes FOLDER/rows.bin and FOLDER/queries.bin
//! bench_data npy FILE.npy OUT.bin                       a float16 or float32 matrix [rows, dimension]
//! bench_data copies FILE.npy ROWS OUT.bin               its rows, and copies of them with noise of half their length
//! ```
//!
//! The synthetic vectors are hard for any lossy code: 500 cluster centres, uniform on the unit sphere; each row is a
//! centre plus Gaussian noise of expected length one, scaled to unit length, so that the 200 members of a cluster are
//! all about equally near to each other. Queries are drawn the same way. ChaCha20, seed 20260101, makes them the same
//! everywhere.

#[path = "../tests/common/mod.rs"]
mod common;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

const CENTRES: usize = 500;
const SEED: u64 = 20_260_101;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["synthetic", rows, dimension, queries, folder] => {
            synthetic(rows.parse()?, dimension.parse()?, queries.parse()?, folder)
        }
        ["npy", source, target] => convert(source, target),
        ["copies", source, rows, target] => copies(source, rows.parse()?, target),
        _ => Err("see the head of this file for its arguments".into()),
    }
}

fn synthetic(rows: usize, dimension: usize, queries: usize, folder: &str) -> Outcome<()> {
    let mut normal = Normal { rng: ChaCha20Rng::seed_from_u64(SEED), spare: None };
    let centres: Vec<Vec<f64>> = (0..CENTRES).map(|_| unit(normal.vector(dimension))).collect();
    for (name, count) in [("rows", rows), ("queries", queries)] {
        let mut file = CopyFile::create(&format!("{folder}/{name}.bin"))?;
        for _ in 0..count {
            let centre = &centres[(normal.rng.next_u64() % CENTRES as u64) as usize];
            let mut noise = normal.vector(dimension);
            let scale = 1.0 / (dimension as f64).sqrt();
            noise.iter_mut().zip(centre).for_each(|(noise, centre)| *noise = centre + *noise * scale);
            file.row(unit(noise).into_iter().map(|value| value as f32))?;
        }
        file.finish()?;
    }
    Ok(())
}

fn copies(source: &str, rows: usize, target: &str) -> Outcome<()> {
    let matrix = common::read_npy_f32(Path::new(source));
    let mut normal = Normal { rng: ChaCha20Rng::seed_from_u64(SEED), spare: None };
    let mut file = CopyFile::create(target)?;
    for row in 0..rows {
        let mut vector = unit(matrix.row(row % matrix.rows).iter().map(|x| f64::from(*x)).collect());
        if row >= matrix.rows {
            let scale = 0.5 / (vector.len() as f64).sqrt();
            vector.iter_mut().for_each(|x| *x += normal.next() * scale);
        }
        file.row(unit(vector).into_iter().map(|value| value as f32))?;
    }
    Ok(file.finish()?)
}

fn unit(mut vector: Vec<f64>) -> Vec<f64> {
    let norm = vector.iter().map(|value| value * value).sum::<f64>().sqrt();
    vector.iter_mut().for_each(|value| *value /= norm);
    vector
}

/// Standard normal numbers by Box and Muller's method.
struct Normal {
    rng: ChaCha20Rng,
    spare: Option<f64>,
}

impl Normal {
    fn uniform(&mut self) -> f64 {
        (self.rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn next(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        let angle = std::f64::consts::TAU * self.uniform();
        self.spare = Some(radius * angle.sin());
        radius * angle.cos()
    }

    fn vector(&mut self, dimension: usize) -> Vec<f64> {
        (0..dimension).map(|_| self.next()).collect()
    }
}

/// A file of PostgreSQL's binary COPY format with the columns `id int` (from 0) and `v vector` (pgvector's binary
/// form: two 16-bit numbers, dimension and zero, and the big-endian floats).
struct CopyFile {
    out: BufWriter<File>,
    id: i32,
}

impl CopyFile {
    fn create(path: &str) -> io::Result<CopyFile> {
        let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
        out.write_all(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0")?;
        Ok(CopyFile { out, id: 0 })
    }

    fn row(&mut self, values: impl ExactSizeIterator<Item = f32>) -> io::Result<()> {
        let dimension = values.len();
        self.out.write_all(&2i16.to_be_bytes())?;
        self.out.write_all(&4i32.to_be_bytes())?;
        self.out.write_all(&self.id.to_be_bytes())?;
        self.out.write_all(&(4 + 4 * dimension as i32).to_be_bytes())?;
        self.out.write_all(&(dimension as i16).to_be_bytes())?;
        self.out.write_all(&0i16.to_be_bytes())?;
        for value in values {
            self.out.write_all(&value.to_be_bytes())?;
        }
        self.id += 1;
        Ok(())
    }

    fn finish(mut self) -> io::Result<()> {
        self.out.write_all(&(-1i16).to_be_bytes())?;
        self.out.flush()
    }
}

fn convert(source: &str, target: &str) -> Outcome<()> {
    let matrix = common::read_npy_f32(Path::new(source));
    let mut file = CopyFile::create(target)?;
    for row in 0..matrix.rows {
        file.row(matrix.row(row).iter().copied())?;
    }
    Ok(file.finish()?)
}
