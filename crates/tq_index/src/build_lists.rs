//! Building an index with lists: rows are gathered, a batch is assigned to lists on threads, and each list's rows are written when
//! they fill a page of slots, or when memory ends, those of the fullest lists first.

use std::sync::Arc;

use tq_codec::{Codec, Workers};
use tq_format::{BitWidth, MAX_DIMENSION, RecordView};
use tq_memory::Grow;

use crate::assign::{AssignRoom, Assigner};
use crate::centre::Centre;
use crate::centroids::Centroids;
use crate::codes;
use crate::error::IndexError;
use crate::fit::{self, Fit};
use crate::layout::{self, Kind, Refine, RowLayout, Tid};
use crate::list_pages::{self, Entry, OTHERS};
use crate::meta::Meta;
use crate::others::ENTRY_HEAD;
use crate::pages::Pages;
use crate::slot;
use crate::value::Value;

/// The list of a row that the first stage can't tell anything of.
const NO_LIST: u32 = u32::MAX;

/// The least that rows which wait for their page may take, whatever memory is set.
const LEAST_MEMORY: usize = 1 << 20;

/// What an index with lists is built with.
#[derive(Clone, Copy)]
pub struct Means<'a> {
    /// Lists that are asked for.
    pub lists: u32,
    /// Rows that are expected.
    pub rows: u64,
    /// Bytes of memory.
    pub memory: usize,
    /// Threads.
    pub workers: &'a Workers,
}

impl std::fmt::Debug for Means<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} lists of {} rows, {} bytes", self.lists, self.rows, self.memory)
    }
}

/// Blocks of an extent, so that lists of so many rows take the fewest: half an extent of each is empty. `layout` is that of a flat
/// index, whose extents hold any record whole that is another; these do, too.
pub(crate) fn extent_blocks(layout: &RowLayout, room: usize, refine: Refine, rows: u64) -> u32 {
    let rows = rows as f64;
    let largest = ENTRY_HEAD + tq_format::record_len(BitWidth::Eight, MAX_DIMENSION, true);
    let least = layout.blocks().min(largest.div_ceil(room) as u32);
    let fitting = |blocks| RowLayout::new(&layout.shape, refine, room, blocks).map(|layout| (blocks, layout));
    let sizes = (least..=layout.blocks()).filter_map(fitting);
    let cost = |(blocks, layout): &(u32, RowLayout)| (rows / layout.rows() as f64 + 0.5) * f64::from(*blocks);
    let best = sizes.min_by(|a, b| cost(a).total_cmp(&cost(b)));
    best.map_or(layout.blocks(), |(blocks, _)| blocks)
}

/// Rows of a list that aren't written yet, and where the next ones go.
#[derive(Clone, Default, Debug)]
struct Gathered {
    slots: Vec<u8>,
    codes: Vec<u8>,
    /// Its last page of slots (0: none), and how many that has.
    last: u32,
    used: usize,
}

impl Gathered {
    fn capacity(&self) -> usize {
        self.slots.capacity() + self.codes.capacity()
    }
}

/// The rows of an index with lists that is being built.
#[derive(Debug)]
pub(crate) struct ListBuild<'a> {
    codec: Arc<Codec>,
    layout: RowLayout,
    centre: Centre,
    centroids: Centroids,
    assigner: Assigner,
    means: Means<'a>,
    /// Records that wait to be assigned, and their names.
    batch: Vec<u8>,
    tids: Vec<Tid>,
    round: usize,
    lists: Vec<Gathered>,
    held: usize,
    map: Vec<u32>,
    row: Vec<u8>,
}

/// What a thread has made of some rows.
struct Assigned {
    lists: Vec<u32>,
    slots: Vec<u8>,
}

impl<'a> ListBuild<'a> {
    pub(crate) fn new(
        codec: &Arc<Codec>,
        layout: RowLayout,
        centre: Centre,
        centroids: Centroids,
        meta: &Meta,
        means: Means<'a>,
    ) -> Result<Self, IndexError> {
        let assigner = Assigner::new(&centroids, meta.definition.metric, layout.dimension)?;
        let lists = tq_memory::filled(centroids.count(), Gathered::default())?;
        let (_, round) = assigner.job_rows(means.workers);
        let record = layout.shape.record_len() + layout.fit_bytes();
        let round = round.min((means.memory / 4 / record).max(1));
        Ok(Self {
            codec: Arc::clone(codec),
            batch: tq_memory::with_capacity(round * record)?,
            tids: tq_memory::with_capacity(round)?,
            layout,
            centre,
            centroids,
            assigner,
            means,
            round,
            lists,
            held: 0,
            map: Vec::new(),
            row: Vec::new(),
        })
    }

    /// Whether that record is of the index's codec.
    pub(crate) fn takes(&self, record: &RecordView<'_>, value: &Value<'_>) -> bool {
        record.shape() == self.layout.shape && value.fit.is_some() == self.layout.has_fit
    }

    /// Adds a row; `true` when it is time for [`ListBuild::assign`].
    pub(crate) fn push(&mut self, tid: Tid, record: &RecordView<'_>, value: &Value<'_>) -> bool {
        let (fit, fit_len) = value.fit_bytes();
        self.batch.extend_from_slice(record.as_bytes());
        self.batch.extend_from_slice(&fit[..fit_len]);
        self.tids.push(tid);
        self.tids.len() == self.round
    }

    /// Bytes of a row in the batch.
    fn row_bytes(&self) -> usize {
        self.layout.shape.record_len() + self.layout.fit_bytes()
    }

    /// The record of a row in the batch, and how its floats lie to it.
    fn parts<'b>(&self, row: &'b [u8]) -> (&'b [u8], Option<Fit>) {
        let (record, fit) = row.split_at(self.layout.shape.record_len());
        (record, self.layout.has_fit.then(|| Fit::from_bytes(fit)))
    }

    /// Gives the rows that were gathered to their lists, and those that none can have to `other`.
    pub(crate) fn assign<P: Pages>(
        &mut self,
        pages: &P,
        meta: &mut Meta,
        mut other: impl FnMut(Tid, &[u8]) -> Result<(), IndexError>,
    ) -> Result<(), IndexError> {
        pages.poll();
        let (job, _) = self.assigner.job_rows(self.means.workers);
        let jobs = tq_memory::collected((0..self.tids.len()).step_by(job))?;
        let this = &*self;
        let done = self.means.workers.map(jobs, |first| this.assign_some(first, job))?;
        pages.poll();
        let (tids, batch) = (std::mem::take(&mut self.tids), std::mem::take(&mut self.batch));
        let mut rows = tids.iter().zip(batch.chunks_exact(self.row_bytes()));
        for part in done {
            let Assigned { lists, slots } = part?;
            for (list, slot) in lists.into_iter().zip(slots.chunks_exact(self.layout.slot_bytes)) {
                let Some((tid, row)) = rows.next() else { break };
                let (record, fit) = self.parts(row);
                match self.lists.get_mut(list as usize) {
                    None => other(*tid, record)?,
                    Some(gathered) => {
                        let before = gathered.capacity();
                        gathered.slots.try_extend(slot)?;
                        if self.layout.code_bytes > 0 {
                            let record = RecordView::parse_stored(record);
                            let record = record.map_err(|_| IndexError::Full)?;
                            codes::row_of(*tid, &record, fit, &mut self.row)?;
                            gathered.codes.try_extend(&self.row)?;
                        }
                        self.held += gathered.capacity() - before;
                        let rows = gathered.slots.len() / self.layout.slot_bytes;
                        if gathered.used % self.layout.slots + rows >= self.layout.slots {
                            self.write(pages, meta, list)?;
                        }
                    }
                }
            }
        }
        (self.tids, self.batch) = (tids, batch);
        self.tids.clear();
        self.batch.clear();
        self.keep_within(pages, meta)
    }

    /// Lists and slots of some of the rows.
    fn assign_some(&self, first: usize, most: usize) -> Result<Assigned, IndexError> {
        let (layout, count) = (&self.layout, most.min(self.tids.len() - first));
        let mut room = AssignRoom::default();
        room.rows.try_resize(count * layout.dimension, 0.0)?;
        let mut slots = tq_memory::filled(count * layout.slot_bytes, 0)?;
        let bytes = self.row_bytes();
        let records = self.batch[first * bytes..].chunks_exact(bytes).map(|row| self.parts(row));
        let mut moderate = tq_memory::with_capacity(count)?;
        let rows =
            room.rows.chunks_exact_mut(layout.dimension).zip(slots.chunks_exact_mut(layout.slot_bytes));
        for (((record, fit), tid), (rotated, slot)) in records.zip(&self.tids[first..]).zip(rows) {
            let usable = RecordView::parse_stored(record).is_ok_and(|record| {
                fit::decode(&self.codec, (record.codes(), record.residual()), fit, rotated);
                slot::is_moderate(rotated)
            });
            if usable {
                slot::fill(slot, *tid, rotated, &self.centre);
            } else {
                rotated.fill(0.0);
            }
            moderate.push(usable);
        }
        let mut lists = Vec::new();
        self.assigner.nearest(&mut room, &mut lists)?;
        let immoderate = lists.iter_mut().zip(moderate).filter(|(_, usable)| !usable);
        immoderate.for_each(|(list, _)| *list = NO_LIST);
        Ok(Assigned { lists, slots })
    }

    /// Writes rows of the fullest lists, until half of the memory is free.
    fn keep_within<P: Pages>(&mut self, pages: &P, meta: &mut Meta) -> Result<(), IndexError> {
        let most = (self.means.memory / 2).max(LEAST_MEMORY);
        if self.held <= most {
            return Ok(());
        }
        let mut order = tq_memory::collected(0..self.lists.len() as u32)?;
        order.sort_unstable_by_key(|list| std::cmp::Reverse(self.lists[*list as usize].capacity()));
        for list in order {
            if self.held <= most / 2 {
                break;
            }
            self.write(pages, meta, list)?;
            let gathered = &mut self.lists[list as usize];
            self.held -= gathered.capacity();
            (gathered.slots, gathered.codes) = Default::default();
        }
        Ok(())
    }

    /// Writes the rows of a list that were gathered.
    fn write<P: Pages>(&mut self, pages: &P, meta: &mut Meta, list: u32) -> Result<(), IndexError> {
        let layout = self.layout;
        let special = layout::special(Kind::Slots, self.centre.number());
        let gathered = &mut self.lists[list as usize];
        let (mut slots, mut codes) = (&gathered.slots[..], &gathered.codes[..]);
        while !slots.is_empty() {
            if gathered.last == 0 || gathered.used == layout.slots {
                let here = meta.place.and_then(|place| place.place(gathered.last));
                gathered.last = match here {
                    Some((_, page)) if gathered.last != 0 && page + 1 < layout.slot_pages => {
                        gathered.last + 1
                    }
                    _ => {
                        let extent = meta.extents as usize;
                        let start = meta.add_extent(pages.room())?;
                        pages.expect(start + layout.blocks() - 1);
                        self.map.try_resize(extent, OTHERS)?;
                        self.map.try_push(list + 1)?;
                        meta.slot_pages = meta.slot_pages.saturating_add(layout.slot_pages);
                        start
                    }
                };
                gathered.used = 0;
            }
            let (_, page) =
                meta.place.and_then(|place| place.place(gathered.last)).ok_or(IndexError::Full)?;
            let count = (slots.len() / layout.slot_bytes).min(layout.slots - gathered.used);
            let (now, later) = slots.split_at(count * layout.slot_bytes);
            pages.put_at(gathered.last, &special, gathered.used * layout.slot_bytes, now);
            slots = later;
            if layout.code_bytes > 0 {
                let (now, later) = codes.split_at(count * layout.code_bytes);
                write_codes(pages, &layout, (gathered.last - page, page, gathered.used), now)?;
                codes = later;
            }
            gathered.used += count;
            pages.poll();
        }
        gathered.slots.clear();
        gathered.codes.clear();
        Ok(())
    }

    /// Writes what is left, and what says where all is.
    pub(crate) fn finish<P: Pages>(&mut self, pages: &P, meta: &mut Meta) -> Result<(), IndexError> {
        for list in 0..self.lists.len() as u32 {
            self.write(pages, meta, list)?;
            (self.lists[list as usize].slots, self.lists[list as usize].codes) = Default::default();
        }
        self.map.try_resize(meta.extents as usize, OTHERS)?;
        list_pages::put_map(pages, meta, &self.map)?;
        list_pages::put_centroids(pages, self.layout.dimension, self.centroids.bytes());
        let entry = |list: &Gathered| Entry { last: list.last, target: list.last };
        list_pages::write_directory(pages, meta, &tq_memory::collected(self.lists.iter().map(entry))?)
    }

    pub(crate) fn centre(&self) -> &Centre {
        &self.centre
    }

    pub(crate) fn codec(&self) -> &Arc<Codec> {
        &self.codec
    }
}

/// Writes codes of rows that have their slots side by side, from that one on.
fn write_codes<P: Pages>(
    pages: &P,
    layout: &RowLayout,
    (start, page, first): (u32, u32, usize),
    codes: &[u8],
) -> Result<(), IndexError> {
    let special = layout::special(Kind::Codes, 0);
    let (mut block, mut at) = (0, 0);
    let mut run: Vec<u8> = tq_memory::with_capacity(pages.room())?;
    for (slot, bytes) in (first..).zip(codes.chunks_exact(layout.code_bytes)) {
        for piece in layout.code_pieces(page, slot) {
            if start + piece.block != block {
                if !run.is_empty() {
                    pages.put_at(block, &special, at, &run);
                }
                run.clear();
                (block, at) = (start + piece.block, piece.at);
            }
            run.extend_from_slice(&bytes[piece.bytes]);
        }
    }
    if !run.is_empty() {
        pages.put_at(block, &special, at, &run);
    }
    Ok(())
}
