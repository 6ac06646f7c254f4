//! What may and may not be opened, and reading a corpus from a file that stays as it is, or doesn't.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tq_files::{Corpus, CorpusFileError, FileError, MappedFile, read_small};
use tq_format::{BitWidth, CorpusBuilder, CorpusError, CorpusHeader, RecordBuilder, hash_field};

fn folder() -> TempDir {
    TempDir::new().unwrap()
}

fn corpus_bytes(count: u64, dimension: u32) -> Vec<u8> {
    let config_hash = "0123456789abcdef".repeat(4);
    let record =
        RecordBuilder::new(&hash_field(&config_hash).unwrap(), dimension, BitWidth::Four, false).unwrap();
    let mut corpus = CorpusBuilder::new(CorpusHeader {
        vector_count: 0,
        dimension,
        bit_width: BitWidth::Four,
        residual: false,
        config_hash,
        metadata: b"{}".to_vec(),
    })
    .unwrap();
    for i in 0..count {
        let mut bytes = Vec::new();
        record.write(&vec![(i % 16) as u8; dimension as usize], None, &mut bytes).unwrap();
        corpus.append(&bytes).unwrap();
    }
    corpus.finish()
}

fn corpus_file(folder: &Path, count: u64, dimension: u32) -> PathBuf {
    let path = folder.join("corpus.tqcv");
    fs::write(&path, corpus_bytes(count, dimension)).unwrap();
    path
}

fn writable(path: &Path) -> File {
    OpenOptions::new().write(true).open(path).unwrap()
}

#[test]
fn regular_file_and_link_to_one() {
    let folder = folder();
    let path = folder.path().join("data");
    fs::write(&path, b"some bytes").unwrap();
    let link = folder.path().join("link");
    symlink(&path, &link).unwrap();
    for path in [&path, &link] {
        let file = MappedFile::open(path).unwrap();
        assert_eq!((file.path(), file.len(), file.is_empty()), (path.as_path(), 10, false));
        assert_eq!(file.read(<[u8]>::to_vec).unwrap(), b"some bytes");
    }
}

#[test]
fn small_file_is_read_up_to_its_limit() {
    let folder = folder();
    let path = folder.path().join("data");
    for (length, limit) in [(0, 0), (0, 5), (5, 5), (6, 5), (100_000, 5), (5, u64::MAX)] {
        fs::write(&path, vec![7; length]).unwrap();
        match read_small(&path, limit) {
            Ok(bytes) => assert!(bytes == vec![7; length] && length as u64 <= limit),
            Err(FileError::TooLong { size, .. }) => assert!(size == length as u64 && size > limit),
            Err(other) => panic!("{other}"),
        }
    }
    assert!(matches!(read_small(folder.path(), 5), Err(FileError::IsDirectory { .. })));
    assert!(matches!(read_small(Path::new("/dev/zero"), 5), Err(FileError::NotRegular { .. })));
    assert!(matches!(read_small(&folder.path().join("none"), 5), Err(FileError::Io { op: "open", .. })));
    // It says of itself that it is empty.
    let error = read_small(Path::new("/proc/self/maps"), 5).unwrap_err();
    assert!(matches!(error, FileError::TooLong { size: 6, .. }), "{error}");
}

#[test]
fn empty_file_is_an_empty_slice() {
    let folder = folder();
    let path = folder.path().join("empty");
    fs::write(&path, b"").unwrap();
    let file = MappedFile::open(&path).unwrap();
    assert!(file.is_empty());
    assert_eq!(file.read(<[u8]>::len).unwrap(), 0);
    let error = Corpus::open(&path).unwrap_err();
    assert!(matches!(error, CorpusFileError::Format(CorpusError::HeaderTruncated { needed: 24, got: 0 })));
}

#[test]
fn missing_file() {
    let folder = folder();
    let path = folder.path().join("nowhere");
    let error = MappedFile::open(&path).unwrap_err();
    assert!(
        matches!(&error, FileError::Io { op: "open", source, .. } if source.kind() == std::io::ErrorKind::NotFound)
    );
    assert_eq!(error.path(), path);
    assert!(error.to_string().starts_with("could not open file \""), "{error}");
}

#[test]
fn directory() {
    let folder = folder();
    assert!(matches!(MappedFile::open(folder.path()), Err(FileError::IsDirectory { .. })));
}

#[test]
fn pipe_neither_hangs_nor_opens() {
    let folder = folder();
    let path = folder.path().join("pipe");
    let name = CString::new(path.as_os_str().as_bytes()).unwrap();
    // SAFETY: `name` ends in NUL and outlives the call.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
    assert!(matches!(MappedFile::open(&path), Err(FileError::NotRegular { .. })));
    assert!(matches!(MappedFile::open(Path::new("/dev/null")), Err(FileError::NotRegular { .. })));
}

#[test]
fn unreadable_file() {
    // SAFETY: takes nothing, touches no memory.
    if unsafe { libc::geteuid() } == 0 {
        eprintln!("SKIPPED: unreadable_file (root reads everything)");
        return;
    }
    let folder = folder();
    let path = folder.path().join("secret");
    fs::write(&path, b"x").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    let error = MappedFile::open(&path).unwrap_err();
    assert!(
        matches!(error, FileError::Io { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied)
    );
}

#[test]
fn corpus_is_read_in_batches() {
    let folder = folder();
    let corpus = Corpus::open(&corpus_file(folder.path(), 1000, 24)).unwrap();
    assert_eq!((corpus.vector_count(), corpus.header().dimension), (1000, 24));
    assert_eq!(corpus.header().metadata, b"{}");
    let _guard = corpus.guard().unwrap();
    let mut codes = Vec::new();
    for first in (0..1000).step_by(300) {
        let batch = corpus.batch(first..first + 300, |records| {
            records.map(|record| record.map(|record| record.codes()[0] & 15)).collect::<Result<Vec<u8>, _>>()
        });
        codes.extend(batch.unwrap());
    }
    assert_eq!(codes, (0..1000).map(|i| (i % 16) as u8).collect::<Vec<u8>>());
    assert_eq!(corpus.batch(1000..2000, |records| Ok(records.count())).unwrap(), 0);
}

#[test]
fn fault_of_the_format_is_passed_on() {
    let folder = folder();
    let path = corpus_file(folder.path(), 10, 24);
    let mut bytes = fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] = 7;
    fs::write(&path, &bytes).unwrap();
    let corpus = Corpus::open(&path).unwrap();
    let read = corpus.read(|view| view.records().try_for_each(|record| record.map(drop)));
    let error = read.unwrap_err();
    assert!(
        matches!(&error, CorpusFileError::Format(format) if format.record_number() == Some(10)),
        "{error}"
    );

    bytes.pop();
    fs::write(&path, &bytes).unwrap();
    let error = Corpus::open(&path).unwrap_err();
    assert!(
        matches!(error, CorpusFileError::Format(CorpusError::Truncated { number: 10, count: 10, .. })),
        "{error}"
    );
}

/// The remains of the file would also be a fault of the format; that it was cut off is the better answer.
#[test]
fn corpus_truncated_between_batches() {
    let folder = folder();
    let path = corpus_file(folder.path(), 5000, 24);
    let corpus = Corpus::open(&path).unwrap();
    let count =
        |range| corpus.batch(range, |mut records| records.try_fold(0, |n, record| record.map(|_| n + 1)));
    assert_eq!(count(0..100).unwrap(), 100);
    writable(&path).set_len(4096 * 3 + 17).unwrap();
    for range in [100..5000, 0..1] {
        let error = count(range).unwrap_err();
        assert!(matches!(error, CorpusFileError::File(FileError::Truncated { got: 12_305, .. })), "{error}");
    }
}

#[test]
fn corpus_truncated_within_a_batch() {
    let folder = folder();
    let path = corpus_file(folder.path(), 5000, 24);
    let corpus = Corpus::open(&path).unwrap();
    let result = corpus.batch(0..5000, |records| {
        let mut read = 0;
        for record in records {
            if read == 50 {
                writable(&path).set_len(0).unwrap();
            }
            read += u64::from(record.is_ok());
        }
        assert!(read < 5000, "zeros are no records");
        Ok(read)
    });
    let error = result.unwrap_err();
    assert!(matches!(error, CorpusFileError::File(FileError::Truncated { got: 0, .. })), "{error}");
    assert!(error.to_string().contains("was truncated while it was being read"), "{error}");
}

#[test]
fn golden_corpora_open() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/golden/dev/tqcv");
    if !golden.is_dir() {
        eprintln!("SKIPPED: golden_corpora_open (../shared not present)");
        return;
    }
    let mut opened = 0;
    for entry in fs::read_dir(golden).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "tqcv") {
            let corpus = Corpus::open(&path).unwrap();
            let read = corpus.read(|view| view.records().try_fold(0, |n, record| record.map(|_| n + 1)));
            assert_eq!(read.unwrap(), corpus.vector_count(), "{}", path.display());
            opened += 1;
        }
    }
    assert!(opened > 20, "only {opened} files");
}
