//! The configured processors, run in their order over each resource.

use crate::claims::Claims;
use crate::context::Context;
use crate::context::lookups::Associated;
use crate::directory::{Fields, KeptKeys, Pod};
use crate::processors::k8sattributes::Kubernetes;
pub use crate::processors::k8sattributes::TurnedAway;
use crate::processors::resource::Action;
use crate::resource::Resource;

/// The processors of one signal's pipeline, ready to run.
#[derive(Clone, Debug)]
pub struct Pipeline {
    steps: Vec<Step>,
    /// Whether no step reads what [`Details::brief`](crate::directory::Details::brief) leaves out.
    is_brief: bool,
}

/// One processor.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "a pipeline has few")]
pub(crate) enum Step {
    /// `resource`.
    Resource(Vec<Action>),
    /// `k8sattributes`.
    Kubernetes(Kubernetes),
}

impl Pipeline {
    pub(crate) fn new(steps: Vec<Step>) -> Self {
        let pipeline = Self { steps, is_brief: false };
        let is_brief = pipeline.kubernetes().all(Kubernetes::is_brief);
        Self { is_brief, ..pipeline }
    }

    /// Which parts of pods the steps find them by, filter them by or write. A directory with these alone answers as one
    /// that has them all.
    pub fn fields(&self) -> Fields {
        self.kubernetes().map(Kubernetes::fields).fold(Fields::NONE, Fields::union)
    }

    /// Which labels and annotations of pods the steps find them by, filter them by or write. A directory need not keep the
    /// others.
    pub fn kept_keys(&self) -> KeptKeys {
        self.kubernetes().map(Kubernetes::kept_keys).fold(KeptKeys::default(), KeptKeys::union)
    }

    /// Whether no step reads what [`Details::brief`](crate::directory::Details::brief) leaves out.
    pub(crate) fn is_brief(&self) -> bool {
        self.is_brief
    }

    /// All steps, in their order.
    pub(crate) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Whether any step excludes a pod, so that nothing is to be taken from it.
    pub(crate) fn excludes(&self, pod: &Pod) -> bool {
        self.kubernetes().any(|kubernetes| kubernetes.selection.excludes(pod))
    }

    /// The `k8sattributes` steps.
    pub(crate) fn kubernetes(&self) -> impl Iterator<Item = &Kubernetes> {
        self.steps.iter().filter_map(|step| match step {
            Step::Resource(_) => None,
            Step::Kubernetes(kubernetes) => Some(kubernetes),
        })
    }

    /// Why a pod that was found counts as not found. `None`: every step accepts it.
    pub fn turns_away(&self, pod: &Pod) -> Option<TurnedAway> {
        self.steps.iter().find_map(|step| match step {
            Step::Kubernetes(kubernetes) if !kubernetes.passthrough => kubernetes.selection.turns_away(pod),
            Step::Resource(_) | Step::Kubernetes(_) => None,
        })
    }

    /// Runs every step over one resource.
    ///
    /// Attributes that are written borrow from the pipeline, the request and the context wherever they can: a resource costs
    /// no copies of texts and, where an earlier resource of the request had the same pod, no lookup.
    pub(crate) fn run<'a>(&'a self, resource: &mut Resource<'a>, context: &'a Context<'a>) -> Run<'a> {
        let mut claims = Claims::read(resource);
        let mut pod = None;
        for step in &self.steps {
            match step {
                Step::Resource(actions) => actions.iter().for_each(|action| action.apply(resource, context)),
                Step::Kubernetes(kubernetes) => {
                    if resource.changed {
                        claims.reread(resource, context);
                    }
                    pod = kubernetes.apply(resource, &claims, context);
                }
            }
        }
        Run { claims, pod }
    }
}

/// The result of a run over one resource.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    pub(crate) claims: Claims<'a>,
    pub(crate) pod: Option<Associated<'a>>,
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
