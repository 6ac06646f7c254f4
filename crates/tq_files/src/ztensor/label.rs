//! What messages call a part of a tensor.

use std::fmt;

use crate::ContainerError;

/// Names a part in messages.
#[derive(Debug, Clone)]
pub(super) struct Label {
    pub(super) tensor: String,
    pub(super) part: String,
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tensor \"{}\" ({})", self.tensor, self.part)
    }
}

impl Label {
    pub(super) fn malformed(&self, problem: impl fmt::Display) -> ContainerError {
        ContainerError::Malformed(format!("{self}: {problem}"))
    }
}
