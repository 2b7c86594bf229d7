//! The dialog that imports keys: file and preset, a check that changes nothing, the import, and its
//! report.

use std::fmt::Write;

use js_sys::Array;
use latchkey_domain::id::ProjectId;
use latchkey_domain::import::{ImportAnswer, Preset};
use leptos::prelude::*;
use leptos::wasm_bindgen::JsValue;
use web_sys::Blob;

use super::form::{ImportForm, ImportStage};
use super::row_errors::WrongRows;
use crate::components::form::Refusal;
use crate::components::import_words::{keys_in_words, preset_label};
use crate::data::save::save_csv;
use latchkey_ui::button::{Button, Variant};
use latchkey_ui::callout::{Callout, Tone};
use latchkey_ui::dialog::{Dialog, DialogWidth};
use latchkey_ui::field::{FileField, TextField};
use latchkey_ui::icon::Glyph;
use latchkey_ui::select::{Choice, Select};
use latchkey_ui::toast::Toasts;

/// Dialog that checks a file and imports its keys.
#[component]
pub fn ImportDialog(
    /// Project that gets the keys.
    project: ProjectId,
    /// Called when the keys are there.
    #[prop(into)]
    on_imported: Callback<()>,
    /// Called to close the dialog.
    #[prop(into)]
    on_close: Callback<()>,
) -> impl IntoView {
    let form = ImportForm::new(project, on_imported);
    let busy = form.submission.busy;
    let is_done =
        Memo::new(move |_| form.stage.with(|stage| matches!(stage, ImportStage::Imported(_))));
    let dirty = Signal::derive(move || form.has_file.get() && !is_done.get());
    let submit = move |()| {
        if is_done.get_untracked() {
            on_close.run(());
        } else {
            form.submit();
        }
    };
    let action = move || form.stage.with(action);
    let footer = move || {
        view! {
            <Show when=move || !is_done.get()>
                <Button on_press=on_close disabled=busy>"Cancel"</Button>
            </Show>
            // One button for all steps: it keeps the focus.
            <Button variant=Variant::Primary submit=true busy busy_label="Sending…">{action}</Button>
        }
    };
    view! {
        <Dialog title="Import keys" width=DialogWidth::Large on_close busy dirty on_submit=submit footer>
            <div class="flex flex-col gap-5">
                <Refusal submission=form.submission/>
                <Show when=move || !is_done.get()>
                    <Fields form/>
                </Show>
                <Progress form/>
                <Findings form/>
            </div>
        </Dialog>
    }
}

/// The next step.
fn action(stage: &ImportStage) -> String {
    match stage {
        ImportStage::Checked(keys) => format!("Import {}", keys_in_words(*keys)),
        ImportStage::Imported(_) => "Done".to_owned(),
        ImportStage::Unchecked | ImportStage::Wrong(_) => "Check file".to_owned(),
    }
}

#[component]
fn Fields(form: ImportForm) -> impl IntoView {
    view! {
        <FileField
            name="import-file"
            label="File"
            accept=".ndjson,.jsonl,.csv"
            hint="NDJSON, or CSV with a header row: at most 64 MiB and 100,000 rows. All of them are imported, or none."
            error=form.file_error
            on_change=move |()| form.choose()
            node_ref=form.input
        />
        <div>
            <Select
                name="import-preset"
                label="Rows of"
                options=Signal::stored(presets())
                value=form.preset
                on_change=move |preset: String| form.preset.set(preset)
                described_by="import-preset-about"
            />
            <p id="import-preset-about" class="mt-1.5 text-caption text-ink-3">
                "The system whose own table or export it is. Other rows name their scheme, and what their keys look like is registered over the API first, unless they are plaintext."
            </p>
        </div>
        <TextField
            name="import-secret"
            label="Secret of the other system"
            kind="password"
            value=form.secret.value
            hint="Only for HMACs, such as Strapi’s (API_TOKEN_SALT) and Payload’s (PAYLOAD_SECRET), and for Langfuse (SALT)."
            error=form.secret.error
        />
    }
}

/// The presets, after the choice of none.
fn presets() -> Vec<Choice> {
    let none = Choice::new("", "No preset: the fields are Latchkey’s own");
    let presets = Preset::ALL.into_iter().map(|it| Choice::new(it.as_str(), preset_label(it)));
    std::iter::once(none).chain(presets).collect()
}

/// What is going on, and how much of the file is sent.
#[component]
fn Progress(form: ImportForm) -> impl IntoView {
    let busy = form.submission.busy;
    let phase = Memo::new(move |_| {
        let is_sent = form.sent.with(|sent| *sent >= 1.0);
        match (busy.get(), is_sent, form.is_checked()) {
            (false, ..) => None,
            (true, false, _) => Some("Sending the file…"),
            (true, true, false) => Some("Checking every row…"),
            (true, true, true) => Some("Importing the keys…"),
        }
    });
    let percent = move || form.sent.with(|sent| format!("{:.0}", sent.clamp(0.0, 1.0) * 100.0));
    view! {
        <div class="flex flex-col gap-1.5" class:sr-only=move || !busy.get()>
            <p role="status" class="text-ink-2">{move || phase.get()}</p>
            <Show when=move || busy.get()>
                <svg
                    class="block h-1.5 w-full rounded-full bg-subtle inset-ring inset-ring-line"
                    role="progressbar"
                    aria-label="Sent of the file"
                    aria-valuemin="0"
                    aria-valuemax="100"
                    aria-valuenow=percent
                >
                    <rect class="fill-accent" width=move || format!("{}%", percent()) height="100%" rx="3"></rect>
                </svg>
            </Show>
        </div>
    }
}

/// What the check or the import has found. Screen readers say its first sentence at once.
#[component]
fn Findings(form: ImportForm) -> impl IntoView {
    let good_news = Memo::new(move |_| form.stage.with(good_news));
    let said = move || {
        good_news.get().map(
            |words| view! { <Callout tone=Tone::Info glyph=Glyph::CircleCheck>{words}</Callout> },
        )
    };
    let more = move || {
        form.stage.with(|stage| match stage {
            ImportStage::Unchecked | ImportStage::Checked(_) => ().into_any(),
            ImportStage::Wrong(errors) => {
                let errors = errors.clone();
                view! { <WrongRows errors/> }.into_any()
            }
            ImportStage::Imported(_) => view! { <Report form/> }.into_any(),
        })
    };
    view! {
        <div role="status" class="contents">{said}</div>
        {more}
    }
}

/// What went well, as a sentence.
fn good_news(stage: &ImportStage) -> Option<String> {
    match stage {
        ImportStage::Unchecked | ImportStage::Wrong(_) => None,
        ImportStage::Checked(keys) => {
            Some(format!("{} can be imported. Nothing was changed yet.", keys_in_words(*keys)))
        }
        ImportStage::Imported(answer) => {
            let keys = keys_in_words(u64::try_from(answer.imported).unwrap_or(u64::MAX));
            Some(format!("{keys} imported. Clients go on with the secrets that they have."))
        }
    }
}

/// Which row became which key.
#[component]
fn Report(form: ImportForm) -> impl IntoView {
    let toasts = expect_context::<Toasts>();
    let save = move |()| {
        let report = form.stage.with_untracked(|stage| match stage {
            ImportStage::Imported(answer) => Some(report(answer)),
            ImportStage::Unchecked | ImportStage::Wrong(_) | ImportStage::Checked(_) => None,
        });
        if report.and_then(|csv| save_csv(&file_of(&csv)?, "import-report")).is_none() {
            toasts.failure("Couldn’t save the report.", None);
        }
    };
    view! {
        <div class="flex flex-wrap items-center justify-between gap-3">
            <p class="min-w-0 text-ink-2">"The report has the number of each row and the ID of its key."</p>
            <Button glyph=Glyph::Download on_press=save>"Download report"</Button>
        </div>
    }
}

fn file_of(text: &str) -> Option<Blob> {
    let parts = Array::new();
    parts.push(&JsValue::from_str(text));
    Blob::new_with_str_sequence(&parts).ok()
}

/// A CSV with a line for each row.
fn report(answer: &ImportAnswer) -> String {
    let mut csv = String::from("row,key_id");
    for row in &answer.rows {
        let id = row.key_id.map(|id| id.to_string()).unwrap_or_default();
        // Writing to a string never fails.
        _ = write!(csv, "\r\n{},{id}", row.row);
    }
    csv
}

#[cfg(test)]
mod tests {
    use latchkey_domain::import::ImportedRow;

    use super::*;

    #[test]
    fn button_says_the_next_step() {
        assert_eq!(action(&ImportStage::Unchecked), "Check file");
        assert_eq!(action(&ImportStage::Wrong(Vec::new())), "Check file");
        assert_eq!(action(&ImportStage::Checked(1)), "Import 1 key");
        assert_eq!(action(&ImportStage::Checked(1_204)), "Import 1,204 keys");
    }

    #[test]
    fn report_has_a_line_for_each_row() {
        let key_id = "key_01kc3f1m6ze1tvyqnz0rg5bqfc".parse().ok();
        let rows = vec![ImportedRow { row: 1, key_id }, ImportedRow { row: 2, key_id: None }];
        let answer = ImportAnswer { dry_run: false, imported: 2, rows };
        assert_eq!(report(&answer), "row,key_id\r\n1,key_01kc3f1m6ze1tvyqnz0rg5bqfc\r\n2,");
    }
}
