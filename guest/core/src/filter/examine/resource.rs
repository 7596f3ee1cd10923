//! One resource: the rewrite of its ResourceSpans, and what is told of it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::claims::claiming_keys;
use super::collector;
use super::limits::{Limits, MAX_ENTRIES};
use super::lookups::Recording;
use super::spans::read_spans;
use super::texts::Texts;
use crate::address;
use crate::attributes::HOST_IP;
use crate::config::Carried;
use crate::context::Context;
use crate::directory::{Directory, Lookup, Pod};
use crate::fault::BodyFault;
use crate::filter::Filter;
use crate::guard::Rules;
use crate::guard::checks::Checks;
use crate::guard::memory;
use crate::interface::{
    AddressSource, Examination, ExaminedAttribute, ExaminedChange, ExaminedPod, ExaminedResource, Request,
};
use crate::pipeline::{Pipeline, Run};
use crate::resource::{Resource, State, Value};
use crate::signal::Signal;
use crate::trace::walk;

/// Examines the resources of one request.
pub(super) struct Examiner<'e> {
    request: &'e Request<'e>,
    pipeline: &'e Pipeline,
    rules: Rules,
    include_metadata: bool,
    connection: Option<IpAddr>,
    directory: &'e dyn Directory,
    claiming_keys: Vec<&'e str>,
    texts: Texts,
    payloads: bool,
}

impl<'e> Examiner<'e> {
    /// `connection` is the address at the far end, trusted proxies seen through.
    pub(super) fn new(
        filter: &'e Filter,
        request: &'e Request<'e>,
        connection: Option<IpAddr>,
        options: &Examination,
        directory: &'e dyn Directory,
    ) -> Self {
        let Carried { pipeline, rules, .. } = filter.carried(request.signal);
        Self {
            request,
            pipeline,
            rules: *rules,
            include_metadata: filter.config.include_metadata,
            connection,
            directory,
            claiming_keys: claiming_keys(pipeline),
            texts: Texts::new(options.text),
            payloads: options.payloads,
        }
    }

    /// Examines a request of one ResourceSpans, which counts against `limits`. `None`: there is no room to tell of it.
    pub(super) fn examine(
        &self,
        body: &[u8],
        limits: &mut Limits,
    ) -> Result<Option<ExaminedResource>, BodyFault> {
        let Self { pipeline, rules, texts, .. } = self;
        let request = Request { body, ..*self.request };
        let recording = Recording::new(self.directory, *texts);
        let context = Context::new(&request, self.connection, &recording, self.include_metadata);
        let peer = request.peer.map(address::canonical);
        let collectors = Context::new(&request, peer, self.directory, self.include_metadata);
        // In parts it would leave as several ResourceSpans, with the same spans.
        let limits_off = memory::Limits::NONE;
        let checks = Checks { signal: request.signal, limits: limits_off, ..rules.checks(request.now) };
        let mut told = ExaminedResource::default();
        let walked = walk(body, &checks, |resource| {
            let mut before = resource.clone();
            let run = pipeline.run(resource, &context);
            let enforced = rules.enforce(resource, &run, &|pod| pipeline.excludes(pod), &context);
            let lookups = recording.end();
            let found = enforced.source;
            let text = |key: &str| resource.get(key).map(|value| texts.value(value));
            told = ExaminedResource {
                service: text("service.name").unwrap_or_default(),
                service_namespace: text("service.namespace").unwrap_or_default(),
                service_instance: text("service.instance.id").unwrap_or_default(),
                found,
                address: text(HOST_IP),
                pod: self.pod(found, resource, &run, &context),
                connection: self.connection.map(|address| address.to_string()),
                claims: self.claims(&before),
                changes: self.changes(&before, resource),
                lookups,
                collector: collector::stamp(pipeline, &mut before, &collectors, *texts),
                ..ExaminedResource::default()
            };
        })?;
        told.spans_total = walked.spans;
        if !limits.take_resource(&told) {
            return Ok(None);
        }
        if request.signal == Signal::Traces && walked.spans > 0 && limits.has_spans() {
            told.spans = if walked.edits.is_empty() {
                read_spans(body, *texts, self.payloads, limits)
            } else {
                let edited = walked.edits.apply(body).unwrap_or_default();
                read_spans(&edited, *texts, self.payloads, limits)
            };
        }
        Ok(Some(told))
    }

    /// The pod that a resource is stamped as.
    fn pod(
        &self,
        found: AddressSource,
        resource: &Resource<'_>,
        run: &Run<'_>,
        context: &Context<'_>,
    ) -> Option<ExaminedPod> {
        if let Some(pod) = &run.pod {
            return Some(self.told_pod(pod));
        }
        match found {
            AddressSource::Kept
            | AddressSource::Pipeline
            | AddressSource::PodIp
            | AddressSource::Connection => {
                let address = resource.text(HOST_IP).and_then(address::parse)?;
                match &*context.find_address(address) {
                    Lookup::Found(pod) => Some(self.told_pod(pod)),
                    _ => None,
                }
            }
            AddressSource::Pod | AddressSource::Unknown | AddressSource::Contradicted => {
                let pod = run.claims.pod(context).filter(|pod| !self.pipeline.excludes(pod))?;
                Some(self.told_pod(&pod))
            }
            AddressSource::Untouched => None,
        }
    }

    fn told_pod(&self, pod: &Pod) -> ExaminedPod {
        let cut = |text: &str| self.texts.cut(text);
        ExaminedPod {
            namespace: cut(&pod.namespace),
            name: cut(&pod.name),
            uid: cut(&pod.uid),
            node: cut(&pod.node),
            addresses: pod.ips.iter().take(MAX_ENTRIES).map(ToString::to_string).collect(),
            host_network: pod.host_network,
        }
    }

    fn claims(&self, before: &Resource<'_>) -> Vec<ExaminedAttribute> {
        let claims = before.iter().filter(|(key, _)| self.claiming_keys.binary_search(key).is_ok());
        let told = claims.map(|(key, value)| ExaminedAttribute {
            key: self.texts.cut(key),
            value: self.texts.value(value),
        });
        told.take(MAX_ENTRIES).collect()
    }

    fn changes(&self, before: &Resource<'_>, after: &Resource<'_>) -> Vec<ExaminedChange> {
        let touched = after.attributes.iter().filter(|attribute| attribute.state != State::Kept);
        let mut keys: BTreeMap<&str, Values<'_>> =
            touched.map(|attribute| (attribute.key.as_str(), Values::default())).collect();
        if keys.is_empty() {
            return Vec::new();
        }
        for (key, value) in before.iter() {
            if let Some(values) = keys.get_mut(key) {
                values.before.push(value);
            }
        }
        for (key, value) in after.iter() {
            if let Some(values) = keys.get_mut(key) {
                values.after.push(value);
            }
        }
        let changed = keys.into_iter().filter(|(_, values)| values.before != values.after);
        let told = changed.map(|(key, values)| ExaminedChange {
            key: self.texts.cut(key),
            before: self.texts.values(values.before.into_iter()),
            after: self.texts.values(values.after.into_iter()),
        });
        told.take(MAX_ENTRIES).collect()
    }
}

/// The values of one key.
#[derive(Default)]
struct Values<'v> {
    before: Vec<&'v Value<'v>>,
    after: Vec<&'v Value<'v>>,
}
