//! A meter of a project's key slots, so that the limit is seen before it is reached.

use leptos::prelude::*;

use super::icon::{Glyph, Icon};

/// Up to this many slots are drawn one by one.
const MAX_MARKS: u64 = 10;

/// Where a meter is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MeterPlace {
    /// In the head of a list: “3 of 10 keys”, then the marks.
    #[default]
    List,
    /// In a dialog's head: “2 of 10 keys left”, then smaller marks.
    Dialog,
    /// In a table: marks that share the room.
    Wide,
}

/// A project's slot meter with its text. Without a limit there is only the count to tell.
#[component]
pub fn SlotMeter(
    /// The project's active keys.
    used: u64,
    /// How many it may have.
    limit: Option<u32>,
    /// Where the element is shown.
    #[prop(optional)]
    place: MeterPlace,
) -> impl IntoView {
    let Some(limit) = limit.map(u64::from) else {
        return view! { <Words number=used rest="keys" place/> }.into_any();
    };
    let spoken = format!("{used} of {limit} keys");
    let words = match place {
        MeterPlace::Dialog => {
            let left = limit.saturating_sub(used);
            view! { <Words number=left rest=format!("of {limit} keys left") place/> }
        }
        MeterPlace::List | MeterPlace::Wide => {
            view! { <Words number=used rest=format!("of {limit} keys") place/> }
        }
    };
    view! {
        <div class="flex items-center gap-2.5">
            {words}
            <div
                role="meter"
                class="flex items-center"
                aria-label="Key slots used"
                aria-valuemin="0"
                aria-valuemax=limit.to_string()
                aria-valuenow=used.min(limit).to_string()
                aria-valuetext=spoken
            >
                {slots(used, limit, place)}
            </div>
        </div>
    }
    .into_any()
}

/// The slots without numbers, for places with a text of their own.
#[component]
pub fn Slots(
    /// The project's active keys.
    used: u64,
    /// How many it may have.
    limit: Option<u32>,
    /// Where the element is shown.
    place: MeterPlace,
) -> impl IntoView {
    match limit {
        Some(limit) => slots(used, limit.into(), place),
        None => view! { <span class="inline-flex text-ink-3"><Icon glyph=Glyph::Infinity/></span> }
            .into_any(),
    }
}

fn slots(used: u64, limit: u64, place: MeterPlace) -> AnyView {
    if limit <= MAX_MARKS {
        marks(used, limit, place).into_any()
    } else {
        bar(used, limit, place).into_any()
    }
}

#[component]
fn Words(number: u64, #[prop(into)] rest: String, place: MeterPlace) -> impl IntoView {
    match place {
        MeterPlace::List | MeterPlace::Wide => view! {
            <p class="num text-table whitespace-nowrap text-ink-2">
                <span class="font-medium text-ink">{number}</span>
                " "
                {rest}
            </p>
        }
        .into_any(),
        MeterPlace::Dialog => view! {
            <p class="num text-caption whitespace-nowrap text-ink-2">{number} " " {rest}</p>
        }
        .into_any(),
    }
}

fn marks(used: u64, limit: u64, place: MeterPlace) -> impl IntoView {
    let filled = tone(used, limit);
    let (row, size) = match place {
        MeterPlace::List => ("flex gap-0.5", "h-3 w-1.5"),
        MeterPlace::Dialog => ("flex gap-0.5", "h-2.5 w-1"),
        MeterPlace::Wide => ("flex w-64 max-w-full gap-0.5", "h-3 max-w-6 grow"),
    };
    let mark = move |slot: u64| {
        let look = if slot < used { filled.mark() } else { "border-line-strong" };
        view! { <span class=format!("rounded-[2px] border {size} {look}")></span> }
    };
    view! {
        <span class=row aria-hidden="true">
            {(0..limit).map(mark).collect_view()}
        </span>
    }
}

fn bar(used: u64, limit: u64, place: MeterPlace) -> impl IntoView {
    let width = if place == MeterPlace::Wide { "w-64 max-w-full" } else { "w-24" };
    let percent = (used.min(limit) * 100).checked_div(limit).unwrap_or(100);
    view! {
        <svg class=format!("h-1.5 rounded-full bg-subtle inset-ring inset-ring-line {width}") aria-hidden="true">
            <rect class=tone(used, limit).bar() width=format!("{percent}%") height="6" rx="3"></rect>
        </svg>
    }
}

/// Accent, then a warning from 80 %, then danger at the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MeterTone {
    Accent,
    Warn,
    Danger,
}

impl MeterTone {
    const fn mark(self) -> &'static str {
        match self {
            Self::Accent => "border-accent bg-accent",
            Self::Warn => "border-warn bg-warn",
            Self::Danger => "border-danger bg-danger",
        }
    }

    pub(super) const fn bar(self) -> &'static str {
        match self {
            Self::Accent => "fill-accent",
            Self::Warn => "fill-warn",
            Self::Danger => "fill-danger",
        }
    }
}

pub(super) const fn tone(used: u64, limit: u64) -> MeterTone {
    if used >= limit {
        MeterTone::Danger
    } else if used * 5 >= limit * 4 {
        MeterTone::Warn
    } else {
        MeterTone::Accent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_meter_warns_from_80_percent() {
        assert_eq!(tone(7, 10), MeterTone::Accent);
        assert_eq!(tone(8, 10), MeterTone::Warn);
        assert_eq!(tone(39, 50), MeterTone::Accent);
        assert_eq!(tone(40, 50), MeterTone::Warn);
        assert_eq!(tone(10, 10), MeterTone::Danger);
        assert_eq!(tone(3, 2), MeterTone::Danger);
    }
}
