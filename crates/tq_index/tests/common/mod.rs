//! What the index's tests share: data, a column of records, and the exact answer.
#![allow(dead_code, unreachable_pub, missing_docs)]

#[path = "../../../tq_codec/tests/common/mod.rs"]
pub mod data;

use std::sync::Arc;

use tq_codec::{Codec, Level, Metric, PreparedQuery, RotationKind, Workers, build_rotation};
use tq_format::{BitWidth, RecordView};
use tq_index::{
    Build, Definition, Hit, IndexError, ListOptions, Means, MemoryPages, Others, Refine, Sample, Scan,
    ScanCounts, ScanOptions, Session, Tid, Value,
};

/// Bytes of content of a page of PostgreSQL's.
pub const ROOM: usize = 8160;

/// Records of one codec.
pub struct Column {
    pub codec: Arc<Codec>,
    pub records: Vec<Vec<u8>>,
}

impl Column {
    /// Compresses rows of a matrix under the built-in codec of the Hadamard rotation.
    pub fn new(rows: &[f32], dimension: usize, width: BitWidth, residual: bool) -> Self {
        let seed = tq_codec::BUILTIN_SEED;
        let rotation = Arc::new(build_rotation(RotationKind::Hadamard, seed, dimension as u32).unwrap());
        let codec = Arc::new(Codec::builtin(dimension as u32, width, residual, rotation).unwrap());
        let mut bytes = Vec::new();
        codec.encode_batch(rows, &mut bytes).unwrap();
        let records = bytes.chunks(codec.record_shape().record_len()).map(<[u8]>::to_vec).collect();
        Self { codec, records }
    }

    pub fn view(&self, row: usize) -> RecordView<'_> {
        RecordView::parse(&self.records[row]).unwrap()
    }

    pub fn query(&self, query: &[f32]) -> PreparedQuery {
        PreparedQuery::new(Arc::clone(&self.codec), query, Level::detect()).unwrap()
    }

    /// No pages yet, and the rows.
    fn table(&self) -> MemoryPages {
        let pages = MemoryPages::new(ROOM);
        for (row, record) in self.records.iter().enumerate() {
            pages.put_row(tid(row), Some(record));
        }
        pages
    }

    /// The index that is built of it.
    pub fn build(&self, metric: Metric, refine: Refine) -> MemoryPages {
        let pages = self.table();
        let mut sample = Sample::default();
        let step = self.records.len().div_ceil(tq_index::SAMPLE_ROWS).max(1);
        for row in (0..self.records.len()).step_by(step) {
            sample.add(Value::record(self.view(row)), &self.codec).unwrap();
        }
        let mut build = Build::new(&pages, Definition { metric, refine }, &sample).unwrap();
        for row in 0..self.records.len() {
            build.add(tid(row), Some(Value::record(self.view(row)))).unwrap();
        }
        assert_eq!(build.finish().unwrap(), self.records.len() as u64);
        pages
    }

    /// The index with lists that is built of it.
    pub fn build_lists(&self, metric: Metric, refine: Refine, lists: u32) -> MemoryPages {
        let pages = self.table();
        let mut sample = Sample::keeping(64 << 20);
        let step = self.records.len().div_ceil(64 * lists as usize).max(1);
        for row in (0..self.records.len()).step_by(step) {
            sample.add(Value::record(self.view(row)), &self.codec).unwrap();
        }
        let workers = Workers::new(2).unwrap();
        let means = Means { lists, rows: self.records.len() as u64, memory: 64 << 20, workers: &workers };
        let mut build = Build::with_lists(&pages, Definition { metric, refine }, sample, means).unwrap();
        for row in 0..self.records.len() {
            build.add(tid(row), Some(Value::record(self.view(row)))).unwrap();
        }
        assert_eq!(build.finish().unwrap(), self.records.len() as u64);
        pages
    }

    /// The index that is made empty and filled in that order.
    pub fn fill(&self, metric: Metric, refine: Refine, order: impl Iterator<Item = usize>) -> MemoryPages {
        let pages = self.table();
        tq_index::create(&pages, Definition { metric, refine }).unwrap();
        let mut session = Session::new(&pages).unwrap();
        for row in order {
            session.insert(&pages, tid(row), Some(Value::record(self.view(row))), Some(&self.codec)).unwrap();
        }
        pages
    }

    /// Distances of all rows, as the operator has them, nearest first.
    pub fn exact(&self, query: &PreparedQuery, metric: Metric) -> Vec<(f64, usize)> {
        let distance = |row| {
            let distance = query.distance(metric, &self.view(row));
            if metric == Metric::InnerProduct { -distance } else { distance }
        };
        let mut all: Vec<(f64, usize)> = (0..self.records.len()).map(|row| (distance(row), row)).collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        all
    }
}

pub fn tid(row: usize) -> Tid {
    Tid { block: (row / 200) as u32, offset: (row % 200) as u16 + 1 }
}

pub fn row_of(tid: Tid) -> usize {
    tid.block as usize * 200 + usize::from(tid.offset) - 1
}

/// An index without other rows.
pub struct NoOthers;

impl Others for NoOthers {
    type Error = IndexError;

    fn distance(&mut self, _: Tid, _: &[u8]) -> Result<Option<f64>, IndexError> {
        panic!("no row is another");
    }
}

pub fn options() -> ScanOptions {
    ScanOptions { epsilon: 3.0, memory: 4 << 20, level: Level::detect(), lists: ListOptions::default() }
}

/// The first `count` rows of a search, and what it did.
pub fn search(
    pages: &MemoryPages,
    query: PreparedQuery,
    count: usize,
    options: ScanOptions,
) -> (Vec<Hit>, ScanCounts) {
    let square = query.square();
    let mut scan = Scan::new(pages, Session::new(pages).unwrap(), Some(query), square, options).unwrap();
    let mut hits = Vec::new();
    while hits.len() < count
        && let Some(hit) = scan.next(pages, &mut NoOthers).unwrap()
    {
        hits.push(hit);
    }
    (hits, scan.counts())
}

/// A set of vectors.
pub struct Set {
    pub name: &'static str,
    pub dimension: usize,
    pub rows: Vec<f32>,
    pub queries: Vec<Vec<f32>>,
}

impl Set {
    /// One of the sets beside the repository, its rows and at most so many of its queries scaled to unit length.
    pub fn shared(name: &'static str, rows: usize, queries: usize) -> Option<Self> {
        let base = data::read_npy_f32(&data::shared(&format!("data/{name}/base.npy"))?);
        let asked = data::read_npy_f32(&data::shared(&format!("data/{name}/queries.npy"))?);
        let dimension = base.columns;
        let rows = rows.min(base.rows);
        let rows = (0..rows).flat_map(|row| tq_codec::normalize(base.row(row)).unwrap()).collect();
        let queries = (0..queries.min(asked.rows)).map(|row| tq_codec::normalize(asked.row(row)).unwrap());
        Some(Self { name, dimension, rows, queries: queries.collect() })
    }

    /// Clusters around centres, of which the first are common, with noise whose coordinates shrink: much like word vectors.
    pub fn clusters(name: &'static str, dimension: usize, rows: usize, queries: usize, decay: f64) -> Self {
        let mut random = data::Random(20_260_101);
        let scales: Vec<f32> = (0..dimension).map(|i| (1.0 + i as f64).powf(-decay) as f32).collect();
        let centres: Vec<Vec<f32>> = (0..500).map(|_| random.vector(dimension)).collect();
        let mut vector = || {
            let centre = &centres[(random.uniform() * random.uniform() * 500.0) as usize];
            let noise = random.vector(dimension);
            let values = centre.iter().zip(noise).zip(&scales).map(|((c, n), s)| (c + n) * s);
            tq_codec::normalize(&values.collect::<Vec<_>>()).unwrap()
        };
        let rows = (0..rows).flat_map(|_| vector()).collect();
        let queries = (0..queries).map(|_| vector()).collect();
        Self { name, dimension, rows, queries }
    }

    /// So many near copies of each row of a set, with noise of a tenth of its length, in no order; and the set's queries.
    pub fn copies(mut self, name: &'static str, copies: usize) -> Self {
        let mut random = data::Random(77);
        let scale = 0.1 / (self.dimension as f32).sqrt();
        let copy = |row: &[f32]| {
            let noise = random.vector(self.dimension);
            tq_codec::normalize(&row.iter().zip(noise).map(|(x, n)| x + scale * n).collect::<Vec<_>>())
                .unwrap()
        };
        self.rows = self.rows.repeat(copies).chunks(self.dimension).flat_map(copy).collect();
        self.name = name;
        self
    }

    /// All sets that are there.
    pub fn all(rows: usize, queries: usize) -> Vec<Self> {
        let shared = ["debian-minilm", "debian-e5"].into_iter();
        let mut sets: Vec<Self> = shared.filter_map(|name| Self::shared(name, rows, queries)).collect();
        sets.push(Self::clusters("clusters of 384 dimensions", 384, rows, queries, 0.0));
        sets.push(Self::clusters("like GloVe, 100 dimensions", 100, rows, queries, 0.3));
        sets
    }
}
