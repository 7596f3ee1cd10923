// Traces of all shapes: plain ones, one of 10,000 spans, clocks that disagree, missing parents, errors.

const SERVICES = ["frontend", "cart", "order-svc", "pay-svc", "stock", "mail-svc", "db", "search", "login", "ad", "currency", "shipping", "audit", "cache"];

/** The same numbers each time. */
function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

export function traces(nowMs, twist) {
  const sizes = [1, 7, 19, 60, 10_000, 3, 12, 250, 0];
  const shapes = Object.values(SHAPES);
  return Array.from({ length: 60 }, (_, index) => {
    const shape = shapes[index - sizes.length];
    return build(index, shape ? 10_000 : (sizes[index] ?? 3 + ((index * 7) % 40)), nowMs - index * 4_000, twist, shape);
  });
}

/** Traces of 10,000 spans that are hard to lay out: start and duration of a span, and the place of its parent. */
const SHAPES = {
  /** All at the same time, below one. */
  wide: (index) => ({ start: index, duration: 5e7, parent: 0 }),
  /** Each below the one before. */
  deep: (index) => ({ start: index * 10, duration: 5e7 - index * 20, parent: index - 1 }),
  /** One after the other, each far narrower than a pixel. */
  fine: (index) => ({ start: index * 5_000, duration: 4_000, parent: 0 }),
};

function build(seed, size, nowMs, twist, shape) {
  const next = random(seed + 7);
  const resources = SERVICES.map((service, index) => ({
    service: twist(service), service_namespace: "", pod: index === 5 ? "" : `${service}-7d8b5c6f94-l2w9d`, pod_namespace: index === 5 ? "" : "shop",
    address: index === 5 ? "0.0.0.0" : `10.244.3.${index + 1}`, found: index === 5 ? "unknown" : "pod", row: index < 11 ? (index + 31).toString(16) : null,
  }));
  const duration = 48_200_000 * (1 + next() * 3);
  const spans = [];
  for (let index = 0; index < size; index += 1) {
    const parent = index === 0 ? null : spans[Math.floor(size > 1000 && index > 5000 ? next() * 20 : Math.max(0, index - 1 - next() * 12))];
    const skewed = index % 17 === 11;
    const room = parent ? parent.duration_ns : duration;
    const shaped = index > 0 && shape?.(index);
    const start = parent ? parent.start_ns + Math.floor(room * next() * 0.5) - (skewed ? Math.floor(room * 0.4) : 0) : 0;
    spans.push({
      id: (BigInt(seed + 1) * 2n ** 32n + BigInt(index + 1)).toString(16).padStart(16, "0"),
      parent: shaped ? spans[shaped.parent].id : index % 41 === 40 ? "ffffffffffffffff" : (parent?.id ?? ""),
      name: twist(["GET /shop/full", "HTTP POST", "SELECT orders", "publish mail", "cache get"][index % 5]), kind: ["server", "client", "internal", "producer", "consumer"][index % 5],
      start_ns: shaped ? shaped.start : Math.max(0, start), duration_ns: shaped ? shaped.duration : Math.max(index % 23 === 22 ? 0 : 900, Math.floor(room * (0.3 + next() * 0.55))), error: index % 13 === 8, resource: index % (size > 20 ? SERVICES.length : 7),
      status: index % 13 === 8 ? twist("upstream answered 503: no healthy host") : "",
      attributes: [{ key: "http.request.method", value: "GET" }, { key: "url.full", value: twist("https://shop.example/full?user=17") }],
    });
  }
  const end = Math.max(0, ...spans.map((span) => span.start_ns + span.duration_ns));
  const used = new Set(spans.map((span) => span.resource));
  return {
    spans, resources, duration: end, nowMs,
    row: {
      id: (BigInt(seed + 1) * 0x9e3779b97f4a7c15f39cc0605cedc835n % 2n ** 128n).toString(16).padStart(32, "0"), service: resources[0].service, name: spans[0]?.name ?? "",
      services: [...used].map((index) => resources[index].service), spans: size, errors: spans.filter((span) => span.error).length, unknown: spans.filter((span) => span.resource === 5).length,
      start_ms: nowMs, duration_ms: end / 1e6, complete: spans.every((span) => span.parent !== "ffffffffffffffff"),
    },
  };
}

export function traceOf({ row, spans, resources, duration, nowMs }) {
  return { id: row.id, start_ns: `${nowMs}000000`, duration_ns: duration, omitted: spans.length === 10_000, link: `https://grafana.example/d/trace?id=${row.id}`, resources, spans };
}
