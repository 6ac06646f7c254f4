//! Building an index from all rows of a table: whole pages, one after another, each written once.
//!
//! The caller looks at a sample first ([`Sample`]), which decides what the index is of and where its centre lies, and then hands over
//! every row ([`Build`]). An extent is put together in memory and written when it is full, so a build needs some hundred kilobytes,
//! whatever the number of rows. Page 0 is written last. With lists, `build_lists` does what is different.

use std::sync::Arc;

use tq_codec::Codec;
use tq_format::RecordView;
use tq_memory::Grow;

use crate::assign::Payloads;
use crate::build_lists::{self, ListBuild, Means};
use crate::calibrate::calibrate;
use crate::centre::{Centre, MeanSum, write_floats};
use crate::codes;
use crate::error::IndexError;
use crate::fit;
use crate::layout::{self, Extents, Kind, RowLayout, Tid};
use crate::list_pages;
use crate::meta::{Definition, ListsMeta, Meta};
use crate::others;
use crate::pages::{Change, Pages};
use crate::probes::{Calibration, MOST_LISTS};
use crate::recentre;
use crate::slot;
use crate::train::train;
use crate::value::Value;

/// Codecs that a sample tells apart; records of others don't count.
const MOST_CODECS: usize = 16;

/// What a sample of rows says of an index to be.
#[derive(Default, Debug)]
pub struct Sample {
    codecs: Vec<Sampled>,
    rotated: Vec<f32>,
    keep: usize,
}

/// The rows of one codec.
#[derive(Debug)]
struct Sampled {
    codec: Arc<Codec>,
    mean: MeanSum,
    /// Their payloads, if rows are kept.
    payloads: Vec<u8>,
    has_fit: bool,
}

impl Sample {
    /// A sample for an index with lists: it keeps rows, in so many bytes, to train their centroids.
    pub fn keeping(bytes: usize) -> Self {
        Self { keep: bytes, ..Self::default() }
    }

    /// Adds a value whose record is of that codec.
    ///
    /// # Errors
    /// [`IndexError::Memory`], [`IndexError::Codec`] if the record isn't of the codec.
    pub fn add(&mut self, value: Value<'_>, codec: &Arc<Codec>) -> Result<(), IndexError> {
        let Some(record) = &value.record else { return Ok(()) };
        self.rotated.clear();
        self.rotated.try_resize(record.dimension() as usize, 0.0)?;
        codec.check_shape(&record.shape())?;
        fit::decode(codec, (record.codes(), record.residual()), value.fit, &mut self.rotated);
        if !slot::is_moderate(&self.rotated) {
            return Ok(());
        }
        let at = match self.codecs.iter().position(|known| known.codec.hash() == codec.hash()) {
            Some(at) => at,
            None if self.codecs.len() == MOST_CODECS => return Ok(()),
            None => {
                let (mean, payloads) = Default::default();
                let has_fit = value.fit.is_some();
                self.codecs.try_push(Sampled { codec: Arc::clone(codec), mean, payloads, has_fit })?;
                self.codecs.len() - 1
            }
        };
        let sampled = &mut self.codecs[at];
        let (codes, residual) = (record.codes(), record.residual().unwrap_or_default());
        let (fit, fit_len) = value.fit_bytes();
        let bytes = codes.len() + residual.len() + fit_len;
        if bytes <= self.keep {
            for part in [codes, residual, &fit[..fit_len]] {
                sampled.payloads.try_extend(part)?;
            }
            self.keep -= bytes;
        }
        sampled.mean.add(&self.rotated)
    }

    /// The codec of most records, and their mean.
    fn most(&self) -> Option<&Sampled> {
        self.codecs.iter().max_by_key(|sampled| sampled.mean.count())
    }

    /// Bytes that a row of that codec takes where rows are kept.
    pub fn row_bytes(&self) -> usize {
        let bytes = |sampled: &Sampled| Payloads::len_of(&sampled.codec.record_shape(), sampled.has_fit);
        self.most().map_or(0, bytes)
    }

    /// How many rows it has of that codec.
    pub fn rows(&self) -> u64 {
        self.most().map_or(0, |sampled| sampled.mean.count())
    }
}

/// The codec of the rows that get slots, and all that is gathered of an extent of them.
#[derive(Debug)]
struct Rows {
    codec: Arc<Codec>,
    layout: RowLayout,
    centre: Centre,
    /// Slots and rows of codes, side by side as they come.
    slots: Vec<u8>,
    codes: Vec<u8>,
    rotated: Vec<f32>,
    row: Vec<u8>,
}

impl Rows {
    /// Decodes a row, if it is one that gets a slot.
    fn takes(&mut self, record: &RecordView<'_>, value: &Value<'_>) -> bool {
        if record.shape() != self.layout.shape || value.fit.is_some() != self.layout.has_fit {
            return false;
        }
        fit::decode(&self.codec, (record.codes(), record.residual()), value.fit, &mut self.rotated);
        slot::is_moderate(&self.rotated)
    }
}

/// An index that is being built.
#[derive(Debug)]
pub struct Build<'a, P> {
    pages: &'a P,
    meta: Meta,
    rows: Option<Rows>,
    lists: Option<ListBuild<'a>>,
    /// The page of other rows that is being filled.
    others: Vec<u8>,
    count: u64,
}

/// Makes an empty index: one page.
///
/// # Errors
/// [`IndexError::Stopped`].
pub fn create<P: Pages>(pages: &P, definition: Definition) -> Result<(), IndexError> {
    let mut change = pages.change();
    let page = change.lock(0);
    Meta::empty(definition).write(&mut change, page);
    change.commit()
}

/// Makes an empty index in pages whose changes aren't logged one by one.
pub fn create_unlogged<P: Pages>(pages: &P, definition: Definition) {
    let meta = Meta::empty(definition);
    pages.put(0, &meta.special(), &meta.to_bytes());
}

impl<'a, P: Pages> Build<'a, P> {
    /// Starts a build in pages that nobody sees and that were never written.
    ///
    /// # Errors
    /// [`IndexError::Memory`].
    pub fn new(pages: &'a P, definition: Definition, sample: &Sample) -> Result<Self, IndexError> {
        let mut meta = Meta::empty(definition);
        let mut rows = None;
        if let Some(Sampled { codec, mean, .. }) = sample.most()
            && meta.adopt(&codec.record_shape(), pages.room())
            && let Some(layout) = meta.rows(pages.room())
        {
            let centre = match mean.centre(1)? {
                Some(centre) => centre,
                None => Centre::origin(layout.dimension)?,
            };
            meta.centre = centre.number();
            rows = Some(Rows {
                codec: Arc::clone(codec),
                centre,
                slots: tq_memory::with_capacity(layout.rows() * layout.slot_bytes)?,
                codes: tq_memory::with_capacity(layout.rows() * layout.code_bytes)?,
                rotated: tq_memory::filled(layout.dimension, 0.0)?,
                row: Vec::new(),
                layout,
            });
        }
        Ok(Self { pages, meta, rows, lists: None, others: Vec::new(), count: 0 })
    }

    /// Starts a build of an index with lists, if the sample has rows; else of a flat one.
    ///
    /// # Errors
    /// [`IndexError::Memory`], [`IndexError::Codec`] of threads.
    pub fn with_lists(
        pages: &'a P,
        definition: Definition,
        sample: Sample,
        means: Means<'a>,
    ) -> Result<Self, IndexError> {
        let mut build = Self::new(pages, definition, &sample)?;
        let (Some(rows), Some(sampled)) = (&build.rows, sample.most()) else { return Ok(build) };
        let shape = rows.layout.shape;
        let Sampled { codec, has_fit, payloads, .. } = sampled;
        let payloads = Payloads { codec, shape, has_fit: *has_fit, bytes: payloads };
        if means.lists == 0 || payloads.count() == 0 {
            return Ok(build);
        }
        let lists = means.lists.min(MOST_LISTS) as usize;
        let poll = || pages.poll();
        let centroids = train(&payloads, definition.metric, lists, means.workers, &poll)?;
        let (count, room) = (centroids.count() as u32, pages.room());
        let rows_a_list = means.rows.div_ceil(count.into());
        let blocks = build_lists::extent_blocks(&rows.layout, room, definition.refine, rows_a_list);
        build.meta.place = Some(Extents {
            base: list_pages::base(rows.layout.dimension, room, count),
            blocks,
            group: list_pages::group(room),
        });
        let (sum, calibration) = (centroids.sum(), Calibration::unmeasured(count));
        build.meta.lists = Some(ListsMeta { count, sum, built_of: 0, calibration });
        let layout = build.meta.rows(room).ok_or(IndexError::Full)?;
        let Some(Rows { codec, centre, .. }) = build.rows.take() else { return Ok(build) };
        build.lists = Some(ListBuild::new(&codec, layout, centre, centroids, &build.meta, means)?);
        Ok(build)
    }

    /// Adds a row: its value, or NULL.
    ///
    /// # Errors
    /// [`IndexError::Memory`], [`IndexError::Full`].
    pub fn add(&mut self, tid: Tid, value: Option<Value<'_>>) -> Result<(), IndexError> {
        self.count += 1;
        let record = value.and_then(|value| value.record);
        if let (Some(value), Some(record), Some(lists)) = (&value, &record, &mut self.lists)
            && lists.takes(record, value)
        {
            return if lists.push(tid, record, value) { self.assign() } else { Ok(()) };
        }
        if let (Some(value), Some(record), Some(rows)) = (&value, &record, &mut self.rows)
            && rows.takes(record, value)
        {
            let at = rows.slots.len();
            rows.slots.resize(at + rows.layout.slot_bytes, 0);
            slot::fill(&mut rows.slots[at..], tid, &rows.rotated, &rows.centre);
            if rows.layout.code_bytes > 0 {
                codes::row_of(tid, record, value.fit, &mut rows.row)?;
                rows.codes.extend_from_slice(&rows.row);
            }
            // Not by the capacity, of which there may be more than was asked for.
            if rows.slots.len() == rows.layout.rows() * rows.layout.slot_bytes {
                self.write_rows()?;
            }
            return Ok(());
        }
        self.add_other(tid, value.map(|value| value.whole))
    }

    /// Gives the rows that were gathered to their lists.
    fn assign(&mut self) -> Result<(), IndexError> {
        let Some(mut lists) = self.lists.take() else { return Ok(()) };
        let (pages, mut immoderate) = (self.pages, Vec::new());
        lists.assign(pages, &mut self.meta, |tid, record| {
            Ok(immoderate.try_push((tid, tq_memory::copied(record)?))?)
        })?;
        self.lists = Some(lists);
        immoderate.into_iter().try_for_each(|(tid, record)| self.add_other(tid, Some(&record)))
    }

    /// Writes the extent that was gathered.
    fn write_rows(&mut self) -> Result<(), IndexError> {
        let Some(rows) = self.rows.as_mut().filter(|rows| !rows.slots.is_empty()) else {
            return Ok(());
        };
        let (layout, pages) = (rows.layout, self.pages);
        let start = self.meta.add_extent(pages.room())?;
        let last = rows.slots.len() / layout.slot_bytes - 1;
        let last_slots = (last / layout.slots) as u32;
        let pieces = layout.code_pieces(last_slots, last % layout.slots);
        pages.expect(start + pieces.last().map_or(last_slots, |piece| piece.block));
        let special = layout::special(Kind::Slots, rows.centre.number());
        for (block, slots) in (start..).zip(rows.slots.chunks(layout.slots * layout.slot_bytes)) {
            pages.put(block, &special, slots);
            self.meta.slot_pages += 1;
            self.meta.tail = block;
        }
        if layout.code_bytes > 0 {
            write_codes(pages, rows, start)?;
        }
        rows.slots.clear();
        rows.codes.clear();
        pages.poll();
        Ok(())
    }

    fn add_other(&mut self, tid: Tid, record: Option<&[u8]>) -> Result<(), IndexError> {
        let room = self.pages.room();
        let (head, record) = (others::head(tid, record), record.unwrap_or_default());
        let bytes = head.len() + record.len();
        if self.others.len() + bytes > room {
            self.write_others()?;
        }
        if self.others.is_empty() {
            let start = others::place_for(self.pages, &mut self.meta, bytes.div_ceil(room) as u32)?.0;
            (self.meta.others_tail, self.meta.others_end) = (start, start);
        }
        self.others.try_extend(&head)?;
        self.others.try_extend(record)?;
        if self.others.len() > room {
            self.write_others()?;
        }
        Ok(())
    }

    /// Writes the page of other rows that was gathered, or the several that one row takes.
    fn write_others(&mut self) -> Result<(), IndexError> {
        let mut kind = Kind::Others;
        for (block, piece) in (self.meta.others_tail..).zip(self.others.chunks(self.pages.room())) {
            self.pages.put(block, &layout::special(kind, 0), piece);
            kind = Kind::OthersRest;
            self.meta.others_end = block;
        }
        self.others.clear();
        self.pages.poll();
        Ok(())
    }

    /// Writes what is left; returns the number of rows.
    ///
    /// # Errors
    /// [`IndexError::Memory`], [`IndexError::Full`].
    pub fn finish(mut self) -> Result<u64, IndexError> {
        self.write_rows()?;
        self.assign()?;
        self.write_others()?;
        let (pages, mut lists) = (self.pages, self.lists.take());
        if let Some(lists) = &mut lists {
            lists.finish(pages, &mut self.meta)?;
        }
        let centre = self.rows.as_ref().map(|rows| &rows.centre).or(lists.as_ref().map(ListBuild::centre));
        if let Some(centre) = centre.filter(|centre| centre.number() > 0) {
            let special = layout::special(Kind::Centre, centre.number());
            let mut content = tq_memory::with_capacity(pages.room())?;
            for (block, piece) in centre.pieces(pages.room()) {
                content.clear();
                write_floats(piece, |_, bytes| content.extend_from_slice(bytes));
                pages.put(block, &special, &content);
            }
        }
        self.meta.next_centre_at = match &lists {
            None => recentre::next_after(self.meta.slot_pages),
            Some(_) => u32::MAX,
        };
        pages.put(0, &self.meta.special(), &self.meta.to_bytes());
        if let (Some(built), Some(lists)) = (lists, &mut self.meta.lists) {
            lists.built_of = self.count;
            lists.calibration = calibrate(pages, built.codec())?;
            pages.put(0, &self.meta.special(), &self.meta.to_bytes());
        }
        Ok(self.count)
    }
}

/// Writes the pages of codes of an extent that begins at `start`.
fn write_codes<P: Pages>(pages: &P, rows: &Rows, start: u32) -> Result<(), IndexError> {
    let layout = rows.layout;
    let special = layout::special(Kind::Codes, 0);
    let mut page = tq_memory::with_capacity(pages.room())?;
    let mut block = start + layout.slot_pages;
    for (row, bytes) in rows.codes.chunks_exact(layout.code_bytes).enumerate() {
        for piece in layout.code_pieces((row / layout.slots) as u32, row % layout.slots) {
            if start + piece.block != block {
                pages.put(block, &special, &page);
                page.clear();
                block = start + piece.block;
            }
            page.extend_from_slice(&bytes[piece.bytes]);
        }
    }
    pages.put(block, &special, &page);
    Ok(())
}
