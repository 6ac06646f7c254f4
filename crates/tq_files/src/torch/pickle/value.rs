//! What a pickle holds, as far as tensors need it.

use tq_memory::{Grow, OutOfMemory};

use super::global::{Dtype, Global};

/// A value: small, or the number of something that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::torch) enum Value {
    /// Of no interest: none, a truth value, a number with a fraction, bytes, an object that isn't read.
    Other,
    Integer(i64),
    Text(Text),
    Global(Global),
    Tuple(Place),
    List(Place),
    /// Keys and values in turn.
    Dict(Place),
    Storage(Place),
    Tensor(Place),
}

impl Value {
    /// The natural number that it is.
    pub(in crate::torch) fn natural(self) -> Option<u64> {
        match self {
            Value::Integer(number) => u64::try_from(number).ok(),
            _ => None,
        }
    }
}

/// The number of what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::torch) struct Place(u32);

/// A stretch of the pickle, which is UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::torch) struct Text {
    pub(super) start: u32,
    pub(super) end: u32,
}

/// The numbers that tensors share, in an entry of the archive.
#[derive(Debug, Clone, Copy)]
pub(in crate::torch) struct Storage {
    /// `None` if it is of bytes, whose type the tensor says.
    pub(in crate::torch) dtype: Option<Dtype>,
    /// The name of its entry.
    pub(in crate::torch) key: Text,
    /// How many there are.
    pub(in crate::torch) count: u64,
}

/// A view of a storage.
#[derive(Debug, Clone, Copy)]
pub(in crate::torch) struct Tensor {
    pub(in crate::torch) storage: Place,
    pub(in crate::torch) dtype: Dtype,
    /// Numbers in front of the first.
    pub(in crate::torch) offset: u64,
    /// Tuples of as many whole numbers as it has dimensions.
    pub(in crate::torch) size: Place,
    pub(in crate::torch) stride: Place,
}

/// What values stand for.
#[derive(Debug, Default)]
pub(in crate::torch) struct Kept {
    items: Vec<Vec<Value>>,
    storages: Vec<Storage>,
    tensors: Vec<Tensor>,
}

impl Kept {
    /// Keeps the items of a tuple, a list or a dictionary.
    pub(super) fn keep(&mut self, items: Vec<Value>) -> Result<Place, OutOfMemory> {
        self.items.try_push(items)?;
        // A pickle has fewer bytes than that.
        Ok(Place(self.items.len() as u32 - 1))
    }

    pub(super) fn keep_storage(&mut self, storage: Storage) -> Result<Value, OutOfMemory> {
        self.storages.try_push(storage)?;
        Ok(Value::Storage(Place(self.storages.len() as u32 - 1)))
    }

    pub(super) fn keep_tensor(&mut self, tensor: Tensor) -> Result<Value, OutOfMemory> {
        self.tensors.try_push(tensor)?;
        Ok(Value::Tensor(Place(self.tensors.len() as u32 - 1)))
    }

    /// The items of a tuple, a list or a dictionary.
    pub(in crate::torch) fn items(&self, place: Place) -> &[Value] {
        self.items.get(place.0 as usize).map_or(&[], Vec::as_slice)
    }

    pub(super) fn items_mut(&mut self, place: Place) -> Option<&mut Vec<Value>> {
        self.items.get_mut(place.0 as usize)
    }

    pub(in crate::torch) fn storage(&self, place: Place) -> Option<&Storage> {
        self.storages.get(place.0 as usize)
    }

    pub(in crate::torch) fn tensor(&self, place: Place) -> Option<&Tensor> {
        self.tensors.get(place.0 as usize)
    }
}
