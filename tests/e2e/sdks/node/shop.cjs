// Makes a known set of spans and exports them as the standard OTEL_EXPORTER_OTLP_* variables say.
'use strict';

const { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } = require('@opentelemetry/api');
const { defaultResource, detectResources, envDetector } = require('@opentelemetry/resources');
const { BatchSpanProcessor, NodeTracerProvider } = require('@opentelemetry/sdk-trace-node');

const STEPS = 1200;
const ATTRIBUTES = {
  text: 'naïve café 缺貨 🛒',
  empty: '',
  long: '長'.repeat(20_000),
  true: true,
  int: 9007199254740991,
  negative: -42,
  double: 0.1,
  texts: ['a', 'ß', ''],
  bools: [true, false],
  ints: [1, -2],
  doubles: [0.5, 1.5e-300],
};
const PACKAGES = { grpc: 'grpc', 'http/protobuf': 'proto', 'http/json': 'http' };

function exporter() {
  const name = PACKAGES[process.env.OTEL_EXPORTER_OTLP_PROTOCOL];
  const { OTLPTraceExporter } = require(`@opentelemetry/exporter-trace-otlp-${name}`);
  return new OTLPTraceExporter();
}

/** Remembers failures, which the batch processor only logs. */
class Watched {
  failed = false;

  constructor(inner) {
    this.inner = inner;
  }

  export(spans, done) {
    this.inner.export(spans, (result) => {
      if (result.code !== 0) {
        this.failed = true;
        console.error(result.error);
      }
      done(result);
    });
  }

  forceFlush() {
    return this.inner.forceFlush();
  }

  shutdown() {
    return this.inner.shutdown();
  }
}

function shop(tracer) {
  const checkout = tracer.startSpan('checkout', { kind: SpanKind.SERVER, attributes: ATTRIBUTES });
  const inside = trace.setSpan(ROOT_CONTEXT, checkout);
  checkout.addEvent('cart read', { items: 3 });
  tracer.startSpan('load cart', {}, inside).end();
  const same = { context: checkout.spanContext(), attributes: { why: 'same cart' } };
  tracer.startSpan('GET /stock', { kind: SpanKind.CLIENT, links: [same] }, inside).end();
  const placed = tracer.startSpan('order placed', { kind: SpanKind.PRODUCER }, inside);
  placed.end();
  const links = [{ context: placed.spanContext() }];
  const taken = tracer.startSpan('order taken', { kind: SpanKind.CONSUMER, links }, inside);
  taken.setStatus({ code: SpanStatusCode.OK });
  taken.end();
  checkout.recordException(new Error('nothing on the shelf: 缺貨'));
  checkout.setStatus({ code: SpanStatusCode.ERROR, message: 'out of stock: 缺貨' });
  checkout.end();
  for (let step = 0; step < STEPS; step += 1) {
    tracer.startSpan(`step ${step}`, {}, ROOT_CONTEXT).end();
  }
}

async function main() {
  const watched = new Watched(exporter());
  const provider = new NodeTracerProvider({
    resource: defaultResource().merge(detectResources({ detectors: [envDetector] })),
    spanProcessors: [new BatchSpanProcessor(watched)],
  });
  shop(provider.getTracer('shop', '1.2.3'));
  await provider.forceFlush();
  await provider.shutdown();
  process.exit(watched.failed ? 1 : 0);
}

main();
