//! zTensor of generation 1.2, by `ztensor` 1.2.

use std::fs;

use half::{bf16, f16};
use tempfile::TempDir;
use tq_files::{
    AtomicFile, Container, FloatType, ZtensorFile, ZtensorGeneration, ZtensorOptions, merge_ztensors,
};
use ztensor_1::{Checksum, Compression, DType, Format, Reader, Writer};

use crate::{SHAPES, compressed, encoded, kinds, noise, read, write};

fn dtype(float: FloatType) -> DType {
    match float {
        FloatType::F16 => DType::F16,
        FloatType::Bf16 => DType::BF16,
        FloatType::F32 => DType::F32,
        FloatType::F64 => DType::F64,
    }
}

fn le(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// Reads a tensor by the library, and compares all that it says.
fn compare(
    reader: &Reader<std::io::BufReader<fs::File>>,
    options: &ZtensorOptions,
    rows: &[f32],
    dimension: usize,
) {
    let object = reader.get(&options.tensor).unwrap();
    assert_eq!(object.shape, [(rows.len() / dimension) as u64, dimension as u64]);
    let (columns, values, begins) = compressed(rows, dimension);
    let parts = match options.sparse {
        false => vec![("data", dtype(options.float), encoded(options.float, rows))],
        true => vec![
            ("indices", DType::U64, le(&columns)),
            ("indptr", DType::U64, le(&begins)),
            ("values", dtype(options.float), encoded(options.float, &values)),
        ],
    };
    assert_eq!(object.format, if options.sparse { Format::SparseCsr } else { Format::Dense });
    assert!(object.components.keys().eq(parts.iter().map(|part| part.0)));
    for (name, dtype, bytes) in parts {
        let component = &object.components[name];
        assert_eq!(component.dtype, dtype);
        assert_eq!(component.digest.is_some(), options.checksum);
        // Compares the checksum, too.
        assert!(reader.read_component(component).unwrap() == bytes, "{options:?}: {name}");
        if !options.sparse {
            assert!(reader.read(&options.tensor, true).unwrap() == bytes);
        }
    }
    if options.sparse && options.float == FloatType::F32 {
        let csr = reader.read_csr::<f32>(&options.tensor).unwrap();
        assert!(csr.indices == columns && csr.indptr == begins && csr.values == values);
    }
}

#[test]
fn what_we_write_it_reads() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("file.zt");
    let (mut files, mut same) = (0, 0);
    for options in kinds(ZtensorGeneration::V1_2) {
        for (count, dimension) in SHAPES {
            let rows = noise(count, dimension);
            write(&path, dimension, options.clone(), &rows);
            let reader = Reader::open(&path).unwrap_or_else(|error| panic!("{options:?}: {error}"));
            compare(&reader, &options, &rows, dimension);
            let theirs = folder.path().join("theirs.zt");
            if !options.sparse && !options.compress {
                let mut writer = Writer::create(&theirs).unwrap();
                let attributes =
                    options.attributes.iter().map(|(key, value)| (key.clone(), value.clone().into()));
                writer.set_attributes(attributes.collect());
                let checksum = if options.checksum { Checksum::Crc32c } else { Checksum::None };
                let shape = vec![count as u64, dimension as u64];
                let bytes = encoded(options.float, &rows);
                writer
                    .add_bytes(
                        &options.tensor,
                        shape,
                        dtype(options.float),
                        Compression::Raw,
                        &bytes,
                        checksum,
                    )
                    .unwrap();
                writer.finish().unwrap();
                same += usize::from(fs::read(&path).unwrap() == fs::read(&theirs).unwrap());
            }
            files += 1;
        }
    }
    println!("{files} files read, {same} the same as written by ztensor");
    assert_eq!(files, 160);
}

#[test]
fn what_it_writes_we_read() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("file.zt");
    for (count, dimension) in SHAPES {
        let rows = noise(count, dimension);
        let (columns, values, begins) = compressed(&rows, dimension);
        let shape = vec![count as u64, dimension as u64];
        let row_of = |(row, ends): (usize, &[u64])| vec![row as u64; (ends[1] - ends[0]) as usize];
        let coords: Vec<u64> =
            begins.windows(2).enumerate().flat_map(row_of).chain(columns.clone()).collect();
        let mut names = Vec::new();
        let mut writer = Writer::create(&path).unwrap();
        for compression in [Compression::Raw, Compression::Zstd(3)] {
            for checksum in [Checksum::None, Checksum::Crc32c, Checksum::Sha256] {
                for float in [FloatType::F32, FloatType::F16, FloatType::Bf16, FloatType::F64] {
                    let kind = format!("{compression:?}, {checksum:?}, {float:?}");
                    let (dense, csr, coo) =
                        (format!("dense {kind}"), format!("csr {kind}"), format!("coo {kind}"));
                    let (bytes, numbers) = (encoded(float, &rows), encoded(float, &values));
                    let dtype = dtype(float);
                    writer.add_bytes(&dense, shape.clone(), dtype, compression, &bytes, checksum).unwrap();
                    writer
                        .add_csr_bytes(
                            &csr,
                            shape.clone(),
                            dtype,
                            &numbers,
                            &columns,
                            &begins,
                            compression,
                            checksum,
                        )
                        .unwrap();
                    writer
                        .add_coo_bytes(&coo, shape.clone(), dtype, &numbers, &coords, compression, checksum)
                        .unwrap();
                    names.extend([dense, csr, coo].map(|name| (name, float, checksum)));
                }
            }
        }
        writer.finish().unwrap();
        for (name, float, checksum) in names {
            let file = ZtensorFile::open(&path).unwrap();
            let tensor = file.tensors().iter().find(|tensor| tensor.name == name).unwrap();
            let scheme = [None, Some("crc32c"), Some("sha256")][checksum as usize];
            assert_eq!(tensor.checksum, scheme, "{name}");
            let round = |value: &f32| match float {
                FloatType::F16 => f16::from_f32(*value).to_f32(),
                FloatType::Bf16 => bf16::from_f32(*value).to_f32(),
                _ => *value,
            };
            assert!(read(file, &name) == rows.iter().map(round).collect::<Vec<_>>(), "{name}");
        }
    }
}

#[test]
fn merged_files_are_read_by_it() {
    let folder = TempDir::new().unwrap();
    let mut sources = Vec::new();
    let mut expected = Vec::new();
    for (i, options) in kinds(ZtensorGeneration::V1_2).enumerate() {
        let path = folder.path().join(format!("{i}.zt"));
        let (count, dimension) = SHAPES[i % 5];
        let rows = noise(count, dimension);
        let options = ZtensorOptions { tensor: format!("{i}"), ..options };
        write(&path, dimension, options.clone(), &rows);
        sources.push(ZtensorFile::open(&path).unwrap());
        expected.push((options, rows, dimension));
    }
    let path = folder.path().join("merged.zt");
    let output = Box::new(AtomicFile::create(&path).unwrap());
    assert_eq!(merge_ztensors(&sources, output, &mut || {}).unwrap().count, 32);
    let reader = Reader::open(&path).unwrap();
    assert_eq!(reader.tensors().len(), 32);
    for (options, rows, dimension) in expected {
        compare(&reader, &options, &rows, dimension);
    }
}
