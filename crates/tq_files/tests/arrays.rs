//! Files of dense arrays: NumPy's, safetensors, those of benchmarks. Those that the formats' own libraries have written, damaged
//! ones, and those that are written here.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use common::{Memory, Random, data};
use serde_json::Value;
use tempfile::TempDir;
use tq_files::{
    Container, ContainerError, FbinWriter, FileError, FloatType, Format, Id, NpyOptions, NpyWriter,
    OpenError, Output, RowWriter, RowsError, SafetensorsOptions, SafetensorsWriter, detect, open_benchmark,
    open_npy, open_npz, open_safetensors,
};

const CASES: usize = 100_000;

fn open_as(format: Format, path: &Path) -> Result<Box<dyn Container>, OpenError> {
    Ok(match format {
        Format::Npy => Box::new(open_npy(path)?),
        Format::Npz => Box::new(open_npz(path)?),
        Format::Safetensors => Box::new(open_safetensors(path)?),
        other => Box::new(open_benchmark(other.benchmark().unwrap(), path)?),
    })
}

/// A file of the format that it is told to be.
fn open(path: &Path) -> Box<dyn Container> {
    let format = detect(path).unwrap().unwrap_or_else(|| panic!("{}: no format", path.display()));
    open_as(format, path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The rows of a tensor as doubles, read in blocks of at most `most`.
fn read(file: Box<dyn Container>, index: usize, most: usize) -> Result<Vec<f64>, RowsError> {
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
fn ids(file: Box<dyn Container>, index: usize, most: usize) -> Result<Vec<String>, RowsError> {
    let mut reader = file.ids(index, &mut || {})?;
    let mut ids: Vec<Id> = Vec::new();
    while reader.read(most, &mut ids)? > 0 {}
    assert_eq!(ids.len() as u64, reader.count());
    Ok(ids.into_iter().map(Id::into_text).collect())
}

fn folder() -> PathBuf {
    data("arrays")
}

/// Names, and what is in each.
fn index() -> BTreeMap<String, BTreeMap<String, Value>> {
    serde_json::from_slice(&fs::read(folder().join("index.json")).unwrap()).unwrap()
}

#[test]
fn golden_files() {
    let (mut files, mut tensors, mut values, mut texts) = (0, 0, 0, 0);
    for (name, expected) in index() {
        let path = folder().join(&name);
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
    assert!(files > 70 && values > 2800 && texts > 20);
}

#[test]
fn what_stands_in_the_way() {
    let obstacle = |name: &str| open(&folder().join(name)).tensors()[0].obstacle.clone().unwrap_or_default();
    for (name, expected) in [
        ("vector.npy", "it has 1 dimension, not 2"),
        ("cube.npy", "it has 3 dimensions, not 2"),
        ("scalar.npy", "it has 0 dimensions, not 2"),
        ("no_columns.npy", "its rows are empty"),
        ("bool.npy", "its type is |b1, not a number"),
        ("complex.npy", "its type is <c8, not a number"),
        ("time.npy", "its type is <M8[us], not a number"),
        ("long_double.npy", "its type is <f16: long doubles differ from machine to machine"),
        ("object.npy", "its type is object: pickled Python objects are not read"),
        ("record.npy", "its type is a record of several fields"),
        ("ids_s.npy", "its type is |S12, not a number"),
    ] {
        assert_eq!(obstacle(name), expected, "{name}");
        let error = open(&folder().join(name)).rows(0, &mut || {}).err().unwrap().to_string();
        assert_eq!(error, format!("its array can't be read as vectors: {expected}"));
    }
    let not_ids = |name: &str| open(&folder().join(name)).ids(0, &mut || {}).err().unwrap().to_string();
    assert_eq!(
        not_ids("vector.npy"),
        "its array can't be read as ids: its type is <f4, neither whole numbers nor texts"
    );
    assert_eq!(
        not_ids("c_le_i8.npy"),
        "its array can't be read as ids: its shape is [7, 5], not one id for each row"
    );
    assert_eq!(open(&folder().join("version_3.npy")).format(), "NumPy 3");
    let error = open(&folder().join("six.fbin")).rows(1, &mut || {}).err().unwrap().to_string();
    assert_eq!(error, "its array can't be read as vectors: number 1 of 1 was asked for");
}

/// The file's format, whatever its name says, where its bytes tell.
#[test]
fn told_by_content_or_name() {
    let folder_of_copies = TempDir::new().unwrap();
    for (name, copy, format) in [
        ("version_1.npy", "x.fvecs", Some(Format::Npy)),
        ("stored.npz", "x.pt", Some(Format::Npz)),
        ("types.safetensors", "x.fbin", Some(Format::Safetensors)),
        ("empty.safetensors", "x", Some(Format::Safetensors)),
        ("six.fvecs", "x.FVECS", Some(Format::Fvecs)),
        ("six.bvecs", "x.ivecs", Some(Format::Ivecs)),
        ("six.fbin", "x.bin", None),
        ("six.u8bin", "fbin", None),
        ("six.i8bin", "x.npy", None),
    ] {
        let path = folder_of_copies.path().join(copy);
        fs::copy(folder().join(name), &path).unwrap();
        assert_eq!(detect(&path).unwrap(), format, "{name} as {copy}");
    }
}

/// What refuses these bytes.
fn refusal(format: Format, bytes: &[u8]) -> String {
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

fn npy(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    bytes
}

#[test]
fn headers_of_numpy() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data");
    // All that Python reads as the same.
    for header in [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }",
        "{\"shape\": (2,3),\"fortran_order\":False,'descr':'<f4'}\n",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2L, 3L)}",
        " {'descr' : '=f4' ,'fortran_order' : False, 'shape' : [2, 3, ] , } ",
        "{'descr': 'f4', 'fortran_order': False, 'shape': (2, 3)}",
    ] {
        fs::write(&path, npy(header, 24)).unwrap();
        assert_eq!(read(open(&path), 0, 10).unwrap(), [0.0; 6], "{header}");
    }
    let big = "18446744073709551615";
    for (header, problem) in [
        ("", "NumPy header: expected '{' at its byte 0"),
        ("{}", "NumPy header: \"descr\" is missing"),
        ("{'descr': '<f4', 'shape': (2, 3)}", "\"fortran_order\" is missing"),
        ("{'descr': '<f4', 'fortran_order': False}", "\"shape\" is missing"),
        ("{'descr': '<f4', 'descr': '<f4'}", "a key stands twice"),
        ("{'descr': '<f4', 'x': 1}", "unknown key"),
        ("{'descr': '<f3'}", "unknown type"),
        ("{'descr': '<f4[us]'}", "unknown type"),
        ("{'descr': '<f\\x34'}", "a text with a backslash"),
        ("{'descr': '<f4", "a text without an end"),
        ("{'descr': [[[[[[[[[[[[[[[[[[[[[", "nested too deeply"),
        ("{'descr': [('a', '<f4')", "expected a value"),
        ("{'fortran_order': 0", "expected True or False"),
        ("{'shape': (-1, 3)", "expected a whole number"),
        ("{'shape': (+1, 3)", "expected a whole number"),
        ("{'shape': (2 3)", "expected ')'"),
        ("{'shape': 3", "expected a tuple"),
        ("{'shape': (18446744073709551616,)", "expected a whole number"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)} x", "more than a dictionary"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)", "expected '}'"),
        (
            "{'descr': '<f4', 'fortran_order': False, 'shape': (7, 3)}",
            "file of 91 bytes is truncated: shape [7, 3] of <f4 needs 84 from byte 67 on",
        ),
        (
            "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3)}",
            "12 bytes stand behind the end of the array, at byte 79",
        ),
        (
            &format!("{{'descr': '<f4', 'fortran_order': True, 'shape': ({big}, {big})}}"),
            "is beyond all bounds",
        ),
        (&format!("{{'descr': '<f8', 'fortran_order': True, 'shape': ({big}, 1)}}"), "is beyond all bounds"),
        (
            "{'descr': '|u1', 'fortran_order': True, 'shape': (4611686018427387904, 3)}",
            "needs 13835058055282163712 from byte",
        ),
        (&format!("{{'shape': ({}", "1, ".repeat(65)), "more than 64 dimensions"),
    ] {
        let refused = refusal(Format::Npy, &npy(header, 24));
        assert!(refused.contains(problem), "{header}: {refused}");
    }
    for (bytes, problem) in [
        (&b"\x93NUMP"[..], "NumPy header is truncated: the file has 5 bytes"),
        (b"\x93NUMPZ\x01\x00", "not a NumPy file: it starts with"),
        (b"\x93NUMPY\x01\x00\x05", "truncated"),
        (b"\x93NUMPY\x04\x00\x00\x00\x00\x00", "unknown NumPy version 4.0"),
        (
            b"\x93NUMPY\x02\x00\xff\xff\xff\xff",
            "NumPy header has 4294967295 bytes: at most 65536 are allowed",
        ),
        (b"\x93NUMPY\x01\x00\xff\xff{}", "truncated"),
    ] {
        let refused = refusal(Format::Npy, bytes);
        assert!(refused.contains(problem), "{refused}");
    }
}

fn safetensors(directory: &str, data: usize) -> Vec<u8> {
    let mut bytes = (directory.len() as u64).to_le_bytes().to_vec();
    bytes.extend(directory.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    bytes
}

#[test]
fn directories_of_safetensors() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data");
    let tensor = |name: &str, dtype: &str, shape: &str, from: u64, to: u64| {
        format!("\"{name}\":{{\"dtype\":\"{dtype}\",\"shape\":{shape},\"data_offsets\":[{from},{to}]}}")
    };
    let whole = |tensors: &[String]| format!("{{{}}}", tensors.join(","));
    // A type that isn't known stands in nobody's way but its own.
    let unknown = [tensor("b", "F32", "[2,2]", 3, 19), tensor("a", "F9", "[7]", 0, 3)];
    fs::write(&path, safetensors(&whole(&unknown), 19)).unwrap();
    let file = open_safetensors(&path).unwrap();
    assert_eq!(file.tensors()[0].obstacle.as_deref(), Some("its type is F9, not a number"));
    assert_eq!(read(Box::new(file), 1, 9).unwrap(), [0.0; 4]);
    // Sizes that aren't whole bytes, and empty ones wherever they are.
    for tensors in [
        vec![tensor("a", "F4", "[2,3]", 0, 3), tensor("b", "F6_E2M3", "[4]", 3, 6)],
        vec![
            tensor("e", "F32", "[0,9]", 4, 4),
            tensor("a", "F32", "[1,1]", 0, 4),
            tensor("f", "F32", "[0]", 0, 0),
        ],
    ] {
        let data = tensors.iter().filter(|text| text.contains("3,6")).count() * 2 + 4;
        fs::write(&path, safetensors(&whole(&tensors), data)).unwrap();
        assert_eq!(open_safetensors(&path).unwrap().tensors().len(), tensors.len());
    }
    let max = u64::MAX;
    for (tensors, data, problem) in [
        (vec![tensor("a", "F32", "[2,2]", 0, 16)], 15, "file of 80 bytes is truncated: its tensors need 81"),
        (vec![tensor("a", "F32", "[2,2]", 0, 16)], 17, "1 bytes stand behind the end of the last tensor"),
        (
            vec![tensor("a", "F32", "[2,2]", 16, 0)],
            16,
            "tensor \"a\": its data ends at 0, before it starts at 16",
        ),
        (
            vec![tensor("a", "F32", "[2,2]", 0, 16), tensor("b", "F32", "[2,2]", 8, 24)],
            24,
            "tensor \"b\": its data starts at 8, not at 16: it would overlap with the tensor before",
        ),
        (
            vec![tensor("a", "F32", "[2,2]", 0, 16), tensor("b", "F32", "[2,2]", 17, 33)],
            33,
            "tensor \"b\": its data starts at 17, not at 16: it would leave a gap",
        ),
        (
            vec![tensor("a", "F32", "[2,2]", 0, 16), tensor("a", "F32", "[2,2]", 16, 32)],
            32,
            "tensor \"a\" stands twice",
        ),
        (
            vec![tensor("a", "F32", "[2,3]", 0, 16)],
            16,
            "tensor \"a\": it has 16 bytes: its shape [2, 3] of F32 needs 24",
        ),
        (
            vec![tensor("a", "F32", &format!("[{max},{max}]"), 0, 16)],
            16,
            "tensor \"a\": its shape [18446744073709551615, 18446744073709551615] is beyond all bounds",
        ),
        (vec![tensor("a", "F32", &format!("[{max}]"), 0, 16)], 16, "is no number of bytes"),
        (vec![tensor("a", "F4", "[3]", 0, 2)], 2, "is no number of bytes"),
        (vec![tensor("a", "U8", &format!("[{max}]"), 0, max)], 16, "is no number of bytes"),
        (vec![tensor("a", "X", "[1]", 0, max)], 16, "is truncated: its tensors need 18446744073709551615"),
        (vec![tensor("a", "F32", "[-1]", 0, 4)], 4, "safetensors directory: invalid value"),
        (vec![tensor("a", "F32", "[1.0]", 0, 4)], 4, "safetensors directory: invalid type"),
        (vec![tensor("a", "F32", &format!("[{}1]", "1,".repeat(64)), 0, 4)], 4, "it has 65 dimensions"),
        (vec!["\"a\":{\"dtype\":\"F32\",\"shape\":[]}".into()], 0, "missing field `data_offsets`"),
        (vec!["\"a\":{\"dtype\":\"F32\",\"x\":1}".into()], 0, "unknown field `x`"),
        (vec!["\"__metadata__\":{\"a\":1}".into()], 0, "invalid type: integer"),
        (vec!["\"__metadata__\":{},\"__metadata__\":{}".into()], 0, "__metadata__ stands twice"),
        (vec!["\"a\":".into(), "[".repeat(1000)], 0, "safetensors directory: "),
    ] {
        let refused = refusal(Format::Safetensors, &safetensors(&whole(&tensors), data));
        assert!(refused.contains(problem), "{tensors:?}: {refused}");
    }
    for (bytes, problem) in [
        (&b"\x02\0\0\0"[..], "safetensors header is truncated: 8 bytes needed, 4 present"),
        (b"\x02\0\0\0\0\0\0\0[]", "it doesn't begin with '{'"),
        (b"\x05\0\0\0\0\0\0\0{}", "safetensors directory is truncated: 5 bytes needed, 2 present"),
        (
            b"\xff\xff\xff\xff\xff\xff\xff\xff{}",
            "has 18446744073709551615 bytes: at most 16777216 are allowed",
        ),
        (b"\x03\0\0\0\0\0\0\0{}x", "trailing characters"),
    ] {
        let refused = refusal(Format::Safetensors, bytes);
        assert!(refused.contains(problem), "{refused}");
    }
}

#[test]
fn sizes_of_benchmarks() {
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
    for (format, bytes, problem) in [
        (Format::Fvecs, vec![], "fvecs file of 0 bytes has no row"),
        (Format::Fvecs, vec![1, 0, 0], "fvecs file of 3 bytes has no row"),
        (Format::Fvecs, words(&[0, 0]), "fvecs file: its first row has 0 columns"),
        (Format::Fvecs, words(&[u32::MAX, 0]), "its first row has 4294967295 columns"),
        (Format::Fvecs, words(&[2, 0]), "fvecs file of 8 bytes is no whole number of rows of 12 bytes"),
        (Format::Fvecs, words(&[1, 0, 2, 0]), "row 2 has 2 columns, and the first has 1"),
        (Format::Bvecs, words(&[4, 0, 4]), "bvecs file of 12 bytes is no whole number of rows of 8 bytes"),
        (Format::Ivecs, words(&[1, 0, 1, 0, 9, 0]), "row 3 has 9 columns, and the first has 1"),
        (Format::Fbin, words(&[1]), "fbin header is truncated: 8 bytes needed, 4 present"),
        (Format::Fbin, words(&[1, 0]), "fbin file: its 1 rows have no columns"),
        (Format::Fbin, words(&[u32::MAX, u32::MAX]), "beyond all bounds"),
        (
            Format::Fbin,
            words(&[2, 1, 0]),
            "file of 12 bytes is truncated: shape [2, 1] of f32 needs 8 from byte 8",
        ),
        (Format::U8bin, words(&[u32::MAX, u32::MAX]), "needs 18446744065119617025 from byte 8"),
        (Format::I8bin, words(&[1, 1, 0]), "3 bytes stand behind the end of 1 rows of 1 columns, at byte 9"),
    ] {
        let refused = refusal(format, &bytes);
        assert!(refused.contains(problem), "{refused}");
    }
}

/// A file as it is written by one of the writers, in two blocks.
fn written(
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

fn npy_writer(
    float: FloatType,
    dimension: u32,
) -> impl Fn(Box<dyn Output>) -> Result<Box<dyn RowWriter>, RowsError> {
    move |output| Ok(Box::new(NpyWriter::new(output, dimension, NpyOptions { float })?))
}

fn safetensors_writer(
    options: SafetensorsOptions,
    dimension: u32,
) -> impl Fn(Box<dyn Output>) -> Result<Box<dyn RowWriter>, RowsError> {
    move |output| Ok(Box::new(SafetensorsWriter::new(output, dimension, options.clone())?))
}

/// What NumPy writes, and benchmarks have, to the byte.
#[test]
fn written_as_others_write() {
    let golden = |name: &str| fs::read(folder().join(name)).unwrap();
    for (name, float) in
        [("c_le_f2.npy", FloatType::F16), ("c_le_f4.npy", FloatType::F32), ("c_le_f8.npy", FloatType::F64)]
    {
        let rows = read(open(&folder().join(name)), 0, 100).unwrap();
        assert_eq!(written(npy_writer(float, 5), &rows, 10), golden(name), "{name}");
    }
    let rows = read(open(&folder().join("no_rows.npy")), 0, 100).unwrap();
    assert_eq!(written(npy_writer(FloatType::F32, 5), &rows, 0), golden("no_rows.npy"));
    let rows = read(open(&folder().join("six.fbin")), 0, 100).unwrap();
    let fbin = |output| Ok(Box::new(FbinWriter::new(output, 5)?) as Box<dyn RowWriter>);
    assert_eq!(written(fbin, &rows, 5), golden("six.fbin"));
}

#[test]
fn safetensors_are_written_in_every_type() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data");
    let rows: Vec<f64> = (0..500 * 12).map(|i| f64::from(i % 250) / 8.0 - 10.0).collect();
    let metadata =
        BTreeMap::from([("model".to_owned(), "ü\"\\\u{1}".to_owned()), (String::new(), "x".repeat(300))]);
    for float in [FloatType::F16, FloatType::Bf16, FloatType::F32, FloatType::F64] {
        for name in ["embedding", "ü \"\\\n", ""] {
            let options = SafetensorsOptions { tensor: name.into(), float, metadata: metadata.clone() };
            let bytes = written(safetensors_writer(options, 12), &rows, 60);
            let start = bytes.len() - rows.len() * float.width();
            assert!(start.is_multiple_of(8) && bytes[8] == b'{');
            let directory: Value = serde_json::from_slice(&bytes[8..start]).unwrap();
            assert_eq!(directory["__metadata__"], serde_json::json!(metadata));
            fs::write(&path, &bytes).unwrap();
            let file = open(&path);
            assert_eq!((file.tensors().len(), &file.tensors()[0].name[..]), (1, name));
            assert_eq!(read(file, 0, 64).unwrap(), rows);
        }
    }
}

#[test]
fn what_is_not_written() {
    let refused = |made: Result<Box<dyn RowWriter>, RowsError>, rows: &[f32]| {
        made.and_then(|mut writer| writer.append(&[1.0, 2.0]).and_then(|()| writer.append(rows)))
            .unwrap_err()
            .to_string()
    };
    let memory = || Box::new(Memory::default());
    let npy = |float, dimension| npy_writer(float, dimension)(memory());
    assert_eq!(refused(npy(FloatType::F32, 0), &[]), "rows without numbers");
    assert_eq!(refused(npy(FloatType::Bf16, 2), &[]), "NumPy has no type bf16");
    assert_eq!(refused(npy(FloatType::F32, 2), &[1.0]), "a row of 1 numbers among rows of 2");
    assert_eq!(refused(npy(FloatType::F32, 2), &[1.0, f32::NAN]), "row 2, column 2: not a number");
    assert_eq!(refused(npy(FloatType::F16, 2), &[7e4, 1.0]), "row 2, column 1: too large for half precision");
    let safetensors = |tensor: String, dimension| {
        safetensors_writer(SafetensorsOptions { tensor, ..SafetensorsOptions::default() }, dimension)(memory())
    };
    assert_eq!(refused(safetensors("x".into(), 0), &[]), "rows without numbers");
    assert_eq!(refused(safetensors("x".into(), 2), &[1.0]), "a row of 1 numbers among rows of 2");
    assert!(refused(safetensors("__metadata__".into(), 2), &[]).contains("can't be called"));
    assert!(refused(safetensors("x".repeat(17 << 20), 2), &[]).contains("has room for 16777216"));
    let fbin =
        |dimension| FbinWriter::new(memory(), dimension).map(|writer| Box::new(writer) as Box<dyn RowWriter>);
    assert_eq!(refused(fbin(0), &[]), "rows without numbers");
    assert_eq!(refused(fbin(2), &[1.0]), "a row of 1 numbers among rows of 2");
    assert_eq!(refused(fbin(1), &[1.0, f32::INFINITY]), "row 4, column 1: infinite");
}

#[test]
fn numbers_that_are_not_finite_are_placed() {
    let folder_of_copies = TempDir::new().unwrap();
    for (name, at, bits, row) in [
        ("c_le_f4.npy", 128 + 4 * 11, &[0, 0, 0xc0, 0x7f][..], "row 3, column 2: not a number"),
        // Column 2 begins with row 1.
        ("f_le_f4.npy", 128 + 4 * (7 + 3), &[0, 0, 0x80, 0x7f], "row 4, column 2: infinite"),
        ("c_be_f8.npy", 128, &[0x7f, 0, 0, 0, 0, 0, 0, 0], "row 1, column 1: infinite in single precision"),
        ("six.fvecs", 24 * 5 + 4 + 4 * 4, &[0, 0, 0x80, 0xff], "row 6, column 5: infinite"),
        ("six.fbin", 8, &[1, 0, 0x80, 0xff], "row 1, column 1: not a number"),
    ] {
        let path = folder_of_copies.path().join(name);
        let mut bytes = fs::read(folder().join(name)).unwrap();
        bytes[at..at + bits.len()].copy_from_slice(bits);
        fs::write(&path, &bytes).unwrap();
        let (mut reader, mut rows) = (open(&path).rows(0, &mut || {}).unwrap(), Vec::new());
        let error = loop {
            match reader.read(5, &mut rows) {
                Ok(count) => assert!(count > 0),
                Err(error) => break error.to_string(),
            }
        };
        assert_eq!(error, row, "{name}");
        // All of them, for whoever looks at each.
        let (mut reader, mut rows) = (open(&path).rows(0, &mut || {}).unwrap(), Vec::new());
        while reader.read_any(5, &mut rows).unwrap() > 0 {}
        assert_eq!(rows.iter().filter(|number| !number.is_finite()).count(), 1);
    }
}

#[test]
fn cut_off_while_it_is_read() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data");
    let rows = vec![1.0; 100 * 2000];
    let mut columns = written(npy_writer(FloatType::F32, 100), &rows, 0);
    let at = columns.windows(5).position(|word| word == b"False").unwrap();
    columns[at..at + 5].copy_from_slice(b"True ");
    for bytes in [written(npy_writer(FloatType::F32, 100), &rows, 0), columns] {
        for length in [0, 100, 5000, bytes.len() as u64 - 1] {
            fs::write(&path, &bytes).unwrap();
            let mut reader = open(&path).rows(0, &mut || {}).unwrap();
            let mut rows = Vec::new();
            assert_eq!(reader.read(10, &mut rows).unwrap(), 10);
            fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(length).unwrap();
            let error = reader.read(1000, &mut rows).unwrap_err();
            assert!(matches!(error, RowsError::File(FileError::Truncated { .. })), "{error}");
        }
    }
}

/// Small files of all kinds.
fn samples() -> Vec<(Format, Vec<u8>)> {
    let names = [
        "c_le_f4.npy",
        "f_be_f8.npy",
        "version_2.npy",
        "ids_be_u.npy",
        "ids_s.npy",
        "record.npy",
        "small_stored.npz",
        "small_deflated.npz",
        "types.safetensors",
        "ids.safetensors",
        "six.fvecs",
        "six.bvecs",
        "six.ivecs",
        "six.fbin",
        "six.u8bin",
        "six.i8bin",
    ];
    names
        .map(|name| {
            let path = folder().join(name);
            (detect(&path).unwrap().unwrap(), fs::read(path).unwrap())
        })
        .to_vec()
}

/// Reads all that a file has, in both ways; whether anything could be read.
fn read_all(format: Format, path: &Path, bytes: usize) -> Result<bool, OpenError> {
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

#[test]
fn cut_off_at_every_byte() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data");
    let (mut cuts, mut shorter) = (0, 0);
    for (format, bytes) in samples() {
        common::write_anew(&path, &bytes);
        assert!(
            read_all(format, &path, bytes.len()).unwrap() || bytes.windows(4).any(|word| word == b"('a'")
        );
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        for length in (0..bytes.len()).rev() {
            file.set_len(length as u64).unwrap();
            match open_as(format, &path) {
                Err(OpenError::Container(ContainerError::Malformed(_))) => cuts += 1,
                Err(other) => panic!("{length} bytes: {other}"),
                // Rows that know nothing of one another, and what isn't looked at.
                Ok(file) => {
                    assert!(
                        file.tensors()[0].encoding.ends_with("its length")
                            || file.tensors()[0].dtype == "record"
                    );
                    shorter += 1;
                }
            }
        }
    }
    eprintln!("{cuts} files cut off, {shorter} of them read as shorter ones");
    assert!(cuts > 5000 && shorter < 400);
}

/// Damaged files are errors or read as what they say; never is there a panic, nor memory taken for what isn't there.
#[test]
fn damaged_files() {
    let samples = samples();
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data");
    let mut random = Random(6);
    let before = common::peak_memory();
    let (mut refused, mut unread, mut read) = (0, 0, 0);
    for round in 0..CASES {
        let (format, mut bytes) = samples[round % samples.len()].clone();
        common::damage(&mut bytes, 200, &mut random);
        common::write_anew(&path, &bytes);
        let _: Option<Format> = detect(&path).unwrap();
        match read_all(format, &path, bytes.len()) {
            Err(_) => refused += 1,
            Ok(false) => unread += 1,
            Ok(true) => read += 1,
        }
    }
    eprintln!("{CASES} damaged files: {refused} refused, {unread} opened and not read, {read} read");
    assert!(refused > CASES / 3 && read > CASES / 10);
    if let (Some(before), Some(after)) = (before, common::peak_memory()) {
        assert!(after - before < 256 << 20, "{} bytes more than before", after - before);
    }
}

/// An archive of one stored entry, as `numpy.savez` makes it, in pieces.
struct Archive {
    local: Vec<u8>,
    content: Vec<u8>,
    directory: Vec<u8>,
    end: Vec<u8>,
}

impl Archive {
    fn new(name: &str, content: Vec<u8>) -> Self {
        let word = |number: usize| (number as u32).to_le_bytes();
        let crc = content.iter().fold(!0u32, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| crc >> 1 ^ (0xedb8_8320 * (crc & 1)))
        });
        let common = [
            &[20, 0, 0, 0, 0, 0, 0, 0, 0, 0][..],
            &(!crc).to_le_bytes(),
            &word(content.len()),
            &word(content.len()),
            &(name.len() as u16).to_le_bytes(),
            &[0, 0],
        ]
        .concat();
        let local = [&b"PK\x03\x04"[..], &common, name.as_bytes()].concat();
        let directory = [&b"PK\x01\x02\x14\0"[..], &common, &[0; 10], &word(0), name.as_bytes()].concat();
        let start = local.len() + content.len();
        let end =
            [&b"PK\x05\x06\0\0\0\0\x01\0\x01\0"[..], &word(directory.len()), &word(start), &[0, 0]].concat();
        Archive { local, content, directory, end }
    }

    fn bytes(&self) -> Vec<u8> {
        [&self.local[..], &self.content, &self.directory, &self.end].concat()
    }
}

#[test]
fn archives() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data");
    let array = || npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}", 24);
    fs::write(&path, Archive::new("a.npy", array()).bytes()).unwrap();
    assert_eq!(read(open(&path), 0, 10).unwrap(), [0.0; 6]);
    fs::write(&path, [&Archive::new("a.npy", array()).bytes()[..], b"more"].concat()).unwrap();
    assert!(open_npz(&path).is_err());
    let changed = |change: &dyn Fn(&mut Archive)| {
        let mut archive = Archive::new("a.npy", array());
        change(&mut archive);
        refusal(Format::Npz, &archive.bytes())
    };
    for (problem, change) in [
        ("it has no end", &(|archive: &mut Archive| archive.end.truncate(21)) as &dyn Fn(&mut Archive)),
        ("it is one of several parts", &|archive| archive.end[4] = 1),
        ("its directory is not where its end says", &|archive| archive.end[12] += 1),
        ("its directory is not where its end says", &|archive| archive.end[16] += 1),
        ("its directory has 1 entries, not 2", &|archive| {
            archive.end[8] = 2;
            archive.end[10] = 2;
        }),
        ("something else than entries", &|archive| archive.directory[2] = 3),
        ("its directory breaks off", &|archive| archive.directory[28] = 200),
        ("has two sizes", &|archive| archive.directory[20] += 1),
        ("a name that isn't UTF-8", &|archive| archive.directory[46] = 0xff),
        ("it has no entry at byte 7", &|archive| archive.directory[42] = 7),
        ("it has no entry at byte 0", &|archive| archive.local[0] = 0),
        ("entry \"a.npy\" overlaps", &|archive| archive.local[28] = 250),
        ("not a NumPy file", &|archive| archive.content[0] = 0),
        ("which are not those of shape [3, 3]", &|archive| {
            let at = archive.content.windows(2).position(|bytes| bytes == b"(2").unwrap();
            archive.content[at + 1] = b'3';
        }),
    ] {
        let refused = changed(change);
        assert!(refused.contains(problem), "{problem}: {refused}");
    }
    // Twice the same name, or the same bytes under two.
    let one = Archive::new("a.npy", array());
    let (start, twice) = (one.local.len() + one.content.len(), one.directory.repeat(2));
    let end = [
        &b"PK\x05\x06\0\0\0\0\x02\0\x02\0"[..],
        &(twice.len() as u32).to_le_bytes(),
        &(start as u32).to_le_bytes(),
        &[0, 0],
    ]
    .concat();
    let bytes = [&one.local[..], &one.content, &twice, &end].concat();
    assert!(refusal(Format::Npz, &bytes).contains("entry \"a.npy\" overlaps"));
    // What is encrypted, or packed in another way.
    for (place, byte) in [(8, 1), (10, 14)] {
        let mut archive = Archive::new("a.npy", array());
        archive.directory[place] = byte;
        fs::write(&path, archive.bytes()).unwrap();
        let error = open_npz(&path).unwrap_err().to_string();
        assert!(error.contains("is encrypted, or neither stored nor deflated"), "{error}");
    }
    // A byte that isn't what it was.
    let mut archive = Archive::new("a.npy", array());
    *archive.content.last_mut().unwrap() ^= 1;
    fs::write(&path, archive.bytes()).unwrap();
    let error = read(open(&path), 0, 10).unwrap_err().to_string();
    assert_eq!(error, "CRC-32 checksum of tensor \"a.npy\" (data) doesn't match its bytes");
}

/// Entries that say to have more or less than they inflate to.
#[test]
fn bombs() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data");
    let whole = fs::read(data("arrays/small_deflated.npz")).unwrap();
    fs::write(&path, &whole).unwrap();
    assert!(open(&path).verify(0, &mut || {}).unwrap());
    let entry = whole.windows(4).position(|bytes| bytes == b"PK\x01\x02").unwrap();
    let size = u32::from_le_bytes(whole[entry + 24..][..4].try_into().unwrap());
    assert_eq!(size, 128 + 6 * 8 * 4);
    for declared in [size - 32, size + 32, 4_000_000_000] {
        let mut bytes = whole.clone();
        bytes[entry + 24..][..4].copy_from_slice(&declared.to_le_bytes());
        fs::write(&path, &bytes).unwrap();
        let error = open_npz(&path).unwrap_err().to_string();
        assert!(error.contains("which are not those of shape [6, 8]"), "{declared}: {error}");
    }
    let mut bytes = whole.clone();
    bytes[entry + 16] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let error = read(open(&path), 0, 4).unwrap_err().to_string();
    assert_eq!(error, "CRC-32 checksum of tensor \"v.npy\" (data) doesn't match its bytes");
    let before = common::peak_memory();
    // Zeros by the million, which are read in blocks.
    let bomb = fs::read(data("arrays/zeros.npz")).unwrap();
    assert!(bomb.len() < 100_000);
    fs::write(&path, &bomb).unwrap();
    let (mut reader, mut some, mut rows) = (open(&path).rows(0, &mut || {}).unwrap(), Vec::new(), 0);
    loop {
        some.clear();
        match reader.read(1000, &mut some).unwrap() {
            0 => break,
            count => rows += count,
        }
    }
    assert_eq!(rows, 1_000_000);
    if let (Some(before), Some(after)) = (before, common::peak_memory()) {
        assert!(after - before < 256 << 20, "{} bytes more than before", after - before);
    }
}
