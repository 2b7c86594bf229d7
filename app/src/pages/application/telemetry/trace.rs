//! One trace as a tree of spans, with a timeline.

use latchkey_domain::api::{IngestedTrace, SpanStatus, TraceEntry, TraceFilter};
use latchkey_domain::id::ApplicationId;
use latchkey_domain::query::QueryText;
use latchkey_domain::time::PreciseTimestamp;
use leptos::attr::custom::custom_attribute;
use leptos::prelude::*;

use super::details::Details;
use super::details_view::DetailsView;
use super::filter::{List, TelemetryFilter};
use super::kind::{KindIcon, Title, duration, kind_label, outcome, span_kind, span_status};
use super::opening::OpenButton;
use super::trace_row::TitleView;
use super::tree::{Node, Place, arrange};
use crate::api::{ApiError, list_traces};
use crate::components::error_state::ErrorState;
use crate::data::url_filter::UrlFilter;
use latchkey_ui::button::{Button, Size, Variant, button_class};
use latchkey_ui::empty_state::EmptyState;
use latchkey_ui::icon::Glyph;
use latchkey_ui::skeleton::{SkeletonRows, skeleton_shown};
use latchkey_ui::table::Card;

/// The most pages of a trace that are read; a page is 50 spans, or less if they are large.
const MOST_PAGES: usize = 20;

/// Indentation of a level: 16 pixels, 8 on phones. Deeper spans are not indented further and show
/// their depth.
const INDENTS: [&str; 8] = [
    "pl-4",
    "pl-8 max-md:pl-6",
    "pl-12 max-md:pl-8",
    "pl-16 max-md:pl-10",
    "pl-20 max-md:pl-12",
    "pl-24 max-md:pl-14",
    "pl-28 max-md:pl-16",
    "pl-32 max-md:pl-18",
];

/// The spans of a trace, those that began first before the others.
#[derive(Debug, Clone)]
struct Spans {
    spans: Vec<IngestedTrace>,
    /// Whether there are more than those.
    is_cut: bool,
}

async fn read(application: ApplicationId, id: QueryText) -> Result<Spans, ApiError> {
    let filter = TraceFilter { trace_id: Some(id), ..TraceFilter::default() };
    let (mut spans, mut cursor) = (Vec::new(), None);
    for _ in 0..MOST_PAGES {
        let page = list_traces(application, Some(filter.clone()), cursor).await?;
        spans.extend(page.data);
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    spans.reverse();
    Ok(Spans { spans, is_cut: cursor.is_some() })
}

/// Panel with one trace as a tree.
#[component]
pub fn Trace(
    /// Application that sent the trace.
    application: ApplicationId,
    /// ID of the row.
    id: QueryText,
) -> impl IntoView {
    let found = RwSignal::new(None::<Result<Spans, ApiError>>);
    let wanted = id.clone();
    let load = Callback::new(move |()| {
        found.set(None);
        let id = wanted.clone();
        leptos::task::spawn_local(async move {
            let read = read(application, id).await;
            _ = found.try_set(Some(read));
        });
    });
    Effect::new(move || load.run(()));
    let skeleton = skeleton_shown(Signal::derive(move || found.with(Option::is_none)));
    let content = move || match found.get().filter(|_| !skeleton.get()) {
        None => view! { <Card><div aria-busy="true"><SkeletonRows/></div></Card> }.into_any(),
        Some(Err(error)) => view! {
            <Card><ErrorState title="Couldn’t load the trace" error on_retry=load/></Card>
        }
        .into_any(),
        Some(Ok(Spans { spans, .. })) if spans.is_empty() => view! {
            <Card>
                <EmptyState
                    glyph=Glyph::Search
                    title="No spans of this trace"
                    text="This application has sent none, or they have been deleted."
                />
            </Card>
        }
        .into_any(),
        Some(Ok(spans)) => view! { <Tree spans/> }.into_any(),
    };
    view! {
        <Head id on_load=load/>
        {content}
    }
}

#[component]
fn Head(id: QueryText, on_load: Callback<()>) -> impl IntoView {
    let logs = TelemetryFilter {
        list: List::Logs,
        trace_id: id.to_string(),
        ..TelemetryFilter::default()
    };
    let link = || button_class(Variant::Secondary, Size::Default);
    view! {
        <div class="mb-3 flex flex-wrap items-center gap-2">
            <h3 class="min-w-0 grow text-table font-semibold">
                "Trace "
                <code class="font-mono text-code font-normal [overflow-wrap:anywhere] text-ink-2">{id.to_string()}</code>
            </h3>
            <a href=TelemetryFilter::default().to_query() class=link()>"All traces"</a>
            <a href=logs.to_query() class=link()>"Logs of this trace"</a>
            <Button glyph=Glyph::RefreshCw on_press=on_load>"Reload"</Button>
        </div>
    }
}

#[component]
fn Tree(spans: Spans) -> impl IntoView {
    let Spans { spans, is_cut } = spans;
    let window = Window::of(&spans);
    let places: Vec<_> = spans.iter().map(|span| place(&span.entry)).collect();
    let nodes = arrange(&places);
    let summary = summary(&spans, window);
    let cut = is_cut.then(|| {
        let words = format!(
            "This trace has more spans. The newest {} are shown, and the ones above them may be missing.",
            spans.len()
        );
        view! { <p class="mb-2 text-caption text-warn-ink">{words}</p> }
    });
    let row = |node: Node| span_row(spans[node.index].clone(), node, window);
    let rows = nodes.into_iter().map(row).collect_view();
    view! {
        <p class="num mb-2 text-caption text-ink-2" role="status">{summary}</p>
        {cut}
        <ol role="list" aria-label="Spans" class="overflow-hidden rounded-lg border border-line bg-surface text-table">
            {rows}
        </ol>
    }
}

fn place(entry: &TraceEntry) -> Place<'_> {
    let parent = entry.parent_span_id.as_deref().filter(|parent| !parent.is_empty());
    Place { id: &entry.span_id, parent }
}

/// “7 spans, 1 error, 128 ms”.
fn summary(spans: &[IngestedTrace], window: Window) -> String {
    let errors = spans.iter().filter(|it| span_status(&it.entry) == SpanStatus::Error).count();
    let count = |count: usize, what: &str| match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    };
    let mut parts = vec![count(spans.len(), "span")];
    if errors > 0 {
        parts.push(count(errors, "error"));
    }
    parts.push(duration(window.length));
    parts.join(", ")
}

fn span_row(span: IngestedTrace, node: Node, window: Window) -> impl IntoView {
    let Node { level, is_orphan, .. } = node;
    let open = RwSignal::new(false);
    let id = format!("{}-details", span.id);
    let entry = &span.entry;
    let title = Title::of(entry);
    let label = format!("Details of {}", title.spoken());
    let kind = span_kind(entry);
    let took = duration(entry.duration_ms);
    let (from, width) = window.part(entry);
    let bar = if span_status(entry) == SpanStatus::Error { "fill-danger" } else { "fill-accent" };
    let outcome = outcome(entry);
    let indent = INDENTS[level.clamp(1, INDENTS.len()) - 1];
    let depth = (level > INDENTS.len()).then(|| format!("level {level}"));
    let span = StoredValue::new(span);
    view! {
        <li {..custom_attribute("aria-level", level.to_string())} class="border-t border-line first:border-t-0">
            <div class=format!("relative flex min-h-11 flex-wrap items-center gap-x-2 gap-y-1 py-1.5 pr-3 hover:bg-hover {indent}")>
                <span class="inline-flex" title=kind_label(kind)>
                    <KindIcon kind/>
                    <span class="sr-only">{kind_label(kind)}</span>
                </span>
                <span class="min-w-0 grow basis-0">
                    <TitleView title/>
                    {is_orphan.then(|| view! { <span class="block text-caption text-ink-3">"Its parent span is missing."</span> })}
                </span>
                <span class="flex shrink-0 items-center gap-2 max-md:order-1 max-md:basis-full">
                    {depth.map(|depth| view! { <span class="text-caption text-ink-3">{depth}</span> })}
                    {outcome}
                    <svg class="block h-2 w-40 rounded-xs bg-subtle max-lg:hidden" aria-hidden="true">
                        <rect class=bar x=format!("{from}%") width=format!("{width}%") height="100%" rx="2"></rect>
                    </svg>
                    <span class="num w-20 text-right text-ink-2 max-md:w-auto">{took}</span>
                </span>
                <OpenButton id=id.clone() label open/>
            </div>
            <Show when=move || open.get()>
                <div id=id.clone()>
                    <DetailsView details=span.with_value(|span| Details::of_trace(&span.entry))/>
                </div>
            </Show>
        </li>
    }
}

/// The time from the beginning of the first span to the end of the last, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Window {
    begins: PreciseTimestamp,
    length: f64,
}

impl Window {
    fn of(spans: &[IngestedTrace]) -> Self {
        let begins = spans
            .first()
            .map_or_else(|| PreciseTimestamp::from_nanos(0), |first| first.entry.timestamp);
        let ends = spans.iter().map(|it| since(begins, &it.entry) + it.entry.duration_ms);
        Self { begins, length: ends.fold(0.0, f64::max) }
    }

    /// Where a span begins and how long it is, in hundredths of the whole.
    fn part(self, entry: &TraceEntry) -> (f64, f64) {
        /// A span of no time is seen too.
        const LEAST: f64 = 1.0;
        if self.length <= 0.0 {
            return (0.0, LEAST);
        }
        let share = |ms: f64| (ms * 100.0 / self.length).clamp(0.0, 100.0);
        let from = share(since(self.begins, entry)).min(100.0 - LEAST);
        (from, share(entry.duration_ms).clamp(LEAST, 100.0 - from))
    }
}

/// Milliseconds from `begin` to where an item begins.
#[expect(clippy::cast_precision_loss, reason = "exact up to 285,000 years")]
fn since(begin: PreciseTimestamp, entry: &TraceEntry) -> f64 {
    let time = entry.timestamp;
    let whole = time.millisecond().as_millis().saturating_sub(begin.millisecond().as_millis());
    whole as f64 + (f64::from(time.nanos()) - f64::from(begin.nanos())) / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(begins: f64, ms: f64, status: &str) -> IngestedTrace {
        let json = serde_json::json!({
            "id": "trc_01h455vb4pex5vsknk084sn02q", "keyId": "key_01h455vb4pex5vsknk084sn02q",
            "environment": "live", "receivedAt": "2026-11-21T12:00:00Z", "timestamp": begins,
            "requestMethod": "INTERNAL", "requestURL": "a", "responseStatus": 0, "traceId": "t",
            "spanId": "s", "parentSpanId": "", "durationMs": ms, "meta": {"status": {"code": status}},
        });
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn bars_stand_where_spans_ran() {
        let spans =
            [span(1_000.5, 100.0, "ok"), span(1_050.5, 150.0, "ok"), span(1_200.5, 0.0, "ok")];
        let window = Window::of(&spans);
        let parts: Vec<_> = spans.iter().map(|span| window.part(&span.entry)).collect();
        assert_eq!(parts, [(0.0, 50.0), (25.0, 75.0), (99.0, 1.0)]);
        let moment = [span(5.0, 0.0, "ok")];
        assert_eq!(Window::of(&moment).part(&moment[0].entry), (0.0, 1.0));
        // What no clock says: it ends long before its trace begins.
        let odd = window.part(&span(-1e12, -5.0, "ok").entry);
        assert_eq!(odd, (0.0, 1.0));
    }

    #[test]
    fn a_trace_is_summed_up() {
        let spans = [span(0.0, 120.0, "error"), span(8.0, 120.0, "ok")];
        assert_eq!(summary(&spans, Window::of(&spans)), "2 spans, 1 error, 128 ms");
        assert_eq!(summary(&spans[1..], Window::of(&spans[1..])), "1 span, 120 ms");
    }

    #[test]
    fn an_empty_parent_is_none() {
        assert_eq!(place(&span(0.0, 0.0, "ok").entry).parent, None);
    }
}
