//! Rows of a tensor in compressed sparse rows, with zeros where it has no entry.

use std::sync::Arc;

use tq_memory::Grow;

use super::dense::{element_of, shape_of};
use super::sparse::{Cells, Indices, Values};
use super::stream::Stream;
use crate::rows::{Real, RealRowReader, convert};
use crate::ztensor::model::Object;
use crate::ztensor::types::Element;
use crate::{MappedFile, RowsError};

/// Numbers that rows are filled with at a time.
const BLOCK: u64 = 1 << 18;

/// Reads a CSR tensor: three streams side by side.
pub(in crate::ztensor) struct CsrReader {
    file: Arc<MappedFile>,
    indptr: Indices,
    indices: Indices,
    values: Values,
    cells: Cells,
    /// Whether the columns of a row must increase, or only differ.
    increasing: bool,
    dimension: u32,
    rows: u64,
    next: u64,
    /// Where the next row's entries begin.
    begin: u64,
    /// Kept for their capacity.
    ends: Vec<u64>,
    columns: Vec<u64>,
}

impl CsrReader {
    pub(in crate::ztensor) fn new(
        file: Arc<MappedFile>,
        object: &Object,
        increasing: bool,
        poll: &mut dyn FnMut(),
    ) -> Result<Self, RowsError> {
        let (rows, dimension) = shape_of(object)?;
        // As many as there are cells, which are not more than can be counted.
        let cells = rows.saturating_mul(u64::from(dimension));
        let mut open = |role: &str| -> Result<_, RowsError> {
            let element = element_of(object, role)?;
            let limit = cells.saturating_mul(element.width());
            Ok((Stream::open(&file, object.part(role)?, limit, poll)?, element))
        };
        let indices = |(stream, element)| Indices::new(stream, element);
        let (mut indptr, columns) = (indices(open("indptr")?), indices(open("indices")?));
        let (stream, element) = open("values")?;
        let cells = Cells::new(object, dimension)?;
        let mut ends = Vec::new();
        indptr.read(&file, 1, &mut ends)?;
        if ends != [0] {
            return Err(cells
                .malformed(format!("its first row begins at entry {} instead of 0", ends[0]))
                .into());
        }
        Ok(CsrReader {
            indptr,
            indices: columns,
            values: Values::new(stream, element),
            cells,
            increasing,
            dimension,
            rows,
            next: 0,
            begin: 0,
            ends,
            columns: Vec::new(),
            file,
        })
    }

    /// Makes sure that no entries are left.
    fn finish(&mut self) -> Result<(), RowsError> {
        self.indptr.finish(&self.file)?;
        self.indices.finish(&self.file)?;
        self.values.finish(&self.file)
    }

    /// Reads where the next rows end, and returns where the last of them does.
    fn read_ends(&mut self, rows: usize) -> Result<u64, RowsError> {
        self.indptr.read(&self.file, rows, &mut self.ends)?;
        let mut begin = self.begin;
        for (row, end) in (self.next..).zip(&self.ends) {
            match end.checked_sub(begin) {
                Some(count) if count <= u64::from(self.dimension) => begin = *end,
                _ => {
                    let problem = format!("row {} goes from entry {begin} to entry {end}", row + 1);
                    return Err(self.cells.malformed(problem).into());
                }
            }
        }
        Ok(begin)
    }
}

impl RealRowReader for CsrReader {
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
        self.values.element() == Element::F64
    }

    fn read_next<N: Real>(&mut self, most: usize, out: &mut Vec<N>) -> Result<usize, RowsError> {
        let dimension = self.dimension as usize;
        let rows =
            (BLOCK / u64::from(self.dimension)).clamp(1, (most as u64).max(1)).min(self.rows - self.next);
        let rows = rows as usize;
        let end = self.read_ends(rows)?;
        // At most as many as the block has cells.
        let count = (end - self.begin) as usize;
        self.indices.read(&self.file, count, &mut self.columns)?;
        let element = self.values.element();
        let mut numbers: Vec<N> = tq_memory::with_capacity(count)?;
        convert(element, false, self.values.read(&self.file, count)?, &mut numbers);
        let start = out.len();
        out.try_room(rows * dimension)?;
        out.resize(start + rows * dimension, N::default());
        let mut entries = self.columns.iter().zip(&numbers);
        let mut begin = self.begin;
        for (i, end) in self.ends.iter().enumerate() {
            let row = self.next + i as u64;
            let mut last = None;
            for (column, number) in entries.by_ref().take((end - begin) as usize) {
                let cell = self.cells.take(row, *column)?;
                if self.increasing && last.replace(cell) >= Some(cell) {
                    let problem = format!("columns of row {} are not in increasing order", row + 1);
                    return Err(self.cells.malformed(problem).into());
                }
                out[start + i * dimension + cell] = *number;
            }
            begin = *end;
        }
        self.begin = end;
        self.next += rows as u64;
        if self.next == self.rows {
            self.finish()?;
        }
        Ok(rows)
    }
}
