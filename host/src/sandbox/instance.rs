//! One instance of the component: its Store, its limits, its calls.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use podstamp_core::Directory;
use podstamp_core::config::Fault;
use podstamp_core::interface::{Answer, Attempt, Encoding, Examination, Examined, Next, Prepared, Signal};
use wasmtime::{Store, Trap};

use super::bindings::Podstamp;
use super::bindings::exports::podstamp::filter::filter as wit;
use super::limits::{Memory, Time};
use super::state::State;
use super::{BodyFault, Ended, Error, Failure, Guest, ReceivedRequest, Settings, convert};

/// Everything that instances are made from.
pub(super) struct Plan {
    guest: Guest,
    document: String,
    directory: Arc<dyn Directory + Send + Sync>,
}

/// A configured instance.
pub(super) struct Instance {
    store: Store<State>,
    bindings: Podstamp,
    settings: Settings,
    /// Bytes that the largest call took into the memory; `None` before the first call.
    largest: Option<usize>,
    /// Fuel that the last call took, where it is metered.
    fuel: Option<u64>,
    /// Calls in a row that needed little memory.
    small_calls: u32,
}

/// Answers to plain successes, by the numbers of signal and encoding.
pub(super) type Acknowledgements = [[Option<Answer>; 3]; 3];

impl Plan {
    pub(super) fn new(guest: Guest, document: String, directory: Arc<dyn Directory + Send + Sync>) -> Self {
        Self { guest, document, directory }
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.guest.settings
    }

    pub(super) fn instantiate(&self) -> Result<(Instance, wit::Settings), Error> {
        let settings = self.guest.settings;
        let (memory, time) = (Memory::new(settings.memory), Time::new(Arc::clone(self.guest.ticker.pace())));
        let state = State { directory: Arc::clone(&self.directory), memory, time };
        let mut store = Store::new(self.guest.pre.engine(), state);
        store.limiter(|state| &mut state.memory);
        store.epoch_deadline_callback(|mut store| Ok(store.data_mut().time.look()));
        // A guest hands over a whole new body in a call at most, with as much again for the rest.
        store.set_hostcall_fuel(settings.body.saturating_mul(2).max(MIN_HOSTCALL_FUEL));
        let fuel = self.guest.metered.then_some(0);
        if fuel.is_some() {
            refuel(&mut store);
        }
        // One generous limit for starting, since nobody waits for a particular request yet.
        begin(&mut store, settings.timeout * 4);
        let bindings = match self.guest.pre.instantiate(&mut store) {
            Ok(bindings) => bindings,
            Err(error) => return Err(Error::Start(failure(&error, &store, &settings))),
        };
        let mut instance = Instance { store, bindings, settings, largest: None, fuel, small_calls: 0 };
        let configured = instance
            .call(|filter, store| filter.call_configure(store, &self.document))
            .map_err(Error::Start)?;
        let settings = configured.map_err(|faults| {
            Error::Config(
                faults.into_iter().map(|fault| Fault { path: fault.path, message: fault.message }).collect(),
            )
        })?;
        instance.store.data_mut().memory.settle();
        Ok((instance, settings))
    }
}

impl Instance {
    /// Bytes of memory that calls have added to the instance.
    pub(super) fn memory(&self) -> usize {
        self.store.data().memory.grown()
    }

    /// Fuel that the last call took, where it is metered.
    pub(super) fn fuel(&self) -> Option<u64> {
        self.fuel
    }

    /// Whether the instance has served a call.
    pub(super) fn is_used(&self) -> bool {
        self.largest.is_some()
    }

    /// Whether a call that takes `size` bytes into the memory may be made: not in an instance that holds more memory than its
    /// calls explain, since it keeps something of each and would run out at last.
    pub(super) fn has_room(&self, size: usize) -> bool {
        let largest = self.largest.unwrap_or_default().max(size);
        self.memory() <= HIGH_WATER.saturating_add(largest.saturating_mul(MEMORY_FACTOR))
    }

    /// Whether the instance may serve again. Memory never shrinks, so an instance that took a large body is replaced, but not
    /// while large bodies keep coming: touching fresh memory costs more than the walk.
    pub(super) fn is_worth_keeping(&self) -> bool {
        self.memory() <= HIGH_WATER || self.small_calls < PATIENCE
    }

    /// What the guest answers to plain successes.
    pub(super) fn acknowledgements(&mut self) -> Result<Acknowledgements, Failure> {
        let told = self.call(|filter, store| filter.call_acknowledgements(store))?;
        let mut acknowledgements = Acknowledgements::default();
        for wit::Acknowledgement { signal, encoding, answer } in told {
            let (signal, encoding) = (Signal::from(signal), Encoding::from(encoding));
            let kinds = acknowledgements.get_mut(signal as usize);
            if let Some(kept) = kinds.and_then(|kinds| kinds.get_mut(encoding as usize)) {
                *kept = Some(answer.into());
            }
        }
        Ok(acknowledgements)
    }

    pub(super) fn prepare(&mut self, request: &ReceivedRequest) -> Result<Prepared, Failure> {
        self.with_request(request, |filter, store, request| filter.call_prepare(store, request))
            .map(Into::into)
    }

    pub(super) fn examine(
        &mut self,
        request: &ReceivedRequest,
        options: Examination,
    ) -> Result<Examined, Failure> {
        let examined = self.with_request(request, |filter, store, request| {
            filter.call_examine(store, request, options.into())
        });
        examined.map(Into::into)
    }

    pub(super) fn conclude(&mut self, attempt: Attempt, ended: &Ended) -> Result<Next, Failure> {
        self.takes(ended.body().len());
        let headers = match ended {
            Ended::Response { headers, .. } => convert::headers(headers),
            _ => Vec::new(),
        };
        let outcome = match ended {
            Ended::Response { status, body, .. } => {
                wit::Outcome::Response(wit::Response { status: *status, headers: &headers, body })
            }
            Ended::NotConnected(reason) => wit::Outcome::NotConnected(reason),
            Ended::Away { reason, after } => wit::Outcome::Away(wit::Away { reason, after: *after }),
            Ended::Waited => wit::Outcome::Waited,
            Ended::Closed(body) => wit::Outcome::Closed(body),
            Ended::TimedOut => wit::Outcome::TimedOut,
            Ended::Oversized => wit::Outcome::Oversized,
        };
        self.call(|filter, store| filter.call_conclude(store, attempt.into(), outcome)).map(Into::into)
    }

    pub(super) fn diagnose(&mut self, signal: Signal, body: &Bytes) -> Result<Option<BodyFault>, Failure> {
        self.takes(body.len());
        let found = self.call(|filter, store| filter.call_diagnose(store, signal.into(), body))?;
        Ok(found.err().map(|fault| BodyFault {
            offset: fault.offset,
            path: fault.path,
            message: fault.message,
        }))
    }

    /// Makes a call that takes a request.
    fn with_request<T>(
        &mut self,
        request: &ReceivedRequest,
        call: impl FnOnce(&wit::Guest, &mut Store<State>, wit::Request<'_>) -> wasmtime::Result<T>,
    ) -> Result<T, Failure> {
        self.takes(request.body.len());
        self.small_calls = if request.body.len() > LARGE { 0 } else { self.small_calls.saturating_add(1) };
        let headers = convert::headers(&request.headers);
        let request = wit::Request {
            signal: request.signal.into(),
            path: &request.path,
            peer: request.peer.map(convert::address),
            headers: &headers,
            body: &request.body,
            now: request.now,
            directory_state: self.store.data().directory.state(),
        };
        self.call(|filter, store| call(filter, store, request))
    }

    /// Notes that a call takes `size` bytes into the memory.
    fn takes(&mut self, size: usize) {
        self.largest = self.largest.max(Some(size));
    }

    fn call<T>(
        &mut self,
        call: impl FnOnce(&wit::Guest, &mut Store<State>) -> wasmtime::Result<T>,
    ) -> Result<T, Failure> {
        // A deadline counts from when it is set, so that each call needs its own.
        begin(&mut self.store, self.settings.timeout);
        if self.fuel.is_some() {
            refuel(&mut self.store);
        }
        let result = call(self.bindings.podstamp_filter_filter(), &mut self.store);
        if let Some(fuel) = &mut self.fuel {
            *fuel = FUEL.saturating_sub(self.store.get_fuel().unwrap_or_default());
        }
        result.map_err(|error| failure(&error, &self.store, &self.settings))
    }
}

/// Sets the limit of the call that begins.
fn begin(store: &mut Store<State>, limit: Duration) {
    let look = store.data_mut().time.begin(limit);
    store.set_epoch_deadline(look);
}

/// Gives a Store more fuel than any call takes: fuel is counted, and limits nothing.
fn refuel(store: &mut Store<State>) {
    // Setting it fails where fuel is off, and then nothing is counted.
    store.set_fuel(FUEL).ok();
}

/// The reason why a call failed.
fn failure(error: &wasmtime::Error, store: &Store<State>, settings: &Settings) -> Failure {
    if store.data().memory.refused() {
        Failure::MemoryLimit(settings.memory as u64)
    } else if error.downcast_ref::<Trap>() == Some(&Trap::Interrupt) {
        Failure::Timeout(u64::try_from(settings.timeout.as_millis()).unwrap_or(u64::MAX))
    } else {
        Failure::Trap(error.root_cause().to_string())
    }
}

/// Fuel that a call begins with.
const FUEL: u64 = u64::MAX;

/// Bytes of memory that calls may add to an instance for good: enough for a body of some MiB.
const HIGH_WATER: usize = 16 << 20;

/// Bytes of memory that a call takes for each byte of a body, at most: the body, its replacement, and its edits.
const MEMORY_FACTOR: usize = 4;

/// Bytes of a body that takes an instance towards [`HIGH_WATER`].
const LARGE: usize = HIGH_WATER / 4;

/// How many small requests in a row show that no large ones come any more.
const PATIENCE: u32 = 64;

/// Fuel for what a guest hands over in one call, at least; wasmtime counts more than the plain bytes.
const MIN_HOSTCALL_FUEL: usize = 8 << 20;
