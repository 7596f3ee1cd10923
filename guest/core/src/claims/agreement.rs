//! Which pods and addresses agree with what a resource claims.

use std::net::IpAddr;

use super::Claims;
use crate::context::Context;
use crate::context::lookups::{Answer, Associated};
use crate::directory::{Details, Lookup, Pod, Term};

impl Claims<'_> {
    /// Whether a pod can be the one that the resource comes from. Parts of the pod that are not known contradict nothing.
    pub(crate) fn agree(&self, pod: &Pod, context: &Context<'_>) -> bool {
        self.noted(self.meet(pod, context))
    }

    fn meet(&self, pod: &Pod, context: &Context<'_>) -> bool {
        let mut is_confirmed = false;
        if let Some(uid) = &self.uid
            && !pod.uid.is_empty()
        {
            if pod.uid != **uid {
                return false;
            }
            is_confirmed = true;
        }
        if let Some(name) = &self.name {
            let elsewhere = |namespace| !pod.namespace.is_empty() && pod.namespace != namespace;
            if !pod.is_called(name) || self.namespace.as_deref().is_some_and(elsewhere) {
                return false;
            }
            is_confirmed = true;
        }
        // A container that is not known is another pod's, has just been restarted, or is the pod's sandbox, whose id SDKs take for their
        // container's where control groups are of version 2 (opentelemetry-java-instrumentation#8462). So it speaks only against pods
        // that nothing confirms, not even `host.name`.
        let mut has_unknown_container = false;
        match self.by_container(context).as_deref() {
            Some(Lookup::Found(other)) if other.is_same(pod) => is_confirmed = true,
            Some(Lookup::Found(_) | Lookup::Ignored) => return false,
            Some(Lookup::Absent) => has_unknown_container = true,
            Some(Lookup::Ambiguous | Lookup::Node | Lookup::Unknown) | None => {}
        }
        if let Some(address) = self.host_ip {
            if !pod.ips.contains(&address) {
                return false;
            }
            is_confirmed = true;
        }
        if let Some(address) = self.pod_ip {
            if pod.ips.contains(&address) {
                is_confirmed = true;
            } else if !((is_confirmed || self.is_hosted_by(pod)) && context.is_node(address)) {
                // Behind source NAT a Collector on the way takes a node's address for the pod's.
                return false;
            }
        }
        is_confirmed
            || self.is_hosted_by(pod)
            || !(has_unknown_container || self.host_is_another(|named| named.is_same(pod), context))
    }

    /// Whether an address can be that of the pod that the resource comes from; `lookup` is what the directory says of it.
    pub(crate) fn admit(&self, address: IpAddr, lookup: &Lookup, context: &Context<'_>) -> bool {
        if let Lookup::Found(pod) = lookup {
            return self.agree(pod, context);
        }
        self.noted(self.allow(address, context))
    }

    /// [`Self::admit`] for an address whose pod is not known: every pod that a claim leads to must have the address.
    fn allow(&self, address: IpAddr, context: &Context<'_>) -> bool {
        if self.addresses().any(|claimed| claimed != address) {
            return false;
        }
        let mut is_confirmed = self.addresses().next().is_some();
        let answers = [self.by_uid(context), self.by_container(context), self.by_name(context)];
        for answer in answers.into_iter().flatten() {
            match &*answer {
                Lookup::Found(pod) if pod.ips.contains(&address) => is_confirmed = true,
                Lookup::Found(_) => return false,
                Lookup::Ambiguous | Lookup::Node | Lookup::Ignored | Lookup::Absent | Lookup::Unknown => {}
            }
        }
        is_confirmed || !self.host_is_another(|pod| pod.ips.contains(&address), context)
    }

    /// The pod that a claim other than an address leads to, if it agrees with the others.
    pub(crate) fn pod<'c>(&self, context: &'c Context<'_>) -> Option<Associated<'c>> {
        let by_host_name = || {
            let host = self.host_name.as_deref()?;
            let answer = self.find_in_namespace(Term::Name(host), context);
            if matches!(*answer, Lookup::Found(_) | Lookup::Ambiguous | Lookup::Ignored) {
                return Some(answer);
            }
            // `spec.hostname` may be set to the name of something else, so that a host name counts only where it is the pod's
            // own name, cut at 63 characters.
            let answer = self.find_in_namespace(Term::Hostname(host), context);
            matches!(&*answer, Lookup::Found(pod) if pod.cut_name() == host).then_some(answer)
        };
        [self.by_uid(context), self.by_container(context), self.by_name(context), by_host_name()]
            .into_iter()
            .flatten()
            .filter_map(|answer| answer.into_pod())
            .find(|pod| self.agree(pod, context))
    }

    /// Whether `k8s.pod.name` is a copy of a `host.name` that is another pod's.
    pub(crate) fn name_is_anothers(&self, pod: &Pod, context: &Context<'_>) -> bool {
        self.name_is_copied
            && !self.is_hosted_by(pod)
            && self.host_is_another(|named| named.is_same(pod), context)
    }

    /// Notes that a pod or an address was not used because of a claim.
    pub(crate) fn contradict(&self) {
        self.contradicted.set(true);
    }

    fn noted(&self, agrees: bool) -> bool {
        if !agrees {
            self.contradict();
        }
        agrees
    }

    fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        [self.host_ip, self.pod_ip].into_iter().flatten()
    }

    /// Whether `host.name` names this pod.
    fn is_hosted_by(&self, pod: &Pod) -> bool {
        self.host_name.as_deref().is_some_and(|host| pod.is_called(host))
    }

    fn by_uid<'c>(&self, context: &'c Context<'_>) -> Option<Answer<'c>> {
        let uid = self.uid.as_deref()?;
        Some(context.find(&[Term::Uid(uid)], Details::default()))
    }

    fn by_container<'c>(&self, context: &'c Context<'_>) -> Option<Answer<'c>> {
        let id = self.container.as_deref()?;
        Some(context.find(&[Term::Container(id)], Details::default()))
    }

    fn by_name<'c>(&self, context: &'c Context<'_>) -> Option<Answer<'c>> {
        self.name.as_deref().map(|name| self.find_in_namespace(Term::Name(name), context))
    }

    fn find_in_namespace<'c>(&self, term: Term<'_>, context: &'c Context<'_>) -> Answer<'c> {
        match self.namespace.as_deref() {
            Some(namespace) => context.find(&[term, Term::Namespace(namespace)], Details::default()),
            None => context.find(&[term], Details::default()),
        }
    }

    /// Whether `host.name` names a known pod other than the one that `is_this` recognises.
    fn host_is_another(&self, is_this: impl Fn(&Pod) -> bool, context: &Context<'_>) -> bool {
        let Some(host) = self.host_name.as_deref() else { return false };
        [Term::Name(host), Term::Hostname(host)].into_iter().any(|term| {
            match &*self.find_in_namespace(term, context) {
                Lookup::Found(pod) => !is_this(pod),
                Lookup::Ambiguous | Lookup::Ignored => true,
                Lookup::Node | Lookup::Absent | Lookup::Unknown => false,
            }
        })
    }
}
