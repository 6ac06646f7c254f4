//! safetensors: directories of all kinds, and files that are written.

mod arrays_common;
mod common;

use std::collections::BTreeMap;
use std::fs;

use arrays_common::{open, read, refusal, written};
use serde_json::Value;
use tempfile::TempDir;
use tq_files::{
    Container, FloatType, Format, Output, RowWriter, RowsError, SafetensorsOptions, SafetensorsWriter,
    open_safetensors,
};

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

fn safetensors_writer(
    options: SafetensorsOptions,
    dimension: u32,
) -> impl Fn(Box<dyn Output>) -> Result<Box<dyn RowWriter>, RowsError> {
    move |output| Ok(Box::new(SafetensorsWriter::new(output, dimension, options.clone())?))
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
            let options = SafetensorsOptions {
                tensor: name.into(),
                float,
                metadata: metadata.clone(),
                ..SafetensorsOptions::default()
            };
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
