//! An examination: what [`Filter::prepare`] would do to each resource of a request, told for people.
//!
//! Each ResourceSpans goes by itself through the very rewrite that requests go through, with a directory that notes what it is asked.
//! So nothing here decides anything about an address, and the hot path knows nothing of it. Before that the whole request goes through
//! it once, as only that can tell why a body is refused.

mod claims;
mod collector;
mod limits;
mod lookups;
mod resource;
mod spans;
mod texts;

use super::encoding::encoding;
use super::refusals::UNSUPPORTED_TYPE;
use super::{Call, Filter, json};
use crate::address;
use crate::bounds::MAX_DEPTH;
use crate::directory::Directory;
use crate::fault::{BodyFault, FaultKind};
use crate::guard::mend::mend;
use crate::interface::{Encoding, Examination, Examined, Report, Request};
use crate::stamps::Stamps;
use crate::wire::{self, Field};
use limits::Limits;
use resource::Examiner;

impl Filter {
    /// Tells what [`Filter::prepare`] does to the resources of a request, as far as `options` want to know. Nothing is decided by
    /// it, and it takes several times as long.
    pub fn examine(
        &self,
        request: &Request<'_>,
        options: &Examination,
        directory: &dyn Directory,
    ) -> Examined {
        let encoding = match encoding(request) {
            Err(_) => return refused(UNSUPPORTED_TYPE),
            Ok(_) if self.upstreams(request.signal).is_none() => {
                return refused(request.signal.not_carried(self.config.signals().count() > 1));
            }
            Ok(encoding) => encoding,
        };
        if encoding != Encoding::Json {
            return self.examine_protobuf(request, options, directory);
        }
        match json::transcode_as(request.signal, request.body) {
            Ok(body) => self.examine_protobuf(&Request { body: &body, ..*request }, options, directory),
            Err(fault) => refused(fault.to_string()),
        }
    }

    fn examine_protobuf(
        &self,
        request: &Request<'_>,
        options: &Examination,
        directory: &dyn Directory,
    ) -> Examined {
        match self.check(request, directory) {
            Err(fault) if fault.kind == FaultKind::Utf8 && self.rules(request.signal).mend_text => {
                let body = mend(request.body).body;
                let mended = Request { body: &body, ..*request };
                let checked = self.check(&mended, directory);
                self.tell(&mended, checked, options, directory)
            }
            checked => self.tell(request, checked, options, directory),
        }
    }

    /// Does what `prepare` does with a body in protobuf, and gives its counts.
    fn check(&self, request: &Request<'_>, directory: &dyn Directory) -> Result<Report, BodyFault> {
        let mut stamps = Stamps::default();
        let mut call = Call::new(directory, &mut stamps);
        self.check_and_rewrite(request, &mut call)?;
        Ok(call.report)
    }

    fn tell(
        &self,
        request: &Request<'_>,
        checked: Result<Report, BodyFault>,
        options: &Examination,
        directory: &dyn Directory,
    ) -> Examined {
        let mut examined = Examined::default();
        if let Err(fault) = &checked {
            let is_sent_on = !self.rules(request.signal).refuse_undecodable
                && !matches!(fault.kind, FaultKind::Unsplittable | FaultKind::TooMany(_));
            if is_sent_on {
                return refused(format!(
                    "{fault}; it is sent on as it came, since refuse_undecodable is off"
                ));
            }
            examined.fault = Some(fault.to_string());
        }
        let connection = address::connection(request, &self.config.trusted_proxies);
        let examiner = Examiner::new(self, request, connection, options, directory);
        let mut limits = Limits::new(options);
        let mut spans = 0_u32;
        let mut rest = request.body;
        while let Ok((number, wire, after)) = wire::tag(rest) {
            if number != 1 {
                let Ok(tail) = wire::skip(number, wire, after, MAX_DEPTH) else { break };
                rest = tail;
                continue;
            }
            let Ok(field) = Field::read(rest, number, wire, after) else { break };
            rest = field.rest(rest);
            let told = if limits.admit(field.content) {
                let Ok(told) = examiner.examine(field.whole, &mut limits) else { break };
                told
            } else {
                None
            };
            let Some(resource) = told else {
                examined.resources_omitted += 1;
                continue;
            };
            spans += resource.spans.len() as u32;
            examined.resources.push(resource);
        }
        let total = match checked {
            Ok(report) => report.spans,
            Err(_) => examined.resources.iter().map(|resource| resource.spans_total).sum(),
        };
        examined.spans_omitted = total.saturating_sub(spans);
        examined
    }
}

fn refused(fault: impl Into<String>) -> Examined {
    Examined { fault: Some(fault.into()), ..Examined::default() }
}

#[cfg(test)]
mod tests;
