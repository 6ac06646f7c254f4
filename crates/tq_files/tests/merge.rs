//! Files of one kind made into one.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::{Memory, Random, data};
use tempfile::TempDir;
use tq_codec::{Codebook, Codec, CodecConfig, CodecDefinition, Rotation, RotationKind, Workers};
use tq_files::{
    AtomicFile, BurnpackFile, BurnpackOptions, BurnpackWriter, Container, Corpus, CorpusRowWriter, FileError,
    Ids, MergeError, MergeIds, Merged, Metadata, RowWriter, merge_burnpacks, merge_corpora,
};
use tq_format::{BitWidth, CorpusError, CorpusView};

const DIMENSION: u32 = 16;

fn codec(seed: u64, width: BitWidth) -> Arc<Codec> {
    let config = CodecConfig::new(width, seed, DIMENSION, false, RotationKind::Hadamard).unwrap();
    let rotation = Arc::new(Rotation::hadamard(seed, DIMENSION));
    Arc::new(Codec::new(config, Codebook::lloyd_max(width, DIMENSION), rotation).unwrap())
}

struct Corpora {
    folder: TempDir,
    random: Random,
}

impl Corpora {
    fn new() -> Self {
        Corpora { folder: TempDir::new().unwrap(), random: Random(6) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a corpus of so many vectors.
    fn raw(&mut self, name: &str, codec: &Arc<Codec>, count: usize, metadata: &[u8]) -> PathBuf {
        let path = self.path(name);
        let memory = Memory::default();
        let workers = Arc::new(Workers::new(1).unwrap());
        let writer =
            CorpusRowWriter::new(Box::new(memory.clone()), Arc::clone(codec), workers, metadata.to_vec());
        let mut writer = Box::new(writer.unwrap());
        let rows: Vec<f32> = (0..count).flat_map(|_| self.random.unit_vector(DIMENSION as usize)).collect();
        writer.append(&rows).unwrap();
        writer.finish().unwrap();
        fs::write(&path, memory.bytes()).unwrap();
        path
    }

    fn described(&mut self, name: &str, count: usize, ids: Option<Ids>, user: Option<&str>) -> PathBuf {
        let user = user.map(str::to_owned);
        let codec = codec(1, BitWidth::Four);
        let described = Some(codec.definition().unwrap());
        let metadata = Metadata { codec: described, user, ids }.encode().unwrap();
        self.raw(name, &codec, count, &metadata)
    }
}

fn merge(paths: &[&PathBuf], ids: MergeIds) -> Result<(Vec<u8>, Merged), MergeError> {
    let sources: Vec<Corpus> = paths.iter().map(|path| Corpus::open(path).unwrap()).collect();
    let memory = Memory::default();
    let merged = merge_corpora(&sources, ids, Box::new(memory.clone()), &mut || {})?;
    assert_eq!(merged.bytes, memory.bytes().len() as u64);
    Ok((memory.bytes(), merged))
}

/// The records of a corpus, and its metadata.
fn contents(bytes: &[u8]) -> (Vec<Vec<u8>>, Option<Metadata>) {
    let view = CorpusView::parse(bytes).unwrap();
    let records = view.records().map(|record| record.unwrap().as_bytes().to_vec()).collect();
    (records, Metadata::parse(view.metadata(), view.vector_count()).unwrap())
}

#[test]
fn records_and_ids_in_order() {
    let mut corpora = Corpora::new();
    let a = corpora.described("a", 3, Some(Ids::Bigint(vec![7, 8, 9])), None);
    let none =
        corpora.described("none", 0, None, Some("{\"model\":  \"first\", \"n\": 12345678901234567890123}"));
    let b = corpora.described("b", 20_000, Some(Ids::Bigint((10..20_010).collect())), Some("\"second\""));
    let (bytes, merged) = merge(&[&a, &none, &b, &a], MergeIds::Keep).unwrap();
    assert_eq!((merged.count, merged.foreign_dropped), (20_006, false));
    let [of_a, of_b] = [&a, &b].map(|path| contents(&fs::read(path).unwrap()));
    let (records, metadata) = contents(&bytes);
    assert!(records == [&of_a.0[..], &of_b.0, &of_a.0].concat());
    let metadata = metadata.unwrap();
    assert_eq!(metadata.codec, of_a.1.unwrap().codec);
    assert_eq!(metadata.user.unwrap(), "{\"model\":  \"first\", \"n\": 12345678901234567890123}");
    let ids: Vec<i64> = (7..20_010).chain(7..10).collect();
    assert_eq!(metadata.ids, Some(Ids::Bigint(ids)));

    // A corpus by itself comes out as it was.
    for path in [&a, &none, &b] {
        assert!(merge(&[path], MergeIds::Keep).unwrap().0 == fs::read(path).unwrap());
    }
}

#[test]
fn ids_that_do_not_fit_together() {
    let mut corpora = Corpora::new();
    let numbers = corpora.described("numbers", 1, Some(Ids::Bigint(vec![1])), None);
    let texts = corpora.described("texts", 1, Some(Ids::Text(vec!["x".into()])), None);
    let none = corpora.described("none", 1, None, None);
    let error = |paths: &[&PathBuf]| merge(paths, MergeIds::Keep).unwrap_err();
    let missing = error(&[&none, &numbers]);
    assert!(
        matches!(&missing, MergeError::IdsMissing { with, without } if *with == numbers && *without == none)
    );
    assert!(matches!(error(&[&numbers, &none]), MergeError::IdsMissing { with, .. } if with == numbers));
    let types = error(&[&numbers, &texts]);
    assert!(matches!(&types, MergeError::IdsType { expected: "bigint", got: "text", .. }), "{types}");
    let (bytes, merged) = merge(&[&numbers, &texts, &none], MergeIds::Drop).unwrap();
    assert_eq!((merged.count, contents(&bytes).1.unwrap().ids), (3, None));

    let long = |name: &str, corpora: &mut Corpora| {
        let ids = (0..5000).map(|i| format!("{name}{i:02000}")).collect();
        corpora.described(name, 5000, Some(Ids::Text(ids)), None)
    };
    let (one, other) = (long("x", &mut corpora), long("y", &mut corpora));
    assert!(matches!(error(&[&one, &other]), MergeError::MergedMetadata(_)));
}

#[test]
fn corpora_of_other_codecs() {
    let mut corpora = Corpora::new();
    let a = corpora.described("a", 2, None, None);
    let seed = corpora.raw("seed", &codec(2, BitWidth::Four), 2, b"");
    let width = corpora.raw("width", &codec(1, BitWidth::Two), 2, b"");
    let error = |other: &PathBuf| merge(&[&a, other], MergeIds::Keep).unwrap_err();
    assert!(matches!(error(&seed), MergeError::Unlike { what: "configuration hash", .. }));
    let message = error(&width).to_string();
    let expected =
        format!("bit width of file \"{}\" is 2, and that of \"{}\" is 4", width.display(), a.display());
    assert_eq!(message, expected);

    let ours = codec(1, BitWidth::Four);
    let entries = (0..16).map(|i| i as f32).collect();
    let described = |config: &CodecConfig, codebook| {
        Metadata {
            codec: Some(CodecDefinition::new(*config, codebook, None).unwrap()),
            ..Metadata::default()
        }
        .encode()
        .unwrap()
    };
    let odd = described(ours.config(), Codebook::new(BitWidth::Four, entries).unwrap());
    let odd = corpora.raw("odd", &ours, 2, &odd);
    assert!(matches!(error(&odd), MergeError::Codec { first, path } if first == a && path == odd));
    let other = codec(2, BitWidth::Four);
    let wrong = corpora.raw("wrong", &ours, 2, &described(other.config(), other.codebook().clone()));
    assert!(matches!(error(&wrong), MergeError::CodecHash { path, .. } if path == wrong));
    let broken = corpora.raw("broken", &ours, 2, br#"{"tinyquant": {"version": 1, "codec": 5}}"#);
    assert!(matches!(error(&broken), MergeError::Metadata { path, .. } if path == broken));
    assert!(matches!(merge(&[], MergeIds::Keep).unwrap_err(), MergeError::Nothing));
}

#[test]
fn metadata_of_others() {
    let mut corpora = Corpora::new();
    let ours = codec(1, BitWidth::Four);
    let a = corpora.raw("a", &ours, 2, b"\0opaque");
    let b = corpora.raw("b", &ours, 1, b"\0opaque");
    let plain = corpora.raw("plain", &ours, 1, b"");
    let described = corpora.described("described", 1, None, None);
    let metadata = |paths: &[&PathBuf]| {
        let (bytes, merged) = merge(paths, MergeIds::Keep).unwrap();
        (CorpusView::parse(&bytes).unwrap().metadata().to_vec(), merged.foreign_dropped)
    };
    assert_eq!(metadata(&[&a, &b]), (b"\0opaque".to_vec(), false));
    assert_eq!(metadata(&[&a, &plain]), (vec![], true));
    assert_eq!(metadata(&[&plain, &plain]), (vec![], false));
    let own = metadata(&[&described]).0;
    assert_eq!(metadata(&[&plain, &described]), (own.clone(), false));
    assert_eq!(metadata(&[&a, &described]), (own, true));
}

#[test]
fn damage_and_change_leave_the_target_as_it_was() {
    let mut corpora = Corpora::new();
    let ours = codec(1, BitWidth::Four);
    let (a, b) = (corpora.raw("a", &ours, 30_000, b""), corpora.raw("b", &ours, 30_000, b""));
    let target = corpora.path("target");
    fs::write(&target, "before").unwrap();
    let run = |poll: &mut dyn FnMut()| {
        let sources = [&a, &b].map(|path| Corpus::open(path).unwrap());
        merge_corpora(&sources, MergeIds::Keep, Box::new(AtomicFile::create(&target).unwrap()), poll)
    };
    let mut polls = 0;
    let mut cut = || {
        polls += 1;
        if polls == 3 {
            fs::OpenOptions::new().write(true).open(&b).unwrap().set_len(1000).unwrap();
        }
    };
    let error = run(&mut cut).unwrap_err();
    assert!(matches!(error, MergeError::File(FileError::Truncated { .. })), "{error}");
    assert!(polls >= 3);

    corpora.raw("b", &ours, 30_000, b"");
    let mut bytes = fs::read(&b).unwrap();
    let stride = 4 + 70 + 8 + 1;
    bytes[96 + 29_999 * stride + 4] = 7;
    fs::write(&b, &bytes).unwrap();
    let sources = [&a, &b].map(|path| Corpus::open(path).unwrap());
    let output = Box::new(AtomicFile::create(&target).unwrap());
    let error = merge_corpora(&sources, MergeIds::Keep, output, &mut || {}).unwrap_err();
    assert!(
        matches!(&error, MergeError::Corpus { path, source: CorpusError::Record { number: 30_000, .. } } if *path == b),
        "{error}"
    );
    assert_eq!(fs::read(&target).unwrap(), b"before");
    assert_eq!(fs::read_dir(corpora.folder.path()).unwrap().count(), 3, "nothing is left behind");

    // A corpus may take the place of one that it is made of.
    bytes[96 + 29_999 * stride + 4] = 1;
    fs::write(&b, &bytes).unwrap();
    let sources = [&a, &b].map(|path| Corpus::open(path).unwrap());
    let output = Box::new(AtomicFile::create(&a).unwrap());
    let merged = merge_corpora(&sources, MergeIds::Keep, output, &mut || {}).unwrap();
    assert_eq!((merged.count, Corpus::open(&a).unwrap().vector_count()), (60_000, 60_000));
}

fn burnpack(path: &Path, name: &str, rows: &[f32], metadata: &[(&str, &str)]) -> BurnpackFile {
    let memory = Memory::default();
    let metadata = metadata.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let options = BurnpackOptions { tensor: name.to_owned(), metadata, ..BurnpackOptions::default() };
    let mut writer = Box::new(BurnpackWriter::new(Box::new(memory.clone()), 5, options).unwrap());
    writer.append(rows).unwrap();
    writer.finish().unwrap();
    fs::write(path, memory.bytes()).unwrap();
    BurnpackFile::open(path).unwrap()
}

fn merge_tensors(sources: &[BurnpackFile]) -> Result<(Vec<u8>, Merged), MergeError> {
    let memory = Memory::default();
    let merged = merge_burnpacks(sources, Box::new(memory.clone()), &mut || {})?;
    Ok((memory.bytes(), merged))
}

#[test]
fn tensors_of_all() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    let rows = Random(7).vector(5 * 300_000);
    let sources = [
        burnpack(&path("a"), "z", &rows, &[("k", "first"), ("a", "b")]),
        BurnpackFile::open(&data("pack022.bpk")).unwrap(),
        burnpack(&path("b"), "", &[], &[]),
    ];
    let (bytes, merged) = merge_tensors(&sources).unwrap();
    assert_eq!((merged.count, merged.bytes), (5, bytes.len() as u64));
    fs::write(path("merged"), &bytes).unwrap();
    let file = BurnpackFile::open(&path("merged")).unwrap();
    let names: Vec<&str> = file.tensors().iter().map(|tensor| &tensor.name[..]).collect();
    assert_eq!(names, ["", "cube", "emb", "half", "z"]);
    let metadata: Vec<_> = file.metadata().iter().map(|(key, value)| (&key[..], &value[..])).collect();
    assert_eq!(metadata, [("a", "b"), ("k", "first")]);
    for source in &sources {
        for tensor in source.tensors() {
            assert!(file.tensors().contains(tensor), "{}", tensor.name);
        }
    }
    // In the order of the files, byte for byte.
    let original = fs::read(data("pack022.bpk")).unwrap();
    let from = 256 + rows.len() * 4;
    let start = bytes.len() - (original.len() - 256).next_multiple_of(256);
    assert_eq!(start % 256, 0);
    assert!(bytes[start..][..original.len() - 256] == original[256..]);
    let first: Vec<u8> = rows.iter().flat_map(|value| value.to_le_bytes()).collect();
    assert!(bytes[512..][..first.len()] == first && from > 512);

    // Scalars come along: their names clash only if they differ.
    let again = merge_tensors(&[file]).unwrap().0;
    assert!(again == bytes);
    assert!(bytes.windows(11).any(|window| window == b"\x67scalars\xa4\x65e"));
}

#[test]
fn tensors_that_clash() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    let sources = [burnpack(&path("a"), "x\n", &[], &[]), burnpack(&path("b"), "x\n", &[], &[])];
    let error = merge_tensors(&sources).unwrap_err();
    let (a, b) = (path("a"), path("b"));
    let expected = format!("tensor \"x\\n\" is in file \"{}\" and in \"{}\"", a.display(), b.display());
    assert_eq!(error.to_string(), expected);
    assert!(matches!(merge_tensors(&[]).unwrap_err(), MergeError::Nothing));

    // The tensors and scalars of the sample under other names, and one scalar with another value.
    let sample = fs::read(data("pack022.bpk")).unwrap();
    let mut renamed = sample.clone();
    for (from, to) in
        [(&b"\x63emb"[..], &b"\x63emc"[..]), (b"\x64cube", b"\x64cubf"), (b"\x64half", b"\x64halg")]
    {
        let at = renamed.windows(from.len()).position(|window| window == from).unwrap();
        renamed[at..at + to.len()].copy_from_slice(to);
    }
    fs::write(path("c"), &renamed).unwrap();
    let open = |path: &Path| BurnpackFile::open(path).unwrap();
    let (_, merged) = merge_tensors(&[open(&data("pack022.bpk")), open(&path("c"))]).unwrap();
    assert_eq!(merged.count, 6);
    let at = renamed.windows(6).position(|window| window == b"\xa1\x63Int\x23").unwrap();
    renamed[at + 5] = 0x24;
    fs::write(path("c"), &renamed).unwrap();
    let error = merge_tensors(&[open(&data("pack022.bpk")), open(&path("c"))]).unwrap_err();
    assert!(matches!(&error, MergeError::Clash { what: "scalar", name, .. } if name == "neg"), "{error}");
}
