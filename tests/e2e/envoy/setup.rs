//! How Envoy is configured for a test.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use podstamp_test_guests::PROXY_WASM;
use podstamp_test_support::ports::closed_port;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Envoy, validate};
use crate::fake_agent::FakeAgent;
use crate::served::fixture;

/// A listener for HTTP/1.1 and HTTP/2 with podstamp's module, deepflow-agent at the path where it takes traces, and
/// something else at all others.
pub(crate) struct Setup {
    /// Where `/api/v1/otel/trace` leads.
    pub(crate) agent: SocketAddr,
    /// Where all other paths lead.
    pub(crate) other: SocketAddr,
    /// Has Envoy speak HTTP/2 with it.
    pub(crate) other_http2: bool,
    /// Where the cluster `podstamp` leads, if there is one.
    pub(crate) podstamp: Option<SocketAddr>,
    /// The module.
    pub(crate) module: &'static str,
    /// The module's configuration; without one the module is not there.
    pub(crate) document: Option<Value>,
    /// Hands it over as a text, not as a `google.protobuf.Struct`.
    pub(crate) as_text: bool,
    /// The direct peer's address that Envoy writes into the filter state, in the format of its access logs.
    pub(crate) peer: Option<&'static str>,
    /// Under which key.
    pub(crate) peer_key: &'static str,
    /// Filters between the module and the router.
    pub(crate) behind: Vec<Value>,
    /// Has Envoy decompress requests ahead of the module.
    pub(crate) decompressor: bool,
    /// Has Envoy make HTTP/1.1 requests of gRPC calls ahead of the module.
    pub(crate) bridge: bool,
    /// How long the agent may take, as a duration of protobuf's JSON.
    pub(crate) timeout: &'static str,
    /// Further keys of the connection manager.
    pub(crate) manager: Value,
    /// Further keys of the virtual host.
    pub(crate) virtual_host: Value,
    /// Further keys of the module's plugin.
    pub(crate) plugin: Value,
    /// Further keys of the listener.
    pub(crate) listener: Value,
    /// The node's.
    pub(crate) metadata: Value,
    /// Has Envoy take the labels of podstamp's metrics out of their names.
    pub(crate) tags: bool,
    /// Workers.
    pub(crate) concurrency: u32,
}

/// The peer of all requests, unless a test says otherwise.
pub(crate) const POD: &str = "10.244.1.7";

impl Setup {
    /// With DeepFlow's pipeline for load balancers, and [`POD`] as the peer.
    pub(crate) fn to(agent: &FakeAgent) -> Self {
        Self::towards(agent.agent().address())
    }

    /// A set-up towards whatever is there.
    pub(crate) fn towards(agent: SocketAddr) -> Self {
        Self {
            agent,
            other: closed_port(),
            other_http2: false,
            podstamp: None,
            module: PROXY_WASM,
            document: Some(document("")),
            as_text: false,
            peer: Some(POD),
            peer_key: "podstamp.peer",
            behind: Vec::new(),
            decompressor: false,
            bridge: false,
            timeout: "15s",
            manager: json!({}),
            virtual_host: json!({}),
            plugin: json!({}),
            listener: json!({}),
            metadata: json!({}),
            tags: false,
            concurrency: 1,
        }
    }

    /// With a table of pods, which this podstamp is asked for.
    pub(crate) fn asking(self, podstamp: SocketAddr) -> Self {
        let own = "  proxy_wasm:\n    pods:\n      cluster: podstamp\n      interval: 1s\n";
        Self { podstamp: Some(podstamp), document: Some(document(own)), ..self }
    }

    /// Starts Envoy with it; `None` where there is none.
    pub(crate) fn start(&self) -> Option<Envoy> {
        Envoy::start(&self.bootstrap(), TempDir::new().unwrap(), self.concurrency)
    }

    /// Starts Envoy with its listener in a file of its own, which [`Self::replace_listener`] replaces.
    pub(crate) fn start_with_listener_file(&self) -> Option<Envoy> {
        let folder = TempDir::new().unwrap();
        self.replace_listener(folder.path(), "first");
        let mut bootstrap = self.bootstrap();
        bootstrap["static_resources"]["listeners"] = json!([]);
        bootstrap["dynamic_resources"] =
            json!({"lds_config": {"path_config_source": {"path": folder.path().join(LISTENERS)}}});
        Envoy::start(&bootstrap, folder, self.concurrency)
    }

    /// Puts this listener into the file, at once and whole, as Envoy wants it.
    pub(crate) fn replace_listener(&self, folder: &Path, version: &str) {
        let mut listener = self.listener();
        listener["@type"] = "type.googleapis.com/envoy.config.listener.v3.Listener".into();
        let half = folder.join("half.json");
        fs::write(&half, json!({"version_info": version, "resources": [listener]}).to_string()).unwrap();
        fs::rename(half, folder.join(LISTENERS)).unwrap();
    }

    /// Loads the configuration without serving: whether Envoy takes it, and its log. `None` without Envoy.
    pub(crate) fn validate(&self) -> Option<(bool, String)> {
        validate(&self.bootstrap())
    }

    /// All of Envoy's configuration.
    pub(crate) fn bootstrap(&self) -> Value {
        let labels: &[_] = if self.tags { &["outcome", "code", "from", "rule"] } else { &[] };
        let tags: Vec<_> = labels
            .iter()
            .map(|label| json!({"tag_name": label, "regex": format!(r"podstamp_.*?(\.{label}\.(\w+))")}))
            .collect();
        let mut other = cluster("other", self.other);
        if self.other_http2 {
            let options = typed(
                "upstreams.http.v3.HttpProtocolOptions",
                json!({"explicit_http_config": {"http2_protocol_options": {}}}),
            );
            other["typed_extension_protocol_options"] =
                json!({"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options});
        }
        let podstamp = self.podstamp.map(|address| cluster("podstamp", address));
        let clusters: Vec<_> = [cluster("agent", self.agent), other].into_iter().chain(podstamp).collect();
        json!({
            "stats_config": {"stats_tags": tags},
            "node": {"id": "envoy", "cluster": "tests", "metadata": self.metadata},
            "admin": {"address": socket(SocketAddr::from(([127, 0, 0, 1], 0)))},
            "static_resources": {
                "listeners": [self.listener()],
                "clusters": clusters,
            },
        })
    }

    fn listener(&self) -> Value {
        let mut routes = vec![
            json!({"match": {"path": AGENT_PATH}, "route": {"cluster": "agent", "timeout": self.timeout}}),
            json!({"match": {"prefix": "/"}, "route": {"cluster": "other", "timeout": "0s"}}),
        ];
        if self.bridge {
            // Matched before the module has changed the path, and kept if it does not.
            routes.insert(
                0,
                json!({"match": {"path": GRPC_PATH}, "route": {"cluster": "agent", "prefix_rewrite": AGENT_PATH, "timeout": self.timeout}}),
            );
        }
        let mut virtual_host = json!({"name": "all", "domains": ["*"], "routes": routes});
        extend(&mut virtual_host, &self.virtual_host);
        let mut manager = typed(
            "filters.network.http_connection_manager.v3.HttpConnectionManager",
            json!({
                "stat_prefix": "otlp",
                "codec_type": "AUTO",
                "route_config": {"name": "routes", "virtual_hosts": [virtual_host]},
                "http_filters": self.filters(),
            }),
        );
        extend(&mut manager, &self.manager);
        let mut listener = json!({
            "name": "otlp",
            "address": socket(SocketAddr::from(([127, 0, 0, 1], 0))),
            "filter_chains": [{
                "filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}],
            }],
        });
        extend(&mut listener, &self.listener);
        listener
    }

    /// In the order in which requests pass them.
    fn filters(&self) -> Vec<Value> {
        let mut filters = Vec::new();
        if self.decompressor {
            let library = typed("compression.gzip.decompressor.v3.Gzip", json!({"max_inflate_ratio": 1000}));
            let decompressor = json!({
                "request_direction_config": {"common_config": {"ignore_no_transform_header": true}},
                "response_direction_config": {
                    "common_config": {"enabled": {"default_value": false, "runtime_key": "never"}},
                },
                "decompressor_library": {"name": "gzip", "typed_config": library},
            });
            filters.push(filter(
                "decompressor",
                typed("filters.http.decompressor.v3.Decompressor", decompressor),
            ));
        }
        if self.bridge {
            filters.push(bridge());
        }
        if let Some(peer) = self.peer {
            filters.push(state(self.peer_key, peer));
        }
        if let Some(document) = &self.document {
            filters.push(filter(
                "wasm",
                typed("filters.http.wasm.v3.Wasm", json!({"config": self.plugin(document)})),
            ));
        }
        filters.extend(self.behind.iter().cloned());
        filters.push(router());
        filters
    }

    fn plugin(&self, document: &Value) -> Value {
        let mut plugin = plugin(document);
        if self.as_text {
            // A text of its own is handed over as it is, also where it is not JSON.
            let text = document.as_str().map_or_else(|| document.to_string(), str::to_owned);
            plugin["configuration"] =
                json!({"@type": "type.googleapis.com/google.protobuf.StringValue", "value": text});
        }
        plugin["vm_config"]["code"]["local"]["filename"] = self.module.into();
        extend(&mut plugin, &self.plugin);
        plugin
    }
}

/// The module with a configuration.
pub(crate) fn plugin(document: &Value) -> Value {
    json!({
        "name": "podstamp",
        "root_id": "podstamp",
        "failure_policy": "FAIL_RELOAD",
        "reload_config": {"backoff": {"base_interval": "0.05s"}},
        "vm_config": {
            "vm_id": "podstamp",
            "runtime": "envoy.wasm.runtime.v8",
            "code": {"local": {"filename": PROXY_WASM}},
        },
        "configuration": {"@type": "type.googleapis.com/google.protobuf.Struct", "value": document},
    })
}

/// The filter that makes HTTP/1.1 requests of gRPC calls.
pub(crate) fn bridge() -> Value {
    let config = json!({"content_type": "application/x-protobuf", "withhold_grpc_frames": true});
    let name = "filters.http.grpc_http1_reverse_bridge.v3.FilterConfig";
    filter("grpc_http1_reverse_bridge", typed(name, config))
}

/// The filter that writes a text into the filter state, in the format of access logs.
pub(crate) fn state(key: &str, format: &str) -> Value {
    let config = json!({"on_request_headers": [{
        "object_key": key,
        "factory_key": "envoy.string",
        "format_string": {"text_format_source": {"inline_string": format}},
    }]});
    filter("set_filter_state", typed("filters.http.set_filter_state.v3.Config", config))
}

/// The filter that sends requests on.
pub(crate) fn router() -> Value {
    filter("router", typed("filters.http.router.v3.Router", json!({})))
}

/// DeepFlow's pipeline for load balancers, with podstamp's own section besides.
pub(crate) fn document(own: &str) -> Value {
    let exporter =
        "exporters:\n  otlphttp:\n    traces_endpoint: http://deepflow-agent.deepflow/api/v1/otel/trace\n";
    read(&format!("{}\n{exporter}podstamp:\n{own}", fixture("deepflow-load-balancer.yaml")))
}

/// Reads YAML.
pub(crate) fn read(yaml: &str) -> Value {
    serde_saphyr::from_str(yaml).unwrap()
}

/// A filter of HTTP.
pub(crate) fn filter(name: &str, config: Value) -> Value {
    json!({"name": format!("envoy.filters.http.{name}"), "typed_config": config})
}

/// The configuration of an extension.
pub(crate) fn typed(name: &str, mut config: Value) -> Value {
    config["@type"] = format!("type.googleapis.com/envoy.extensions.{name}").into();
    config
}

/// A cluster with one endpoint.
pub(crate) fn cluster(name: &str, address: SocketAddr) -> Value {
    let endpoint = json!({"endpoint": {"address": socket(address)}});
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "5s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
    })
}

/// An address, as Envoy has it.
pub(crate) fn socket(address: SocketAddr) -> Value {
    json!({"socket_address": {"address": address.ip(), "port_value": address.port()}})
}

fn extend(object: &mut Value, with: &Value) {
    object.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
}

const AGENT_PATH: &str = "/api/v1/otel/trace";

const GRPC_PATH: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// In Envoy's folder.
const LISTENERS: &str = "listeners.json";
