//! Ids beside rows, in a tensor of their own: written, and read again.

mod arrays_common;
mod common;

use std::fs;

use arrays_common::ids;
use common::Memory;
use tempfile::TempDir;
use tq_files::{
    BurnpackFile, BurnpackOptions, BurnpackWriter, Container, Id, Output, RowWriter, RowsError,
    SafetensorsOptions, SafetensorsWriter, ZtensorFile, ZtensorGeneration, ZtensorOptions, ZtensorWriter,
    open_safetensors,
};

const DIMENSION: u32 = 3;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Safetensors,
    Burnpack,
    Ztensor(ZtensorGeneration, bool),
}

const KINDS: [Kind; 6] = [
    Kind::Safetensors,
    Kind::Burnpack,
    Kind::Ztensor(ZtensorGeneration::V2, false),
    Kind::Ztensor(ZtensorGeneration::V2, true),
    Kind::Ztensor(ZtensorGeneration::V1_2, false),
    Kind::Ztensor(ZtensorGeneration::V1_2, true),
];

fn writer(kind: Kind, output: Box<dyn Output>, ids: Option<&str>) -> Result<Box<dyn RowWriter>, RowsError> {
    let ids = ids.map(str::to_owned);
    Ok(match kind {
        Kind::Safetensors => Box::new(SafetensorsWriter::new(
            output,
            DIMENSION,
            SafetensorsOptions { ids, ..SafetensorsOptions::default() },
        )?),
        Kind::Burnpack => Box::new(BurnpackWriter::new(
            output,
            DIMENSION,
            BurnpackOptions { ids, ..BurnpackOptions::default() },
        )?),
        Kind::Ztensor(generation, compress) => Box::new(ZtensorWriter::new(
            output,
            DIMENSION,
            ZtensorOptions { generation, compress, ids, ..ZtensorOptions::default() },
        )?),
    })
}

fn open(kind: Kind, path: &std::path::Path) -> Box<dyn Container> {
    match kind {
        Kind::Safetensors => Box::new(open_safetensors(path).unwrap()),
        Kind::Burnpack => Box::new(BurnpackFile::open(path).unwrap()),
        Kind::Ztensor(..) => Box::new(ZtensorFile::open(path).unwrap()),
    }
}

#[test]
fn what_is_written_is_read_again() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data");
    let whole: Vec<Id> = (0..1000).map(|id| Id::of_whole(id * 37 - 9)).collect();
    let wide =
        vec![Id::of_whole(i64::MAX), Id::of_whole(i64::MIN), Id::of_whole((1 << 53) + 1), Id::Number(0.0)];
    let texts: Vec<Id> = ["", "a", "Zürich", "x y"].map(|id| Id::Text(id.into())).to_vec();
    let mixed = vec![Id::Number(1.5), Id::Text("7".into()), Id::Integer("9".repeat(30)), Id::Number(-2.0)];
    for kind in KINDS {
        for given in [&whole, &wide, &texts, &mixed, &Vec::new()] {
            for name in ["ids", "a", "zz ü"] {
                let memory = Memory::default();
                let mut out = writer(kind, Box::new(memory.clone()), Some(name)).unwrap();
                for some in given.chunks(300) {
                    let rows: Vec<f32> = (0..some.len() * 3).map(|number| number as f32).collect();
                    out.append(&rows).unwrap();
                    out.append_ids(some).unwrap();
                }
                out.finish().unwrap();
                fs::write(&path, memory.bytes()).unwrap();
                let file = open(kind, &path);
                let index =
                    |wanted: &str| file.tensors().iter().position(|tensor| tensor.name == wanted).unwrap();
                let wanted: Vec<String> = given.iter().cloned().map(Id::into_text).collect();
                // Of two tensors one is of vectors.
                let vectors: Vec<_> =
                    file.tensors().iter().filter(|tensor| tensor.obstacle.is_none()).collect();
                assert_eq!(vectors.len(), 1, "{kind:?}");
                assert_eq!(
                    (&vectors[0].name[..], &vectors[0].shape[..]),
                    ("embedding", &[given.len() as u64, 3][..])
                );
                for most in [1, 7, 5000] {
                    assert_eq!(ids(open(kind, &path), index(name), most).unwrap(), wanted, "{kind:?} {name}");
                }
                let (mut reader, mut rows) =
                    (open(kind, &path).rows(index("embedding"), &mut || {}).unwrap(), Vec::new());
                while reader.read(1000, &mut rows).unwrap() > 0 {}
                assert_eq!(rows.len(), given.len() * 3);
                for index in 0..2 {
                    file.verify(index, &mut || {}).unwrap();
                }
            }
        }
    }
}

#[test]
fn files_without_ids_are_as_they_were() {
    let rows = [1.0, 2.0, 3.0];
    for kind in KINDS {
        let written = |ids: Option<&str>| {
            let memory = Memory::default();
            let mut out = writer(kind, Box::new(memory.clone()), ids).unwrap();
            out.append(&rows).unwrap();
            if ids.is_some() {
                out.append_ids(&[Id::of_whole(1)]).unwrap();
            }
            let bytes = out.bytes();
            out.finish().unwrap();
            assert!(bytes <= memory.bytes().len() as u64);
            memory.bytes().len()
        };
        assert!(written(None) < written(Some("ids")));
    }
}

#[test]
fn what_is_refused() {
    let memory = || Box::new(Memory::default());
    for kind in KINDS {
        let error = writer(kind, memory(), Some("embedding")).err().unwrap().to_string();
        assert_eq!(error, "two tensors can't be called \"embedding\"");
        let mut out = writer(kind, memory(), Some("ids")).unwrap();
        out.append(&[0.0; 6]).unwrap();
        out.append_ids(&[Id::of_whole(1)]).unwrap();
        assert_eq!(out.finish().unwrap_err().to_string(), "1 ids were given for 2 rows");
        let mut out = writer(kind, memory(), Some("ids")).unwrap();
        let error = out.append_ids(&[Id::Text("x".repeat(2000))]).unwrap_err().to_string();
        assert_eq!(error, "the id of row 1 has 2000 bytes: a tensor of texts has at most 1024");
    }
    assert!(writer(Kind::Safetensors, memory(), Some("__metadata__")).is_err());
}
