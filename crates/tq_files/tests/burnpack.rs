//! Burnpack files: those of Burn, good and bad, and those that are written here.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use common::{Memory, Random, data};
use half::{bf16, f16};
use proptest::prelude::*;
use serde_json::Value;
use tempfile::TempDir;
use tq_files::{
    BurnpackFile, BurnpackOptions, BurnpackWriter, Container, ContainerError, FileError, FloatType,
    OpenError, RowWriter, RowsError, merge_burnpacks,
};

const CASES: usize = 100_000;
const FLOATS: [FloatType; 4] = [FloatType::F16, FloatType::Bf16, FloatType::F32, FloatType::F64];

fn open(path: &Path) -> BurnpackFile {
    BurnpackFile::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The rows of one tensor, read in blocks of at most `most`.
fn read(path: &Path, name: &str, most: usize) -> Result<Vec<f32>, RowsError> {
    let file = open(path);
    let index = file.tensors().iter().position(|tensor| tensor.name == name).unwrap();
    let tensor = file.tensors()[index].clone();
    let mut reader = Box::new(file).rows(index, &mut || {})?;
    assert_eq!([reader.rows(), reader.dimension().into()], tensor.shape[..]);
    let mut rows = Vec::new();
    loop {
        let before = rows.len();
        let count = reader.read(most, &mut rows)?;
        assert!(count <= most && rows.len() - before == count * reader.dimension() as usize);
        if count == 0 {
            assert_eq!(rows.len() as u64, tensor.shape.iter().product::<u64>());
            return Ok(rows);
        }
    }
}

fn write(dimension: u32, options: &BurnpackOptions, blocks: &[&[f32]]) -> Result<Vec<u8>, RowsError> {
    let memory = Memory::default();
    let output = Box::new(memory.clone());
    let mut writer = Box::new(BurnpackWriter::new(output, dimension, options.clone())?);
    for block in blocks {
        writer.append(block)?;
    }
    let bytes = writer.bytes();
    writer.finish()?;
    assert_eq!(memory.bytes().len() as u64, bytes);
    Ok(memory.bytes())
}

#[test]
fn golden_files() {
    let Some(folder) = common::golden("burnpack") else { return };
    let (mut tensors, mut values) = (0, 0);
    for path in common::files(&folder, "bpk") {
        let name = path.file_name().unwrap().to_str().unwrap();
        let json: Value =
            serde_json::from_slice(&fs::read(folder.join(format!("{name}.json"))).unwrap()).unwrap();
        let file = open(&path);
        let expected = json["tensors"].as_array().unwrap();
        assert_eq!(file.tensors().len(), expected.len(), "{name}");
        assert!(file.tensors().is_sorted_by_key(|tensor| tensor.name.clone()));
        for expected in expected {
            let wanted = expected["name"].as_str().unwrap();
            let tensor = file.tensors().iter().find(|tensor| tensor.name == wanted).unwrap();
            let dtype = expected["dtype"].as_str().unwrap();
            let dtype = if dtype.contains("Native") { "Bool(Native)" } else { dtype };
            assert_eq!(tensor.dtype, dtype, "{name}, {wanted}");
            assert_eq!(serde_json::json!(tensor.shape), expected["shape"], "{name}, {wanted}");
            let floats = expected["expected_f32"].as_str();
            assert_eq!(tensor.obstacle.is_none(), floats.is_some() && tensor.shape.len() == 2, "{tensor:?}");
            tensors += 1;
            if let (Some(floats), None) = (floats, &tensor.obstacle) {
                let rows = read(&path, wanted, 7).unwrap();
                let same = |(a, b): (&f32, &f32)| a.to_bits() == b.to_bits();
                let expected = common::read_f32s(&folder.join(floats));
                assert!(
                    rows.len() == expected.len() && rows.iter().zip(&expected).all(same),
                    "{name}, {wanted}"
                );
                values += rows.len();
            }
        }
    }
    eprintln!("{tensors} tensors, {values} values equal to the bit");
    assert!(values > 5000);
}

/// What is left of them where the golden files aren't.
#[test]
fn golden_files_of_the_repository() {
    let file = open(&data("pack022.bpk"));
    assert_eq!((file.format(), file.metadata()), ("Burnpack 1", &[("k".to_owned(), "v".to_owned())][..]));
    let names: Vec<_> = file.tensors().iter().map(|tensor| (&tensor.name[..], tensor.bytes)).collect();
    assert_eq!(names, [("cube", 32), ("emb", 3072), ("half", 1536)]);
    let obstacle = |index: usize| open(&data("pack022.bpk")).tensors()[index].obstacle.clone();
    assert_eq!(obstacle(0).as_deref(), Some("it has 3 dimensions, not 2"));
    assert_eq!(obstacle(1), None);
    let start = |name| read(&data("pack022.bpk"), name, 5).unwrap()[..3].to_vec();
    assert_eq!(start("emb"), [0.504_359_2, -0.339_647_3, -0.047_466_54]);
    assert_eq!(start("half"), [0.504_394_53, -0.339_599_6, -0.047_454_834]);
    assert!(read(&data("zero_rows.bpk"), "zero", 9).unwrap().is_empty());
    assert_eq!(read(&data("zero_rows.bpk"), "after", 9).unwrap().len(), 48);
    assert!(!file.verify(1, &mut || {}).unwrap());

    let refusal =
        |index| Box::new(open(&data("pack022.bpk"))).rows(index, &mut || {}).err().unwrap().to_string();
    assert_eq!(refusal(0), "tensor \"cube\" can't be read as vectors: it has 3 dimensions, not 2");
    assert_eq!(refusal(3), "its array can't be read as vectors: number 3 of 3 was asked for");
}

/// What strict reading says of each; those that Burn reads with reason are read.
#[test]
fn malformed_files() {
    let Some(folder) = common::golden("burnpack_malformed") else { return };
    let verdicts = [
        ("cbor_array_root", "expected a map"),
        ("deep_nesting", "nested too deeply"),
        ("dtype_int", "expected a text"),
        ("dtype_unknown", "unknown dtype"),
        ("dup_tensor", "key stands twice"),
        ("extra_field", ""),
        ("magic", "not a Burnpack file: it starts with"),
        ("magic_burn_order", "it starts with \"BURN\""),
        ("meta_size_100mib_plus_1", "104857601 bytes: at most 16777216"),
        ("meta_size_huge", "4294967295 bytes: at most"),
        ("meta_size_short", "breaks off"),
        ("meta_size_zero", "breaks off"),
        ("meta_trailing_in_size", "more than one item"),
        ("name_empty", ""),
        ("no_tensors", "no tensors"),
        ("offset_end_10gib", "it has 11811160064 bytes: at most 10737418240"),
        ("offset_unaligned", "not at a multiple of 256"),
        ("offsets_overflow", "not at a multiple of 256"),
        ("offsets_reversed", "before it starts"),
        ("overlap", "\"w\" and \"x\" overlap"),
        ("raw_ok", ""),
        ("shape_empty", "3836 bytes stand behind the end of the last tensor, at byte 260"),
        ("shape_overflow", "beyond all bounds"),
        ("shape_too_big", "it has 3840 bytes: its shape [21, 48] of F32 needs 4032"),
        ("shape_too_small", "needs 3648"),
        ("short_header", "header is truncated: 10 bytes needed, 9 present"),
        ("trailing", "stand behind the end of the last tensor"),
        ("trunc_at_data", "file of 256 bytes is truncated"),
        ("trunc_data_1", "file of 4095 bytes is truncated"),
        ("trunc_data_pad", "file of 3920 bytes is truncated"),
        ("trunc_meta", "metadata is truncated"),
        ("version_0", "unknown Burnpack version 0"),
        ("version_2", "unknown Burnpack version 2"),
    ];
    let index: Value = serde_json::from_slice(&fs::read(folder.join("index.json")).unwrap()).unwrap();
    let names: Vec<&str> = index.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, verdicts.map(|(name, _)| name));
    for (name, verdict) in verdicts {
        let path = folder.join(format!("{name}.bpk"));
        match BurnpackFile::open(&path) {
            Err(OpenError::Container(ContainerError::Malformed(problem))) => {
                assert!(!verdict.is_empty() && problem.contains(verdict), "{name}: {problem}");
            }
            Err(other) => panic!("{name}: {other}"),
            Ok(file) => {
                assert_eq!(verdict, "", "{name}");
                let name_of_first = &file.tensors()[0].name;
                assert_eq!(read(&path, name_of_first, 100).unwrap().len(), 960, "{name}");
            }
        }
    }
}

fn rounded(float: FloatType, value: f32) -> f32 {
    match float {
        FloatType::F16 => f16::from_f32(value).to_f32(),
        FloatType::Bf16 => bf16::from_f32(value).to_f32(),
        FloatType::F32 | FloatType::F64 => value,
    }
}

#[test]
fn rows_are_written_in_every_type() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data");
    let rows = Random(4).vector(500 * 12);
    let metadata = BTreeMap::from([("model".to_owned(), "ü".to_owned()), (String::new(), "x".repeat(300))]);
    for float in FLOATS {
        let options = BurnpackOptions { float, metadata: metadata.clone(), ..BurnpackOptions::default() };
        let bytes = write(12, &options, &[&rows[..60], &[], &rows[60..]]).unwrap();
        assert_eq!(bytes.len(), 512 + rows.len() * float.width());
        fs::write(&path, &bytes).unwrap();
        let file = open(&path);
        assert_eq!(file.metadata(), metadata.clone().into_iter().collect::<Vec<_>>());
        assert_eq!((&file.tensors()[0].name[..], file.tensors().len()), ("embedding", 1));
        let expected: Vec<f32> = rows.iter().map(|value| rounded(float, *value)).collect();
        assert_eq!(read(&path, "embedding", 64).unwrap(), expected);
    }
    let refused = |dimension, float, rows: &[f32]| {
        let options = BurnpackOptions { float, ..BurnpackOptions::default() };
        write(dimension, &options, &[&[1.0, 2.0], rows]).unwrap_err().to_string()
    };
    assert_eq!(refused(0, FloatType::F32, &[]), "rows without numbers");
    assert_eq!(refused(2, FloatType::F32, &[1.0]), "a row of 1 numbers among rows of 2");
    assert_eq!(refused(2, FloatType::F64, &[1.0, f32::NAN]), "row 2, column 2: not a number");
    assert_eq!(refused(2, FloatType::F16, &[7e4, 1.0]), "row 2, column 1: too large for half precision");
    let options = BurnpackOptions { tensor: "x".repeat(17 << 20), ..BurnpackOptions::default() };
    assert!(write(2, &options, &[]).unwrap_err().to_string().contains("has room for 16777216"));
}

/// The directory's length depends on the number of rows, which is known last: at every length of a name, and wherever
/// the number takes another byte.
#[test]
fn every_length_of_the_directory() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data");
    let (mut files, mut long) = (0, 0);
    for length in 1..=300 {
        let options = BurnpackOptions {
            tensor: "n".repeat(length),
            float: FloatType::F16,
            ..BurnpackOptions::default()
        };
        for rows in [0, 1, 11, 12, 23, 24, 127, 128, 255, 256, 32_767, 32_768, 65_535, 65_536] {
            if rows > 256 && !(100..=240).contains(&length) {
                continue;
            }
            let values: Vec<f32> = (0..rows).map(|i| (i % 1000) as f32).collect();
            let bytes = write(1, &options, &[&values]).unwrap();
            common::write_anew(&path, &bytes);
            assert_eq!(read(&path, &options.tensor, usize::MAX).unwrap(), values, "{length}, {rows}");
            let start = bytes.len() - 2 * rows;
            let directory = u32::from_le_bytes(*bytes[6..].first_chunk().unwrap()) as usize;
            assert_eq!(start, (10 + directory).next_multiple_of(256), "{length}, {rows}");
            assert!(bytes[10 + directory..start].iter().all(|byte| *byte == 0));
            long +=
                usize::from(bytes[10..10 + directory].windows(5).any(|bytes| bytes == [0x1b, 0, 0, 0, 0]));
            files += 1;
        }
    }
    eprintln!("{files} files, {long} of them with long integers");
    assert!(long > 100 && long < files / 4);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read(
        name in ".{0,40}",
        metadata in prop::collection::btree_map(".{0,20}", ".{0,60}", 0..6),
        float in prop::sample::select(&FLOATS[..]),
        (dimension, values) in (1u32..40).prop_flat_map(|dimension| {
            let row = prop::collection::vec(-60_000f32..60_000.0, dimension as usize);
            (Just(dimension), prop::collection::vec(row, 0..30))
        }),
        most in 1usize..10,
    ) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("data");
        let options = BurnpackOptions { tensor: name.clone(), float, metadata: metadata.clone(), ..BurnpackOptions::default() };
        let blocks: Vec<&[f32]> = values.iter().map(Vec::as_slice).collect();
        fs::write(&path, write(dimension, &options, &blocks).unwrap()).unwrap();
        let file = open(&path);
        prop_assert_eq!(file.metadata(), metadata.into_iter().collect::<Vec<_>>());
        let expected: Vec<f32> = values.iter().flatten().map(|value| rounded(float, *value)).collect();
        prop_assert_eq!(read(&path, &name, most).unwrap(), expected);
    }
}

#[test]
fn numbers_that_are_not_finite_are_placed() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data");
    for (float, bits, problem) in [
        (FloatType::F16, &[0x00, 0x7c][..], "infinite"),
        (FloatType::Bf16, &[0xc0, 0x7f], "not a number"),
        (FloatType::F32, &[0, 0, 0x80, 0xff], "infinite"),
        (FloatType::F64, &[0, 0, 0, 0, 0, 0, 0, 0x7f], "infinite in single precision"),
    ] {
        let options = BurnpackOptions { float, ..BurnpackOptions::default() };
        let mut bytes = write(3, &options, &[&[1.0; 30]]).unwrap();
        let at = 256 + (7 * 3 + 1) * float.width();
        bytes[at..at + float.width()].copy_from_slice(bits);
        fs::write(&path, &bytes).unwrap();
        let error = read(&path, "embedding", 5).unwrap_err();
        assert_eq!(error.to_string(), format!("row 8, column 2: {problem}"));
    }
}

#[test]
fn cut_off_while_it_is_read() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data");
    let bytes = write(100, &BurnpackOptions::default(), &[&[1.0; 100 * 200]]).unwrap();
    let cut = |length| fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(length).unwrap();
    let truncated = |error: &RowsError| matches!(error, RowsError::File(FileError::Truncated { .. }));
    for length in [0, 100, 5000, bytes.len() as u64 - 1] {
        fs::write(&path, &bytes).unwrap();
        let mut reader = Box::new(open(&path)).rows(0, &mut || {}).unwrap();
        let mut rows = Vec::new();
        assert_eq!(reader.read(10, &mut rows).unwrap(), 10);
        cut(length);
        let error = reader.read(1000, &mut rows).unwrap_err();
        assert!(truncated(&error), "{error}");
        assert!(truncated(&reader.read(1, &mut rows).unwrap_err()));
    }
}

/// The cases of RFC 8949 that a directory can be written in, and Burn's older types.
#[test]
fn directories_in_other_words() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data");
    let file_with = |directory: &[u8], data: usize| {
        let mut bytes = b"NRUB\x01\0".to_vec();
        bytes.extend((directory.len() as u32).to_le_bytes());
        bytes.extend(directory);
        bytes.resize(bytes.len().next_multiple_of(256), 0);
        bytes.extend(vec![0; data]);
        fs::write(&path, bytes).unwrap();
        BurnpackFile::open(&path)
    };
    let file = |directory: &[u8]| file_with(directory, 0);
    let tensor = |dtype: &[u8], shape: &[u8], end: u8| {
        let parts: [&[u8]; 8] = [
            b"\xa1\x67tensors\xa1\x61w\xa4\x65dtype",
            dtype,
            b"\x65shape",
            shape,
            b"\x6cdata_offsets\x82\x00\x18",
            &[end],
            b"\x68param_id",
            b"\xf6",
        ];
        file_with(&parts.concat(), end.into())
    };
    let dtype =
        |dtype: &[u8], end| tensor(dtype, b"\x82\x02\x04", end).map(|file| file.tensors()[0].dtype.clone());
    for (encoded, end, name) in [
        (&b"\x63F32"[..], 32, "F32"),
        (b"\x66Flex32", 32, "Flex32"),
        (b"\x63F64", 64, "F64"),
        (b"\x63U16", 16, "U16"),
        (b"\x64Bool", 8, "Bool"),
        (b"\xa1\x64Bool\x66Native", 8, "Bool(Native)"),
        (b"\xa1\x64Bool\x62U8", 8, "Bool(U8)"),
        (b"\xa1\x64Bool\x63U32", 32, "Bool(U32)"),
        (b"\xa1\x66QFloat\xa1\x65value\x63Q8S", 13, "QFloat"),
    ] {
        assert_eq!(dtype(encoded, end).unwrap(), name);
        assert!(name == "QFloat" || dtype(encoded, end + 1).is_err());
    }
    for encoded in [
        &b"\xa0"[..],
        b"\xa1\x64Bool\xf6",
        b"\xa1\x63F32\xf6",
        b"\xa2\x64Bool\x62U8\x61x\x00",
        b"\x66QFloat",
        b"\x63f32",
    ] {
        assert!(dtype(encoded, 32).is_err(), "{}", encoded.escape_ascii());
    }
    // Indefinite lengths, an empty matrix with more columns than can be, a key twice, a text in pieces.
    assert!(tensor(b"\x63F32", b"\x9f\x02\x04\xff", 32).is_ok());
    let wide = tensor(b"\x63F32", b"\x82\x00\x1b\0\0\0\x01\0\0\0\0", 0).unwrap();
    assert_eq!(wide.tensors()[0].obstacle.as_deref(), Some("its rows have 4294967296 numbers"));
    let narrow = tensor(b"\x63F32", b"\x82\x19\xff\xff\x00", 0).unwrap();
    assert_eq!(narrow.tensors()[0].obstacle.as_deref(), Some("its rows are empty"));
    assert!(file(b"\xa2\x67tensors\xa0\x67tensors\xa0").is_err());
    assert!(file(b"\xa1\x67tensors\xa1\x7f\x61w\xff\xa0").is_err());
    assert!(file(b"\xbf\x67tensors\xbf\xff\xff").unwrap().tensors().is_empty());
    // Metadata is text, and scalars are of a type.
    assert!(file(b"\xa2\x67tensors\xa0\x68metadata\xa1\x61k\x01").is_err());
    for (scalar, fits) in [
        (&b"\xa1\x63Int\x20"[..], true),
        (b"\xa1\x63Int\x1b\xff\xff\xff\xff\xff\xff\xff\xff", false),
        (b"\xa1\x64UInt\x1b\xff\xff\xff\xff\xff\xff\xff\xff", true),
        (b"\xa1\x64UInt\x20", false),
        (b"\xa1\x65Float\xf9\x38\x00", true),
        (b"\xa1\x64Bool\xf5", true),
        (b"\xa1\x64Bool\x01", false),
        (b"\xa1\x64Text\x61x", false),
        (b"\xa0", false),
        (b"\x01", false),
    ] {
        let directory = [b"\xa2\x67tensors\xa0\x67scalars\xa1\x61s", scalar].concat();
        assert_eq!(file(&directory).is_ok(), fits, "{}", scalar.escape_ascii());
    }
}

/// Small files of all kinds.
fn samples() -> Vec<Vec<u8>> {
    let mut options = BurnpackOptions { float: FloatType::F16, ..BurnpackOptions::default() };
    options.metadata.insert("model".into(), "x".into());
    let mut samples = vec![write(5, &options, &[&[0.5; 100]]).unwrap()];
    samples.extend(["pack022.bpk", "zero_rows.bpk"].map(|name| fs::read(data(name)).unwrap()));
    samples
}

#[test]
fn cut_off_at_every_byte() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data");
    let mut cuts = 0;
    for bytes in samples() {
        common::write_anew(&path, &bytes);
        all_rows(&path).unwrap().unwrap();
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        for length in (0..bytes.len()).rev() {
            file.set_len(length as u64).unwrap();
            match BurnpackFile::open(&path) {
                Err(OpenError::Container(ContainerError::Malformed(_))) => cuts += 1,
                other => panic!("{length} bytes: {other:?}"),
            }
        }
    }
    eprintln!("{cuts} files cut off");
}

/// Damaged files are errors or read as what they say; never is there a panic, nor memory taken for what isn't there.
#[test]
fn damaged_files() {
    let samples = samples();
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data");
    let mut random = Random(5);
    let before = common::peak_memory();
    let (mut refused, mut unread, mut read) = (0, 0, 0);
    for round in 0..CASES {
        let mut bytes = samples[round % samples.len()].clone();
        common::damage(&mut bytes, 400, &mut random);
        common::write_anew(&path, &bytes);
        match all_rows(&path) {
            Err(_) => refused += 1,
            Ok(None) => unread += 1,
            Ok(Some(mut rows)) => {
                assert!(rows.iter().map(Vec::len).sum::<usize>() <= bytes.len());
                // What was read says all that is known: a file made of that is the same.
                let memory = Memory::default();
                let merged = merge_burnpacks(&[open(&path)], Box::new(memory.clone()), &mut || {}).unwrap();
                assert_eq!(merged.count, open(&path).tensors().len() as u64);
                let mut tensors = open(&path).tensors().to_vec();
                tensors.sort_by(|a, b| a.name.cmp(&b.name));
                common::write_anew(&path, &memory.bytes());
                assert_eq!(open(&path).tensors(), tensors);
                let mut again = all_rows(&path).unwrap().unwrap();
                for rows in [&mut rows, &mut again] {
                    rows.sort_by(|a, b| a.partial_cmp(b).unwrap());
                }
                assert_eq!(again, rows);
                read += 1;
            }
        }
    }
    eprintln!("{CASES} damaged files: {refused} refused, {unread} opened and not read, {read} read");
    assert!(refused > CASES / 3 && read > CASES / 10);
    if let (Some(before), Some(after)) = (before, common::peak_memory()) {
        assert!(after - before < 256 << 20, "{} bytes more than before", after - before);
    }
}

/// Reads all matrices of a file; `None` if some can't be read.
fn all_rows(path: &Path) -> Result<Option<Vec<Vec<f32>>>, OpenError> {
    let file = BurnpackFile::open(path)?;
    let mut all = Vec::new();
    for index in 0..file.tensors().len() {
        let tensor = &file.tensors()[index];
        if tensor.obstacle.is_some() {
            continue;
        }
        let mut reader = Box::new(open(path)).rows(index, &mut || {}).unwrap();
        let mut rows = Vec::new();
        loop {
            match reader.read(1000, &mut rows) {
                Ok(0) => break,
                Ok(_) => {}
                Err(RowsError::Value { .. }) => return Ok(None),
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(rows.len() as u64, tensor.shape.iter().product::<u64>());
        assert!(rows.iter().all(|value| value.is_finite()));
        all.push(rows);
    }
    Ok(Some(all))
}

#[test]
fn bytes_behind_the_end_are_refused() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("behind.bpk");
    for name in ["zero_rows.bpk", "pack022.bpk"] {
        let mut bytes = fs::read(data(name)).unwrap();
        for behind in [1, 255, 4096] {
            bytes.resize(bytes.len() + behind, 0);
            common::write_anew(&path, &bytes);
            let error = BurnpackFile::open(&path).unwrap_err().to_string();
            assert!(error.contains("stand behind the end of the last tensor"), "{error}");
        }
    }
}
