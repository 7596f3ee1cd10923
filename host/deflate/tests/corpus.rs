//! Replays the corpus of the fuzz target.

use podstamp_test_support::fuzz::gzip::gzip;
use podstamp_test_support::fuzz::replay;

#[test]
fn the_corpus_of_gzip_holds() {
    replay("gzip", gzip);
}
