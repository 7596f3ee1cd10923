//! The contexts of this VM. One VM may have several roots: each is a configuration, and each stream belongs to one.

mod root;
mod stream;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use crate::abi::{Action, Buffer, LogLevel, host};

use root::Root;
use stream::Stream;

thread_local! {
    static CONTEXTS: RefCell<Contexts> = RefCell::default();
}

#[derive(Default)]
struct Contexts {
    roots: HashMap<u32, Rc<Root>>,
    streams: HashMap<u32, Stream>,
}

/// Makes a context. A root, whose own `root` is 0, has its place only once it is configured.
pub(crate) fn create(context: u32, root: u32) {
    CONTEXTS.with_borrow_mut(|contexts| {
        if let Some(stream) = contexts.roots.get(&root).map(|root| root.stream()) {
            contexts.streams.insert(context, stream);
        }
    });
}

/// Configures a root. All faults go to the log.
pub(crate) fn configure(root: u32, size: usize) -> bool {
    let text = host::buffer(Buffer::PluginConfiguration, 0, size).unwrap_or_default();
    match Root::configure(&text) {
        Ok(configured) => {
            CONTEXTS.with_borrow_mut(|contexts| contexts.roots.insert(root, Rc::new(configured)));
            true
        }
        Err(faults) => {
            for fault in faults {
                host::log(LogLevel::Error, &format!("podstamp's configuration: {fault}"));
            }
            false
        }
    }
}

/// Calls with a stream; a context that has none passes everything. The stream is out of its place meanwhile, so that
/// whatever the host calls in between finds nothing half done.
pub(crate) fn with_stream(context: u32, call: impl FnOnce(&mut Stream) -> Action) -> Action {
    let Some(mut stream) = CONTEXTS.with_borrow_mut(|contexts| contexts.streams.remove(&context)) else {
        return Action::Continue;
    };
    let action = call(&mut stream);
    CONTEXTS.with_borrow_mut(|contexts| contexts.streams.insert(context, stream));
    action
}

/// Time has passed for a root.
pub(crate) fn tick(context: u32) {
    if let Some(root) = root(context) {
        root.on_tick();
    }
}

/// A call of a root's own has ended, without a response where there are no `headers`.
pub(crate) fn call_response(context: u32, token: u32, headers: bool, body_size: usize) {
    if let Some(root) = root(context) {
        root.on_call_response(token, headers, body_size);
    }
}

/// Forgets a context.
pub(crate) fn delete(context: u32) {
    let gone = CONTEXTS
        .with_borrow_mut(|contexts| (contexts.streams.remove(&context), contexts.roots.remove(&context)));
    // Outside the borrow, since dropping may call the host.
    drop(gone);
}

fn root(context: u32) -> Option<Rc<Root>> {
    CONTEXTS.with_borrow(|contexts| contexts.roots.get(&context).map(Rc::clone))
}

/// Tells the host what was counted, as a tick would.
#[cfg(test)]
pub(crate) fn flush() {
    let roots: Vec<_> = CONTEXTS.with_borrow(|contexts| contexts.roots.values().cloned().collect());
    roots.iter().for_each(|root| root.flush());
}
