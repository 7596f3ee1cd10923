//! Turns what an examination tells from the shapes of `wit/` into the core's.

use podstamp_core::interface;

use super::super::bindings::exports::podstamp::filter::filter as wit;

impl From<interface::Examination> for wit::Examination {
    fn from(options: interface::Examination) -> Self {
        let interface::Examination { payloads, resources, spans, text } = options;
        Self { payloads, resources, spans, text }
    }
}

impl From<wit::Examined> for interface::Examined {
    fn from(examined: wit::Examined) -> Self {
        Self {
            fault: examined.fault,
            resources: examined.resources.into_iter().map(Into::into).collect(),
            resources_omitted: examined.resources_omitted,
            spans_omitted: examined.spans_omitted,
        }
    }
}

impl From<wit::ExaminedResource> for interface::ExaminedResource {
    fn from(resource: wit::ExaminedResource) -> Self {
        let wit::CollectorStamp { address, pod } = resource.collector;
        Self {
            service: resource.service,
            service_namespace: resource.service_namespace,
            service_instance: resource.service_instance,
            found: resource.found.into(),
            address: resource.address,
            pod: resource.pod.map(Into::into),
            connection: resource.connection,
            claims: resource.claims.into_iter().map(Into::into).collect(),
            changes: resource.changes.into_iter().map(Into::into).collect(),
            lookups: resource.lookups.into_iter().map(Into::into).collect(),
            collector: interface::CollectorStamp { address, pod },
            spans_total: resource.spans_total,
            spans: resource.spans.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<wit::AddressSource> for interface::AddressSource {
    fn from(source: wit::AddressSource) -> Self {
        match source {
            wit::AddressSource::Kept => Self::Kept,
            wit::AddressSource::Pipeline => Self::Pipeline,
            wit::AddressSource::PodIp => Self::PodIp,
            wit::AddressSource::Pod => Self::Pod,
            wit::AddressSource::Connection => Self::Connection,
            wit::AddressSource::Unknown => Self::Unknown,
            wit::AddressSource::Contradicted => Self::Contradicted,
            wit::AddressSource::Untouched => Self::Untouched,
        }
    }
}

impl From<wit::ExaminedPod> for interface::ExaminedPod {
    fn from(pod: wit::ExaminedPod) -> Self {
        let wit::ExaminedPod { namespace, name, uid, node, addresses, host_network } = pod;
        Self { namespace, name, uid, node, addresses, host_network }
    }
}

impl From<wit::ExaminedAttribute> for interface::ExaminedAttribute {
    fn from(attribute: wit::ExaminedAttribute) -> Self {
        let wit::ExaminedAttribute { key, value } = attribute;
        Self { key, value }
    }
}

impl From<wit::ExaminedChange> for interface::ExaminedChange {
    fn from(change: wit::ExaminedChange) -> Self {
        let wit::ExaminedChange { key, before, after } = change;
        Self { key, before, after }
    }
}

impl From<wit::ExaminedLookup> for interface::ExaminedLookup {
    fn from(lookup: wit::ExaminedLookup) -> Self {
        Self { terms: lookup.terms, answer: lookup.answer.into(), pod: lookup.pod }
    }
}

impl From<wit::LookupAnswer> for interface::LookupAnswer {
    fn from(answer: wit::LookupAnswer) -> Self {
        match answer {
            wit::LookupAnswer::Found => Self::Found,
            wit::LookupAnswer::Ambiguous => Self::Ambiguous,
            wit::LookupAnswer::Node => Self::Node,
            wit::LookupAnswer::Ignored => Self::Ignored,
            wit::LookupAnswer::Absent => Self::Absent,
            wit::LookupAnswer::Unknown => Self::Unknown,
        }
    }
}

impl From<wit::ExaminedSpan> for interface::ExaminedSpan {
    fn from(span: wit::ExaminedSpan) -> Self {
        Self {
            trace_id: span.trace_id,
            span_id: span.span_id,
            parent_span_id: span.parent_span_id,
            name: span.name,
            kind: span.kind,
            start: span.start,
            end: span.end,
            error: span.error,
            status_message: span.status_message,
            attributes: span.attributes.into_iter().map(Into::into).collect(),
        }
    }
}
