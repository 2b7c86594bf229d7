//! The dialog that shows a key's attributes and budgets to whoever may see the key.

use latchkey_domain::api::ListedKey;
use latchkey_domain::key::{KeyKind, KeyStatus};
use leptos::prelude::*;

use super::KeysPageState;
use super::attribute_view::{AttributeList, details_label};
use super::summary::KeySummary;
use crate::components::budget_list::BudgetList;
use latchkey_ui::button::Button;
use latchkey_ui::dialog::Dialog;
use latchkey_ui::icon::Glyph;

/// Dialog with a key's attributes and budgets.
#[component]
pub fn KeyDetails(
    /// State of the page's dialogs.
    page: KeysPageState,
    /// Key that the row or dialog shows.
    listed: ListedKey,
) -> impl IntoView {
    let title = format!("{} of “{}”", details_label(&listed.key), listed.key.name);
    let is_api = listed.key.kind == KeyKind::Api;
    let budgets = if is_api { listed.key.budgets.clone() } else { Vec::new() };
    let can_change = listed.key.status != KeyStatus::Revoked && !listed.key.archived;
    let may = Memo::new(move |_| can_change && page.may_write());
    let key = listed.key.clone();
    let target = StoredValue::new(listed.clone());
    let close = move |()| page.viewing.set(None);
    let edit = move |()| {
        let listed = target.get_value();
        page.viewing.set(None);
        page.editing.set(Some(listed));
    };
    let buttons = move || {
        view! {
            <Button on_press=close>"Close"</Button>
            <Show when=move || may.get()>
                <Button glyph=Glyph::Pencil on_press=edit>"Edit"</Button>
            </Show>
        }
    };
    view! {
        <Dialog title on_close=close footer=buttons>
            <div class="flex flex-col gap-4">
                <KeySummary listed scope=page.scope/>
                <AttributeList key/>
                {(!budgets.is_empty())
                    .then(|| {
                        view! {
                            <section aria-label="Budgets" class="border-t border-line pt-4">
                                <BudgetList budgets/>
                            </section>
                        }
                    })}
            </div>
        </Dialog>
    }
}
