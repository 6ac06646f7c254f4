//! Floats that become 8 bits with residual of the fast rotation, as a literal does, and are then compressed for a column: what that
//! loses against compressing them at once.

mod common;

use std::sync::Arc;
use tq_codec::{BUILTIN_SEED, Codec, Rotation};
use tq_format::{BitWidth, RecordView};

#[test]
fn a_literal_is_compressed_as_its_floats_are() {
    for (set, dimension) in [("random", 384), ("data/openai335/embeddings.npy", 1536)] {
        let mut random = common::Random(5);
        let vectors: Vec<Vec<f32>> = match set {
            "random" => (0..1000).map(|_| random.unit_vector(dimension)).collect(),
            set => {
                let Some(path) = common::shared(set) else { continue };
                let matrix = common::read_npy_f32(&path);
                (0..matrix.rows.min(120)).map(|row| tq_codec::normalize(matrix.row(row)).unwrap()).collect()
            }
        };
        let rotations = [
            Arc::new(Rotation::haar(BUILTIN_SEED, dimension as u32)),
            Arc::new(Rotation::hadamard(BUILTIN_SEED, dimension as u32)),
        ];
        for [way, column] in [[0, 0], [1, 0], [1, 1]] {
            let codec = |width, residual, rotation: usize| {
                Codec::builtin(dimension as u32, width, residual, rotations[rotation].clone()).unwrap()
            };
            let literal = codec(BitWidth::Eight, true, way);
            let mut record = Vec::new();
            let mut floats = Vec::new();
            let mut error = 0.0f64;
            for vector in &vectors {
                record.clear();
                literal.encode(vector, &mut record).unwrap();
                floats.push(literal.decode(&RecordView::parse(&record).unwrap()).unwrap());
                error = error.max(common::relative_squared_error(vector, floats.last().unwrap()).sqrt());
            }
            assert!(error < 1e-5, "{error}");
            for width in [BitWidth::Two, BitWidth::Four, BitWidth::Eight] {
                let codec = codec(width, false, column);
                let differ = |a: &Vec<f32>, b: &Vec<f32>| {
                    let [mut x, mut y] = [Vec::new(), Vec::new()];
                    codec.encode(a, &mut x).unwrap();
                    codec.encode(b, &mut y).unwrap();
                    usize::from(x != y)
                };
                let different: usize = vectors.iter().zip(&floats).map(|(a, b)| differ(a, b)).sum();
                let share = different as f64 / vectors.len() as f64;
                eprintln!(
                    "{set} × {dimension}, by {} into {} {width:?}: error at most {error:.1e}, records that differ {share:.4}",
                    literal.config().rotation(),
                    codec.config().rotation(),
                );
                assert!(share < 0.2, "{share}");
            }
        }
    }
}
