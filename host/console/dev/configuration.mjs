// A configuration with notices beside its lines, and what the check box finds.

const TEXT = `receivers:
  otlp:
    protocols:
      grpc: {endpoint: 0.0.0.0:4317}
      http: {endpoint: 0.0.0.0:4318}
processors:
  k8sattributes:
    auth_type: serviceAccount
    passthrough: false
exporters:
  otlphttp:
    traces_endpoint: http://127.0.0.1:38086/api/v1/otel/trace
    headers: {authorization: "***"}
service:
  pipelines:
    traces: {receivers: [otlp], processors: [k8sattributes], exporters: [otlphttp]}`;

const PATHS = { "    passthrough: false": [{ level: "warning", message: "podstamp has no passthrough: the key has no effect" }], "    auth_type: serviceAccount": [{ level: "info", message: "the pod's own service account is used" }] };

function lines(text) {
  return text.split("\n").map((line) => ({ text: line, path: line.trim().split(":")[0], ...(PATHS[line] && { notices: PATHS[line] }) }));
}

export const CONFIGURATION = { lines: lines(TEXT), notices: [{ level: "info", message: "no guard is configured: its defaults hold", path: "podstamp.guard" }] };

export function checked(text) {
  const bad = text.includes("bad");
  return {
    faults: bad ? [{ path: "exporters.otlphttp.bad", message: "there is no such key; did you mean `endpoint`?" }] : [],
    lines: lines(text).map((line) => (line.text.includes("bad") ? { ...line, notices: [{ level: "fault", message: "there is no such key; did you mean `endpoint`?" }] } : line)),
    notices: [],
  };
}
