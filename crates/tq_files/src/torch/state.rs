//! The tensors that a pickle's value has, and what they are called: by the keys and numbers that lead to them.

use tq_memory::Grow;

use super::pickle::{Pickle, Place, Tensor, Value};
use crate::ContainerError;

/// How deep dictionaries and lists may be nested.
const MOST_DEPTH: u32 = 32;
const MOST_NAME_BYTES: usize = 1024;

/// A tensor under its name.
pub(super) struct Named {
    pub(super) name: String,
    pub(super) tensor: Tensor,
}

/// All tensors of a pickle, in its order.
///
/// # Errors
/// [`ContainerError::Malformed`] for values that are nested too deeply, in a circle among others; [`ContainerError::NotRead`] for more
/// names than bytes could write down.
pub(super) fn tensors(pickle: &Pickle<'_>) -> Result<Vec<Named>, ContainerError> {
    let bytes = pickle.len();
    // What is in several places costs the pickle few bytes and the reader many.
    let mut walk = Walk {
        pickle,
        name: tq_memory::with_capacity(2 * MOST_NAME_BYTES)?,
        found: Vec::new(),
        visits: 4 * bytes + 1024,
        tensors: bytes / 8 + 16,
        name_bytes: 4 * bytes + 1024,
    };
    walk.value(pickle.value, 0)?;
    Ok(walk.found)
}

struct Walk<'p, 'b> {
    pickle: &'p Pickle<'b>,
    /// The name of where it is.
    name: Vec<u8>,
    found: Vec<Named>,
    /// What is still allowed: values looked at, tensors, bytes of their names.
    visits: usize,
    tensors: usize,
    name_bytes: usize,
}

impl Walk<'_, '_> {
    fn value(&mut self, value: Value, depth: u32) -> Result<(), ContainerError> {
        self.visits = self.visits.checked_sub(1).ok_or_else(too_many)?;
        match value {
            Value::Tensor(place) => self.tensor(place),
            Value::Dict(_) | Value::List(_) | Value::Tuple(_) if depth == MOST_DEPTH => {
                Err(malformed("its values are nested too deeply".to_owned()))
            }
            Value::Dict(place) => {
                let pickle = self.pickle;
                for pair in pickle.kept.items(place).as_chunks::<2>().0 {
                    match pair[0] {
                        Value::Text(key) => self.inside(pickle.text(key), pair[1], depth)?,
                        Value::Integer(key) => self.inside(&key.to_string(), pair[1], depth)?,
                        _ => self.inside("?", pair[1], depth)?,
                    }
                }
                Ok(())
            }
            Value::List(place) | Value::Tuple(place) => {
                for (number, item) in self.pickle.kept.items(place).iter().enumerate() {
                    match item {
                        Value::Other | Value::Integer(_) | Value::Text(_) => {}
                        _ => self.inside(&number.to_string(), *item, depth)?,
                    }
                }
                Ok(())
            }
            Value::Other | Value::Integer(_) | Value::Text(_) => Ok(()),
            Value::Global(_) | Value::Storage(_) => Ok(()),
        }
    }

    /// Looks at a value under a key of what is at hand.
    fn inside(&mut self, key: &str, value: Value, depth: u32) -> Result<(), ContainerError> {
        let length = self.name.len();
        if !matches!(value, Value::Dict(_) | Value::List(_) | Value::Tuple(_) | Value::Tensor(_)) {
            return self.value(value, depth + 1);
        }
        let dot = usize::from(depth > 0);
        if length + dot + key.len() > MOST_NAME_BYTES {
            return Err(malformed(format!("a name has more than {MOST_NAME_BYTES} bytes")));
        }
        // It has room for as many.
        self.name.extend_from_slice(&b"."[..dot]);
        self.name.extend_from_slice(key.as_bytes());
        self.value(value, depth + 1)?;
        self.name.truncate(length);
        Ok(())
    }

    fn tensor(&mut self, place: Place) -> Result<(), ContainerError> {
        self.tensors = self.tensors.checked_sub(1).ok_or_else(too_many)?;
        self.name_bytes = self.name_bytes.checked_sub(self.name.len()).ok_or_else(too_many)?;
        let name = tq_memory::text(std::str::from_utf8(&self.name).unwrap_or_default())?;
        if let Some(tensor) = self.pickle.kept.tensor(place) {
            self.found.try_push(Named { name, tensor: *tensor })?;
        }
        Ok(())
    }
}

fn too_many() -> ContainerError {
    ContainerError::NotRead {
        problem: "its pickle has the same values in too many places".to_owned(),
        hint: "Save the tensors alone, each under one name.",
    }
}

fn malformed(problem: String) -> ContainerError {
    ContainerError::Malformed(format!("pickle: {problem}"))
}
