//! A key as it may be shown after its creation: `lk_live_7Qm2••••••••x9Kd`.

use latchkey_domain::hint::{ForeignHint, MaskedSecret};
use latchkey_domain::secret::KeyHint;
use leptos::prelude::*;

/// The visible characters of a key. There is nothing to copy: it is not selectable.
#[component]
pub fn MaskedKey(
    /// What may be shown.
    hint: MaskedSecret,
    /// Whether the key no longer works for good.
    #[prop(optional)]
    revoked: bool,
) -> impl IntoView {
    let (whole, shown) =
        if revoked { ("text-ink-3 line-through", "") } else { ("text-ink-3", "text-ink") };
    match hint {
        MaskedSecret::Own(hint) => view! {
            <code class=format!("whitespace-nowrap font-mono text-code select-none {whole}")>
                <OwnKey hint shown/>
            </code>
        }
        .into_any(),
        MaskedSecret::Imported(hint) => view! { <ImportedKey hint whole shown/> }.into_any(),
    }
}

/// What another system showed of the key. It may be long, so it breaks into lines. A key that came
/// without a hint has only the word for where it came from.
#[component]
fn ImportedKey(hint: ForeignHint, whole: &'static str, shown: &'static str) -> impl IntoView {
    let text = (hint != ForeignHint::default()).then(|| {
        view! {
            <code class=format!("max-w-52 font-mono text-code break-all select-none {whole}")>
                <span class="sr-only">"key shown as "</span>
                <span class=shown>{hint.to_string()}</span>
            </code>
        }
    });
    view! {
        <span class="inline-flex max-w-full flex-wrap items-center gap-x-1.5">
            {text}
            <span
                class="inline-flex h-4 shrink-0 items-center rounded-xs border border-line bg-subtle px-1 text-micro text-ink-2"
                title="From another system. It keeps its hint until it is rotated."
            >
                "Imported"
            </span>
        </span>
    }
}

#[component]
fn OwnKey(hint: KeyHint, shown: &'static str) -> impl IntoView {
    let spoken = spoken(&hint);
    let start = format!("{}_{}_", hint.prefix, hint.environment.as_str());
    view! {
        <span aria-hidden="true">
            {start} <span class=shown>{hint.first}</span>
            <span class="tracking-[0.06em]">"••••••••"</span>
            <span class=shown>{hint.last}</span>
        </span>
        <span class="sr-only">{spoken}</span>
    }
}

/// What screen readers hear: “key starting lk live 7 Q m 2, ending x 9 K d”.
fn spoken(hint: &KeyHint) -> String {
    let spell = |text: &str| text.chars().map(String::from).collect::<Vec<_>>().join(" ");
    format!(
        "key starting {} {} {}, ending {}",
        hint.prefix,
        hint.environment.as_str(),
        spell(&hint.first),
        spell(&hint.last)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_visible_characters_are_spelled() {
        let hint = "lk_live_7Qm2...x9Kd".parse().unwrap();
        assert_eq!(spoken(&hint), "key starting lk live 7 Q m 2, ending x 9 K d");
    }
}
