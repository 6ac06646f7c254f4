//! The keys of an index file: numbers, whole numbers of any length, texts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tq_corpus::{Ids, QvecFile, QvecRowId};
use tq_format::QvecId;

use super::open::index_error;
use crate::error::{Error, FormatError};

/// Keys copied out of an index at a time: a system call guards each such copy.
const KEYS_AT_ONCE: u32 = 1024;

/// A key of an index.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Key {
    Number(f64),
    /// A whole number of any length, in canonical decimal notation.
    Whole(String),
    Text(String),
}

/// The whole numbers that a double holds, each of them.
const MOST_EXACT: u64 = 1 << 53;

impl Key {
    pub(crate) fn of_whole(id: i64) -> Key {
        match id.unsigned_abs() <= MOST_EXACT {
            true => Key::Number(id as f64),
            false => Key::Whole(id.to_string()),
        }
    }

    /// A `numeric` in decimal notation.
    pub(crate) fn of_decimal(text: &str) -> Result<Key, Error> {
        // NaN and the infinities.
        if !text.trim_start_matches('-').starts_with(|first: char| first.is_ascii_digit()) {
            return Err(Error::Format(FormatError::KeyNumber(text.into())));
        }
        let whole = text.split('.').next().unwrap_or(text);
        let fraction = text.get(whole.len() + 1..).unwrap_or_default();
        if fraction.bytes().all(|digit| digit == b'0') {
            let canonical = if whole == "-0" { "0" } else { whole };
            return Ok(canonical.parse().map_or_else(|_| Key::Whole(canonical.into()), Key::of_whole));
        }
        // A fraction counts if the same digits come back.
        match text.parse::<f64>() {
            Ok(number) if number.to_string() == text.trim_end_matches('0') => Ok(Key::Number(number)),
            _ => Err(Error::Format(FormatError::KeyNumber(text.into()))),
        }
    }
}

/// Keys, read front to back.
pub(crate) trait KeySource {
    /// The next key.
    ///
    /// # Errors
    /// The file is not any more what it was.
    fn next(&mut self) -> Result<Key, Error>;
}

/// The next keys, so many.
///
/// # Errors
/// The source's.
pub(crate) fn all_keys(keys: &mut dyn KeySource, count: u64) -> Result<Vec<Key>, Error> {
    let mut all = tq_memory::with_capacity(usize::try_from(count).unwrap_or(usize::MAX))?;
    for _ in 0..count {
        // Keys that are texts are small pieces each.
        tq_memory::check()?;
        all.push(keys.next()?);
    }
    Ok(all)
}

/// Keys as the ids of a corpus: whole numbers if all are, else texts.
///
/// # Errors
/// [`Error::Memory`].
pub(crate) fn to_ids(keys: Vec<Key>) -> Result<Ids, Error> {
    let mut whole = tq_memory::with_capacity(keys.len())?;
    whole.extend(keys.iter().map_while(Key::as_whole));
    if whole.len() == keys.len() {
        return Ok(Ids::Bigint(whole));
    }
    drop(whole);
    let mut texts = tq_memory::with_capacity(keys.len())?;
    for key in keys {
        tq_memory::check()?;
        texts.push(key.into_text());
    }
    Ok(Ids::Text(texts))
}

impl Key {
    fn as_whole(&self) -> Option<i64> {
        match self {
            Key::Number(number) if number.fract() == 0.0 && number.abs() <= MOST_EXACT as f64 => {
                Some(*number as i64)
            }
            Key::Whole(digits) => digits.parse().ok(),
            Key::Number(_) | Key::Text(_) => None,
        }
    }

    /// The key as text; of a number the shortest digits that give the same number again.
    pub(crate) fn into_text(self) -> String {
        match self {
            Key::Number(number) => number.to_string(),
            Key::Whole(text) | Key::Text(text) => text,
        }
    }
}

/// The ids of a corpus as keys.
pub(crate) struct KeyList {
    ids: Ids,
    next: usize,
}

impl KeyList {
    pub(crate) fn new(ids: Ids) -> KeyList {
        KeyList { ids, next: 0 }
    }
}

impl KeySource for KeyList {
    fn next(&mut self) -> Result<Key, Error> {
        let key = match &mut self.ids {
            Ids::Bigint(ids) => ids.get(self.next).map(|id| Key::of_whole(*id)),
            Ids::Uuid(ids) => ids.get(self.next).map(|id| Key::Text(tq_corpus::uuid_text(id))),
            Ids::Text(ids) => ids.get_mut(self.next).map(|id| Key::Text(std::mem::take(id))),
        };
        self.next += 1;
        key.ok_or(Error::Format(FormatError::KeysMissing))
    }
}

impl Key {
    /// The key as an index has it.
    pub(crate) fn view(&self) -> QvecId<'_> {
        match self {
            Key::Number(number) => QvecId::Number(*number),
            Key::Whole(digits) => QvecId::Integer(digits),
            Key::Text(text) => QvecId::Text(text),
        }
    }
}

impl From<QvecRowId> for Key {
    fn from(id: QvecRowId) -> Key {
        match id {
            QvecRowId::Number(number) => Key::Number(number),
            QvecRowId::Integer(digits) => Key::Whole(digits),
            QvecRowId::Text(text) => Key::Text(text),
        }
    }
}

/// The keys of an index, in the order of its vectors.
pub(crate) struct IndexKeys {
    path: PathBuf,
    index: Arc<QvecFile>,
    /// The first slot whose key isn't copied yet.
    next: u32,
    some: std::vec::IntoIter<QvecRowId>,
}

impl IndexKeys {
    pub(crate) fn new(path: &Path, index: Arc<QvecFile>) -> IndexKeys {
        IndexKeys { path: path.into(), index, next: 0, some: Vec::new().into_iter() }
    }
}

impl KeySource for IndexKeys {
    fn next(&mut self) -> Result<Key, Error> {
        if self.some.len() == 0 {
            let slots = self.next..self.next.saturating_add(KEYS_AT_ONCE);
            let some = self.index.ids(slots).map_err(|error| index_error(&self.path, error))?;
            self.next += some.len() as u32;
            self.some = some.into_iter();
        }
        self.some.next().map(Key::from).ok_or(Error::Format(FormatError::KeysMissing))
    }
}
