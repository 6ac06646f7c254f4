//! Pickles, as far as PyTorch writes them of tensors: a program for a machine with a stack and a memo, of which those steps are
//! done that put values together. Nothing is run: functions are names, and those that make tensors of a storage are known; every
//! other step and name is refused.
//!
//! What a step costs is bounded by its bytes: values are copied as numbers of what is kept, so that neither a memo that is
//! read again and again nor one that refers to itself makes anything larger than the pickle.

mod global;
mod made;
mod opcode;
mod value;

use tq_memory::Grow;

pub(super) use self::value::{Kept, Place, Storage, Tensor, Text, Value};
use crate::ContainerError;

/// The longest pickle that is read: a tensor takes some two hundred bytes.
pub(super) const MOST_BYTES: u64 = 16 << 20;
/// The newest protocol.
const MOST_PROTOCOL: u8 = 5;
/// The way out of what isn't read.
const HINT: &str =
    "Save the tensors alone: torch.save(model.state_dict(), path), or a dictionary of tensors.";

/// A pickle that was read: its value, and what that stands for.
pub(super) struct Pickle<'p> {
    bytes: &'p [u8],
    pub(super) kept: Kept,
    pub(super) value: Value,
}

impl<'p> Pickle<'p> {
    /// Reads a pickle.
    ///
    /// # Errors
    /// [`ContainerError::Malformed`]; [`ContainerError::NotRead`] for steps and names that tensors don't need.
    pub(super) fn read(bytes: &'p [u8]) -> Result<Self, ContainerError> {
        let mut machine = Machine {
            bytes,
            at: 0,
            stack: Vec::new(),
            marks: Vec::new(),
            memo: Vec::new(),
            kept: Kept::default(),
        };
        loop {
            if let Some(value) = machine.step()? {
                let Machine { kept, .. } = machine;
                return Ok(Pickle { bytes, kept, value });
            }
        }
    }

    /// Bytes of it.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The text that a value is.
    pub(super) fn text(&self, text: Text) -> &'p str {
        text_of(self.bytes, text)
    }
}

fn text_of(bytes: &[u8], text: Text) -> &str {
    let bytes = bytes.get(text.start as usize..text.end as usize).unwrap_or_default();
    std::str::from_utf8(bytes).unwrap_or_default()
}

struct Machine<'p> {
    bytes: &'p [u8],
    at: usize,
    stack: Vec<Value>,
    /// How high the stack was at each mark.
    marks: Vec<usize>,
    memo: Vec<Option<Value>>,
    kept: Kept,
}

impl<'p> Machine<'p> {
    /// Does one step; the value at the end.
    fn step(&mut self) -> Result<Option<Value>, ContainerError> {
        let at = self.at;
        let [code] = self.array()?;
        match code {
            // PROTO, FRAME
            0x80 => match self.array()? {
                [version] if version <= MOST_PROTOCOL => {}
                [version] => return Err(malformed(format!("protocol {version} is not known"))),
            },
            0x95 => drop(self.array::<8>()?),
            // STOP
            b'.' => return self.end().map(Some),
            b'(' => self.marks.try_push(self.stack.len())?,
            // NONE, NEWTRUE, NEWFALSE, BINFLOAT, bytes
            b'N' | 0x88 | 0x89 => self.push(Value::Other)?,
            b'G' => {
                self.array::<8>()?;
                self.push(Value::Other)?;
            }
            b'C' => {
                let [length] = self.array()?;
                self.pass(length.into())?;
            }
            b'B' => {
                let length = u32::from_le_bytes(self.array()?);
                self.pass(length.into())?;
            }
            // Whole numbers
            b'J' => {
                let number = i32::from_le_bytes(self.array()?);
                self.push(Value::Integer(number.into()))?;
            }
            b'K' => {
                let [number] = self.array()?;
                self.push(Value::Integer(number.into()))?;
            }
            b'M' => {
                let number = u16::from_le_bytes(self.array()?);
                self.push(Value::Integer(number.into()))?;
            }
            0x8a => self.long()?,
            // Texts
            b'X' => {
                let length = u32::from_le_bytes(self.array()?);
                self.push_text(length.into())?;
            }
            0x8c => {
                let [length] = self.array()?;
                self.push_text(length.into())?;
            }
            0x8d => {
                let length = u64::from_le_bytes(self.array()?);
                self.push_text(length)?;
            }
            // Tuples, lists, dictionaries
            b')' => self.tuple(0)?,
            0x85..=0x87 => self.tuple(usize::from(code - 0x84))?,
            b't' => {
                let items = self.since_mark()?;
                let place = self.kept.keep(items)?;
                self.push(Value::Tuple(place))?;
            }
            b']' => {
                let place = self.kept.keep(Vec::new())?;
                self.push(Value::List(place))?;
            }
            b'}' => self.dict()?,
            b'a' => {
                let items = self.take(1)?;
                self.extend(&items, |value| matches!(value, Value::List(_)))?;
            }
            b'e' => {
                let items = self.since_mark()?;
                self.extend(&items, |value| matches!(value, Value::List(_)))?;
            }
            b's' => {
                let items = self.take(2)?;
                self.extend(&items, |value| matches!(value, Value::Dict(_)))?;
            }
            b'u' => {
                let items = self.since_mark()?;
                if !items.len().is_multiple_of(2) {
                    return Err(malformed(format!("a key without a value at byte {at}")));
                }
                self.extend(&items, |value| matches!(value, Value::Dict(_)))?;
            }
            // Names and what is made by them
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.global(module, name)?;
            }
            0x93 => {
                let names = self.take(2)?;
                let [Value::Text(module), Value::Text(name)] = names[..] else {
                    return Err(malformed(format!("a name that is no text at byte {at}")));
                };
                let bytes = self.bytes;
                self.global(text_of(bytes, module), text_of(bytes, name))?;
            }
            b'Q' => self.storage()?,
            b'R' => self.reduce()?,
            b'b' => self.build()?,
            // The memo
            b'q' => {
                let [place] = self.array()?;
                self.put(place.into())?;
            }
            b'r' => {
                let place = u32::from_le_bytes(self.array()?);
                self.put(place as usize)?;
            }
            0x94 => self.put(self.memo.len())?,
            b'h' => {
                let [place] = self.array()?;
                self.get(place.into())?;
            }
            b'j' => {
                let place = u32::from_le_bytes(self.array()?);
                self.get(place as usize)?;
            }
            other => {
                return Err(match opcode::name(other) {
                    Some(name) => not_read(format!("its pickle has the step {name}, at byte {at}")),
                    None => malformed(format!("no step begins with {other:#04x}, at byte {at}")),
                });
            }
        }
        Ok(None)
    }

    fn end(&mut self) -> Result<Value, ContainerError> {
        let value = self.pop()?;
        match (self.stack.is_empty() && self.marks.is_empty(), self.at == self.bytes.len()) {
            (false, _) => Err(malformed("it ends with more than one value".to_owned())),
            (true, false) => Err(malformed(format!("something stands behind its end, at byte {}", self.at))),
            (true, true) => Ok(value),
        }
    }

    fn bytes(&mut self, count: u64) -> Result<&'p [u8], ContainerError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let taken = usize::try_from(count).ok().and_then(|count| rest.get(..count));
        let Some(taken) = taken else {
            return Err(malformed(format!("it breaks off: {count} bytes needed from byte {} on", self.at)));
        };
        self.at += taken.len();
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ContainerError> {
        Ok(self.bytes(N as u64)?.try_into().unwrap_or([0; N]))
    }

    /// Passes over bytes that are a value.
    fn pass(&mut self, count: u64) -> Result<(), ContainerError> {
        self.bytes(count)?;
        self.push(Value::Other)
    }

    /// The text up to the end of a line.
    fn line(&mut self) -> Result<&'p str, ContainerError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|byte| *byte == b'\n');
        let text = length.and_then(|length| std::str::from_utf8(&rest[..length]).ok());
        let Some(text) = text else {
            return Err(malformed(format!("a name without an end at byte {}", self.at)));
        };
        self.at += text.len() + 1;
        Ok(text)
    }

    fn push(&mut self, value: Value) -> Result<(), ContainerError> {
        Ok(self.stack.try_push(value)?)
    }

    fn push_text(&mut self, length: u64) -> Result<(), ContainerError> {
        let start = self.at as u32;
        if std::str::from_utf8(self.bytes(length)?).is_err() {
            return Err(malformed(format!("a text that isn't UTF-8 at byte {start}")));
        }
        self.push(Value::Text(Text { start, end: self.at as u32 }))
    }

    /// A whole number of so many bytes, the lowest first.
    fn long(&mut self) -> Result<(), ContainerError> {
        let [length] = self.array()?;
        let bytes = self.bytes(length.into())?;
        let sign = if bytes.last().is_some_and(|byte| *byte >= 0x80) { 0xff } else { 0 };
        let mut number = [sign; 8];
        let value = match number.get_mut(..bytes.len()) {
            Some(place) => {
                place.copy_from_slice(bytes);
                Value::Integer(i64::from_le_bytes(number))
            }
            None => Value::Other,
        };
        self.push(value)
    }

    fn pop(&mut self) -> Result<Value, ContainerError> {
        let above = self.marks.last().copied().unwrap_or_default();
        match self.stack.len() > above {
            true => Ok(self.stack.pop().unwrap_or(Value::Other)),
            false => Err(malformed(format!("a value is missing in front of byte {}", self.at))),
        }
    }

    /// The last so many values, in their order.
    fn take(&mut self, count: usize) -> Result<Vec<Value>, ContainerError> {
        let above = self.marks.last().copied().unwrap_or_default();
        match self.stack.len().checked_sub(count).filter(|start| *start >= above) {
            Some(start) => self.split(start),
            None => Err(malformed(format!("a value is missing in front of byte {}", self.at))),
        }
    }

    /// The values behind the last mark, which goes.
    fn since_mark(&mut self) -> Result<Vec<Value>, ContainerError> {
        match self.marks.pop() {
            Some(start) => self.split(start),
            None => Err(malformed(format!("a mark is missing in front of byte {}", self.at))),
        }
    }

    fn split(&mut self, start: usize) -> Result<Vec<Value>, ContainerError> {
        let taken = tq_memory::copied(self.stack.get(start..).unwrap_or_default())?;
        self.stack.truncate(start);
        Ok(taken)
    }

    fn tuple(&mut self, count: usize) -> Result<(), ContainerError> {
        let items = self.take(count)?;
        let place = self.kept.keep(items)?;
        self.push(Value::Tuple(place))
    }

    fn dict(&mut self) -> Result<(), ContainerError> {
        let place = self.kept.keep(Vec::new())?;
        self.push(Value::Dict(place))
    }

    /// Adds items to the list or dictionary that is the last value.
    fn extend(&mut self, items: &[Value], takes: impl Fn(Value) -> bool) -> Result<(), ContainerError> {
        let value = self.pop()?;
        self.push(value)?;
        match value {
            Value::List(place) | Value::Dict(place) if takes(value) => {
                if let Some(all) = self.kept.items_mut(place) {
                    all.try_extend(items)?;
                }
                Ok(())
            }
            _ => Err(malformed(format!("items of what has none, in front of byte {}", self.at))),
        }
    }

    fn put(&mut self, place: usize) -> Result<(), ContainerError> {
        let value = self.pop()?;
        self.push(value)?;
        // Each takes more than a byte.
        if place >= self.bytes.len() {
            return Err(malformed(format!("place {place} of the memo, in front of byte {}", self.at)));
        }
        if place >= self.memo.len() {
            self.memo.try_resize(place + 1, None)?;
        }
        self.memo[place] = Some(value);
        Ok(())
    }

    fn get(&mut self, place: usize) -> Result<(), ContainerError> {
        match self.memo.get(place).copied().flatten() {
            Some(value) => self.push(value),
            None => Err(malformed(format!("the memo has nothing at {place}, in front of byte {}", self.at))),
        }
    }
}

fn malformed(problem: String) -> ContainerError {
    ContainerError::Malformed(format!("pickle: {problem}"))
}

fn not_read(problem: String) -> ContainerError {
    ContainerError::NotRead { problem, hint: HINT }
}
