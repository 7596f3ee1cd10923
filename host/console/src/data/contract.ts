// What the admin listener answers under /console, as JSON.

/** How the address of a resource was found. */
export type Found =
  | "kept"
  | "pipeline"
  | "pod_ip"
  | "pod"
  | "connection"
  | "unknown"
  | "contradicted"
  | "untouched";

/** What is wrong, where, and what to do. */
export interface Notice {
  key: string;
  level: string;
  message: string;
  count: number;
  first_ms: number;
  last_ms: number;
}

export interface Queue {
  name: string;
  /** In the unit, as the capacity. */
  requests: number;
  capacity: number;
  unit: string;
  oldest_seconds: number | null;
  disk_bytes: number | null;
}

export interface AgentAddress {
  address: string;
  state: string;
  reason: string | null;
}

export interface Agent {
  url: string;
  addresses: AgentAddress[];
}

/** A point in time, each second. Outcomes, addresses and `*_per_second` are rates since the last point. */
export interface Live {
  instance: string;
  version: string;
  now_ms: number;
  uptime_seconds: number;
  ready: boolean;
  not_ready_because: string | null;
  settings: { payloads: boolean; trace_link: string | null };
  requests_per_second: number;
  spans_per_second: number;
  bytes_per_second: number;
  outcomes: Record<string, number>;
  addresses: Record<string, number>;
  totals: { requests: number; spans: number; unknown: number };
  /** `…_over`: it is more than that, beyond what is measured. */
  latency_ms: { p50: number; p99: number; p50_over?: boolean; p99_over?: boolean } | null;
  queues: Queue[];
  agents: Agent[];
  pods: { known: number; source: string; state: string; age_seconds: number | null; healthy: boolean };
  memory_bytes: number | null;
  /** Points of the history have none. */
  notices?: Notice[];
}

export interface ServiceRow {
  id: string;
  service: string;
  service_namespace: string;
  /** Empty where there is none, as are the address and the peer. */
  pod: string;
  pod_namespace: string;
  address: string;
  found: Found;
  suspicious: string | null;
  spans: number;
  spans_exact: boolean;
  first_ms: number;
  last_ms: number;
  peer: string;
}

export interface Services {
  seen: { requests: number; examined: number; spans: number };
  rows: ServiceRow[];
  omitted: number;
}

export interface Attribute {
  key: string;
  value: string;
}

export interface Lookup {
  terms: string[];
  answer: string;
  pod: string | null;
}

export interface Change {
  key: string;
  before: string | null;
  after: string | null;
}

export interface CollectorStamp {
  address: string | null;
  pod: string | null;
  differs: boolean;
}

export interface Advice {
  title: string;
  text: string;
  snippet: string | null;
}

/** What decided about a resource, and what would make it right. */
export interface Reasons {
  claims: Attribute[];
  lookups: Lookup[];
  changes: Change[];
  connection: string | null;
  pod: Pod | null;
  collector: CollectorStamp;
  verdict: string;
  advice: Advice[];
}

export interface ServiceExplained extends Reasons {
  row: ServiceRow;
  examined_ms: number;
}

export interface TraceRow {
  id: string;
  service: string;
  name: string;
  services: string[];
  spans: number;
  errors: number;
  unknown: number;
  start_ms: number;
  duration_ms: number;
  complete: boolean;
}

export interface Traces {
  kept: number;
  bytes: number;
  capacity_bytes: number;
  matching: number;
  traces: TraceRow[];
}

export interface TraceResource {
  service: string;
  service_namespace: string;
  /** Empty where there is none, as is the address. */
  pod: string;
  pod_namespace: string;
  address: string;
  found: Found;
  row: string | null;
}

export interface Span {
  id: string;
  parent: string;
  name: string;
  kind: string;
  /** Since the trace's start. */
  start_ns: number;
  duration_ns: number;
  error: boolean;
  resource: number;
  status: string;
  attributes: Attribute[];
}

export interface Trace {
  id: string;
  /** Too large for a number: as text. */
  start_ns: string;
  duration_ns: number;
  /** Spans were left out. */
  omitted: boolean;
  link: string | null;
  resources: TraceResource[];
  spans: Span[];
}

/** A pod as `podstamp pods ls --output json` prints it. */
export interface Pod {
  namespace: string;
  name: string;
  uid?: string;
  ips: string[];
  node?: string;
  deployment?: string;
  phase?: string;
  started?: string;
  states?: string[];
}

export interface Pods {
  known: number;
  matching: number;
  source: string;
  state: string;
  age_seconds: number | null;
  covers_cluster: boolean;
  healthy: boolean;
  pods: Pod[];
}

/** Why something leads, or does not lead, to a pod: `/pods/WHAT`. */
export interface Explanation {
  what: string;
  kind: string;
  outcome: string;
  message: string;
  advice?: string;
  pods: Pod[];
  node?: string;
}

export interface LineNotice {
  level: string;
  message: string;
}

export interface Line {
  text: string;
  path: string;
  /** Left out where there are none. */
  notices?: LineNotice[];
}

export interface PlacelessNotice extends LineNotice {
  /** Empty where it is about no place. */
  path: string;
}

export interface Configuration {
  lines: Line[];
  notices: PlacelessNotice[];
}

export interface Checked extends Configuration {
  faults: { path: string; message: string }[];
}

export interface RewrittenResource extends Reasons {
  service: string;
  found: Found;
  /** Empty where there would be none. */
  address: string;
  spans: number;
}

export interface Rewritten {
  verdict: string;
  message: string;
  resources: RewrittenResource[];
}
