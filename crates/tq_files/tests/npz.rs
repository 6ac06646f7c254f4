//! Archives of NumPy: damaged ones, and bombs.

mod arrays_common;
mod common;

use std::fs;

use arrays_common::{open, read, refusal};
use common::data;
use tempfile::TempDir;
use tq_files::{Format, open_npz};

fn npy(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    bytes
}

/// An archive of one stored entry, as `numpy.savez` makes it, in pieces.
struct Archive {
    local: Vec<u8>,
    content: Vec<u8>,
    directory: Vec<u8>,
    end: Vec<u8>,
}

impl Archive {
    fn new(name: &str, content: Vec<u8>) -> Self {
        let word = |number: usize| (number as u32).to_le_bytes();
        let crc = content.iter().fold(!0u32, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| crc >> 1 ^ (0xedb8_8320 * (crc & 1)))
        });
        let common = [
            &[20, 0, 0, 0, 0, 0, 0, 0, 0, 0][..],
            &(!crc).to_le_bytes(),
            &word(content.len()),
            &word(content.len()),
            &(name.len() as u16).to_le_bytes(),
            &[0, 0],
        ]
        .concat();
        let local = [&b"PK\x03\x04"[..], &common, name.as_bytes()].concat();
        let directory = [&b"PK\x01\x02\x14\0"[..], &common, &[0; 10], &word(0), name.as_bytes()].concat();
        let start = local.len() + content.len();
        let end =
            [&b"PK\x05\x06\0\0\0\0\x01\0\x01\0"[..], &word(directory.len()), &word(start), &[0, 0]].concat();
        Archive { local, content, directory, end }
    }

    fn bytes(&self) -> Vec<u8> {
        [&self.local[..], &self.content, &self.directory, &self.end].concat()
    }
}

#[test]
fn archives() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data");
    let array = || npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}", 24);
    fs::write(&path, Archive::new("a.npy", array()).bytes()).unwrap();
    assert_eq!(read(open(&path), 0, 10).unwrap(), [0.0; 6]);
    fs::write(&path, [&Archive::new("a.npy", array()).bytes()[..], b"more"].concat()).unwrap();
    assert!(open_npz(&path, 1 << 20).is_err());
    let changed = |change: &dyn Fn(&mut Archive)| {
        let mut archive = Archive::new("a.npy", array());
        change(&mut archive);
        refusal(Format::Npz, &archive.bytes())
    };
    for (problem, change) in [
        ("it has no end", &(|archive: &mut Archive| archive.end.truncate(21)) as &dyn Fn(&mut Archive)),
        ("it is one of several parts", &|archive| archive.end[4] = 1),
        ("its directory is not where its end says", &|archive| archive.end[12] += 1),
        ("its directory is not where its end says", &|archive| archive.end[16] += 1),
        ("its directory has 1 entries, not 2", &|archive| {
            archive.end[8] = 2;
            archive.end[10] = 2;
        }),
        ("something else than entries", &|archive| archive.directory[2] = 3),
        ("its directory breaks off", &|archive| archive.directory[28] = 200),
        ("has two sizes", &|archive| archive.directory[20] += 1),
        ("a name that isn't UTF-8", &|archive| archive.directory[46] = 0xff),
        ("it has no entry at byte 7", &|archive| archive.directory[42] = 7),
        ("it has no entry at byte 0", &|archive| archive.local[0] = 0),
        ("entry \"a.npy\" overlaps", &|archive| archive.local[28] = 250),
        ("not a NumPy file", &|archive| archive.content[0] = 0),
        ("which are not those of shape [3, 3]", &|archive| {
            let at = archive.content.windows(2).position(|bytes| bytes == b"(2").unwrap();
            archive.content[at + 1] = b'3';
        }),
    ] {
        let refused = changed(change);
        assert!(refused.contains(problem), "{problem}: {refused}");
    }
    // Twice the same name, or the same bytes under two.
    let one = Archive::new("a.npy", array());
    let (start, twice) = (one.local.len() + one.content.len(), one.directory.repeat(2));
    let end = [
        &b"PK\x05\x06\0\0\0\0\x02\0\x02\0"[..],
        &(twice.len() as u32).to_le_bytes(),
        &(start as u32).to_le_bytes(),
        &[0, 0],
    ]
    .concat();
    let bytes = [&one.local[..], &one.content, &twice, &end].concat();
    assert!(refusal(Format::Npz, &bytes).contains("entry \"a.npy\" overlaps"));
    // What is encrypted, or packed in another way.
    for (place, byte) in [(8, 1), (10, 14)] {
        let mut archive = Archive::new("a.npy", array());
        archive.directory[place] = byte;
        fs::write(&path, archive.bytes()).unwrap();
        let error = open_npz(&path, 1 << 20).unwrap_err().to_string();
        assert!(error.contains("is encrypted, or neither stored nor deflated"), "{error}");
    }
    // A byte that isn't what it was.
    let mut archive = Archive::new("a.npy", array());
    *archive.content.last_mut().unwrap() ^= 1;
    fs::write(&path, archive.bytes()).unwrap();
    let error = read(open(&path), 0, 10).unwrap_err().to_string();
    assert_eq!(error, "CRC-32 checksum of tensor \"a.npy\" (data) doesn't match its bytes");
}

/// Entries that say to have more or less than they inflate to.
#[test]
fn bombs() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data");
    let whole = fs::read(data("arrays/small_deflated.npz")).unwrap();
    fs::write(&path, &whole).unwrap();
    assert!(open(&path).verify(0, &mut || {}).unwrap());
    let entry = whole.windows(4).position(|bytes| bytes == b"PK\x01\x02").unwrap();
    let size = u32::from_le_bytes(whole[entry + 24..][..4].try_into().unwrap());
    assert_eq!(size, 128 + 6 * 8 * 4);
    for declared in [size - 32, size + 32, 4_000_000_000] {
        let mut bytes = whole.clone();
        bytes[entry + 24..][..4].copy_from_slice(&declared.to_le_bytes());
        fs::write(&path, &bytes).unwrap();
        let error = open_npz(&path, 1 << 20).unwrap_err().to_string();
        assert!(error.contains("which are not those of shape [6, 8]"), "{declared}: {error}");
    }
    let mut bytes = whole.clone();
    bytes[entry + 16] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let error = read(open(&path), 0, 4).unwrap_err().to_string();
    assert_eq!(error, "CRC-32 checksum of tensor \"v.npy\" (data) doesn't match its bytes");
    let before = common::peak_memory();
    // Zeros by the million, which are read in blocks.
    let bomb = fs::read(data("arrays/zeros.npz")).unwrap();
    assert!(bomb.len() < 100_000);
    fs::write(&path, &bomb).unwrap();
    let (mut reader, mut some, mut rows) = (open(&path).rows(0, &mut || {}).unwrap(), Vec::new(), 0);
    loop {
        some.clear();
        match reader.read(1000, &mut some).unwrap() {
            0 => break,
            count => rows += count,
        }
    }
    assert_eq!(rows, 1_000_000);
    if let (Some(before), Some(after)) = (before, common::peak_memory()) {
        assert!(after - before < 256 << 20, "{} bytes more than before", after - before);
    }
}
