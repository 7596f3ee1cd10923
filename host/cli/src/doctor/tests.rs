//! Each check over a scripted cluster, a fake agent and a scripted admin listener. Shows nothing of a real API server, nor of
//! the command line: the end-to-end tests do.

mod agent;
mod configuration;
mod kubernetes;
mod output;
mod running;
mod shop;
