//! Contexts that are not there.

use super::proxy::{Stream, answer_call, tick};
use super::requests::{HTTP, inline};
use crate::abi::Action;

#[test]
fn callbacks_for_contexts_that_are_not_there_do_nothing() {
    answer_call(77, 1, &[(":status", "200")], b"");
    tick(77, 1);
    let (stream, action) = Stream::begin(77, HTTP, false);
    assert_eq!((action, stream.body(b"x", true)), (Action::Continue, Action::Continue));
    let root = inline();
    answer_call(root, 99, &[], b"");
}
