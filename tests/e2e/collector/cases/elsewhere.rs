//! The cases that cannot hold in a Collector, and why.

/// What the filter is given of a batch.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// The Resources alone.
    Resources,
    /// Everything: `guard_spans`.
    Batches,
}

/// The names of the cases that cannot hold.
pub(super) fn cases(mode: Mode) -> impl Iterator<Item = &'static str> {
    let of_spans = if mode == Mode::Resources { OF_SPANS } else { &[] };
    [OF_RECEIVERS, OF_EXPORTERS, OF_CLOCKS, of_spans].concat().into_iter()
}

/// The Collector's receiver reads bodies, in its own way, and answers those that it cannot read or that have no span.
const OF_RECEIVERS: &[&str] = &[
    "a_body_of_unknown_fields_only_is_never_a_silent_success",
    "content_type_may_be_missing_on_the_agents_own_path",
    "fault_a_content_type_that_is_not_otlp_is_refused",
    "fault_a_cut_off_body_is_refused_with_its_place",
    "fault_a_cut_off_body_of_logs_is_refused_with_its_place",
    "fault_a_cut_off_grpc_message_is_an_invalid_argument",
    "fault_deep_in_a_metric_is_diagnosed_when_the_upstream_closes",
    "fault_deep_in_a_span_is_diagnosed_when_the_agent_closes",
    "fault_deep_in_a_span_is_refused_up_front_with_the_full_check",
    "fault_json_of_logs_that_is_no_otlp_is_refused_with_its_place",
    "fault_json_that_is_no_otlp_is_refused_under_any_configuration",
    "fault_json_that_nests_too_deep_is_refused",
    "fault_malformed_json_is_refused_with_its_place",
    "fault_random_bytes_are_refused",
    "grpc_message_of_unknown_fields_only_is_never_a_silent_success",
    "json_batch_is_stamped_like_protobuf_and_answered_in_json",
    "json_of_unknown_fields_only_is_never_a_silent_success",
    "json_that_needs_no_change_leaves_as_protobuf",
    "json_that_nests_as_deep_as_it_may_passes",
];

/// The Collector's exporters send: a batch once, whole, and not another time because of what the agent makes of it.
const OF_EXPORTERS: &[&str] = &[
    "guard_mends_text_when_the_agent_closes_on_it",
    "guard_sends_many_spans_in_several_requests",
    "several_exporters_get_the_same",
];

/// The clock is the real one.
const OF_CLOCKS: &[&str] = &[
    "guard_counts_spans_far_from_now_and_names_their_sender",
    "guard_leaves_spans_that_end_a_little_ahead",
    "guard_moves_spans_from_the_future_back_to_now",
    "guard_without_a_clock_knows_no_future",
];

/// The filter looks at no spans.
const OF_SPANS: &[&str] = &[
    "guard_cuts_long_names_of_spans_with_many_attributes",
    "guard_mends_text_in_a_resource",
    "guard_refuses_a_span_that_is_too_much_for_the_agent",
    "guard_renames_peer_addresses_of_another_family",
    "json_as_the_collector_reads_it_is_read",
    "json_fields_that_are_unknown_are_ignored",
    "resource_in_pieces_leaves_as_one",
];
