//! safetensors by the format's own library, 0.8; and whole files by those of the formats that they become.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use tempfile::TempDir;
use tq_files::{
    ArrayFile, AtomicFile, Container, FloatType, Id, RowWriter, SafetensorsOptions, SafetensorsWriter,
    WholeFormat, WholeOptions, ZtensorFile, ZtensorGeneration, merge_safetensors, open_safetensors,
    write_whole,
};

use crate::burnpack::read_by_burn;
use crate::{SHAPES, encoded, noise, read};

const FLOATS: [(FloatType, Dtype); 4] = [
    (FloatType::F16, Dtype::F16),
    (FloatType::Bf16, Dtype::BF16),
    (FloatType::F32, Dtype::F32),
    (FloatType::F64, Dtype::F64),
];

/// Types of whole numbers and the like, and bytes of each.
const OTHERS: [(Dtype, usize); 12] = [
    (Dtype::I64, 8),
    (Dtype::I32, 4),
    (Dtype::I16, 2),
    (Dtype::I8, 1),
    (Dtype::U64, 8),
    (Dtype::U32, 4),
    (Dtype::U16, 2),
    (Dtype::U8, 1),
    (Dtype::BOOL, 1),
    (Dtype::F8_E4M3, 1),
    (Dtype::F8_E5M2, 1),
    (Dtype::F8_E8M0, 1),
];

#[test]
fn what_we_write_the_library_reads() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data");
    let mut files = 0;
    for (rows, dimension) in SHAPES {
        let values = noise(rows, dimension);
        for (float, dtype) in FLOATS {
            for ids in [None, Some("ids"), Some("a \"ü\"")] {
                let mut options = SafetensorsOptions {
                    float,
                    ids: ids.map(str::to_owned),
                    ..SafetensorsOptions::default()
                };
                options.metadata.insert("model".into(), "ü\"\\".into());
                let output = Box::new(AtomicFile::create(&path).unwrap());
                let mut writer = Box::new(SafetensorsWriter::new(output, dimension as u32, options).unwrap());
                writer.append(&values).unwrap();
                let texts = ids == Some("ids");
                for row in 0..rows {
                    let id = if texts { Id::Text(format!("id {row}")) } else { Id::of_whole(row as i64 - 5) };
                    if ids.is_some() {
                        writer.append_ids(&[id]).unwrap();
                    }
                }
                writer.finish().unwrap();
                let bytes = fs::read(&path).unwrap();
                let read = SafeTensors::deserialize(&bytes).unwrap();
                let tensor = read.tensor("embedding").unwrap();
                assert_eq!((tensor.dtype(), tensor.shape()), (dtype, &[rows, dimension][..]));
                assert_eq!(tensor.data(), encoded(float, &values));
                assert_eq!(read.len(), 1 + usize::from(ids.is_some()));
                if let Some(name) = ids {
                    let tensor = read.tensor(name).unwrap();
                    let whole = !texts || rows == 0;
                    assert_eq!(tensor.dtype(), if whole { Dtype::I64 } else { Dtype::U8 });
                    assert_eq!(tensor.shape()[0], rows);
                }
                let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
                assert_eq!(metadata.metadata().as_ref().unwrap()["model"], "ü\"\\");
                files += 1;
            }
        }
    }
    println!("{files} files read by safetensors");
}

/// Tensors of all types and of several ranks, as the library writes them; their bytes, by name.
fn library_file(path: &Path) -> HashMap<String, Vec<u8>> {
    let mut tensors = HashMap::new();
    let mut views = Vec::new();
    for (float, dtype) in FLOATS {
        for shape in [vec![], vec![60], vec![12, 5], vec![3, 4, 5], vec![0, 7]] {
            let count = shape.iter().product();
            let name = format!("{dtype:?} {shape:?}");
            tensors.insert(name.clone(), encoded(float, &noise(count, 1)));
            views.push((name, dtype, shape));
        }
    }
    for (dtype, width) in OTHERS {
        let name = format!("{dtype:?}");
        tensors.insert(name.clone(), (0..6 * width).map(|byte| (byte % 2) as u8).collect());
        views.push((name, dtype, vec![2, 3]));
    }
    let views = views.iter().map(|(name, dtype, shape)| {
        (name.clone(), TensorView::new(*dtype, shape.clone(), &tensors[name]).unwrap())
    });
    let metadata = HashMap::from([("k".to_owned(), "v".to_owned())]);
    fs::write(path, serialize(views, Some(metadata)).unwrap()).unwrap();
    tensors
}

#[test]
fn what_the_library_writes_we_read() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data");
    let tensors = library_file(&path);
    let open = || open_safetensors(&path).unwrap();
    assert_eq!(open().tensors().len(), tensors.len());
    for (float, dtype) in FLOATS {
        let rows = read(open(), &format!("{dtype:?} [12, 5]"));
        assert_eq!(encoded(float, &rows), tensors[&format!("{dtype:?} [12, 5]")]);
    }
    for (dtype, _) in OTHERS.into_iter().filter(|(dtype, _)| *dtype != Dtype::BOOL) {
        assert_eq!(read(open(), &format!("{dtype:?}")).len(), 6, "{dtype:?}");
    }
    assert_eq!(open().attributes().unwrap(), [("k".to_owned(), "v".to_owned())]);
}

fn whole(source: &ArrayFile, format: WholeFormat, path: &Path) {
    let options = WholeOptions { format, tensor: "x".into(), attributes: None };
    let output = Box::new(AtomicFile::create(path).unwrap());
    write_whole(source, &options, output, &mut || {}).unwrap();
}

#[test]
fn whole_files_are_read_by_their_libraries() {
    let folder = TempDir::new().unwrap();
    let [from, to] = ["from", "to"].map(|name| folder.path().join(name));
    let tensors = library_file(&from);
    let source = || open_safetensors(&from).unwrap();
    whole(&source(), WholeFormat::Safetensors, &to);
    let bytes = fs::read(&to).unwrap();
    let read = SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(read.len(), tensors.len());
    for (name, tensor) in read.iter() {
        assert_eq!(tensor.data(), tensors[name], "{name}");
    }
    // The eight-bit floats are wider there.
    let same = |name: &str| !name.starts_with("F8");
    whole(&source(), WholeFormat::Burnpack, &to);
    let (burn, metadata) = read_by_burn(&to);
    assert_eq!((burn.len(), metadata["k"].as_str()), (tensors.len(), "v"));
    for (name, _, _, data) in burn.iter().filter(|(name, ..)| same(name)) {
        assert_eq!(data, &tensors[name], "{name}");
    }
    for compress in [false, true] {
        whole(&source(), WholeFormat::Ztensor { generation: ZtensorGeneration::V2, compress }, &to);
        let file = ztensor::Source::options().map(false).open(&to).unwrap();
        for (name, data) in tensors.iter().filter(|(name, _)| same(name)) {
            let object = file.tensor(name).unwrap();
            let part = object.part("data").unwrap();
            assert_eq!(&part.bytes().unwrap()[..], &data[..], "{name}");
        }
        assert!(ZtensorFile::open(&to).is_ok());
    }
}

#[test]
fn merged_files_are_read_by_the_library() {
    let folder = TempDir::new().unwrap();
    let [one, two, all] = ["one", "two", "all"].map(|name| folder.path().join(name));
    let tensors = library_file(&one);
    let view = |data| TensorView::new(Dtype::U8, vec![2], data).unwrap();
    fs::write(&two, serialize([("another", view(&[1, 2]))], None).unwrap()).unwrap();
    let sources = [&one, &two].map(|path| open_safetensors(path).unwrap());
    let output = Box::new(AtomicFile::create(&all).unwrap());
    let merged = merge_safetensors(&sources, output, &mut || {}).unwrap();
    assert_eq!(merged.count as usize, tensors.len() + 1);
    let bytes = fs::read(&all).unwrap();
    let read = SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(read.tensor("another").unwrap().data(), [1, 2]);
    assert!(read.iter().all(|(name, tensor)| name == "another" || tensor.data() == tensors[name]));
}
