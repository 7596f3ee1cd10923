//! Pods from a real Kubernetes API server, which etcd and kube-apiserver make on 127.0.0.1.
//!
//! These tests do not prove what a kubelet or a controller does: they write by hand what those would.

mod access;
mod doctor;
mod fixture;
mod network;
mod outages;
mod pods;
pub(crate) mod watching;
