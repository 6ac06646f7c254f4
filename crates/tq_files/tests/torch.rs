//! PyTorch's files: those that are made as PyTorch makes them, pickles that would run code or never end, damaged ones.

mod arrays_common;
mod common;

use std::fs;

use arrays_common::{compare, cut_off_at_every_byte, damage_all, ids, open, read};
use common::data;
use tempfile::TempDir;
use tq_files::{Container, ContainerError, Format, OpenError, detect, open_torch};

/// Fewer where nothing is optimised.
const CASES: usize = if cfg!(debug_assertions) { 20_000 } else { 100_000 };

#[test]
fn golden_files() {
    let (files, values, texts) = compare(&data("torch"), |_| true);
    assert!(files == 10 && values > 600 && texts > 20);
}

/// The message and the hint of what isn't read.
fn not_read(error: OpenError) -> (String, &'static str) {
    match error {
        OpenError::Container(ContainerError::NotRead { problem, hint }) => (problem, hint),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_stands_in_the_way() {
    let obstacle = |file: &str, name: &str| {
        let file = open(&data("torch").join(file));
        let tensor = file.tensors().iter().find(|tensor| tensor.name == name).unwrap();
        tensor.obstacle.clone().unwrap_or_default()
    };
    for (file, name, expected) in [
        ("state.pt", "bias", "it has 1 dimension, not 2"),
        ("state.pt", "bool", "its type is bool, not a number"),
        ("state.pt", "complex", "its type is complex64, not a number"),
        ("views.pt", "flat", "it has 1 dimension, not 2"),
        ("views.pt", "cube", "it has 3 dimensions, not 2"),
        ("views.pt", "expanded", "its numbers overlap: save tensor.contiguous()"),
        ("views.pt", "windows", "its numbers overlap: save tensor.contiguous()"),
    ] {
        assert_eq!(obstacle(file, name), expected, "{name}");
    }
    for (name, problem, hint) in [
        ("legacy.pt", "it is a file of PyTorch before 1.6", "save it again"),
        ("script.pt", "it is a program of TorchScript", "torch.jit.load(path).state_dict()"),
    ] {
        let path = data("torch").join(name);
        assert_eq!(detect(&path).unwrap(), Some(Format::Torch));
        let (told, way_out) = not_read(open_torch(&path).unwrap_err());
        assert!(told == problem && way_out.contains(hint), "{told}: {way_out}");
    }
}

/// An archive of stored entries.
fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in entries {
        let sizes = [0, content.len() as u32, content.len() as u32].map(u32::to_le_bytes).concat();
        let common =
            [&[20, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], &sizes, &(name.len() as u16).to_le_bytes(), &[0, 0]]
                .concat();
        let start = (out.len() as u32).to_le_bytes();
        directory.extend([&b"PK\x01\x02\x14\0"[..], &common, &[0; 10], &start, name.as_bytes()].concat());
        out.extend([&b"PK\x03\x04"[..], &common, name.as_bytes(), content].concat());
    }
    let count = (entries.len() as u16).to_le_bytes();
    let end = [directory.len() as u32, out.len() as u32].map(u32::to_le_bytes).concat();
    [&out[..], &directory, b"PK\x05\x06\0\0\0\0", &count, &count, &end, &[0, 0]].concat()
}

/// What is said of a file whose pickle these bytes are, and whose storage 0 has 64 bytes.
fn opened(pickle: &[u8]) -> Result<Box<dyn Container>, OpenError> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data");
    fs::write(&path, archive(&[("x/data.pkl", pickle), ("x/data/0", &[0; 64])])).unwrap();
    Ok(Box::new(open_torch(&path)?))
}

fn refused(pickle: &[u8]) -> String {
    opened(pickle).err().unwrap_or_else(|| panic!("{}", pickle.escape_ascii())).to_string()
}

/// A tensor of a shape and strides in floats.
fn tensor(offset: i32, shape: &[i32], strides: &[i32], count: i32) -> Vec<u8> {
    let tuple = |numbers: &[i32]| {
        let numbers: Vec<u8> = numbers.iter().flat_map(|n| [&b"J"[..], &n.to_le_bytes()].concat()).collect();
        [b"(", &numbers[..], b"t"].concat()
    };
    [
        &b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuJ"[..],
        &count.to_le_bytes(),
        b"tQJ",
        &offset.to_le_bytes(),
        &tuple(shape),
        &tuple(strides),
        b"\x89}tR",
    ]
    .concat()
}

fn pickled(content: &[u8]) -> Vec<u8> {
    [b"\x80\x02", content, b"."].concat()
}

/// What Python would run, and what isn't needed.
#[test]
fn nothing_is_run() {
    const HINT: &str = "Save the tensors alone";
    for (pickle, problem) in [
        (&b"cos\nsystem\n(X\x02\0\0\0idtR."[..], "its pickle names \"os.system\", which is not run"),
        (b"cbuiltins\neval\n.", "its pickle names \"builtins.eval\""),
        (b"c__builtin__\ngetattr\n.", "its pickle names \"__builtin__.getattr\""),
        (b"ctorch.hub\nload\n.", "its pickle names \"torch.hub.load\""),
        (b"ctorch\nload\n.", "its pickle names \"torch.load\""),
        (b"ctorch._utils\n_rebuild_sparse_tensor\n.", "\"torch._utils._rebuild_sparse_tensor\""),
        (b"ctorch._utils\n_rebuild_qtensor\n.", "\"torch._utils._rebuild_qtensor\""),
        (b"ctorch\nQInt8Storage\n.", "\"torch.QInt8Storage\""),
        (b"ctorch.storage\nfloat32\n.", "\"torch.storage.float32\""),
        (b"cnumpy.core.multiarray\n_reconstruct\n.", "\"numpy.core.multiarray._reconstruct\""),
        (b"c\"\x01\n\n\n.", "names \"\\\"\\u{1}.\""),
        (b"\x8c\x02os\x8c\x06system\x93.", "its pickle names \"os.system\""),
        (b"ios\nsystem\n.", "its pickle has the step INST, at byte 0"),
        (b"N(Nos.", "its pickle has the step OBJ, at byte 3"),
        (b"N)\x81.", "its pickle has the step NEWOBJ, at byte 2"),
        (b"N)}\x92.", "its pickle has the step NEWOBJ_EX"),
        (b"\x82\x01.", "its pickle has the step EXT1"),
        (b"Pid\n.", "its pickle has the step PERSID"),
        (b"I1\n.", "its pickle has the step INT"),
        (b"N0.", "its pickle has the step POP"),
        (b"N2.", "its pickle has the step DUP"),
        (b"\x8f.", "its pickle has the step EMPTY_SET"),
        (b"\x97.", "its pickle has the step NEXT_BUFFER"),
        (b"]}b.", "its pickle gives attributes to what is no dictionary, at byte 3"),
    ] {
        let (told, hint) = not_read(opened(pickle).err().unwrap());
        assert!(told.contains(problem) && hint.starts_with(HINT), "{told}");
    }
    let long = [b"c", &b"m".repeat(5000)[..], b"\nx\n."].concat();
    assert!(refused(&long).len() < 200);
}

#[test]
fn malformed_pickles() {
    for (pickle, problem) in [
        (&b""[..], "pickle: it breaks off: 1 bytes needed from byte 0 on"),
        (b"\x80\x06N.", "protocol 6 is not known"),
        (b".", "a value is missing in front of byte 1"),
        (b"NN.", "it ends with more than one value"),
        (b"(N.", "a mark is left"),
        (b"N.N", "something stands behind its end, at byte 2"),
        (b"\xff", "no step begins with 0xff, at byte 0"),
        (b"X\xff\xff\xff\xff.", "it breaks off: 4294967295 bytes needed from byte 5 on"),
        (b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff.", "it breaks off: 18446744073709551615 bytes needed"),
        (b"X\x01\0\0\0\xff.", "a text that isn't UTF-8 at byte 5"),
        (b"cos.", "a name without an end at byte 1"),
        (b"h\0.", "the memo has nothing at 0, in front of byte 2"),
        (b"Nr\xff\xff\xff\xff.", "place 4294967295 of the memo"),
        (b"q\0.", "a value is missing in front of byte 2"),
        (b"t.", "a mark is missing in front of byte 1"),
        (b"N(\x85.", "a value is missing in front of byte 3"),
        (b"}(Nu.", "a key without a value at byte 3"),
        (b"]NNs.", "items of what has none, in front of byte 4"),
        (b"}Na.", "items of what has none, in front of byte 3"),
        (b"NN\x93.", "a name that is no text at byte 2"),
        (b"NQ.", "no storage in front of byte 2"),
        (b"(NNNNNtQ.", "no storage in front of byte 8"),
        (b"NNR.", "arguments that aren't those of a tensor, in front of byte 3"),
        (b"ccollections\nOrderedDict\n(NtR.", "arguments that aren't those of a tensor"),
        (b"ctorch._utils\n_rebuild_tensor_v2\n)R.", "arguments that aren't those of a tensor"),
    ] {
        let told = refused(pickle);
        let problem = problem.replace("a mark is left", "it ends with more than one value");
        assert!(told.contains(&problem) || told.contains("a value is missing") && pickle == b"(N.", "{told}");
    }
    for (content, problem) in [
        (tensor(0, &[2, 2], &[2], 16), "tensor \"\": it has 2 dimensions and 1 strides"),
        (tensor(-1, &[2, 2], &[2, 1], 16), "arguments that aren't those of a tensor"),
        (tensor(0, &[-2, 2], &[2, 1], 16), "its shape is no tuple of natural numbers"),
        (tensor(0, &[2, 2], &[2, -1], 16), "its stride is no tuple of natural numbers"),
        (tensor(0, &[1; 65], &[1; 65], 16), "it has 65 dimensions: at most 64 are read"),
        (
            tensor(0, &[2, 2], &[2, 1], 15),
            "its storage \"x/data/0\" has 64 bytes, and should have 15 numbers",
        ),
        (tensor(13, &[2, 2], &[2, 1], 16), "shape [2, 2] is beyond its storage of 64 bytes"),
        (tensor(0, &[i32::MAX; 3], &[i32::MAX; 3], 16), "is beyond its storage"),
        (tensor(0, &[2, 1], &[i32::MAX, 1], 16), "is beyond its storage"),
        (
            [
                b"}X\x01\0\0\0a",
                &tensor(0, &[4], &[1], 16)[..],
                b"sX\x01\0\0\0a",
                &tensor(0, &[4], &[1], 16),
                b"s",
            ]
            .concat(),
            "tensor \"a\" stands twice",
        ),
    ] {
        let told = refused(&pickled(&content));
        assert!(told.contains(problem), "{told}");
    }
    let mut elsewhere = pickled(&tensor(0, &[4], &[1], 16));
    let at = elsewhere.windows(2).rposition(|bytes| bytes == b"0X").unwrap();
    elsewhere[at] = b'1';
    assert!(refused(&elsewhere).contains("entry \"x/data/1\" is missing"));
}

/// Values in one another, in circles, and in more places than there is room for.
#[test]
fn pickles_that_never_end() {
    let deep = [&b"]".repeat(5000)[..], &b"a".repeat(4999), b"."].concat();
    assert!(refused(&deep).contains("nested too deeply"));
    assert!(refused(b"]q\0h\0a.").contains("nested too deeply"));
    assert!(refused(b"}q\0N\x85h\0s.").contains("nested too deeply") || opened(b"}q\0N\x85h\0s.").is_ok());
    assert!(refused(b"}q\0X\x01\0\0\0ah\0s.").contains("nested too deeply"));
    // Each list has the one before twice.
    let mut doubled = b"]q\0".to_vec();
    (0..30).for_each(|_| doubled.extend(b"q\x01]h\x01ah\x01a"));
    doubled.extend(b".");
    let doubled: Vec<u8> = doubled.into_iter().collect();
    let told = refused(&doubled);
    assert!(told.contains("in too many places") || told.contains("more than one value"), "{told}");
    let before = common::peak_memory();
    // One tensor in a list a thousand times, which is in a list a thousand times.
    let one =
        [&b"]q\0"[..], &tensor(0, &[4], &[1], 16), b"q\x01a(", &b"h\x01".repeat(1000), b"eq\x02"].concat();
    let pickle = pickled(&[&b"]("[..], &one, &b"h\0".repeat(1000), b"e"].concat());
    assert_eq!(
        not_read(opened(&pickle).err().unwrap()).0,
        "its pickle has the same values in too many places"
    );
    if let (Some(before), Some(after)) = (before, common::peak_memory()) {
        assert!(after - before < 64 << 20, "{} bytes more than before", after - before);
    }
    // The memo has gaps, but is no larger than the pickle.
    let gaps = pickled(b"]Nr\x20\0\0\0aj\x20\0\0\0a]aX\x10\0\0\0xxxxxxxxxxxxxxxxa");
    assert_eq!(opened(&gaps).unwrap().tensors().len(), 0);
}

#[test]
fn archives_of_pytorch() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data");
    let pickle = pickled(&tensor(2, &[2, 2], &[2, 1], 4));
    let numbers: Vec<u8> = [1.0f32, 2.0, 3.0, 4.0].iter().flat_map(|number| number.to_le_bytes()).collect();
    let open_with = |entries: &[(&str, &[u8])]| {
        fs::write(&path, archive(entries)).unwrap();
        open_torch(&path)
    };
    let flat = pickled(&tensor(0, &[2, 2], &[2, 1], 4));
    let file =
        open_with(&[("x/data.pkl", &flat), ("x/byteorder", b"little"), ("x/data/0", &numbers)]).unwrap();
    // The checksum of a storage is compared, and here there is none.
    assert!(read(Box::new(file), 0, 9).unwrap_err().to_string().starts_with("CRC-32 checksum of tensor"));
    for (entries, problem) in [
        (
            &[("x/data.pkl", &pickle[..]), ("x/data/0", &numbers)][..],
            "shape [2, 2] is beyond its storage of 16 bytes",
        ),
        (&[("x/data.pkl", &flat), ("x/data/0", &numbers[..12])], "has 12 bytes, and should have 4 numbers"),
        (&[("x/data.pkl", &flat), ("y/data/0", &numbers)], "entry \"x/data/0\" is missing"),
        (&[("x/data.pkl", &flat), ("y/data.pkl", &flat)], "it has several pickles"),
        (&[("data.pkl", &flat)], "it has no NAME/data.pkl"),
        (
            &[("x/data.pkl", &flat), ("x/byteorder", b"middle")],
            "its byte order is \"middle\", neither little nor big",
        ),
        (
            &[("x/data.pkl", &flat), ("x/byteorder", &[b' '; 17])],
            "entry \"x/byteorder\" has 17 bytes: at most 16",
        ),
        (
            &[("x/data.pkl", &flat), ("x/data/0", &numbers), ("x/data/0", &numbers)],
            "entry \"x/data/0\" stands twice",
        ),
    ] {
        let error = open_with(entries).unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
    }
    let (told, _) = not_read(open_with(&[("x/data.pkl", &flat), ("x/constants.pkl", b"")]).unwrap_err());
    assert_eq!(told, "it is a program of TorchScript");
    // An entry that says to inflate to more than is read.
    let mut bomb = archive(&[("x/data.pkl", &flat)]);
    let entry = bomb.windows(4).position(|bytes| bytes == b"PK\x01\x02").unwrap();
    bomb[entry + 10] = 8;
    bomb[entry + 24..entry + 28].copy_from_slice(&u32::MAX.to_le_bytes()[..]);
    bomb[entry + 27] = 0x7f;
    fs::write(&path, &bomb).unwrap();
    let error = open_torch(&path).unwrap_err().to_string();
    assert!(error.contains("bytes: at most 16777216 are read"), "{error}");
}

#[test]
fn ids_beside_tensors() {
    let path = data("torch/checkpoint.pt");
    let file = open(&path);
    let names: Vec<&str> = file.tensors().iter().map(|tensor| tensor.name.as_str()).collect();
    assert_eq!(names, ["state_dict.weight", "state_dict.tied", "optimizer.state.0.exp_avg", "ids"]);
    assert_eq!(ids(open(&path), 3, 2).unwrap(), ["10", "20", "9007199254740993"]);
    let views = data("torch/views.pt");
    let flat = open(&views).tensors().iter().position(|tensor| tensor.name == "flat").unwrap();
    assert!(ids(open(&views), flat, 9).is_err());
}

fn samples() -> Vec<(Format, Vec<u8>)> {
    ["state.pt", "protocol_4.pt", "checkpoint.pt", "views.pt", "newer.pt", "small.pt", "tensor.pt"]
        .map(|name| (Format::Torch, fs::read(data("torch").join(name)).unwrap()))
        .to_vec()
}

#[test]
fn torch_cut_off_at_every_byte() {
    let (cuts, shorter) = cut_off_at_every_byte(&samples(), |_, _, _| false);
    assert!(cuts > 15_000 && shorter == 0);
}

#[test]
fn damaged_torch() {
    let outcomes = damage_all(&samples(), CASES, 1200);
    assert!(outcomes.refused > CASES / 4 && outcomes.read > CASES / 10);
}
