//! zTensor of generation 2, and files that were merged into it, by `ztensor` 2.1.

use std::fs;
use std::path::Path;

use half::{bf16, f16};
use tempfile::TempDir;
use tq_files::{
    AtomicFile, Container, FloatType, ZtensorFile, ZtensorGeneration, ZtensorOptions, merge_ztensors,
};
use ztensor::format::cbor::Value;
use ztensor::read::canonical_violations;
use ztensor::{DType, Source, Verified, Writer};

use crate::{SHAPES, compressed, encoded, kinds, noise, read, write};

fn dtype(float: FloatType) -> DType {
    match float {
        FloatType::F16 => DType::F16,
        FloatType::Bf16 => DType::BF16,
        FloatType::F32 => DType::F32,
        FloatType::F64 => DType::F64,
    }
}

fn le(words: &[u64], width: usize) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()[..width].to_vec()).collect()
}

/// The parts that a tensor must have.
fn expected(options: &ZtensorOptions, rows: &[f32], dimension: usize) -> Vec<(&'static str, DType, Vec<u8>)> {
    let float = options.float;
    if !options.sparse {
        return vec![("data", dtype(float), encoded(float, rows))];
    }
    let (columns, values, begins) = compressed(rows, dimension);
    vec![
        ("indices", DType::U32, le(&columns, 4)),
        ("indptr", DType::U32, le(&begins, 4)),
        ("values", dtype(float), encoded(float, &values)),
    ]
}

#[test]
fn what_we_write_it_reads() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("file.zt");
    let (mut files, mut same, mut canonical) = (0, 0, 0);
    for options in kinds(ZtensorGeneration::V2) {
        for (count, dimension) in SHAPES {
            let rows = noise(count, dimension);
            write(&path, dimension, options.clone(), &rows);
            let context = format!("{options:?}, {count} × {dimension}");
            let source =
                Source::options().map(false).open(&path).unwrap_or_else(|error| panic!("{context}: {error}"));
            let tensor = source.tensor("some tensor").unwrap();
            assert_eq!(source.len(), 1);
            assert_eq!(tensor.shape(), [count as u64, dimension as u64]);
            assert_eq!(tensor.layout(), if options.sparse { "zt.sparse_csr/1" } else { "dense" });
            let verified = if options.checksum { Verified::Digest } else { Verified::NoDigest };
            assert_eq!(tensor.verify().unwrap(), verified, "{context}");
            let parts = expected(&options, &rows, dimension);
            assert!(tensor.parts().eq(parts.iter().map(|part| part.0)));
            for (name, dtype, bytes) in &parts {
                let part = tensor.part(name).unwrap();
                assert_eq!(part.dtype(), *dtype);
                assert!(part.bytes().unwrap()[..] == bytes[..], "{context}: {name}");
            }
            let attributes = source.attributes().unwrap();
            for (key, value) in &options.attributes {
                assert_eq!(attributes.get(key).cloned(), Some(Value::Text(value.clone())));
            }
            files += 1;
            if options.compress || !options.checksum {
                continue;
            }
            // Not compressed and with checksums it is canonical, and so its bytes can't be others. The library's check
            // takes it for an error that its own writer puts what is empty where something else begins.
            let violations = canonical_violations(&path).unwrap();
            assert!(
                violations.is_empty() || parts.iter().any(|part| part.2.is_empty()),
                "{context}: {violations:?}"
            );
            canonical += 1;
            let theirs = folder.path().join("theirs.zt");
            written_by_it(&theirs, &options, [count, dimension], &parts);
            same += usize::from(fs::read(&path).unwrap() == fs::read(&theirs).unwrap());
        }
    }
    println!("{files} files read, {canonical} canonical, {same} the same as written by ztensor");
    assert_eq!((files, canonical, same), (160, 40, 40));
}

/// The same file by the library's own writer.
fn written_by_it(
    path: &Path,
    options: &ZtensorOptions,
    shape: [usize; 2],
    parts: &[(&'static str, DType, Vec<u8>)],
) {
    let mut writer = Writer::create(path).unwrap();
    let attributes = options.attributes.iter();
    let attributes = attributes.map(|(key, value)| (Value::Text(key.clone()), Value::Text(value.clone())));
    writer.set_attributes(Value::Map(attributes.collect()));
    writer
        .object("some tensor", |object| {
            let object = object.shape(shape.map(|extent| extent as u64));
            let object = if options.sparse { object.layout("zt.sparse_csr/1") } else { object };
            parts.iter().fold(object, |object, (name, dtype, bytes)| {
                object.part(*name, |part| part.dtype(*dtype).bytes(bytes))
            })
        })
        .unwrap();
    writer.finish().unwrap();
}

/// Numbers that all types but the unsigned ones have exactly, in the bytes of each.
fn all_types(numbers: &[i8]) -> Vec<(&'static str, DType, Vec<u8>)> {
    fn bytes<const N: usize>(numbers: &[i8], convert: impl Fn(i8) -> [u8; N]) -> Vec<u8> {
        numbers.iter().flat_map(|number| convert(*number)).collect()
    }
    vec![
        ("f64", DType::F64, bytes(numbers, |n| f64::from(n).to_le_bytes())),
        ("f32", DType::F32, bytes(numbers, |n| f32::from(n).to_le_bytes())),
        ("f16", DType::F16, bytes(numbers, |n| f16::from_f32(n.into()).to_le_bytes())),
        ("bf16", DType::BF16, bytes(numbers, |n| bf16::from_f32(n.into()).to_le_bytes())),
        ("i64", DType::I64, bytes(numbers, |n| i64::from(n).to_le_bytes())),
        ("i32", DType::I32, bytes(numbers, |n| i32::from(n).to_le_bytes())),
        ("i16", DType::I16, bytes(numbers, |n| i16::from(n).to_le_bytes())),
        ("i8", DType::I8, bytes(numbers, |n| n.to_le_bytes())),
        ("u64", DType::U64, bytes(numbers, |n| u64::from(n.unsigned_abs()).to_le_bytes())),
        ("u32", DType::U32, bytes(numbers, |n| u32::from(n.unsigned_abs()).to_le_bytes())),
        ("u16", DType::U16, bytes(numbers, |n| u16::from(n.unsigned_abs()).to_le_bytes())),
        ("u8", DType::U8, bytes(numbers, |n| n.unsigned_abs().to_le_bytes())),
    ]
}

#[test]
fn what_it_writes_we_read() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("file.zt");
    let numbers: Vec<i8> = (0..600).map(|i| (i % 250 - 125) as i8).collect();
    let signed: Vec<f32> = numbers.iter().map(|number| f32::from(*number)).collect();
    let unsigned: Vec<f32> = signed.iter().map(|number| number.abs()).collect();
    let types = all_types(&numbers);
    let mut tensors = 0;
    for (align, encoding) in [(4096, None), (65_536, None), (4096, Some("zt.zstd-seekable/1"))] {
        let mut writer = Writer::options().canonical(false).align(align).create(&path).unwrap();
        for (name, dtype, bytes) in &types {
            writer
                .object(*name, |object| {
                    object.shape([100u64, 6]).part("data", |part| {
                        let part = part.dtype(*dtype).bytes(bytes);
                        encoding.into_iter().fold(part, |part, encoding| part.encoding(encoding))
                    })
                })
                .unwrap();
        }
        writer.finish().unwrap();
        for (name, dtype, bytes) in &types {
            let file = ZtensorFile::open(&path).unwrap();
            let tensor = file.tensors().iter().find(|tensor| tensor.name == *name).unwrap();
            assert_eq!((&tensor.dtype[..], &tensor.shape[..]), (*name, &[100, 6][..]), "{dtype:?}");
            assert_eq!(tensor.checksum, Some("xxh3"));
            assert!(encoding.is_some() || tensor.bytes == bytes.len() as u64);
            let expected = if name.starts_with('u') { &unsigned } else { &signed };
            assert!(read(file, name) == *expected, "{name}, {encoding:?}");
            tensors += 1;
        }
    }
    assert_eq!(tensors, 36);
}

#[test]
fn sparse_tensors_that_it_writes_we_read() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("file.zt");
    for (count, dimension) in SHAPES {
        let rows = noise(count, dimension);
        let (columns, values, begins) = compressed(&rows, dimension);
        let numbers = encoded(FloatType::F32, &values);
        let shape = [count as u64, dimension as u64];
        for (dtype, width) in [(DType::U32, 4), (DType::U64, 8)] {
            for encoding in [None, Some("zt.zstd-seekable/1")] {
                let row_of = |(row, ends): (usize, &[u64])| vec![row as u64; (ends[1] - ends[0]) as usize];
                let coords: Vec<u64> =
                    begins.windows(2).enumerate().flat_map(row_of).chain(columns.clone()).collect();
                let (coords, indices, indptr) = (le(&coords, width), le(&columns, width), le(&begins, width));
                let mut writer = Writer::options().canonical(false).create(&path).unwrap();
                let values = ("values", DType::F32, &numbers);
                let csr = [("indices", dtype, &indices), ("indptr", dtype, &indptr), values];
                let coo = [("coords", dtype, &coords), values];
                for (name, layout, parts) in
                    [("csr", "zt.sparse_csr/1", &csr[..]), ("coo", "zt.sparse_coo/1", &coo)]
                {
                    writer
                        .object(name, |object| {
                            let object = object.shape(shape).layout(layout);
                            parts.iter().fold(object, |object, (name, dtype, bytes)| {
                                object.part(*name, |part| {
                                    let part = part.dtype(*dtype).bytes(bytes);
                                    encoding.into_iter().fold(part, |part, encoding| part.encoding(encoding))
                                })
                            })
                        })
                        .unwrap();
                }
                writer.finish().unwrap();
                for name in ["csr", "coo"] {
                    let file = ZtensorFile::open(&path).unwrap();
                    assert!(read(file, name) == rows, "{name}, {count} × {dimension}, {encoding:?}");
                }
            }
        }
    }
}

#[test]
fn merged_files_are_read_by_it() {
    let folder = TempDir::new().unwrap();
    let mut sources = Vec::new();
    let mut expected = Vec::new();
    let all = kinds(ZtensorGeneration::V1_2).chain(kinds(ZtensorGeneration::V2));
    for (i, options) in all.enumerate().filter(|(i, _)| i % 3 != 0) {
        let path = folder.path().join(format!("{i}.zt"));
        let (count, dimension) = SHAPES[i % 5];
        let rows = noise(count, dimension);
        let options = ZtensorOptions { tensor: format!("{i}"), ..options };
        write(&path, dimension, options.clone(), &rows);
        sources.push(ZtensorFile::open(&path).unwrap());
        expected.push((options, rows, dimension));
    }
    let path = folder.path().join("merged.zt");
    let output = Box::new(AtomicFile::create(&path).unwrap());
    assert_eq!(merge_ztensors(&sources, output, &mut || {}).unwrap().count, sources.len() as u64);
    let source = Source::options().map(false).open(&path).unwrap();
    assert_eq!(source.len(), sources.len());
    for (options, rows, dimension) in expected {
        let tensor = source.tensor(&options.tensor).unwrap();
        // What came from generation 1.2 has got them.
        let checked = options.checksum || options.generation == ZtensorGeneration::V1_2;
        assert_eq!(tensor.verify().unwrap().is_checked(), checked);
        for (name, _, bytes) in self::expected(&options, &rows, dimension) {
            let part = tensor.part(name).unwrap();
            let wide = part.dtype() == DType::U64 && name.starts_with('i');
            let found = part.bytes().unwrap();
            match wide {
                true => assert!(
                    found.len() == 2 * bytes.len()
                        && found.chunks(8).zip(bytes.chunks(4)).all(|(a, b)| a[..4] == *b)
                ),
                false => assert!(found[..] == bytes[..], "{options:?}: {name}"),
            }
        }
    }
}
