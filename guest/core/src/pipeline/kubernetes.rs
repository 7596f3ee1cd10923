//! The `k8sattributes` processor.

use crate::association::{Associated, Association, Extraction, Selection, write_address};
use crate::directory::{Details, Field, Fields};
use crate::pipeline::Context;
use crate::resource::Resource;

/// One `k8sattributes` step, ready to run.
#[derive(Clone, Debug)]
pub(crate) struct Kubernetes {
    pub(crate) association: Association,
    pub(crate) selection: Selection,
    pub(crate) extraction: Extraction,
    /// Only write `k8s.pod.ip`, from the connection and without a lookup.
    pub(crate) passthrough: bool,
}

impl Kubernetes {
    /// Runs over one resource; returns the pod that it comes from, if one was found.
    pub(crate) fn apply<'a>(
        &'a self,
        resource: &mut Resource<'a>,
        context: &'a Context<'a>,
    ) -> Option<Associated<'a>> {
        if self.passthrough {
            if let Some(address) = self.association.first_address(resource, context) {
                write_address(resource, address, context);
            }
            return None;
        }
        let found = self.association.find(resource, context, &self.selection, self.details());
        match &found {
            Some(found) => self.extraction.write(resource, found, context),
            None if self.extraction.ip => {
                if let Some(address) = self.association.connection_address(resource, context) {
                    write_address(resource, address, context);
                }
            }
            None => {}
        }
        found.map(|found| found.pod)
    }

    /// What a directory has to know of its pods for this step: what it reads, and what it finds pods by.
    pub(crate) fn fields(&self) -> Fields {
        if self.passthrough {
            return Fields::NONE;
        }
        let parts = [self.association.fields(), self.selection.fields(), self.extraction.fields()];
        // Two with one uid are one pod, listed twice, whatever it was found by.
        parts.into_iter().fold(Fields::NONE.with(Field::Uid), Fields::union)
    }

    /// The parts of a pod that it reads.
    fn details(&self) -> Details {
        let extracted = self.extraction.details();
        Details { labels: extracted.labels || !self.selection.labels.is_empty(), ..extracted }
    }
}
