//! Metadata that is as long as it may be and says as little as it can: reading it takes little room and little time. Alone in
//! its file, because the peak that is measured is the process's.

use std::time::{Duration, Instant};

use tq_files::{Metadata, MetadataError};
use tq_format::MAX_METADATA_LEN;

/// Records whose ids could fill the metadata.
const RECORDS: u64 = 200_000;

/// The largest that the process's memory has been, in bytes; `None` where the system doesn't say.
fn peak() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kilobytes =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().trim_end_matches(" kB");
    Some(kilobytes.parse::<usize>().ok()? * 1024)
}

/// `before`, then `item` and commas as often as there is room, then `after`.
fn full(before: &str, item: &str, after: &str) -> Vec<u8> {
    let mut text = before.to_owned();
    while text.len() + item.len() + 1 + after.len() <= MAX_METADATA_LEN {
        text.push_str(item);
        text.push(',');
    }
    text.pop();
    text.push_str(after);
    text.into_bytes()
}

#[test]
fn hostile_metadata_takes_little() {
    let ours = |part: &str| format!("{{\"tinyquant\":{{\"version\":1,{part}");
    let codec = "\"codec\":{\"bit_width\":2,\"seed\":7,\"dimension\":3,\"residual_enabled\":false,\"rotation\":\"haar\",";
    // Malformed, someone else's, or empty apart from what the user added.
    let samples = [
        ("numbers", ours("\"ids\":{\"type\":\"bigint\",\"values\":["), "0", "]}}}", true),
        ("texts", ours("\"ids\":{\"type\":\"text\",\"values\":["), "\"\"", "]}}}", true),
        (
            "uuids",
            ours("\"ids\":{\"type\":\"uuid\",\"values\":["),
            "\"00000000000000000000000000000000\"",
            "]}}}",
            true,
        ),
        ("ranges", ours("\"ids\":{\"type\":\"bigint\",\"ranges\":["), "[0,0]", "]}}}", true),
        ("keys", ours("\"ids\":{"), "\"\":0", "}}}", true),
        ("entries", ours(codec) + "\"codebook\":[", "0", "]}}}", true),
        ("arrays", "[".to_owned(), "[0]", "]", false),
        ("objects", "{\"tinyquant\":{\"version\":1},\"metadata\":[".to_owned(), "{\"\":0}", "]}", false),
        (
            "nested",
            "{\"tinyquant\":{\"version\":1},\"metadata\":".to_owned() + &"[".repeat(1 << 22),
            "0",
            &"]".repeat(1 << 22),
            false,
        ),
    ];
    for (name, before, item, after, malformed) in samples {
        let text = full(&before, item, after);
        let before = peak();
        let started = Instant::now();
        let parsed = Metadata::parse_ours(&text, RECORDS);
        let took = started.elapsed();
        let grown = peak().zip(before).map(|(after, before)| after - before);
        println!("{name}: {took:?}, {grown:?} bytes");
        match parsed {
            Err(MetadataError::Malformed { .. }) => assert!(malformed, "{name}"),
            Ok(metadata) => {
                assert!(!malformed && metadata.unwrap_or_default() == Metadata::default(), "{name}")
            }
            Err(other) => panic!("{name}: {other}"),
        }
        assert!(grown.is_none_or(|grown| grown < text.len()), "{name}: {grown:?} bytes");
        assert!(took < Duration::from_secs(5), "{name}: {took:?}");
    }
}
