//! A root context: one configuration, and what is done on its ticks.

use std::rc::Rc;

use podstamp_core::config::{Fault, Mode};

use super::stream::Stream;
use crate::abi::host;
use crate::instruments::{FLUSH, Instruments, TICK};
use crate::plugin::Plugin;
use crate::tee::Copies;

/// A configured root.
pub(super) struct Root {
    plugin: Rc<Plugin>,
    instruments: Rc<Instruments>,
    /// Copies for the agent; `None` where exports are stamped as they pass.
    copies: Option<Rc<Copies>>,
}

impl Root {
    /// Configures a root. The error has all faults of the document.
    pub(super) fn configure(text: &[u8]) -> Result<Self, Vec<Fault>> {
        let plugin = Rc::new(Plugin::configure(text)?);
        let instruments = Rc::new(Instruments::define());
        let copies = match &plugin.config().proxy_wasm.mode {
            Mode::Inline => None,
            Mode::Tee { cluster } => {
                Some(Rc::new(Copies::new(Rc::clone(&plugin), Rc::clone(&instruments), cluster.clone())))
            }
        };
        let root = Self { plugin, instruments, copies };
        root.schedule();
        Ok(root)
    }

    /// A stream of this root.
    pub(super) fn stream(&self) -> Stream {
        Stream::new(Rc::clone(&self.plugin), Rc::clone(&self.instruments), self.copies.clone())
    }

    /// Time has passed.
    pub(super) fn on_tick(&self) {
        if let Some(copies) = &self.copies {
            copies.advance();
        }
        if let Some(pods) = self.plugin.pods() {
            pods.advance(&self.instruments);
        }
        self.instruments.metrics().flush();
        self.schedule();
    }

    /// A call of this root's own has ended, without a response where it has no `headers`.
    pub(super) fn on_call_response(&self, token: u32, headers: bool, body_size: usize) {
        let is_copy =
            self.copies.as_ref().is_some_and(|copies| copies.on_call_response(token, headers, body_size));
        if !is_copy && let Some(pods) = self.plugin.pods() {
            pods.on_call_response(&self.instruments, token, headers, body_size);
        }
        self.schedule();
    }

    /// Tells the host what was counted, as a tick would.
    #[cfg(test)]
    pub(super) fn flush(&self) {
        self.instruments.metrics().flush();
    }

    /// Asks for the next tick, if there is anything to do on it.
    fn schedule(&self) {
        let pods = self.plugin.pods().map(|pods| pods.next(host::now()).max(TICK));
        let counts = self.instruments.metrics().is_dirty().then_some(FLUSH);
        let copies = self.copies.as_ref().filter(|copies| !copies.is_idle()).map(|_| TICK);
        self.instruments.ticker().every([pods, counts, copies].into_iter().flatten().min().unwrap_or(0));
    }
}
