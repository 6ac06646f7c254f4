//! Formats are told by what is in a file.

mod common;

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use tq_corpus::{FileError, FileFormat, ZtensorGeneration, detect};

fn of(bytes: &[u8]) -> Option<FileFormat> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data.zt");
    fs::write(&path, bytes).unwrap();
    detect(&path).unwrap()
}

#[test]
fn magic_numbers() {
    use ZtensorGeneration::{A, B, C, D};
    let ztensor = |generation| Some(FileFormat::Ztensor(generation));
    for (bytes, format) in [
        (&b"TQCV"[..], Some(FileFormat::Tqcv)),
        (b"TQCX\x01", Some(FileFormat::Tqcv)),
        (b"QVEC\x01\x02\x03\x04\x05\x06", Some(FileFormat::Qvec)),
        (b"NRUB\x01\x00", Some(FileFormat::Burnpack)),
        (b"ZTEN0001", ztensor(A)),
        (b"ZTEN1000\x00\x00\x00\x00\x00\x00\x00\x00", ztensor(B)),
        (b"ZTEN1000\xa0\x01\x00\x00\x00\x00\x00\x00\x00ZTEN1000", ztensor(C)),
        (b"\x89ZT2\r\n\x1a\nrest", ztensor(D)),
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
    use ZtensorGeneration::{A, B, C, D};
    let mut count = 0;
    for (folder, extension, prefix, format) in [
        ("tqcv", "tqcv", "", FileFormat::Tqcv),
        ("qvec", "qvec", "", FileFormat::Qvec),
        ("burnpack", "bpk", "", FileFormat::Burnpack),
        ("ztensor", "zt", "v01_", FileFormat::Ztensor(A)),
        ("ztensor", "zt", "py014", FileFormat::Ztensor(A)),
        ("ztensor", "zt", "v10_", FileFormat::Ztensor(B)),
        ("ztensor", "zt", "py100", FileFormat::Ztensor(B)),
        ("ztensor", "zt", "v12_", FileFormat::Ztensor(C)),
        ("ztensor", "zt", "v2_", FileFormat::Ztensor(D)),
    ] {
        let Some(folder) = common::golden(folder) else { return };
        for path in common::files(&folder, extension) {
            let name = path.file_name().unwrap().to_str().unwrap();
            if name.starts_with(prefix) {
                assert_eq!(detect(&path).unwrap(), Some(format), "{name}");
                count += 1;
            }
        }
    }
    eprintln!("{count} golden files told by their content");
    assert!(count > 60);
}
