"""Makes a known set of spans and exports them as the standard OTEL_EXPORTER_OTLP_* variables say."""

import os
import sys

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Link, SpanKind, Status, StatusCode

STEPS = 1200
ATTRIBUTES = {
    "text": "naïve café 缺貨 🛒",
    "empty": "",
    "long": "長" * 20_000,
    "true": True,
    "int": 9007199254740991,
    "negative": -42,
    "double": 0.1,
    "texts": ["a", "ß", ""],
    "bools": [True, False],
    "ints": [1, -2],
    "doubles": [0.5, 1.5e-300],
}


def exporter():
    protocol = os.environ["OTEL_EXPORTER_OTLP_PROTOCOL"]
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    elif protocol == "http/protobuf":
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    else:
        from opentelemetry.exporter.otlp.json.http.trace_exporter import OTLPSpanExporter
    return OTLPSpanExporter()


class Watched(SpanExporter):
    """Remembers failures, which the batch processor only logs."""

    def __init__(self, inner):
        self.inner = inner
        self.failed = False

    def export(self, spans):
        result = self.inner.export(spans)
        self.failed = self.failed or result is not SpanExportResult.SUCCESS
        return result

    def shutdown(self):
        self.inner.shutdown()


def shop(tracer):
    with tracer.start_as_current_span("checkout", kind=SpanKind.SERVER, attributes=ATTRIBUTES) as checkout:
        checkout.add_event("cart read", {"items": 3})
        with tracer.start_as_current_span("load cart"):
            pass
        link = Link(checkout.get_span_context(), {"why": "same cart"})
        with tracer.start_as_current_span("GET /stock", kind=SpanKind.CLIENT, links=[link]):
            pass
        with tracer.start_as_current_span("order placed", kind=SpanKind.PRODUCER) as placed:
            pass
        link = Link(placed.get_span_context())
        with tracer.start_as_current_span("order taken", kind=SpanKind.CONSUMER, links=[link]) as taken:
            taken.set_status(Status(StatusCode.OK))
        checkout.record_exception(ValueError("nothing on the shelf: 缺貨"))
        checkout.set_status(Status(StatusCode.ERROR, "out of stock: 缺貨"))
    for step in range(STEPS):
        tracer.start_span(f"step {step}").end()


def main():
    watched = Watched(exporter())
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(watched))
    shop(provider.get_tracer("shop", "1.2.3"))
    flushed = provider.force_flush()
    provider.shutdown()
    sys.exit("an export failed" if watched.failed or not flushed else 0)


main()
