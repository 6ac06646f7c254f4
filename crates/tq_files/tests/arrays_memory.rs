//! Memory that is refused is an error in files of arrays as well: see `memory.rs`.

#[path = "../../tq_memory/tests/failing/mod.rs"]
mod failing;

use std::error::Error;
use std::path::Path;

use failing::Counts;
use tempfile::TempDir;
use tq_files::{
    AtomicFile, BenchmarkFormat, BurnpackOptions, BurnpackWriter, Container, FbinWriter, FloatType, Id,
    NpyOptions, NpyWriter, OpenError, RowWriter, SafetensorsOptions, SafetensorsWriter, WholeFormat,
    WholeOptions, ZtensorFile, ZtensorGeneration, ZtensorOptions, ZtensorWriter, open_benchmark, open_gguf,
    open_npy, open_npz, open_safetensors, open_torch, recode_ztensor, write_whole,
};

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Any(#[source] Box<dyn Error + Send + Sync>);

fn boxed(error: impl Error + Send + Sync + 'static) -> Any {
    Any(Box::new(error))
}

type Open<'f> = dyn Fn() -> Result<Box<dyn Container>, OpenError> + 'f;

fn is_memory(_: &(dyn Error + 'static)) -> bool {
    false
}

/// Reads all that a file has, as rows and as ids.
fn read_all(open: &Open<'_>) -> Result<usize, Any> {
    let (count, mut read) = (open().map_err(boxed)?.tensors().len(), 0);
    for index in 0..count {
        let file = open().map_err(boxed)?;
        if file.tensors()[index].obstacle.is_none() {
            let (mut reader, mut rows) = (file.rows(index, &mut || ()).map_err(boxed)?, Vec::new());
            while reader.read(3, &mut rows).map_err(boxed)? > 0 {}
            read += rows.len();
        } else if matches!(file.tensors()[index].name.as_str(), "ids" | "names") {
            let (mut reader, mut ids) = (file.ids(index, &mut || ()).map_err(boxed)?, Vec::new());
            while reader.read(3, &mut ids).map_err(boxed)? > 0 {}
            read += ids.len();
        }
    }
    Ok(read)
}

#[test]
fn refused_memory_is_an_error_in_every_array() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/arrays");
    let mut counts = Counts::default();
    let mut read = |what, open: &Open<'_>| {
        counts.check(what, is_memory, || read_all(open));
    };
    for name in ["c_le_f4.npy", "f_be_f8.npy"] {
        read("array", &|| Ok(Box::new(open_npy(&folder.join(name))?)));
    }
    for name in ["stored.npz", "small_deflated.npz"] {
        read("archive", &|| Ok(Box::new(open_npz(&folder.join(name), 1 << 20)?)));
    }
    read("tensors", &|| Ok(Box::new(open_safetensors(&folder.join("ids.safetensors"))?)));
    read("rows", &|| Ok(Box::new(open_benchmark(BenchmarkFormat::Fvecs, &folder.join("six.fvecs"))?)));
    let data = folder.parent().unwrap();
    read("blocks", &|| Ok(Box::new(open_gguf(&data.join("gguf/small_q8.gguf"))?)));
    read("blocks", &|| Ok(Box::new(open_gguf(&data.join("gguf/types_be.gguf"))?)));
    read("pickle", &|| Ok(Box::new(open_torch(&data.join("torch/checkpoint.pt"))?)));
    read("pickle", &|| Ok(Box::new(open_torch(&data.join("torch/views.pt"))?)));
    let target = TempDir::new().unwrap();
    let path = target.path().join("out");
    let ids: Vec<Id> = (0..100).map(|id| Id::Text(format!("id {id}"))).collect();
    for kind in 0..3 {
        counts.check("written with ids", is_memory, || {
            let output = Box::new(AtomicFile::create(&path).map_err(boxed)?);
            let (ids_name, temporary) = (Some("ids".to_owned()), target.path().to_owned());
            let mut writer: Box<dyn RowWriter> = match kind {
                0 => {
                    let options =
                        SafetensorsOptions { ids: ids_name, temporary, ..SafetensorsOptions::default() };
                    Box::new(SafetensorsWriter::new(output, 50, options).map_err(boxed)?)
                }
                1 => {
                    let options = BurnpackOptions { ids: ids_name, temporary, ..BurnpackOptions::default() };
                    Box::new(BurnpackWriter::new(output, 50, options).map_err(boxed)?)
                }
                _ => {
                    let options = ZtensorOptions { ids: ids_name, temporary, ..ZtensorOptions::default() };
                    Box::new(ZtensorWriter::new(output, 50, options).map_err(boxed)?)
                }
            };
            writer.append(&[0.5; 5000]).map_err(boxed)?;
            writer.append_ids(&ids).map_err(boxed)?;
            writer.finish().map_err(boxed)
        });
    }
    let ztensor = |compress| WholeFormat::Ztensor { generation: ZtensorGeneration::V2, compress };
    for (format, name) in [
        (WholeFormat::Safetensors, "gguf/small_q4.gguf"),
        (WholeFormat::Safetensors, "torch/checkpoint.pt"),
        (WholeFormat::Burnpack, "arrays/ids.safetensors"),
        (WholeFormat::Burnpack, "arrays/small_deflated.npz"),
        (ztensor(false), "torch/checkpoint.pt"),
        (ztensor(true), "arrays/ids.safetensors"),
    ] {
        counts.check("written whole", is_memory, || {
            let from = data.join(name);
            let source: Box<dyn Container> = match name.rsplit('.').next() {
                Some("gguf") => Box::new(open_gguf(&from).map_err(boxed)?),
                Some("pt") => Box::new(open_torch(&from).map_err(boxed)?),
                Some("npz") => Box::new(open_npz(&from, 1 << 20).map_err(boxed)?),
                _ => Box::new(open_safetensors(&from).map_err(boxed)?),
            };
            let options = WholeOptions { format, tensor: "x".to_owned(), attributes: None };
            let output = Box::new(AtomicFile::create(&path).map_err(boxed)?);
            write_whole(source.as_ref(), &options, output, &mut || ()).map_err(boxed)
        });
    }
    let again = target.path().join("again");
    for compress in [None, Some(true), Some(false)] {
        counts.check("recoded", is_memory, || {
            let file = ZtensorFile::open(&path).map_err(boxed)?;
            let output = Box::new(AtomicFile::create(&again).map_err(boxed)?);
            recode_ztensor(&file, compress, None, output, &mut || ()).map_err(boxed)
        });
    }
    for kind in 0..3 {
        counts.check("written", is_memory, || {
            let output = Box::new(AtomicFile::create(&path).map_err(boxed)?);
            let mut writer: Box<dyn RowWriter> = match kind {
                0 => {
                    Box::new(NpyWriter::new(output, 50, NpyOptions { float: FloatType::F16 }).map_err(boxed)?)
                }
                1 => Box::new(
                    SafetensorsWriter::new(output, 50, SafetensorsOptions::default()).map_err(boxed)?,
                ),
                _ => Box::new(FbinWriter::new(output, 50).map_err(boxed)?),
            };
            writer.append(&[0.5; 5000]).map_err(boxed)?;
            writer.finish().map_err(boxed)
        });
    }
    println!("{counts:?}, deaths: 0");
    assert!(counts.errors > 50 && counts.allocations > 100, "{counts:?}");
}
