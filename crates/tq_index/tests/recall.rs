//! What a search finds of the exact scan's nearest, and how many rows it measures for that.
#![allow(missing_docs)]

mod common;

use common::{Column, Set, options, row_of, search};
use tq_codec::Metric;
use tq_format::BitWidth;
use tq_index::{MemoryPages, Refine};

const METRICS: [Metric; 3] = [Metric::Cosine, Metric::L2, Metric::InnerProduct];

/// Found shares of the nearest 10 and 100, and rows measured for the nearest 10, over all queries.
fn measure(set: &Set, column: &Column, pages: &MemoryPages, metric: Metric) -> ([f64; 2], f64) {
    let (mut found, mut refined) = ([0, 0], 0);
    for query in &set.queries {
        let exact = column.exact(&column.query(query), metric);
        let (hits, _) = search(pages, column.query(query), 100, options());
        for (found, k) in found.iter_mut().zip([10, 100]) {
            let worst = exact[k - 1].0;
            *found += hits[..k].iter().filter(|hit| hit.distance.unwrap() <= worst).count();
        }
        // To the bit, and of the row that it is said to be of.
        for hit in hits {
            let row = column.view(row_of(hit.tid));
            let distance = column.query(query).distance(metric, &row);
            let distance = if metric == Metric::InnerProduct { -distance } else { distance };
            assert_eq!(hit.distance.map(f64::to_bits), Some(distance.to_bits()));
        }
        refined += search(pages, column.query(query), 10, options()).1.refined;
    }
    let count = set.queries.len() as f64;
    ([found[0] as f64 / count / 10.0, found[1] as f64 / count / 100.0], refined as f64 / count)
}

#[test]
fn a_search_finds_what_the_exact_scan_finds() {
    for set in Set::all(15_000, 40) {
        for width in BitWidth::ALL {
            let column = Column::new(&set.rows, set.dimension, width, false);
            for metric in METRICS {
                let pages = column.build(metric, Refine::Index);
                let (found, refined) = measure(&set, &column, &pages, metric);
                println!("{}, {width:?}, {metric:?}: {found:.4?} found, {refined:.0} refined", set.name);
                assert!(
                    found[0] >= 0.999 && found[1] >= 0.999,
                    "{}, {width:?}, {metric:?}: {found:?}",
                    set.name
                );
                // Where the codes lie is all the same to what is found.
                let by_table = measure(&set, &column, &column.build(metric, Refine::Table), metric);
                assert_eq!(by_table, (found, refined));
            }
        }
    }
}

/// Sorted by their nearest of some rows: what arrives together resembles one another.
fn by_cluster(set: &Set) -> Vec<usize> {
    let rows: Vec<&[f32]> = set.rows.chunks(set.dimension).collect();
    let seeds: Vec<&[f32]> = rows.iter().step_by(rows.len() / 50).copied().collect();
    let near = |row: &[f32]| {
        let dot = |seed: &&[f32]| seed.iter().zip(row).map(|(a, b)| a * b).sum::<f32>();
        let dots: Vec<f32> = seeds.iter().map(dot).collect();
        (0..dots.len()).max_by(|a, b| dots[*a].total_cmp(&dots[*b])).unwrap()
    };
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by_key(|row| near(rows[*row]));
    order
}

#[test]
fn an_index_that_was_filled_is_as_good_as_one_that_was_built() {
    for set in Set::all(15_000, 100) {
        let column = Column::new(&set.rows, set.dimension, BitWidth::Four, false);
        let sorted = by_cluster(&set);
        let (metric, rows) = (Metric::Cosine, column.records.len());
        // Just after a new centre, long after one, and between.
        for count in [rows, rows * 3 / 4, rows / 2] {
            let part = |order: &[usize]| Column {
                codec: column.codec.clone(),
                records: order[..count].iter().map(|row| column.records[*row].clone()).collect(),
            };
            let random: Vec<usize> = (0..rows).collect();
            for (name, order) in [("random order", &random), ("sorted by cluster", &sorted)] {
                let part = part(order);
                let built = measure(&set, &part, &part.build(metric, Refine::Index), metric);
                let filled = measure(&set, &part, &part.fill(metric, Refine::Index, 0..count), metric);
                let by_table = measure(&set, &part, &part.fill(metric, Refine::Table, 0..count), metric);
                for (refine, filled) in [(Refine::Index, filled), (Refine::Table, by_table)] {
                    let ratio = filled.1 / built.1;
                    println!(
                        "{}, {count} rows in {name}, {refine:?}: {:.4?} found, {:.0} refined, built {:.4?}, {:.0}: {ratio:.3}",
                        set.name, filled.0, filled.1, built.0, built.1
                    );
                    assert!(filled.0[0] >= 0.999 && filled.0[1] >= 0.999, "{}, {name}: {filled:?}", set.name);
                    assert!(ratio <= 1.1, "{}, {name}, {refine:?}: {filled:?} {built:?}", set.name);
                }
            }
        }
    }
}
