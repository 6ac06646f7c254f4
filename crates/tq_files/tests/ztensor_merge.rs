//! zTensor files made into one.

mod common;
mod zt_common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use common::{Memory, Random, files, golden};
use minicbor::Encoder;
use tempfile::TempDir;
use tq_files::{
    Container, ContainerError, FloatType, MergeError, Merged, RowWriter, RowsError, Tensor, ZtensorFile,
    ZtensorGeneration, ZtensorOptions, ZtensorWriter, merge_ztensors,
};
use zt_common::{new_file, old_file};

/// Writes a file with one tensor.
fn make(path: &Path, options: &ZtensorOptions, rows: &[f32]) {
    let memory = Memory::default();
    let mut writer = Box::new(ZtensorWriter::new(Box::new(memory.clone()), 12, options.clone()).unwrap());
    writer.append(rows).unwrap();
    writer.finish().unwrap();
    fs::write(path, memory.bytes()).unwrap();
}

fn options(generation: ZtensorGeneration, tensor: &str) -> ZtensorOptions {
    ZtensorOptions { generation, tensor: tensor.to_owned(), ..ZtensorOptions::default() }
}

fn merge(paths: &[&Path]) -> Result<(Vec<u8>, Merged), MergeError> {
    let sources: Vec<_> = paths.iter().map(|path| ZtensorFile::open(path).unwrap()).collect();
    let memory = Memory::default();
    let merged = merge_ztensors(&sources, Box::new(memory.clone()), &mut || {})?;
    assert_eq!(merged.bytes, memory.bytes().len() as u64);
    assert_eq!(merged.count as usize, sources.iter().map(|source| source.tensors().len()).sum::<usize>());
    Ok((memory.bytes(), merged))
}

fn read(path: &Path, name: &str) -> Result<Vec<f32>, RowsError> {
    let file = Box::new(ZtensorFile::open(path).unwrap());
    let index = file.tensors().iter().position(|tensor| tensor.name == name).unwrap();
    let mut reader = file.rows(index, &mut || {})?;
    let mut rows = Vec::new();
    while reader.read(100, &mut rows)? > 0 {}
    Ok(rows)
}

/// The tensors of a file by name, each one's checksums compared.
fn tensors(path: &Path) -> BTreeMap<String, Tensor> {
    let file = ZtensorFile::open(path).unwrap();
    for index in 0..file.tensors().len() {
        file.verify(index, &mut || {}).unwrap();
    }
    file.tensors().iter().map(|tensor| (tensor.name.clone(), tensor.clone())).collect()
}

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Folder(TempDir::new().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

#[test]
fn files_of_one_generation_are_copied() {
    let folder = Folder::new();
    let mut random = Random(3);
    for generation in [ZtensorGeneration::V1_2, ZtensorGeneration::V2] {
        let (mut paths, mut rows) = (Vec::new(), Vec::new());
        for i in 0..8 {
            let float = [FloatType::F32, FloatType::F16, FloatType::Bf16][i % 3];
            let options = ZtensorOptions {
                float,
                sparse: i & 1 != 0,
                compress: i & 2 != 0,
                checksum: i & 4 != 0,
                ..options(generation, &format!("tensor {}", 8 - i))
            };
            paths.push(folder.path(&format!("{i}.zt")));
            // One has more than a step's bytes.
            rows.push(random.vector(if i == 4 { 12 * 120_000 } else { 12 * i }));
            make(&paths[i], &options, &rows[i]);
        }
        let (bytes, _) = merge(&paths.iter().map(PathBuf::as_path).collect::<Vec<_>>()).unwrap();
        let target = folder.path("merged.zt");
        fs::write(&target, &bytes).unwrap();
        let merged = tensors(&target);
        for (i, path) in paths.iter().enumerate() {
            let name = format!("tensor {}", 8 - i);
            assert_eq!(merged[&name], tensors(path)[&name]);
            assert!(read(&target, &name).unwrap() == read(path, &name).unwrap());
        }
        // What is alone stays what it is, once its data stand in the order of names.
        let again = merge(&[&target]).unwrap().0;
        assert!(again != bytes);
        fs::write(&target, &again).unwrap();
        assert!(merge(&[&target]).unwrap().0 == again);
        if generation == ZtensorGeneration::V2 {
            assert!(merge(&[&paths[0]]).unwrap().0 == fs::read(&paths[0]).unwrap());
        }
    }
}

#[test]
fn golden_files_of_all_generations() {
    let Some(golden) = golden("ztensor") else { return };
    let folder = Folder::new();
    let (own, target) = (folder.path("own.zt"), folder.path("merged.zt"));
    make(&own, &options(ZtensorGeneration::V2, "our own"), &[1.5; 24]);
    let mut compared = 0;
    for path in files(&golden, "zt") {
        let before = tensors(&path);
        let merged = merge(&[&path, &own]);
        if path.ends_with("v01_sparse_coincidence.zt") {
            let error = merged.unwrap_err().to_string();
            assert!(error.contains("its layout \"sparsecoo\" isn't read here"), "{error}");
            continue;
        }
        fs::write(&target, merged.unwrap_or_else(|error| panic!("{}: {error}", path.display())).0).unwrap();
        let after = tensors(&target);
        assert_eq!(after.len(), before.len() + 1);
        assert_eq!(read(&target, "our own").unwrap(), [1.5; 24]);
        for (name, tensor) in before {
            assert_eq!(after[&name].shape, tensor.shape);
            assert_eq!(after[&name].checksum, Some("xxh3"), "{name}");
            assert_eq!(after[&name].encoding.contains("zstd"), tensor.encoding.contains("zstd"));
            if tensor.obstacle.is_none() {
                assert!(read(&target, &name).unwrap() == read(&path, &name).unwrap());
                compared += 1;
            } else {
                assert!(after[&name].obstacle.is_some());
            }
        }
        // The aliased tensor doesn't take its bytes twice.
        if path.ends_with("v2_canonical.zt") {
            assert!(fs::metadata(&target).unwrap().len() < fs::metadata(&path).unwrap().len() + (130 << 10));
        }
    }
    println!("{compared} tensors compared");
    assert!(compared > 40);
    // Files of generation 1.2 among themselves remain that.
    let merged = merge(&[&golden.join("v12_sparse.zt"), &golden.join("v12_dense.zt")]).unwrap().0;
    assert!(merged.starts_with(b"ZTEN1000") && merged.ends_with(b"ZTEN1000"));
    fs::write(&target, merged).unwrap();
    let merged = tensors(&target);
    for source in ["v12_sparse.zt", "v12_dense.zt"] {
        assert!(tensors(&golden.join(source)).iter().all(|(name, tensor)| merged[name] == *tensor));
    }
}

fn record(out: &mut Encoder<&mut Vec<u8>>, name: &str, dtype: &str, size: u64, shape: &[u64], endian: &str) {
    out.map(8).unwrap().str("name").unwrap().str(name).unwrap().str("dtype").unwrap().str(dtype).unwrap();
    out.str("layout").unwrap().str("dense").unwrap().str("encoding").unwrap().str("raw").unwrap();
    out.str("offset").unwrap().u64(64).unwrap().str("size").unwrap().u64(size).unwrap();
    out.str("shape").unwrap().encode(shape).unwrap();
    out.str("data_endianness").unwrap().str(endian).unwrap();
}

#[test]
fn big_endian_and_booleans() {
    let folder = Folder::new();
    let (path, target) = (folder.path("old.zt"), folder.path("merged.zt"));
    let data: Vec<u8> = [1.0f32, -2.5, 3.0, 0.125].iter().flat_map(|value| value.to_be_bytes()).collect();
    let big = old_file(b"ZTEN0001", &data, |out| {
        record(out.array(1).unwrap(), "big", "float32", 16, &[2, 2], "big");
    });
    fs::write(&path, big).unwrap();
    fs::write(&target, merge(&[&path]).unwrap().0).unwrap();
    assert_eq!(read(&target, "big").unwrap(), [1.0, -2.5, 3.0, 0.125]);
    assert_eq!(tensors(&target)["big"].dtype, "f32");

    for (data, fits) in [([0, 1, 1, 0], true), ([0, 1, 2, 0], false)] {
        let flags = old_file(b"ZTEN0001", &data, |out| {
            record(out.array(1).unwrap(), "flags", "bool", 4, &[4], "little");
        });
        fs::write(&path, flags).unwrap();
        match merge(&[&path]) {
            Ok((bytes, _)) if fits => {
                fs::write(&target, bytes).unwrap();
                assert_eq!(tensors(&target)["flags"].dtype, "u8/bool");
            }
            Err(error) if !fits => {
                assert!(error.to_string().ends_with("it has a boolean that is neither 0 nor 1"), "{error}");
            }
            other => panic!("{other:?}"),
        }
    }
}

/// A directory of generation 1.0 with a CSR tensor of 2 × 4: its data at 64, 128 and 192.
fn csr(columns: [u64; 3]) -> Vec<u8> {
    let mut data = [1.0f32, 2.0, 3.0].iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    data.resize(64, 0);
    data.extend(columns.iter().flat_map(|column| column.to_le_bytes()));
    data.resize(128, 0);
    data.extend([0u64, 2, 3].iter().flat_map(|begin| begin.to_le_bytes()));
    old_file(b"ZTEN1000", &data, |out| {
        out.map(3).unwrap().str("version").unwrap().str("1.0").unwrap();
        out.str("attributes").unwrap().map(2).unwrap().str("who").unwrap().str("us").unwrap();
        out.str("").unwrap().str("no name").unwrap();
        out.str("tensors").unwrap().map(1).unwrap().str("csr").unwrap().map(4).unwrap();
        out.str("dtype").unwrap().str("float32").unwrap().str("format").unwrap().str("sparse_csr").unwrap();
        out.str("shape").unwrap().encode([2u64, 4]).unwrap();
        out.str("components").unwrap().map(3).unwrap();
        for (role, offset, length) in [("values", 64u64, 12u64), ("indices", 128, 24), ("indptr", 192, 24)] {
            out.str(role).unwrap().map(2).unwrap().str("offset").unwrap().u64(offset).unwrap();
            out.str("length").unwrap().u64(length).unwrap();
        }
    })
}

#[test]
fn sparse_tensors_of_older_generations() {
    let folder = Folder::new();
    let (path, target) = (folder.path("old.zt"), folder.path("merged.zt"));
    fs::write(&path, csr([0, 3, 2])).unwrap();
    let bytes = merge(&[&path]).unwrap().0;
    fs::write(&target, &bytes).unwrap();
    assert_eq!(read(&target, "csr").unwrap(), [1.0, 0.0, 0.0, 2.0, 0.0, 0.0, 3.0, 0.0]);
    assert_eq!(tensors(&target)["csr"].encoding, "zt.sparse_csr/1");
    // Attributes come along, but for those that generation 2 can't have.
    let expected = b"\x6aattributes\xa1\x63who\x62us";
    assert!(bytes.windows(expected.len()).any(|window| window == expected));

    // Allowed then, and not any more.
    fs::write(&path, csr([3, 0, 2])).unwrap();
    assert_eq!(read(&path, "csr").unwrap(), [2.0, 0.0, 0.0, 1.0, 0.0, 0.0, 3.0, 0.0]);
    let error = merge(&[&path]).unwrap_err();
    let expected =
        format!("file \"{}\": tensor \"csr\": columns of row 1 are not in increasing order", path.display());
    assert_eq!(error.to_string(), expected);
    assert!(matches!(error, MergeError::Tensors { source: ContainerError::Malformed(_), .. }));
}

fn part(out: &mut Encoder<&mut Vec<u8>>, logical: Option<&str>, shard: Option<&str>) {
    out.map(2 + u64::from(logical.is_some()) + u64::from(shard.is_some())).unwrap();
    out.str("blob").unwrap().encode([4096u64, 4096]).unwrap();
    if let Some(logical) = logical {
        out.str("type").unwrap().str(logical).unwrap();
    }
    out.str("dtype").unwrap().str("u8").unwrap();
    if let Some(shard) = shard {
        out.str("shard").unwrap().str(shard).unwrap();
    }
}

#[test]
fn what_is_not_read_is_copied_as_well() {
    let folder = Folder::new();
    let (path, target) = (folder.path("a.zt"), folder.path("merged.zt"));
    let bytes = new_file(&[7; 4096], |out| {
        out.map(1).unwrap().str("objects").unwrap().map(3).unwrap();
        for (name, layout) in [("a", "gguf.q4_0"), ("b", "dense"), ("c", "my.own/3")] {
            out.str(name).unwrap().map(4).unwrap().str("parts").unwrap().map(1).unwrap();
            part(out.str("data").unwrap(), (name == "a").then_some("f8_e5m2"), None);
            out.str("shape").unwrap().encode([64u64, 64]).unwrap();
            out.str("layout").unwrap().str(layout).unwrap();
            out.str("something").unwrap().array(2).unwrap().null().unwrap().str("else").unwrap();
        }
    });
    fs::write(&path, &bytes).unwrap();
    let merged = merge(&[&path]).unwrap().0;
    fs::write(&target, &merged).unwrap();
    assert_eq!(tensors(&target), tensors(&path));
    // Three tensors share 4 KiB.
    assert!(merged.len() < 3 * (64 << 10));
    let fields = |bytes: &[u8]| bytes.windows(10).filter(|window| window == b"\x69something").count();
    assert_eq!((fields(&bytes), fields(&merged)), (3, 3));
}

#[test]
fn what_can_not_be_merged() {
    let folder = Folder::new();
    let (a, b) = (folder.path("a.zt"), folder.path("b.zt"));
    assert!(matches!(merge(&[]), Err(MergeError::Nothing)));

    make(&a, &options(ZtensorGeneration::V1_2, "x"), &[1.0; 12]);
    make(&b, &options(ZtensorGeneration::V2, "x"), &[1.0; 12]);
    let error = merge(&[&a, &b]).unwrap_err();
    let clash = format!("tensor \"x\" is in file \"{}\" and in \"{}\"", a.display(), b.display());
    assert_eq!(error.to_string(), clash);

    for (generation, scheme) in [(ZtensorGeneration::V1_2, "crc32c"), (ZtensorGeneration::V2, "xxh3")] {
        make(&b, &options(generation, "y"), &[1.0; 12]);
        let mut bytes = fs::read(&b).unwrap();
        let at = bytes.windows(4).position(|window| window == 1f32.to_le_bytes()).unwrap();
        bytes[at] ^= 1;
        fs::write(&b, bytes).unwrap();
        let error = merge(&[&a, &b]).unwrap_err();
        let expected = format!(
            "file \"{}\": {scheme} checksum of tensor \"y\" (data) doesn't match its bytes",
            b.display()
        );
        assert_eq!(error.to_string(), expected);
    }

    let sharded = new_file(&[7; 4096], |out| {
        out.map(2).unwrap().str("shards").unwrap().map(1).unwrap().str("s").unwrap().map(2).unwrap();
        out.str("size").unwrap().u64(1 << 20).unwrap().str("digest").unwrap().str("xxh3:00").unwrap();
        out.str("objects").unwrap().map(1).unwrap().str("y").unwrap().map(3).unwrap();
        out.str("parts").unwrap().map(1).unwrap();
        part(out.str("data").unwrap(), None, Some("s"));
        out.str("shape").unwrap().encode([4096u64]).unwrap().str("layout").unwrap().str("dense").unwrap();
    });
    fs::write(&b, sharded).unwrap();
    let error = merge(&[&a, &b]).unwrap_err().to_string();
    assert!(
        error.ends_with("tensor \"y\" (data) lies in another file, shard \"s\", and can't be merged"),
        "{error}"
    );
}

#[test]
fn attributes_are_united() {
    let folder = Folder::new();
    let (a, b) = (folder.path("a.zt"), folder.path("b.zt"));
    for generation in [ZtensorGeneration::V1_2, ZtensorGeneration::V2] {
        for (path, tensor, attributes) in
            [(&a, "x", [("k", "first"), ("long key", "1")]), (&b, "y", [("k", "second"), ("l", "2")])]
        {
            let attributes = attributes.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
            make(path, &ZtensorOptions { attributes, ..options(generation, tensor) }, &[]);
        }
        let merged = merge(&[&a, &b]).unwrap().0;
        let expected = b"\x6aattributes\xa3\x61k\x65first\x61l\x612\x68long key\x611";
        assert!(merged.windows(expected.len()).any(|window| window == expected), "{generation:?}");
    }
}
