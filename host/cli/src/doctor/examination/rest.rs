//! The checks of clocks and of a running podstamp, and the span.

use super::Examination;
use crate::check::probe;
use crate::doctor::check;
use crate::doctor::clock;
use crate::doctor::finding::Finding;
use crate::doctor::report::Report;
use crate::doctor::running::{self, Running};
use crate::doctor::span::{self, Way};
use crate::doctor::standpoint::Standpoint;
use crate::exchange::Target;

impl Examination<'_> {
    pub(super) fn clocks(&self, report: &mut Report<'_>) {
        let is_podstamps = self.standpoint != Standpoint::Outside;
        match (self.api_clock, &self.api) {
            (Some(dated), _) => report.add(check::CLOCK_API, clock::judge(dated, is_podstamps)),
            (None, Some(_)) => report.add(check::CLOCK_API, Finding::skipped("it does not tell the time")),
            (None, None) => report.skip(check::CLOCK_API, check::API),
        }
        match self.agent_clock {
            Some(dated) => report.add(check::CLOCK_AGENT, clock::judge(dated, is_podstamps)),
            None if self.agent_answered => {
                report.add(check::CLOCK_AGENT, Finding::skipped("it does not tell the time"));
            }
            None => report.skip(check::CLOCK_AGENT, check::AGENT),
        }
    }

    /// What the cluster has of podstamp.
    fn installed(&self) -> Finding {
        match (&self.installed_failure, &self.api) {
            (Some(why), _) => Finding::skipped(format!("cannot be listed from here: {why}")),
            (None, Some(_)) => self.installation.check(self.searched.as_deref()),
            (None, None) => Finding::skipped("the Kubernetes API has to be reached first"),
        }
    }

    pub(super) async fn running(&self, report: &mut Report<'_>) -> Running {
        report.add(check::INSTALLED, self.installed());
        let admin = running::admin(self.options.admin.as_deref(), self.config(), self.standpoint);
        running::check(&admin, self.api.as_ref(), &self.installation, self.standpoint, report).await
    }

    /// Whether the podstamp that was asked is one on this host, so that its receiver is too.
    fn runs_here(&self) -> bool {
        let named = self.options.admin.as_deref().map(Target::parse);
        let is_loopback = named.is_none_or(|target| target.is_ok_and(|target| target.is_loopback()));
        self.standpoint != Standpoint::Outside && is_loopback
    }

    pub(super) async fn span(&self, running: Running, report: &mut Report<'_>) {
        if self.options.no_span {
            report.add(check::SPAN, Finding::skipped("none is sent with --no-span"));
            return;
        }
        let through = match running {
            Running::Ready if self.runs_here() => self.config().map(span::receiver),
            _ => None,
        };
        match (through, &self.agent_url) {
            (Some(Ok(receiver)), _) => report.add(check::SPAN, span::send(&Way::Podstamp(receiver)).await),
            (other, Some(url)) => {
                let sent = match probe::read_target(url) {
                    Ok(target) => span::send(&Way::Agent(target)).await,
                    Err(why) => Finding::skipped(why),
                };
                let sent = match other {
                    Some(Err(why)) => sent.detail(format!("not through podstamp: {why}")),
                    _ => sent,
                };
                report.add(check::SPAN, sent);
            }
            (_, None) => report.skip(check::SPAN, check::AGENT),
        }
    }
}
