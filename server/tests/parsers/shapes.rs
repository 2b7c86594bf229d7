//! Inputs that grow: a part that is repeated, between a beginning and an end.

/// One of them. `#` stands for the number of the part, which makes names differ.
pub(crate) struct Shape {
    /// The parsers that it is for, by how their names begin.
    parsers: &'static str,
    before: &'static str,
    pub(crate) part: &'static str,
    after: &'static str,
    /// For what has lengths before its parts.
    made: Option<fn(usize) -> Vec<u8>>,
}

impl Shape {
    pub(crate) fn fits(&self, parser: &str) -> bool {
        self.parsers.split(' ').any(|start| parser.starts_with(start))
    }

    /// The input with the part so many times.
    pub(crate) fn times(&self, times: usize) -> Vec<u8> {
        if let Some(made) = self.made {
            return made(times);
        }
        let parts = (0..times).map(|number| self.part.replace('#', &number.to_string()));
        [self.before.to_owned(), parts.collect(), self.after.to_owned()].concat().into_bytes()
    }
}

const fn shape(
    parsers: &'static str,
    before: &'static str,
    part: &'static str,
    after: &'static str,
) -> Shape {
    Shape { parsers, before, part, after, made: None }
}

/// JSON that is made, as what is opened has to be closed.
const fn json(part: &'static str, made: fn(usize) -> Vec<u8>) -> Shape {
    Shape { parsers: "otlp-json", before: "", part, after: "", made: Some(made) }
}

const fn protobuf(part: &'static str, made: fn(usize) -> Vec<u8>) -> Shape {
    Shape { parsers: "otlp-protobuf", before: "", part, after: "", made: Some(made) }
}

/// A field of protobuf that has a length.
fn field(number: u8, value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    let mut length = value.len();
    while length > 0x7f {
        bytes.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
        length >>= 7;
    }
    bytes.push(u8::try_from(length).unwrap());
    bytes.extend_from_slice(value);
    bytes
}

/// A body of one resource and one scope with that name and those items.
fn export(name: &[u8], items: &[u8]) -> Vec<u8> {
    let scope = [field(1, &field(1, name)), items.to_vec()].concat();
    field(1, &field(2, &scope))
}

const HEADERS: &str = "x-forwarded-for forwarded cookies authorization short cursors mask queries";
const BODIES: &str = "ingest verify gateway";

pub(crate) const SHAPES: &[Shape] = &[
    shape(HEADERS, "", "a", ""),
    shape(HEADERS, "", ",", ""),
    shape(HEADERS, "", "10.0.0.1, ", "10.0.0.1"),
    shape(HEADERS, "", "\n10.0.0.1", ""),
    shape(HEADERS, "", "\"", ""),
    shape(HEADERS, "", "\\\"", ""),
    shape(HEADERS, "for=\"", "\\\\", "\""),
    shape(HEADERS, "", "for=10.0.0.#;by=x, ", "for=1.1.1.1"),
    shape(HEADERS, "for=1.1.1.1", ";a#=\"b, c\"", ""),
    shape(HEADERS, "", "a#=b; ", "c=d"),
    shape(HEADERS, "", "a=b; ", ""),
    shape(HEADERS, "", "%61", ""),
    shape(HEADERS, "", "a#=%25&", "q=b"),
    shape(HEADERS, "q=", "%25", ""),
    shape(HEADERS, "", "eyJ", ""),
    shape(HEADERS, "", "eyJaaaaaaaa.", ""),
    shape(HEADERS, "", "eyJa.aaaaaaaa.", ""),
    shape(HEADERS, "", "_live_", ""),
    shape(HEADERS, "", "lk_live_000000000000000000000000000000004cjNQE ", ""),
    shape(HEADERS, "lk_test_", "0", ""),
    shape(HEADERS, "1795000000000.", "0", ""),
    shape(BODIES, "", "[", ""),
    shape(BODIES, "", "{\"a\":", ""),
    shape(BODIES, "{", "\"f#\":1,", "\"model\":\"m\"}"),
    shape(BODIES, "{", "\"model\":\"m\",", "\"messages\":[]}"),
    shape(BODIES, "{\"model\":\"", "a", "\",\"prompt\":\"x\"}"),
    shape(BODIES, "{\"model\":\"", "\\u00e9", "\",\"prompt\":\"x\"}"),
    shape(BODIES, "{\"key\":\"", "a", "\"}"),
    shape(
        "gateway",
        "{\"model\":\"m\",\"messages\":[",
        "{\"role\":\"user\",\"content\":\"a\"},",
        "{}]}",
    ),
    shape(
        "gateway",
        "{\"model\":\"m\",\"messages\":[{\"content\":[",
        "{\"type\":\"text\",\"text\":\"a\"},",
        "{}]}]}",
    ),
    shape("gateway", "{\"model\":\"m\",\"messages\":[{", "\"f#\":\"a\",", "\"role\":\"user\"}]}"),
    shape(
        "gateway-forms",
        "",
        "--b\r\nContent-Disposition: form-data; name=a#\r\n\r\n\r\n",
        "--b--",
    ),
    shape("gateway-forms", "--b\r\n", "A: b\r\n", "\r\n\r\n--b--"),
    shape("gateway-forms", "--b\r\nA: b\r\n\r\n", "\r\n-", "\r\n--b--"),
    shape("gateway", "{\"model\":\"m\",\"input\":[", "\"a\",", "\"b\"]}"),
    shape("gateway", "{\"model\":\"m\",\"prompt\":[", "1,", "2]}"),
    shape(
        "gateway",
        "{\"model\":\"m\",\"prompt\":\"a\",\"stream_options\":{",
        "\"f#\":1,",
        "\"a\":1}}",
    ),
    shape(
        "gateway",
        "{\"model\":\"m\",\"prompt\":\"a\",\"tools\":[",
        "{\"type\":\"function\"},",
        "{}]}",
    ),
    shape(
        "ingest-traces",
        "{\"traces\":[",
        "{\"timestamp\":\"2026-11-21T07:45:53Z\",\"requestMethod\":\"GET\",\"requestURL\":\"/\",\"responseStatus\":200,\"traceId\":\"a\",\"spanId\":\"b\",\"parentSpanId\":null,\"durationMs\":1},",
        "{}]}",
    ),
    shape("ingest-traces", "{\"traces\":[{\"meta\":{", "\"f#\":[],", "\"a\":1}}]}"),
    shape("ingest-traces", "{\"traces\":[{\"meta\":[", "{},", "1]}]}"),
    shape(
        "ingest-logs",
        "{\"logs\":[",
        "{\"level\":\"info\",\"type\":\"a\",\"message\":\"b\",\"timestamp\":\"2026-11-21T07:45:53Z\"},",
        "{}]}",
    ),
    shape("ingest-logs", "{\"logs\":[{", "\"f#\":1,", "\"level\":\"info\"}]}"),
    shape("upstream", "", "data: {\"choices\":[{}]}\n\n", ""),
    shape("upstream", "", "data: {\"choices\":[{}]}\n", "\n"),
    shape("upstream", "", "\n", ""),
    shape("upstream", "data: ", "a", ""),
    shape("upstream", "{", "\"f#\":1,", "\"usage\":{}}"),
    shape("upstream", "{", "\"usage\":{\"prompt_tokens\":1},", "\"usage\":{}}"),
    shape("upstream", "{\"usage\":{", "\"f#\":1,", "\"a\":1}}"),
    shape("upstream", "{\"error\":{\"message\":\"", "http://a.b ", "\"}}"),
    shape("upstream", "{\"error\":{\"message\":\"", "a", "\"}}"),
    shape("otlp-json", "", "{\"resourceLogs\":[", ""),
    shape("otlp-json", "{\"resourceSpans\":[", "{},", "{}]}"),
    shape("otlp-json", "{\"resourceLogs\":[{\"scopeLogs\":[", "{\"logRecords\":[]},", "{}]}]}"),
    shape("otlp-json", "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[", "{},", "{}]}]}]}"),
    shape("otlp-json", "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[", "{},", "{}]}]}]}"),
    shape(
        "otlp-json",
        "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"attributes\":[",
        "{\"key\":\"f#\",\"value\":{\"intValue\":1}},",
        "{\"key\":\"a\"}]}]}]}]}",
    ),
    shape(
        "otlp-json",
        "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":{\"stringValue\":\"",
        "a",
        "\"}}]}]}]}",
    ),
    shape(
        "otlp-json",
        "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"sum\":{\"dataPoints\":[",
        "{},",
        "{}]}}]}]}]}",
    ),
    shape(
        "otlp-json",
        "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"kind\":[",
        "0,",
        "0]}]}]}]}",
    ),
    shape(
        "otlp-json",
        "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"value\":{\"intValue\":[",
        "0,",
        "0]}}]}]}]}]}",
    ),
    json("values within values", |times| {
        let value = ["{\"arrayValue\":{\"values\":[".repeat(times), "]}}".repeat(times)].concat();
        let record = format!("{{\"timeUnixNano\":1,\"body\":{value}}}");
        let body =
            format!("{{\"resourceLogs\":[{{\"scopeLogs\":[{{\"logRecords\":[{record}]}}]}}]}}");
        body.into_bytes()
    }),
    shape("ingest-logs", "{\"logs\":[{\"message\":[", "0,", "1]}]}"),
    shape("ingest-logs", "{\"logs\":[", "0,", "1]}"),
    protobuf("resources", |times| field(1, &[]).repeat(times)),
    protobuf("records under a long name", |times| {
        export(&b"a".repeat(8 * times), &field(2, &[]).repeat(times.min(4_000)))
    }),
    protobuf("attributes", |times| {
        let attributes =
            (0..times).map(|number| field(6, &field(1, number.to_string().as_bytes())));
        export(b"a", &field(2, &attributes.collect::<Vec<_>>().concat()))
    }),
    protobuf("groups", |times| (0..times.min(200)).fold(Vec::new(), |inner, _| field(1, &inner))),
];
