//! What the tests of zTensor files share: reading them, and files made by hand.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::path::Path;

use minicbor::Encoder;
use tq_files::{Container, RowsError, ZtensorFile, ZtensorGeneration};
use xxhash_rust::xxh3::xxh3_64;
use zstd::stream::raw::CParameter;

pub(crate) type Cbor<'a> = Encoder<&'a mut Vec<u8>>;

const MAGIC_2: &[u8; 8] = b"\x89ZT2\r\n\x1a\n";

/// Rows that are read of one tensor at most: a few bytes can declare very many that are zero.
const MOST_ROWS: u64 = 1 << 16;

/// All numbers of a tensor, read in blocks of changing size.
pub(crate) fn read(path: &Path, tensor: usize) -> Result<Vec<f32>, RowsError> {
    let file = Box::new(ZtensorFile::open(path).expect("opened before"));
    let mut rows = file.rows(tensor, &mut || {})?;
    let (mut numbers, mut count) = (Vec::new(), 0);
    for most in (1..).map(|i| i % 5 * 3 + 1) {
        let before = numbers.len();
        let read = rows.read(most, &mut numbers)?;
        assert!(read <= most);
        assert_eq!(numbers.len() - before, read * rows.dimension() as usize);
        count += read as u64;
        if read == 0 || count > MOST_ROWS {
            break;
        }
    }
    assert!(count == rows.rows() || count > MOST_ROWS);
    assert!(numbers.iter().all(|number| number.is_finite()));
    Ok(numbers)
}

/// A file of generation 0.1, 1.0 or 1.2: its magic, data at 64, the directory and the footer.
pub(crate) fn old_file(magic: &[u8; 8], data: &[u8], directory: impl FnOnce(&mut Cbor<'_>)) -> Vec<u8> {
    let mut bytes = magic.to_vec();
    bytes.resize(64, 0);
    bytes.extend_from_slice(data);
    let start = bytes.len();
    directory(&mut Encoder::new(&mut bytes));
    let size = (bytes.len() - start) as u64;
    bytes.extend(size.to_le_bytes());
    bytes
}

/// A file of generation 2: data at 4096, the directory at the next multiple of that, and the footer.
pub(crate) fn new_file(data: &[u8], directory: impl FnOnce(&mut Cbor<'_>)) -> Vec<u8> {
    let mut bytes = MAGIC_2.to_vec();
    bytes.resize(4096, 0);
    bytes.extend_from_slice(data);
    bytes.resize(bytes.len().next_multiple_of(4096), 0);
    let start = bytes.len();
    directory(&mut Encoder::new(&mut bytes));
    end_2(&mut bytes, start);
    bytes
}

/// Appends the footer of generation 2 to a directory that begins at `start`.
pub(crate) fn end_2(bytes: &mut Vec<u8>, start: usize) {
    let directory = &bytes[start..];
    let footer = [start as u64, directory.len() as u64, xxh3_64(directory), 2];
    bytes.extend(footer.map(u64::to_le_bytes).concat());
    bytes.extend(MAGIC_2);
}

/// A tensor of a file that is made by hand.
#[derive(Clone)]
pub(crate) struct Tensor {
    pub(crate) name: &'static str,
    /// As generation 1.2 calls it.
    pub(crate) layout: &'static str,
    pub(crate) shape: Vec<u64>,
    /// In the order of their names' lengths, and then of their letters.
    pub(crate) parts: Vec<Part>,
}

#[derive(Clone)]
pub(crate) struct Part {
    pub(crate) role: &'static str,
    /// As generations 1.2 and 2 call it.
    pub(crate) dtype: &'static str,
    /// What is in it, once it is decoded.
    pub(crate) content: Vec<u8>,
    pub(crate) stored: Stored,
}

/// How a part is stored.
#[derive(Clone)]
pub(crate) enum Stored {
    Raw,
    Zstd,
    /// As zstd, but these bytes, and with so many declared as decoded.
    Given(Vec<u8>, Option<u64>),
}

impl Part {
    fn bytes(&self, generation: ZtensorGeneration) -> Vec<u8> {
        match &self.stored {
            Stored::Raw => self.content.clone(),
            Stored::Zstd if generation == ZtensorGeneration::V2 => seekable(&self.content, 64),
            Stored::Zstd => zstd::bulk::compress(&self.content, 3).unwrap(),
            Stored::Given(bytes, _) => bytes.clone(),
        }
    }

    fn declared(&self) -> Option<u64> {
        match self.stored {
            Stored::Raw => None,
            Stored::Zstd => Some(self.content.len() as u64),
            Stored::Given(_, declared) => declared,
        }
    }

    fn digest(&self, generation: ZtensorGeneration) -> String {
        match generation {
            ZtensorGeneration::V2 => format!("xxh3:{:016x}", xxh3_64(&self.content)),
            _ => format!("crc32c:0x{:08X}", crc32c::crc32c(&self.bytes(generation))),
        }
    }
}

/// A part's frames of so much content each, and their table.
pub(crate) fn seekable(content: &[u8], frame: usize) -> Vec<u8> {
    let mut compressor = zstd::bulk::Compressor::new(3).unwrap();
    compressor.set_parameter(CParameter::ChecksumFlag(true)).unwrap();
    let frames: Vec<_> = content
        .chunks(frame)
        .map(|chunk| (compressor.compress(chunk).unwrap(), chunk.len() as u32))
        .collect();
    with_table(&frames)
}

/// Frames, each with the content that the table is to declare, and the table.
pub(crate) fn with_table(frames: &[(Vec<u8>, u32)]) -> Vec<u8> {
    let mut bytes: Vec<u8> = frames.iter().flat_map(|(frame, _)| frame).copied().collect();
    bytes.extend(0x184D_2A5Eu32.to_le_bytes());
    bytes.extend((frames.len() as u32 * 8 + 9).to_le_bytes());
    for (frame, content) in frames {
        bytes.extend((frame.len() as u32).to_le_bytes());
        bytes.extend(content.to_le_bytes());
    }
    bytes.extend((frames.len() as u32).to_le_bytes());
    bytes.push(0);
    bytes.extend(0x8F92_EAB1u32.to_le_bytes());
    bytes
}

/// A file made by hand, and where its parts begin.
pub(crate) fn build(
    generation: ZtensorGeneration,
    tensors: &[Tensor],
    checksums: bool,
) -> (Vec<u8>, Vec<usize>) {
    let (start, align) = if generation == ZtensorGeneration::V2 { (4096, 4096) } else { (64, 64) };
    let (mut data, mut places) = (Vec::new(), Vec::new());
    for part in tensors.iter().flat_map(|tensor| &tensor.parts) {
        data.resize(data.len().next_multiple_of(align), 0);
        places.push(start + data.len());
        data.extend(part.bytes(generation));
    }
    let mut next = places.iter().copied();
    let mut place = || next.next().unwrap();
    let bytes = match generation {
        ZtensorGeneration::V0_1 => old_file(b"ZTEN0001", &data, |out| {
            out.array(tensors.len() as u64).unwrap();
            tensors.iter().for_each(|tensor| record(out, tensor, place(), checksums));
        }),
        ZtensorGeneration::V2 => new_file(&data, |out| {
            out.map(1).unwrap().str("objects").unwrap().map(tensors.len() as u64).unwrap();
            tensors.iter().for_each(|tensor| object_2(out, tensor, &mut place, checksums));
        }),
        _ => {
            let mut bytes = old_file(b"ZTEN1000", &data, |out| {
                out.map(2).unwrap().str("version").unwrap().str("1.2.0").unwrap();
                let key = if generation == ZtensorGeneration::V1_0 { "tensors" } else { "objects" };
                out.str(key).unwrap().map(tensors.len() as u64).unwrap();
                tensors.iter().for_each(|tensor| object_1(out, generation, tensor, &mut place, checksums));
            });
            if generation == ZtensorGeneration::V1_2 {
                bytes.extend(b"ZTEN1000");
            }
            bytes
        }
    };
    (bytes, places)
}

/// The name of a type in generations 0.1 and 1.0.
fn long(dtype: &str) -> String {
    let at = dtype.find(|c: char| c.is_ascii_digit()).unwrap();
    let (kind, width) = dtype.split_at(at);
    let kind = match kind {
        "f" => "float",
        "bf" => "bfloat",
        "i" => "int",
        _ => "uint",
    };
    format!("{kind}{width}")
}

fn record(out: &mut Cbor<'_>, tensor: &Tensor, place: usize, checksum: bool) {
    let part = &tensor.parts[0];
    let bytes = part.bytes(ZtensorGeneration::V0_1);
    out.map(7 + u64::from(checksum)).unwrap().str("name").unwrap().str(tensor.name).unwrap();
    out.str("offset")
        .unwrap()
        .u64(place as u64)
        .unwrap()
        .str("size")
        .unwrap()
        .u64(bytes.len() as u64)
        .unwrap();
    out.str("dtype").unwrap().str(&long(part.dtype)).unwrap().str("layout").unwrap().str("dense").unwrap();
    out.str("shape").unwrap().encode(&tensor.shape).unwrap().str("encoding").unwrap();
    out.str(if matches!(part.stored, Stored::Raw) { "raw" } else { "zstd" }).unwrap();
    if checksum {
        out.str("checksum").unwrap().str(&part.digest(ZtensorGeneration::V0_1)).unwrap();
    }
}

fn object_1(
    out: &mut Cbor<'_>,
    generation: ZtensorGeneration,
    tensor: &Tensor,
    place: &mut impl FnMut() -> usize,
    checksums: bool,
) {
    let oldest = generation == ZtensorGeneration::V1_0;
    out.str(tensor.name).unwrap().map(3 + u64::from(oldest)).unwrap();
    if oldest {
        let values = tensor.parts.iter().find(|part| ["data", "values"].contains(&part.role)).unwrap();
        out.str("dtype").unwrap().str(&long(values.dtype)).unwrap();
    }
    out.str("shape")
        .unwrap()
        .encode(&tensor.shape)
        .unwrap()
        .str("format")
        .unwrap()
        .str(tensor.layout)
        .unwrap();
    out.str("components").unwrap().map(tensor.parts.len() as u64).unwrap();
    for part in &tensor.parts {
        let compressed = !matches!(part.stored, Stored::Raw);
        let declared = part.declared().filter(|_| !oldest);
        let optional = [!oldest, compressed, declared.is_some(), checksums];
        out.str(part.role).unwrap().map(2 + optional.into_iter().map(u64::from).sum::<u64>()).unwrap();
        if !oldest {
            out.str("dtype").unwrap().str(part.dtype).unwrap();
        }
        out.str("offset").unwrap().u64(place() as u64).unwrap();
        out.str("length").unwrap().u64(part.bytes(generation).len() as u64).unwrap();
        if let Some(declared) = declared {
            out.str("uncompressed_length").unwrap().u64(declared).unwrap();
        }
        if compressed {
            out.str("encoding").unwrap().str("zstd").unwrap();
        }
        if checksums {
            out.str("digest").unwrap().str(&part.digest(generation)).unwrap();
        }
    }
}

fn object_2(out: &mut Cbor<'_>, tensor: &Tensor, place: &mut impl FnMut() -> usize, checksums: bool) {
    let layout = match tensor.layout {
        "sparse_csr" => "zt.sparse_csr/1",
        "sparse_coo" => "zt.sparse_coo/1",
        other => other,
    };
    out.str(tensor.name)
        .unwrap()
        .map(3)
        .unwrap()
        .str("parts")
        .unwrap()
        .map(tensor.parts.len() as u64)
        .unwrap();
    for part in &tensor.parts {
        let declared = part.declared();
        out.str(part.role)
            .unwrap()
            .map(2 + 2 * u64::from(declared.is_some()) + u64::from(checksums))
            .unwrap();
        let length = part.bytes(ZtensorGeneration::V2).len() as u64;
        out.str("blob").unwrap().encode([place() as u64, length]).unwrap();
        out.str("dtype").unwrap().str(part.dtype).unwrap();
        if checksums {
            out.str("digest").unwrap().str(&part.digest(ZtensorGeneration::V2)).unwrap();
        }
        if let Some(declared) = declared {
            out.str("encoding").unwrap().str("zt.zstd-seekable/1").unwrap();
            out.str("decoded_length").unwrap().u64(declared).unwrap();
        }
    }
    out.str("shape").unwrap().encode(&tensor.shape).unwrap().str("layout").unwrap().str(layout).unwrap();
}
