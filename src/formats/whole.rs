//! `tq_convert` with `"tensors": "all"`: all tensors of a file, of any shape, as a file of another format, or as the same compressed or
//! decompressed.

use std::path::Path;

use tq_files::{
    BurnpackFile, Format, WholeFormat, WholeOptions, ZtensorFile, ZtensorGeneration, merge_burnpacks,
    recode_ztensor, write_whole,
};

use super::make::{TENSOR, compress, generation, texts};
use super::open::{OpenFile, detected, open_file, opened, rows_error};
use super::{Options, bad_option};
use crate::error::interrupts::poll;
use crate::error::{Error, FormatError};
use crate::server::file_access;

/// Options that are about one tensor.
const OF_ONE: [&str; 5] = ["source_tensor", "dtype", "sparse", "ids_tensor", "ids_file"];

/// Refuses options that can't stand beside `"tensors"`, and values that it doesn't have.
pub(super) fn check(given: impl Fn(&str) -> bool, tensors: &str) -> Result<(), Error> {
    if tensors != "all" {
        return Err(bad_option("tensors", "must be 'all'"));
    }
    match OF_ONE.into_iter().find(|option| given(option)) {
        Some(option) => Err(bad_option(option, "can't be combined with \"tensors\"")),
        None => Ok(()),
    }
}

/// Converts a file; returns the number of tensors.
pub(super) fn convert(format: Format, options: &Options, source: &Path, target: &Path) -> Result<u64, Error> {
    let attributes = options.text("metadata").is_some().then(|| texts(options)).transpose()?;
    let compression = options.text("compression").is_some().then(|| compress(options)).transpose()?;
    let generation = generation(options)?;
    let from = detected(source)?;
    let newest = generation == ZtensorGeneration::V2;
    let failed = |error| rows_error(source, error);
    match (from, format) {
        (Format::Ztensor, Format::Ztensor) if newest => {
            let file = opened(source, ZtensorFile::open(source))?;
            let output = Box::new(file_access::create(target)?);
            recode_ztensor(&file, compression, attributes.as_ref(), output, &mut poll).map_err(failed)
        }
        (Format::Burnpack, Format::Burnpack) if attributes.is_none() => {
            let file = opened(source, BurnpackFile::open(source))?;
            let output = Box::new(file_access::create(target)?);
            let merged = merge_burnpacks(&[file], output, &mut poll);
            merged.map(|merged| merged.count).map_err(|error| Error::Format(FormatError::Merge(error)))
        }
        _ => {
            let OpenFile::Tensors(file) = open_file(from, source, source)? else {
                return Err(bad_option(
                    "tensors",
                    &format!("is for files of tensors, not of format {}", from.name()),
                ));
            };
            let whole = match format {
                Format::Safetensors => WholeFormat::Safetensors,
                Format::Burnpack => WholeFormat::Burnpack,
                // Others don't have the option.
                _ => WholeFormat::Ztensor { generation, compress: compression.unwrap_or_default() },
            };
            let tensor = options.text("tensor").unwrap_or(TENSOR).to_string();
            let options = WholeOptions { format: whole, tensor, attributes };
            let output = Box::new(file_access::create(target)?);
            write_whole(file.as_ref(), &options, output, &mut poll).map_err(failed)
        }
    }
}
