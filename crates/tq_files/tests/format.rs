//! Formats are told by what is in a file.

mod common;

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use tq_files::{Container, FileError, Format, ZtensorFile, detect};

fn of(bytes: &[u8]) -> Option<Format> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data.zt");
    fs::write(&path, bytes).unwrap();
    detect(&path).unwrap()
}

#[test]
fn magic_numbers() {
    for (bytes, format) in [
        (&b"TQCV"[..], Some(Format::Tqcv)),
        (b"TQCX\x01", Some(Format::Tqcv)),
        (b"QVEC\x01\x02\x03\x04\x05\x06", Some(Format::Qvec)),
        (b"NRUB\x01\x00", Some(Format::Burnpack)),
        (b"ZTEN0001", Some(Format::Ztensor)),
        (b"ZTEN1000\x00\x00\x00\x00\x00\x00\x00\x00", Some(Format::Ztensor)),
        (b"ZTEN1000\xa0\x01\x00\x00\x00\x00\x00\x00\x00ZTEN1000", Some(Format::Ztensor)),
        (b"\x89ZT2\r\n\x1a\nrest", Some(Format::Ztensor)),
        (b"\x93NUMPY\x01\x00", Some(Format::Npy)),
        (b"\x02\0\0\0\0\0\0\0{}", Some(Format::Safetensors)),
        (b"\x02\0\0\0\0\0\0\0[]", None),
        (b"\x02\0\0\0\x01\0\0\0{}", None),
        (b"", None),
        (b"TQC", None),
        (b"TQCW", None),
        (b"BURN", None),
        (b"ZTEN100", None),
        (b"ZTEN1001", None),
        (b"\x89ZT2\r\n\x1a", None),
        (b"\x00TQCV", None),
    ] {
        assert_eq!(of(bytes), format, "{}", bytes.escape_ascii());
    }
    let name = |bytes| of(bytes).unwrap().name();
    assert_eq!(
        [name(b"TQCV"), name(b"QVEC"), name(b"ZTEN0001"), name(b"NRUB")],
        ["tqcv", "qvec", "ztensor", "burnpack"]
    );
}

#[test]
fn what_is_no_file_is_an_error() {
    let folder = TempDir::new().unwrap();
    assert!(matches!(detect(folder.path()), Err(FileError::IsDirectory { .. })));
    assert!(matches!(detect(&folder.path().join("none")), Err(FileError::Io { op: "open", .. })));
    assert!(matches!(detect(Path::new("/dev/null")), Err(FileError::NotRegular { .. })));
}

#[test]
fn golden_files() {
    let mut count = 0;
    let mut generations = 0;
    for (folder, extension, prefix, format, title) in [
        ("tqcv", "tqcv", "", Format::Tqcv, ""),
        ("qvec", "qvec", "", Format::Qvec, ""),
        ("burnpack", "bpk", "", Format::Burnpack, ""),
        ("ztensor", "zt", "v01_", Format::Ztensor, "zTensor 0.1"),
        ("ztensor", "zt", "py014", Format::Ztensor, "zTensor 0.1"),
        ("ztensor", "zt", "v10_", Format::Ztensor, "zTensor 1.0"),
        ("ztensor", "zt", "py100", Format::Ztensor, "zTensor 1.0"),
        ("ztensor", "zt", "v12_", Format::Ztensor, "zTensor 1.2"),
        ("ztensor", "zt", "v2_", Format::Ztensor, "zTensor 2"),
    ] {
        let Some(folder) = common::golden(folder) else { return };
        for path in common::files(&folder, extension) {
            let name = path.file_name().unwrap().to_str().unwrap();
            if name.starts_with(prefix) {
                assert_eq!(detect(&path).unwrap(), Some(format), "{name}");
                count += 1;
                if let (Format::Ztensor, Ok(file)) = (format, ZtensorFile::open(&path)) {
                    assert_eq!(file.format(), title, "{name}");
                    generations += 1;
                }
            }
        }
    }
    eprintln!("{count} golden files told by their content");
    assert!(count > 60 && generations > 12, "{count}, {generations}");
}
