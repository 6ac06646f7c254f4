//! zTensor files that are written here: of each kind, read back to the bit.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use common::{Memory, Random};
use half::{bf16, f16};
use tempfile::TempDir;
use tq_files::{
    AtomicFile, Container, ContainerError, FloatType, Format, RowWriter, RowsError, ZtensorFile,
    ZtensorGeneration, ZtensorOptions, ZtensorWriter, detect,
};

/// A dimension, what is asked for beyond the default, the rows and the error.
type Refusal<'c> = (u32, &'c dyn Fn(&mut ZtensorOptions), &'c [f32], &'c str);

const FLOATS: [FloatType; 4] = [FloatType::F32, FloatType::F16, FloatType::Bf16, FloatType::F64];

fn write(dimension: u32, options: &ZtensorOptions, blocks: &[&[f32]]) -> Result<Vec<u8>, RowsError> {
    let memory = Memory::default();
    let mut writer = Box::new(ZtensorWriter::new(Box::new(memory.clone()), dimension, options.clone())?);
    let mut before = writer.bytes();
    for block in blocks {
        writer.append(block)?;
        assert!(before <= writer.bytes());
        before = writer.bytes();
    }
    assert_eq!(writer.rows() as usize, blocks.concat().len() / dimension as usize);
    writer.finish()?;
    Ok(memory.bytes())
}

/// All numbers of the only tensor of a file.
fn read(path: &Path) -> Vec<f32> {
    let file = ZtensorFile::open(path).unwrap();
    let mut reader = Box::new(file).rows(0, &mut || {}).unwrap();
    let mut rows = Vec::new();
    while reader.read(1000, &mut rows).unwrap() > 0 {}
    assert_eq!(rows.len() as u64, reader.rows() * u64::from(reader.dimension()));
    rows
}

fn rounded(float: FloatType, value: f32) -> f32 {
    match float {
        FloatType::F16 => f16::from_f32(value).to_f32(),
        FloatType::Bf16 => bf16::from_f32(value).to_f32(),
        FloatType::F32 | FloatType::F64 => value,
    }
}

fn bits(rows: &[f32]) -> Vec<u32> {
    rows.iter().map(|value| value.to_bits()).collect()
}

/// Every combination of what can be chosen.
fn kinds() -> Vec<ZtensorOptions> {
    let mut kinds = Vec::new();
    for generation in [ZtensorGeneration::V1_2, ZtensorGeneration::V2] {
        for float in FLOATS {
            for flags in 0..8 {
                kinds.push(ZtensorOptions {
                    generation,
                    float,
                    sparse: flags & 1 != 0,
                    compress: flags & 2 != 0,
                    checksum: flags & 4 != 0,
                    ..ZtensorOptions::default()
                });
            }
        }
    }
    kinds
}

#[test]
fn read_back_to_the_bit() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("file.zt");
    let mut random = Random(1);
    let mut files = 0;
    for mut options in kinds() {
        options.temporary = folder.path().to_owned();
        // More than one frame, spool's block and conversion's block, and the smallest.
        for (rows, dimension) in [(0, 3), (1, 1), (7, 5), (2200, 130), (3, 16_000)] {
            let mut numbers = random.vector(rows * dimension);
            for number in &mut numbers {
                match random.below(4) {
                    0 => *number = 0.0,
                    1 if random.below(50) == 0 => *number = -0.0,
                    _ => {}
                }
            }
            let (front, back) = numbers.split_at(rows / 3 * dimension);
            let bytes = write(dimension as u32, &options, &[front, &[], back]).unwrap();
            fs::write(&path, &bytes).unwrap();
            let context = format!("{options:?}, {rows} × {dimension}");
            assert_eq!(detect(&path).unwrap(), Some(Format::Ztensor));
            let file = ZtensorFile::open(&path).unwrap_or_else(|error| panic!("{context}: {error}"));
            let [tensor] = file.tensors() else { panic!("{context}") };
            assert_eq!(tensor.name, "embedding");
            assert_eq!(tensor.shape, [rows as u64, dimension as u64]);
            assert_eq!(tensor.obstacle, None, "{context}");
            let newest = options.generation == ZtensorGeneration::V2;
            let scheme = if newest { "xxh3" } else { "crc32c" };
            assert_eq!(tensor.checksum, options.checksum.then_some(scheme));
            assert_eq!(tensor.encoding.contains("zstd"), options.compress);
            assert_eq!(tensor.encoding.contains("csr"), options.sparse);
            assert_eq!(file.verify(0, &mut || {}).unwrap(), options.checksum, "{context}");
            let expected: Vec<f32> = numbers.iter().map(|value| rounded(options.float, *value)).collect();
            assert!(bits(&read(&path)) == bits(&expected), "{context}");
            files += 1;
        }
    }
    assert_eq!(files, 2 * 4 * 8 * 5);
    println!("{files} files read back");
}

#[test]
fn layout_of_generation_2() {
    let bytes = write(2, &ZtensorOptions::default(), &[&[1.0, -2.0, 0.5, 0.0]]).unwrap();
    assert!(bytes.starts_with(b"\x89ZT2\r\n\x1a\n") && bytes.ends_with(b"\x89ZT2\r\n\x1a\n"));
    let data: Vec<u8> = [1.0f32, -2.0, 0.5, 0.0].iter().flat_map(|value| value.to_le_bytes()).collect();
    assert_eq!(bytes[65_536..][..16], data);
    assert!(bytes[8..65_536].iter().chain(&bytes[65_552..131_072]).all(|byte| *byte == 0));
    let expected =
        b"\xa1\x67objects\xa1\x69embedding\xa3\x65parts\xa1\x64data\xa3\x64blob\x82\x1a\x00\x01\x00\x00\x10\
        \x65dtype\x63f32\x66digest\x75xxh3:";
    assert_eq!(bytes[131_072..][..expected.len()], expected[..]);
    assert!(bytes[131_072 + expected.len() + 16..].starts_with(b"\x65shape\x82\x02\x02\x66layout\x65dense"));
    let footer = &bytes[bytes.len() - 40..];
    assert_eq!(footer[..8], 131_072u64.to_le_bytes());
    assert_eq!(footer[8..16], (bytes.len() as u64 - 40 - 131_072).to_le_bytes());
    assert_eq!(footer[24..32], [2, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn layout_of_generation_1_2() {
    let attributes = BTreeMap::from([("model".to_owned(), "x".to_owned())]);
    let options =
        ZtensorOptions { generation: ZtensorGeneration::V1_2, attributes, ..ZtensorOptions::default() };
    let bytes = write(1, &options, &[&[1.0]]).unwrap();
    let directory = b"\xa3\x67version\x651.2.0\x6aattributes\xa1\x65model\x61x\x67objects\xa1\x69embedding\xa3\
        \x65shape\x82\x01\x01\x66format\x65dense\x6acomponents\xa1\x64data\xa4\x65dtype\x63f32\x66offset\x18\x40\
        \x66length\x04\x66digest\x71crc32c:0x";
    assert_eq!(bytes[..8], *b"ZTEN1000");
    assert_eq!(bytes[64..68], 1f32.to_le_bytes());
    assert_eq!(bytes[68..][..directory.len()], directory[..]);
    let footer = &bytes[bytes.len() - 16..];
    assert_eq!(footer[..8], (bytes.len() as u64 - 68 - 16).to_le_bytes());
    assert_eq!(footer[8..], *b"ZTEN1000");
}

#[test]
fn names_and_attributes() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("file.zt");
    // In the order of their encoded bytes, which begin with the length.
    let keys = ["zz", "a", "ö", "longer than twenty-three bytes", "b"];
    let attributes: BTreeMap<_, _> = keys.map(|key| (key.to_owned(), key.repeat(9))).into();
    for generation in [ZtensorGeneration::V1_2, ZtensorGeneration::V2] {
        for tensor in ["x".to_owned(), "n".repeat(1024), "ä b\n'\"".to_owned()] {
            let options = ZtensorOptions {
                generation,
                tensor: tensor.clone(),
                attributes: attributes.clone(),
                ..ZtensorOptions::default()
            };
            fs::write(&path, write(2, &options, &[&[1.0, 2.0]]).unwrap()).unwrap();
            assert_eq!(ZtensorFile::open(&path).unwrap().tensors()[0].name, tensor);
            assert_eq!(read(&path), [1.0, 2.0]);
        }
    }
}

#[test]
fn what_is_not_written() {
    let refused = |dimension: u32, change: &dyn Fn(&mut ZtensorOptions), rows: &[f32]| {
        let mut options = ZtensorOptions::default();
        change(&mut options);
        write(dimension, &options, &[rows]).unwrap_err()
    };
    for generation in [ZtensorGeneration::V0_1, ZtensorGeneration::V1_0] {
        let error = refused(1, &|options| options.generation = generation, &[]);
        assert!(matches!(&error, RowsError::Container(ContainerError::Unsupported(_))), "{error}");
    }
    let cases: [Refusal<'_>; 9] = [
        (0, &|_| {}, &[], "rows of 0 numbers can't be written: a dense tensor has 1 to 16777216"),
        (
            1 << 25,
            &|_| {},
            &[],
            "rows of 33554432 numbers can't be written: a dense tensor has 1 to 16777216",
        ),
        (
            16_001,
            &|options| options.sparse = true,
            &[],
            "rows of 16001 numbers can't be written: a sparse tensor has 1 to 16000",
        ),
        (
            1,
            &|options| options.tensor = String::new(),
            &[],
            "a name has 0 bytes or a NUL: it must have 1 to 1024, and no NUL",
        ),
        (
            1,
            &|options| drop(options.attributes.insert("a\0".into(), String::new())),
            &[],
            "a name has 2 bytes or a NUL: it must have 1 to 1024, and no NUL",
        ),
        (2, &|_| {}, &[1.0, 2.0, 3.0], "3 numbers are not whole rows of 2"),
        (2, &|_| {}, &[1.0, 2.0, f32::NAN, 3.0], "row 2, column 1: not a number"),
        (2, &|options| options.sparse = true, &[1.0, f32::INFINITY], "row 1, column 2: infinite"),
        (
            2,
            &|options| options.float = FloatType::F16,
            &[1.0, 2.0, 3.0, 65520.0],
            "row 2, column 2: too large for half precision",
        ),
    ];
    for (dimension, change, rows, expected) in cases {
        assert_eq!(refused(dimension, change, rows).to_string(), expected);
    }
    // The row's number in the whole, far behind the first block.
    let mut rows = vec![0.5; 300_000];
    rows[299_999] = f32::NAN;
    assert_eq!(refused(3, &|_| {}, &rows).to_string(), "row 100000, column 3: not a number");
}

#[test]
fn nothing_is_left_behind() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("file.zt");
    fs::write(&path, "before").unwrap();
    let options =
        ZtensorOptions { sparse: true, temporary: folder.path().to_owned(), ..ZtensorOptions::default() };
    let rows = vec![1.0; 500_000];
    for finish in [false, true] {
        let output = Box::new(AtomicFile::create(&path).unwrap());
        let mut writer = Box::new(ZtensorWriter::new(output, 5, options.clone()).unwrap());
        writer.append(&rows).unwrap();
        assert!(writer.bytes() > 4_000_000);
        if !finish {
            drop(writer);
            assert_eq!(fs::read(&path).unwrap(), b"before");
        } else {
            writer.finish().unwrap();
            assert!(read(&path) == rows);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
    // A folder that isn't there is an error of the first block that needs it.
    let options = ZtensorOptions { temporary: folder.path().join("none"), ..options };
    assert!(matches!(write(5, &options, &[&rows]), Err(RowsError::File(_))));
    assert!(write(5, &options, &[&rows[..100]]).is_ok());
}
