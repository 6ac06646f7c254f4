//! Doubles stay doubles: tensors of `f64` and of whole numbers, written and read in double precision, to the bit.

mod common;
mod zt_common;

use std::path::Path;

use common::Memory;
use tempfile::TempDir;
use tq_files::{
    BurnpackFile, BurnpackOptions, BurnpackWriter, Container, FloatType, Numbers, RowReader, RowWriter,
    RowsError, ZtensorFile, ZtensorGeneration, ZtensorOptions, ZtensorWriter, merge_burnpacks,
    merge_ztensors,
};
use zt_common::{Part, Stored, Tensor, build};

/// What single precision can't hold, and a few that it can; rows of three.
const DOUBLES: [f64; 9] =
    [1e300, -1.7976931348623157e308, 5e-324, 0.1, -0.0, 0.0, 16_777_217.0, 1.0 / 3.0, -2.5];

fn bits(numbers: &[f64]) -> Vec<u64> {
    numbers.iter().map(|number| number.to_bits()).collect()
}

fn doubles(reader: &mut dyn RowReader) -> Result<Vec<f64>, RowsError> {
    let mut numbers = Vec::new();
    while reader.read_doubles(2, &mut numbers)? > 0 {}
    assert_eq!(numbers.len() as u64, reader.rows() * u64::from(reader.dimension()));
    Ok(numbers)
}

fn singles(reader: &mut dyn RowReader) -> Result<Vec<f32>, RowsError> {
    let mut numbers = Vec::new();
    while reader.read(2, &mut numbers)? > 0 {}
    Ok(numbers)
}

fn ztensor(path: &Path, tensor: usize) -> Box<dyn RowReader> {
    Box::new(ZtensorFile::open(path).unwrap()).rows(tensor, &mut || {}).unwrap()
}

fn burnpack(path: &Path) -> Box<dyn RowReader> {
    Box::new(BurnpackFile::open(path).unwrap()).rows(0, &mut || {}).unwrap()
}

/// The file that a writer makes of the rows.
fn written(writer: impl FnOnce(Memory) -> Box<dyn RowWriter>, rows: &[f64]) -> Result<Vec<u8>, RowsError> {
    let memory = Memory::default();
    let mut writer = writer(memory.clone());
    writer.append_doubles(&rows[..3])?;
    writer.append_doubles(&rows[3..])?;
    writer.finish()?;
    Ok(memory.bytes())
}

fn ztensor_of(rows: &[f64], options: &ZtensorOptions) -> Result<Vec<u8>, RowsError> {
    let options = options.clone();
    written(|memory| Box::new(ZtensorWriter::new(Box::new(memory), 3, options).unwrap()), rows)
}

fn burnpack_of(rows: &[f64], float: FloatType) -> Result<Vec<u8>, RowsError> {
    let options = BurnpackOptions { float, ..BurnpackOptions::default() };
    written(|memory| Box::new(BurnpackWriter::new(Box::new(memory), 3, options).unwrap()), rows)
}

/// Every way of writing a tensor of `f64`.
fn kinds() -> Vec<ZtensorOptions> {
    let mut kinds = Vec::new();
    for generation in [ZtensorGeneration::V1_2, ZtensorGeneration::V2] {
        for (sparse, compress) in [(false, false), (false, true), (true, false), (true, true)] {
            let float = FloatType::F64;
            kinds.push(ZtensorOptions { generation, float, sparse, compress, ..ZtensorOptions::default() });
        }
    }
    kinds
}

#[test]
fn doubles_come_back_to_the_bit() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("doubles");
    for options in kinds() {
        common::write_anew(&path, &ztensor_of(&DOUBLES, &options).unwrap());
        assert_eq!(bits(&doubles(&mut *ztensor(&path, 0)).unwrap()), bits(&DOUBLES), "{options:?}");
        let error = singles(&mut *ztensor(&path, 0)).unwrap_err().to_string();
        assert_eq!(error, "row 1, column 1: infinite in single precision");
    }
    common::write_anew(&path, &burnpack_of(&DOUBLES, FloatType::F64).unwrap());
    assert_eq!(bits(&doubles(&mut *burnpack(&path)).unwrap()), bits(&DOUBLES));
    let error = singles(&mut *burnpack(&path)).unwrap_err().to_string();
    assert_eq!(error, "row 1, column 1: infinite in single precision");
}

/// A row that can't be had in single precision is none of the rows behind it.
#[test]
fn rows_that_are_not_finite_come_as_they_are_if_asked_for() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("any");
    let expected = DOUBLES.map(|number| number as f32);
    assert_eq!(expected.iter().filter(|number| number.is_infinite()).count(), 2);
    let check = |open: &dyn Fn() -> Box<dyn RowReader>| {
        let (mut singles, mut doubles, mut reader) = (Vec::new(), Vec::new(), open());
        while reader.read_any(2, &mut singles).unwrap() > 0 {}
        let mut reader = open();
        while reader.read_any_doubles(1, &mut doubles).unwrap() > 0 {}
        assert_eq!((singles, bits(&doubles)), (expected.to_vec(), bits(&DOUBLES)));
    };
    for options in kinds() {
        common::write_anew(&path, &ztensor_of(&DOUBLES, &options).unwrap());
        check(&|| ztensor(&path, 0));
    }
    common::write_anew(&path, &burnpack_of(&DOUBLES, FloatType::F64).unwrap());
    check(&|| burnpack(&path));
}

#[test]
fn merged_doubles_come_back_to_the_bit() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    for (options, old) in [(&kinds()[5], false), (&kinds()[2], true), (&kinds()[0], true)] {
        common::write_anew(&path("a"), &ztensor_of(&DOUBLES, options).unwrap());
        let memory = Memory::default();
        let sources = [ZtensorFile::open(path("a").as_path()).unwrap()];
        merge_ztensors(&sources, Box::new(memory.clone()), &mut || {}).unwrap();
        common::write_anew(&path("merged"), &memory.bytes());
        assert_eq!(bits(&doubles(&mut *ztensor(&path("merged"), 0)).unwrap()), bits(&DOUBLES), "{old}");
    }
    common::write_anew(&path("b"), &burnpack_of(&DOUBLES, FloatType::F64).unwrap());
    let memory = Memory::default();
    let sources = [BurnpackFile::open(path("b").as_path()).unwrap()];
    merge_burnpacks(&sources, Box::new(memory.clone()), &mut || {}).unwrap();
    common::write_anew(&path("merged"), &memory.bytes());
    assert_eq!(bits(&doubles(&mut *burnpack(&path("merged"))).unwrap()), bits(&DOUBLES));
}

/// The nearest that a file holds of each, without a rounding in between; what is too large is an error.
#[test]
fn doubles_are_rounded_once_for_smaller_types() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("rounded");
    // Just above the middle between 1 and the next half: single precision would make it the middle, and that 1.
    let above = 1.0 + 2f64.powi(-11) + 2f64.powi(-40);
    let rows = [above, -above, 0.1, 5e-324, 0.0, -0.0];
    let f16 = [1.000_976_6, -1.000_976_6, 0.099_975_586, 0.0, 0.0, -0.0];
    common::write_anew(&path, &burnpack_of(&rows, FloatType::F16).unwrap());
    assert_eq!(singles(&mut *burnpack(&path)).unwrap(), f16);
    for float in [FloatType::F32, FloatType::Bf16, FloatType::F16] {
        let options = ZtensorOptions { float, ..ZtensorOptions::default() };
        let problem = if float == FloatType::F32 { "single" } else { "half" };
        let expected = format!("row 2, column 1: too large for {problem} precision");
        let too_large = [0.0, 1.0, 2.0, 1e39, 0.0, 0.0];
        assert_eq!(ztensor_of(&too_large, &options).unwrap_err().to_string(), expected);
        assert_eq!(burnpack_of(&too_large, float).unwrap_err().to_string(), expected);
        let error = ztensor_of(&[0.0, 1.0, f64::NAN], &options).unwrap_err();
        assert_eq!(error.to_string(), "row 1, column 3: not a number");
    }
    let options = ZtensorOptions { float: FloatType::F64, ..ZtensorOptions::default() };
    let error = ztensor_of(&[0.0, f64::INFINITY, 0.0], &options).unwrap_err();
    assert_eq!(error.to_string(), "row 1, column 2: infinite");
}

/// A sparse or dense tensor of that type with the numbers 0, `content`, 0 in a row, twice.
fn tensors(dtype: &'static str, content: &[u8]) -> Vec<Tensor> {
    let words = |words: &[u64]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
    let part = |role, dtype, content| Part { role, dtype, content, stored: Stored::Raw };
    let twice = [content, content].concat();
    let zeros = vec![0; content.len()];
    let dense = [&zeros[..], content, &zeros, &zeros, content, &zeros].concat();
    let shape = vec![2, 3];
    vec![
        Tensor { name: "a", layout: "dense", shape: shape.clone(), parts: vec![part("data", dtype, dense)] },
        Tensor {
            name: "b",
            layout: "sparse_coo",
            shape: shape.clone(),
            parts: vec![part("coords", "u64", words(&[0, 1, 1, 1])), part("values", dtype, twice.clone())],
        },
        // Not in the order of rows.
        Tensor {
            name: "c",
            layout: "sparse_coo",
            shape: shape.clone(),
            parts: vec![part("coords", "u64", words(&[1, 0, 1, 1])), part("values", dtype, twice.clone())],
        },
        Tensor {
            name: "d",
            layout: "sparse_csr",
            shape,
            parts: vec![
                part("indptr", "u64", words(&[0, 1, 2])),
                part("values", dtype, twice),
                part("indices", "u64", words(&[1, 1])),
            ],
        },
    ]
}

#[test]
fn whole_numbers_become_the_nearest_doubles_or_floats() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("whole");
    let odd = (1i64 << 53) - 1;
    // Just above the middle between two floats: a double in between would make it the middle, and the lower one even.
    let middle = (1i64 << 60) + (1 << 36) + 1;
    let above = (1i64 << 60) as f32 + (1i64 << 37) as f32;
    for (dtype, content, double, single) in [
        ("i64", odd.to_le_bytes().to_vec(), odd as f64, odd as f32),
        ("i64", i64::MIN.to_le_bytes().to_vec(), -9_223_372_036_854_775_808.0, i64::MIN as f32),
        ("i64", ((1i64 << 53) + 3).to_le_bytes().to_vec(), 9_007_199_254_740_996.0, 9_007_199_254_740_992.0),
        ("i64", middle.to_le_bytes().to_vec(), middle as f64, above),
        ("u64", u64::MAX.to_le_bytes().to_vec(), 18_446_744_073_709_551_615.0, u64::MAX as f32),
        ("i32", 16_777_217i32.to_le_bytes().to_vec(), 16_777_217.0, 16_777_216.0),
        ("u32", u32::MAX.to_le_bytes().to_vec(), 4_294_967_295.0, 4_294_967_296.0),
        ("i16", (-300i16).to_le_bytes().to_vec(), -300.0, -300.0),
        ("u8", vec![255], 255.0, 255.0),
        ("f16", vec![0x66, 0x2e], 0.099_975_585_937_5, 0.099_975_586),
        ("f64", 0.1f64.to_le_bytes().to_vec(), 0.1, 0.1),
    ] {
        let (file, _) = build(ZtensorGeneration::V1_2, &tensors(dtype, &content), true);
        common::write_anew(&path, &file);
        for tensor in 0..4 {
            let place = format!("{dtype} {double}, tensor {tensor}");
            let row = [0.0, double, 0.0, 0.0, double, 0.0];
            assert_eq!(doubles(&mut *ztensor(&path, tensor)).unwrap(), row, "{place}");
            let row = [0.0, single, 0.0, 0.0, single, 0.0];
            assert_eq!(singles(&mut *ztensor(&path, tensor)).unwrap(), row, "{place}");
        }
    }
}

#[test]
fn numbers_are_read_and_written_in_their_own_precision() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("numbers");
    common::write_anew(&path, &burnpack_of(&DOUBLES, FloatType::F64).unwrap());
    let mut numbers = Numbers::new(true);
    let mut reader = burnpack(&path);
    let memory = Memory::default();
    let options = BurnpackOptions { float: FloatType::F64, ..BurnpackOptions::default() };
    let mut writer = Box::new(BurnpackWriter::new(Box::new(memory.clone()), 3, options).unwrap());
    while numbers.read(&mut *reader, 2).unwrap() > 0 {
        assert_eq!((numbers.width(), numbers.is_empty()), (8, false));
        numbers.write(&mut *writer).unwrap();
    }
    writer.finish().unwrap();
    assert_eq!(memory.bytes(), std::fs::read(&path).unwrap());
}
