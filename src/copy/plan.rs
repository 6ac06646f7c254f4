//! What a COPY FROM makes of a corpus, decided before the first row: codec, ids, and whether records are recompressed.

use std::path::Path;
use std::sync::Arc;

use tq_codec::Codec;
use tq_corpus::Metadata;
use tq_format::CorpusHeader;

use super::columns::{Columns, IdTarget, VectorColumn};
use super::ids::{IdColumn, Origin};
use super::source::{Recompression, Rows};
use super::statement::Statement;
use crate::error::Error;
use crate::registry::{self, Learned};

/// How the rows are made, and what is to be said about it.
pub(super) struct Plan {
    pub(super) rows: Rows,
    /// Nobody here knows the codec of the records.
    pub(super) unknown_codec: bool,
    /// The file describes its codec.
    pub(super) described: bool,
}

impl Plan {
    /// Looks at the file's header and metadata, and registers the codec that it describes.
    pub(super) fn make(
        statement: &Statement,
        path: &Path,
        header: &CorpusHeader,
        columns: Columns,
    ) -> Result<Plan, Error> {
        let metadata = Metadata::parse(&header.metadata, header.vector_count)
            .map_err(|source| Error::CorpusMetadata { path: path.into(), source })?
            .unwrap_or_default();
        let described = metadata.codec.is_some();
        if let Some((config, codebook)) = &metadata.codec {
            let hash = config.hash();
            if hash.as_str() != header.config_hash {
                return Err(Error::CorpusCodec {
                    path: path.into(),
                    described: hash.to_string(),
                    stated: header.config_hash.escape_debug().to_string(),
                });
            }
            // Whether it could be registered shows below.
            match registry::learn(config, codebook)? {
                Learned::Known | Learned::Registered | Learned::NotAllowed => {}
            }
        }
        let recompression = recompression(statement, path, header, &columns.vector)?;
        let ids = columns.id.map(|column| ids(statement, path, metadata.ids, column)).transpose()?;
        if ids.is_none() && statement.ids.is_some() {
            return Err(Error::IdsWithoutColumn);
        }
        let known = header.vector_count == 0
            || recompression.is_some()
            || registry::is_known(&header.config_hash, header.dimension, header.bit_width, header.residual)?;
        let (id, id_first) = match ids {
            Some((id, first)) => (Some(id), first),
            None => (None, false),
        };
        Ok(Plan { rows: Rows { id, id_first, recompression }, unknown_codec: !known, described })
    }
}

/// Where the ids come from.
fn ids(
    statement: &Statement,
    path: &Path,
    in_file: Option<tq_corpus::Ids>,
    column: IdTarget,
) -> Result<(IdColumn, bool), Error> {
    let origin = match (statement.ids.as_deref(), in_file) {
        (Some("ordinal"), _) => Origin::Ordinal,
        (Some(_), _) => {
            return Err(Error::OptionValue { option: "ids".into(), problem: "must be 'ordinal'".into() });
        }
        (None, Some(ids)) => Origin::Metadata(ids),
        (None, None) => return Err(Error::NoIds { path: path.into(), column: column.name }),
    };
    IdColumn::new(column.name.clone(), column.type_oid, origin)
        .map(|id| (id, column.first))
        .ok_or(Error::NoIds { path: path.into(), column: column.name })
}

/// From which codec to which, unless the records fit the column and the wanted codec as they are.
fn recompression(
    statement: &Statement,
    path: &Path,
    header: &CorpusHeader,
    column: &VectorColumn,
) -> Result<Option<Recompression>, Error> {
    let typmod = column.typmod;
    let misfit = |source| Error::CopyTypmod {
        path: path.into(),
        column: column.name.clone(),
        source: Box::new(source),
    };
    let wanted = statement.codec.as_deref().map(registry::by_name_or_hash).transpose()?;
    if let Some(wanted) = &wanted {
        check_codec(column, wanted, statement.codec.as_deref().unwrap_or_default())?;
    }
    let is_wanted = wanted.as_ref().is_none_or(|wanted| wanted.hash().as_str() == header.config_hash);
    let fits = typmod.check_shape(
        header.dimension,
        header.bit_width,
        header.residual,
        header.config_hash.as_bytes(),
    );
    if statement.recompress != Some(true) {
        fits.map_err(misfit)?;
        return match wanted {
            Some(wanted) if !is_wanted => Err(Error::CorpusOtherCodec {
                path: path.into(),
                wanted: wanted.hash().to_string(),
                got: header.config_hash.escape_debug().to_string(),
            }),
            _ => Ok(None),
        };
    }
    if fits.is_ok() && is_wanted {
        return Ok(None);
    }
    typmod.check_dimension(header.dimension).map_err(misfit)?;
    let from = registry::of_corpus(header)?;
    let to: Arc<Codec> = match wanted {
        Some(wanted) => wanted,
        None => {
            let (width, residual) = typmod.fidelity();
            registry::builtin(header.dimension, width, residual, typmod.rotation())?
        }
    };
    if to.config().dimension() != header.dimension {
        return Err(misfit(Error::DimensionsDiffer(to.config().dimension(), header.dimension)));
    }
    Ok(Some(Recompression { from, to }))
}

fn check_codec(column: &VectorColumn, codec: &Codec, name: &str) -> Result<(), Error> {
    let config = codec.config();
    let hash = codec.hash().as_bytes();
    let fits = column.typmod.check_shape(config.dimension(), config.bit_width(), config.residual(), hash);
    fits.map_err(|source| Error::ColumnCodec {
        codec: name.into(),
        column: column.name.clone(),
        source: source.into(),
    })
}
