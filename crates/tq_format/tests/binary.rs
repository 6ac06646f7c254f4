//! The binary forms of a vector: each is read, none is mistaken for another, and damage is an error.

use tq_format::{BinaryError, RecordView, VectorBinary, hash_field};

fn vector(floats: &[f32]) -> Vec<u8> {
    let mut bytes = [&(floats.len() as u16).to_be_bytes()[..], &[0; 2]].concat();
    floats.iter().for_each(|float| bytes.extend(float.to_be_bytes()));
    bytes
}

/// An array with one dimension, of elements of this type and size.
fn array(oid: u32, elements: &[Option<Vec<u8>>]) -> Vec<u8> {
    let nulls = u32::from(elements.iter().any(Option::is_none));
    let mut bytes: Vec<u8> =
        [1, nulls, oid, elements.len() as u32, 1].iter().flat_map(|word| word.to_be_bytes()).collect();
    for element in elements {
        match element {
            Some(value) => bytes.extend([&(value.len() as u32).to_be_bytes()[..], value].concat()),
            None => bytes.extend(u32::MAX.to_be_bytes()),
        }
    }
    bytes
}

fn floats_of(bytes: &[u8]) -> Vec<f32> {
    match VectorBinary::parse(bytes) {
        Ok(VectorBinary::Floats(floats)) => floats,
        other => panic!("{other:?}"),
    }
}

fn arrays() -> [Vec<u8>; 5] {
    let numbers = [3i16, -4, 0, 25];
    let of = |oid, bytes: fn(i16) -> Vec<u8>| array(oid, &numbers.map(|number| Some(bytes(number))));
    [
        of(700, |n| f32::from(n).to_be_bytes().to_vec()),
        of(701, |n| f64::from(n).to_be_bytes().to_vec()),
        of(21, |n| n.to_be_bytes().to_vec()),
        of(23, |n| i32::from(n).to_be_bytes().to_vec()),
        of(20, |n| i64::from(n).to_be_bytes().to_vec()),
    ]
}

#[test]
fn each_form_is_read() {
    assert_eq!(floats_of(&vector(&[0.5, -2.0])), [0.5, -2.0]);
    assert_eq!(floats_of(&[0, 2, 0, 0, 0x38, 0, 0xc0, 0]), [0.5, -2.0], "a halfvec");
    for bytes in arrays() {
        assert_eq!(floats_of(&bytes), [3.0, -4.0, 0.0, 25.0]);
    }
    let double = |number: f64| Some(number.to_be_bytes().to_vec());
    let rounded = floats_of(&array(701, &[double(f64::INFINITY), double(1e-300), double(0.1)]));
    assert_eq!(rounded, [f32::INFINITY, 0.0, 0.1]);
    let beyond = VectorBinary::parse(&array(701, &[double(1e300)])).map(|_| ());
    assert_eq!(beyond, Err(BinaryError::Range("1e300".into())));
}

fn refused(bytes: &[u8]) -> BinaryError {
    VectorBinary::parse(bytes).expect_err("no vector")
}

#[test]
fn what_is_no_vector() {
    let ints = arrays()[3].clone();
    assert_eq!(refused(&[0; 4]), BinaryError::Empty, "a vector of no dimension");
    assert_eq!(refused(&array(700, &[])), BinaryError::Empty);
    assert_eq!(refused(&[[0; 8], [0, 0, 2, 188, 0, 0, 0, 0]].concat()[..12]), BinaryError::Empty, "'{{}}'");
    assert_eq!(refused(&array(700, &[Some(vec![0; 4]), None])), BinaryError::Null);
    assert_eq!(refused(&[&[0, 0, 0, 2], &ints[4..]].concat()), BinaryError::Nested(2));
    assert_eq!(refused(&array(25, &[Some(b"1".to_vec())])), BinaryError::Foreign("an array", 1));
    assert_eq!(refused(&array(1700, &[Some(vec![0; 8])])), BinaryError::Foreign("a numeric[]", 1));
    let sparse: Vec<u8> =
        [1000, 1, 0, 3, 0x3f80_0000u32].iter().flat_map(|word| word.to_be_bytes()).collect();
    assert_eq!(refused(&sparse), BinaryError::Foreign("a sparsevec", 1000));
    assert_eq!(refused(&array(23, &[Some(vec![0; 8])])), BinaryError::Damaged("an integer[]"));
    assert_eq!(refused(&[&ints[..], &[0]].concat()), BinaryError::Damaged("an integer[]"));
    // A length that asks for more memory than came.
    let long: Vec<u8> = [1, 0, 700, i32::MAX as u32, 1].iter().flat_map(|word| word.to_be_bytes()).collect();
    assert_eq!(refused(&long), BinaryError::Damaged("a real[]"));
    for bytes in [&b""[..], b"\x06", b"hello, world", &[0, 2, 0, 0, 1], &[0, 2, 0, 1, 1, 1, 1, 1]] {
        assert!(matches!(refused(bytes), BinaryError::Record(_)), "{bytes:?}");
    }
}

#[test]
fn every_truncation_is_an_error() {
    for bytes in arrays().into_iter().chain([vector(&[0.5; 9])]) {
        for length in 0..bytes.len() {
            // Half of a vector is a halfvec: which it is, the length says, which the protocol tells apart from the bytes.
            if bytes[2..4] == [0; 2] && length == 4 + (bytes.len() - 4) / 2 {
                continue;
            }
            let cut = VectorBinary::parse(&bytes[..length]);
            assert!(cut.is_err(), "{length} bytes of {bytes:?}: {cut:?}");
        }
    }
}

/// A record whose hash field is anything, even what makes its beginning that of a vector.
fn record(hash: &[u8], dimension: u32, bits: u8) -> Vec<u8> {
    let mut field = [0; 64];
    field[..hash.len()].copy_from_slice(hash);
    let codes = dimension as usize * usize::from(bits) / 8;
    [&[1], &field[..], &dimension.to_le_bytes(), &[bits], &vec![0; codes], &[0]].concat()
}

#[test]
fn a_record_is_never_anything_else() {
    let mut as_long_as_a_vector = 0;
    for first in (0..=127u8).step_by(9) {
        // Records of a hash of one character: `01 first 00 00`, as a vector of 256 to 383 dimensions begins.
        for (dimension, bits) in (900..=6000)
            .flat_map(|d| [2, 4, 8].map(|bits| (d, bits)))
            .filter(|(d, bits)| d * u32::from(*bits) % 8 == 0)
        {
            let bytes = record(&[first], dimension, bits);
            let is_record = matches!(VectorBinary::parse(&bytes), Ok(VectorBinary::Record(_)));
            assert!(is_record, "{first} {dimension} {bits}");
            as_long_as_a_vector += usize::from(bytes.len() == 4 + 4 * (256 + usize::from(first)));
        }
    }
    // So the test has met what could be taken for the other.
    assert!(as_long_as_a_vector > 20, "{as_long_as_a_vector}");
    let hash = "0123456789abcdef".repeat(4);
    assert_eq!(hash_field(&hash).map(|field| field[..].to_vec()).unwrap_or_default(), hash.as_bytes());
}

#[test]
fn no_vector_of_an_embedding_is_a_record() {
    // Whatever else is made to fit, the seventeenth element decides: its first byte is the last of the record's dimension, which has
    // 16384 at most, its second the width. Of all beginnings of a float, few are that.
    let mut records = 0;
    for beginning in 0..=u16::MAX {
        let seventeenth = f32::from_bits(u32::from(beginning) << 16);
        for (dimension, bits) in [(1133u32, 8), (2266, 4), (4532, 2)] {
            let mut floats = vec![0.0; 300];
            floats[15] = f32::from_bits(dimension.swap_bytes() >> 8);
            floats[16] = seventeenth;
            if RecordView::parse(&vector(&floats)).is_ok() {
                assert!((1.8e-40..8.3e-40).contains(&seventeenth), "{seventeenth:e} {bits}");
                records += 1;
            }
        }
    }
    assert_eq!(records, 3);
}
