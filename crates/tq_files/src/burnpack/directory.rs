//! What a Burnpack file says of itself in CBOR: its tensors, and whatever else its writer wanted to say.
//!
//! ```text
//! { "tensors":  { NAME: { "dtype": D, "shape": [u64, …], "data_offsets": [start, end], "param_id": u64 } },
//!   "metadata": { text: text },
//!   "scalars":  { NAME: { "Int" | "UInt" | "Float" | "Bool": value } } }
//! D = "F32", …, { "Bool": "Native" | "U8" | "U32" } or { "QFloat": … }
//! ```
//! `param_id`, `metadata` and `scalars` may be missing, and keys that aren't known are passed over. Offsets count from where the
//! data begins. Burn's own readers let pass two tensors of one name or on one range, and any place for one; here none of that is.

use minicbor::Decoder;

use super::layout::{ALIGNMENT, HEADER_LEN, MOST_TENSOR_BYTES, MOST_TENSORS};
use crate::cbor::{self, CborError, Form, Item};
use crate::{ContainerError, FloatType};

/// The directory of a file.
#[derive(Debug, Clone, Default)]
pub(crate) struct Directory {
    /// In the order of the file's map, which Burn's writers sort by name.
    pub(crate) tensors: Vec<Entry>,
    pub(crate) metadata: Vec<(String, String)>,
    /// Names, and values as they are encoded.
    pub(crate) scalars: Vec<(String, Vec<u8>)>,
}

/// A tensor in the directory.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) dtype: Dtype,
    pub(crate) shape: Vec<u64>,
    /// First byte and the one after the last, from where the data begins.
    pub(crate) range: (u64, u64),
    pub(crate) param_id: Option<u64>,
}

/// The type of a tensor's elements.
#[derive(Debug, Clone)]
pub(crate) struct Dtype {
    /// What the format calls it.
    pub(crate) name: String,
    /// As it is encoded.
    pub(crate) cbor: Vec<u8>,
    /// Bytes of an element; `None` where they don't follow from the shape.
    pub(crate) width: Option<u64>,
    /// For those that can be read as numbers of vectors.
    pub(crate) float: Option<FloatType>,
}

impl Directory {
    /// Reads a directory and checks all that can be checked without the rest of the file.
    ///
    /// # Errors
    /// [`ContainerError::Malformed`].
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, ContainerError> {
        let directory = Self::read(bytes).map_err(|CborError { offset, problem }| {
            malformed(format!("Burnpack metadata: {problem} at byte {}", HEADER_LEN + offset))
        })?;
        if directory.tensors.len() > MOST_TENSORS {
            let count = directory.tensors.len();
            return Err(malformed(format!("{count} tensors: at most {MOST_TENSORS} are allowed")));
        }
        for entry in &directory.tensors {
            let problem = |problem| malformed(format!("tensor \"{}\": {problem}", entry.name.escape_debug()));
            entry.check().map_err(problem)?;
        }
        directory.check_disjoint()?;
        Ok(directory)
    }

    fn read(bytes: &[u8]) -> Result<Self, CborError> {
        let root = cbor::parse(bytes, Form::WellFormed)?;
        let mut directory = Directory::default();
        let mut tensors = None;
        for (key, value) in root.entries()? {
            match key.text()? {
                "tensors" => tensors = Some(value),
                "metadata" => {
                    for (key, value) in value.entries()? {
                        directory.metadata.push((key.text()?.to_owned(), value.text()?.to_owned()));
                    }
                }
                "scalars" => {
                    for (key, value) in value.entries()? {
                        check_scalar(&value)?;
                        directory.scalars.push((key.text()?.to_owned(), value.encoded().to_vec()));
                    }
                }
                _ => {}
            }
        }
        for (name, descriptor) in tensors.ok_or(root.error("no tensors in the map"))?.entries()? {
            directory.tensors.push(Entry::read(name.text()?, &descriptor)?);
        }
        Ok(directory)
    }

    /// Checks that no byte belongs to two tensors.
    fn check_disjoint(&self) -> Result<(), ContainerError> {
        let mut entries: Vec<&Entry> =
            self.tensors.iter().filter(|entry| entry.range.0 < entry.range.1).collect();
        entries.sort_unstable_by_key(|entry| entry.range);
        match entries.windows(2).find(|pair| pair[0].range.1 > pair[1].range.0) {
            None => Ok(()),
            Some(pair) => {
                let [one, other] = [&pair[0].name, &pair[1].name].map(|name| name.escape_debug());
                Err(malformed(format!("tensors \"{one}\" and \"{other}\" overlap")))
            }
        }
    }

    /// The tensor whose bytes end last.
    pub(super) fn last(&self) -> Option<&Entry> {
        self.tensors.iter().max_by_key(|entry| entry.range.1)
    }
}

impl Entry {
    fn read(name: &str, descriptor: &Item<'_>) -> Result<Self, CborError> {
        let (mut dtype, mut shape, mut range, mut param_id) = (None, None, None, None);
        for (key, value) in descriptor.entries()? {
            match key.text()? {
                "dtype" => dtype = Some(Dtype::read(&value)?),
                "shape" => {
                    shape =
                        Some(value.elements()?.map(|size| size.unsigned()).collect::<Result<Vec<_>, _>>()?);
                }
                "data_offsets" => {
                    let offsets = value.elements()?.map(|offset| offset.unsigned());
                    range = match offsets.collect::<Result<Vec<_>, _>>()?[..] {
                        [start, end] => Some((start, end)),
                        _ => return Err(value.error("expected two offsets")),
                    };
                }
                "param_id" if !value.is_null() => param_id = Some(value.unsigned()?),
                _ => {}
            }
        }
        let missing = |problem| descriptor.error(problem);
        Ok(Entry {
            name: name.to_owned(),
            dtype: dtype.ok_or(missing("tensor without dtype"))?,
            shape: shape.ok_or(missing("tensor without shape"))?,
            range: range.ok_or(missing("tensor without data_offsets"))?,
            param_id,
        })
    }

    /// Bytes of the tensor.
    pub(crate) fn len(&self) -> u64 {
        self.range.1.saturating_sub(self.range.0)
    }

    /// Says what is wrong with the tensor's place and size.
    fn check(&self) -> Result<(), String> {
        let (start, end) = self.range;
        if start > end {
            return Err(format!("its data ends at {end}, before it starts at {start}"));
        }
        if start % ALIGNMENT != 0 {
            return Err(format!("its data starts at {start}, not at a multiple of {ALIGNMENT}"));
        }
        if self.len() > MOST_TENSOR_BYTES {
            return Err(format!("it has {} bytes: at most {MOST_TENSOR_BYTES} are allowed", self.len()));
        }
        let Some(width) = self.dtype.width else { return Ok(()) };
        let elements = self.shape.iter().try_fold(1u64, |product, size| product.checked_mul(*size));
        match elements.and_then(|elements| elements.checked_mul(width)) {
            Some(needed) if needed == self.len() => Ok(()),
            Some(needed) => Err(format!(
                "it has {} bytes: its shape {:?} of {} needs {needed}",
                self.len(),
                self.shape,
                self.dtype.name
            )),
            None => Err(format!("its shape {:?} is beyond all bounds", self.shape)),
        }
    }
}

impl Dtype {
    /// The type that a float is called by in files that are written here.
    pub(super) fn of(float: FloatType) -> Self {
        let name = match float {
            FloatType::F16 => "F16",
            FloatType::Bf16 => "BF16",
            FloatType::F32 => "F32",
            FloatType::F64 => "F64",
        };
        Dtype { float: Some(float), ..Dtype::named(name, float.width() as u64) }
    }

    /// A type of that name, of so many bytes, which isn't read as vectors.
    pub(crate) fn named(name: &str, width: u64) -> Self {
        let cbor = crate::cbor::encode::text(name);
        Dtype { name: name.to_owned(), cbor, width: Some(width), float: None }
    }

    /// That of booleans, a byte each.
    pub(crate) fn boolean() -> Self {
        let cbor = crate::cbor::encode::encoded(|out| out.map(1)?.str("Bool")?.str("Native").map(drop));
        Dtype { name: "Bool(Native)".to_owned(), cbor, width: Some(1), float: None }
    }

    fn read(item: &Item<'_>) -> Result<Self, CborError> {
        let unknown = item.error("unknown dtype");
        let (name, width, float) = if item.is_map() {
            let mut entries = item.entries()?;
            let (kind, value) = entries.next().ok_or(unknown.clone())?;
            if entries.next().is_some() {
                return Err(unknown);
            }
            match kind.text()? {
                "Bool" => match value.text()? {
                    store @ ("Native" | "U8") => (format!("Bool({store})"), Some(1), None),
                    "U32" => ("Bool(U32)".to_owned(), Some(4), None),
                    _ => return Err(unknown),
                },
                "QFloat" if value.is_map() => ("QFloat".to_owned(), None, None),
                _ => return Err(unknown),
            }
        } else {
            let name = item.text()?;
            let (width, float) = match name {
                "F64" => (8, Some(FloatType::F64)),
                "F32" | "Flex32" => (4, Some(FloatType::F32)),
                "F16" => (2, Some(FloatType::F16)),
                "BF16" => (2, Some(FloatType::Bf16)),
                "I64" | "U64" => (8, None),
                "I32" | "U32" => (4, None),
                "I16" | "U16" => (2, None),
                // "Bool" alone is what Burn wrote before version 0.21.
                "I8" | "U8" | "Bool" => (1, None),
                _ => return Err(unknown),
            };
            (name.to_owned(), Some(width), float)
        };
        Ok(Dtype { name, cbor: item.encoded().to_vec(), width, float })
    }
}

/// Checks that an item is a map of one entry, a type and a value of it.
fn check_scalar(item: &Item<'_>) -> Result<(), CborError> {
    let wrong = item.error("expected a scalar");
    let mut entries = item.entries()?;
    let (Some((kind, value)), None) = (entries.next(), entries.next()) else {
        return Err(wrong);
    };
    let mut decoder = Decoder::new(value.encoded());
    let fits = match kind.text()? {
        "Int" => decoder.i64().is_ok(),
        "UInt" => decoder.u64().is_ok(),
        "Float" => decoder.f64().is_ok(),
        "Bool" => decoder.bool().is_ok(),
        _ => false,
    };
    if fits { Ok(()) } else { Err(wrong) }
}

fn malformed(problem: String) -> ContainerError {
    ContainerError::Malformed(problem)
}
