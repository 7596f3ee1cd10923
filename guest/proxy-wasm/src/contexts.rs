//! The contexts of this VM. One VM may have several roots: each is a configuration, and each stream belongs to one.

mod root;
mod stream;

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::Rc;

use crate::abi::{Action, Buffer, LogLevel, host};

use root::Root;
use stream::Stream;

thread_local! {
    static CONTEXTS: RefCell<Contexts> = RefCell::default();
}

#[derive(Default)]
struct Contexts {
    roots: ByNumber<Rc<Root>>,
    /// Nothing stands for a stream that is being called.
    streams: ByNumber<Option<Stream>>,
}

/// The host numbers contexts one after the other, so that there is nobody to guard against.
type ByNumber<T> = HashMap<u32, T, BuildHasherDefault<Spread>>;

/// Hashes numbers that follow one another.
#[derive(Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u32((*byte).into()));
    }

    fn write_u32(&mut self, number: u32) {
        // An odd number that spreads bits upwards, where a table takes some of its own from.
        self.0 = (self.0 ^ u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Makes a context. A root, whose own `root` is 0, has its place only once it is configured.
pub(crate) fn create(context: u32, root: u32) {
    CONTEXTS.with_borrow_mut(|contexts| {
        if let Some(stream) = contexts.roots.get(&root).map(|root| root.stream()) {
            contexts.streams.insert(context, Some(stream));
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
    let stream = CONTEXTS.with_borrow_mut(|contexts| contexts.streams.get_mut(&context)?.take());
    let Some(mut stream) = stream else { return Action::Continue };
    let action = call(&mut stream);
    let gone = CONTEXTS.with_borrow_mut(|contexts| match contexts.streams.get_mut(&context) {
        Some(place) => place.replace(stream),
        None => Some(stream),
    });
    // Outside the borrow, since dropping may call the host.
    drop(gone);
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
    let gone = CONTEXTS.with_borrow_mut(|contexts| match contexts.streams.remove(&context) {
        Some(stream) => (stream, None),
        None => (None, contexts.roots.remove(&context)),
    });
    // As above.
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
