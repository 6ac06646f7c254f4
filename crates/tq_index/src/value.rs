//! A row's value, as it is handed to an index.

use tq_format::RecordView;

use crate::fit::{FIT_BYTES, Fit};

/// What an index takes of a row that isn't NULL.
#[derive(Clone, Copy, Debug)]
pub struct Value<'a> {
    pub(crate) record: Option<RecordView<'a>>,
    pub(crate) fit: Option<Fit>,
    pub(crate) whole: &'a [u8],
}

impl<'a> Value<'a> {
    /// A record, which is the row's value.
    pub fn record(record: RecordView<'a>) -> Self {
        Self { record: Some(record), fit: None, whole: record.as_bytes() }
    }

    /// Floats that a record was made of, to which they lie so. Where the row gets no slot, `whole` is kept of it.
    pub fn floats(record: RecordView<'a>, fit: Fit, whole: &'a [u8]) -> Self {
        Self { record: Some(record), fit: Some(fit), whole }
    }

    /// What no record can be made of; it is kept as it is. It takes as many bytes as the shortest record at least.
    pub fn whole(whole: &'a [u8]) -> Self {
        Self { record: None, fit: None, whole }
    }

    /// What is kept of it where it gets no slot.
    pub fn as_whole(&self) -> &'a [u8] {
        self.whole
    }

    /// Lends codes, residual and fit, as [`Kept::Payload`](crate::Kept::Payload) has them; `None` where there is no record.
    pub fn with_parts<R>(&self, with: impl FnOnce(&[u8], Option<&[u8]>, &[u8]) -> R) -> Option<R> {
        let (fit, fit_len) = self.fit_bytes();
        self.record.map(|record| with(record.codes(), record.residual(), &fit[..fit_len]))
    }

    /// What is kept with the codes, if the index keeps that.
    pub(crate) fn fit_bytes(&self) -> ([u8; FIT_BYTES], usize) {
        self.fit.map_or(([0; FIT_BYTES], 0), |fit| (fit.to_bytes(), FIT_BYTES))
    }
}
