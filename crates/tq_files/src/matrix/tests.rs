//! Matrices in files: damage, loss, notes of checks, permissions.

use super::*;
use std::cell::Cell;
use std::fs::{FileTimes, OpenOptions};
use std::os::unix::fs::FileExt;
use std::thread::sleep;
use std::time::Duration;
use tempfile::TempDir;

const KEY: MatrixKey = MatrixKey { kind: 1, seed: u64::MAX, dimension: 33 };

fn entries() -> Vec<f64> {
    (0..33 * 33).map(|i| f64::from(i).sin()).collect()
}

fn values(matrix: &MatrixFile) -> &[f64] {
    matrix.as_ref()
}

fn rounded(matrix: &MatrixFile) -> &[f32] {
    matrix.as_ref()
}

fn folder_of(place: &Path, run: u8, group: bool) -> MatrixFolder {
    MatrixFolder::new(place.to_owned(), [run; 16], group)
}

fn ours(place: &TempDir) -> MatrixFolder {
    folder_of(place.path(), 1, false)
}

fn store(folder: &MatrixFolder) {
    folder.store(KEY, &entries(), &mut || {}).unwrap();
}

fn open(folder: &MatrixFolder) -> Result<MatrixFile, MatrixError> {
    folder.open(KEY, &mut || {})
}

/// Opens the matrix and says whether its entries were checked, which makes a draft of a note.
fn checks(folder: &MatrixFolder) -> bool {
    let checked = Cell::new(false);
    let is_draft = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().contains("tqtmp");
    let mut look = || checked.set(checked.get() || folder.entries().unwrap().iter().any(is_draft));
    folder.open(KEY, &mut look).unwrap();
    checked.get()
}

/// Stores the matrix and opens it until its check is noted: not within the file system's tick.
fn store_and_note(folder: &MatrixFolder) {
    store(folder);
    for _ in 0..3000 {
        if !checks(folder) {
            return;
        }
        sleep(Duration::from_millis(1));
    }
    panic!("a check is never noted");
}

#[test]
fn comes_back_as_it_was() {
    let place = TempDir::new().unwrap();
    let folder = ours(&place);
    assert!(open(&folder).unwrap_err().is_missing());
    store(&folder);
    store(&folder);
    let matrix = open(&folder).unwrap();
    assert_eq!(values(&matrix), entries());
    assert_eq!(rounded(&matrix), entries().iter().map(|&entry| entry as f32).collect::<Vec<_>>());
    assert!(matrix.intact());
    assert_eq!(folder.list().unwrap(), [MatrixEntry { key: KEY, bytes: KEY.file_len() }]);
    folder.remove(KEY).unwrap();
    folder.remove(KEY).unwrap();
    assert!(matrix.intact(), "whoever has it mapped keeps it");
    assert_eq!(values(&matrix), entries());
    assert!(folder.list().unwrap().is_empty());
}

#[test]
fn damage_anywhere_is_seen() {
    let place = TempDir::new().unwrap();
    let folder = ours(&place);
    let path = place.path().join(KEY.file_name());
    store(&folder);
    let whole = fs::read(&path).unwrap();
    for position in (0..HEADER_LEN).chain((HEADER_LEN..whole.len()).step_by(97)) {
        let mut flipped = whole.clone();
        flipped[position] ^= 0x10;
        fs::write(&path, &flipped).unwrap();
        let error = open(&folder).unwrap_err();
        assert!(matches!(error, MatrixError::Damaged { .. }), "byte {position}: {error}");
    }
    for length in [0, 1, HEADER_LEN - 1, HEADER_LEN, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        assert!(open(&folder).is_err(), "{length} bytes");
    }
    let other = MatrixKey { seed: 7, ..KEY };
    fs::write(place.path().join(other.file_name()), &whole).unwrap();
    assert!(folder.open(other, &mut || {}).is_err(), "another matrix under this name");
}

#[test]
fn damage_behind_a_note_is_seen() {
    let place = TempDir::new().unwrap();
    let folder = ours(&place);
    store_and_note(&folder);
    assert!(!checks(&folder), "once is enough");
    let path = place.path().join(KEY.file_name());
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    let modified = file.metadata().unwrap().modified().unwrap();
    file.write_all_at(&[0xff], 4000).unwrap();
    file.set_times(FileTimes::new().set_modified(modified)).unwrap();
    assert_eq!(file.metadata().unwrap().modified().unwrap(), modified);
    assert!(matches!(open(&folder), Err(MatrixError::Damaged { .. })), "however its times were set");
}

#[test]
fn a_note_is_about_one_file_and_one_run() {
    let place = TempDir::new().unwrap();
    let folder = ours(&place);
    let path = place.path().join(KEY.file_name());
    store_and_note(&folder);
    assert!(checks(&folder_of(place.path(), 2, false)), "another run doesn't believe it");
    store_and_note(&folder);

    let copy = place.path().join("copy");
    fs::copy(&path, &copy).unwrap();
    fs::rename(&copy, &path).unwrap();
    assert!(checks(&folder), "a copy is another file");

    store_and_note(&folder);
    let note = place.path().join(note::file_name(KEY));
    let mut bytes = fs::read(&note).unwrap();
    bytes.truncate(bytes.len() - 1);
    fs::write(&note, &bytes).unwrap();
    assert!(checks(&folder), "a part of a note is none");
}

/// A file that changes within a tick of the file system's clock has the same times before and after. Seen from the check: its
/// time of change isn't earlier than the moment at which the check began.
#[test]
fn a_check_in_the_tick_of_the_change_is_not_noted() {
    let place = TempDir::new().unwrap();
    let folder = ours(&place);
    store(&folder);
    let path = place.path().join(KEY.file_name());
    let metadata = fs::metadata(&path).unwrap();
    let note = Note::new([1; 16], KEY, 0, &metadata);
    for (later, noted) in [(-1, false), (0, false), (1, true)] {
        let mut draft = Draft::begin(place.path(), KEY, 0o600).unwrap();
        draft.began = (metadata.ctime(), metadata.ctime_nsec() + later);
        draft.finish(&note, &Note::new([1; 16], KEY, 0, &metadata));
        assert_eq!(note.is_in(place.path()), noted, "begun {later} ns after the change");
    }
    // And a file that changes while it is checked is another one afterwards.
    folder.remove(KEY).unwrap();
    let draft = Draft::begin(place.path(), KEY, 0o600).unwrap();
    draft.finish(&note, &Note::new([1; 16], KEY, 1, &metadata));
    assert!(!note.is_in(place.path()));
}

#[test]
fn long_work_polls() {
    let place = TempDir::new().unwrap();
    let folder = ours(&place);
    let key = MatrixKey { dimension: 800, ..KEY };
    let mut polled = 0;
    folder.store(key, &vec![0.5; 800 * 800], &mut || polled += 1).unwrap();
    assert!(polled >= 2 * 4, "checksum and writing, 5 MB each: {polled}");
    polled = 0;
    folder.open(key, &mut || polled += 1).unwrap();
    assert!(polled >= 4, "checksum: {polled}");
    polled = 0;
    folder.open(key, &mut || polled += 1).unwrap();
    assert!(polled >= 4, "with or without it, nobody waits for a disk in one go: {polled}");

    let other = MatrixKey { seed: 7, ..key };
    let interrupted = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut left = 7;
        let mut poll = || {
            left -= 1;
            assert!(left > 0, "a cancel");
        };
        folder.store(other, &vec![0.5; 800 * 800], &mut poll)
    }));
    assert!(interrupted.is_err());
    let names: Vec<_> = folder.entries().unwrap().iter().map(fs::DirEntry::file_name).collect();
    assert!(names.iter().all(|name| name.to_string_lossy().starts_with(&key.file_name())), "{names:?}");
}

#[test]
fn cut_while_mapped_is_told() {
    let place = TempDir::new().unwrap();
    let folder = ours(&place);
    store(&folder);
    let matrix = open(&folder).unwrap();
    let path = place.path().join(KEY.file_name());
    OpenOptions::new().write(true).open(path).unwrap().set_len(100).unwrap();
    assert_eq!((values(&matrix).len(), rounded(&matrix).len()), (33 * 33, 33 * 33), "still readable");
    assert_eq!((values(&matrix).last(), rounded(&matrix).last()), (Some(&0.0), Some(&0.0)));
    assert!(!matrix.intact());
}

#[test]
fn a_failed_write_leaves_nothing() {
    let place = TempDir::new().unwrap();
    let folder = ours(&place);
    let nowhere = folder_of(&place.path().join("missing/matrices"), 1, false);
    assert!(nowhere.store(KEY, &entries(), &mut || {}).is_err());
    let leftover = place.path().join(".matrix-1-2-3.99-0.tqtmp");
    fs::write(&leftover, "").unwrap();
    fs::write(place.path().join("unrelated"), "").unwrap();
    assert!(folder.list().unwrap().is_empty());
    assert!(nowhere.list().unwrap().is_empty());

    store(&folder);
    assert!(!leftover.exists());
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 2, "what isn't ours stays");
}

#[test]
fn clearing_takes_notes_along() {
    let place = TempDir::new().unwrap();
    let folder = ours(&place);
    store_and_note(&folder);
    let gone = MatrixKey { seed: 7, ..KEY };
    fs::write(place.path().join(note::file_name(gone)), "").unwrap();
    fs::write(place.path().join("unrelated.checked"), "").unwrap();
    assert_eq!(folder.clear().unwrap(), 1);
    let names: Vec<_> = folder.entries().unwrap().iter().map(fs::DirEntry::file_name).collect();
    assert_eq!(names, ["unrelated.checked"]);
}

#[test]
fn permissions_are_those_asked_for() {
    let place = TempDir::new().unwrap();
    let path = place.path().join("matrices");
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    let modes = || {
        let note = path.join(note::file_name(KEY));
        [mode(&path), mode(&path.join(KEY.file_name())), mode(&note)]
    };
    store_and_note(&folder_of(&path, 1, false));
    assert_eq!(modes(), [0o700, 0o600, 0o600], "for the owner alone");
    // The server's directory was opened to the group since.
    let group = folder_of(&path, 1, true);
    open(&group).unwrap();
    assert_eq!(modes(), [0o750, 0o640, 0o640], "what is there follows");
    group.clear().unwrap();
    store_and_note(&group);
    assert_eq!(modes(), [0o750, 0o640, 0o640], "and what is new");
    open(&folder_of(&path, 1, false)).unwrap();
    assert_eq!(modes(), [0o700, 0o600, 0o600], "the other way round");
}
