//! All tensors of a file as another: of every container, into each of those that are written.

mod arrays_common;
mod common;
mod zt_common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use common::{Memory, data};
use tempfile::TempDir;
use tq_files::{
    BurnpackFile, Container, Format, RowsError, WholeFormat, WholeOptions, ZtensorFile, ZtensorGeneration,
    detect, merge_safetensors, open_safetensors, recode_ztensor, write_whole,
};
use zt_common::{Part, Stored, Tensor, build};

const FORMATS: [WholeFormat; 5] = [
    WholeFormat::Safetensors,
    WholeFormat::Burnpack,
    WholeFormat::Ztensor { generation: ZtensorGeneration::V2, compress: false },
    WholeFormat::Ztensor { generation: ZtensorGeneration::V2, compress: true },
    WholeFormat::Ztensor { generation: ZtensorGeneration::V1_2, compress: true },
];

fn open(path: &Path) -> Box<dyn Container> {
    match detect(path).unwrap() {
        Some(Format::Ztensor) => Box::new(ZtensorFile::open(path).unwrap()),
        Some(Format::Burnpack) => Box::new(BurnpackFile::open(path).unwrap()),
        Some(format) => arrays_common::open_as(format, path).unwrap(),
        None => panic!("{}", path.display()),
    }
}

fn options(format: WholeFormat) -> WholeOptions {
    WholeOptions { format, tensor: "unnamed".into(), attributes: None }
}

fn whole(source: &dyn Container, options: &WholeOptions) -> Result<Vec<u8>, RowsError> {
    let memory = Memory::default();
    let count = write_whole(source, options, Box::new(memory.clone()), &mut || {})?;
    assert_eq!(count, source.tensors().len() as u64);
    Ok(memory.bytes())
}

/// Rows of a tensor, or why it has none.
fn rows(path: &Path, index: usize) -> Option<Vec<u64>> {
    let mut reader = open(path).rows(index, &mut || {}).ok()?;
    let mut rows = Vec::new();
    while reader.read_any_doubles(100, &mut rows).unwrap() > 0 {}
    Some(rows.into_iter().map(f64::to_bits).collect())
}

fn ids(path: &Path, index: usize) -> Option<Vec<String>> {
    arrays_common::ids(open(path), index, 100).ok()
}

/// Golden files whose tensors can all be written.
fn sources() -> Vec<PathBuf> {
    let regress = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/pg_regress/data");
    let mut paths: Vec<PathBuf> = [
        "arrays/types.safetensors",
        "arrays/ids.safetensors",
        "arrays/empty.safetensors",
        "arrays/small_stored.npz",
        "arrays/small_deflated.npz",
        "arrays/f_be_f8.npy",
        "arrays/c_be_i4.npy",
        "arrays/one_row.npy",
        "arrays/cube.npy",
        "arrays/six.fbin",
        "gguf/small_q8.gguf",
        "gguf/small_q4.gguf",
        "gguf/small_f32.gguf",
        "gguf/empty.gguf",
        "torch/newer.pt",
        "torch/checkpoint.pt",
        "torch/several.pt",
        "torch/big_endian.pt",
        "torch/tensor.pt",
    ]
    .map(data)
    .to_vec();
    paths.push(regress.join("many.bpk"));
    paths
}

#[test]
fn every_container_as_every_other() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data");
    let (mut files, mut tensors, mut numbers) = (0, 0, 0);
    for source in sources() {
        for format in FORMATS {
            let file = open(&source);
            let made = whole(file.as_ref(), &options(format));
            let bytes = made.unwrap_or_else(|error| panic!("{}: {error}", source.display()));
            fs::write(&path, &bytes).unwrap();
            let written = open(&path);
            assert_eq!(written.tensors().len(), file.tensors().len());
            for (index, tensor) in file.tensors().iter().enumerate() {
                let name = if tensor.name.is_empty() { "unnamed" } else { &tensor.name };
                let place = written.tensors().iter().position(|tensor| tensor.name == name).unwrap();
                assert_eq!(written.tensors()[place].shape, tensor.shape, "{} {name}", source.display());
                written.verify(place, &mut || {}).unwrap();
                // What is no vector in one file may be in another, of whole numbers.
                if let (Some(mine), Some(theirs)) = (rows(&source, index), rows(&path, place)) {
                    assert_eq!(mine, theirs, "{} {name}", source.display());
                    numbers += mine.len();
                }
                if let Some(mine) = ids(&source, index) {
                    assert_eq!(ids(&path, place), Some(mine), "{} {name}", source.display());
                }
                tensors += 1;
            }
            // Once more, and once more again: directories are in the order of names, and so are the tensors then.
            let again = whole(written.as_ref(), &options(format)).unwrap();
            fs::write(&path, &again).unwrap();
            assert!(whole(open(&path).as_ref(), &options(format)).unwrap() == again, "{}", source.display());
            files += 1;
        }
    }
    eprintln!("{files} files with {tensors} tensors, {numbers} numbers equal");
    assert!(files == 100 && numbers > 3000);
}

/// Every rank and every order: the bytes of elements are those of the same array in C order.
#[test]
fn orders_of_many_dimensions() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data");
    let views = open(&data("torch/views.pt"));
    let error = whole(views.as_ref(), &options(WholeFormat::Safetensors)).unwrap_err().to_string();
    assert_eq!(
        error,
        "tensor \"expanded\" can't be written anew: its numbers overlap: save tensor.contiguous()"
    );
    // A cube in Fortran order: 24 numbers, of which the first dimension varies fastest.
    let header = "{'descr': '>i2', 'fortran_order': True, 'shape': (2, 3, 4)}";
    let mut npy = b"\x93NUMPY\x01\x00".to_vec();
    npy.extend((header.len() as u16).to_le_bytes());
    npy.extend(header.as_bytes());
    npy.extend((0..24i16).flat_map(i16::to_be_bytes));
    fs::write(&path, &npy).unwrap();
    let bytes = whole(open(&path).as_ref(), &options(WholeFormat::Safetensors)).unwrap();
    let numbers: Vec<i16> =
        bytes[bytes.len() - 48..].as_chunks().0.iter().map(|number| i16::from_le_bytes(*number)).collect();
    let wanted: Vec<i16> =
        (0..2).flat_map(|i| (0..3).flat_map(move |j| (0..4).map(move |k| i + 2 * j + 6 * k))).collect();
    assert_eq!(numbers, wanted);
}

#[test]
fn attributes_go_along() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data");
    let wanted =
        BTreeMap::from([("format".to_owned(), "np".to_owned()), ("ü".to_owned(), "\"\\".to_owned())]);
    let source = open(&data("arrays/types.safetensors"));
    assert_eq!(BTreeMap::from_iter(source.attributes().unwrap()), wanted);
    for format in FORMATS {
        fs::write(&path, whole(source.as_ref(), &options(format)).unwrap()).unwrap();
        assert_eq!(BTreeMap::from_iter(open(&path).attributes().unwrap()), wanted, "{format:?}");
        let other = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
        let replaced = WholeOptions { attributes: Some(other.clone()), ..options(format) };
        fs::write(&path, whole(open(&path).as_ref(), &replaced).unwrap()).unwrap();
        assert_eq!(BTreeMap::from_iter(open(&path).attributes().unwrap()), other, "{format:?}");
    }
}

#[test]
fn what_is_refused() {
    for (name, problem) in [
        ("torch/state.pt", "tensor \"complex\" can't be written anew: its type is complex64"),
        ("gguf/types.gguf", "can't be written anew: its type is "),
        ("arrays/stored.npz", "tensor \"names\" can't be written anew: its type is <U2"),
        ("arrays/object.npy", "its array can't be written anew: its type is object"),
        ("arrays/six.fvecs", "its array can't be written anew: each of its rows begins with its length"),
    ] {
        for format in FORMATS {
            let error = whole(open(&data(name)).as_ref(), &options(format)).unwrap_err().to_string();
            assert!(error.contains(problem), "{name}: {error}");
        }
    }
}

fn recoded(path: &Path, compress: Option<bool>) -> Result<Vec<u8>, RowsError> {
    let memory = Memory::default();
    let file = ZtensorFile::open(path).unwrap();
    recode_ztensor(&file, compress, None, Box::new(memory.clone()), &mut || {})?;
    Ok(memory.bytes())
}

/// Dense and sparse tensors of every generation, compressed, decompressed and as they are.
#[test]
fn compressed_and_decompressed() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data");
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
    let longs = |words: &[u64]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
    let floats: Vec<u8> = (0..6000).flat_map(|number| (number as f32).to_le_bytes()).collect();
    let part = |role, dtype, content: &[u8], zstd| Part {
        role,
        dtype,
        content: content.to_vec(),
        stored: if zstd { Stored::Zstd } else { Stored::Raw },
    };
    for generation in
        [ZtensorGeneration::V0_1, ZtensorGeneration::V1_0, ZtensorGeneration::V1_2, ZtensorGeneration::V2]
    {
        for zstd in [false, true] {
            let newest = generation == ZtensorGeneration::V2;
            let mut tensors = vec![
                Tensor {
                    name: "dense",
                    layout: "dense",
                    shape: vec![100, 60],
                    parts: vec![part("data", "f32", &floats, zstd)],
                },
                Tensor {
                    name: "vector",
                    layout: "dense",
                    shape: vec![5],
                    parts: vec![part("data", "u8", &[1, 2, 3, 4, 5], zstd)],
                },
            ];
            if generation != ZtensorGeneration::V0_1 {
                let (layout, index) = if newest { ("zt.sparse_csr/1", "u32") } else { ("sparse_csr", "u64") };
                let integers = |of: &[u64]| match newest {
                    true => words(&of.iter().map(|word| *word as u32).collect::<Vec<u32>>()),
                    false => longs(of),
                };
                // In the order that a directory has.
                tensors.insert(
                    1,
                    Tensor {
                        name: "sparse",
                        layout,
                        shape: vec![2, 4],
                        parts: vec![
                            part("indptr", index, &integers(&[0, 1, 2]), zstd),
                            part("values", "f32", &[0, 0, 128, 63, 0, 0, 0, 64], zstd),
                            part("indices", index, &integers(&[0, 3]), zstd),
                        ],
                    },
                );
            }
            common::write_anew(&path, &build(generation, &tensors, true).0);
            let wanted: Vec<_> = (0..tensors.len()).map(|index| rows(&path, index)).collect();
            assert!(wanted[0].is_some());
            for compress in [None, Some(true), Some(false)] {
                common::write_anew(&path, &build(generation, &tensors, true).0);
                let bytes = recoded(&path, compress).unwrap();
                common::write_anew(&path, &bytes);
                let file = ZtensorFile::open(&path).unwrap();
                assert_eq!((file.format(), file.tensors().len()), ("zTensor 2", tensors.len()));
                for (index, tensor) in tensors.iter().enumerate() {
                    let place = file.tensors().iter().position(|found| found.name == tensor.name).unwrap();
                    let found = &file.tensors()[place];
                    assert!(file.verify(place, &mut || {}).unwrap());
                    assert_eq!(
                        rows(&path, place),
                        wanted[index],
                        "{generation:?} {zstd} {compress:?} {}",
                        found.name
                    );
                    let seekable = found.encoding.ends_with("zt.zstd-seekable/1");
                    assert_eq!(seekable, compress.unwrap_or(zstd), "{found:?}");
                }
                // There and back gives the same bytes, once the tensors are in the order of the directory.
                let turned = |compress: bool, bytes: &[u8]| {
                    common::write_anew(&path, bytes);
                    recoded(&path, Some(compress)).unwrap()
                };
                let compressed = compress.unwrap_or(zstd);
                let there = turned(!compressed, &bytes);
                let back = turned(compressed, &there);
                assert!(
                    turned(compressed, &turned(!compressed, &back)) == back,
                    "{generation:?} {zstd} {compress:?}"
                );
            }
        }
    }
}

#[test]
fn recoding_compares_checksums() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data");
    let source = open(&data("arrays/types.safetensors"));
    let ztensor = WholeFormat::Ztensor { generation: ZtensorGeneration::V2, compress: false };
    let mut bytes = whole(source.as_ref(), &options(ztensor)).unwrap();
    bytes[65536] ^= 1;
    fs::write(&path, &bytes).unwrap();
    for compress in [None, Some(true), Some(false)] {
        let error = recoded(&path, compress).unwrap_err().to_string();
        assert!(error.contains("checksum of tensor"), "{error}");
    }
    assert!(open_safetensors(&data("arrays/types.safetensors")).is_ok());
}

#[test]
fn several_safetensors_as_one() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data");
    let [one, other] = ["arrays/types.safetensors", "arrays/ids.safetensors"]
        .map(|name| open_safetensors(&data(name)).unwrap());
    let count = one.tensors().len() + other.tensors().len();
    let memory = Memory::default();
    let merged = merge_safetensors(&[one, other], Box::new(memory.clone()), &mut || {}).unwrap();
    assert_eq!((merged.count, merged.bytes), (count as u64, memory.bytes().len() as u64));
    fs::write(&path, memory.bytes()).unwrap();
    for name in ["arrays/types.safetensors", "arrays/ids.safetensors"] {
        for (index, tensor) in open(&data(name)).tensors().iter().enumerate() {
            let place = open(&path).tensors().iter().position(|found| found.name == tensor.name).unwrap();
            assert_eq!(open(&path).tensors()[place].shape, tensor.shape);
            assert_eq!(rows(&path, place), rows(&data(name), index));
        }
    }
    let twice = || open_safetensors(&path).unwrap();
    let error = merge_safetensors(&[twice(), twice()], Box::new(Memory::default()), &mut || {}).unwrap_err();
    assert!(error.to_string().starts_with("tensor \"all F8_E4M3\" is in file"), "{error}");
    assert!(merge_safetensors(&[], Box::new(Memory::default()), &mut || {}).is_err());
}
