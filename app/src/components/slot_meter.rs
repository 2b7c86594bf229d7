//! How many of a project's key slots are taken: the limit is seen before it is hit.

use leptos::prelude::*;

/// Up to this many slots are drawn one by one.
const MOST_MARKS: u64 = 10;

/// Where a meter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MeterPlace {
    /// In the head of a list: “3 of 10 keys”, then the marks.
    #[default]
    List,
    /// In a dialog's head: “2 of 10 keys left”, then smaller marks.
    Dialog,
}

/// A project's slot meter with its text. Without a limit there is only the count to tell.
#[component]
pub fn SlotMeter(
    /// The project's active keys.
    used: u64,
    /// How many it may have.
    limit: Option<u32>,
    /// Where it stands.
    #[prop(optional)]
    place: MeterPlace,
) -> impl IntoView {
    let Some(limit) = limit.map(u64::from) else {
        return view! { <Words number=used rest="keys" place/> }.into_any();
    };
    let spoken = format!("{used} of {limit} keys");
    let words = match place {
        MeterPlace::List => view! { <Words number=used rest=format!("of {limit} keys") place/> },
        MeterPlace::Dialog => {
            let left = limit.saturating_sub(used);
            view! { <Words number=left rest=format!("of {limit} keys left") place/> }
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
                {if limit <= MOST_MARKS {
                    marks(used, limit, place).into_any()
                } else {
                    bar(used, limit).into_any()
                }}
            </div>
        </div>
    }
    .into_any()
}

#[component]
fn Words(number: u64, #[prop(into)] rest: String, place: MeterPlace) -> impl IntoView {
    match place {
        MeterPlace::List => view! {
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
    let (size, filled) = match place {
        MeterPlace::List => ("h-3 w-1.5", tone(used, limit)),
        MeterPlace::Dialog => ("h-2.5 w-1", tone(used, limit)),
    };
    let mark = move |slot: u64| {
        let look = if slot < used { filled.mark() } else { "border-line-strong" };
        view! { <span class=format!("rounded-[2px] border {size} {look}")></span> }
    };
    view! {
        <span class="flex gap-0.5" aria-hidden="true">
            {(0..limit).map(mark).collect_view()}
        </span>
    }
}

fn bar(used: u64, limit: u64) -> impl IntoView {
    let percent = (used.min(limit) * 100).checked_div(limit).unwrap_or(100);
    view! {
        <svg class="h-1.5 w-24 rounded-full bg-subtle inset-ring inset-ring-line" aria-hidden="true">
            <rect class=tone(used, limit).bar() width=format!("{percent}%") height="6" rx="3"></rect>
        </svg>
    }
}

/// Accent, then a warning from 80 %, then danger at the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tone {
    Accent,
    Warn,
    Danger,
}

impl Tone {
    const fn mark(self) -> &'static str {
        match self {
            Self::Accent => "border-accent bg-accent",
            Self::Warn => "border-warn bg-warn",
            Self::Danger => "border-danger bg-danger",
        }
    }

    const fn bar(self) -> &'static str {
        match self {
            Self::Accent => "fill-accent",
            Self::Warn => "fill-warn",
            Self::Danger => "fill-danger",
        }
    }
}

const fn tone(used: u64, limit: u64) -> Tone {
    if used >= limit {
        Tone::Danger
    } else if used * 5 >= limit * 4 {
        Tone::Warn
    } else {
        Tone::Accent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_meter_warns_from_80_percent() {
        assert_eq!(tone(7, 10), Tone::Accent);
        assert_eq!(tone(8, 10), Tone::Warn);
        assert_eq!(tone(39, 50), Tone::Accent);
        assert_eq!(tone(40, 50), Tone::Warn);
        assert_eq!(tone(10, 10), Tone::Danger);
        assert_eq!(tone(3, 2), Tone::Danger);
    }
}
