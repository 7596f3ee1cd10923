//! The `k8sattributes` processor.

mod access;
mod association;
mod extraction;
mod selection;

use std::net::IpAddr;

use crate::claims::Claims;
use crate::context::Context;
use crate::context::lookups::Associated;
use crate::directory::{self, Details, Fields, KeptKeys, Keys, Lookup};
use crate::resource::Resource;

pub(crate) use access::Access;
pub use access::AuthType;
pub(crate) use association::{Association, AssociationRule, Found, Identifier, MAX_SOURCES, Source};
use extraction::write_address;
pub(crate) use extraction::{Extraction, Field, KeyRule};
pub use selection::TurnedAway;
pub(crate) use selection::{Exclusion, PodField, Selection, Test};

/// One `k8sattributes` step, ready to run.
#[derive(Clone, Debug)]
pub(crate) struct Kubernetes {
    pub(crate) association: Association,
    pub(crate) selection: Selection,
    pub(crate) extraction: Extraction,
    /// Whether the step only writes `k8s.pod.ip`, from the connection and without a lookup.
    pub(crate) passthrough: bool,
    /// How a host asks the Kubernetes API for pods.
    pub(crate) access: Access,
}

impl Kubernetes {
    /// Runs over one resource; returns the pod that it comes from, if one was found.
    pub(crate) fn apply<'a>(
        &'a self,
        resource: &mut Resource<'a>,
        claims: &Claims<'a>,
        context: &'a Context<'a>,
    ) -> Option<Associated<'a>> {
        if self.passthrough {
            if let Some(address) = self.association.first_address(resource, context) {
                write_address(resource, address, context);
            }
            return None;
        }
        let found = self.association.find(resource, context, self.details(), |pod| {
            self.selection.accepts(pod) && claims.agree(pod, context)
        });
        match &found {
            Some(found) => {
                if claims.name_is_anothers(&found.pod, context) {
                    self.extraction.rename(resource, found);
                }
                self.extraction.write(resource, found, context);
            }
            None if self.extraction.ip => {
                if let Some(address) = self.connection_address(resource, claims, context) {
                    write_address(resource, address, context);
                }
            }
            None => {}
        }
        found.map(|found| found.pod)
    }

    /// The connection's address, if it can be the pod's. It is written where no pod was found.
    ///
    /// The Collector writes the address in any case, even a node's or 127.0.0.6.
    fn connection_address<'a>(
        &self,
        resource: &Resource<'a>,
        claims: &Claims<'a>,
        context: &'a Context<'a>,
    ) -> Option<IpAddr> {
        self.association.connections(resource, context).find(|address| {
            let lookup = context.find_address(*address);
            let is_usable = match &*lookup {
                Lookup::Node | Lookup::Ignored | Lookup::Absent => false,
                Lookup::Found(pod) => !self.selection.excludes(pod),
                Lookup::Ambiguous | Lookup::Unknown => true,
            };
            is_usable && claims.admit(*address, &lookup, context)
        })
    }

    /// The fields that a directory has to know of its pods for this step: those that it reads, those that it finds pods by, and
    /// those that resources make claims about.
    pub(crate) fn fields(&self) -> Fields {
        if self.passthrough {
            return Fields::NONE;
        }
        let parts = [self.association.fields(), self.selection.fields(), self.extraction.fields()];
        parts.into_iter().fold(Claims::FIELDS, Fields::union)
    }

    /// Which labels and annotations of pods this step needs.
    pub(crate) fn kept_keys(&self) -> KeptKeys {
        if self.passthrough {
            return KeptKeys::default();
        }
        let filtered = KeptKeys { labels: self.selection.label_keys(), annotations: Keys::None };
        self.association.kept_keys().union(filtered).union(self.extraction.kept_keys())
    }

    /// Whether this step reads nothing of a pod that [`Details::brief`] leaves out.
    pub(crate) fn is_brief(&self) -> bool {
        let left_out = [directory::Field::Node, directory::Field::Deployment, directory::Field::Phase];
        let fields = self.fields();
        !left_out.into_iter().any(|field| fields.contains(field))
            && !self.extraction.fields.contains(&Field::StartTime)
    }

    /// The details of a pod that this step reads.
    pub(crate) fn details(&self) -> Details {
        let extracted = self.extraction.details();
        Details { labels: extracted.labels || !self.selection.labels.is_empty(), ..extracted }
    }
}
