//! Codecs in the files of TinyQuant's command line: a TQCB codebook and, beside it, a JSON file with the rest.
//!
//! The hash in the JSON file is optional there, and TinyQuant doesn't look at it. Here it is computed from the other
//! fields, and a file that states another is refused: one of its fields is not what records were made with.

use std::path::Path;

use pgrx::prelude::*;
use tq_codec::{CodeKind, Codebook, CodecDefinition, RotationKind, builtin, sidecar};
use tq_files::{AtomicFile, FileError, read_small};
use tq_format::{BitWidth, tqcb};

use super::registration::register;
use super::table;
use super::table::CodecRow;
use crate::datum::arguments::Text;
use crate::datum::typmod::Typmod;
use crate::error::{Error, RegistryError, SqlResult, notice};
use crate::server::file_access;
use crate::server::file_access::FileAccess;

/// Longest files that are read; good ones have at most 1036 bytes and about 200.
const CODEBOOK_BYTES: u64 = 4 * 1024;
const SIDECAR_BYTES: u64 = 64 * 1024;

/// Registers the codec of a pair of files and returns its hash.
#[pg_extern(sql = false)]
fn tq_import_codec(name: Text<'_>, codebook_path: Text<'_>, json_path: Text<'_>) -> SqlResult<String> {
    let name = &*name;
    let codebook_path = &*codebook_path;
    let json_path = &*json_path;
    Ok(import(name, codebook_path, json_path)?)
}

fn import(name: &str, codebook_path: &str, json_path: &str) -> Result<String, Error> {
    file_access::require(FileAccess::Read, "import a codec from files")?;
    let codebook_path = file_access::absolute(codebook_path, "tq_import_codec")?;
    let json_path = file_access::absolute(json_path, "tq_import_codec")?;

    let (bit_width, codebook) =
        tqcb::parse(&read_small(&codebook_path, CODEBOOK_BYTES)?).map_err(|source| {
            Error::Registry(RegistryError::CodebookFile { path: codebook_path.clone(), source })
        })?;
    let sidecar = sidecar::parse(&read_small(&json_path, SIDECAR_BYTES)?)
        .map_err(|source| Error::Registry(RegistryError::SidecarFile { path: json_path.clone(), source }))?;
    let config = sidecar.config;
    let config_hash = config.hash().to_string();
    if !sidecar.hash_agrees() {
        let stated = sidecar.stated_hash.unwrap_or_default();
        return Err(Error::Registry(RegistryError::SidecarHash {
            path: json_path,
            stated,
            computed: config_hash,
        }));
    }
    if bit_width != config.bit_width() {
        return Err(Error::Registry(RegistryError::CodecFilesDiffer {
            codebook: (codebook_path, bit_width),
            sidecar: (json_path, config.bit_width()),
        }));
    }
    let codebook = Codebook::new(bit_width, codebook)?;
    register(&CodecRow::of(name.to_string(), &CodecDefinition::new(config, codebook, None)?)?)?;
    Ok(config_hash)
}

/// Writes a codec, registered or built in, to a pair of files.
#[pg_extern(sql = false)]
fn tq_export_codec(name: Text<'_>, codebook_path: Text<'_>, json_path: Text<'_>) -> SqlResult<()> {
    let name = &*name;
    let codebook_path = &*codebook_path;
    let json_path = &*json_path;
    Ok(export(name, codebook_path, json_path)?)
}

fn export(name: &str, codebook_path: &str, json_path: &str) -> Result<(), Error> {
    file_access::require(FileAccess::Write, "export a codec to files")?;
    let codebook_path = file_access::absolute(codebook_path, "tq_export_codec")?;
    let json_path = file_access::absolute(json_path, "tq_export_codec")?;
    let definition = definition(name)?;
    let config = definition.config();
    if definition.centre().is_some() {
        return Err(Error::Registry(RegistryError::CentreInFiles(crate::error::cut(name))));
    }
    if config.codes() != CodeKind::Scalar {
        return Err(Error::Registry(RegistryError::TrellisInFiles(crate::error::cut(name))));
    }
    let codebook = tqcb::encode(config.bit_width(), definition.codebook().entries());
    let json = sidecar::write(config)?;
    store_pair((&codebook_path, &codebook), (&json_path, json.as_bytes()))?;
    if config.rotation() != RotationKind::Haar {
        notice(
            format!("codec \"{name}\" has the {} rotation, which TinyQuant does not know", config.rotation()),
            Some("It takes the files for those of a codec with another config_hash.".into()),
            None,
        );
    }
    Ok(())
}

/// What defines a codec: a registered one by its name or hash, a built-in one by a declaration such as
/// `tqvec(1536, 4)`. No rotation is built.
pub(crate) fn definition(name: &str) -> Result<CodecDefinition, Error> {
    let registered = match table::by_name(name)? {
        None => table::by_hash(name)?,
        row => row,
    };
    if let Some(row) = registered {
        return row.definition();
    }
    let Some(declared) = Typmod::of_declaration(name) else {
        return Err(Error::Registry(RegistryError::NoSuchCodec(crate::error::cut(name))));
    };
    let (dimension, width, residual, rotation, codes) = declared?;
    Ok(builtin::definition_of(dimension, width, residual, rotation, codes)?)
}

/// What defines the codec behind records with this hash and shape, if it is known. No rotation is built.
pub(crate) fn described(
    hash: &str,
    dimension: u32,
    width: BitWidth,
    residual: bool,
) -> Result<Option<CodecDefinition>, Error> {
    if let Some((rotation, codes)) = builtin::kind_of(hash.as_bytes(), dimension, width, residual) {
        return Ok(Some(builtin::definition_of(dimension, width, residual, rotation, codes)?));
    }
    match table::by_hash(hash)? {
        Some(row) if (row.dimension, row.bit_width, row.residual) == (dimension, width, residual) => {
            row.definition().map(Some)
        }
        _ => Ok(None),
    }
}

/// Writes two files. Both are complete and on disk before the first takes its place, so that an error leaves the old
/// pair.
fn store_pair(first: (&Path, &[u8]), second: (&Path, &[u8])) -> Result<(), Error> {
    let write = |(path, bytes): (&Path, &[u8])| -> Result<AtomicFile, FileError> {
        let mut file = file_access::create(path)?;
        file.append(bytes)?;
        file.sync()?;
        Ok(file)
    };
    let (first_file, second_file) = (write(first)?, write(second)?);
    if first_file.same_place(&second_file)? {
        return Err(Error::Registry(RegistryError::CodecFilesSame(second.0.to_path_buf())));
    }
    first_file.finish()?;
    Ok(second_file.finish()?)
}
