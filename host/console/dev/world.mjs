// Made-up answers of every kind.

import { randomBytes } from "node:crypto";
import { CONFIGURATION, checked } from "./configuration.mjs";
import { hostile } from "./hostile.mjs";
import { explained, rows } from "./services.mjs";
import { traceOf, traces } from "./traces.mjs";

export class World {
  constructor(kind) {
    this.kind = kind;
    this.instance = randomBytes(8).toString("hex");
    this.started = Date.now();
    const twist = kind === "hostile" ? hostile : (text) => text;
    this.rows = kind === "empty" ? [] : rows(this.started, twist, kind === "hostile" ? 600 : 0);
    this.traces = kind === "empty" ? [] : traces(this.started, twist);
    this.twist = twist;
  }

  point(nowMs, notices) {
    const wave = Math.sin(nowMs / 15_000) + Math.sin(nowMs / 4_100) / 3;
    const quiet = this.kind === "empty";
    const requests = quiet ? 0 : 42 + 20 * wave;
    return {
      instance: this.instance, version: "0.1.0", now_ms: nowMs, uptime_seconds: (nowMs - this.started) / 1000 + 4000, ready: !quiet,
      not_ready_because: quiet ? "the table of pods has not been read yet: the Kubernetes API does not answer" : null,
      settings: { payloads: this.kind !== "empty", trace_link: "https://grafana.example/d/trace?id={trace_id}" },
      requests_per_second: requests, spans_per_second: requests * 83.7, bytes_per_second: requests * 21_400,
      outcomes: { accepted: requests * 0.97, refused: quiet ? 0 : 0.4, failed: 0, cancelled: 0, queued: requests * 0.02 },
      addresses: { kept: requests * 0.1, pipeline: 0, pod_ip: requests * 0.3, pod: requests * 1.1, connection: requests * 0.2, unknown: quiet ? 0 : Math.max(0, 2 + 2 * wave), contradicted: quiet ? 0 : 0.02 },
      totals: { requests: quiet ? 0 : Math.floor(nowMs / 50) % 1e8, spans: quiet ? 0 : Math.floor(nowMs / 2) % 1e9, unknown: quiet ? 0 : 1_204 },
      latency_ms: quiet ? null : { p50: 1.9 + wave / 3, p99: 12 + 4 * wave },
      queues: quiet ? [] : [{ name: "otlphttp", requests: 12, capacity: 1000, unit: "requests", oldest_seconds: 3, disk_bytes: 1_234_567 }],
      agents: [{ url: "http://deepflow-agent.deepflow.svc:38086/api/v1/otel/trace", addresses: quiet ? [] : [
        { address: "10.0.0.1:38086", state: "up", reason: null },
        { address: "10.0.0.2:38086", state: "away", reason: this.twist("connection refused (os error 111), again in 8 s") },
        { address: "10.0.0.3:38086", state: "untried", reason: null }] }],
      pods: { known: quiet ? 0 : 5_120, source: "the Kubernetes API", state: quiet ? "waiting for the first list" : "following", age_seconds: quiet ? null : 0.4, healthy: !quiet },
      memory_bytes: 61 * 2 ** 20 + 4e5 * wave,
      ...(notices && { notices: quiet ? [] : this.notices(nowMs) }),
    };
  }

  notices(nowMs) {
    return [
      { key: "agent_away", level: "error", message: "an agent cannot be reached: http://deepflow-agent.deepflow.svc:38086, address 10.0.0.2:38086: connection refused; is the agent running on that node, and `external_agent_http_proxy_enabled` set?", count: 14, first_ms: nowMs - 80_000, last_ms: nowMs - 700 },
      { key: "started", level: "info", message: "taking OTLP/HTTP at 127.0.0.1:4318", count: 1, first_ms: nowMs - 4e6, last_ms: nowMs - 4e6 },
      { key: "no_pod", level: "warning", message: this.twist("spans of mail-svc lead to no pod: the connection comes from 10.244.3.40, a gateway; give its pods K8S_POD_UID by the Downward API"), count: 1_204, first_ms: nowMs - 900_000, last_ms: nowMs - 3_000 },
    ];
  }

  live() {
    return this.point(Date.now(), true);
  }

  history() {
    const now = Date.now();
    // Seldom while nobody looks, each second then.
    const ages = [...Array.from({ length: 30 }, (_, index) => 290 - index * 5), ...Array.from({ length: 139 }, (_, index) => 139 - index)];
    return ages.map((age) => this.point(now - age * 1000, false));
  }

  answer(path, query, body) {
    const [, name, id] = /^\/console\/([a-z]+)(?:\/(.*))?$/.exec(path) ?? [];
    if (path === "/console/live") return this.live();
    if (name === "services" && id === undefined) return { seen: { requests: 48_211, examined: 3_020, spans: 4_031_115 }, rows: this.rows, omitted: this.kind === "hostile" ? 12 : 0 };
    if (name === "services") {
      const row = this.rows.find((row) => row.id === decodeURIComponent(id));
      return row && explained(row, this.twist);
    }
    if (name === "traces" && id === undefined) return traces_found(this.traces, query);
    if (name === "traces") {
      const trace = this.traces.find((trace) => trace.row.id === id);
      return trace && traceOf(trace);
    }
    if (name === "pods") return this.pods(query);
    if (path.startsWith("/pods/")) return { what: path.slice(6), kind: "name", outcome: "absent", message: `no pod is called ${path.slice(6)}`, pods: [], known_pods: 5120, covers_cluster: true };
    if (name === "configuration") return CONFIGURATION;
    if (name === "check" && body !== null) return checked(body);
    if (name === "rewrite" && body !== null) return this.rewritten();
    return undefined;
  }

  pods(query) {
    const all = this.kind === "empty" ? [] : Array.from({ length: 5_120 }, (_, index) => ({
      namespace: ["shop", "payments", "kube-system"][index % 3], name: this.twist(`${["cart", "order-svc", "web-shop-6d4cf8b9d7"][index % 3]}-${index}`),
      uid: `00000000-0000-4000-8000-${String(index).padStart(12, "0")}`, ips: index % 50 === 7 ? [] : [`10.244.${index >> 8}.${index & 255}`],
      node: `node-${index % 40}`, deployment: "cart", phase: index % 50 === 7 ? "Pending" : "Running", started: "2026-11-26T10:00:00Z",
      ...(index % 90 === 1 && { states: ["host_network"] }),
    }));
    const wanted = query.get("q") ?? "";
    const matching = all.filter((pod) => wanted === "" || JSON.stringify(pod).includes(wanted));
    return { known: all.length, matching: matching.length, source: "the Kubernetes API", state: "following", age_seconds: 0.4, covers_cluster: true, healthy: true, pods: matching.slice(0, Number(query.get("limit") ?? 200)) };
  }

  rewritten() {
    const resources = this.rows.slice(0, 2).map((row) => ({ ...explained(row, this.twist), service: row.service, found: row.found, address: row.address, spans: 3 }));
    return { verdict: "forward", message: "", resources };
  }
}

function traces_found(all, query) {
  const is = (name, test) => (trace) => !query.get(name) || test(trace.row, query.get(name));
  const found = all
    .filter(is("service", (row, value) => row.services.some((service) => service.includes(value))))
    .filter(is("name", (row, value) => row.name.includes(value)))
    .filter(is("id", (row, value) => row.id.startsWith(value)))
    .filter(is("error", (row) => row.errors > 0))
    .filter(is("unknown", (row) => row.unknown > 0))
    .filter(is("min_ms", (row, value) => row.duration_ms >= Number(value)))
    .filter(is("max_ms", (row, value) => row.duration_ms <= Number(value)));
  return { kept: all.length, bytes: 2_100_000, capacity_bytes: 4 * 2 ** 20, matching: found.length, traces: found.slice(0, Number(query.get("limit") ?? 100)).map(({ row }) => row) };
}
