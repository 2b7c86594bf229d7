//! A chart over time: stacked bars or areas, a cursor that pointer and arrow keys move, and a table
//! of the same numbers for screen readers.

mod data;
mod geometry;
mod marks;
mod numbers;

use leptos::ev::{KeyboardEvent, PointerEvent};
use leptos::html::Div;
use leptos::prelude::*;

pub use self::data::{Bucket, ChartData, Colour, Series, Shape};
use self::geometry::bucket_at;
use self::marks::Marks;
use self::numbers::{Numbers, Tip};
use super::bar_meter::short;

/// The chart on its card.
#[component]
pub fn Chart(
    /// Title of the chart.
    title: &'static str,
    /// The number above it.
    #[prop(into)]
    total: Signal<String>,
    /// What there is to say beside that number.
    #[prop(into)]
    aside: Signal<String>,
    /// Its series, from the bottom.
    series: &'static [Series],
    /// How it is drawn.
    shape: Shape,
    /// What it shows where there is nothing.
    empty: &'static str,
    /// What is beside the counts of a bucket, if anything is: “Cost”.
    #[prop(optional)]
    beside: &'static str,
    /// Series and time axis of the chart.
    data: Memo<ChartData>,
) -> impl IntoView {
    view! {
        <section class="grid min-w-0 grid-cols-[minmax(0,1fr)_auto] gap-x-4 rounded-lg border border-line bg-surface p-4 max-md:grid-cols-1" aria-label=title>
            <div class="min-w-0">
                <h2 class="text-table font-medium text-ink-2">{title}</h2>
                <p class="num flex flex-wrap items-baseline gap-x-2">
                    <span class="text-metric font-semibold">{total}</span>
                    <span class="text-table text-ink-2">{aside}</span>
                </p>
            </div>
            <ul class="flex flex-wrap justify-end gap-x-3.5 gap-y-1 self-start pt-0.5 max-md:order-3 max-md:mt-2 max-md:justify-start">
                {series
                    .iter()
                    .map(|series| {
                        view! {
                            <li class="flex items-center gap-1.5 text-caption text-ink-2">
                                <span class=format!("size-2 rounded-[2px] {}", series.colour.swatch()) aria-hidden="true"></span>
                                {series.label}
                            </li>
                        }
                    })
                    .collect_view()}
            </ul>
            <div class="col-span-2 mt-3 min-w-0 max-md:order-2 max-md:col-span-1">
                <Plot title series shape empty beside data/>
                <Numbers title series beside data/>
            </div>
        </section>
    }
}

/// The axes, the marks and the cursor. It stays when the numbers change, as focus may be in it.
#[component]
fn Plot(
    title: &'static str,
    series: &'static [Series],
    shape: Shape,
    empty: &'static str,
    beside: &'static str,
    data: Memo<ChartData>,
) -> impl IntoView {
    let cursor = RwSignal::new(None::<usize>);
    let spoken = RwSignal::new(false);
    let plot = NodeRef::<Div>::new();
    let axis = Memo::new(move |_| data.with(ChartData::axis));
    let count = Memo::new(move |_| data.with(|data| data.buckets.len()));
    let point = move |event: PointerEvent| {
        let Some(plot) = plot.get_untracked() else { return };
        let place = plot.get_bounding_client_rect();
        let x = f64::from(event.client_x()) - place.left();
        // On touch screens there is no tooltip, so announce the numbers.
        spoken.set(event.pointer_type() == "touch");
        cursor.set(bucket_at(x, place.width(), count.get_untracked()));
    };
    // A bucket chosen by touch stays chosen.
    let leave = move |event: PointerEvent| {
        if event.pointer_type() != "touch" {
            cursor.set(None);
        }
    };
    let on_key = move |event: KeyboardEvent| {
        let Some(last) = count.get_untracked().checked_sub(1) else { return };
        let now = cursor.get_untracked();
        let to = match event.key().as_str() {
            "ArrowRight" => Some(now.map_or(0, |now| (now + 1).min(last))),
            "ArrowLeft" => Some(now.map_or(last, |now| now.saturating_sub(1))),
            "Home" => Some(0),
            "End" => Some(last),
            "Escape" if now.is_some() => None,
            _ => return,
        };
        event.prevent_default();
        spoken.set(true);
        cursor.set(to);
    };
    // Another range may have fewer buckets.
    let at = Memo::new(move |_| cursor.get().filter(|at| *at < count.get()));
    let labels = move || {
        axis.get()
            .lines()
            .map(|line| view! { <span class="h-0 leading-[0]">{short(line)}</span> })
            .collect_view()
    };
    let ticks = move || {
        data.with(|data| {
            data.ticks.iter().map(|tick| view! { <span>{tick.clone()}</span> }).collect_view()
        })
    };
    view! {
        <div class="grid grid-cols-[2.25rem_minmax(0,1fr)] gap-x-2">
            <div class="num flex h-43 flex-col justify-between text-right text-micro text-ink-3 max-md:h-33" aria-hidden="true">
                {labels}
            </div>
            <div
                class="relative h-43 touch-pan-y rounded-xs max-md:h-33"
                role="group"
                tabindex="0"
                aria-label=format!("{title} over time. Arrow keys read one bucket after the other.")
                node_ref=plot
                on:pointermove=point
                on:pointerdown=point
                on:pointerleave=leave
                on:blur=move |_| cursor.set(None)
                on:keydown=on_key
            >
                <Marks series shape data axis at/>
                {move || {
                    data.with(ChartData::is_empty)
                        .then(|| {
                            view! {
                                <p class="absolute inset-x-0 top-1/2 -translate-y-1/2 text-center text-table text-ink-2">{empty}</p>
                            }
                        })
                }}
                {move || {
                    let at = at.get()?;
                    let bucket = data.with(|data| data.buckets.get(at).cloned())?;
                    let late = at * 2 >= count.get_untracked();
                    Some(view! { <Tip series bucket beside late/> })
                }}
            </div>
            <div class="num col-start-2 mt-1.5 flex justify-between text-micro text-ink-3" aria-hidden="true">
                {ticks}
            </div>
            <p class="num col-span-2 mt-1.5 text-caption text-ink-2 md:sr-only" role="status">
                {move || {
                    let at = at.get().filter(|_| spoken.get())?;
                    data.with(|data| data.buckets.get(at).map(|bucket| in_words(series, bucket, beside)))
                }}
            </p>
        </div>
    }
}

/// “06:00 to 06:30: 12 allowed, 7 rate limited”.
fn in_words(series: &[Series], bucket: &Bucket, beside: &str) -> String {
    let part = |(series, count): (&Series, &u64)| {
        format!("{} {}", super::thousands(*count), series.label.to_lowercase())
    };
    let more =
        (!bucket.beside.is_empty()).then(|| format!("{} {}", beside.to_lowercase(), bucket.beside));
    let counts = series.iter().zip(&bucket.counts).map(part);
    let parts: Vec<String> = counts.chain(more).collect();
    format!("{}: {}", bucket.label, parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_read_out_with_every_number() {
        let series = [
            Series { label: "Allowed", colour: Colour::One },
            Series { label: "Rate limited", colour: Colour::Three },
        ];
        let bucket = Bucket {
            label: "06:00 to 06:30".to_owned(),
            counts: vec![1_204, 7],
            beside: String::new(),
        };
        let words = "06:00 to 06:30: 1,204 allowed, 7 rate limited";
        assert_eq!(in_words(&series, &bucket, ""), words);
        let bucket = Bucket { beside: "$1.20".to_owned(), ..bucket };
        assert_eq!(in_words(&series, &bucket, "Cost"), format!("{words}, cost $1.20"));
    }
}
