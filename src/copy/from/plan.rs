//! What a COPY FROM makes of a corpus, decided before the first row: codec, ids, and whether records are recompressed.

use std::path::Path;
use std::sync::Arc;

use tq_codec::{Codec, Workers};
use tq_files::Metadata;
use tq_format::CorpusHeader;

use super::corpus_rows::{Recompression, RowPlan};
use crate::copy::ids::IdTarget;
use crate::copy::ids::{IdColumn, Origin};
use crate::copy::statement::Statement;
use crate::datum::typmod::Typmod;
use crate::error::{ColumnError, CopyError, Error, FormatError, VectorError};
use crate::formats::check_described;
use crate::registry;
use crate::registry::CodecRegistration;
use crate::server::settings;

/// A column of type `tqvec` that is to be filled.
pub(crate) struct RecordColumn<'a> {
    pub(crate) name: &'a str,
    pub(crate) typmod: Typmod,
}

impl RecordColumn<'_> {
    /// The codec that the option CODEC names, if it is given.
    ///
    /// # Errors
    /// There is no such codec, or its records don't fit the column.
    pub(crate) fn codec(&self, statement: &Statement) -> Result<Option<Arc<Codec>>, Error> {
        let Some(name) = statement.options.text("codec") else { return Ok(None) };
        let codec = registry::by_name_or_hash(name)?;
        let config = codec.config();
        let hash = codec.hash().as_bytes();
        let fits = self.typmod.check_shape(config.dimension(), config.bit_width(), config.residual(), hash);
        fits.map_err(|source| {
            Error::Column(ColumnError::Codec {
                codec: name.into(),
                column: self.name.into(),
                source: Box::new(source.into()),
            })
        })?;
        Ok(Some(codec))
    }
}

/// How the rows are made, and what is to be said about it.
pub(crate) struct LoadPlan {
    pub(crate) rows: RowPlan,
    /// Nobody here knows the codec of the records.
    pub(crate) unknown_codec: bool,
    /// The file describes its codec.
    pub(crate) described: bool,
}

impl LoadPlan {
    /// Looks at the file's header and metadata, and registers the codec that it describes.
    pub(crate) fn make(
        statement: &Statement,
        path: &Path,
        header: &CorpusHeader,
        column: &RecordColumn<'_>,
        id: Option<IdTarget>,
    ) -> Result<LoadPlan, Error> {
        let metadata = Metadata::parse_ours(&header.metadata, header.vector_count)
            .map_err(|source| Error::Format(FormatError::CorpusMetadata { path: path.into(), source }))?
            .unwrap_or_default();
        let described = metadata.codec.is_some();
        if let Some(definition) = &metadata.codec {
            check_described(path, header, definition.config())?;
            // Whether it could be registered shows below.
            match registry::register_described(definition)? {
                CodecRegistration::Known | CodecRegistration::Registered | CodecRegistration::NotAllowed => {}
            }
        }
        let recompression = recompression(statement, path, header, column)?;
        let ids = metadata.ids.map(Origin::Metadata);
        let id = id_column(statement, path, ids, id)?;
        let known = header.vector_count == 0
            || recompression.is_some()
            || registry::is_known(&header.config_hash, header.dimension, header.bit_width, header.residual)?;
        Ok(LoadPlan { rows: RowPlan { id, recompression }, unknown_codec: !known, described })
    }
}

/// The column of ids, and where they come from: the file, or with `IDS 'ordinal'` the rows' numbers.
///
/// # Errors
/// Ids are wanted without a column or the other way round.
pub(crate) fn id_column(
    statement: &Statement,
    path: &Path,
    in_file: Option<Origin>,
    target: Option<IdTarget>,
) -> Result<Option<IdColumn>, Error> {
    let Some(target) = target else {
        let given = ["ids", "ids_tensor", "ids_file"].into_iter();
        return match given.into_iter().find(|option| statement.options.text(option).is_some()) {
            None => Ok(None),
            Some(option) => Err(Error::Copy(CopyError::IdsWithoutColumn(option))),
        };
    };
    let none = Error::Format(FormatError::NoIds { path: path.into(), column: target.name.clone() });
    let named =
        ["ids_tensor", "ids_file"].into_iter().find(|option| statement.options.text(option).is_some());
    if let (Some(_), Some(option)) = (statement.options.text("ids"), named) {
        let problem = "can't be combined with \"ids\"".into();
        return Err(Error::Copy(CopyError::OptionValue { option: option.into(), problem }));
    }
    let origin = match (statement.options.text("ids"), in_file) {
        (Some("ordinal"), _) => Origin::Ordinal,
        (Some(_), _) => {
            return Err(Error::Copy(CopyError::OptionValue {
                option: "ids".into(),
                problem: "must be 'ordinal'".into(),
            }));
        }
        (None, Some(ids)) => ids,
        (None, None) => return Err(none),
    };
    IdColumn::new(target, origin).map(Some).ok_or(none)
}

/// From which codec to which, unless the records fit the column and the wanted codec as they are.
fn recompression(
    statement: &Statement,
    path: &Path,
    header: &CorpusHeader,
    column: &RecordColumn<'_>,
) -> Result<Option<Recompression>, Error> {
    let typmod = column.typmod;
    let misfit = |source: Error| {
        Error::Copy(CopyError::Typmod {
            path: path.into(),
            column: column.name.into(),
            source: Box::new(source),
        })
    };
    let wanted = column.codec(statement)?;
    let is_wanted = wanted.as_ref().is_none_or(|wanted| wanted.hash().as_str() == header.config_hash);
    let fits = typmod.check_shape(
        header.dimension,
        header.bit_width,
        header.residual,
        header.config_hash.as_bytes(),
    );
    if !statement.options.flag("recompress") {
        fits.map_err(|mismatch| misfit(mismatch.into()))?;
        return match wanted {
            Some(wanted) if !is_wanted => Err(Error::Format(FormatError::CorpusOtherCodec {
                path: path.into(),
                wanted: wanted.hash().to_string(),
                got: header.config_hash.escape_debug().to_string(),
            })),
            _ => Ok(None),
        };
    }
    if fits.is_ok() && is_wanted {
        return Ok(None);
    }
    typmod.check_dimension(header.dimension).map_err(|mismatch| misfit(mismatch.into()))?;
    let from = registry::of_corpus(header)?;
    let to: Arc<Codec> = match wanted {
        Some(wanted) => wanted,
        None => registry::of_typmod(typmod, header.dimension)?,
    };
    if to.config().dimension() != header.dimension {
        return Err(misfit(Error::Vector(VectorError::DimensionsDiffer(
            to.config().dimension(),
            header.dimension,
        ))));
    }
    let to = Arc::new(to.recompressing(&from));
    Ok(Some(Recompression { from, to, workers: Workers::new(settings::threads())? }))
}
