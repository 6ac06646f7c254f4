//! The conformance suite of generation 2: every file under `valid` is read, or what can't be read of it is said of the tensor
//! and why; every file under `reject` is refused, for the reason that it was made for.

mod common;
mod zt_common;

use std::path::Path;

use common::{files, golden};
use tq_files::{Container, ZtensorFile};
use zt_common::read;

/// A tensor that is read, and not: with the reason.
const READ: &str = "";

/// Files, their tensors, and what stands in the way of reading each as rows.
const VALID: [(&str, &[(&str, &str)]); 18] = [
    (
        "aliased-identical-blobs",
        &[("a", "it has 1 dimensions, and rows need 2"), ("b", "it has 1 dimensions, and rows need 2")],
    ),
    ("attributes-kitchen-sink", &[]),
    (
        "canonical-basic",
        &[("tied", READ), ("a.bias", "it has 1 dimensions, and rows need 2"), ("a.weight", READ)],
    ),
    ("csr-data-valid", &[("m", READ)]),
    ("csr-metadata-valid", &[("m", READ)]),
    ("empty-objects", &[]),
    ("f4-packed-odd-count", &[("t", "its type \"u8/f4_e2m1\" isn't one of numbers that are read here")]),
    (
        "local-and-foreign-parts-together",
        &[
            ("here", "it has 1 dimensions, and rows need 2"),
            ("there", "its part \"data\" lies in another file, shard \"base\""),
        ],
    ),
    ("minimal", &[("t", "it has 1 dimensions, and rows need 2")]),
    ("nonzero-reserved-ignored", &[("t", "it has 1 dimensions, and rows need 2")]),
    ("scalar", &[("s", "it has 0 dimensions, and rows need 2")]),
    ("shard-reference-is-a-valid-image", &[("t", "its part \"data\" lies in another file, shard \"base\"")]),
    ("shards-table", &[("t", "its part \"data\" lies in another file, shard \"base\"")]),
    ("unknown-layout-structural", &[("q", "its layout \"x.custom/1\" isn't read here")]),
    (
        "unknown-ltype-structural",
        &[("t", "its type \"u8/x.future/1\" isn't one of numbers that are read here")],
    ),
    ("verify-ok", &[("t", "it has 1 dimensions, and rows need 2")]),
    ("view-unknown-encoding-refused", &[("t", "its encoding \"x.z/1\" isn't read here")]),
    ("zero-size-tensor", &[("z", READ)]),
];

/// Files and what is wrong with them: what opening them says, or else their checksums, or else reading their only tensor. What is
/// wrong within types that aren't read is not looked for.
const REJECT: [(&str, &str); 57] = [
    ("attribute-key-empty", "a name has 0 bytes or a NUL: it must have 1 to 1024, and no NUL"),
    ("attribute-key-not-text", "directory of zTensor file: expected a text at byte 22"),
    ("attribute-key-nul", "a name has 3 bytes or a NUL: it must have 1 to 1024, and no NUL"),
    ("attributes-not-a-map", "directory of zTensor file: expected a map at byte 21"),
    ("blob-array-with-three-elements", "tensor \"t\" (data): its place isn't an offset and a length"),
    ("blob-misaligned", "tensor \"t\" (data): its offset 4100 is not a multiple of 4096 above 0"),
    ("blob-offset-zero", "tensor \"t\" (data): its offset 0 is not a multiple of 4096 above 0"),
    (
        "blob-out-of-bounds",
        "tensor \"t\" (data): its 1099511627776 bytes at offset 4096 go beyond the data, which end at 8274",
    ),
    ("blob-partial-overlap", "tensor \"a\" (data) and tensor \"b\" (data) overlap at offset 8192"),
    ("bool-invalid-byte", "its type \"u8/bool\" isn't one of numbers that are read here"),
    ("cbor-depth", "directory of zTensor file: items are nested too deeply at byte 33"),
    ("cbor-duplicate-key", "directory of zTensor file: key stands twice in its map at byte 4"),
    ("cbor-indefinite", "directory of zTensor file: length is indefinite at byte 0"),
    (
        "cbor-non-shortest",
        "directory of zTensor file: integer or length isn't in its shortest form at byte 0",
    ),
    ("cbor-tag", "directory of zTensor file: tag or simple value that isn't allowed at byte 0"),
    ("cbor-trailing-bytes", "directory of zTensor file: more than one item at byte 1"),
    ("cbor-unsorted-keys", "directory of zTensor file: keys of a map are not in order at byte 4"),
    ("csr-index-out-of-cols", "tensor \"m\": row 1 has an entry in column 5 (from 0) of 3"),
    ("csr-indptr-count", "tensor \"m\" (indptr): it has 16 bytes, and its rows need 24"),
    ("csr-indptr-not-zero-based", "tensor \"m\": its first row begins at entry 1 instead of 0"),
    ("csr-missing-part", "tensor \"m\": it has 2 parts, and its layout \"zt.sparse_csr/1\" 3"),
    ("csr-row-not-increasing", "tensor \"m\": columns of row 1 are not in increasing order"),
    ("csr-signed-indices", "its indices are not all of type u64, or all of type u32"),
    ("csr-values-size", "tensor \"m\" (values): it has 8 bytes, and the indices need 12"),
    ("data-shard-nonzero-offset", "zTensor file has no directory, but a place or a hash for it"),
    ("dense-extra-part", "tensor \"t\": it has 2 parts, and its layout \"dense\" 1"),
    ("dense-f4-size-mismatch", "tensor \"t\" (data): it has 4 bytes, and its shape and type need 3"),
    ("dense-size-mismatch", "tensor \"t\" (data): it has 8 bytes, and its shape and type need 12"),
    ("f4-nonzero-odd-nibble", "its type \"u8/f4_e2m1\" isn't one of numbers that are read here"),
    ("file-too-small", "not a zTensor file: it begins with other bytes"),
    ("footer-magic", "zTensor file is cut off or has something behind it: it doesn't end with the magic"),
    ("header-magic", "not a zTensor file: it begins with other bytes"),
    ("manifest-hash-mismatch", "hash of the directory doesn't match its bytes"),
    ("manifest-misaligned", "directory at offset 4100: must be a multiple of 4096 above 0"),
    ("manifest-out-of-bounds", "directory of 66 bytes at offset 1048576 goes beyond the zTensor file"),
    (
        "manifest-too-large",
        "directory of zTensor file would have 2147483648 bytes: at most 33554432 are read",
    ),
    ("name-empty", "a name has 0 bytes or a NUL: it must have 1 to 1024, and no NUL"),
    ("name-nul", "a name has 3 bytes or a NUL: it must have 1 to 1024, and no NUL"),
    ("name-too-long", "a name has 1025 bytes or a NUL: it must have 1 to 1024, and no NUL"),
    ("object-attributes-not-a-map", "directory of zTensor file: expected a map at byte 77"),
    ("schema-blob-arity", "tensor \"t\" (data): its place isn't an offset and a length"),
    ("schema-digest-uppercase-hex", "a digest isn't a name, a colon and hexadecimal digits in lower case"),
    (
        "schema-encoding-without-decoded-length",
        "tensor \"t\" (data): a decoded length must stand with an encoding, and only with one",
    ),
    ("schema-ltype-dtype-mismatch", "tensor \"t\" (data): its type \"bool\" isn't stored as f32"),
    ("schema-missing-objects", "directory of zTensor file: key \"objects\" is missing in the map at byte 0"),
    ("schema-unknown-dtype", "tensor \"t\" (data): its type \"f4\" doesn't exist"),
    ("shape-product-overflow", "tensor \"t\": its shape has more elements than can be counted"),
    ("shape-rank-65", "tensor \"t\": it has 65 dimensions, at most 64 are allowed"),
    ("shard-blob-partial-overlap", "tensor \"a\" (data) and tensor \"b\" (data) overlap at offset 8192"),
    ("shard-name-empty", "directory of zTensor file: a shard can't be named \"\""),
    ("shard-name-leading-dot", "directory of zTensor file: a shard can't be named \".hidden\""),
    ("shard-name-separator", "directory of zTensor file: a shard can't be named \"sub/dir\""),
    ("shard-name-traversal", "directory of zTensor file: a shard can't be named \"../etc/passwd\""),
    ("shard-ref-not-in-table", "tensor \"t\" (data): its shard \"base\" isn't in the table"),
    ("shard-table-key-not-text", "directory of zTensor file: expected a text at byte 9"),
    ("verify-digest-mismatch", "xxh3 checksum of tensor \"t\" (data) doesn't match its bytes"),
    ("version-unsupported", "zTensor file of version 3: only 2 is known"),
];

fn names(folder: &Path) -> Vec<String> {
    files(folder, "zt").iter().map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

#[test]
fn valid() {
    let Some(folder) = golden("ztensor_conformance/valid") else { return };
    let mut read_tensors = 0;
    for name in names(&folder) {
        let path = folder.join(format!("{name}.zt"));
        if name == "data-shard" {
            let error = ZtensorFile::open(&path).unwrap_err().to_string();
            assert_eq!(
                error,
                "zTensor file is a data shard: which tensors its bytes belong to stands in another file"
            );
            continue;
        }
        let expected = VALID.iter().find(|(file, _)| *file == name);
        let (_, expected) = expected.unwrap_or_else(|| panic!("{name} isn't in the table"));
        let file = ZtensorFile::open(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(file.tensors().len(), expected.len(), "{name}");
        for (i, (tensor, (wanted, obstacle))) in file.tensors().iter().zip(*expected).enumerate() {
            assert_eq!(tensor.name, *wanted, "{name}");
            assert_eq!(tensor.obstacle.as_deref().unwrap_or(READ), *obstacle, "{name}: {wanted}");
            // The bytes of what isn't read are still right.
            file.verify(i, &mut || {}).unwrap_or_else(|error| panic!("{name}: {error}"));
            match read(&path, i) {
                Ok(_) if obstacle.is_empty() => read_tensors += 1,
                Err(error) if !obstacle.is_empty() => assert_eq!(
                    error.to_string(),
                    format!("tensor \"{wanted}\" can't be read as vectors: {obstacle}")
                ),
                other => panic!("{name}: {other:?}"),
            }
        }
    }
    println!("{} files, {read_tensors} tensors read", names(&folder).len());
    assert_eq!((names(&folder).len(), read_tensors), (VALID.len() + 1, 5));
}

#[test]
fn reject() {
    let Some(folder) = golden("ztensor_conformance/reject") else { return };
    for name in names(&folder) {
        let path = folder.join(format!("{name}.zt"));
        let expected = REJECT.iter().find(|(file, _)| *file == name);
        let (_, expected) = expected.unwrap_or_else(|| panic!("{name} isn't in the table"));
        let error = match ZtensorFile::open(&path) {
            Err(error) => error.to_string(),
            Ok(file) => match file.verify(0, &mut || {}) {
                Err(error) => error.to_string(),
                Ok(_) => read(&path, 0).unwrap_err().to_string(),
            },
        };
        let error = error.split_once(" can't be read as vectors: ").map_or(&*error, |(_, obstacle)| obstacle);
        assert_eq!(error, *expected, "{name}");
    }
    assert_eq!(names(&folder).len(), REJECT.len());
}
