//! Literals of Python, as far as headers have them: a dictionary of texts, truth values, and tuples of whole numbers.

use crate::ContainerError;

/// How deep what isn't read may be nested.
const MOST_NESTED: u32 = 16;

/// Reads literals front to back.
pub(super) struct Literals<'h> {
    bytes: &'h [u8],
    at: usize,
}

impl<'h> Literals<'h> {
    pub(super) fn new(bytes: &'h [u8]) -> Self {
        Literals { bytes, at: 0 }
    }

    /// What is wrong at this place.
    pub(super) fn error(&self, problem: &str) -> ContainerError {
        ContainerError::Malformed(format!("NumPy header: {problem} at its byte {}", self.at))
    }

    /// The next byte behind spaces, which stays.
    pub(super) fn peek(&mut self) -> Option<u8> {
        let spaces = self.bytes[self.at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        self.at += spaces;
        self.bytes.get(self.at).copied()
    }

    /// Takes that byte, if it is the next.
    pub(super) fn take(&mut self, wanted: u8) -> bool {
        let there = self.peek() == Some(wanted);
        self.at += usize::from(there);
        there
    }

    /// Takes that byte.
    ///
    /// # Errors
    /// Another is there.
    pub(super) fn expect(&mut self, wanted: u8) -> Result<(), ContainerError> {
        match self.take(wanted) {
            true => Ok(()),
            false => Err(self.error(&format!("expected '{}'", wanted.escape_ascii()))),
        }
    }

    /// A text between quotes of either kind, without escapes.
    pub(super) fn text(&mut self) -> Result<&'h [u8], ContainerError> {
        let quote = self.peek().filter(|byte| matches!(byte, b'\'' | b'"'));
        let Some(quote) = quote else { return Err(self.error("expected a text")) };
        let rest = &self.bytes[self.at + 1..];
        let Some(length) = rest.iter().position(|byte| *byte == quote || *byte == b'\\') else {
            return Err(self.error("a text without an end"));
        };
        if rest[length] == b'\\' {
            return Err(self.error("a text with a backslash"));
        }
        self.at += length + 2;
        Ok(&rest[..length])
    }

    /// `True` or `False`.
    pub(super) fn truth(&mut self) -> Result<bool, ContainerError> {
        match self.word() {
            b"True" => Ok(true),
            b"False" => Ok(false),
            _ => Err(self.error("expected True or False")),
        }
    }

    /// Whole numbers in a tuple or a list.
    pub(super) fn numbers(&mut self, most: usize) -> Result<Vec<u64>, ContainerError> {
        let end = match self.peek() {
            Some(b'(') => b')',
            Some(b'[') => b']',
            _ => return Err(self.error("expected a tuple")),
        };
        self.at += 1;
        let mut numbers = Vec::new();
        while !self.take(end) {
            self.peek();
            let word = self.word();
            // Python 2 wrote an L behind long ones.
            let digits = word.strip_suffix(b"L").unwrap_or(word);
            let number = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'));
            let Some(number) = number.and_then(|digits| digits.parse().ok()) else {
                return Err(self.error("expected a whole number"));
            };
            if numbers.len() == most {
                return Err(self.error(&format!("more than {most} dimensions")));
            }
            numbers.push(number);
            if !self.take(b',') {
                self.expect(end)?;
                break;
            }
        }
        Ok(numbers)
    }

    /// Passes over a value of any kind.
    pub(super) fn pass(&mut self) -> Result<(), ContainerError> {
        let mut depth = 0;
        loop {
            match self.peek() {
                Some(b'(' | b'[' | b'{') if depth == MOST_NESTED => {
                    return Err(self.error("nested too deeply"));
                }
                Some(b'(' | b'[' | b'{') => {
                    depth += 1;
                    self.at += 1;
                    continue;
                }
                Some(b')' | b']' | b'}') if depth > 0 => {
                    depth -= 1;
                    self.at += 1;
                }
                Some(b',' | b':') if depth > 0 => {
                    self.at += 1;
                    continue;
                }
                Some(b'\'' | b'"') => drop(self.text()?),
                _ if self.word().is_empty() => return Err(self.error("expected a value")),
                _ => {}
            }
            if depth == 0 {
                return Ok(());
            }
        }
    }

    /// Checks that nothing is left.
    pub(super) fn end(&mut self) -> Result<(), ContainerError> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.error("more than a dictionary")),
        }
    }

    /// Letters, digits and signs, as many as follow one another.
    fn word(&mut self) -> &'h [u8] {
        self.peek();
        let rest = &self.bytes[self.at..];
        let length = rest
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'+' | b'-' | b'.'))
            .count();
        self.at += length;
        &rest[..length]
    }
}
