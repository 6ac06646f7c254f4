//! What can go wrong in an index.

use tq_codec::CodecError;
use tq_memory::OutOfMemory;

/// An error of an index's structure, or of what it needs to work.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// A page holds what no index writes.
    #[error("block {block}: {problem}")]
    Damaged {
        /// The page's number.
        block: u32,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The pages were written by a later version.
    #[error("format version {got} is later than the versions known")]
    Version {
        /// The version that the pages name.
        got: u32,
    },
    /// More pages or rows than the page format can number.
    #[error("the index can't grow any further")]
    Full,
    /// A record of the index's own codec that its codec can't decode, or a query that it can't use.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// Memory ran out.
    #[error(transparent)]
    Memory(#[from] OutOfMemory),
    /// Pages in memory that were told to stop at this change, as if by a crash.
    #[error("stopped before a change")]
    Stopped,
}

/// Shorthand for damage.
pub(crate) fn damaged(block: u32, problem: &'static str) -> IndexError {
    IndexError::Damaged { block, problem }
}
