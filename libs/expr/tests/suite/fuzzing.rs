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
        fuzzer.offer(source);
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
    // Longer ones are but slow: what is special about them has tests of its own.
    let short = fuzzer
        .corpus()
        .iter()
        .filter(|source| source.len() <= 400)
        .cloned()
        .collect();
    let kept = shortest(&seeds, short);
    println!("{steps} texts, {} kept", kept.len());
    let lines: String = kept
        .iter()
        .map(|source| serde_json::to_string(source).unwrap() + "\n")
        .collect();
    fs::write(corpus("found.jsonl"), lines).unwrap();
}

/// Drops what shows nothing that the seeds or shorter texts do not show.
fn shortest(seeds: &str, mut found: Vec<String>) -> Vec<String> {
    found.sort_by_key(String::len);
    let mut fuzzer = Fuzzer::new(1);
    for seed in seeds.lines() {
        fuzzer.offer(seed);
    }
    found.retain(|source| fuzzer.offer(source));
    found
}

#[expect(
    clippy::disallowed_methods,
    reason = "a switch of this test alone, which belongs to no service"
)]
fn long_run() -> Option<u64> {
    std::env::var("REFLEX_EXPR_FUZZ_SECONDS").ok()?.parse().ok()
}
