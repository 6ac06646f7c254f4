//! Any sequence of inserts, deletions, vacuums, searches and crashes, against a plain list.
#![allow(missing_docs)]

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use common::{Column, data::Random};
use proptest::prelude::*;
use tq_codec::{Codec, Level, Metric, PreparedQuery, Workers};
use tq_format::{BitWidth, RecordView};
use tq_index::{
    Bounds, Build, Checker, Definition, Fit, Hit, IndexError, Kept, ListOptions, Means, MemoryPages, Order,
    Others, Range, Refine, Sample, Scan, ScanOptions, Session, Tid, Value, Walk, check, contents, create,
    vacuum,
};

/// What is in a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Cell {
    /// A record of the index's codec: which.
    Own(usize),
    /// One of another codec, of the same dimension.
    Other(usize),
    /// One of a codec that nobody knows.
    Unknown(usize),
    Null,
}

#[derive(Clone, Debug)]
enum Step {
    Insert(Vec<Cell>),
    /// While another session writes one row in so many, which can't be read.
    InsertBeside(usize, Vec<Cell>),
    /// Deletes one row in so many, and vacuums.
    Vacuum(usize),
    /// Stops everything after so many changes: the next steps fail until one that says how it goes on.
    Crash(usize),
    /// Takes some rows of a search, lets the steps happen, and takes the others.
    Search(usize, Vec<Step>),
    SearchNull,
}

const RECORDS: usize = 300;

/// Records of two codecs; or floats, for which the first makes records.
struct World {
    own: Column,
    other: Column,
    metric: Metric,
    /// How the floats lie to the first codec's records, if it is floats.
    fits: Option<Vec<Fit>>,
}

impl World {
    fn new(dimension: usize, width: BitWidth, metric: Metric, refine: Refine) -> Self {
        let mut random = Random(7);
        let common = random.vector(dimension);
        let rows: Vec<f32> = (0..RECORDS)
            .flat_map(|_| {
                let values = random.vector(dimension).into_iter().zip(&common).map(|(x, c)| x + 2.0 * c);
                tq_codec::normalize(&values.collect::<Vec<f32>>()).unwrap()
            })
            .collect();
        let own = Column::new(&rows, dimension, width, false);
        let fit = |(row, at): (&[f32], usize)| {
            let (mut rotated, mut decoded) = (vec![0.0; dimension], vec![0.0; dimension]);
            own.codec.rotation().apply(row, &mut rotated);
            own.codec.decode_rotated(&own.view(at), &mut decoded).unwrap();
            let norm = if metric == Metric::Cosine { 1.0 } else { 0.5 + (at % 7) as f64 };
            Fit::new(norm, &rotated, &decoded).unwrap()
        };
        let fits =
            (refine == Refine::Floats).then(|| rows.chunks(dimension).zip(0..).map(fit).collect::<Vec<_>>());
        Self { other: Column::new(&rows, dimension, BitWidth::Eight, true), own, metric, fits }
    }

    /// What an index is handed.
    fn value(&self, cell: Cell) -> Option<Value<'_>> {
        let record = self.record(cell).0?;
        Some(match (&self.fits, cell) {
            (None, _) => Value::record(record),
            (Some(fits), Cell::Own(at)) => Value::floats(record, fits[at], record.as_bytes()),
            (Some(_), _) => Value::whole(record.as_bytes()),
        })
    }

    /// What is certain of a row's distance.
    fn range(&self, at: usize) -> Option<Range> {
        let fit = self.fits.as_ref()?[at];
        let query = self.query(&self.own.codec);
        let bounds = Bounds::new(self.metric, query.square(), self.own.codec.config().dimension() as usize);
        Some(bounds.of_codes(query.distance(Metric::Cosine, &self.own.view(at)), fit))
    }

    fn record(&self, value: Cell) -> (Option<RecordView<'_>>, Option<&Arc<Codec>>) {
        match value {
            Cell::Own(at) => (Some(self.own.view(at)), Some(&self.own.codec)),
            Cell::Other(at) => (Some(self.other.view(at)), Some(&self.other.codec)),
            Cell::Unknown(at) => (Some(self.other.view(at)), None),
            Cell::Null => (None, None),
        }
    }

    fn query(&self, codec: &Arc<Codec>) -> PreparedQuery {
        let query: Vec<f32> = (0..codec.config().dimension()).map(|i| (i as f32 + 1.0).cos()).collect();
        PreparedQuery::new(Arc::clone(codec), &query, Level::detect()).unwrap()
    }

    fn distance(&self, value: Cell) -> Option<f64> {
        if let Cell::Own(at) = value
            && let Some(range) = self.range(at)
        {
            return Some(range.least);
        }
        let (record, _) = self.record(value);
        let codec = if matches!(value, Cell::Own(_)) { &self.own.codec } else { &self.other.codec };
        let distance = self.query(codec).distance(self.metric, &record?);
        Some(if self.metric == Metric::InnerProduct { -distance } else { distance })
    }
}

/// Measures records of either codec: which is the index's, the first row decides.
struct Measure<'a>(&'a World);

impl Others for Measure<'_> {
    type Error = IndexError;

    fn distance(&mut self, _: Tid, record: &[u8]) -> Result<Option<f64>, IndexError> {
        let record = RecordView::parse(record).unwrap();
        let codecs = [&self.0.own.codec, &self.0.other.codec].into_iter();
        let query = codecs.map(|codec| self.0.query(codec)).find(|query| query.matches(&record)).unwrap();
        let distance = query.distance(self.0.metric, &record);
        Ok(Some(if self.0.metric == Metric::InnerProduct { -distance } else { distance }))
    }
}

/// The rows that a check hands over.
#[derive(Default)]
struct Found(BTreeMap<Tid, Option<Vec<u8>>>);

impl Checker for Found {
    type Error = IndexError;

    fn row(&mut self, tid: Tid, kept: Kept<'_>) -> Result<(), IndexError> {
        let bytes = match kept {
            Kept::Null | Kept::Unread => None,
            Kept::Record(record) => Some(record.to_vec()),
            Kept::Payload { codes, residual, fit } => {
                Some([codes, residual.unwrap_or_default(), fit].concat())
            }
        };
        assert_eq!(self.0.insert(tid, bytes), None, "{tid:?} twice");
        Ok(())
    }

    fn fault(&mut self, block: u32, problem: &'static str) -> Result<(), IndexError> {
        panic!("block {block}: {problem}");
    }
}

struct Run {
    world: World,
    pages: MemoryPages,
    session: Session,
    rows: BTreeMap<Tid, Cell>,
    next: u32,
    /// Tids that a vacuum has freed.
    free: Vec<Tid>,
    /// Rows that are dead, whose vacuum didn't get to its end.
    dead: Vec<Tid>,
    crashed: bool,
    /// Rows that a search under way has to find, and those that it may.
    deleted: Vec<Tid>,
    lists: ListOptions,
}

impl Run {
    fn fresh_tid(&mut self) -> Tid {
        self.free.pop().unwrap_or_else(|| {
            self.next += 1;
            Tid { block: self.next, offset: 1 }
        })
    }

    fn recover(&mut self) {
        self.pages.stop_after(None);
        self.session = Session::new(&self.pages).unwrap();
        self.crashed = false;
        self.vacuum_dead();
    }

    fn vacuum_dead(&mut self) {
        let dead = self.dead.clone();
        match vacuum(&self.pages, &mut |tid| dead.contains(&tid)) {
            Ok(found) => {
                assert_eq!(found.live as usize, self.rows.len());
                dead.iter().for_each(|tid| self.pages.remove_row(*tid));
                self.free.append(&mut self.dead);
            }
            Err(error) => {
                assert_eq!(error, IndexError::Stopped);
                self.crashed = true;
            }
        }
    }

    fn step(&mut self, step: &Step, may_reuse: bool) {
        if self.crashed {
            self.recover();
        }
        match step {
            Step::Crash(changes) => self.pages.stop_after(Some(*changes)),
            Step::Insert(values) => {
                for value in values {
                    if !may_reuse {
                        self.free.clear();
                    }
                    let tid = self.fresh_tid();
                    let (record, codec) = self.world.record(*value);
                    self.pages.put_row(tid, record.map(|record| record.as_bytes()));
                    match self.session.insert(&self.pages, tid, self.world.value(*value), codec) {
                        Ok(()) => assert_eq!(self.rows.insert(tid, *value), None),
                        Err(error) => {
                            assert_eq!(error, IndexError::Stopped);
                            // The row of the heap is dead; nobody may have its name before a vacuum has been here.
                            self.dead.push(tid);
                            self.crashed = true;
                            break;
                        }
                    }
                }
            }
            Step::InsertBeside(every, values) => {
                let hidden: Vec<Tid> = self.rows.keys().copied().step_by(*every).collect();
                hidden.iter().for_each(|tid| self.pages.put_row(*tid, None));
                self.step(&Step::Insert(values.clone()), may_reuse);
                for tid in hidden {
                    let record = self.world.record(self.rows[&tid]).0;
                    self.pages.put_row(tid, record.map(|record| record.as_bytes()));
                }
            }
            Step::Vacuum(every) => {
                let dead: Vec<Tid> = self.rows.keys().copied().step_by(*every).collect();
                for (at, tid) in dead.into_iter().enumerate() {
                    // Some are pruned at once, others when they are vacuumed.
                    if at % 2 == 0 {
                        self.pages.remove_row(tid);
                    }
                    self.rows.remove(&tid);
                    self.dead.push(tid);
                    self.deleted.push(tid);
                }
                self.vacuum_dead();
            }
            Step::Search(taken, meanwhile) => {
                // No search outlives a crash.
                self.pages.stop_after(None);
                self.search(*taken, meanwhile);
            }
            Step::SearchNull => {
                let session = Session::new(&self.pages).unwrap();
                let mut walk = Walk::all();
                let mut found = Vec::new();
                while let Some(tid) = walk.next(&self.pages, &session).unwrap() {
                    found.push(tid);
                }
                found.retain(|tid| !self.dead.contains(tid));
                found.sort();
                assert!(found.iter().eq(self.rows.keys()));
            }
        }
    }

    fn search(&mut self, taken: usize, meanwhile: &[Step]) {
        let session = Session::new(&self.pages).unwrap();
        let session_lists = session.meta().lists();
        let codecs = [&self.world.own.codec, &self.world.other.codec];
        let codec = codecs.into_iter().find(|codec| session.meta().shape == Some(codec.record_shape()));
        let query = codec.map(|codec| self.world.query(codec));
        let square = self.world.query(&self.world.own.codec).square();
        // So many deviations that nothing is left to chance, and so little memory that there are many passes.
        let options =
            ScanOptions { epsilon: 40.0, memory: 48 * 7, level: Level::detect(), lists: self.lists };
        let mut scan = Scan::new(&self.pages, session, query, square, options).unwrap();
        let expected = self.rows.clone();
        let mut hits: Vec<Hit> = Vec::new();
        for step in 0.. {
            if step == taken {
                self.deleted.clear();
                for step in meanwhile {
                    // Names are used again when no snapshot needs them.
                    self.step(step, false);
                }
            }
            match scan.next(&self.pages, &mut Measure(&self.world)).unwrap() {
                Some(hit) => hits.push(hit),
                None => break,
            }
        }
        if taken > hits.len() {
            self.deleted.clear();
        }
        let mut seen = BTreeMap::new();
        for hit in &hits {
            assert_eq!(seen.insert(hit.tid, ()), None, "{:?} twice", hit.tid);
            if let Some(value) = expected.get(&hit.tid) {
                let bits = |distance: Option<f64>| distance.map(f64::to_bits);
                assert_eq!(bits(hit.distance), bits(self.world.distance(*value)), "{value:?}");
            }
        }
        for tid in expected.keys() {
            assert!(seen.contains_key(tid) || self.deleted.contains(tid), "{tid:?} is missing");
        }
        let visible = || hits.iter().filter(|hit| expected.contains_key(&hit.tid)).map(|hit| hit.distance);
        // Of floats, how much less than likely is certain shows when they are measured.
        let slack = |range: Range| range.likely - range.least;
        let slack = (0..RECORDS).filter_map(|at| self.world.range(at)).map(slack).fold(0.0, f64::max);
        let sorted = visible().zip(visible().skip(1)).all(|(a, b)| match (a, b) {
            (Some(a), Some(b)) => a <= b + slack,
            (None, Some(_)) => false,
            _ => true,
        });
        // With few lists, rows may be found late; none may be missing.
        let all = session_lists == 0 || self.lists.probes == u32::MAX;
        assert!(sorted || !all, "{:?}", visible().collect::<Vec<_>>());
    }

    /// That a check finds the rows, and nothing else that lives.
    fn check(&mut self) {
        if self.crashed {
            self.recover();
        }
        let mut found = Found::default();
        let shape = Session::new(&self.pages).unwrap().meta().shape;
        let codecs = [&self.world.own.codec, &self.world.other.codec];
        let codec = codecs.into_iter().find(|codec| shape == Some(codec.record_shape()));
        check(&self.pages, codec.map(Arc::as_ref), &mut found).unwrap();
        found.0.retain(|tid, _| !self.dead.contains(tid));
        assert!(found.0.keys().eq(self.rows.keys()));
        for (tid, bytes) in &found.0 {
            let record = self.world.record(self.rows[tid]).0;
            assert_eq!(bytes.is_none(), record.is_none());
            if let (Some(bytes), Some(record)) = (bytes, record) {
                let fit = match (&self.world.fits, self.rows[tid]) {
                    (Some(fits), Cell::Own(at)) => fits[at].to_bytes().to_vec(),
                    _ => Vec::new(),
                };
                let payload = [record.codes(), record.residual().unwrap_or_default(), &fit].concat();
                assert!(*bytes == payload || bytes == record.as_bytes());
            }
        }
        let contents = contents(&self.pages).unwrap();
        assert!(contents.rows + contents.others + contents.nulls >= self.rows.len() as u64);
    }
}

fn value() -> impl Strategy<Value = Cell> {
    prop_oneof![
        20 => (0..RECORDS).prop_map(Cell::Own),
        1 => (0..RECORDS).prop_map(Cell::Other),
        1 => (0..RECORDS).prop_map(Cell::Unknown),
        1 => Just(Cell::Null),
    ]
}

fn values() -> impl Strategy<Value = Vec<Cell>> {
    prop::collection::vec(value(), 0..60)
}

fn step() -> impl Strategy<Value = Step> {
    let simple = prop_oneof![
        4 => values().prop_map(Step::Insert),
        2 => (1..4usize, values()).prop_map(|(every, values)| Step::InsertBeside(every, values)),
        2 => (1..5usize).prop_map(Step::Vacuum),
        1 => (0..60usize).prop_map(Step::Crash),
        1 => Just(Step::SearchNull),
    ];
    let inner = prop_oneof![
        2 => values().prop_map(Step::Insert),
        1 => (1..5usize).prop_map(Step::Vacuum),
    ];
    prop_oneof![
        3 => simple,
        1 => (0..80usize, prop::collection::vec(inner, 0..3)).prop_map(|(taken, steps)| Step::Search(taken, steps)),
    ]
}

fn metric() -> impl Strategy<Value = Metric> {
    prop_oneof![Just(Metric::Cosine), Just(Metric::L2), Just(Metric::InnerProduct)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_index_holds_what_a_list_holds(
        dimension in prop_oneof![Just(3usize), Just(20), Just(64), Just(150)],
        width in prop_oneof![Just(BitWidth::Two), Just(BitWidth::Four), Just(BitWidth::Eight)],
        metric in metric(),
        refine in prop_oneof![Just(Refine::Index), Just(Refine::Table), Just(Refine::Floats)],
        built in prop::option::of(values()),
        lists in prop_oneof![2 => Just(0u32), 1 => Just(1), 2 => Just(4), 1 => Just(40)],
        memory in prop_oneof![Just(0usize), Just(1 << 20)],
        probes in prop_oneof![Just(u32::MAX), Just(1), Just(0)],
        order in prop_oneof![Just(Order::Strict), Just(Order::Relaxed)],
        steps in prop::collection::vec(step(), 1..14),
    ) {
        let pages = MemoryPages::new(400);
        let world = World::new(dimension, width, metric, refine);
        let mut rows = BTreeMap::new();
        let definition = Definition { metric, refine };
        match built {
            None => create(&pages, definition).unwrap(),
            Some(values) => {
                let mut sample = Sample::keeping(1 << 20);
                for value in &values {
                    if let (Some(value), Some(codec)) = (world.value(*value), world.record(*value).1) {
                        sample.add(value, codec).unwrap();
                    }
                }
                let workers = Workers::new(1).unwrap();
                let means = Means { lists, rows: values.len() as u64, memory, workers: &workers };
                let mut build = Build::with_lists(&pages, definition, sample, means).unwrap();
                for (value, block) in values.into_iter().zip(1_000_000..) {
                    let tid = Tid { block, offset: 1 };
                    let record = world.record(value).0;
                    pages.put_row(tid, record.map(|record| record.as_bytes()));
                    build.add(tid, world.value(value)).unwrap();
                    rows.insert(tid, value);
                }
                assert_eq!(build.finish().unwrap(), rows.len() as u64);
            }
        }
        let session = Session::new(&pages).unwrap();
        let (free, dead, deleted) = Default::default();
        let lists = ListOptions { probes, order, ..ListOptions::default() };
        let mut run = Run { world, pages, session, rows, next: 0, free, dead, crashed: false, deleted, lists };
        for step in &steps {
            run.step(step, true);
            run.check();
        }
        run.search(usize::MAX, &[]);
    }
}
