//! The target whose bytes are damage to the pages of an index.

use std::sync::{Arc, OnceLock};

use tq_codec::{BUILTIN_SEED, Codec, Level, Metric, PreparedQuery, RotationKind, Workers, build_rotation};
use tq_format::{BitWidth, RecordView};
use tq_index::{
    Build, Checker, Definition, Fit, IndexError, Kept, ListOptions, Means, MemoryPage, MemoryPages, Others,
    Refine, Sample, Scan, ScanOptions, Session, Tid, Value, Walk, check, contents, vacuum,
};

const DIMENSION: usize = 24;
/// Small pages, so that there are many.
const ROOM: usize = 300;
/// Rows that any walk gives at most: what there is room for, and more.
const MOST_ROWS: usize = 20_000;

/// An index of all kinds of rows, and records to insert.
struct World {
    codec: Arc<Codec>,
    records: Vec<Vec<u8>>,
    pages: Vec<MemoryPage>,
}

fn codec(width: BitWidth) -> Arc<Codec> {
    let rotation =
        build_rotation(RotationKind::Hadamard, BUILTIN_SEED, DIMENSION as u32).expect("a rotation");
    Arc::new(Codec::builtin(DIMENSION as u32, width, false, Arc::new(rotation)).expect("a codec"))
}

/// With its codes in the index, or in the table; without lists, or with some.
fn world(refine: Refine, lists: u32) -> &'static World {
    static WORLDS: [OnceLock<World>; 6] = [const { OnceLock::new() }; 6];
    WORLDS[refine as usize + 3 * usize::from(lists > 0)].get_or_init(|| {
        let vector = |row: usize| -> Vec<f32> {
            let values: Vec<f32> = (0..DIMENSION).map(|i| ((row * 31 + i * i * 7) as f32).sin()).collect();
            tq_codec::normalize(&values).expect("a direction")
        };
        let rows: Vec<f32> = (0..90).flat_map(vector).collect();
        let encode = |codec: &Codec| {
            let mut bytes = Vec::new();
            codec.encode_batch(&rows, &mut bytes).expect("records");
            bytes.chunks(codec.record_shape().record_len()).map(<[u8]>::to_vec).collect::<Vec<_>>()
        };
        let (own, other) = (codec(BitWidth::Four), codec(BitWidth::Eight));
        let (records, others) = (encode(&own), encode(&other));
        let pages = MemoryPages::new(ROOM);
        records.iter().enumerate().for_each(|(row, record)| pages.put_row(tid(row), Some(record)));
        let view = |record| RecordView::parse(record).expect("a record");
        let mut sample = Sample::keeping(1 << 20);
        records[..50]
            .iter()
            .for_each(|record| sample.add(value(refine, view(record)), &own).expect("memory"));
        let workers = Workers::new(1).expect("no thread");
        let means = Means { lists, rows: 50, memory: 1 << 20, workers: &workers };
        let definition = Definition { metric: Metric::Cosine, refine };
        let mut build = Build::with_lists(&pages, definition, sample, means).expect("memory");
        for (row, record) in records[..50].iter().enumerate() {
            build.add(tid(row), Some(value(refine, view(record)))).expect("room");
        }
        build.finish().expect("room");
        let mut session = Session::new(&pages).expect("an index");
        for row in 50..90 {
            let other = row % 8 == 0;
            let record = view(if other { &others[row] } else { &records[row] });
            let value = match other && refine == Refine::Floats {
                true => Value::whole(record.as_bytes()),
                false => value(refine, record),
            };
            session.insert(&pages, tid(row), (row % 9 != 0).then_some(value), Some(&own)).expect("room");
        }
        vacuum(&pages, &mut |tid| tid.block % 7 == 0).expect("an index");
        World { codec: own, records, pages: pages.pages() }
    })
}

/// What an index is handed: a record, or floats that it was made of.
fn value(refine: Refine, record: RecordView<'_>) -> Value<'_> {
    match refine {
        Refine::Floats => Value::floats(record, Fit { along: 2.0, across: 0.25 }, record.as_bytes()),
        _ => Value::record(record),
    }
}

fn tid(row: usize) -> Tid {
    Tid { block: row as u32, offset: 1 }
}

struct AnyDistance;

impl Others for AnyDistance {
    type Error = IndexError;

    fn distance(&mut self, _: Tid, record: &[u8]) -> Result<Option<f64>, IndexError> {
        Ok(Some(record.len() as f64))
    }
}

struct CountFaults(usize);

impl Checker for CountFaults {
    type Error = IndexError;

    fn row(&mut self, _: Tid, _: Kept<'_>) -> Result<(), IndexError> {
        Ok(())
    }

    fn fault(&mut self, _: u32, problem: &'static str) -> Result<(), IndexError> {
        assert!(!problem.is_empty());
        self.0 += 1;
        Ok(())
    }
}

/// Makes what damage is done to: training lists takes memory of its own, which no input is charged with.
pub(crate) fn prepare() {
    for refine in [Refine::Index, Refine::Table, Refine::Floats] {
        for lists in [0, 5] {
            world(refine, lists);
        }
    }
}

/// Damages pages, and does with them all that is done with an index: each gives an error, or ends.
pub(crate) fn pages(data: &[u8]) {
    // Inputs of chunks of five, and one byte more for an index without codes, two for one with lists, three for both, four for one over floats,
    // with lists if there is an odd number of chunks.
    let world = match data.len() % 5 {
        1 => world(Refine::Table, 0),
        2 => world(Refine::Index, 5),
        3 => world(Refine::Table, 5),
        4 => world(Refine::Floats, if data.len() / 5 % 2 == 1 { 5 } else { 0 }),
        _ => world(Refine::Index, 0),
    };
    let mut damaged = world.pages.clone();
    for &[block, low, high, value, what] in data.as_chunks::<5>().0 {
        let count = damaged.len();
        let page = &mut damaged[usize::from(block) % count];
        let at = usize::from(u16::from_le_bytes([low, high]));
        match what % 8 {
            0 => page.special = None,
            1 => page.content.truncate(at % (ROOM + 1)),
            2 => page.content.resize(at % (ROOM + 1), value),
            3 => {
                let of = usize::from(value) % count;
                damaged[usize::from(block) % count] = damaged[of].clone();
            }
            4 => {
                if let Some(special) = &mut page.special {
                    special[at % special.len()] = value;
                }
            }
            _ => {
                let len = page.content.len().max(1);
                if let Some(byte) = page.content.get_mut(at % len) {
                    *byte = value;
                }
            }
        }
    }
    let fresh = || {
        let pages = MemoryPages::from_pages(ROOM, damaged.clone());
        for (row, record) in world.records.iter().enumerate().filter(|(row, _)| row % 11 != 0) {
            pages.put_row(tid(row), (row % 13 != 0).then_some(record.as_slice()));
        }
        pages
    };
    let ends = |result: Result<(), IndexError>| {
        if let Err(error) = result {
            assert!(
                matches!(error, IndexError::Damaged { .. } | IndexError::Version { .. } | IndexError::Full),
                "{error}"
            );
        }
    };
    ends(search(&fresh(), world));
    ends(walk(&fresh()));
    ends(contents(&fresh()).map(drop));
    ends(check(&fresh(), Some(&world.codec), &mut CountFaults(0)));
    ends(vacuum(&fresh(), &mut |tid| tid.block % 3 == 0).map(drop));
    ends(insert(&fresh(), world));
}

fn search(pages: &MemoryPages, world: &World) -> Result<(), IndexError> {
    let session = Session::new(pages)?;
    let query: Vec<f32> = (0..DIMENSION).map(|i| (i as f32).cos()).collect();
    let query = PreparedQuery::new(Arc::clone(&world.codec), &query, Level::detect()).expect("a query");
    let shape = world.codec.record_shape();
    let query = (session.meta().shape == Some(shape)).then_some(query);
    let options =
        ScanOptions { epsilon: 3.0, memory: 48 * 40, level: Level::detect(), lists: ListOptions::default() };
    let mut scan = Scan::new(pages, session, query, 1.0, options)?;
    let mut rows = 0;
    while scan.next(pages, &mut AnyDistance)?.is_some() {
        rows += 1;
        assert!(rows < MOST_ROWS, "a search without an end");
    }
    Ok(())
}

fn walk(pages: &MemoryPages) -> Result<(), IndexError> {
    let session = Session::new(pages)?;
    let (mut walk, mut rows) = (Walk::all(), 0);
    while walk.next(pages, &session)?.is_some() {
        rows += 1;
        assert!(rows < MOST_ROWS, "a walk without an end");
    }
    Ok(())
}

fn insert(pages: &MemoryPages, world: &World) -> Result<(), IndexError> {
    let mut session = Session::new(pages)?;
    for (row, record) in world.records.iter().enumerate() {
        let record = RecordView::parse(record).expect("a record");
        let record = (row % 5 != 0).then_some(record);
        session.insert(pages, tid(1000 + row), record.map(Value::record), Some(&world.codec))?;
    }
    Ok(())
}
