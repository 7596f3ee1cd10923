//! A pod as an API server sends it: two containers, an owner, conditions, managed fields, some 10 KB of JSON.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

/// The text of a pod, and where in it what differs from pod to pod.
pub(super) struct Template {
    /// Each is followed by a mark, but for the last one.
    texts: Vec<String>,
    marks: Vec<Mark>,
}

/// A part that each pod has of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Name,
    Uid,
    Address,
    Node,
    NodeAddress,
    Set,
    Version,
    /// The id of the first container; that of the second has another first digit.
    Container(char),
}

impl Template {
    pub(super) fn new() -> Self {
        let text = object().to_string();
        let mut parts = text.split('%');
        let mut texts = vec![parts.next().unwrap().to_owned()];
        let mut marks = Vec::new();
        while let (Some(mark), Some(text)) = (parts.next(), parts.next()) {
            marks.push(Mark::of(mark));
            texts.push(text.to_owned());
        }
        Self { texts, marks }
    }

    /// Appends the pod of a number. Each generation has an address of its own, which no other pod has or had.
    pub(super) fn write(&self, index: usize, generation: usize, version: usize, into: &mut Vec<u8>) {
        use std::io::Write as _;
        for (at, text) in self.texts.iter().enumerate() {
            into.extend_from_slice(text.as_bytes());
            let node = index % NODES;
            let written = match self.marks.get(at) {
                None => Ok(()),
                Some(Mark::Name) => write!(into, "{}", name(index)),
                Some(Mark::Uid) => write!(into, "{}", uid(index)),
                Some(Mark::Address) => write!(into, "{}", address(index, generation)),
                Some(Mark::Node) => write!(into, "node-{node}"),
                Some(Mark::NodeAddress) => write!(into, "192.168.{}.{}", node / 250, node % 250 + 1),
                Some(Mark::Set) => write!(into, "shop-{:09x}", index / 10),
                Some(Mark::Version) => write!(into, "{version}"),
                Some(Mark::Container(digit)) => write!(into, "{digit}{index:063x}"),
            };
            written.unwrap();
        }
    }

    /// The pod of a number, as an object.
    pub(super) fn object(&self, index: usize) -> Value {
        let mut text = Vec::new();
        self.write(index, 0, 1, &mut text);
        serde_json::from_slice(&text).unwrap()
    }
}

impl Mark {
    fn of(text: &str) -> Self {
        match text {
            "name" => Self::Name,
            "uid" => Self::Uid,
            "address" => Self::Address,
            "node" => Self::Node,
            "node-address" => Self::NodeAddress,
            "set" => Self::Set,
            "version" => Self::Version,
            "container-a" => Self::Container('a'),
            "container-b" => Self::Container('b'),
            other => panic!("no mark: {other}"),
        }
    }
}

pub(super) fn name(index: usize) -> String {
    format!("shop-{:09x}-{index:05x}", index / 10)
}

pub(super) fn uid(index: usize) -> String {
    format!("{index:08x}-1111-4222-8333-{:012x}", index * 31)
}

/// Below 10.0.0.0/8: no more than 131,072 pods, each in 128 generations.
pub(super) fn address(index: usize, generation: usize) -> Ipv4Addr {
    let number = (index + (generation << 17)) & 0x00ff_ffff;
    Ipv4Addr::from(0x0a00_0000 | u32::try_from(number).unwrap())
}

fn object() -> Value {
    let names = [("app", "%container-a%"), ("sidecar", "%container-b%")];
    let containers: Vec<_> = names.iter().map(|(name, _)| container(name)).collect();
    let statuses: Vec<_> = names.iter().map(|(name, id)| container_status(name, id)).collect();
    let conditions: Vec<_> = [
        "PodReadyToStartContainers",
        "Initialized",
        "Ready",
        "ContainersReady",
        "PodScheduled",
    ]
    .iter()
    .map(|kind| json!({"type": kind, "status": "True", "lastProbeTime": null, "lastTransitionTime": TIME}))
    .collect();
    json!({
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {
            "name": "%name%", "generateName": "%set%-", "namespace": "shop", "uid": "%uid%",
            "resourceVersion": "%version%", "creationTimestamp": TIME,
            "labels": {
                "app": "shop", "app.kubernetes.io/name": "shop", "app.kubernetes.io/part-of": "market",
                "app.kubernetes.io/version": "1.2.3", "pod-template-hash": "7c9d6f5b8", "team": "checkout",
            },
            "annotations": {
                "prometheus.io/scrape": "true", "prometheus.io/port": "8080",
                "checksum/config": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                "kubectl.kubernetes.io/restartedAt": TIME,
            },
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "%set%", "uid": "3f7a4b1c-6a43-4a58-9a55-3d1b6f1a2b3c",
                "controller": true, "blockOwnerDeletion": true,
            }],
            "managedFields": managed_fields(),
        },
        "spec": {
            "volumes": [{"name": "kube-api-access-x", "projected": {"defaultMode": 420, "sources": [
                {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
                {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}},
            ]}}],
            "containers": containers,
            "restartPolicy": "Always", "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst",
            "serviceAccountName": "default", "serviceAccount": "default", "nodeName": "%node%",
            "securityContext": {}, "schedulerName": "default-scheduler", "priority": 0,
            "enableServiceLinks": true, "preemptionPolicy": "PreemptLowerPriority",
            "tolerations": [
                {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
                {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
            ],
        },
        "status": {
            "phase": "Running", "conditions": conditions, "qosClass": "Burstable", "startTime": TIME,
            "hostIP": "%node-address%", "hostIPs": [{"ip": "%node-address%"}],
            "podIP": "%address%", "podIPs": [{"ip": "%address%"}],
            "containerStatuses": statuses,
        },
    })
}

fn container(name: &str) -> Value {
    let variables: Vec<_> = (0..12)
        .map(|number| json!({"name": format!("SHOP_SETTING_{number}"), "value": format!("value-of-the-setting-{number}")}))
        .chain([json!({"name": "POD_IP", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "status.podIP"}}})])
        .collect();
    let probe = |path| {
        json!({"httpGet": {"path": path, "port": 8080, "scheme": "HTTP"}, "timeoutSeconds": 1, "periodSeconds": 10,
            "successThreshold": 1, "failureThreshold": 3})
    };
    json!({
        "name": name, "image": format!("registry.example.com/market/{name}:1.2.3"), "args": ["--listen=:8080", "--verbose"],
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}], "env": variables,
        "resources": {"limits": {"cpu": "1", "memory": "512Mi"}, "requests": {"cpu": "100m", "memory": "128Mi"}},
        "volumeMounts": [{"name": "kube-api-access-x", "readOnly": true, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}],
        "livenessProbe": probe("/healthz"), "readinessProbe": probe("/ready"),
        "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File", "imagePullPolicy": "IfNotPresent",
    })
}

fn container_status(name: &str, id: &str) -> Value {
    json!({
        "name": name, "state": {"running": {"startedAt": TIME}}, "lastState": {}, "ready": true, "restartCount": 0,
        "image": format!("registry.example.com/market/{name}:1.2.3"),
        "imageID": format!("registry.example.com/market/{name}@sha256:{}", "0".repeat(64)),
        "containerID": format!("containerd://{id}"), "started": true,
    })
}

/// As kube-controller-manager and the kubelet leave them: a field for each that they have set.
fn managed_fields() -> Value {
    let leaves = |names: &[&str]| -> Value {
        names.iter().map(|name| (format!("f:{name}"), json!({}))).collect::<serde_json::Map<_, _>>().into()
    };
    let container = |name: &str| {
        let variables: serde_json::Map<_, _> = (0..12)
            .map(|number| (format!("k:{{\"name\":\"SHOP_SETTING_{number}\"}}"), leaves(&["name", "value"])))
            .collect();
        let mut fields = leaves(&["name", "image", "args", "imagePullPolicy", "terminationMessagePath"]);
        fields["f:env"] = variables.into();
        (format!("k:{{\"name\":\"{name}\"}}"), fields)
    };
    let containers: serde_json::Map<_, _> = ["app", "sidecar"].into_iter().map(container).collect();
    let conditions: serde_json::Map<_, _> = ["Initialized", "Ready", "ContainersReady"]
        .iter()
        .map(|kind| (format!("k:{{\"type\":\"{kind}\"}}"), leaves(&["type", "status", "lastTransitionTime"])))
        .collect();
    json!([
        {"manager": "kube-controller-manager", "operation": "Update", "apiVersion": "v1", "time": TIME, "fieldsType": "FieldsV1",
            "fieldsV1": {
                "f:metadata": {"f:generateName": {}, "f:labels": leaves(&["app", "team", "pod-template-hash"])},
                "f:spec": {"f:containers": containers, "f:dnsPolicy": {}, "f:restartPolicy": {}},
            }},
        {"manager": "kubelet", "operation": "Update", "apiVersion": "v1", "time": TIME, "fieldsType": "FieldsV1",
            "fieldsV1": {"f:status": {
                "f:conditions": conditions, "f:containerStatuses": {}, "f:hostIP": {}, "f:phase": {}, "f:podIP": {},
            }}, "subresource": "status"},
    ])
}

/// The nodes of the cluster.
const NODES: usize = 500;

const TIME: &str = "2026-11-20T08:00:01Z";
