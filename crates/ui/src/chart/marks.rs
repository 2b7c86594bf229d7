//! Draws the grid, the cursor, and bars or areas.

use leptos::prelude::*;

use super::data::{ChartData, Series, Shape};
use super::geometry::{Area, Axis, BUCKET, BarBlock, HEIGHT, areas, bar};

/// The drawing. Everything in it stretches with the room there is; lines keep their width.
#[component]
pub(super) fn Marks(
    series: &'static [Series],
    shape: Shape,
    data: Memo<ChartData>,
    axis: Memo<Axis>,
    at: Memo<Option<usize>>,
) -> impl IntoView {
    let width = Memo::new(move |_| data.with(|data| data.buckets.len() as u64 * BUCKET));
    let marks = move || match shape {
        Shape::Bars => data.with(|data| bars(series, data, axis.get())).into_any(),
        Shape::Areas => data.with(|data| layers(series, data, axis.get())).into_any(),
    };
    view! {
        <svg
            class="block h-full w-full overflow-visible"
            viewBox=move || format!("0 0 {} {HEIGHT}", width.get().max(1))
            preserveAspectRatio="none"
            aria-hidden="true"
        >
            {move || grid(axis.get(), width.get())}
            {move || {
                at.get()
                    .map(|at| {
                        let x = (at as u64 * BUCKET).to_string();
                        view! {
                            <rect class="fill-pressed" x=x y="0" width=BUCKET.to_string() height=HEIGHT.to_string()></rect>
                        }
                    })
            }}
            {marks}
        </svg>
    }
}

fn grid(axis: Axis, width: u64) -> impl IntoView {
    let line = move |count: u64| {
        let y = axis.y(count).to_string();
        view! {
            <line
                class="stroke-grid"
                x1="0"
                x2=width.to_string()
                y1=y.clone()
                y2=y
                stroke-width="1"
                vector-effect="non-scaling-stroke"
            ></line>
        }
    };
    axis.lines().map(line).collect_view()
}

fn bars(series: &'static [Series], data: &ChartData, axis: Axis) -> impl IntoView + use<> {
    let block = |block: BarBlock| {
        view! {
            <rect
                class=series[block.series].colour.fill()
                x=block.x.to_string()
                y=block.y.to_string()
                width=block.width.to_string()
                height=block.height.to_string()
            ></rect>
        }
    };
    let stacks = (0..).zip(&data.buckets).map(|(index, bucket)| bar(axis, index, &bucket.counts));
    stacks.flatten().map(block).collect_view()
}

fn layers(series: &'static [Series], data: &ChartData, axis: Axis) -> impl IntoView + use<> {
    let counts: Vec<Vec<u64>> = data.buckets.iter().map(|bucket| bucket.counts.clone()).collect();
    let layer = |(series, Area { line, outline }): (&Series, Area)| {
        view! {
            <path class=series.colour.fill() fill-opacity="0.5" d=outline></path>
            <path
                class=series.colour.stroke()
                fill="none"
                stroke-width="1.5"
                stroke-linejoin="round"
                vector-effect="non-scaling-stroke"
                d=line
            ></path>
        }
    };
    series.iter().zip(areas(axis, series.len(), &counts)).map(layer).collect_view()
}
