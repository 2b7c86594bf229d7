// A small service as OpenTelemetry's SDK for JavaScript instruments it: `node shop.mjs protobuf|json`.
//
// Its exporters have nothing set in code: endpoint and header come from OTEL_EXPORTER_OTLP_…, as in any
// deployment. It prints the id of its trace, and fails if the exporters complain of anything.
import { context, diag, DiagLogLevel, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { SeverityNumber } from "@opentelemetry/api-logs";
import { OTLPLogExporter as JsonLogs } from "@opentelemetry/exporter-logs-otlp-http";
import { OTLPLogExporter as ProtobufLogs } from "@opentelemetry/exporter-logs-otlp-proto";
import { OTLPTraceExporter as JsonTraces } from "@opentelemetry/exporter-trace-otlp-http";
import { OTLPTraceExporter as ProtobufTraces } from "@opentelemetry/exporter-trace-otlp-proto";
import { BatchLogRecordProcessor, LoggerProvider } from "@opentelemetry/sdk-logs";
import { BasicTracerProvider, BatchSpanProcessor } from "@opentelemetry/sdk-trace-base";

const complaints = [];
const complain = (...words) => complaints.push(words.join(" "));
const quiet = () => {};
diag.setLogger({ error: complain, warn: complain, info: quiet, debug: quiet, verbose: quiet }, DiagLogLevel.WARN);

const json = process.argv[2] === "json";
const traces = new BasicTracerProvider({ spanProcessors: [new BatchSpanProcessor(json ? new JsonTraces() : new ProtobufTraces())] });
const logs = new LoggerProvider({ processors: [new BatchLogRecordProcessor({ exporter: json ? new JsonLogs() : new ProtobufLogs() })] });

const tracer = traces.getTracer("shop.checkout", "1.2.3");
const logger = logs.getLogger("shop.checkout");
const attributes = { "http.request.method": "POST", "url.path": "/orders", "url.query": "full=1", "http.response.status_code": 201 };
const span = tracer.startSpan("POST /orders", { kind: SpanKind.SERVER, attributes });
span.setAttribute("customer", "Zoë 🗝️");
span.setAttribute("amounts", [1.5, 2]);
const inSpan = trace.setSpan(context.active(), span);
const charge = tracer.startSpan("charge card", {}, inSpan);
charge.addEvent("declined", { attempt: 1 });
charge.setStatus({ code: SpanStatusCode.ERROR, message: "card declined" });
charge.end();
logger.emit({ severityNumber: SeverityNumber.WARN, severityText: "WARN", body: "Payment of order 7 declined", context: inSpan });
logger.emit({ severityNumber: SeverityNumber.INFO, body: "outside any span" });
span.end();

// Sends what is left.
await traces.shutdown();
await logs.shutdown();
if (complaints.length > 0) {
  console.error(complaints.join("\n"));
  process.exit(1);
}
console.log(span.spanContext().traceId);
