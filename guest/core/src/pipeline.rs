//! The configured processors, run in their order over each resource.

mod context;
mod kubernetes;

use crate::action::Action;
use crate::directory::{Details, Field, Fields};
use crate::resource::Resource;

pub use crate::association::Associated;
pub use context::Context;
pub(crate) use kubernetes::Kubernetes;

/// The processors of the traces pipeline, ready to run.
#[derive(Clone, Debug, Default)]
pub struct Pipeline {
    steps: Vec<Step>,
}

/// One processor.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// `resource`.
    Resource(Vec<Action>),
    /// `k8sattributes`.
    Kubernetes(Kubernetes),
}

impl Pipeline {
    pub(crate) fn new(steps: Vec<Step>) -> Self {
        Self { steps }
    }

    /// Which costly parts of pods the steps use. A directory need not keep the others.
    pub fn details(&self) -> Details {
        let fields = self.fields();
        Details { labels: fields.contains(Field::Labels), annotations: fields.contains(Field::Annotations) }
    }

    /// Which parts of pods the steps find them by, filter them by or write. A directory with these alone answers as one
    /// that has them all. The guard needs none of them: it looks up addresses.
    pub fn fields(&self) -> Fields {
        let steps = self.steps.iter().filter_map(|step| match step {
            Step::Resource(_) => None,
            Step::Kubernetes(kubernetes) => Some(kubernetes.fields()),
        });
        steps.fold(Fields::NONE, Fields::union)
    }

    /// Runs every step over one resource. Returns the pod that the last `k8sattributes` step associated, if any.
    ///
    /// What is written borrows from the pipeline, the request and the context wherever it can, so that a resource costs
    /// neither texts nor, for a pod that an earlier resource of the request had, a lookup.
    pub fn run<'a>(
        &'a self,
        resource: &mut Resource<'a>,
        context: &'a Context<'a>,
    ) -> Option<Associated<'a>> {
        let mut associated = None;
        for step in &self.steps {
            match step {
                Step::Resource(actions) => actions.iter().for_each(|action| action.apply(resource, context)),
                Step::Kubernetes(kubernetes) => associated = kubernetes.apply(resource, context),
            }
        }
        associated
    }
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
