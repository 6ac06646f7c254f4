//! What is made of values: what functions that are known give for their arguments, and storages.

use super::global::Global;
use super::value::{Storage, Tensor, Value};
use super::{Machine, malformed, not_read, text_of};
use crate::ContainerError;

/// Characters of a name that errors show.
const SHOWN: usize = 100;

impl Machine<'_> {
    /// Pushes what a name stands for.
    pub(super) fn global(&mut self, module: &str, name: &str) -> Result<(), ContainerError> {
        let Some(global) = Global::of(module, name) else {
            let named = format!("{module}.{name}");
            let shown: String = named.chars().take(SHOWN).collect();
            let problem = format!("its pickle names \"{}\", which is not run", shown.escape_debug());
            return Err(not_read(problem));
        };
        self.push(Value::Global(global))
    }

    /// What an id that is kept outside of the pickle stands for: `('storage', type, key, device, count)`.
    pub(super) fn storage(&mut self) -> Result<(), ContainerError> {
        let wrong = malformed(format!("no storage in front of byte {}", self.at));
        let Value::Tuple(place) = self.pop()? else { return Err(wrong) };
        let [Value::Text(what), Value::Global(kind), Value::Text(key), _, Value::Integer(count)] =
            self.kept.items(place)[..]
        else {
            return Err(wrong);
        };
        let dtype = match kind {
            Global::Storage(dtype) => Some(dtype),
            Global::Bytes => None,
            _ => return Err(wrong),
        };
        let Some(count) = u64::try_from(count).ok().filter(|_| text_of(self.bytes, what) == "storage") else {
            return Err(wrong);
        };
        let storage = self.kept.keep_storage(Storage { dtype, key, count })?;
        self.push(storage)
    }

    /// What a function gives for its arguments.
    pub(super) fn reduce(&mut self) -> Result<(), ContainerError> {
        let at = self.at;
        let wrong = || malformed(format!("arguments that aren't those of a tensor, in front of byte {at}"));
        let items = self.take(2)?;
        let [Value::Global(function), Value::Tuple(place)] = items[..] else { return Err(wrong()) };
        let arguments = self.kept.items(place);
        let value = match (function, arguments) {
            (Global::OrderedDict, []) => return self.dict(),
            (Global::Parameter, [tensor @ Value::Tensor(_), ..]) => *tensor,
            (
                Global::Tensor,
                [
                    Value::Storage(storage),
                    Value::Integer(offset),
                    Value::Tuple(size),
                    Value::Tuple(stride),
                    ..,
                ],
            ) => {
                let dtype =
                    self.kept.storage(*storage).and_then(|storage| storage.dtype).ok_or_else(wrong)?;
                let offset = u64::try_from(*offset).map_err(|_| wrong())?;
                let tensor = Tensor { storage: *storage, dtype, offset, size: *size, stride: *stride };
                self.kept.keep_tensor(tensor)?
            }
            (
                Global::TypedTensor,
                [
                    Value::Storage(storage),
                    Value::Integer(offset),
                    Value::Tuple(size),
                    Value::Tuple(stride),
                    _,
                    _,
                    Value::Global(Global::Dtype(dtype)),
                    ..,
                ],
            ) => {
                let offset = u64::try_from(*offset).map_err(|_| wrong())?;
                let tensor =
                    Tensor { storage: *storage, dtype: *dtype, offset, size: *size, stride: *stride };
                self.kept.keep_tensor(tensor)?
            }
            _ => return Err(wrong()),
        };
        self.push(value)
    }

    /// Passes over the attributes of a dictionary, such as the versions of modules in a state dictionary.
    pub(super) fn build(&mut self) -> Result<(), ContainerError> {
        let (_, object) = (self.pop()?, self.pop()?);
        match object {
            Value::Dict(_) => self.push(object),
            _ => Err(not_read(format!(
                "its pickle gives attributes to what is no dictionary, at byte {}",
                self.at
            ))),
        }
    }
}
