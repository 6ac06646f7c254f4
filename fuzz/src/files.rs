//! Targets whose readers take files: corpora that are checked, files of tensors.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tq_files::{
    BenchmarkFormat, BurnpackFile, Container, FileError, Metadata, OpenError, Output, RowsError,
    Verification, WholeFormat, WholeOptions, ZtensorFile, detect, open_benchmark, open_gguf, open_npy,
    open_npz, open_safetensors, open_torch, write_whole,
};
use tq_format::CorpusView;
use xxhash_rust::xxh3::xxh3_64;

/// Numbers that are read of one tensor at most.
const MOST_NUMBERS: usize = 1 << 16;
/// Ids that are read of one tensor at most.
const MOST_IDS: usize = 1 << 12;
/// The end of a zTensor file of generation 2, and its footer: where the directory is, its length and its checksum, the version.
const MAGIC_2: &[u8] = b"\x89ZT2\r\n\x1a\n";
const FOOTER_2: usize = 40;

/// Calls `f` with a file of these bytes.
fn with_file(data: &[u8], f: impl FnOnce(&Path)) {
    thread_local! {
        static FOLDER: OnceCell<(TempDir, PathBuf)> = const { OnceCell::new() };
    }
    FOLDER.with(|folder| {
        let (_, path) = folder.get_or_init(|| {
            let folder = TempDir::new().expect("a folder for the input");
            let path = folder.path().join("input");
            (folder, path)
        });
        // Not written over: some file systems bring a file that is cut off and written again to the disk at once.
        let _: std::io::Result<()> = std::fs::remove_file(path);
        std::fs::write(path, data).expect("a file of the input");
        let _ = detect(path).expect("a file that can be read");
        f(path);
    });
}

/// There are faults if and only if strict reading stumbles, or the metadata is ours and wrong.
pub(crate) fn verify(data: &[u8]) {
    with_file(data, |path| {
        let mut verification = Verification::open(path).expect("a file that can be read");
        let mut faults = Vec::new();
        while let Some(some) = verification.step().expect("a file that doesn't change") {
            faults.extend(some);
        }
        assert!(faults.iter().all(|fault| fault.offset <= data.len() as u64));
        let view = CorpusView::parse(data);
        let read = view
            .as_ref()
            .map_err(Clone::clone)
            .and_then(|view| view.records().try_for_each(|record| record.map(drop)));
        match read {
            // Where the size isn't what the header says, following the lengths of records may tell something else.
            Err(error) => assert!(!faults.is_empty(), "{error}"),
            Ok(()) => {
                let loads = view.is_ok_and(|view| {
                    let metadata = Metadata::parse_ours(view.metadata(), view.vector_count());
                    let described =
                        |metadata: Option<Metadata>| metadata?.codec.map(|codec| codec.config().hash());
                    metadata.is_ok_and(|metadata| {
                        described(metadata).is_none_or(|hash| hash.as_str() == view.config_hash())
                    })
                });
                assert_eq!(faults.is_empty(), loads, "{faults:?}");
            }
        }
    });
}

/// Checksums are put right, or nothing that is changed would get past them.
pub(crate) fn ztensor(data: &[u8]) {
    let mut data = data.to_vec();
    seal(&mut data);
    with_file(&data, |path| read_all(|| Ok(Box::new(ZtensorFile::open(path)?))));
}

pub(crate) fn burnpack(data: &[u8]) {
    with_file(data, |path| read_all(|| Ok(Box::new(BurnpackFile::open(path)?))));
}

pub(crate) fn npy(data: &[u8]) {
    with_file(data, |path| read_all(|| Ok(Box::new(open_npy(path)?))));
}

pub(crate) fn npz(data: &[u8]) {
    with_file(data, |path| read_all(|| Ok(Box::new(open_npz(path, 1 << 16)?))));
}

pub(crate) fn safetensors(data: &[u8]) {
    with_file(data, |path| read_all(|| Ok(Box::new(open_safetensors(path)?))));
}

pub(crate) fn gguf(data: &[u8]) {
    with_file(data, |path| read_all(|| Ok(Box::new(open_gguf(path)?))));
}

pub(crate) fn torch(data: &[u8]) {
    with_file(data, |path| read_all(|| Ok(Box::new(open_torch(path)?))));
}

/// The first byte says as which of the formats the others are read.
pub(crate) fn benchmark(data: &[u8]) {
    const FORMATS: [BenchmarkFormat; 6] = [
        BenchmarkFormat::Fvecs,
        BenchmarkFormat::Bvecs,
        BenchmarkFormat::Ivecs,
        BenchmarkFormat::Fbin,
        BenchmarkFormat::U8bin,
        BenchmarkFormat::I8bin,
    ];
    let Some((which, data)) = data.split_first() else { return };
    let format = FORMATS[usize::from(*which) % FORMATS.len()];
    with_file(data, |path| read_all(|| Ok(Box::new(open_benchmark(format, path)?))));
}

/// Puts the checksum of the directory into the footer of a file of generation 2.
fn seal(data: &mut [u8]) -> Option<()> {
    let footer = data.len().checked_sub(FOOTER_2)?;
    if !data.ends_with(MAGIC_2) {
        return None;
    }
    let word = |at: usize| {
        let bytes = data[footer + at..][..8].try_into().ok()?;
        usize::try_from(u64::from_le_bytes(bytes)).ok()
    };
    let start = word(0)?;
    let checksum = xxh3_64(data.get(start..start.checked_add(word(8)?)?)?);
    data[footer + 16..][..8].copy_from_slice(&checksum.to_le_bytes());
    Some(())
}

/// Reads all tensors that can be read, of a file that is opened anew for each.
fn read_all(open: impl Fn() -> Result<Box<dyn Container>, OpenError>) {
    let Ok(file) = open() else { return };
    write_again(file.as_ref());
    for (index, tensor) in file.tensors().iter().enumerate() {
        let verified = file.verify(index, &mut || {});
        refuse_file_error(verified.as_ref().err());
        let file = open().unwrap_or_else(|error| panic!("a file that was opened before: {error}"));
        if let Ok(file) = open()
            && let Ok(mut reader) = file.ids(index, &mut || {})
        {
            let mut ids = Vec::new();
            while ids.len() < MOST_IDS && reader.read(100, &mut ids).is_ok_and(|count| count > 0) {}
            assert!(ids.len() as u64 <= reader.count());
        }
        let mut reader = match file.rows(index, &mut || {}) {
            Ok(reader) => reader,
            Err(error) => {
                refuse_file_error(Some(&error));
                continue;
            }
        };
        // Of what is deflated, the checksum is compared when the last of it is read.
        let later = tensor.encoding.ends_with(", deflated");
        assert!((verified.is_ok() || later) && tensor.obstacle.is_none(), "{tensor:?}");
        let (mut numbers, mut rows) = (Vec::new(), 0);
        while numbers.len() < MOST_NUMBERS {
            let before = numbers.len();
            match reader.read(1000, &mut numbers) {
                Ok(0) => {
                    assert_eq!(rows, reader.rows());
                    assert!(verified.is_ok(), "{tensor:?}");
                    break;
                }
                Ok(count) => {
                    assert!(count <= 1000 && numbers.len() - before == count * reader.dimension() as usize);
                    rows += count as u64;
                }
                Err(error) => {
                    refuse_file_error(Some(&error));
                    numbers.truncate(before);
                    break;
                }
            }
        }
        assert!(numbers.iter().all(|number| number.is_finite()));
    }
}

/// Writes all tensors as another file, if they aren't too many.
fn write_again(file: &dyn Container) {
    let cells =
        file.tensors().iter().map(|tensor| tensor.shape.iter().fold(1u64, |n, size| n.saturating_mul(*size)));
    if cells.fold(0u64, u64::saturating_add) <= MOST_NUMBERS as u64 {
        let options =
            WholeOptions { format: WholeFormat::Safetensors, tensor: "x".to_owned(), attributes: None };
        refuse_file_error(write_whole(file, &options, Box::new(Nowhere(0)), &mut || {}).as_ref().err());
    }
}

/// An output that only counts.
struct Nowhere(u64);

impl Output for Nowhere {
    fn append(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        self.0 += bytes.len() as u64;
        Ok(())
    }

    fn write_at(&mut self, _offset: u64, _bytes: &[u8]) -> Result<(), FileError> {
        Ok(())
    }

    fn position(&self) -> u64 {
        self.0
    }

    fn complete(self: Box<Self>) -> Result<(), FileError> {
        Ok(())
    }
}

/// Nobody changes the file, and nothing is wrong with it: whatever there is must be its content.
fn refuse_file_error(error: Option<&RowsError>) {
    if let Some(RowsError::File(error)) = error {
        panic!("{error}");
    }
}
