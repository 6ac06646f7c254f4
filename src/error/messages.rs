//! Words that several messages have.

pub(super) fn residual_words(expected: bool) -> &'static str {
    if expected { "with an FP16 residual" } else { "without an FP16 residual" }
}

/// Text from a file, printable, and not longer than a hash and a bit.
pub(super) fn shortened(text: &str) -> String {
    let end = text.floor_char_boundary(80);
    let dots = if end < text.len() { "..." } else { "" };
    format!("{}{dots}", text[..end].escape_debug())
}
