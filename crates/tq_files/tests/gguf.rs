//! GGUF: files that the format's own package has written, directories of all kinds, damaged ones.

mod arrays_common;
mod common;

use std::fs;

use arrays_common::{compare, cut_off_at_every_byte, damage_all, open, read, refusal};
use common::data;
use tempfile::TempDir;
use tq_files::{Container, Format, OpenError, detect, open_gguf};

/// Fewer where nothing is optimised.
const CASES: usize = if cfg!(debug_assertions) { 20_000 } else { 100_000 };

#[test]
fn golden_files() {
    let (files, values, texts) = compare(&data("gguf"), |_| true);
    assert!(files == 7 && values > 1500 && texts > 20);
}

#[test]
fn what_stands_in_the_way() {
    let obstacle = |file: &str, name: &str| {
        let file = open(&data("gguf").join(file));
        let tensor = file.tensors().iter().find(|tensor| tensor.name == name).unwrap();
        tensor.obstacle.clone().unwrap_or_default()
    };
    for (name, expected) in [
        ("bias", "it has 1 dimension, not 2"),
        ("cube", "it has 3 dimensions, not 2"),
        ("t.Q5_1", "its type is Q5_1: of those in blocks, Q8_0 and Q4_0 are read"),
        ("t.TQ1_0", "its type is TQ1_0: of those in blocks, Q8_0 and Q4_0 are read"),
    ] {
        assert_eq!(obstacle("types.gguf", name), expected);
    }
    assert_eq!(obstacle("types_be.gguf", "t.Q8_0"), "its type is Q8_0 in a big-endian file");
    assert_eq!(open(&data("gguf/types_be.gguf")).format(), "GGUF 3, big-endian");
    assert_eq!(open(&data("gguf/types_v2.gguf")).format(), "GGUF 2");
}

/// A directory, in pieces.
struct Pieces {
    version: u32,
    pairs: Vec<Vec<u8>>,
    tensors: Vec<Vec<u8>>,
    count: Option<u64>,
    data: usize,
}

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
}

fn pair(key: &str, kind: u32, value: &[u8]) -> Vec<u8> {
    [&text(key)[..], &kind.to_le_bytes(), value].concat()
}

fn tensor(name: &str, shape: &[u64], kind: u32, offset: u64) -> Vec<u8> {
    let shape: Vec<u8> = [
        &(shape.len() as u32).to_le_bytes()[..],
        &shape.iter().flat_map(|size| size.to_le_bytes()).collect::<Vec<u8>>(),
    ]
    .concat();
    [&text(name)[..], &shape, &kind.to_le_bytes(), &offset.to_le_bytes()].concat()
}

impl Pieces {
    fn new(tensors: Vec<Vec<u8>>, data: usize) -> Self {
        Pieces { version: 3, pairs: Vec::new(), tensors, count: None, data }
    }

    fn bytes(&self, alignment: usize) -> Vec<u8> {
        let count = self.count.unwrap_or(self.tensors.len() as u64);
        let mut bytes = [
            &b"GGUF"[..],
            &self.version.to_le_bytes(),
            &count.to_le_bytes(),
            &(self.pairs.len() as u64).to_le_bytes(),
            &self.pairs.concat(),
            &self.tensors.concat(),
        ]
        .concat();
        bytes.resize(bytes.len().next_multiple_of(alignment) + self.data, 0);
        bytes
    }
}

#[test]
fn directories() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data");
    // A type that isn't known stands in nobody's way but its own; nested pairs are passed over.
    let nested =
        [&9u32.to_le_bytes()[..], &1u64.to_le_bytes(), &8u32.to_le_bytes(), &2u64.to_le_bytes()].concat();
    let mut pieces = Pieces::new(vec![tensor("b", &[2, 2], 0, 64), tensor("a", &[7], 99, 0)], 64 + 16);
    pieces.pairs = vec![
        pair("x", 9, &[&nested[..], &text("p"), &text("")].concat()),
        pair("general.alignment", 4, &[8, 0, 0, 0]),
    ];
    fs::write(&path, pieces.bytes(8)).unwrap();
    assert_eq!(detect(&path).unwrap(), Some(Format::Gguf));
    let file = open_gguf(&path).unwrap();
    assert_eq!(file.tensors()[0].obstacle.as_deref(), Some("its type is type 99, which isn't known here"));
    assert_eq!(read(Box::new(file), 1, 9).unwrap(), [0.0; 4]);

    let max = u64::MAX;
    let one = || tensor("a", &[2, 2], 0, 0);
    for (tensors, data, problem) in [
        (
            vec![one()],
            15,
            "tensor \"a\": file of 111 bytes is truncated: shape [2, 2] of F32 needs 16 from byte 96 on",
        ),
        (vec![one()], 48, "32 bytes stand behind the end of the last tensor, at byte 112"),
        (vec![one(), tensor("b", &[1], 0, 8)], 64, "tensor \"b\": it is at 8, which is no multiple of 32"),
        (vec![one(), tensor("b", &[1], 0, 0)], 64, "before that of another ends at"),
        (vec![one(), tensor("a", &[1], 0, 32)], 64, "tensor \"a\" stands twice"),
        (vec![tensor("a", &[2], 0, max - 31)], 0, "tensor \"a\": it is beyond all bounds"),
        (vec![tensor("a", &[max, max], 0, 0)], 0, "is beyond all bounds"),
        (vec![tensor("a", &[max], 28, 0)], 0, "is beyond all bounds"),
        (vec![tensor("a", &[max], 24, 0)], 0, "needs 18446744073709551615 from byte"),
        (vec![tensor("a", &[33, 2], 8, 0)], 99, "its rows of 33 are no whole blocks of 32 of Q8_0"),
        (vec![tensor("a", &[], 2, 0)], 99, "its rows of 1 are no whole blocks of 32 of Q4_0"),
        (vec![tensor("a", &[1 << 40, 1 << 40], 8, 0)], 99, "is beyond all bounds"),
        (vec![tensor("a", &[1; 9], 0, 0)], 99, "it has 9 dimensions: at most 8 are read"),
        (vec![tensor(&"a".repeat(1025), &[1], 0, 0)], 99, "a name at byte 24 has 1025 bytes: at most 1024"),
    ] {
        let refused = refusal(Format::Gguf, &Pieces::new(tensors, data).bytes(32));
        assert!(refused.contains(problem), "{refused}");
    }
    for (pairs, problem) in [
        (vec![pair("general.alignment", 10, &[0; 8])], "its alignment is of type 10, not 4"),
        (vec![pair("general.alignment", 4, &[0; 4])], "its alignment is 0, no power of two"),
        (vec![pair("general.alignment", 4, &[12, 0, 0, 0])], "its alignment is 12, no power of two"),
        (
            vec![pair("general.alignment", 4, &[0, 0, 0, 0x80])],
            "its alignment is 2147483648, no power of two",
        ),
        (vec![pair("general.alignment", 4, &[8, 0, 0, 0]); 2], "its alignment stands twice"),
        (vec![pair("x", 13, &[])], "unknown type 13 of a pair in front of byte 37"),
        (vec![pair("x", 8, &max.to_le_bytes())], "18446744073709551615 bytes needed from byte 45 on"),
        (
            vec![pair("x", 9, &[&12u32.to_le_bytes()[..], &max.to_le_bytes()].concat())],
            "18446744073709551615 bytes needed",
        ),
        (vec![pair("x", 9, &[&8u32.to_le_bytes()[..], &max.to_le_bytes()].concat())], "it breaks off"),
        (
            vec![pair("x", 9, &[&9u32.to_le_bytes()[..], &1u64.to_le_bytes()].concat().repeat(9))],
            "nested too deeply",
        ),
    ] {
        let mut pieces = Pieces::new(vec![one()], 16);
        pieces.pairs = pairs;
        let refused = refusal(Format::Gguf, &pieces.bytes(32));
        assert!(refused.contains(problem), "{refused}");
    }
    let mut many = Pieces::new(vec![], 0);
    for (count, problem) in
        [(max, "it has 18446744073709551615 tensors: at most 65536 are read"), (65_536, "it breaks off")]
    {
        many.count = Some(count);
        let refused = refusal(Format::Gguf, &many.bytes(1));
        assert!(refused.contains(problem), "{refused}");
    }
    let mut name = Pieces::new(vec![one()], 16).bytes(32);
    name[32] = 0xff;
    assert!(refusal(Format::Gguf, &name).contains("a name at byte 24 isn't UTF-8"));
    assert!(refusal(Format::Gguf, b"GGML\x03\0\0\0").contains("not a GGUF file: it starts with \"GGML\""));
    for (version, problem) in [
        (1, "GGUF file of version 1: 2 and 3 are read"),
        (4, "GGUF file of version 4"),
        (0, "GGUF file of version 0"),
        (2 << 24, "GGUF file of version 2: 2 and 3 are read"),
    ] {
        let mut pieces = Pieces::new(vec![], 0);
        pieces.version = version;
        fs::write(&path, pieces.bytes(32)).unwrap();
        match open_gguf(&path).unwrap_err() {
            OpenError::Container(error) => assert!(error.to_string().starts_with(problem), "{error}"),
            other => panic!("{other}"),
        }
    }
}

fn samples() -> Vec<(Format, Vec<u8>)> {
    ["types.gguf", "types_v2.gguf", "types_be.gguf", "small_f32.gguf", "small_q8.gguf", "small_q4.gguf"]
        .map(|name| (Format::Gguf, fs::read(data("gguf").join(name)).unwrap()))
        .to_vec()
}

#[test]
fn gguf_cut_off_at_every_byte() {
    // Padding behind the last tensor is nobody's.
    let (cuts, shorter) = cut_off_at_every_byte(&samples(), |_, length, whole| whole - length < 64);
    assert!(cuts > 10_000 && shorter < 6 * 32);
}

#[test]
fn damaged_gguf() {
    let outcomes = damage_all(&samples(), CASES, 900);
    assert!(outcomes.refused > CASES / 10 && outcomes.read > CASES / 10);
}
