//! Files that are written whole or not at all: what stands where before and after, and what remains of the dead.
//!
//! Some tests need a process of their own (a umask, a limit, a death). They run this program again, by way of the
//! shell, with one test and a folder in the environment.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use tempfile::TempDir;
use tq_files::{AtomicFile, FileError};

const CHILD: &str = "TQ_ATOMIC_CHILD";

fn folder() -> TempDir {
    TempDir::new().unwrap()
}

/// What is in a folder, in order.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn store(target: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let mut file = AtomicFile::create(target)?;
    file.append(bytes)?;
    file.finish()
}

/// The folder, if this process is the one that `run_apart` has started.
fn apart() -> Option<PathBuf> {
    std::env::var_os(CHILD).map(PathBuf::from)
}

/// Runs one test of this file in a process of its own, after `preparation` of the shell.
fn run_apart(test: &str, folder: &Path, preparation: &str) -> ExitStatus {
    Command::new("sh")
        .args(["-c", &format!("{preparation}; exec \"$0\" --exact {test} --nocapture --test-threads=1")])
        .arg(std::env::current_exe().unwrap())
        .env(CHILD, folder)
        // Its count of tests is not to be taken for ours.
        .stdout(Stdio::null())
        .status()
        .unwrap()
}

#[test]
fn new_file() {
    let folder = folder();
    let target = folder.path().join("new");
    let mut file = AtomicFile::create(&target).unwrap();
    assert!(file.is_empty());
    assert!(!target.exists());
    let temporary = file.temporary_path().to_owned();
    assert_eq!(temporary.parent(), Some(folder.path()));
    let name = temporary.file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with(".new.") && name.ends_with(".tqtmp"), "{name}");
    assert_eq!(mode(&temporary), 0o600, "while it is written");
    file.append(b"some ").unwrap();
    file.write_all(b"bytes").unwrap();
    assert_eq!(file.len(), 10);
    file.sync().unwrap();
    assert_eq!(fs::read(&temporary).unwrap(), b"some bytes");
    assert!(!target.exists());
    file.finish().unwrap();
    assert_eq!(fs::read(&target).unwrap(), b"some bytes");
    assert_eq!(names(folder.path()), ["new"]);
    assert_eq!(mode(&target), 0o644);
}

#[test]
fn umask_does_not_matter() {
    if let Some(folder) = apart() {
        let plain = folder.join("plain");
        fs::write(&plain, b"").unwrap();
        assert_eq!(mode(&plain), 0o600, "the umask is in force");
        store(&folder.join("new"), b"x").unwrap();
        return;
    }
    let folder = folder();
    assert!(run_apart("umask_does_not_matter", folder.path(), "umask 077").success());
    assert_eq!(mode(&folder.path().join("new")), 0o644);
}

#[test]
fn replaced_file_passes_on_its_mode() {
    let folder = folder();
    let target = folder.path().join("old");
    for bits in [0o600, 0o640, 0o664] {
        fs::write(&target, b"old").unwrap();
        fs::set_permissions(&target, Permissions::from_mode(bits)).unwrap();
        let mut file = AtomicFile::create(&target).unwrap();
        file.append(b"newer").unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"old", "until it is finished");
        assert_eq!(mode(file.temporary_path()), 0o600);
        file.finish().unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"newer");
        assert_eq!(mode(&target), bits);
        assert_eq!(names(folder.path()), ["old"]);
    }
}

#[test]
fn replaced_file_passes_on_its_owner() {
    let folder = folder();
    let target = folder.path().join("old");
    fs::write(&target, b"old").unwrap();
    if std::os::unix::fs::chown(&target, Some(12345), Some(54321)).is_err() {
        eprintln!("SKIPPED: replaced_file_passes_on_its_owner (only root gives files away)");
        return;
    }
    store(&target, b"new").unwrap();
    let metadata = fs::metadata(&target).unwrap();
    assert_eq!((metadata.uid(), metadata.gid()), (12345, 54321));
    assert_eq!(fs::read(&target).unwrap(), b"new");
}

#[test]
fn file_that_may_not_be_written_is_not_replaced() {
    let folder = folder();
    let target = folder.path().join("fixed");
    fs::write(&target, b"fixed").unwrap();
    fs::set_permissions(&target, Permissions::from_mode(0o444)).unwrap();
    if OpenOptions::new().write(true).open(&target).is_ok() {
        eprintln!("SKIPPED: file_that_may_not_be_written_is_not_replaced (root writes everything)");
        return;
    }
    let error = AtomicFile::create(&target).unwrap_err();
    assert!(matches!(&error, FileError::Io { op: "open", .. }), "{error}");
    assert_eq!(names(folder.path()), ["fixed"]);
}

#[test]
fn link_stays_and_its_file_is_replaced() {
    let folder = folder();
    let elsewhere = folder.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::write(elsewhere.join("file"), b"old").unwrap();
    symlink("elsewhere/file", folder.path().join("second")).unwrap();
    let first = folder.path().join("first");
    symlink("second", &first).unwrap();
    let mut file = AtomicFile::create(&first).unwrap();
    assert_eq!(file.target(), first);
    let temporary = fs::canonicalize(file.temporary_path()).unwrap();
    assert_eq!(temporary.parent().unwrap(), fs::canonicalize(&elsewhere).unwrap());
    file.append(b"new").unwrap();
    file.finish().unwrap();
    assert!(fs::symlink_metadata(&first).unwrap().is_symlink());
    assert!(fs::symlink_metadata(folder.path().join("second")).unwrap().is_symlink());
    assert_eq!(fs::read(elsewhere.join("file")).unwrap(), b"new");
    assert_eq!(names(&elsewhere), ["file"]);
}

#[test]
fn file_behind_a_dangling_link_is_made() {
    let folder = folder();
    fs::create_dir(folder.path().join("elsewhere")).unwrap();
    let link = folder.path().join("elsewhere/link");
    symlink("../made", &link).unwrap();
    store(&link, b"new").unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read(folder.path().join("made")).unwrap(), b"new");
    assert_eq!(names(folder.path()), ["elsewhere", "made"]);

    let circle = folder.path().join("circle");
    symlink("circle", &circle).unwrap();
    let error = AtomicFile::create(&circle).unwrap_err();
    assert!(matches!(error, FileError::Io { .. }), "{error}");
    assert_eq!(error.path(), circle);
}

#[test]
fn what_is_no_file_is_refused() {
    let folder = folder();
    let path = folder.path();
    for target in [path.to_owned(), path.join("new/"), path.join("new/.")] {
        let error = AtomicFile::create(&target).unwrap_err();
        assert!(matches!(error, FileError::IsDirectory { .. }), "{error}");
    }
    symlink(path, path.join("link")).unwrap();
    assert!(matches!(AtomicFile::create(&path.join("link")), Err(FileError::IsDirectory { .. })));
    let pipe = path.join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert!(matches!(AtomicFile::create(&pipe), Err(FileError::NotRegular { .. })));
    assert!(matches!(AtomicFile::create(Path::new("/dev/full")), Err(FileError::NotRegular { .. })));
    let missing = path.join("missing/file");
    let error = AtomicFile::create(&missing).unwrap_err();
    assert!(
        matches!(&error, FileError::Io { op: "create", source, .. } if source.kind() == io::ErrorKind::NotFound)
    );
    assert_eq!(error.path(), missing, "the target, not the temporary file");
    assert!(AtomicFile::create(Path::new("")).is_err());
    assert_eq!(names(path), ["link", "pipe"]);
}

#[test]
fn unfinished_is_undone() {
    let folder = folder();
    let target = folder.path().join("file");
    let mut file = AtomicFile::create(&target).unwrap();
    file.append(b"never seen").unwrap();
    drop(file);
    assert!(names(folder.path()).is_empty());

    fs::write(&target, b"old").unwrap();
    let mut file = AtomicFile::create(&target).unwrap();
    file.append(&vec![1; 1 << 20]).unwrap();
    file.sync().unwrap();
    drop(file);
    assert_eq!(names(folder.path()), ["file"]);
    assert_eq!(fs::read(&target).unwrap(), b"old");
}

#[test]
fn target_that_became_a_folder_is_an_error() {
    let folder = folder();
    let target = folder.path().join("file");
    let file = AtomicFile::create(&target).unwrap();
    fs::create_dir(&target).unwrap();
    let error = file.finish().unwrap_err();
    assert!(matches!(&error, FileError::Io { op: "rename", .. }), "{error}");
    assert_eq!(error.path(), target);
    assert_eq!(names(folder.path()), ["file"]);
}

#[test]
fn earlier_bytes_can_be_replaced() {
    let folder = folder();
    let target = folder.path().join("file");
    for body in [10, 100_000, 1_000_000] {
        let mut file = AtomicFile::create(&target).unwrap();
        file.append(b"count = ????;").unwrap();
        file.append(&vec![b'x'; body]).unwrap();
        file.write_at(8, b"1234").unwrap();
        file.append(b"end").unwrap();
        file.write_at(file.len() - 1, b"D").unwrap();
        assert_eq!(file.len(), body as u64 + 16);
        file.finish().unwrap();
        let expected = [b"count = 1234;", &vec![b'x'; body][..], b"enD"].concat();
        assert!(fs::read(&target).unwrap() == expected, "{body} bytes");
    }
    for (offset, bytes) in [(3, &b"xy"[..]), (5, b""), (u64::MAX, b"x")] {
        let mut file = AtomicFile::create(&target).unwrap();
        file.append(b"1234").unwrap();
        assert!(file.write_at(offset, bytes).is_err(), "{offset}");
        assert!(file.finish().is_err(), "what failed can't be finished");
    }
    assert_eq!(names(folder.path()), ["file"]);
}

#[test]
fn one_place_by_several_paths() {
    let folder = folder();
    let path = folder.path();
    fs::create_dir(path.join("sub")).unwrap();
    symlink(path, path.join("sub/up")).unwrap();
    symlink("../file", path.join("sub/link")).unwrap();
    let file = AtomicFile::create(&path.join("file")).unwrap();
    for (other, same) in [
        ("file", true),
        ("sub/../file", true),
        ("sub/up/file", true),
        ("sub/link", true),
        ("sub/file", false),
        ("file2", false),
    ] {
        let other = AtomicFile::create(&path.join(other)).unwrap();
        assert_eq!(file.same_place(&other).unwrap(), same, "{}", other.target().display());
    }
}

#[test]
fn long_names_are_shortened() {
    let folder = folder();
    for name in ["n".repeat(255), "é".repeat(127), format!("x{}", "é".repeat(127))] {
        let target = folder.path().join(&name);
        let file = AtomicFile::create(&target).unwrap();
        let temporary = file.temporary_path().file_name().unwrap().to_str().unwrap().to_owned();
        assert!(temporary.len() <= 255 && temporary.len() > 250, "{temporary}");
        file.finish().unwrap();
        assert!(target.exists());
    }
    let error = AtomicFile::create(&folder.path().join("n".repeat(256))).unwrap_err();
    assert!(matches!(error, FileError::Io { .. }), "{error}");
    assert_eq!(names(folder.path()).len(), 3);
}

#[test]
fn leftovers_of_the_dead_go_and_the_living_stay() {
    if let Some(folder) = apart() {
        let mut file = AtomicFile::create(&folder.join("file")).unwrap();
        file.append(b"half").unwrap();
        file.sync().unwrap();
        std::process::exit(7);
    }
    let folder = folder();
    let path = folder.path();
    let mut alive = AtomicFile::create(&path.join("other")).unwrap();
    alive.append(b"alive").unwrap();
    let temporary = alive.temporary_path().file_name().unwrap().to_str().unwrap().to_owned();
    let status = run_apart("leftovers_of_the_dead_go_and_the_living_stay", path, "true");
    assert_eq!(status.code(), Some(7), "it died on its way");
    let dead: Vec<String> = names(path).into_iter().filter(|name| *name != temporary).collect();
    assert!(dead.len() == 1 && dead[0].starts_with(".file."), "{dead:?}");
    let unlike = [
        ".file.12-.tqtmp",
        ".file.-3.tqtmp",
        ".file.1.tqtmp",
        ".file.1-x.tqtmp",
        ".1-2.tqtmp",
        "..1-2.tqtmp",
        "file.1-2.tqtmp",
        ".file.1-2.tqtmp.gz",
    ];
    for name in unlike {
        fs::write(path.join(name), b"").unwrap();
    }
    symlink("file.1-2.tqtmp", path.join(".link.1-2.tqtmp")).unwrap();
    fs::create_dir(path.join(".folder.1-2.tqtmp")).unwrap();
    let mut expected = names(path);
    expected.retain(|name| *name != dead[0]);
    expected.push("file".into());
    expected.sort();
    store(&path.join("file"), b"whole").unwrap();
    assert_eq!(names(path), expected);
    alive.finish().unwrap();
    assert_eq!(fs::read(path.join("other")).unwrap(), b"alive");
    assert_eq!(fs::read(path.join("file")).unwrap(), b"whole");
}

#[test]
fn many_writers_of_one_file_do_not_disturb_each_other() {
    const ROUNDS: usize = 200;
    let folder = folder();
    let target = folder.path().join("file");
    let (target, rounds) = (&target, &(0..ROUNDS));
    std::thread::scope(|scope| {
        for writer in 0..4u8 {
            scope.spawn(move || {
                for _ in rounds.clone() {
                    // Each also looks for leftovers, among the others' files.
                    store(target, &[writer; 3000]).unwrap();
                }
            });
        }
        scope.spawn(|| {
            for _ in rounds.clone() {
                if let Ok(bytes) = fs::read(target) {
                    assert!(bytes.len() == 3000 && bytes.iter().all(|byte| *byte == bytes[0]));
                }
            }
        });
    });
    assert_eq!(names(folder.path()), ["file"]);
}

/// Writes until it fails, and checks what remains.
fn fill(folder: &Path, kinds: &[io::ErrorKind]) {
    let target = folder.join("file");
    store(&target, b"old").unwrap();
    let mut file = AtomicFile::create(&target).unwrap();
    let error = (0..1000).find_map(|_| file.append(&[7; 100_000]).err()).expect("there is an end");
    assert!(
        matches!(&error, FileError::Io { op: "write", source, .. } if kinds.contains(&source.kind())),
        "{error}"
    );
    assert_eq!(error.path(), target);
    assert!(file.finish().is_err(), "not even if there is room again");
    // What fails only when the buffer is written out.
    for last in [AtomicFile::sync, |file: &mut AtomicFile| file.write_at(0, b"x")] {
        let mut file = AtomicFile::create(&target).unwrap();
        file.append(&[7; 200_000]).unwrap();
        assert!(last(&mut file).is_err());
        assert!(file.finish().is_err());
    }
    let mut file = AtomicFile::create(&target).unwrap();
    file.append(&[7; 200_000]).unwrap();
    let error = file.finish().unwrap_err();
    assert!(matches!(&error, FileError::Io { op: "write", .. }), "{error}");
    assert_eq!(names(folder), ["file"]);
    assert_eq!(fs::read(&target).unwrap(), b"old");
}

#[test]
fn file_size_limit_leaves_nothing() {
    if let Some(folder) = apart() {
        fill(&folder, &[io::ErrorKind::FileTooLarge]);
        return;
    }
    let folder = folder();
    // 64 KiB; the signal that comes with the error is ignored, as PostgreSQL does.
    let status = run_apart("file_size_limit_leaves_nothing", folder.path(), "trap '' XFSZ; ulimit -f 128");
    assert!(status.success());
}

/// Unmounts what a test has mounted.
struct MountGuard<'p>(&'p Path);

impl Drop for MountGuard<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}

#[test]
fn full_disk_leaves_nothing() {
    let folder = folder();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=128k", "tmpfs"])
        .arg(folder.path())
        .stderr(Stdio::null())
        .status();
    if !mounted.is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: full_disk_leaves_nothing (no right to mount a small file system)");
        return;
    }
    let _guard = MountGuard(folder.path());
    fill(folder.path(), &[io::ErrorKind::StorageFull]);
}
