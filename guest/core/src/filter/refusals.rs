//! Answers to requests that are not sent on.

use crate::answer::{Code, Failure, noted};
use crate::fault::BodyFault;
use crate::interface::{Answer, Encoding, Level, Report, Verdict};

/// What is wrong with a request whose content type is none of OTLP's.
pub(super) const UNSUPPORTED_TYPE: &str = "content-type has to be application/x-protobuf or application/json";

pub(super) fn unsupported_type(encoding: Encoding) -> Answer {
    let answer = Failure::new(415, Code::InvalidArgument, UNSUPPORTED_TYPE).answer(encoding);
    noted(answer, Level::Warning, "content-type", format!("a request was refused: {UNSUPPORTED_TYPE}"))
}

pub(super) fn refused(encoding: Encoding, fault: &BodyFault, report: &mut Report) -> Verdict {
    *report = Report { refused: 1, ..Report::default() };
    Verdict::Answer(undecodable(encoding, fault))
}

pub(super) fn too_large(encoding: Encoding, fault: &BodyFault, whom: &str, report: &mut Report) -> Verdict {
    *report = Report { refused: 1, ..Report::default() };
    let text = format!("the batch is too much for {whom}: {fault}");
    let failure = Failure { fault: Some(fault), ..Failure::new(413, Code::ResourceExhausted, &text) };
    Verdict::Answer(noted(failure.answer(encoding), Level::Warning, "batch-too-large", text))
}

pub(super) fn undecodable(encoding: Encoding, fault: &BodyFault) -> Answer {
    let text = format!("the batch cannot be decoded: {fault}");
    let failure = Failure { fault: Some(fault), ..Failure::new(400, Code::InvalidArgument, &text) };
    noted(failure.answer(encoding), Level::Warning, "batch-refused", text)
}
