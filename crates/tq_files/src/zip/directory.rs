//! The directory of an archive.

use tq_memory::Grow;

use crate::container::hold_for_directory;
use crate::io::at;
use crate::{ContainerError, MappedFile, OpenError};

/// Bytes of the end without its comment, and the longest comment.
const END: usize = 22;
const MOST_COMMENT: usize = 0xffff;
/// Bytes of what points to the end in ZIP64, and of that end.
const LOCATOR: usize = 20;
const END64: usize = 56;
/// Bytes of an entry in the directory, and of the one in front of its bytes, without what is of variable length.
const ENTRY: usize = 46;
const LOCAL: usize = 30;
/// The longest directory that is read.
const MOST_DIRECTORY_BYTES: u64 = 16 << 20;
/// Where 32 bits don't do, and the extra field that has 64.
const BEYOND_32: u64 = 0xffff_ffff;
const EXTRA_64: u64 = 1;

/// How an entry is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Stored,
    Deflated,
    /// Encrypted, or of another kind.
    Other,
}

/// An entry of an archive, which lies in the file.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) method: Method,
    /// CRC-32 of its content.
    pub(crate) crc: u32,
    /// Where its bytes begin in the file.
    pub(crate) start: u64,
    /// Bytes in the file.
    pub(crate) length: u64,
    /// Bytes of its content, as it says.
    pub(crate) size: u64,
}

/// Reads fields of a record front to back.
struct Fields<'b>(&'b [u8]);

impl<'b> Fields<'b> {
    fn bytes(&mut self, count: usize) -> Result<&'b [u8], ContainerError> {
        match self.0.split_at_checked(count) {
            Some((bytes, rest)) => {
                self.0 = rest;
                Ok(bytes)
            }
            None => Err(malformed("its directory breaks off")),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ContainerError> {
        Ok(self.bytes(N)?.try_into().unwrap_or([0; N]))
    }

    fn u16(&mut self) -> Result<u64, ContainerError> {
        Ok(u16::from_le_bytes(self.array()?).into())
    }

    fn u32(&mut self) -> Result<u64, ContainerError> {
        Ok(u32::from_le_bytes(self.array()?).into())
    }

    fn u64(&mut self) -> Result<u64, ContainerError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn expect(&mut self, signature: &[u8; 4]) -> Result<(), ContainerError> {
        match self.array()? == *signature {
            true => Ok(()),
            false => Err(malformed("its directory has something else than entries")),
        }
    }
}

/// Where the directory is: its first byte, its length, and the number of its entries.
struct Place {
    start: u64,
    length: u64,
    count: u64,
}

/// The entries of an archive, in the order in which their bytes lie in the file.
///
/// # Errors
/// [`ContainerError::Malformed`]; the file changed.
pub(crate) fn entries(file: &MappedFile) -> Result<Vec<Entry>, OpenError> {
    let place = file.read(find)??;
    if place.length > MOST_DIRECTORY_BYTES {
        let problem =
            format!("its directory has {} bytes: at most {MOST_DIRECTORY_BYTES} are read", place.length);
        return Err(malformed(&problem).into());
    }
    let range = at(place.start, place.length);
    // Copied, because the mapped bytes may change under a reader that believes to have checked them.
    let directory = file.read(|bytes| tq_memory::copied(bytes.get(range).unwrap_or_default()))??;
    let _hold = hold_for_directory(directory.len())?;
    let (mut fields, mut entries) = (Fields(&directory), Vec::new());
    while !fields.0.is_empty() {
        let (local, mut entry) = read_entry(&mut fields)?;
        let front = file.read(|bytes| local_length(bytes, local))??;
        entry.start = local.saturating_add(front);
        entries.try_push((local, entry))?;
    }
    if entries.len() as u64 != place.count {
        let problem = format!("its directory has {} entries, not {}", entries.len(), place.count);
        return Err(malformed(&problem).into());
    }
    entries.sort_unstable_by(|(a, one), (b, other)| a.cmp(b).then(one.name.cmp(&other.name)));
    let mut end = 0;
    for (local, entry) in &entries {
        let next = entry.start.checked_add(entry.length).filter(|next| *next <= place.start);
        match next {
            Some(next) if *local >= end => end = next,
            _ => return Err(malformed(&format!("entry \"{}\" overlaps", entry.name.escape_debug())).into()),
        }
    }
    Ok(tq_memory::collected(entries.into_iter().map(|(_, entry)| entry))?)
}

/// Looks for the end of an archive, and what it says of the directory.
fn find(bytes: &[u8]) -> Result<Place, ContainerError> {
    let first = bytes.len().saturating_sub(END + MOST_COMMENT);
    let found = (first..=bytes.len().saturating_sub(END)).rev().find(|at| {
        let end = bytes.get(*at..).unwrap_or_default();
        let comment =
            end.get(END - 2..END).map(|length| usize::from(length[0]) | usize::from(length[1]) << 8);
        end.starts_with(b"PK\x05\x06") && comment == Some(end.len().saturating_sub(END))
    });
    let Some(end) = found else {
        return Err(malformed("it has no end: it is truncated, or no archive at all"));
    };
    let mut fields = Fields(&bytes[end + 4..]);
    let (disk, first_disk, here) = (fields.u16()?, fields.u16()?, fields.u16()?);
    let (count, length, start) = (fields.u16()?, fields.u32()?, fields.u32()?);
    let mut place = Place { start, length, count };
    let mut behind = end as u64;
    // Some writers, PyTorch's among them, have it in every archive.
    if let Some((place64, end64)) = find_64(bytes, end)? {
        (place, behind) = (place64, end64);
    } else if disk != 0 || first_disk != 0 || here != count {
        return Err(malformed("it is one of several parts"));
    }
    match place.start.checked_add(place.length) {
        Some(end) if end == behind => Ok(place),
        _ => Err(malformed("its directory is not where its end says")),
    }
}

/// The same of ZIP64, and where that end begins; `None` if there is none.
fn find_64(bytes: &[u8], end: usize) -> Result<Option<(Place, u64)>, ContainerError> {
    let locator = end.checked_sub(LOCATOR).and_then(|at| bytes.get(at..end));
    let Some(mut locator) = locator.filter(|bytes| bytes.starts_with(b"PK\x06\x07")).map(Fields) else {
        return Ok(None);
    };
    locator.bytes(8)?;
    let at_64 = locator.u64()?;
    let end64 = bytes.get(at(at_64, END64 as u64)).filter(|bytes| bytes.starts_with(b"PK\x06\x06"));
    let Some(mut fields) = end64.map(Fields) else {
        return Err(malformed("its ZIP64 end is missing"));
    };
    fields.bytes(32)?;
    let (count, length, start) = (fields.u64()?, fields.u64()?, fields.u64()?);
    Ok(Some((Place { start, length, count }, at_64)))
}

/// The next entry of a directory, whose bytes are still to be found, and where the one in front of them is.
fn read_entry(fields: &mut Fields<'_>) -> Result<(u64, Entry), ContainerError> {
    let mut fixed = Fields(fields.bytes(ENTRY)?);
    fixed.expect(b"PK\x01\x02")?;
    fixed.bytes(4)?;
    let (flags, method) = (fixed.u16()?, fixed.u16()?);
    fixed.bytes(4)?;
    let crc = fixed.u32()? as u32;
    let (mut length, mut size) = (fixed.u32()?, fixed.u32()?);
    let (name, extra, comment) = (fixed.u16()?, fixed.u16()?, fixed.u16()?);
    fixed.bytes(8)?;
    let mut local = fixed.u32()?;
    let name = fields.bytes(name as usize)?;
    let mut extra = Fields(fields.bytes(extra as usize)?);
    fields.bytes(comment as usize)?;
    while extra.0.len() >= 4 {
        let (kind, bytes) = (extra.u16()?, extra.u16()?);
        let mut field = Fields(extra.bytes(bytes as usize)?);
        if kind == EXTRA_64 {
            for number in [&mut size, &mut length, &mut local] {
                if *number == BEYOND_32 {
                    *number = field.u64()?;
                }
            }
        }
    }
    let Ok(name) = std::str::from_utf8(name) else {
        return Err(malformed(&format!("entry \"{}\" has a name that isn't UTF-8", name.escape_ascii())));
    };
    let method = match (flags & 1, method) {
        (0, 0) if length != size => {
            return Err(malformed(&format!("entry \"{}\" has two sizes", name.escape_debug())));
        }
        (0, 0) => Method::Stored,
        (0, 8) => Method::Deflated,
        _ => Method::Other,
    };
    Ok((local, Entry { name: tq_memory::text(name)?, method, crc, start: 0, length, size }))
}

/// Bytes in front of those of an entry.
fn local_length(bytes: &[u8], local: u64) -> Result<u64, ContainerError> {
    let front = bytes.get(at(local, LOCAL as u64)).filter(|bytes| bytes.starts_with(b"PK\x03\x04"));
    match front {
        Some(front) => {
            let mut lengths = Fields(&front[26..]);
            Ok(LOCAL as u64 + lengths.u16()? + lengths.u16()?)
        }
        None => Err(malformed(&format!("it has no entry at byte {local}"))),
    }
}

fn malformed(problem: &str) -> ContainerError {
    ContainerError::Malformed(format!("ZIP archive: {problem}"))
}
