//! A stream context: one HTTP request and its response.

use std::rc::Rc;

use crate::abi::map::Pairs;
use crate::abi::{Action, Headers, host};
use crate::head::Head;
use crate::inline::Exchange;
use crate::instruments::Instruments;
use crate::plugin::Plugin;
use crate::tee::{Capture, Copies};

/// A stream.
pub(crate) struct Stream {
    plugin: Rc<Plugin>,
    instruments: Rc<Instruments>,
    /// Copies for the agent; `None` where exports are stamped as they pass.
    copies: Option<Rc<Copies>>,
    role: Role,
}

enum Role {
    /// No export, or one that is not stamped here: it passes untouched.
    Other,
    /// An export that is on its way to the agent.
    Inline(Box<Exchange>),
    /// An export that goes elsewhere, and is copied.
    Tee(Box<Capture>),
}

impl Stream {
    pub(super) fn new(plugin: Rc<Plugin>, instruments: Rc<Instruments>, copies: Option<Rc<Copies>>) -> Self {
        Self { plugin, instruments, copies, role: Role::Other }
    }

    pub(crate) fn request_headers(&mut self, end: bool) -> Action {
        let headers = host::header_bytes(Headers::Request);
        let headers = Pairs::read(&headers);
        let Some(head) = Head::read(&headers, &self.plugin, self.instruments.notices()) else {
            return Action::Continue;
        };
        match &self.copies {
            None => {
                let (plugin, instruments) = (Rc::clone(&self.plugin), Rc::clone(&self.instruments));
                let (exchange, action) = Exchange::begin(plugin, instruments, head, &headers, end);
                self.role = Role::Inline(Box::new(exchange));
                action
            }
            Some(copies) => {
                if !end {
                    let (plugin, instruments) = (Rc::clone(&self.plugin), Rc::clone(&self.instruments));
                    let capture = Capture::new(plugin, instruments, Rc::clone(copies), head);
                    self.role = Role::Tee(Box::new(capture));
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
