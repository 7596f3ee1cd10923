//! Runs the filter as a WebAssembly component: warm instances in a pool, each call bounded in time and memory.
//!
//! A trap poisons a whole Store, so an instance that fails is dropped and the next call gets another one.

mod bindings;
mod calls;
pub mod clock;
mod compilation;
mod convert;
mod failure;
mod guest;
mod instance;
mod limits;
mod runner;
mod state;
#[cfg(test)]
mod tests;
mod ticker;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use instance::{Acknowledgements, Instance, Plan};
use podstamp_core::Directory;
use podstamp_core::interface::{
    Answer, Attempt, Encoding, Examination, Examined, Next, Notice, Prepared, Signal,
};

pub(crate) use calls::Calls;
pub use failure::Failure;
pub use guest::Guest;
pub(crate) use limits::cpu_time;
pub use runner::{BodyFault, Ended, FilterRunner, ReceivedRequest};

/// What a guest may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Bytes of memory that one instance may have.
    pub memory: usize,
    /// How long one call may take, in time of the processor.
    pub timeout: Duration,
    /// How many instances there may be.
    pub instances: usize,
    /// The longest body, bytes: what a guest may hand over in one call follows from it.
    pub body: usize,
}

/// A guest that is configured and ready to take requests.
pub struct Sandbox {
    plan: Plan,
    pool: Mutex<Pool>,
    returned: Condvar,
    /// Fuel that the last call took, where it is metered.
    fuel: AtomicU64,
    request_headers: Vec<String>,
    notices: Vec<Notice>,
    acknowledgements: Acknowledgements,
}

/// Idle instances, and how many there are in all.
struct Pool {
    idle: Vec<Instance>,
    alive: usize,
    /// Calls that wait for an instance: without one of them nobody is woken, which would be a system call.
    waiting: usize,
}

/// Why a sandbox could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The WebAssembly runtime refused its settings.
    #[error("cannot set up the WebAssembly runtime: {0:#}")]
    Engine(wasmtime::Error),
    /// The code that podstamp carries does not run here: the processor lacks something that it was compiled for.
    #[error(
        "the filter that podstamp carries does not run here: {0:#}; on x86-64 it takes a processor of the level x86-64-v2, as all since \
         2009 are, and a virtual machine has to show it (for QEMU: -cpu host)"
    )]
    Embedded(wasmtime::Error),
    /// The file holds no component, or not one of the world `podstamp:filter/podstamp`.
    #[error("cannot load the guest: {0:#}")]
    Component(wasmtime::Error),
    /// The guest failed while it was configured.
    #[error("the guest failed while it was configured: {0}")]
    Start(Failure),
    /// The guest refuses the configuration: path and message of each fault.
    #[error("the guest refuses the configuration")]
    Config(Vec<podstamp_core::config::Fault>),
}

impl Sandbox {
    /// Configures a first instance of a guest. `document` is the configuration as JSON.
    pub fn new(
        guest: &Guest,
        document: String,
        directory: Arc<dyn Directory + Send + Sync>,
    ) -> Result<Self, Error> {
        let plan = Plan::new(guest.clone(), document, directory);
        let (mut first, configured) = plan.instantiate()?;
        let notices = configured.notices.into_iter().map(Into::into).collect();
        let acknowledgements = first.acknowledgements().map_err(Error::Start)?;
        Ok(Self {
            plan,
            pool: Mutex::new(Pool { idle: vec![first], alive: 1, waiting: 0 }),
            returned: Condvar::new(),
            fuel: AtomicU64::new(0),
            request_headers: configured.request_headers,
            notices,
            acknowledgements,
        })
    }

    /// The guest's notices about its configuration.
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// Fuel that the last call took: wasmtime's measure of work, about one for each instruction of wasm, and the same on every
    /// machine. 0 unless the guest was compiled with [`Guest::compile_metered`].
    pub fn fuel(&self) -> u64 {
        self.fuel.load(Ordering::Relaxed)
    }

    /// Makes a call with an instance, once there is one. `size`: bytes that the call takes into the instance's memory.
    fn with_instance<T>(
        &self,
        size: usize,
        call: impl Fn(&mut Instance) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.with(self.take()?, size, call)
    }

    /// Makes a call with this instance.
    ///
    /// A call that runs out of memory is made once more with a new instance if its own had served calls before: those may have
    /// left something in the memory, and a request is not to be lost by that.
    fn with<T>(
        &self,
        mut instance: Instance,
        size: usize,
        call: impl Fn(&mut Instance) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        if !instance.has_room(size) {
            instance = self.replace(instance)?;
        }
        let used = instance.is_used();
        let mut result = call(&mut instance);
        if used && matches!(result, Err(Failure::MemoryLimit(_))) {
            instance = self.replace(instance)?;
            result = call(&mut instance);
        }
        if let Some(fuel) = instance.fuel() {
            self.fuel.store(fuel, Ordering::Relaxed);
        }
        let keep = result.is_ok() && instance.is_worth_keeping();
        self.give_back(keep.then_some(instance));
        result
    }

    /// Drops an instance and makes another in its place, in that order: the pool has no memory for both.
    fn replace(&self, instance: Instance) -> Result<Instance, Failure> {
        drop(instance);
        self.instantiate()
    }

    /// Makes an instance for a place of the pool that is taken already, and gives the place back where that fails.
    fn instantiate(&self) -> Result<Instance, Failure> {
        self.plan.instantiate().map(|(instance, _)| instance).map_err(|error| {
            self.give_back(None);
            match error {
                Error::Start(failure) => failure,
                other => Failure::Trap(other.to_string()),
            }
        })
    }

    /// An idle instance, or a new one while there may be more; else waits for one, no longer than a call may take.
    fn take(&self) -> Result<Instance, Failure> {
        let mut pool = self.lock();
        loop {
            if let Some(instance) = pool.idle.pop() {
                return Ok(instance);
            }
            if pool.alive < self.plan.settings().instances {
                pool.alive += 1;
                drop(pool);
                return self.instantiate();
            }
            pool.waiting += 1;
            let (waited, timeout) = self
                .returned
                .wait_timeout(pool, self.plan.settings().timeout)
                .unwrap_or_else(PoisonError::into_inner);
            pool = waited;
            pool.waiting -= 1;
            if timeout.timed_out() {
                return Err(Failure::Busy);
            }
        }
    }

    /// An instance for what no client waits for, which leaves one for requests: none where no other would be left, or where the only
    /// one is in use.
    fn take_spare(&self) -> Result<Instance, Failure> {
        let mut pool = self.lock();
        let most = self.plan.settings().instances.saturating_sub(1).max(1);
        if pool.alive - pool.idle.len() >= most {
            return Err(Failure::Busy);
        }
        if let Some(instance) = pool.idle.pop() {
            return Ok(instance);
        }
        pool.alive += 1;
        drop(pool);
        self.instantiate()
    }

    fn give_back(&self, instance: Option<Instance>) {
        let mut pool = self.lock();
        match instance {
            Some(instance) => pool.idle.push(instance),
            None => pool.alive -= 1,
        }
        let is_awaited = pool.waiting > 0;
        drop(pool);
        if is_awaited {
            self.returned.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FilterRunner for Sandbox {
    fn request_headers(&self) -> &[String] {
        &self.request_headers
    }

    fn prepare(&self, request: &ReceivedRequest) -> Result<Prepared, Failure> {
        self.with_instance(request.body.len(), |instance| instance.prepare(request))
    }

    fn acknowledgement(&self, signal: Signal, encoding: Encoding) -> Option<&Answer> {
        self.acknowledgements.get(signal as usize)?.get(encoding as usize)?.as_ref()
    }

    fn conclude(&self, attempt: Attempt, ended: &Ended) -> Result<Next, Failure> {
        self.with_instance(ended.body().len(), |instance| instance.conclude(attempt, ended))
    }

    fn examine(&self, request: &ReceivedRequest, options: Examination) -> Result<Examined, Failure> {
        self.with(self.take_spare()?, request.body.len(), |instance| instance.examine(request, options))
    }

    fn diagnose(&self, signal: Signal, body: &Bytes) -> Result<Option<BodyFault>, Failure> {
        self.with_instance(body.len(), |instance| instance.diagnose(signal, body))
    }
}
