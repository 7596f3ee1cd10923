// A shop's traffic as OTLP/JSON: two services with pods, and one whose pod nobody knows.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";

/** Name, service, parent, start and duration in microseconds. */
export const SPANS = [
  { name: "GET /shop", service: "shop-web", parent: null, start: 0, duration: 40_000 },
  { name: "POST /cart", service: "cart", parent: 0, start: 4_000, duration: 20_000 },
  { name: "SELECT items", service: "cart", parent: 1, start: 9_000, duration: 6_000 },
  { name: "send mail", service: "mail-svc", parent: 0, start: 26_000, duration: 12_000, error: "550 no such user" },
  { name: "POST /audit", service: "cart", parent: 0, start: 10_000, duration: 25_000 },
];

const RESOURCES = {
  "shop-web": { "host.name": "web-1" },
  cart: { "k8s.pod.ip": "10.244.1.2" },
  "mail-svc": { "host.name": "nobody" },
};

export function attributes(values) {
  return Object.entries(values).map(([key, value]) => ({ key, value: { stringValue: value } }));
}

export async function send(otlp, resourceSpans) {
  const response = await fetch(new URL("/v1/traces", otlp), { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ resourceSpans }) });
  assert.equal(response.status, 200, await response.text());
}

/** One trace of the shop; gives its id. */
export async function shop(otlp) {
  const traceId = randomBytes(16).toString("hex");
  const ids = SPANS.map(() => randomBytes(8).toString("hex"));
  const begin = BigInt(Date.now()) * 1_000_000n;
  const resourceSpans = Object.entries(RESOURCES).map(([service, own]) => ({
    resource: { attributes: attributes({ "service.name": service, ...own }) },
    scopeSpans: [{
      spans: SPANS.map((span, index) => ({ span, index })).filter(({ span }) => span.service === service).map(({ span, index }) => ({
        traceId, spanId: ids[index], parentSpanId: span.parent === null ? "" : ids[span.parent], name: span.name, kind: 2,
        startTimeUnixNano: String(begin + BigInt(span.start) * 1_000n), endTimeUnixNano: String(begin + BigInt(span.start + span.duration) * 1_000n),
        attributes: attributes({ "http.route": `/of/${index}` }), status: span.error ? { code: 2, message: span.error } : {},
      })),
    }],
  }));
  await send(otlp, resourceSpans);
  return traceId;
}

/** The shop goes on until it is stopped. What fails while podstamp restarts is left out. */
export function keepShop(otlp) {
  let runs = true;
  const ended = (async () => {
    while (runs) {
      await shop(otlp).catch(() => {});
      await new Promise((done) => setTimeout(done, 100));
    }
  })();
  return () => {
    runs = false;
    return ended;
  };
}

/** What the console tells of a trace is what was sent. */
export function assertShop(trace) {
  assert.equal(trace.spans.length, SPANS.length);
  const named = new Map(trace.spans.map((span) => [span.name, span]));
  for (const sent of SPANS) {
    const span = named.get(sent.name);
    assert.equal(span.start_ns, sent.start * 1_000, sent.name);
    assert.equal(span.duration_ns, sent.duration * 1_000, sent.name);
    assert.equal(span.error, sent.error !== undefined);
    assert.equal(span.parent, sent.parent === null ? "" : named.get(SPANS[sent.parent].name).id);
    assert.equal(trace.resources[span.resource].service, sent.service);
  }
}

/** A trace of so many spans in one request, from one pod. */
export async function large(otlp, count) {
  const traceId = randomBytes(16).toString("hex");
  const begin = BigInt(Date.now()) * 1_000_000n;
  const id = (index) => (index + 1).toString(16).padStart(16, "0");
  const spans = Array.from({ length: count }, (_, index) => {
    const start = begin + BigInt(index) * 4_000n;
    return { traceId, spanId: id(index), parentSpanId: index === 0 ? "" : id((index - 1) >> 3), name: `step ${index}`, kind: 1, startTimeUnixNano: String(start), endTimeUnixNano: String(start + (index === 0 ? 40_000_000n : 300_000n)) };
  });
  await send(otlp, [{ resource: { attributes: attributes({ "service.name": "large", "host.name": "web-1" }) }, scopeSpans: [{ spans }] }]);
  return traceId;
}
