//! Properties of the walk's edits. They have the numbers of the list of properties that an edit of OTLP must have: 1 model, 2
//! nothing to do, 3 idempotence, 4 the rest stays, 6 time, 7 concatenation.

use std::time::{Duration, Instant};

use podstamp_core::testing::{Checks, Resource, Value, Walked, walk};
use proptest::prelude::*;

use crate::faults::field;
use crate::model::{Change, change_model, change_view, changes, comparable, edited};
use crate::skeleton::{RawField, fields, resource_pieces, skeleton};
use crate::{config, decode, entropy, generator};

/// Walks a body that is sound and applies what comes out.
fn rewrite<'a>(body: &'a [u8], clear_kinds: bool, stamp: impl FnMut(&mut Resource<'a>)) -> (Walked, Vec<u8>) {
    let walked = walk(body, &Checks { clear_kinds, ..Checks::NONE }, stamp).unwrap();
    let out = walked.edits.apply(body).expect("the edits fit the body");
    (walked, out)
}

fn rewrite_with(body: &[u8], clear_kinds: bool, changes: &[Change]) -> (Walked, Vec<u8>) {
    rewrite(body, clear_kinds, |resource| change_view(resource, changes))
}

proptest! {
    #![proptest_config(config(4000))]

    /// Property 1.
    #[test]
    fn a_rewritten_body_decodes_to_what_the_model_makes_of_the_decoded_one(
        bytes in entropy(700), edits in entropy(40), clear_kinds: bool,
    ) {
        let body = generator::request(&bytes);
        let changes = changes(&edits);
        let (walked, out) = rewrite_with(&body, clear_kinds, &changes);
        let before = decode(&body);
        let mut created = 0;
        let mut bad_kinds = 0;
        for spans in &before.resource_spans {
            let mut resource = spans.resource.clone().unwrap_or_default();
            created += u32::from(change_model(&mut resource, &changes) && spans.resource.is_none());
            let spans = spans.scope_spans.iter().flat_map(|scope| &scope.spans);
            bad_kinds += spans.filter(|span| !(0..=5).contains(&span.kind)).count();
        }
        let spans = before.resource_spans.iter().flat_map(|spans| &spans.scope_spans).map(|scope| scope.spans.len());
        prop_assert_eq!(walked.resources as usize, before.resource_spans.len());
        prop_assert_eq!(walked.spans as usize, spans.sum::<usize>());
        prop_assert_eq!(walked.resources_created, created);
        // A span may have several kinds, and all that are out of range are cleared.
        let cleared = walked.kinds_cleared as usize;
        prop_assert!(if clear_kinds { cleared >= bad_kinds } else { cleared == 0 }, "{cleared} of {bad_kinds}");

        let expected = edited(before, clear_kinds, |resource| change_model(resource, &changes));
        let after = decode(&out);
        prop_assert!(
            comparable(expected.clone()) == comparable(after.clone()),
            "expected {expected:#?}\nfound {after:#?}\nchanges {changes:?}"
        );
    }

    /// Property 2. Only a Resource in pieces still becomes one.
    #[test]
    fn where_there_is_nothing_to_do_there_are_no_edits(bytes in entropy(700), clear_kinds: bool) {
        let body = generator::request(&bytes);
        let (walked, out) = rewrite(&body, clear_kinds, |_| ());
        let whole = resource_pieces(&body).iter().all(|pieces| pieces.len() < 2);
        prop_assert_eq!(walked.edits.is_empty(), whole && walked.kinds_cleared == 0);
        prop_assert_eq!(walked.edits.is_empty(), out == body);
    }

    /// Property 3.
    #[test]
    fn a_rewritten_body_is_rewritten_to_itself(bytes in entropy(700), edits in entropy(40), clear_kinds: bool) {
        let body = generator::request(&bytes);
        let mut changes = changes(&edits);
        // A change must not undo one that comes after it.
        changes.retain(|change| matches!(change, Change::Set(..) | Change::Insert(..) | Change::Remove(_)));
        let mut seen = Vec::new();
        changes.retain(|change| {
            let (Change::Set(key, _) | Change::Insert(key, _) | Change::Remove(key)) = change else { return false };
            let first = !seen.contains(key);
            seen.push(*key);
            first
        });
        let (_, once) = rewrite_with(&body, clear_kinds, &changes);
        let (_, twice) = rewrite_with(&once, clear_kinds, &changes);
        prop_assert_eq!(once, twice);
    }

    /// Property 3, for a body that has passed the filter before.
    #[test]
    fn a_stamped_body_needs_no_edits(bytes in entropy(700)) {
        fn stamp(resource: &mut Resource<'_>) {
            if resource.text("app.host.ip") != Some("10.9.8.7") || resource.count("app.host.ip") > 1 {
                resource.set("app.host.ip", Value::string("10.9.8.7"));
            }
        }
        let body = generator::request(&bytes);
        let (_, once) = rewrite(&body, true, stamp);
        let (walked, twice) = rewrite(&once, true, stamp);
        prop_assert!(walked.edits.is_empty());
        prop_assert_eq!(once, twice);
    }

    /// Property 4.
    #[test]
    fn all_bytes_outside_resources_stay(bytes in entropy(700), edits in entropy(40), clear_kinds: bool) {
        let body = generator::request(&bytes);
        let changes = changes(&edits);
        let (_, out) = rewrite_with(&body, clear_kinds, &changes);
        prop_assert_eq!(skeleton(&body, clear_kinds), skeleton(&out, clear_kinds));
    }

    /// Property 4, within a Resource: fields that no change concerns keep their bytes and their order.
    #[test]
    fn fields_of_a_resource_that_no_change_is_about_stay(bytes in entropy(700), edits in entropy(40)) {
        let body = generator::request(&bytes);
        let changes = changes(&edits);
        let (_, out) = rewrite_with(&body, false, &changes);
        for (before, after) in resource_pieces(&body).iter().zip(resource_pieces(&out)) {
            let untouched = |pieces: &[RawField]| -> Vec<Vec<u8>> {
                let inner = pieces.iter().flat_map(|piece| fields(&piece.content));
                inner.filter(|field| !is_touched(field, &changes)).map(|field| field.whole).collect()
            };
            prop_assert!(after.len() <= 1);
            prop_assert_eq!(untouched(before), untouched(&after));
        }
    }

    /// Property 7.
    #[test]
    fn requests_end_to_end_are_rewritten_as_they_are_apart(
        first in entropy(400), second in entropy(400), edits in entropy(40), clear_kinds: bool,
    ) {
        let (first, second) = (generator::request(&first), generator::request(&second));
        let changes = changes(&edits);
        let (_, mut apart) = rewrite_with(&first, clear_kinds, &changes);
        apart.extend(rewrite_with(&second, clear_kinds, &changes).1);
        let (_, together) = rewrite_with(&[first, second].concat(), clear_kinds, &changes);
        prop_assert_eq!(together, apart);
    }

    #[test]
    fn edits_are_sorted_apart_and_use_up_what_they_insert(bytes in entropy(700), edits in entropy(40)) {
        let body = generator::request(&bytes);
        let (walked, _) = rewrite_with(&body, true, &changes(&edits));
        let mut end = None;
        let mut inserted = 0;
        for edit in &walked.edits.edits {
            prop_assert!(end < Some(edit.offset), "edits that touch are one");
            prop_assert!(edit.remove > 0 || edit.insert > 0);
            end = Some(edit.offset + edit.remove);
            inserted += edit.insert as usize;
        }
        prop_assert_eq!(inserted, walked.edits.inserted.len());
    }
}

/// Where a length takes one byte more or less, the lengths around it have to follow.
#[test]
fn lengths_that_grow_or_shrink_by_a_byte_are_right_all_the_way_up() {
    for boundary in [1 << 7, 1 << 14, 1 << 21] {
        for length in boundary - 40..boundary + 5 {
            let padding = field(2, &field(99, &vec![0; length]));
            for resource in
                [field(1, &[]), field(1, &field(1, &[field(1, b"gone"), field(2, b"")].concat())), vec![]]
            {
                let body = field(1, &[resource, padding.clone()].concat());
                let (_, out) = rewrite(&body, true, |resource| {
                    resource.remove_where(|key| key == "gone");
                    resource.set("k", Value::string("0123456789"));
                });
                let [spans] = &fields(&out)[..] else { panic!("one ResourceSpans") };
                let inner = fields(&spans.content);
                assert_eq!(inner.last().unwrap().whole, padding);
                let attribute = [field(1, b"k"), field(2, &field(1, b"0123456789"))].concat();
                assert_eq!(inner[0].whole, field(1, &field(1, &attribute)));
                assert_eq!(inner.len(), 2);
            }
        }
    }
}

/// Property 6, in part: this takes about a second, but would take minutes if each ResourceSpans cost as much as all before it.
#[test]
fn a_hundred_thousand_tiny_resource_spans_take_no_time() {
    let body = [0x0a, 0x00].repeat(100_000);
    let started = Instant::now();
    let (walked, out) = rewrite(&body, true, |resource| resource.set("k", Value::string("v")));
    assert_eq!((walked.resources, walked.edits.edits.len()), (100_000, 100_000));
    assert_eq!(fields(&out).len(), 100_000);
    assert!(started.elapsed() < Duration::from_secs(5));
}

/// Whether a change may concern a field of a Resource. References to entities may go with any attribute.
fn is_touched(field: &RawField, changes: &[Change]) -> bool {
    use opentelemetry_proto::tonic::common::v1::KeyValue;
    use prost::Message;
    match field.number {
        1 => {
            let key = KeyValue::decode(&field.content[..]).unwrap().key;
            changes.iter().any(|change| match change {
                Change::Set(other, _) | Change::Insert(other, _) | Change::Remove(other) => *other == key,
                Change::Copy(_, other) | Change::Map(other) => *other == key,
            })
        }
        3 => true,
        _ => false,
    }
}
