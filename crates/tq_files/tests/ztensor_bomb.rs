//! Compressed parts that decompress to something else than they declare: errors, at the cost of what is declared. Alone in its
//! file, because the peak that is measured is the process's.

mod common;
mod zt_common;

use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use common::write_anew;
use tempfile::TempDir;
use tq_files::{ZtensorFile, ZtensorGeneration};
use zstd::stream::raw::CParameter;
use zt_common::{Part, Stored, Tensor, build, read, seekable, with_table};

/// What a bomb decompresses to: zeros.
const BOMB: usize = 256 << 20;

fn bomb() -> Vec<u8> {
    // In pieces, so that it takes no memory here either.
    let mut writer = zstd::stream::Encoder::new(Vec::new(), 1).unwrap();
    (0..BOMB >> 20).for_each(|_| writer.write_all(&[0; 1 << 20]).unwrap());
    writer.finish().unwrap()
}

/// One test at a time, whose memory is measured.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The most memory that the process has had, where the system tells.
fn peak() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<usize>().ok()? << 10)
}

/// A tensor of 3 × 4 `f32` whose part is these bytes.
fn dense(stored: Vec<u8>, declared: Option<u64>) -> Vec<Tensor> {
    let part =
        Part { role: "data", dtype: "f32", content: vec![0; 48], stored: Stored::Given(stored, declared) };
    vec![Tensor { name: "t", layout: "dense", shape: vec![3, 4], parts: vec![part] }]
}

/// What opening or reading says, within a moment and little memory.
fn refused(path: &Path, generation: ZtensorGeneration, tensors: &[Tensor]) -> String {
    let (bytes, _) = build(generation, tensors, false);
    write_anew(path, &bytes);
    let (before, started) = (peak(), Instant::now());
    let error = match ZtensorFile::open(path) {
        Err(error) => error.to_string(),
        Ok(file) => {
            drop(file);
            read(path, 0).unwrap_err().to_string()
        }
    };
    assert!(started.elapsed() < Duration::from_secs(20), "{error}");
    if let (Some(before), Some(after)) = (before, peak()) {
        assert!(after - before < 64 << 20, "{error}: {} bytes more than before", after - before);
    }
    error
}

#[test]
fn declared_sizes_bound_what_is_decompressed() {
    let _alone = alone();
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data.zt");
    let (bomb, short) = (bomb(), zstd::bulk::compress(&[0; 40], 3).unwrap());
    assert!(bomb.len() < 64 << 10);
    let more = "tensor \"t\" (data): it decompresses to more bytes than it may have";
    let fewer = "tensor \"t\" (data): it decompresses to fewer bytes than it must have";
    for generation in [ZtensorGeneration::V0_1, ZtensorGeneration::V1_0, ZtensorGeneration::V1_2] {
        for declared in [None, Some(48)] {
            assert_eq!(refused(&path, generation, &dense(bomb.clone(), declared)), more);
            assert_eq!(refused(&path, generation, &dense(short.clone(), declared)), fewer);
        }
    }
    let declared = dense(bomb.clone(), Some(BOMB as u64));
    let error = refused(&path, ZtensorGeneration::V1_2, &declared);
    assert_eq!(error, format!("tensor \"t\" (data): it has {BOMB} bytes, and its shape and type need 48"));

    // One frame that the table says is small, two of which the first is more than that, and none.
    let d = ZtensorGeneration::V2;
    assert_eq!(refused(&path, d, &dense(with_table(&[(bomb.clone(), 48)]), Some(48))), more);
    let two = with_table(&[(bomb.clone(), 24), (short.clone(), 24)]);
    assert_eq!(refused(&path, d, &dense(two, Some(48))), more);
    assert_eq!(refused(&path, d, &dense(with_table(&[(short, 48)]), Some(48))), fewer);
    let none = refused(&path, d, &dense(with_table(&[]), Some(48)));
    assert!(none.contains("its seek table has 0 bytes in frames with 0 of content"), "{none}");
    let large = refused(&path, d, &dense(with_table(&[(bomb.clone(), BOMB as u32)]), Some(48)));
    assert!(large.contains("a frame has 268435456 bytes of content, more than 16 MiB"), "{large}");
    let error = refused(&path, d, &dense(with_table(&[(bomb, BOMB as u32)]), Some(BOMB as u64)));
    assert_eq!(error, format!("tensor \"t\" (data): it has {BOMB} bytes, and its shape and type need 48"));
    let error = refused(&path, d, &dense(seekable(&[0; 48], 16), Some(u64::MAX)));
    assert!(error.contains("its shape and type need 48"), "{error}");
}

#[test]
fn sparse_parts_are_bounded_by_the_shape() {
    let _alone = alone();
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data.zt");
    let part = |role, dtype, stored| Part { role, dtype, content: Vec::new(), stored };
    let raw = |role, bytes: Vec<u8>| Part { role, dtype: "u64", content: bytes, stored: Stored::Raw };
    for generation in [ZtensorGeneration::V1_0, ZtensorGeneration::V1_2] {
        let indptr: Vec<u8> = [0u64, 1, 2].iter().flat_map(|begin| begin.to_le_bytes()).collect();
        let csr = vec![
            raw("indptr", indptr),
            part("values", "f32", Stored::Given(bomb(), None)),
            part("indices", "u64", Stored::Given(bomb(), None)),
        ];
        let csr = Tensor { name: "t", layout: "sparse_csr", shape: vec![2, 4], parts: csr };
        let error = refused(&path, generation, &[csr]);
        assert!(error.ends_with("it decompresses to more bytes than it may have"), "{error}");
        let coo = vec![
            part("coords", "u64", Stored::Given(bomb(), None)),
            part("values", "f32", Stored::Given(bomb(), None)),
        ];
        let coo = Tensor { name: "t", layout: "sparse_coo", shape: vec![2, 4], parts: coo };
        let error = refused(&path, generation, &[coo]);
        assert!(error.ends_with("it decompresses to more bytes than it may have"), "{error}");
    }
}

#[test]
fn a_window_that_is_too_large() {
    let _alone = alone();
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data.zt");
    // Decompressing by so large a window would take 1 GiB.
    let mut compressor = zstd::stream::raw::Encoder::new(1).unwrap();
    compressor.set_parameter(CParameter::WindowLog(30)).unwrap();
    let mut writer = zstd::stream::zio::Writer::new(Vec::new(), compressor);
    writer.write_all(&[0; 48]).unwrap();
    writer.finish().unwrap();
    let (frame, _) = writer.into_inner();
    for generation in [ZtensorGeneration::V0_1, ZtensorGeneration::V1_2] {
        let error = refused(&path, generation, &dense(frame.clone(), Some(48)));
        assert!(error.contains("it can't be decompressed: Frame requires too much memory"), "{error}");
    }
    let error = refused(&path, ZtensorGeneration::V2, &dense(with_table(&[(frame, 48)]), Some(48)));
    assert!(error.contains("it can't be decompressed: Frame requires too much memory"), "{error}");
}
