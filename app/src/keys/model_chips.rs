//! Which models a key may use: as chips, and in words.

use latchkey_domain::limit::{AllowList, ModelName};
use leptos::prelude::*;

/// Number of chips in a table cell. If there are more, one is shown and the others are counted.
const IN_A_CELL: usize = 2;

/// The classes of a chip.
pub const CHIP: &str = "inline-block max-w-full truncate rounded-xs border border-line bg-subtle px-1.5 \
    align-top font-mono text-[11.5px] leading-4 text-ink-2";

/// The chips of a table's cell.
#[component]
pub fn FewModels(
    /// The models; none: all.
    models: Option<AllowList<ModelName>>,
) -> impl IntoView {
    let Some(models) = models else {
        return view! { <span class="text-ink-3">"All models"</span> }.into_any();
    };
    let all: Vec<String> = models.as_slice().iter().map(|it| it.as_str().to_owned()).collect();
    let shown = if all.len() > IN_A_CELL { 1 } else { all.len() };
    let (first, rest) = all.split_at(shown);
    let more = (!rest.is_empty()).then(|| {
        let names = rest.join(", ");
        view! {
            <li class="text-caption text-ink-2" title=names.clone()>
                {format!("+{} more", rest.len())} <span class="sr-only">{format!(": {names}")}</span>
            </li>
        }
    });
    view! { <ul class="flex max-w-44 flex-col items-start gap-1 max-md:max-w-none max-md:flex-row max-md:flex-wrap">{chips(first)} {more}</ul> }
        .into_any()
}

/// Every model, in a line that wraps.
#[component]
pub fn AllModels(
    /// The models; none: all.
    models: Option<AllowList<ModelName>>,
) -> impl IntoView {
    let Some(models) = models else {
        return view! { <span class="text-caption text-ink-3">"All models"</span> }.into_any();
    };
    let all: Vec<String> = models.as_slice().iter().map(|it| it.as_str().to_owned()).collect();
    view! { <ul class="flex min-w-0 flex-wrap gap-1">{chips(&all)}</ul> }.into_any()
}

/// A list item with a chip for each name.
pub fn chips(names: &[String]) -> impl IntoView + use<> {
    let chip = |name: &String| {
        view! { <li class="flex max-w-full min-w-0"><span class=CHIP title=name.clone()>{name.clone()}</span></li> }
    };
    names.iter().map(chip).collect_view()
}

/// “qwen3.6-27b and bge-m3”, “all models”.
pub fn models_in_words(models: Option<&AllowList<ModelName>>) -> String {
    let Some(models) = models else { return "all models".to_owned() };
    let names: Vec<&str> = models.as_slice().iter().map(ModelName::as_str).collect();
    match names.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, before)) => format!("{} and {last}", before.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_listed_as_people_do() {
        let list = |names: &[&str]| {
            AllowList::new(names.iter().map(|name| name.parse().unwrap()).collect()).unwrap()
        };
        assert_eq!(models_in_words(None), "all models");
        assert_eq!(models_in_words(Some(&list(&["a"]))), "a");
        assert_eq!(models_in_words(Some(&list(&["a", "b", "c"]))), "a, b and c");
    }
}
