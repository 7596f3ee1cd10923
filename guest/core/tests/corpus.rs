//! Replays the corpus of the fuzz targets.

use podstamp_test_support::fuzz::{self, replay};

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
