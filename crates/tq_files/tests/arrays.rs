//! Files of dense arrays, whatever the format: those that the formats' own libraries have written, damaged ones, and those that
//! are written here.

mod arrays_common;
mod common;

use std::fs;

use arrays_common::{compare, cut_off_at_every_byte, damage_all, folder, open, read, refusal, written};
use common::Memory;
use tempfile::TempDir;
use tq_files::{
    FbinWriter, FileError, FloatType, Format, NpyOptions, NpyWriter, Output, RowWriter, RowsError,
    SafetensorsOptions, SafetensorsWriter, detect,
};

const CASES: usize = 100_000;

#[test]
fn golden_files() {
    let (files, values, texts) = compare(&folder(), |_| true);
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

fn npy_writer(
    float: FloatType,
    dimension: u32,
) -> impl Fn(Box<dyn Output>) -> Result<Box<dyn RowWriter>, RowsError> {
    move |output| Ok(Box::new(NpyWriter::new(output, dimension, NpyOptions { float })?))
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
        let options = SafetensorsOptions { tensor, ..SafetensorsOptions::default() };
        SafetensorsWriter::new(memory(), dimension, options)
            .map(|writer| Box::new(writer) as Box<dyn RowWriter>)
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

#[test]
fn all_are_cut_off_at_every_byte() {
    // Rows that know nothing of one another, and what isn't looked at.
    let (cuts, shorter) = cut_off_at_every_byte(&samples(), |file, _, _| {
        file.tensors()[0].encoding.ends_with("its length") || file.tensors()[0].dtype == "record"
    });
    assert!(cuts > 5000 && shorter < 400);
}

#[test]
fn damaged_files() {
    let outcomes = damage_all(&samples(), CASES, 200);
    assert!(outcomes.refused > CASES / 3 && outcomes.read > CASES / 10);
}
