//! `POST /v1/metrics`. Several distributions of OpenTelemetry send metrics unasked, and complain of
//! each call that is not answered with 200, in log lines that are exported too.

use std::fmt;

use axum::extract::State;
use axum::response::Response;
use latchkey_domain::problem::{ErrorCode, Problem};
use latchkey_services::Services;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::batch::{Rejected, Signal};
use super::body::{Encoding, OtlpBody};
use super::describe::{OtlpHeaders, OtlpMessage, OtlpRefusals, OtlpResponse};
use super::protobuf;
use crate::http::problem::Refusal;
use crate::ingest::ExporterSource;

const DATA_POINTS: Signal = Signal {
    resources: "resourceMetrics",
    scopes: "scopeMetrics",
    items: "dataPoints",
    rejected: "rejectedDataPoints",
};
const NOT_STORED: &str = "Metrics are not stored. Disable their export, e.g. with \
                          OTEL_METRICS_EXPORTER=none. This message is sent only once.";

/// Send metrics with OpenTelemetry
///
/// Metrics are not stored. Every data point is counted as rejected in `partial_success`; its
/// message explains this once per key. The response has the encoding of the request.
#[utoipa::path(
    post,
    path = "/v1/metrics",
    operation_id = "otlp_metrics",
    tag = "Ingest",
    params(OtlpHeaders),
    request_body(content((OtlpMessage = "application/x-protobuf"), (Object = "application/json"))),
    responses(
        (status = 200, description = "Nothing is stored; see `partial_success`", content((OtlpResponse = "application/json"), (OtlpMessage = "application/x-protobuf"))),
        OtlpRefusals,
    ),
    security(("key" = []), ("bearer_key" = [])),
)]
pub(crate) async fn otlp_metrics(
    State(services): State<Services>,
    ExporterSource(source): ExporterSource,
    body: OtlpBody,
) -> Result<Response, Refusal> {
    let encoding = body.encoding;
    let permit = source.permit(&services, body.len()).await?;
    let count = permit.run(move || count(body)).await?;
    source.count_rejected(&services, count);
    let reason = (count > 0 && source.is_first(&services)).then_some(NOT_STORED);
    Ok(Rejected::all(&DATA_POINTS, count, reason).answer(encoding, 0))
}

/// How many data points a body has.
///
/// # Errors
/// It can't be read.
pub(super) fn count(body: OtlpBody) -> Result<usize, Problem> {
    let encoding = body.encoding;
    let body = body.unpack()?;
    let count = match encoding {
        // Resource, scope, metric, its data by five kinds, data point.
        Encoding::Protobuf => protobuf::count(body, &[&[1], &[2], &[2], &[5, 7, 9, 10, 11], &[1]]),
        Encoding::Json => serde_json::from_slice::<Points>(&body).ok().map(|Points(count)| count),
    };
    count.ok_or_else(|| {
        Problem::new(
            ErrorCode::Malformed,
            "The body is not valid OTLP in the format of its \
                                            Content-Type.",
        )
    })
}

/// Number of data points below a position in a JSON body.
struct Points(usize);

impl<'de> Deserialize<'de> for Points {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(PointsVisitor)
    }
}

struct PointsVisitor;

impl<'de> Visitor<'de> for PointsVisitor {
    type Value = Points;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list")
    }

    fn visit_unit<E>(self) -> Result<Points, E> {
        Ok(Points(0))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Points, A::Error> {
        let mut count = 0;
        while let Some(Points(points)) = list.next_element()? {
            count += points;
        }
        Ok(Points(count))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Points, A::Error> {
        let mut count = 0;
        while let Some(name) = map.next_key::<String>()? {
            count += match name.as_str() {
                "dataPoints" => {
                    map.next_value::<Option<Vec<IgnoredAny>>>()?.map_or(0, |all| all.len())
                }
                "resourceMetrics"
                | "scopeMetrics"
                | "metrics"
                | "gauge"
                | "sum"
                | "histogram"
                | "exponentialHistogram"
                | "summary" => map.next_value::<Points>()?.0,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    0
                }
            };
        }
        Ok(Points(count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_points_are_counted_wherever_metrics_have_them() {
        let count = |body: &str| count(OtlpBody::of(Encoding::Json, body.to_owned())).ok();
        let of = |metrics: &str| {
            count(&format!(
                r#"{{"resourceMetrics":[{{"resource":{{}},"scopeMetrics":[{{"metrics":[{metrics}]}}]}}]}}"#
            ))
        };
        assert_eq!(of(r#"{"name":"a","sum":{"dataPoints":[{},{}]}}"#), Some(2));
        assert_eq!(of(r#"{"gauge":{"dataPoints":[{"dataPoints":[1]}]}},{"summary":{}}"#), Some(1));
        assert_eq!(of(r#"{"histogram":{"dataPoints":null}}"#), Some(0));
        assert_eq!(count("{}"), Some(0));
        for body in ["", "{", "[1]", "7", r#"{"resourceMetrics":7}"#] {
            assert_eq!(count(body), None, "{body}");
        }
        // One gauge with two points, then one that is broken.
        let field = |number: u8, content: &[u8]| {
            [&[number << 3 | 2, u8::try_from(content.len()).unwrap()], content].concat()
        };
        let gauge = field(5, &field(1, b"").repeat(2));
        let body = field(1, &field(2, &field(2, &gauge)));
        let protobuf = |body: Vec<u8>| super::count(OtlpBody::of(Encoding::Protobuf, body)).ok();
        assert_eq!(protobuf(body.clone()), Some(2));
        assert_eq!(protobuf(body[..body.len() - 1].to_vec()), None);
        assert_eq!(protobuf(Vec::new()), Some(0));
    }
}
