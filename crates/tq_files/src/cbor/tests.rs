//! What is read and what is refused, of both forms.

use super::*;

fn problem(bytes: &[u8], form: Form) -> Option<&'static str> {
    parse(bytes, form).err().map(|error| error.problem)
}

/// What is well formed, in hexadecimal, and what of that is deterministic.
#[test]
fn forms() {
    let both = [
        "00",
        "17",
        "1818",
        "1a00010000",
        "1bffffffffffffffff",
        "20",
        "3bffffffffffffffff",
        "40",
        "6161",
        "80",
        "a0",
        "f4",
        "f5",
        "f6",
        "f90000",
        "f97e00",
        "fa47c35000",
        "fb3ff199999999999a",
        "a26161016162f6",
        "8301a161610280",
        "f97c00",
        "fa00000001",
    ];
    let not_deterministic = [
        "1817",
        "190001",
        "1a00000001",
        "1b00000000ffffffff",
        "3817",
        "580161",
        "7801 61",
        "980100",
        "9f01ff",
        "bf616101ff",
        "5f4161ff",
        "7f6161ff",
        "c100",
        "f7",
        "e0",
        "f8ff",
        "f97e01",
        "fa00000000",
        "fa7fc00000",
        "fb3ff0000000000000",
        "fb7ff8000000000000",
        "a2616201616102",
        "fa80000000",
    ];
    let neither = [
        "",
        "18",
        "19ff",
        "1c",
        "3f",
        "42ff",
        "62ff",
        "61ff",
        "8101ff",
        "81",
        "a161",
        "a16161",
        "ff",
        "9f",
        "9f01",
        "bf6161ff",
        "bf",
        "5f6161ff",
        "7f4161ff",
        "7f5f4161ffff",
        "f818",
        "f800",
        "fc",
        "fe",
        "0000",
        "c1",
        "5f40",
        "a2616101616102",
        "a201020102",
        "bf616101616102ff",
        "a261610178016102",
        "9bffffffffffffffff01",
        "bbffffffffffffffff0102",
        "5bffffffffffffffff01",
        "7bffffffffffffffff61",
        "9b000001000000000001",
    ];
    let bytes = |hex: &str| {
        let hex = hex.replace(' ', "");
        (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect::<Vec<_>>()
    };
    for hex in both {
        assert_eq!(problem(&bytes(hex), Form::WellFormed), None, "{hex}");
        assert_eq!(problem(&bytes(hex), Form::Deterministic), None, "{hex}");
    }
    for hex in not_deterministic {
        assert_eq!(problem(&bytes(hex), Form::WellFormed), None, "{hex}");
        assert!(problem(&bytes(hex), Form::Deterministic).is_some(), "{hex}");
    }
    for hex in neither {
        assert!(problem(&bytes(hex), Form::WellFormed).is_some(), "{hex}");
        assert!(problem(&bytes(hex), Form::Deterministic).is_some(), "{hex}");
    }
}

#[test]
fn depth() {
    for open in [&[0x81][..], &[0x9f], &[0xa1, 0], &[0xc1]] {
        let nested = |times: usize| open.repeat(times).into_iter().chain([0]).collect::<Vec<u8>>();
        assert_eq!(problem(&nested(33), Form::WellFormed), Some("items are nested too deeply"));
        assert_ne!(problem(&nested(32), Form::WellFormed), Some("items are nested too deeply"));
        assert_eq!(problem(&nested(1 << 20), Form::WellFormed), Some("items are nested too deeply"));
    }
    assert_eq!(problem(&[&[0x81; 32][..], &[0]].concat(), Form::Deterministic), None);
}

#[test]
fn walking() {
    // {"a": [1, [], {"x": 2}], "b": null, "c": "ü"}, once with definite lengths and once without.
    let definite = b"\xa3\x61a\x83\x01\x80\xa1\x61x\x02\x61b\xf6\x61c\x62\xc3\xbc";
    let indefinite = b"\xbf\x61a\x9f\x01\x9f\xff\xbf\x61x\x02\xff\xff\x61b\xf6\x61c\x62\xc3\xbc\xff";
    for bytes in [&definite[..], &indefinite[..]] {
        let item = parse(bytes, Form::WellFormed).unwrap();
        let keys: Vec<_> = item.entries().unwrap().map(|(key, _)| key.text().unwrap()).collect();
        assert_eq!(keys, ["a", "b", "c"]);
        let elements: Vec<_> = item.get("a").unwrap().unwrap().elements().unwrap().collect();
        assert_eq!(elements.len(), 3);
        assert_eq!(elements[0].unsigned(), Ok(1));
        assert_eq!(elements[1].elements().unwrap().count(), 0);
        assert_eq!(elements[2].get("x").unwrap().unwrap().unsigned(), Ok(2));
        assert!(item.get("b").unwrap().unwrap().is_null());
        assert_eq!(item.get("c").unwrap().unwrap().text(), Ok("ü"));
        assert!(item.get("d").unwrap().is_none() && item.is_map());
        assert_eq!(item.encoded(), bytes);
        assert_eq!(item.get("c").unwrap().unwrap().encoded(), b"\x62\xc3\xbc");
        assert!(elements[0].text().is_err() && elements[0].entries().is_err() && item.elements().is_err());
        assert_eq!(item.unsigned().unwrap_err().to_string(), "expected an unsigned integer at byte 0");
    }
}

proptest::proptest! {
    #[test]
    fn whatever_the_bytes_are(bytes in proptest::collection::vec(0u8.., 0..200)) {
        if let Ok(item) = parse(&bytes, Form::Deterministic) {
            parse(&bytes, Form::WellFormed).unwrap();
            let inner = item.elements().map(Iterator::count).or(item.entries().map(Iterator::count));
            proptest::prop_assert!(inner.unwrap_or(0) <= bytes.len());
        }
    }
}
