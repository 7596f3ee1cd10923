// Services, their pods, and why.

const SERVICES = ["mail-svc", "pay-svc", "shop-web", "order-svc", "cart", "stock", "search", "login", "ad", "currency", "shipping"];
const FOUND = ["unknown", "contradicted", "pod", "pod_ip", "kept", "connection", "pod", "pod", "pipeline", "untouched", "pod"];

export function rows(nowMs, twist, more) {
  const names = [...SERVICES, ...Array.from({ length: more }, (_, index) => `service-${index}`)];
  return names.map((name, index) => {
    const found = FOUND[index % FOUND.length];
    const lost = found === "unknown" || found === "contradicted" || found === "untouched";
    return {
      id: (index + 31).toString(16), service: twist(name), service_namespace: index % 4 === 1 ? "shop" : "",
      pod: lost || found === "kept" ? "" : twist(`${name}-7d8b5c6f94-l2w${index}`), pod_namespace: lost || found === "kept" ? "" : "shop", address: found === "untouched" ? "" : lost ? "0.0.0.0" : `10.244.3.${(index % 250) + 1}`, found,
      suspicious: index === 2 ? "its spans come from 3 pods that share one address: a proxy stands between, and `trusted_proxies` does not name it" : null,
      spans: 120_000 - index * 7, spans_exact: index % 3 === 0, first_ms: nowMs - 4e6, last_ms: nowMs - index * 900, peer: "10.244.3.40",
    };
  });
}

export function explained(row, twist) {
  const lost = row.pod === "";
  return {
    row,
    claims: [{ key: "service.name", value: row.service }, { key: "k8s.pod.uid", value: twist("uid-of-" + row.id) }, { key: "host.name", value: twist("web-shop-6d4cf8b9d7-x2x7k") }],
    lookups: [
      { terms: ["k8s.pod.uid=" + twist("uid-of-" + row.id)], answer: lost ? "absent" : "found", pod: lost ? null : `shop/${row.pod}` },
      ...(lost ? [{ terms: ["k8s.pod.ip=10.244.3.40", "k8s.namespace.name=shop"], answer: "node", pod: null }, { terms: ["connection=10.244.3.40"], answer: "ambiguous", pod: null }] : []),
    ],
    changes: [{ key: "app.host.ip", before: null, after: row.address }, { key: "k8s.pod.name", before: "localhost", after: lost ? null : row.pod }, { key: "net.peer.ip", before: "fe80::1", after: null }],
    connection: "10.244.3.40",
    pod: lost ? null : { namespace: "shop", name: row.pod, uid: "0b9c6f5e-1111-4222-8333-444455556666", node: "node-3", ips: [row.address, "fd00::3:1"], deployment: "shop-web", phase: "Running" },
    collector: { address: lost ? "10.244.3.40" : row.address, pod: lost ? "deepflow/gateway-0" : row.pod, differs: lost },
    verdict: lost ? "stamped as unknown: no attribute leads to a pod, and the connection comes from a gateway that relays for many" : "stamped as the pod that k8s.pod.uid names",
    advice: lost ? [
      { title: "Give the pod's uid to the SDK", text: "With the Downward API in the Deployment's template, each span says which pod it is from, however many hops it takes.", snippet: "env:\n  - name: K8S_POD_UID\n    valueFrom: {fieldRef: {fieldPath: metadata.uid}}\n  - name: OTEL_RESOURCE_ATTRIBUTES\n    value: k8s.pod.uid=$(K8S_POD_UID)\n" },
      { title: "Keep the connection's address", text: "Where the Service in front of podstamp has internalTrafficPolicy: Local, the connection comes from the pod itself.", snippet: "spec:\n  internalTrafficPolicy: Local\n" },
      { title: "Say whom the gateway speaks for", text: "Where the gateway writes X-Forwarded-For, name it in podstamp.guard.trusted_proxies.", snippet: null },
    ] : [],
    examined_ms: row.last_ms,
  };
}
