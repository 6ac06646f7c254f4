//! Writers of float files, made by the options of a COPY TO or of a conversion.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use tq_codec::Workers;
use tq_files::{
    BurnpackOptions, BurnpackWriter, FbinWriter, FloatType, Format, Id, NpyOptions, NpyWriter, Numbers,
    Output, QvecOptions, QvecVersion, QvecWriter, RowWriter, SafetensorsOptions, SafetensorsWriter,
    ZtensorGeneration, ZtensorOptions, ZtensorWriter,
};
use tq_format::qvec;

use super::Options;
use super::options::{bad_option, checked_metadata, invalid_json};
use crate::error::interrupts::poll;
use crate::error::{CopyError, Error, FormatError};
use crate::server::settings;

/// The tensor's name, if none is given.
pub(super) const TENSOR: &str = "embedding";
/// That of the ids, likewise.
const IDS_TENSOR: &str = "ids";
/// quantvec's own.
const SEED: f64 = 42.0;

/// Writes rows and, where the format has them, their ids.
pub(crate) enum FloatWriter {
    Rows(Box<dyn RowWriter>),
    /// Its ids are pushed beside its rows.
    Index(Box<QvecWriter>),
}

impl FloatWriter {
    /// Begins a file of rows of so many numbers, with `ids` each with an id. What has to wait for the end waits in the folder `temporary`.
    ///
    /// # Errors
    /// Options or a dimension that the format doesn't have; the output's.
    pub(crate) fn new(
        format: Format,
        options: &Options,
        output: Box<dyn Output>,
        dimension: u32,
        ids: bool,
        temporary: &Path,
    ) -> Result<FloatWriter, Error> {
        let ids_tensor = ids.then(|| options.text("ids_tensor").unwrap_or(IDS_TENSOR).to_string());
        let writer = match FormatOptions::of(format, options, temporary)? {
            FormatOptions::Qvec(options) => {
                let options = QvecOptions { dimension, keyed: ids, ..options };
                let workers = Arc::new(Workers::new(settings::threads())?);
                QvecWriter::new(output, &options, temporary, workers, &mut poll)
                    .map(|writer| FloatWriter::Index(Box::new(writer)))
            }
            FormatOptions::Ztensor(options) => {
                let options = ZtensorOptions { ids: ids_tensor, ..options };
                ZtensorWriter::new(output, dimension, options)
                    .map(|writer| FloatWriter::Rows(Box::new(writer)))
            }
            FormatOptions::Burnpack(options) => {
                let options = BurnpackOptions { ids: ids_tensor, ..options };
                BurnpackWriter::new(output, dimension, options)
                    .map(|writer| FloatWriter::Rows(Box::new(writer)))
            }
            FormatOptions::Npy(options) => {
                NpyWriter::new(output, dimension, options).map(|writer| FloatWriter::Rows(Box::new(writer)))
            }
            FormatOptions::Safetensors(options) => {
                let options = SafetensorsOptions { ids: ids_tensor, ..options };
                SafetensorsWriter::new(output, dimension, options)
                    .map(|writer| FloatWriter::Rows(Box::new(writer)))
            }
            FormatOptions::Fbin => {
                FbinWriter::new(output, dimension).map(|writer| FloatWriter::Rows(Box::new(writer)))
            }
        };
        writer.map_err(|error| Error::Format(FormatError::WriteRows(error)))
    }

    /// Adds rows, with as many ids if there are any.
    pub(crate) fn append(&mut self, rows: &Numbers, ids: &[Id]) -> Result<(), Error> {
        match self {
            FloatWriter::Rows(writer) => rows
                .write(&mut **writer)
                .and_then(|()| writer.append_ids(ids))
                .map_err(|error| Error::Format(FormatError::WriteRows(error))),
            FloatWriter::Index(writer) => {
                rows.write(&mut **writer).map_err(|error| Error::Format(FormatError::WriteRows(error)))?;
                ids.iter()
                    .try_for_each(|id| writer.push_id(&id.view()))
                    .map_err(|error| Error::Format(FormatError::WriteRows(error)))
            }
        }
    }

    /// Bytes written so far.
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            FloatWriter::Rows(writer) => writer.bytes(),
            FloatWriter::Index(writer) => writer.bytes(),
        }
    }

    /// Completes the file.
    pub(crate) fn finish(self) -> Result<(), Error> {
        let finished = match self {
            FloatWriter::Rows(writer) => writer.finish(),
            FloatWriter::Index(writer) => writer.finish(),
        };
        finished.map_err(|error| Error::Format(FormatError::WriteRows(error)))
    }
}

/// Refuses values of options that the format doesn't have, before anything is read or written.
pub(crate) fn check_options(format: Format, options: &Options) -> Result<(), Error> {
    FormatOptions::of(format, options, Path::new("")).map(drop)
}

/// The options of a format, read.
enum FormatOptions {
    /// But for the dimension, and whether there are ids.
    Qvec(QvecOptions),
    Ztensor(ZtensorOptions),
    Burnpack(BurnpackOptions),
    Npy(NpyOptions),
    Safetensors(SafetensorsOptions),
    /// Which has none.
    Fbin,
}

impl FormatOptions {
    fn of(format: Format, options: &Options, temporary: &Path) -> Result<FormatOptions, Error> {
        let tensor = options.text("tensor").unwrap_or(TENSOR).to_string();
        if options.text("ids_tensor").is_some_and(|ids| ids == tensor) {
            return Err(bad_option("ids_tensor", "must not be the tensor of the vectors"));
        }
        match format {
            Format::Qvec => Ok(FormatOptions::Qvec(QvecOptions {
                version: match options.text("version") {
                    None | Some("2") => QvecVersion::Two,
                    Some("1") => QvecVersion::One,
                    Some(_) => return Err(bad_option("version", "must be 1 or 2")),
                },
                bits: bits(options)?,
                metric: metric(options)?,
                seed: options
                    .number("seed", "a finite number", |seed: &f64| seed.is_finite())?
                    .unwrap_or(SEED),
                ..QvecOptions::new(0)
            })),
            Format::Ztensor => Ok(FormatOptions::Ztensor(ZtensorOptions {
                generation: generation(options)?,
                tensor,
                float: float_type(options)?,
                sparse: options.flag("sparse"),
                compress: compress(options)?,
                attributes: texts(options)?,
                temporary: temporary.to_owned(),
                ..ZtensorOptions::default()
            })),
            Format::Burnpack => Ok(FormatOptions::Burnpack(BurnpackOptions {
                tensor,
                float: float_type(options)?,
                ids: None,
                metadata: texts(options)?,
                temporary: temporary.to_owned(),
            })),
            Format::Npy => Ok(FormatOptions::Npy(NpyOptions {
                float: match float_type(options)? {
                    FloatType::Bf16 => return Err(bad_option("dtype", "must be 'f32', 'f16' or 'f64'")),
                    float => float,
                },
            })),
            Format::Safetensors => Ok(FormatOptions::Safetensors(SafetensorsOptions {
                tensor,
                float: float_type(options)?,
                ids: None,
                metadata: texts(options)?,
                temporary: temporary.to_owned(),
            })),
            Format::Fbin => Ok(FormatOptions::Fbin),
            // Records aren't floats: who writes a corpus has a codec.
            Format::Tqcv
            | Format::Npz
            | Format::Gguf
            | Format::Torch
            | Format::Fvecs
            | Format::Bvecs
            | Format::Ivecs
            | Format::U8bin
            | Format::I8bin => Err(Error::Copy(CopyError::NotWritten(format.name()))),
        }
    }
}

fn bits(options: &Options) -> Result<qvec::Bits, Error> {
    let bits = options.number("bits", "2, 3 or 4", |bits: &u32| qvec::Bits::from_bits(*bits).is_some())?;
    Ok(bits.and_then(qvec::Bits::from_bits).unwrap_or(qvec::Bits::Four))
}

fn metric(options: &Options) -> Result<qvec::Metric, Error> {
    match options.text("metric") {
        None => Ok(qvec::Metric::Cosine),
        Some(name) => qvec::Metric::from_name(name)
            .ok_or_else(|| bad_option("metric", "must be 'cosine', 'dot' or 'euclidean'")),
    }
}

/// The option VERSION of a zTensor file.
pub(super) fn generation(options: &Options) -> Result<ZtensorGeneration, Error> {
    match options.text("version") {
        None | Some("2") => Ok(ZtensorGeneration::V2),
        Some("1" | "1.2") => Ok(ZtensorGeneration::V1_2),
        Some(_) => Err(bad_option("version", "must be 2, or 1 for readers before zTensor 2")),
    }
}

/// The option DTYPE.
fn float_type(options: &Options) -> Result<FloatType, Error> {
    match options.text("dtype") {
        None | Some("f32") => Ok(FloatType::F32),
        Some("f16") => Ok(FloatType::F16),
        Some("bf16") => Ok(FloatType::Bf16),
        Some("f64") => Ok(FloatType::F64),
        Some(_) => Err(bad_option("dtype", "must be 'f32', 'f16', 'bf16' or 'f64'")),
    }
}

/// Whether a file of that format, written with these options, keeps double precision.
pub(crate) fn keeps_doubles(format: Format, options: &Options) -> bool {
    match format {
        Format::Ztensor | Format::Burnpack | Format::Npy | Format::Safetensors => {
            options.text("dtype") == Some("f64")
        }
        Format::Tqcv | Format::Qvec | Format::Npz | Format::Gguf | Format::Torch => false,
        Format::Fvecs | Format::Bvecs | Format::Ivecs | Format::Fbin | Format::U8bin | Format::I8bin => false,
    }
}

/// The option COMPRESSION.
pub(super) fn compress(options: &Options) -> Result<bool, Error> {
    match options.text("compression") {
        None | Some("none") => Ok(false),
        Some("zstd") => Ok(true),
        Some(_) => Err(bad_option("compression", "must be 'zstd' or 'none'")),
    }
}

/// The option METADATA, whose values are texts in these formats, each with a name of its own.
pub(super) fn texts(options: &Options) -> Result<BTreeMap<String, String>, Error> {
    let wrong = || bad_option("metadata", "must be a JSON object whose values are strings");
    let Some(json) = options.text("metadata") else { return Ok(BTreeMap::new()) };
    if !checked_metadata(json)?.trim_start().starts_with('{') {
        return Err(wrong());
    }
    let Fields(fields) = serde_json::from_str(json).map_err(invalid_json)?;
    let mut texts = BTreeMap::new();
    for (name, value) in fields {
        let Value::String(text) = value else { return Err(wrong()) };
        if texts.contains_key(&name) {
            return Err(bad_option("metadata", &format!("must not have \"{}\" twice", name.escape_debug())));
        }
        texts.insert(name, text);
    }
    Ok(texts)
}

/// All fields of an object, equal names included.
struct Fields(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Fields, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Fields;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Fields, A::Error> {
                let mut all = Vec::new();
                while let Some(field) = fields.next_entry()? {
                    all.push(field);
                }
                Ok(Fields(all))
            }
        }
        deserializer.deserialize_map(All)
    }
}
