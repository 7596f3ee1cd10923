//! Turns what an examination tells from the core's shapes into those of `wit/`.

use podstamp_core::interface;

use crate::bindings::exports::podstamp::filter::filter as wit;

impl From<wit::Examination> for interface::Examination {
    fn from(options: wit::Examination) -> Self {
        let wit::Examination { payloads, resources, spans, text } = options;
        Self { payloads, resources, spans, text }
    }
}

impl From<interface::Examined> for wit::Examined {
    fn from(examined: interface::Examined) -> Self {
        Self {
            fault: examined.fault,
            resources: examined.resources.into_iter().map(Into::into).collect(),
            resources_omitted: examined.resources_omitted,
            spans_omitted: examined.spans_omitted,
        }
    }
}

impl From<interface::ExaminedResource> for wit::ExaminedResource {
    fn from(resource: interface::ExaminedResource) -> Self {
        let interface::CollectorStamp { address, pod } = resource.collector;
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
            collector: wit::CollectorStamp { address, pod },
            spans_total: resource.spans_total,
            spans: resource.spans.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<interface::AddressSource> for wit::AddressSource {
    fn from(source: interface::AddressSource) -> Self {
        match source {
            interface::AddressSource::Kept => Self::Kept,
            interface::AddressSource::Pipeline => Self::Pipeline,
            interface::AddressSource::PodIp => Self::PodIp,
            interface::AddressSource::Pod => Self::Pod,
            interface::AddressSource::Connection => Self::Connection,
            interface::AddressSource::Unknown => Self::Unknown,
            interface::AddressSource::Contradicted => Self::Contradicted,
            interface::AddressSource::Untouched => Self::Untouched,
        }
    }
}

impl From<interface::ExaminedPod> for wit::ExaminedPod {
    fn from(pod: interface::ExaminedPod) -> Self {
        let interface::ExaminedPod { namespace, name, uid, node, addresses, host_network } = pod;
        Self { namespace, name, uid, node, addresses, host_network }
    }
}

impl From<interface::ExaminedAttribute> for wit::ExaminedAttribute {
    fn from(attribute: interface::ExaminedAttribute) -> Self {
        let interface::ExaminedAttribute { key, value } = attribute;
        Self { key, value }
    }
}

impl From<interface::ExaminedChange> for wit::ExaminedChange {
    fn from(change: interface::ExaminedChange) -> Self {
        let interface::ExaminedChange { key, before, after } = change;
        Self { key, before, after }
    }
}

impl From<interface::ExaminedLookup> for wit::ExaminedLookup {
    fn from(lookup: interface::ExaminedLookup) -> Self {
        Self { terms: lookup.terms, answer: lookup.answer.into(), pod: lookup.pod }
    }
}

impl From<interface::LookupAnswer> for wit::LookupAnswer {
    fn from(answer: interface::LookupAnswer) -> Self {
        match answer {
            interface::LookupAnswer::Found => Self::Found,
            interface::LookupAnswer::Ambiguous => Self::Ambiguous,
            interface::LookupAnswer::Node => Self::Node,
            interface::LookupAnswer::Ignored => Self::Ignored,
            interface::LookupAnswer::Absent => Self::Absent,
            interface::LookupAnswer::Unknown => Self::Unknown,
        }
    }
}

impl From<interface::ExaminedSpan> for wit::ExaminedSpan {
    fn from(span: interface::ExaminedSpan) -> Self {
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
