//! NumPy's arrays: headers of all kinds.

mod arrays_common;
mod common;

use std::fs;

use arrays_common::{open, read, refusal};
use tempfile::TempDir;
use tq_files::Format;

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
