//! The reserve and promises: what they serve, whose it is, and that it comes back.

mod failing;

use failing::while_failing;
use std::collections::HashSet;
use tq_memory::{Grow, OutOfMemory, RESERVE_BYTES, check, hold, lent_bytes};

/// One test, since allocations of all threads are counted.
#[test]
fn memory_that_the_system_refuses() {
    small_things_are_lent_and_come_back();
    vectors_that_can_fail_do();
    the_reserve_tells_before_it_is_used_up();
    lent_memory_grows_and_moves();
    promises_are_kept();
    threads_share_both();
}

fn small_things_are_lent_and_come_back() {
    assert_eq!(lent_bytes(), 0);
    let (boxes, _) = while_failing(1, true, 1, || {
        let sizes = [1, 255, 256, 257, 2048, 5000, 16 << 10, 64 << 10];
        // Of any size up to the largest, and with all bytes for themselves.
        sizes.map(|size| (size as u8, vec![size as u8; size]))
    });
    assert!(lent_bytes() > 64 << 10);
    for (byte, content) in &boxes {
        assert!(content.iter().all(|found| found == byte));
    }
    let addresses: HashSet<_> = boxes.iter().map(|(_, content)| content.as_ptr().addr()).collect();
    assert_eq!(addresses.len(), boxes.len());
    drop(boxes);
    assert_eq!(lent_bytes(), 0);
    // Zeros, also where something else was.
    let (zeros, _) = while_failing(1, true, 1, || vec![0u8; 5000]);
    assert!(zeros.iter().all(|byte| *byte == 0));
}

fn vectors_that_can_fail_do() {
    let (result, _) = while_failing(1, true, 1, || tq_memory::filled(10, 7u32));
    assert_eq!(result, Err(OutOfMemory { bytes: 40 }));
    let mut values = vec![1u8, 2, 3];
    values.shrink_to_fit();
    let (result, _) = while_failing(1, true, 1, || values.try_extend(&[4; 100]));
    assert_eq!((result, &*values), (Err(OutOfMemory { bytes: 103 }), &[1u8, 2, 3][..]));
    let (result, _) = while_failing(1, true, 1, || tq_memory::text("text"));
    assert!(result.is_err());
    assert_eq!(tq_memory::collected((0..7).filter(|i| i % 2 == 0)), Ok(vec![0, 2, 4, 6]));
    assert_eq!(tq_memory::with_capacity::<u64>(usize::MAX).unwrap_err().bytes, usize::MAX);
    assert_eq!(lent_bytes(), 0);
}

fn the_reserve_tells_before_it_is_used_up() {
    assert_eq!(check(), Ok(()));
    let ((pieces, told), _) = while_failing(1, true, 1, || {
        // The list itself is lent as well, and moves when it grows.
        let mut pieces: Vec<Box<[u8; 200]>> = Vec::new();
        let told = (0..100_000).find(|_| {
            pieces.push(Box::new([1; 200]));
            check().is_err()
        });
        (pieces, told)
    });
    assert!(told.is_some());
    assert!(lent_bytes() < RESERVE_BYTES / 2, "{}", lent_bytes());
    assert_eq!(check(), Ok(()), "told once");
    drop(pieces);
    assert_eq!(lent_bytes(), 0);
}

fn lent_memory_grows_and_moves() {
    let (mut bytes, _) = while_failing(1, true, 1, || vec![1u8; 100]);
    let lent = lent_bytes();
    while_failing(1, true, 1, || bytes.reserve_exact(156));
    assert_eq!(lent_bytes(), lent, "it still fits its block");
    while_failing(1, true, 1, || bytes.reserve_exact(10_000));
    assert!(lent_bytes() > lent);
    // The system has memory again.
    bytes.reserve_exact(100_000);
    assert_eq!((lent_bytes(), bytes), (0, vec![1; 100]));
    // And the other way round.
    let mut bytes = vec![2u8; 50];
    while_failing(1, true, 1, || bytes.reserve_exact(1000));
    assert!(lent_bytes() > 0);
    assert_eq!(bytes, [2; 50]);
}

fn promises_are_kept() {
    assert_eq!(while_failing(1, false, 1, || hold(1 << 20).map(drop)).0, Err(OutOfMemory { bytes: 1 << 20 }));
    let promise = hold(1 << 20).unwrap();
    // Whatever is refused, fallible or not, and large.
    let ((first, second, third), _) = while_failing(1, true, 1, || {
        let first = vec![1u8; 600 << 10];
        let second = tq_memory::filled(300 << 10, 2u8);
        (first, second, tq_memory::filled(300 << 10, 3u8))
    });
    assert!(third.is_err(), "no more than was promised");
    assert!(first.iter().all(|byte| *byte == 1));
    assert!(second.as_ref().is_ok_and(|second| second.iter().all(|byte| *byte == 2)));
    // A promise made with promised memory is none.
    assert!(while_failing(1, true, 1, || hold(1000)).0.is_err());
    drop((first, second));
    let (again, _) = while_failing(1, true, 1, || tq_memory::filled(1 << 20, 4u8));
    let again = again.expect("all of it is free again");
    // What was handed out outlives the promise.
    drop(promise);
    assert!(again.iter().all(|byte| *byte == 4));
    assert!(while_failing(1, true, 1, || tq_memory::filled(100, 0u8)).0.is_err());
    drop(again);
    // Many at once, and no more than there are places for.
    let many: Vec<_> = std::iter::from_fn(|| hold(100).ok()).take(1000).collect();
    assert_eq!(many.len(), 64);
    drop(many);
    assert!(hold(100).is_ok());
    assert_eq!(lent_bytes(), 0);
}

fn threads_share_both() {
    for round in 0..20u64 {
        let promise = hold(8 << 20).unwrap();
        let barrier = std::sync::Barrier::new(4);
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4u64)
                .map(|thread| {
                    let barrier = &barrier;
                    scope.spawn(move || {
                        barrier.wait();
                        let mut kept: Vec<(u8, Vec<u8>)> = Vec::with_capacity(64);
                        for i in 0..200u64 {
                            let byte = (round ^ thread << 6 ^ i) as u8;
                            kept.push((byte, vec![byte; 64 + 90 * (i as usize % 50)]));
                            if i % 3 == 0 {
                                kept.swap_remove(0);
                            }
                            if kept.len() == 64 {
                                kept.clear();
                            }
                            assert!(kept.iter().all(|(byte, all)| all.iter().all(|found| found == byte)));
                        }
                    })
                })
                .collect();
            // From now on; some have begun with the system's.
            while_failing(1, true, 1, || threads.into_iter().for_each(|thread| thread.join().unwrap()));
        });
        drop(promise);
    }
    assert_eq!(lent_bytes(), 0);
    assert!(hold(100).is_ok());
    let _ = check();
}
