"""A small service as OpenTelemetry's SDK for Python instruments it.

Its exporters have nothing set in code: endpoint and header come from OTEL_EXPORTER_OTLP_..., as in any deployment.
It prints the id of its trace, and fails if the exporters complain of anything.
"""

import logging
import sys

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


class Complaints(logging.Handler):
    """What the SDK and its exporters log."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.lines = []

    def emit(self, record):
        self.lines.append(record.getMessage())


complaints = Complaints()
logging.getLogger("opentelemetry").addHandler(complaints)

resource = Resource.create({"service.name": "shop-python"})
traces = TracerProvider(resource=resource)
traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
logs = LoggerProvider(resource=resource)
logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
logger = logging.getLogger("shop.checkout")
logger.setLevel(logging.INFO)
logger.propagate = False
logger.addHandler(LoggingHandler(logger_provider=logs))

tracer = traces.get_tracer("shop.checkout", "1.2.3")
request = {"http.request.method": "POST", "url.path": "/orders", "url.query": "full=1", "http.response.status_code": 201}
with tracer.start_as_current_span("POST /orders", kind=trace.SpanKind.SERVER, attributes=request) as span:
    span.set_attribute("customer", "Zoë 🗝️")
    span.set_attribute("amounts", [1.5, 2.0])
    with tracer.start_as_current_span("charge card", kind=trace.SpanKind.INTERNAL) as charge:
        charge.add_event("declined", {"attempt": 1})
        charge.set_status(trace.StatusCode.ERROR, "card declined")
    logger.warning("Payment of %s declined", "order 7")
    trace_id = trace.format_trace_id(span.get_span_context().trace_id)
logger.info("outside any span")

# Sends what is left.
traces.shutdown()
logs.shutdown()
if complaints.lines:
    sys.exit("\n".join(complaints.lines))
print(trace_id)
