//! No text panics, or escapes the limits. The corpus holds formulas of our own (`seeds.txt`, one a line) and what longer runs
//! have found (`found.jsonl`, a JSON text a line); every run replays both and goes on from them.
//!
//! `REFLEX_EXPR_FUZZ_SECONDS=300 cargo test --release -p reflex-expr no_text_panics` runs longer, with a new seed, and adds
//! what it finds to the corpus.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::fuzzer::Fuzzer;

const STEPS: usize = 4_000;

fn corpus(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/corpus")
        .join(file)
}

#[test]
fn no_text_panics() {
    let seeds = fs::read_to_string(corpus("seeds.txt")).unwrap();
    let found = fs::read_to_string(corpus("found.jsonl")).unwrap();
    let found: Vec<String> = found.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let seconds = long_run();
    let mut fuzzer = Fuzzer::new(seconds.map_or(7, |_| u64::from(std::process::id())));
    for source in seeds.lines().chain(found.iter().map(String::as_str)) {
        fuzzer.feed(source);
    }
    let Some(seconds) = seconds else {
        (0..STEPS).for_each(|_| fuzzer.step());
        return;
    };
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut steps = 0_u64;
    while Instant::now() < end {
        fuzzer.step();
        steps += 1;
    }
    println!("{steps} texts, {} kept", fuzzer.found.len());
    let kept = found
        .iter()
        .chain(fuzzer.found.iter().filter(|source| source.len() <= 300));
    let lines: String = kept
        .map(|source| serde_json::to_string(source).unwrap() + "\n")
        .collect();
    fs::write(corpus("found.jsonl"), lines).unwrap();
}

#[expect(
    clippy::disallowed_methods,
    reason = "a switch of this test alone, which belongs to no service"
)]
fn long_run() -> Option<u64> {
    std::env::var("REFLEX_EXPR_FUZZ_SECONDS").ok()?.parse().ok()
}
