//! The attributes of resources that several rules read or write.

/// The attribute by which DeepFlow finds the pod.
pub(crate) const HOST_IP: &str = "app.host.ip";

/// The attribute from which DeepFlow's documented pipelines fill [`HOST_IP`].
pub(crate) const POD_IP: &str = "k8s.pod.ip";
