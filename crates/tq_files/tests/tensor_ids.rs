//! Ids that stand in tensors of zTensor and Burnpack files.

mod common;
mod zt_common;

use std::path::Path;

use common::write_anew;
use tempfile::TempDir;
use tq_files::{BurnpackFile, Container, Id, RowsError, ZtensorFile, ZtensorGeneration};
use zt_common::{Part, Stored, Tensor, build};

fn ids(file: Box<dyn Container>, index: usize, most: usize) -> Result<Vec<String>, RowsError> {
    let mut reader = file.ids(index, &mut || {})?;
    let mut ids: Vec<Id> = Vec::new();
    while reader.read(most, &mut ids)? > 0 {}
    assert_eq!(ids.len() as u64, reader.count());
    Ok(ids.into_iter().map(Id::into_text).collect())
}

fn tensor(dtype: &'static str, shape: Vec<u64>, content: Vec<u8>, stored: Stored) -> Tensor {
    Tensor { name: "ids", layout: "dense", shape, parts: vec![Part { role: "data", dtype, content, stored }] }
}

fn open(path: &Path) -> Box<dyn Container> {
    Box::new(ZtensorFile::open(path).unwrap())
}

#[test]
fn of_ztensor() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data.zt");
    let wide: Vec<u8> = [7, -1, i64::MAX, (1 << 53) + 1].iter().flat_map(|id| id.to_le_bytes()).collect();
    let words = ["7", "-1", "9223372036854775807", "9007199254740993"];
    let many: Vec<u8> = (0..20_000u32).flat_map(u32::to_le_bytes).collect();
    for generation in
        [ZtensorGeneration::V0_1, ZtensorGeneration::V1_0, ZtensorGeneration::V1_2, ZtensorGeneration::V2]
    {
        for zstd in [false, true] {
            let stored = || if zstd { Stored::Zstd } else { Stored::Raw };
            for shape in [vec![4], vec![4, 1]] {
                let tensors = [tensor("i64", shape, wide.clone(), stored())];
                write_anew(&path, &build(generation, &tensors, false).0);
                for most in [1, 3, 100] {
                    assert_eq!(ids(open(&path), 0, most).unwrap(), words, "{generation:?} {zstd}");
                }
            }
            write_anew(
                &path,
                &build(generation, &[tensor("u32", vec![20_000], many.clone(), stored())], false).0,
            );
            let read = ids(open(&path), 0, usize::MAX).unwrap();
            assert!(read.iter().enumerate().all(|(number, id)| *id == number.to_string()));
        }
        let refused = |dtype, shape, bytes| {
            write_anew(
                &path,
                &build(generation, &[tensor(dtype, shape, vec![0; bytes], Stored::Raw)], false).0,
            );
            ids(open(&path), 0, 9).unwrap_err().to_string()
        };
        let error = refused("f32", vec![4], 16);
        assert!(error.starts_with("tensor \"ids\" can't be read as ids: its type is f"), "{error}");
        let error = refused("i64", vec![2, 2], 32);
        assert!(error.ends_with("its shape is [2, 2], not one id for each row"), "{error}");
    }
    let error = ids(open(&path), 1, 9).unwrap_err().to_string();
    assert_eq!(error, "tensor \"#1\" can't be read as ids: there is no such tensor");
}

#[test]
fn of_burnpack() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/pg_regress/data/many.bpk");
    let open = || BurnpackFile::open(&path).unwrap();
    let index = |name: &str| open().tensors().iter().position(|tensor| tensor.name == name).unwrap();
    assert_eq!(ids(Box::new(open()), index("idx"), 2).unwrap().len(), 3);
    let error = ids(Box::new(open()), index("fc1.bias"), 2).unwrap_err().to_string();
    assert_eq!(
        error,
        "tensor \"fc1.bias\" can't be read as ids: its type is F32, neither whole numbers nor texts"
    );
    let error = ids(Box::new(open()), 999, 2).unwrap_err().to_string();
    assert!(error.starts_with("its array can't be read as ids: number 999 of"), "{error}");
}
