//! One HTTP stream, and what it is to this module.

use std::rc::Rc;

use podstamp_core::config::Mode;

use crate::abi::Action;
use crate::head::Head;
use crate::inline::Exchange;
use crate::plugin::Plugin;
use crate::tee::Capture;

/// A stream.
pub(crate) struct Stream {
    plugin: Rc<Plugin>,
    role: Role,
}

enum Role {
    /// Somebody else's, which passes untouched.
    Other,
    /// An export that is on its way to the agent.
    Inline(Box<Exchange>),
    /// An export that goes elsewhere, and is copied.
    Tee(Box<Capture>),
}

impl Stream {
    pub(crate) fn new(plugin: Rc<Plugin>) -> Self {
        Self { plugin, role: Role::Other }
    }

    pub(crate) fn request_headers(&mut self, end: bool) -> Action {
        let plugin = &self.plugin;
        let Some(head) = Head::read(plugin) else {
            return Action::Continue;
        };
        match plugin.config().proxy_wasm.mode {
            Mode::Inline => {
                let (exchange, action) = Exchange::begin(Rc::clone(plugin), head, end);
                self.role = Role::Inline(Box::new(exchange));
                action
            }
            Mode::Tee { .. } => {
                if !end {
                    self.role = Role::Tee(Box::new(Capture::new(Rc::clone(plugin), head)));
                }
                Action::Continue
            }
        }
    }

    pub(crate) fn request_body(&mut self, size: usize, end: bool) -> Action {
        match &mut self.role {
            Role::Other => Action::Continue,
            Role::Inline(exchange) => exchange.request_body(size, end),
            Role::Tee(capture) => {
                capture.chunk(size);
                if end {
                    capture.end();
                }
                Action::Continue
            }
        }
    }

    pub(crate) fn request_trailers(&mut self) -> Action {
        match &mut self.role {
            Role::Other => Action::Continue,
            Role::Inline(exchange) => exchange.request_trailers(),
            Role::Tee(capture) => {
                capture.end();
                Action::Continue
            }
        }
    }

    pub(crate) fn response_headers(&mut self, end: bool) -> Action {
        match &mut self.role {
            Role::Inline(exchange) => exchange.response_headers(end),
            Role::Other | Role::Tee(_) => Action::Continue,
        }
    }

    pub(crate) fn response_body(&mut self, size: usize, end: bool) -> Action {
        match &mut self.role {
            Role::Inline(exchange) => exchange.response_body(size, end),
            Role::Other | Role::Tee(_) => Action::Continue,
        }
    }

    pub(crate) fn response_trailers(&mut self) -> Action {
        if let Role::Inline(exchange) = &mut self.role {
            exchange.response_trailers();
        }
        Action::Continue
    }
}
