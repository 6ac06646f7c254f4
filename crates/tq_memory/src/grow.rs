//! Vectors and strings whose growth can fail.
//!
//! None of these draws on the reserve, which is for what can't fail.

use crate::OutOfMemory;
use crate::reserve::without_reserve;

/// Growth of a vector that fails as an error.
///
/// After [`Grow::try_room`] the usual methods don't allocate, up to the room that was made.
pub trait Grow<T> {
    /// Room for so many more, and some to spare: growth by steps costs constant time an element.
    ///
    /// # Errors
    /// [`OutOfMemory`]; the content is as it was.
    fn try_room(&mut self, additional: usize) -> Result<(), OutOfMemory>;

    /// Room for so many more and, if the memory is new, no others.
    ///
    /// # Errors
    /// [`OutOfMemory`]; the content is as it was.
    fn try_room_exact(&mut self, additional: usize) -> Result<(), OutOfMemory>;

    /// `push`.
    ///
    /// # Errors
    /// [`OutOfMemory`]; the content is as it was.
    fn try_push(&mut self, value: T) -> Result<(), OutOfMemory>;

    /// `extend_from_slice`.
    ///
    /// # Errors
    /// [`OutOfMemory`]; the content is as it was.
    fn try_extend(&mut self, values: &[T]) -> Result<(), OutOfMemory>
    where
        T: Clone;

    /// `resize`.
    ///
    /// # Errors
    /// [`OutOfMemory`]; the content is as it was.
    fn try_resize(&mut self, len: usize, value: T) -> Result<(), OutOfMemory>
    where
        T: Clone;
}

impl<T> Grow<T> for Vec<T> {
    #[inline]
    fn try_room(&mut self, additional: usize) -> Result<(), OutOfMemory> {
        if additional <= self.capacity() - self.len() {
            return Ok(());
        }
        let wanted = self.len().saturating_add(additional);
        without_reserve(|| self.try_reserve(additional)).map_err(|_| OutOfMemory::of::<T>(wanted))
    }

    #[inline]
    fn try_room_exact(&mut self, additional: usize) -> Result<(), OutOfMemory> {
        if additional <= self.capacity() - self.len() {
            return Ok(());
        }
        let wanted = self.len().saturating_add(additional);
        without_reserve(|| self.try_reserve_exact(additional)).map_err(|_| OutOfMemory::of::<T>(wanted))
    }

    #[inline]
    fn try_push(&mut self, value: T) -> Result<(), OutOfMemory> {
        self.try_room(1)?;
        self.push(value);
        Ok(())
    }

    #[inline]
    fn try_extend(&mut self, values: &[T]) -> Result<(), OutOfMemory>
    where
        T: Clone,
    {
        self.try_room(values.len())?;
        self.extend_from_slice(values);
        Ok(())
    }

    #[inline]
    fn try_resize(&mut self, len: usize, value: T) -> Result<(), OutOfMemory>
    where
        T: Clone,
    {
        self.try_room_exact(len.saturating_sub(self.len()))?;
        self.resize(len, value);
        Ok(())
    }
}

/// An empty vector with room for exactly so many.
///
/// # Errors
/// [`OutOfMemory`].
pub fn with_capacity<T>(capacity: usize) -> Result<Vec<T>, OutOfMemory> {
    let mut values = Vec::new();
    values.try_room_exact(capacity)?;
    Ok(values)
}

/// `vec![value; len]`.
///
/// # Errors
/// [`OutOfMemory`].
pub fn filled<T: Clone>(len: usize, value: T) -> Result<Vec<T>, OutOfMemory> {
    let mut values = with_capacity(len)?;
    values.resize(len, value);
    Ok(values)
}

/// `to_vec`.
///
/// # Errors
/// [`OutOfMemory`].
pub fn copied<T: Clone>(values: &[T]) -> Result<Vec<T>, OutOfMemory> {
    let mut copy = with_capacity(values.len())?;
    copy.extend_from_slice(values);
    Ok(copy)
}

/// `collect` into a vector. An iterator that knows its length gets its memory at once.
///
/// # Errors
/// [`OutOfMemory`].
pub fn collected<T>(values: impl IntoIterator<Item = T>) -> Result<Vec<T>, OutOfMemory> {
    let values = values.into_iter();
    let known = values.size_hint();
    let mut all = with_capacity(known.0)?;
    if known.1 == Some(known.0) {
        // Nothing is pushed beyond the room, so that nothing else is allocated.
        all.extend(values.take(known.0));
        return Ok(all);
    }
    for value in values {
        all.try_push(value)?;
    }
    Ok(all)
}

/// `to_owned` of a text.
///
/// # Errors
/// [`OutOfMemory`].
pub fn text(text: &str) -> Result<String, OutOfMemory> {
    let bytes = copied(text.as_bytes())?;
    // The bytes of a text are one; checked again rather than trusted, as nothing is in a hurry here.
    String::from_utf8(bytes).map_err(|_| OutOfMemory::of::<u8>(text.len()))
}
