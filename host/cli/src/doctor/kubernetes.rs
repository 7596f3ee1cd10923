//! Checks of the Kubernetes API: whether it answers, who asks, what they may see, and the pods that there are.

pub(super) mod api;
pub(super) mod credentials;
pub(super) mod installation;
pub(super) mod objects;
pub(super) mod permissions;
pub(super) mod pods;
pub(super) mod request;

pub(super) use request::Api;
