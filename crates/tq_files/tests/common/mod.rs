//! What the integration tests share: the golden files, when they are there, outputs, damage and reproducible noise.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use tq_files::{FileError, Output};

/// A folder under `golden/dev` of `../shared`, or `None` after saying so when it isn't present.
pub(crate) fn golden(folder: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let path = root.join("golden/dev").join(folder);
    if path.is_dir() {
        return Some(path);
    }
    eprintln!("SKIPPED: golden files of {folder} (../shared not present)");
    None
}

/// The files of a folder with this extension, in order of name; at least one.
pub(crate) fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    found.sort();
    assert!(!found.is_empty(), "no *.{extension} in {}", folder.display());
    found
}

/// A raw array of little-endian f32.
pub(crate) fn read_f32s(path: &Path) -> Vec<f32> {
    fs::read(path).unwrap().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

/// SplitMix64: reproducible test data, nothing more.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is above 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.word() % bound as u64) as usize
    }

    /// Uniform between -1 and 1.
    pub(crate) fn value(&mut self) -> f32 {
        (self.word() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    pub(crate) fn vector(&mut self, dimension: usize) -> Vec<f32> {
        (0..dimension).map(|_| self.value()).collect()
    }

    pub(crate) fn unit_vector(&mut self, dimension: usize) -> Vec<f32> {
        tq_codec::normalize(&self.vector(dimension)).unwrap()
    }
}

/// A file that comes with the tests.
pub(crate) fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// An output in memory, shared with its clones.
#[derive(Clone, Default)]
pub(crate) struct Memory(Rc<RefCell<(Vec<u8>, bool)>>);

impl Memory {
    /// The bytes of an output that was completed.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        assert!(self.0.borrow().1, "not completed");
        self.0.borrow().0.clone()
    }
}

impl Output for Memory {
    fn append(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        self.0.borrow_mut().0.extend_from_slice(bytes);
        Ok(())
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), FileError> {
        self.0.borrow_mut().0[offset as usize..][..bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn position(&self) -> u64 {
        self.0.borrow().0.len() as u64
    }

    fn complete(self: Box<Self>) -> Result<(), FileError> {
        self.0.borrow_mut().1 = true;
        Ok(())
    }
}

/// Damages a file in one or a few ways, mostly within its first `hot` bytes.
pub(crate) fn damage(bytes: &mut Vec<u8>, hot: usize, random: &mut Random) {
    for _ in 0..=random.below(3) {
        if bytes.is_empty() {
            return;
        }
        let bound = if random.below(8) == 0 { bytes.len() } else { hot.min(bytes.len()) };
        let at = random.below(bound);
        match random.below(8) {
            0 => bytes.truncate(random.below(bytes.len())),
            1 => drop(bytes.remove(at)),
            2 => bytes.insert(at, random.word() as u8),
            3 => bytes[at] = [0, 0xff, 0x7f, 0x80][random.below(4)],
            4 => {
                let end = bytes.len().min(at + 1 + random.below(8));
                bytes[at..end].fill(if random.below(2) == 0 { 0xff } else { 0 });
            }
            5 => bytes[at] ^= 1 << random.below(8),
            6 => bytes[at] = bytes[at].wrapping_add(random.below(3) as u8).wrapping_sub(1),
            _ => bytes[at] = random.word() as u8,
        }
    }
}

/// The most address space that this process has had, where the system tells.
pub(crate) fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmPeak:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? << 10)
}

/// Writes a file in place of another: file systems bring one that is cut off and written again to the disk at once.
pub(crate) fn write_anew(path: &Path, bytes: &[u8]) {
    let _: std::io::Result<()> = fs::remove_file(path);
    fs::write(path, bytes).unwrap();
}
