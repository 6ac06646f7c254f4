//! Targets whose readers take bytes: records, texts, corpora and what is in them, codec descriptions, indexes of quantvec.

use tq_codec::declaration::Typmod;
use tq_codec::{CodeKind, sidecar};
use tq_files::{Id, Metadata, fits_jsonb, parse_uuid, pgcopy, uuid_text};
use tq_format::{
    CorpusView, Magic, RecordBuilder, RecordHeader, RecordView, VectorBinary, VectorText, hash_field, qvec,
    record_text, tqcb,
};

pub(crate) fn record(data: &[u8]) {
    let header = RecordHeader::parse(data);
    // What is stored was checked once, and is trusted: reading it must not panic all the same.
    let stored = RecordView::parse_stored(data);
    let Ok(view) = RecordView::parse(data) else {
        if let Ok(stored) = stored {
            let _ = (stored.indices().count(), stored.residual(), stored.hash_field());
        }
        return;
    };
    let header = header.expect("the header of a record that is right");
    assert_eq!((header.dimension, header.bit_width), (view.dimension(), view.bit_width()));
    assert_eq!(stored.expect("a record that is right").as_bytes(), data);
    assert_eq!(rebuilt(view), data);
}

/// The record, put together from what it says.
fn rebuilt(view: RecordView<'_>) -> Vec<u8> {
    let field = hash_field(view.config_hash()).expect("the hash of a record that is right");
    let builder = RecordBuilder::new(&field, view.dimension(), view.bit_width(), view.has_residual());
    let builder = builder.expect("the shape of a record that is right");
    let indices: Vec<u8> = view.indices().collect();
    let mut record = Vec::new();
    builder.write(&indices, view.residual(), &mut record).expect("the parts of a record that is right");
    record
}

/// A vector in the binary form of any type that it is sent in.
pub(crate) fn binary(data: &[u8]) {
    match VectorBinary::parse(data) {
        // Whatever is a record is one here.
        Ok(VectorBinary::Record(record)) => assert_eq!(RecordView::parse(data), Ok(record)),
        Ok(VectorBinary::Floats(floats)) => {
            assert!(!floats.is_empty() && RecordView::parse(data).is_err());
            let dimension = u16::try_from(floats.len()).unwrap_or(0).to_be_bytes();
            // As pgvector sends them, they are the same again, unless a record is written so.
            let mut sent = [&dimension[..], &[0; 2]].concat();
            floats.iter().for_each(|float| sent.extend(float.to_be_bytes()));
            if dimension != [0; 2] && RecordView::parse(&sent).is_err() {
                let Ok(VectorBinary::Floats(again)) = VectorBinary::parse(&sent) else { panic!() };
                let same = |(a, b): (&f32, &f32)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
                assert!(again.len() == floats.len() && again.iter().zip(&floats).all(same));
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// A vector's text, in SQL.
pub(crate) fn text(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match VectorText::parse(text) {
        Ok(VectorText::Record(bytes)) => {
            let digits = record_text(&bytes).expect("memory");
            assert!(digits.eq_ignore_ascii_case(text.trim()), "{digits}");
            record(&bytes);
        }
        Ok(VectorText::Floats(floats)) => {
            assert!(!floats.is_empty());
            // Display writes the shortest text that is read as the same float.
            let again = VectorText::parse(&format!("{floats:?}"));
            let Ok(VectorText::Floats(again)) = again else { panic!("{again:?}") };
            assert_eq!(again.len(), floats.len());
            assert!(
                again
                    .iter()
                    .zip(&floats)
                    .all(|(a, b)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()))
            );
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

pub(crate) fn corpus(data: &[u8]) {
    let Ok(view) = CorpusView::parse(data) else { return };
    let header =
        view.to_header().unwrap().encode(Magic::Final).expect("the header of a corpus that is right");
    let mut place = header.len();
    // The count is not the encoder's to know.
    assert_eq!(&header[..8], &data[..8]);
    assert_eq!(&header[16..], &data[16..place]);
    for (index, record) in view.records().enumerate() {
        assert_eq!(view.place_of(index as u64), place as u64);
        let next = place + 4 + view.record_len();
        if let Ok(record) = record {
            assert_eq!(rebuilt(record), &data[place + 4..next]);
        }
        place = next;
    }
    assert_eq!(place, data.len());
    assert_eq!(view.place_of(u64::MAX), place as u64);
}

/// The number of records in a byte, then the metadata.
pub(crate) fn metadata(data: &[u8]) {
    let Some((records, text)) = data.split_first() else { return };
    let records = u64::from(*records);
    let ours = Metadata::parse_ours(text, records);
    match (Metadata::parse(text, records), ours) {
        (Ok(Some(all)), Ok(Some(ours))) => {
            assert!(all.ids.as_ref().is_none_or(|ids| ids.len() as u64 == records));
            assert_eq!(Metadata { user: None, ..all }, ours);
            let written = ours.encode().expect("metadata that fitted before");
            let again = Metadata::parse_ours(&written, records).expect("our own metadata");
            assert_eq!(again.unwrap_or_default(), ours);
        }
        // What the user has added is looked at only by those who want it.
        (Err(_), Ok(Some(_))) | (Ok(None), Ok(None)) => {}
        (all, ours) => assert_eq!(all, ours),
    }
}

pub(crate) fn codebook(data: &[u8]) {
    if let Ok((width, entries)) = tqcb::parse(data) {
        assert_eq!(tqcb::encode(width, &entries), data);
    }
}

pub(crate) fn sidecar(data: &[u8]) {
    let Ok(read) = sidecar::parse(data) else { return };
    let written = sidecar::write(&read.config).expect("a configuration that is right");
    let again = sidecar::parse(written.as_bytes()).expect("our own sidecar");
    assert!(again.config == read.config && again.hash_agrees());
}

/// What a column is declared as: the text, and in its first bytes the integer that keeps a declaration.
pub(crate) fn declaration(data: &[u8]) {
    if let Some(raw) = data.first_chunk() {
        declared(Typmod::from_raw(i32::from_le_bytes(*raw)));
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Typmod::parse(text.split(',')) {
        Ok(typmod) => declared(typmod),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    if let Some(Ok((dimension, width, residual, rotation, codes))) = Typmod::of_declaration(text) {
        let residual = if residual { ", residual" } else { "" };
        let codes = if codes == CodeKind::Trellis { ", trellis" } else { "" };
        let written = format!("tqvec({dimension}, {}{residual}, {rotation}{codes})", width.bits());
        assert_eq!(Typmod::of_declaration(&written), Typmod::of_declaration(text));
    }
}

/// The integer and the text of a declaration say what it says.
fn declared(typmod: Typmod) {
    assert_eq!(Typmod::from_raw(typmod.to_raw()), typmod);
    let text = typmod.to_string();
    let parts = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    // What has no dimension, or one that no record has, is in casts and damaged catalogues alone.
    if typmod.dimension().is_some_and(|dimension| dimension <= tq_format::MAX_DIMENSION) {
        assert_eq!(Typmod::parse(parts.unwrap_or_default().split(',')), Ok(typmod));
    }
}

pub(crate) fn qvec(data: &[u8]) {
    let Ok(view) = qvec::View::parse(data) else { return };
    let header = view.header();
    let mut out = header.to_bytes().to_vec();
    let mut codes = vec![0; header.dimension as usize];
    let (mut scales, mut norms) = (Vec::new(), Vec::new());
    for row in view.rows(0..header.count) {
        qvec::unpack_codes(header.bits, row.codes, &mut codes);
        qvec::pack_codes(header.bits, &codes, &mut out);
        scales.push(row.scale);
        norms.push(row.norm);
    }
    write(&mut out, scales);
    write(&mut out, norms);
    if header.layout != qvec::Layout::Doc1 {
        out.push(view.calibration().is_some().into());
        if let Some(calibration) = view.calibration() {
            write(&mut out, calibration.shifts());
            write(&mut out, calibration.scales());
        }
    }
    if header.layout == qvec::Layout::V2 {
        out.push(view.inverted_file().is_some().into());
        if let Some(lists) = view.inverted_file() {
            out.extend([lists.lists(), lists.probes()].map(u32::to_le_bytes).concat());
            (0..lists.lists()).for_each(|list| write(&mut out, lists.centroid(list)));
            let slots = (0..header.count).filter_map(|slot| lists.list(slot));
            out.extend(slots.flat_map(u32::to_le_bytes));
        }
    }
    for (slot, id) in view.ids_from(0).enumerate() {
        let id = id.expect("an id of an index that is right");
        assert_eq!(view.id(slot as u32).ok().flatten(), Some(id));
        if id.write(&mut out).is_none() {
            // quantvec drops one mark of two: the text with the other is an id, and has no bytes of its own in a file.
            assert!(matches!(id, qvec::Id::Text(text) if text.starts_with('\u{feff}')), "{id:?}");
            return;
        }
    }
    // Marks that quantvec drops from the start of a text are not read, and so not written.
    let marked = data.windows(3).any(|bytes| bytes == "\u{feff}".as_bytes());
    assert!(out == data || marked && out.len() < data.len());
}

fn write(out: &mut Vec<u8>, numbers: impl IntoIterator<Item = f32>) {
    out.extend(numbers.into_iter().flat_map(f32::to_le_bytes));
}

/// Texts of ids and numbers, and JSON on its way to `jsonb`.
pub(crate) fn ids(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut field = Vec::new();
    let numeric = pgcopy::numeric(text, &mut field);
    assert_eq!(numeric.is_some(), !field.is_empty());
    if numeric.is_some() {
        let length = u32::from_be_bytes(*field.first_chunk().expect("a length")) as usize;
        assert!(length == field.len() - 4 && length >= 8 && length.is_multiple_of(2));
    }
    if let Some(id) = Id::of_decimal(text) {
        let again = id.clone().into_text();
        // Whole numbers of any length and fractions that a double has come back.
        assert_eq!(Id::of_decimal(&again), Some(id), "{again}");
    }
    if let Some(uuid) = parse_uuid(text) {
        assert_eq!(parse_uuid(&uuid_text(&uuid)), Some(uuid));
        assert!(uuid_text(&uuid).replace('-', "").eq_ignore_ascii_case(&text.replace('-', "")));
    }
    // A database of UTF-8 takes whatever one of another encoding takes.
    assert!(fits_jsonb(text, true) || !fits_jsonb(text, false));
}
