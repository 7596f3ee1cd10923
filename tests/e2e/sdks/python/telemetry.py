"""Makes a known set of metrics and log records and exports them as the standard OTEL_EXPORTER_OTLP_* variables say."""

import logging
import os
import sys

from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

if os.environ["OTEL_EXPORTER_OTLP_PROTOCOL"] == "grpc":
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
else:
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter


def metrics():
    # Once, at the end.
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(), export_interval_millis=float("inf"))
    provider = MeterProvider(metric_readers=[reader])
    meter = provider.get_meter("shop", "1.2.3")
    meter.create_counter("checkouts").add(3, {"text": "缺貨"})
    meter.create_histogram("latency").record(12.5)
    meter.create_up_down_counter("queue.length").add(-7)
    flushed = provider.force_flush()
    provider.shutdown()
    return flushed


def logs():
    provider = LoggerProvider()
    provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
    logger = logging.getLogger("shop")
    logger.addHandler(LoggingHandler(logger_provider=provider))
    logger.error("nothing on the shelf: 缺貨")
    flushed = provider.force_flush()
    provider.shutdown()
    return flushed


sys.exit(0 if metrics() and logs() else "an export failed")
