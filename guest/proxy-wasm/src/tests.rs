//! The module on a proxy that is only memory: what a host calls, and what it is asked.

mod configuration;
mod contexts;
mod inline;
mod peer;
mod pods;
mod proxy;
mod requests;
mod signals;
mod tee;
