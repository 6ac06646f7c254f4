//! Comparing the checksum of an entry with its content.

use flate2::Crc;

use super::directory::{Entry, Method};
use super::inflate::Inflate;
use crate::io::at;
use crate::{ContainerError, MappedFile, RowsError};

/// Bytes between two polls.
const STEP: u64 = 1 << 20;

/// Reads all of an entry; `true` if its checksum was compared and matches.
///
/// # Errors
/// [`ContainerError::Checksum`]; its content can't be inflated; the file changed.
pub(crate) fn verify(file: &MappedFile, entry: &Entry, poll: &mut dyn FnMut()) -> Result<bool, RowsError> {
    match entry.method {
        Method::Other => Ok(false),
        Method::Stored => {
            let (mut crc, mut done) = (Crc::new(), 0);
            while done < entry.length {
                poll();
                let range = at(entry.start + done, STEP.min(entry.length - done));
                file.read(|bytes| crc.update(bytes.get(range).unwrap_or_default()))?;
                done += STEP.min(entry.length - done);
                file.release_below(entry.start + done);
            }
            match crc.sum() == entry.crc {
                true => Ok(true),
                false => Err(ContainerError::Checksum {
                    tensor: tq_memory::text(&entry.name)?,
                    part: "data".to_owned(),
                    scheme: "CRC-32",
                }
                .into()),
            }
        }
        Method::Deflated => {
            let (mut content, mut left) = (Inflate::new(entry)?, entry.size);
            let mut block = tq_memory::filled(STEP.min(left) as usize, 0)?;
            loop {
                poll();
                let count = STEP.min(left);
                content.fill(file, &mut block[..count as usize])?;
                left -= count;
                if left == 0 {
                    return Ok(true);
                }
            }
        }
    }
}
