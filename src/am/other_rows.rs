//! Rows that a search measures whole: records that aren't of the index's codec, and floats that have no record.

use tq_codec::{Metric, PreparedQuery};
use tq_format::RecordView;
use tq_index::{Bounds, IndexError, Others, Tid};

use super::column::floats_of_whole;
use super::table::TableRows;
use crate::error::{Error, VectorError};
use crate::registry;
use crate::registry::Query;
use crate::server::settings;

/// Codecs of the other rows for which a query is kept prepared.
const MOST_PREPARED: usize = 32;

/// Measures records that aren't of the index's codec, or floats that have no record.
pub(super) struct OtherRecords {
    pub(super) metric: Metric,
    pub(super) query: Query,
    pub(super) prepared: Vec<PreparedQuery>,
    /// In an index of floats.
    pub(super) bounds: Option<Bounds>,
}

/// An error while other rows are measured: of theirs, or of the index.
pub(super) enum SearchError {
    Index(IndexError),
    Other(Error),
}

impl From<IndexError> for SearchError {
    fn from(error: IndexError) -> Self {
        SearchError::Index(error)
    }
}

impl OtherRecords {
    fn measure(&mut self, record: &[u8]) -> Result<f64, Error> {
        if let Some(bounds) = self.bounds {
            return self.measure_floats(bounds, record);
        }
        let record = RecordView::parse_stored(record)?;
        check_dimensions(&self.query, record.dimension())?;
        let at = match self.prepared.iter().position(|prepared| prepared.matches(&record)) {
            Some(at) => at,
            None => {
                let codec = registry::for_record(&record)?;
                if self.prepared.len() == MOST_PREPARED {
                    self.prepared.clear();
                }
                self.prepared.push(self.query.prepare(codec, settings::simd_level())?);
                self.prepared.len() - 1
            }
        };
        let distance = registry::distance(&self.prepared[at], self.metric, &record)?;
        Ok(if self.metric == Metric::InnerProduct { -distance } else { distance })
    }
}

impl OtherRecords {
    /// What the distance of floats is at the least.
    fn measure_floats(&mut self, bounds: Bounds, whole: &[u8]) -> Result<f64, Error> {
        let floats = floats_of_whole(whole).ok_or(Error::index(IndexError::Damaged {
            block: 0,
            problem: "a row that is kept whole has another length than it says",
        }))?;
        check_dimensions(&self.query, floats.len() as u32)?;
        let (mut product, mut square) = (0.0, 0.0);
        for (q, x) in self.query.floats()?.iter().zip(floats) {
            product += f64::from(*q) * f64::from(x);
            square += f64::from(x) * f64::from(x);
        }
        Ok(bounds.of_vector(product, square.sqrt()).least)
    }
}

/// The other rows of a search, with the table that they are in.
pub(super) struct SeenRecords<'a> {
    pub(super) records: &'a mut OtherRecords,
    pub(super) table: Option<&'a TableRows>,
}

impl Others for SeenRecords<'_> {
    type Error = SearchError;

    /// A row that can't be measured is an error if the search sees it. One that was rolled back or deleted, or that nobody has committed
    /// yet, is none.
    fn distance(&mut self, tid: Tid, record: &[u8]) -> Result<Option<f64>, SearchError> {
        match self.records.measure(record) {
            Ok(distance) => Ok(Some(distance)),
            Err(_) if self.table.is_some_and(|table| !table.has(tid)) => Ok(None),
            Err(error) => Err(SearchError::Other(error)),
        }
    }
}

/// That a query has the rows' dimensions: the error that the operator gives.
pub(super) fn check_dimensions(query: &Query, rows: u32) -> Result<(), Error> {
    let query = query.dimension();
    if query == rows as usize {
        return Ok(());
    }
    Err(Error::Vector(VectorError::DimensionsDiffer(rows, query as u32)))
}
