//! The change that the filter makes to each Resource of a request.

use crate::context::Context;
use crate::directory::Directory;
use crate::guard::Rules;
use crate::interface::{AddressSource, Report};
use crate::pipeline::Pipeline;
use crate::resource::Resource;
use crate::stamps::{Facts, Origin, Stamp, Stamps};
use crate::trace::Stamper;

/// Runs a pipeline and the guard's rules over Resources, and counts what they did.
pub(super) struct Rewrite<'r, 'a> {
    pub(super) pipeline: &'a Pipeline,
    pub(super) rules: Rules,
    pub(super) context: &'a Context<'a>,
    pub(super) directory: &'r dyn Directory,
    pub(super) report: &'r mut Report,
    /// The stamps of Resources that came before; `None` where the directory cannot tell whether they still hold.
    pub(super) stamps: Option<&'r mut Stamps>,
    pub(super) origin: Origin,
    /// How the address of the last Resource was found; `None` where more than that was counted.
    pub(super) source: Option<AddressSource>,
}

impl<'a> Stamper<'a> for Rewrite<'_, 'a> {
    fn stamp(&mut self, resource: &mut Resource<'a>) {
        let Self { pipeline, rules, context, .. } = self;
        context.begin_resource();
        let run = pipeline.run(resource, context);
        let enforced = rules.enforce(resource, &run, &|pod| pipeline.excludes(pod), context);
        enforced.count(self.report);
        self.source = enforced.is_plain().then_some(enforced.source);
    }

    fn recall(&mut self, content: &[u8]) -> Option<Stamp<'_>> {
        self.stamps.as_mut()?.find(self.origin, content, self.directory)
    }

    fn count(&mut self, source: AddressSource) {
        if let Some(count) = self.report.address(source) {
            *count += 1;
        }
    }

    fn note(&mut self, content: &[u8], resource: &Resource<'a>, stamp: Stamp<'_>) {
        if let (Some(stamps), Some(source)) = (&mut self.stamps, self.source)
            && !resource.depends_on_spans()
            && !self.context.depends_on_metadata()
        {
            let stamp = Stamp { facts: Facts { source, ..stamp.facts }, ..stamp };
            self.context.with_asked(|keys| stamps.keep(self.origin, content, stamp, keys));
        }
    }
}
