//! The limits over all keys of a project or an organization, and the limits that new keys start
//! with.

mod edit;
mod form;
mod whose;

use latchkey_domain::api::KeyDefaults;
use latchkey_domain::limit::{AllowList, Cidr, DEFAULT_MAX_PARALLEL, Limit, ModelName};
use leptos::prelude::*;

pub use self::whose::LimitsOf;

use self::edit::EditLimits;
use super::SettingsSubject;
use crate::components::budget_list::BudgetList;
use crate::components::limit_rows::{LimitLine, LimitRows, NONE, list, number};
use crate::layout::Workspace;
use latchkey_ui::budget::limit_in_words;
use latchkey_ui::button::{Button, Size};
use latchkey_ui::icon::Glyph;
use latchkey_ui::table::Card;

/// Section with the limits. Users who may change them have a button for that.
#[component]
pub fn LimitsSection(
    /// What the page is about.
    subject: Signal<SettingsSubject>,
    /// Whose limits they are.
    of: LimitsOf,
) -> impl IntoView {
    let workspace = expect_context::<Workspace>();
    let rows = Memo::new(move |_| subject.with(|subject| rows_of(of, &of.limits(subject))));
    let states = Memo::new(move |_| subject.with(|subject| of.states(subject)));
    let may_write = Memo::new(move |_| subject.with(|it| it.organization.allows(of.permission())));
    let editing = RwSignal::new(false);
    Effect::new(move || {
        // What is used was loaded with the layout, which may be long ago.
        if states.with_untracked(|states| !states.is_empty()) {
            workspace.reload();
        }
    });
    view! {
        <section aria-labelledby=of.title_id()>
            <div class="mb-3 flex min-h-7 items-center justify-between gap-3">
                <h2 id=of.title_id() class="text-heading font-semibold">{of.title()}</h2>
                <Show when=move || may_write.get()>
                    <Button size=Size::Compact glyph=Glyph::Pencil on_press=move |()| editing.set(true)>
                        "Edit" <span class="sr-only">" " {of.what()}</span>
                    </Button>
                </Show>
            </div>
            <Card>
                <div class="p-5 max-md:p-4">
                    <p class="mb-3 text-table text-ink-2">{of.about()}</p>
                    <LimitRows rows/>
                    {move || {
                        let budgets = states.get();
                        (!budgets.is_empty())
                            .then(|| {
                                view! { <div class="mt-1.5 border-t border-line pt-4"><BudgetList budgets/></div> }
                            })
                    }}
                    <Show when=move || !may_write.get()>
                        <p class="mt-3 text-table text-ink-2">"An owner or admin can change these limits."</p>
                    </Show>
                </div>
            </Card>
            <Show when=move || editing.get()>
                <EditLimits subject of on_close=move |()| editing.set(false)/>
            </Show>
        </section>
    }
}

/// The limits without budgets that have a state, which are shown by themselves.
fn rows_of(of: LimitsOf, limits: &KeyDefaults) -> Vec<LimitLine> {
    let calls = limits.max_parallel.map(Limit::get);
    let calls_if_none = (of == LimitsOf::NewKeys).then_some(DEFAULT_MAX_PARALLEL);
    let mut rows = vec![
        ("Requests per minute", number(limits.rpm.map(Limit::get))),
        ("Tokens per minute", number(limits.tpm.map(Limit::get))),
        ("Calls at a time", number(calls.or(calls_if_none))),
    ];
    let budgets = limits.budgets.as_slice();
    if of == LimitsOf::NewKeys || budgets.is_empty() {
        let budgets = budgets.iter().map(|it| limit_in_words(it.unit, it.limit, it.period));
        rows.push(("Budgets", list(budgets, NONE)));
    }
    if of == LimitsOf::NewKeys {
        let models = limits.allowed_models.iter().flat_map(AllowList::as_slice);
        let networks = limits.allowed_cidrs.iter().flat_map(AllowList::as_slice);
        rows.push((
            "Allowed models",
            list(models.map(|model: &ModelName| model.as_str().to_owned()), "Any"),
        ));
        rows.push(("Allowed addresses", list(networks.map(Cidr::to_string), "Any")));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_say_every_limit_and_levels_those_that_they_have() {
        let limits: KeyDefaults = serde_json::from_value(serde_json::json!({
            "rpm": 1_500, "allowed_models": ["sandbox", "bge-m3"],
            "budgets": [{ "unit": "usd", "limit": "5", "period": "day" }],
        }))
        .unwrap();
        let said = |of| {
            let words = |(label, value): LimitLine| format!("{label}: {value}");
            rows_of(of, &limits).into_iter().map(words).collect::<Vec<_>>()
        };
        assert_eq!(
            said(LimitsOf::NewKeys),
            [
                "Requests per minute: 1,500",
                "Tokens per minute: None",
                "Calls at a time: 64",
                "Budgets: $5 a day",
                "Allowed models: sandbox, bge-m3",
                "Allowed addresses: Any",
            ]
        );
        assert_eq!(said(LimitsOf::Project).len(), 3, "its budgets have bars");
    }
}
