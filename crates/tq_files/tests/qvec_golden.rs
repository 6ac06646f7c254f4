//! Indexes of quantvec against the golden files: every one read, its vectors, ids and scores what they should be, and made
//! again from the vectors that it was made of.

mod common;
mod qvec_common;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use qvec_common::{METRICS, open, read, workers, write};
use serde_json::Value;
use tempfile::TempDir;
use tq_codec::{Quantvec, check_vector};
use tq_files::{Id, QvecFile, QvecFileError, QvecOptions, QvecVersion};
use tq_format::qvec;

/// A golden index, with what is known of it.
struct Sample {
    path: PathBuf,
    /// The path of its vectors and scores, without their endings.
    stem: PathBuf,
    /// What its description says.
    facts: Value,
}

fn samples() -> Vec<Sample> {
    let Some(folder) = common::golden("qvec") else { return Vec::new() };
    let sample = |path: PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap().split('.').next().unwrap();
        let stem = folder.join(name);
        let facts = json(&stem, "json");
        Sample { path, stem, facts }
    };
    common::files(&folder, "qvec").into_iter().map(sample).collect()
}

fn json(stem: &Path, ending: &str) -> Value {
    serde_json::from_slice(&fs::read(stem.with_extension(ending)).unwrap()).unwrap()
}

impl Sample {
    fn name(&self) -> String {
        self.path.file_name().unwrap().to_string_lossy().into_owned()
    }

    fn floats(&self, what: &str) -> Vec<f32> {
        common::read_f32s(&self.stem.with_extension(format!("{what}.f32.bin")))
    }

    fn ids(&self) -> Vec<Id> {
        let id = |id: &Value| match id {
            Value::Number(number) => Id::Number(number.as_f64().unwrap()),
            Value::String(text) => Id::Text(text.clone()),
            other => Id::Integer(other["bigint"].as_str().unwrap().to_owned()),
        };
        self.facts["ids"].as_array().into_iter().flatten().map(id).collect()
    }
}

/// Distance in units of the last place.
fn ulps(a: f32, b: f32) -> i64 {
    i64::from((a.to_bits() as i32).wrapping_sub(b.to_bits() as i32)).abs()
}

#[test]
fn facts_ids_and_vectors() {
    let (mut files, mut ids, mut vectors, mut worst) = (0, 0, 0, 0f64);
    for sample in samples() {
        let (name, facts) = (sample.name(), &sample.facts);
        let file = Arc::new(open(&sample.path));
        let header = file.header();
        assert!(name.contains(&format!(".{}.", header.layout.name())), "{name}");
        assert_eq!(u64::from(header.dimension), facts["dim"].as_u64().unwrap());
        assert_eq!(u64::from(header.count), facts["n"].as_u64().unwrap());
        assert_eq!(u64::from(header.bits.bits()), facts["bits"].as_u64().unwrap());
        assert_eq!(header.metric.name(), facts["metric"]);
        assert_eq!(header.seed, facts["seed"].as_f64().unwrap());
        assert_eq!(header.keyed, facts["kind"] == "id-keyed");
        assert_eq!(file.is_calibrated(), facts["calibrated"].as_bool().unwrap());
        assert_eq!(file.lists().map(u64::from), facts["ivf"]["nlist"].as_u64());
        assert_eq!(file.probes().map(u64::from), facts["ivf"]["nprobe"].as_u64());

        let expected = sample.ids();
        assert_eq!(file.ids(0..header.count).unwrap(), expected, "{name}");
        let kinds = file.id_kinds();
        let any = |kind: fn(&Id) -> bool| expected.iter().any(kind);
        assert_eq!(kinds.numbers, any(|id| matches!(id, Id::Number(_))));
        assert_eq!(kinds.texts, any(|id| matches!(id, Id::Text(_))));
        assert_eq!(kinds.integers, any(|id| matches!(id, Id::Integer(_))));
        ids += expected.len();

        // The golden vectors are a little short; the direction is the same, and the length is the norm's.
        let short = sample.floats("dec_norm");
        let rows = read(&file, 1 + files * 3).unwrap();
        assert_eq!(rows.len(), short.len());
        let norms: Vec<f32> =
            file.read(|view| view.rows(0..header.count).map(|row| row.norm).collect()).unwrap();
        let d = header.dimension as usize;
        for ((row, short), norm) in rows.chunks_exact(d).zip(short.chunks_exact(d)).zip(norms) {
            let stretch = f64::from(norm) / check_vector(short).unwrap();
            for (got, expected) in row.iter().zip(short) {
                let error = (f64::from(*got) - f64::from(*expected) * stretch).abs() / f64::from(norm);
                assert!(error <= 1e-6, "{name}: {error}");
                worst = worst.max(error);
            }
            vectors += 1;
        }
        files += 1;
    }
    eprintln!("{files} files, {ids} ids, {vectors} vectors, each number within {worst:.1e} of the norm");
    assert!(files == 0 || files > 30);
}

#[test]
fn scores() {
    let workers = workers();
    let (mut searches, mut scores, mut worst) = (0, 0, 0f64);
    for sample in samples() {
        let file = open(&sample.path);
        let header = file.header();
        let expected = json(&sample.stem, "scores.json");
        let queries = sample.floats("queries");
        for (number, query) in queries.chunks_exact(header.dimension as usize).enumerate() {
            for metric in METRICS {
                let expected: Vec<f64> = expected[metric.name()][number]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|score| score.as_f64().unwrap())
                    .collect();
                let found = file.search(query, metric, usize::MAX, &workers, &mut || {}).unwrap();
                assert_eq!(found.len(), expected.len());
                let reach = |score: f64| 1e-6 * score.abs().max(1.0);
                for (slot, score) in &found {
                    let expected = expected[*slot as usize];
                    let error = (*score - expected).abs();
                    assert!(error <= reach(expected), "{} {metric:?}: {score} {expected}", sample.name());
                    worst = worst.max(error / expected.abs().max(1.0));
                    scores += 1;
                }
                // Best first, by the golden scores too.
                for pair in found.windows(2) {
                    let [a, b] = [pair[0].0, pair[1].0].map(|slot| expected[slot as usize]);
                    let ahead = if metric == qvec::Metric::Euclidean { b - a } else { a - b };
                    assert!(ahead >= -2.0 * reach(a), "{} {metric:?}: {a} {b}", sample.name());
                }
                let some = file.search(query, metric, 3, &workers, &mut || {}).unwrap();
                assert_eq!(some, found[..found.len().min(3)]);
                searches += 1;
            }
        }
    }
    eprintln!("{searches} searches, {scores} scores, largest relative difference {worst:.1e}");
    assert!(searches == 0 || scores > 20_000);
}

#[test]
fn made_again() {
    let folder = TempDir::new().unwrap();
    let (mut files, mut equal, mut codes, mut differing) = (0, 0, 0, 0);
    for sample in samples() {
        let file = open(&sample.path);
        let qvec::Header { layout, keyed, metric, bits, dimension, count, seed } = *file.header();
        let version = match layout {
            qvec::Layout::V2 => QvecVersion::Two,
            qvec::Layout::V1 => QvecVersion::One,
            // The original reads no such file, so none is written.
            qvec::Layout::Doc1 => continue,
        };
        if file.is_calibrated() || file.lists().is_some() {
            continue;
        }
        let options = QvecOptions { dimension, version, bits, metric, seed, keyed };
        let made = write(&options, &sample.floats("in"), &sample.ids(), 1 + files, folder.path()).unwrap();
        let golden = fs::read(&sample.path).unwrap();
        let codec = file.codec(&mut || {}).unwrap();
        differing += compare(&sample, &codec, &golden, &made);
        codes += count as usize * dimension as usize;
        equal += usize::from(made == golden);
        files += 1;

        // What was made is read, and says the same as the golden file.
        let path = folder.path().join("made.qvec");
        common::write_anew(&path, &made);
        let (made, golden) = (Arc::new(open(&path)), Arc::new(file));
        assert_eq!(made.header(), golden.header());
        assert_eq!(made.ids(0..count).unwrap(), sample.ids());
        let (a, b) = (read(&made, 7).unwrap(), read(&golden, 8).unwrap());
        if differing == 0 {
            for (a, b) in a.chunks_exact(dimension as usize).zip(b.chunks_exact(dimension as usize)) {
                let reach = 1e-6 * check_vector(b).unwrap();
                assert!(a.iter().zip(b).all(|(a, b)| f64::from((a - b).abs()) <= reach));
            }
        }
    }
    eprintln!("{files} files made again, {equal} equal to the byte, {differing} of {codes} codes differ");
    assert!(files == 0 || files > 25);
}

/// All but the numbers must be equal, scales and norms nearly, and a code may differ where the rotated coordinate is within rounding
/// of a boundary. Returns how many do.
fn compare(sample: &Sample, codec: &Quantvec, golden: &[u8], made: &[u8]) -> usize {
    let name = sample.name();
    assert_eq!(golden.len(), made.len(), "{name}");
    let [a, b] = [golden, made].map(|bytes| qvec::View::parse(bytes).unwrap());
    let (header, d) = (*a.header(), codec.dimension());
    let numbers = 24 + header.count as usize * (codec.row_len() + 8);
    assert_eq!(golden[..24], made[..24], "{name}");
    assert_eq!(golden[numbers..], made[numbers..], "{name}");
    let rows = a.rows(0..header.count).zip(b.rows(0..header.count));
    let mut differing = 0;
    for ((golden, made), vector) in rows.zip(sample.floats("in").chunks_exact(d)) {
        assert!(ulps(golden.scale, made.scale) <= 2, "{name}: {} {}", golden.scale, made.scale);
        assert!(ulps(golden.norm, made.norm) <= 1, "{name}: {} {}", golden.norm, made.norm);
        let [golden, made] = [golden, made].map(|row| {
            let mut codes = vec![0; d];
            qvec::unpack_codes(header.bits, row.codes, &mut codes);
            codes
        });
        if golden == made {
            continue;
        }
        let inverse = 1.0 / check_vector(vector).unwrap();
        let unit: Vec<f32> = vector.iter().map(|x| (f64::from(*x) * inverse) as f32).collect();
        let rotated = codec.rotate(&unit).unwrap();
        for ((golden, made), y) in golden.iter().zip(&made).zip(rotated).filter(|((a, b), _)| a != b) {
            let lower = usize::from(*golden.min(made));
            let boundary = (codec.centroids()[lower] + codec.centroids()[lower + 1]) / 2.0;
            assert!(golden.abs_diff(*made) == 1 && (y - boundary).abs() < 1e-6, "{name}: {y} {boundary}");
            differing += 1;
        }
    }
    differing
}

/// Where quantvec accepts what it shouldn't, the code says what is wrong; where it refuses, the code is its own.
#[test]
fn malformed() {
    let Some(folder) = common::golden("qvec_malformed") else { return };
    let expected = json(&folder.join("index"), "json");
    let files = common::files(&folder, "qvec");
    for path in &files {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let opened = QvecFile::open(path, &mut || {});
        // Without its last byte, the calibration's, a positional file of version 1 is one of the first description.
        if name == "v1_trunc1" {
            assert_eq!(opened.unwrap().header().layout, qvec::Layout::Doc1);
            continue;
        }
        let error = match opened {
            Err(QvecFileError::Format(error)) => error,
            other => panic!("{name}: {other:?}"),
        };
        let expected = expected[name]["expected"].as_str().unwrap();
        let code = match &name[3..] {
            "dim_huge_n0" => "BAD_DIM",
            "scale_nan" | "scale_inf" => "BAD_SCALE",
            "norm_negative" | "norm_zero" => "BAD_NORM",
            "id_nan" | "id_inf" => "BAD_ID",
            _ => expected,
        };
        assert_eq!(code == expected, !expected.starts_with("reference: ACCEPTED"), "{name}");
        assert_eq!(error.code(), code, "{name}: {error}");
    }
    eprintln!("{} malformed files", files.len());
    assert!(files.len() > 100);
}
