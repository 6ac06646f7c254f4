//! Declarations of columns: their text, the integer that keeps them, and what they admit.

use proptest::prelude::*;
use tq_codec::declaration::{CodecPrefix, Declaration, FLOATS, Typmod, TypmodError, TypmodMismatch};
use tq_codec::{BUILTIN_SEED, CodeKind, CodecConfig, RotationKind, builtin};
use tq_format::BitWidth;

fn parse(parts: &str) -> Result<Typmod, TypmodError> {
    Typmod::parse(parts.split(','))
}

#[test]
fn what_is_said_and_what_is_not() {
    let typmod = parse("1536").unwrap();
    assert_eq!(
        (typmod.dimension(), typmod.fidelity(), typmod.rotation()),
        (Some(1536), FLOATS, RotationKind::Hadamard)
    );
    assert_eq!(typmod.to_raw(), 1536);
    let typmod = parse(" 1536, 4").unwrap();
    assert_eq!((typmod.fidelity(), typmod.rotation()), ((BitWidth::Four, false), RotationKind::Haar));
    assert_eq!(typmod.to_raw(), 2 << 16 | 1536);
    let typmod = parse("HADAMARD, 3 ,Residual , 8").unwrap();
    assert_eq!((typmod.fidelity(), typmod.rotation()), ((BitWidth::Eight, true), RotationKind::Hadamard));
    assert_eq!(typmod.to_raw(), 2 << 19 | 1 << 18 | 3 << 16 | 3);
    assert_eq!(typmod.to_string(), "(3,8,residual,hadamard)");

    for raw in [-1, i32::MIN, 0] {
        assert_eq!(Typmod::from_raw(raw), Typmod::default());
    }
    assert_eq!(Typmod::default().to_string(), "");
    let cast = Typmod::of_fidelity(BitWidth::Two, false, RotationKind::Haar);
    assert_eq!((cast.dimension(), cast.to_string().as_str()), (None, "(2,haar)"));
}

#[test]
fn texts_that_are_refused() {
    for (parts, message) in [
        ("", "\"\" is neither a number nor a known word, nor a codec's name"),
        ("3, Fast ", "\" Fast \" is neither a number nor a known word, nor a codec's name"),
        (
            "9223372036854775808",
            "\"9223372036854775808\" is neither a number nor a known word, nor a codec's name",
        ),
        ("residual", "the dimension is missing"),
        ("3,residual,residual", "\"residual\" is given twice"),
        ("3,haar,hadamard", "the rotation is given twice"),
        ("3,4,4", "too many numbers"),
        ("0", "dimension 0 is not between 1 and 16384"),
        ("16385", "dimension 16385 is not between 1 and 16384"),
        ("-3,5", "dimension -3 is not between 1 and 16384"),
        ("3,5", "bit width must be 2, 4 or 8, not 5"),
        ("3,-4", "bit width must be 2, 4 or 8, not -4"),
        ("3,residual", "\"residual\" needs a bit width"),
    ] {
        assert_eq!(parse(parts).unwrap_err().to_string(), message, "{parts}");
    }
}

#[test]
fn a_declaration_may_name_a_codec_and_normalize() {
    let declared = |parts: &str| Typmod::parse_declaration(parts.split(','));
    let typmod = parse("3,4,NORMALIZE").unwrap();
    assert!(typmod.normalizes() && typmod.codec().is_none());
    assert_eq!(typmod.to_raw(), 1 << 29 | 2 << 16 | 3);
    assert_eq!(typmod.to_string(), "(3,4,normalize)");
    assert_eq!(parse("3,normalize,normalize").unwrap_err(), TypmodError::NormalizeTwice);

    assert_eq!(
        declared("3,4,My Docs").unwrap(),
        Declaration { typmod: parse("3,4").unwrap(), codec: Some("My Docs".into()) }
    );
    let alone = declared("docs,normalize").unwrap();
    assert_eq!(alone.codec.as_deref(), Some("docs"));
    assert!(alone.typmod.normalizes() && alone.typmod.dimension().is_none());
    assert_eq!(declared("a,3,b").unwrap_err(), TypmodError::CodecTwice("a".into(), "b".into()));
    assert_eq!(declared("a,residual").unwrap_err(), TypmodError::ResidualOfNoWidth);

    // What a dump says needs no codec to be there.
    let hash = b"3a1735d2d232085eaf8dc2e1e5d0a104bac740b1a396006cfecf73aa6dc31d23";
    let prefix = CodecPrefix::of_hash(hash).unwrap();
    assert_eq!((prefix.to_string().as_str(), prefix.digits().as_str()), ("codec_3a1735d", "3a1735d"));
    assert_eq!(CodecPrefix::of_word("codec_3a1735d"), Some(prefix));
    for word in ["codec_3a1735", "codec_3a1735d2", "codec_3A1735D", "3a1735d", "codec_3a1735g", ""] {
        assert_eq!(CodecPrefix::of_word(word), None, "{word}");
    }
    for normalize in [false, true] {
        let typmod = Typmod::of_codec(prefix).normalizing(normalize);
        assert_eq!(typmod.to_raw(), 1 << 30 | i32::from(normalize) << 29 | 0x3a1735d);
        assert_eq!(Typmod::from_raw(typmod.to_raw()), typmod);
        let text = typmod.to_string();
        assert_eq!(declared(text.trim_matches(['(', ')'])).unwrap(), Declaration { typmod, codec: None });
        assert!(!typmod.keeps_floats(RotationKind::Hadamard));
        let check = |hash: &[u8]| typmod.check_shape(9, BitWidth::Two, true, hash);
        assert_eq!(check(hash), Ok(()));
        assert_eq!(check(b"4a1735d2"), Err(TypmodMismatch::Codec { expected: prefix }));
        assert_eq!(check(b"xa1735d2"), Err(TypmodMismatch::Codec { expected: prefix }));
    }
    let config = CodecConfig::builtin(3, BitWidth::Four, true).unwrap();
    let fits = |parts: &str| declared(parts).unwrap().typmod.check_codec("a", &config);
    assert_eq!((fits("a"), fits("3,a"), fits("3,4,residual,haar,a")), (Ok(()), Ok(()), Ok(())));
    for (parts, message) in [
        ("4,a", "codec \"a\" has 3, not 4 dimensions"),
        (
            "3,2,a",
            "codec \"a\" has 4 bits a dimension with residual, not 2 bits a dimension without residual",
        ),
        ("hadamard,a", "codec \"a\" has the haar rotation, not the hadamard rotation"),
    ] {
        assert_eq!(fits(parts).unwrap_err().to_string(), message);
    }
}

#[test]
fn declarations_name_built_in_codecs() {
    let codec = (1536, BitWidth::Four, false, RotationKind::Haar, CodeKind::Scalar);
    for text in ["tqvec(1536,4)", " TQVEC ( 1536 , 4 ) ", "tqvec(haar,1536,4)"] {
        assert_eq!(Typmod::of_declaration(text), Some(Ok(codec)), "{text}");
    }
    for text in ["", "tqvec", "tqvec(1536, 4", "tqvec 1536, 4)", "vector(1536, 4)", "a tqvec(1536, 4)"] {
        assert_eq!(Typmod::of_declaration(text), None, "{text}");
    }
    let trellis = (1536, BitWidth::Two, true, RotationKind::Hadamard, CodeKind::Trellis);
    assert_eq!(Typmod::of_declaration("tqvec(1536, 2, trellis, residual, hadamard)"), Some(Ok(trellis)));
    assert_eq!(Typmod::of_declaration("tqvec(1536)"), Some(Err(TypmodError::NoBitWidth)));
    assert_eq!(Typmod::of_declaration("tqvec(residual)"), Some(Err(TypmodError::NoDimension)));
}

#[test]
fn records_that_are_admitted() {
    let hash = |rotation| builtin::config(3, BitWidth::Four, false, rotation).unwrap().hash();
    let (haar, hadamard) = (hash(RotationKind::Haar), hash(RotationKind::Hadamard));
    let other =
        CodecConfig::new(BitWidth::Four, BUILTIN_SEED + 1, 3, false, RotationKind::Haar).unwrap().hash();
    let check = |parts: &str, hash: &[u8]| parse(parts).unwrap().check_shape(3, BitWidth::Four, false, hash);
    for parts in ["3", "3,4", "3,haar", "3,4,haar"] {
        assert_eq!(check(parts, haar.as_bytes()), Ok(()));
        assert_eq!(check(parts, other.as_bytes()), Ok(()));
    }
    // A width alone leaves the rotation of records open.
    assert_eq!(check("3,4", hadamard.as_bytes()), Ok(()));
    let rotation = TypmodMismatch::Rotation { expected: RotationKind::Haar, got: RotationKind::Hadamard };
    assert_eq!(check("3,haar", hadamard.as_bytes()), Err(rotation));
    let mismatch = |parts| check(parts, haar.as_bytes()).unwrap_err();
    assert_eq!(mismatch("4,2"), TypmodMismatch::Dimension { expected: 4, got: 3 });
    assert_eq!(
        mismatch("3,2,residual"),
        TypmodMismatch::BitWidth { expected: BitWidth::Two, got: BitWidth::Four }
    );
    assert_eq!(mismatch("3,4,residual"), TypmodMismatch::Residual { expected: true });
}

#[test]
fn floats_that_are_kept() {
    let keeps = |parts: &str| {
        [RotationKind::Haar, RotationKind::Hadamard].map(|kind| parse(parts).unwrap().keeps_floats(kind))
    };
    assert_eq!(keeps("3"), [true, true]);
    assert_eq!(keeps("3,haar"), [true, false]);
    assert_eq!(keeps("3,8,residual"), [true, false]);
    assert_eq!(keeps("3,8,residual,hadamard"), [false, true]);
    assert_eq!(keeps("3,8"), [false, false]);
}

#[test]
fn codecs_of_modifiers() {
    assert_eq!(parse("3").unwrap().builtin_codec(), Ok(None));
    let definition = parse("3,4,residual").unwrap().builtin_codec().unwrap().unwrap();
    let (config, codebook) = (definition.config(), definition.codebook());
    assert_eq!(*config, CodecConfig::builtin(3, BitWidth::Four, true).unwrap());
    assert_eq!(codebook.entries().len(), 16);
    // An integer can say what no text can.
    assert!(Typmod::from_raw(1 << 16 | 0xffff).builtin_codec().is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    /// Text, integer and text again, whatever the order of the words and their case.
    #[test]
    fn texts_and_integers_round_trip(
        dimension in 1u32..=16384,
        width in prop::option::of((prop::sample::select(vec![2u8, 4, 8]), any::<bool>())),
        rotation in prop::option::of(prop::sample::select(vec!["haar", "hadamard"])),
        trellis in any::<bool>(),
        word_first in any::<bool>(),
        upper in any::<bool>(),
    ) {
        let mut parts = vec![dimension.to_string()];
        if let Some((bits, residual)) = width {
            parts.push(bits.to_string());
            parts.extend(residual.then(|| "residual".to_string()));
        }
        let place = if word_first { 0 } else { parts.len() };
        parts.splice(place..place, rotation.map(str::to_string));
        let has_trellis = trellis && width.is_some_and(|(bits, _)| bits < 8);
        parts.splice(place..place, has_trellis.then(|| "trellis".to_string()));
        let text = parts.join(" , ");
        let text = if upper { text.to_ascii_uppercase() } else { text };

        let typmod = parse(&text).unwrap();
        prop_assert!(typmod.to_raw() > 0);
        prop_assert_eq!(Typmod::from_raw(typmod.to_raw()), typmod);
        prop_assert_eq!(typmod.codes() == CodeKind::Trellis, has_trellis);
        let printed = typmod.to_string();
        let inner = printed.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap();
        prop_assert_eq!(parse(inner), Ok(typmod));
        let declared = Typmod::of_declaration(&format!("tqvec{printed}")).unwrap();
        let expected = width.map(|_| {
            let (width, residual) = typmod.fidelity();
            (dimension, width, residual, typmod.rotation(), typmod.codes())
        });
        prop_assert_eq!(declared, expected.ok_or(TypmodError::NoBitWidth));
    }

    /// Any integer is read, and what it says is kept.
    #[test]
    fn integers_round_trip(raw in any::<i32>()) {
        let typmod = Typmod::from_raw(raw);
        prop_assert_eq!(Typmod::from_raw(typmod.to_raw()), typmod);
    }
}
