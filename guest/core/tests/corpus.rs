//! Replays the corpus of the fuzz targets, findings of the past included.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "tests say what went wrong by failing, their helpers too"
)]

use std::fs;
use std::path::Path;

use podstamp_test_support::fuzz;

fn replay(target: &str, check: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/corpus").join(target);
    let mut replayed = 0;
    for file in fs::read_dir(&corpus).unwrap() {
        let path = file.unwrap().path();
        // The test's output shows the file of a failure.
        println!("{}", path.display());
        check(&fs::read(&path).unwrap());
        replayed += 1;
    }
    assert!(replayed >= 20, "{replayed} files in {}", corpus.display());
}

#[test]
fn the_corpus_of_the_walk_holds() {
    replay("walk", fuzz::walk);
}

#[test]
fn the_corpus_of_prepare_holds() {
    replay("prepare", fuzz::prepare);
}

#[test]
fn the_corpus_of_json_holds() {
    replay("json", fuzz::json);
}
