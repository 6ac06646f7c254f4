//! Rows of a tensor in a coordinate list, with zeros where it has no entry.
//!
//! Entries may be in any order. If their rows increase, as they mostly do, they are read as they stand; otherwise they are
//! sorted in memory, in runs, and merged from these. That takes 12 bytes an entry, or 16 where numbers have 8, which is less
//! than it takes in the file uncompressed with `u64` coordinates. Numbers stay as the file has them until they are in a row.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use tq_memory::{Grow, OutOfMemory};

use super::dense::{element_of, shape_of};
use super::sparse::{Cells, Indices, Values};
use super::stream::Stream;
use crate::rows::{Real, RealRowReader, number};
use crate::ztensor::model::Object;
use crate::ztensor::types::Element;
use crate::{MappedFile, RowReader, RowsError};

/// Numbers that rows are filled with at a time, and entries that are read at a time.
const BLOCK: u64 = 1 << 18;
const ENTRIES: u64 = 1 << 14;
/// Most entries that are sorted, and how many are at once.
const MOST_SORTED: u64 = 64 << 20;
const RUN: usize = 1 << 18;

/// A cell that is not zero, perhaps.
#[derive(Clone, Copy)]
struct Entry<const W: usize> {
    row: u32,
    /// Dimensions of sparse tensors are small.
    column: u16,
    /// The first bytes, as many as the type of the numbers has.
    number: [u8; W],
}

/// Reads a COO tensor, whose numbers have at most `W` bytes.
struct CooReader<const W: usize> {
    file: Arc<MappedFile>,
    entries: Entries<W>,
    /// The first entry that was not put into its row yet.
    ahead: Option<Entry<W>>,
    cells: Cells,
    element: Element,
    dimension: u32,
    rows: u64,
    next: u64,
}

enum Entries<const W: usize> {
    Streamed(Box<Streamed>),
    Sorted(Sorted<W>),
}

/// A reader of that tensor.
pub(in crate::ztensor) fn open(
    file: Arc<MappedFile>,
    object: &Object,
    poll: &mut dyn FnMut(),
) -> Result<Box<dyn RowReader>, RowsError> {
    Ok(match element_of(object, "values")?.width() {
        8 => Box::new(CooReader::<8>::new(file, object, poll)?),
        _ => Box::new(CooReader::<4>::new(file, object, poll)?),
    })
}

impl<const W: usize> CooReader<W> {
    fn new(file: Arc<MappedFile>, object: &Object, poll: &mut dyn FnMut()) -> Result<Self, RowsError> {
        let (rows, dimension) = shape_of(object)?;
        let cells = Cells::new(object, dimension)?;
        let count = count_entries(&file, object, poll)?;
        let mut streamed = Streamed::open(&file, object, count, poll)?;
        let sorted = rows_increase(&file, object, count, &cells, poll)?;
        let mut entries = match sorted {
            true => Entries::Streamed(Box::new(streamed)),
            false if count > MOST_SORTED => {
                let problem = format!(
                    "its {count} entries are not in the order of rows: at most {MOST_SORTED} can be sorted"
                );
                let tensor = object.name.clone();
                return Err(crate::ContainerError::NotRows { tensor, obstacle: problem }.into());
            }
            false => Entries::Sorted(Sorted::new(&file, &mut streamed, &cells, poll)?),
        };
        let ahead = entries.next(&file, &cells)?;
        let element = element_of(object, "values")?;
        Ok(CooReader { file, entries, ahead, cells, element, dimension, rows, next: 0 })
    }
}

/// How many entries there are, which only the end of the values tells if these are compressed.
fn count_entries(file: &MappedFile, object: &Object, poll: &mut dyn FnMut()) -> Result<u64, RowsError> {
    let (values, element) = (object.part("values")?, element_of(object, "values")?);
    let (rows, dimension) = shape_of(object)?;
    let limit = rows.saturating_mul(u64::from(dimension)).saturating_mul(element.width());
    let bytes = Stream::open(file, values, limit, poll)?.measure(file, poll)?;
    match bytes.is_multiple_of(element.width()) {
        true => Ok(bytes / element.width()),
        false => {
            Err(values.label.malformed(format!("its {bytes} bytes are not whole numbers of its type")).into())
        }
    }
}

/// Opens the coordinates of `count` entries; what they have to be in all was checked if it was known.
fn open_coords(
    file: &MappedFile,
    object: &Object,
    count: u64,
    poll: &mut dyn FnMut(),
) -> Result<(Stream, Element), RowsError> {
    let element = element_of(object, "coords")?;
    let limit = count.saturating_mul(2 * element.width());
    Ok((Stream::open(file, object.part("coords")?, limit, poll)?, element))
}

/// Checks that all rows exist, and tells whether they increase.
fn rows_increase(
    file: &MappedFile,
    object: &Object,
    count: u64,
    cells: &Cells,
    poll: &mut dyn FnMut(),
) -> Result<bool, RowsError> {
    let (stream, element) = open_coords(file, object, count, poll)?;
    let mut coords = Indices::new(stream, element);
    let (rows, _) = shape_of(object)?;
    let (mut left, mut last, mut increase) = (count, 0, true);
    let mut block = Vec::new();
    while left > 0 {
        poll();
        coords.read(file, left.min(ENTRIES) as usize, &mut block)?;
        left -= block.len() as u64;
        for row in &block {
            increase &= last <= *row;
            last = *row;
            if *row >= rows {
                return Err(cells
                    .malformed(format!("it has an entry in row {row} (from 0) of {rows}"))
                    .into());
            }
        }
    }
    Ok(increase)
}

/// Entries as they stand in the file.
struct Streamed {
    rows: Indices,
    columns: Indices,
    values: Values,
    left: u64,
    /// A block of entries, with the bytes of their numbers, and how far it was given away.
    block: (Vec<u64>, Vec<u64>, Vec<u8>),
    used: usize,
}

impl Streamed {
    fn open(
        file: &MappedFile,
        object: &Object,
        count: u64,
        poll: &mut dyn FnMut(),
    ) -> Result<Self, RowsError> {
        let (rows, element) = open_coords(file, object, count, poll)?;
        let (mut columns, _) = open_coords(file, object, count, poll)?;
        columns.skip(file, count.saturating_mul(element.width()), poll)?;
        let number = element_of(object, "values")?;
        let values = Stream::open(file, object.part("values")?, count.saturating_mul(number.width()), poll)?;
        Ok(Streamed {
            rows: Indices::new(rows, element),
            columns: Indices::new(columns, element),
            values: Values::new(values, number),
            left: count,
            block: Default::default(),
            used: 0,
        })
    }

    fn next<const W: usize>(
        &mut self,
        file: &MappedFile,
        cells: &Cells,
    ) -> Result<Option<Entry<W>>, RowsError> {
        let (rows, columns, numbers) = &mut self.block;
        if self.used == rows.len() {
            let count = self.left.min(ENTRIES) as usize;
            self.rows.read(file, count, rows)?;
            self.columns.read(file, count, columns)?;
            numbers.clear();
            numbers.extend_from_slice(self.values.read(file, count)?);
            (self.used, self.left) = (0, self.left - count as u64);
            if count == 0 {
                self.columns.finish(file)?;
                self.values.finish(file)?;
                return Ok(None);
            }
        }
        let (row, column) = (rows[self.used], columns[self.used]);
        let (width, mut number) = (self.values.element().width() as usize, [0; W]);
        number[..width].copy_from_slice(&numbers[self.used * width..][..width]);
        self.used += 1;
        match (u32::try_from(row), u16::try_from(column)) {
            (Ok(row), Ok(column)) => Ok(Some(Entry { row, column, number })),
            _ => {
                Err(cells.malformed(format!("it has an entry in row {row}, column {column} (from 0)")).into())
            }
        }
    }
}

/// The next entry of a run: its row and column, the run, and the bytes of its number.
type Head<const W: usize> = (u32, u16, usize, [u8; W]);

/// Entries in runs that are in order, and the runs by their next entries.
struct Sorted<const W: usize> {
    runs: Vec<std::vec::IntoIter<Entry<W>>>,
    heads: BinaryHeap<Reverse<Head<W>>>,
}

impl<const W: usize> Sorted<W> {
    fn new(
        file: &MappedFile,
        entries: &mut Streamed,
        cells: &Cells,
        poll: &mut dyn FnMut(),
    ) -> Result<Self, RowsError> {
        let mut sorted = Sorted { runs: Vec::new(), heads: BinaryHeap::new() };
        loop {
            poll();
            let mut run = Vec::new();
            while run.len() < RUN
                && let Some(entry) = entries.next(file, cells)?
            {
                run.try_push(entry)?;
            }
            if run.is_empty() {
                return Ok(sorted);
            }
            run.sort_unstable_by_key(|entry| (entry.row, entry.column));
            sorted.runs.try_push(run.into_iter())?;
            sorted.heads.try_reserve(1).map_err(OutOfMemory::from)?;
            sorted.push_head(sorted.runs.len() - 1);
        }
    }

    fn push_head(&mut self, run: usize) {
        if let Some(entry) = self.runs[run].next() {
            self.heads.push(Reverse((entry.row, entry.column, run, entry.number)));
        }
    }

    fn next(&mut self) -> Option<Entry<W>> {
        let Reverse((row, column, run, number)) = self.heads.pop()?;
        self.push_head(run);
        Some(Entry { row, column, number })
    }
}

impl<const W: usize> Entries<W> {
    fn next(&mut self, file: &MappedFile, cells: &Cells) -> Result<Option<Entry<W>>, RowsError> {
        match self {
            Entries::Streamed(entries) => entries.next(file, cells),
            Entries::Sorted(entries) => Ok(entries.next()),
        }
    }
}

impl<const W: usize> RealRowReader for CooReader<W> {
    fn dimension(&self) -> u32 {
        self.dimension
    }

    fn rows(&self) -> u64 {
        self.rows
    }

    fn next(&self) -> u64 {
        self.next
    }

    fn of_doubles(&self) -> bool {
        self.element == Element::F64
    }

    fn read_next<N: Real>(&mut self, most: usize, out: &mut Vec<N>) -> Result<usize, RowsError> {
        let dimension = self.dimension as usize;
        let rows =
            (BLOCK / u64::from(self.dimension)).clamp(1, (most as u64).max(1)).min(self.rows - self.next);
        let start = out.len();
        out.try_room(rows as usize * dimension)?;
        out.resize(start + rows as usize * dimension, N::default());
        for (row, numbers) in (self.next..self.next + rows).zip(out[start..].chunks_exact_mut(dimension)) {
            while let Some(entry) = self.ahead.filter(|entry| u64::from(entry.row) <= row) {
                if u64::from(entry.row) < row {
                    // They increased when they were looked at.
                    return Err(self.cells.malformed("its entries changed their order".into()).into());
                }
                numbers[self.cells.take(row, entry.column.into())?] = number(self.element, &entry.number);
                self.ahead = self.entries.next(&self.file, &self.cells)?;
            }
        }
        self.next += rows;
        match self.ahead {
            Some(entry) if self.next == self.rows => Err(self
                .cells
                .malformed(format!("it has an entry in row {} of {}", u64::from(entry.row) + 1, self.rows))
                .into()),
            _ => Ok(rows as usize),
        }
    }
}
