//! The fields of a key's attributes, out of the way until they are wanted.

use latchkey_domain::key::KeyKind;
use leptos::prelude::*;

use super::attribute_form::AttributeForm;
use super::fields::Disclosure;
use latchkey_ui::checkbox::Checkbox;
use latchkey_ui::chip_field::ChipField;
use latchkey_ui::field::{TextArea, TextField};

/// No scope contains these.
const BETWEEN_SCOPES: &[&str] = &[",", " "];

const EXAMPLE: &str = r#"{ "plan": "pro" }"#;

/// External ID, tags, scopes and metadata, and whether a new key starts disabled.
#[component]
pub fn AttributeFields(
    /// The form that they are in.
    form: AttributeForm,
    /// What kind of key it is about.
    kind: KeyKind,
    /// Whether the key is being created.
    #[prop(optional)]
    creating: bool,
) -> impl IntoView {
    let AttributeForm { external_id, tags, metadata, disabled, open, .. } = form;
    let summary = Signal::derive(move || form.in_words());
    view! {
        <div>
            <Disclosure label="Attributes" controls="attributes" open summary/>
            <div id="attributes" class="mt-4 flex flex-col gap-5" class:hidden=move || !open.get()>
                <TextField
                    name="external-id"
                    label="External ID"
                    value=external_id.value
                    placeholder="None"
                    maxlength=255
                    hint="Your own id of whoever uses the key. Checks answer with it; several keys may have the same."
                    error=external_id.error
                />
                <ChipField
                    name="tags"
                    label="Tags"
                    chips=tags.chips
                    text=tags.text
                    on_add=move |()| tags.add()
                    hint="At most 16. Press Enter after each. Lists and usage can be filtered by them."
                    error=tags.error
                    placeholder="None"
                    maxlength=64
                />
                {(kind == KeyKind::Api).then(|| view! { <ScopesField form/> })}
                <TextArea
                    name="metadata"
                    label="Metadata"
                    value=metadata.value
                    placeholder=EXAMPLE
                    hint="A JSON object of at most 8 KiB. Checks answer with it."
                    error=metadata.error
                />
                {creating
                    .then(|| {
                        view! {
                            <Checkbox name="disabled" checked=disabled>
                                "Create disabled"
                                <span class="block text-caption text-ink-2">
                                    "Calls with the key are refused until you enable it."
                                </span>
                            </Checkbox>
                        }
                    })}
            </div>
        </div>
    }
}

#[component]
fn ScopesField(form: AttributeForm) -> impl IntoView {
    let scopes = form.scopes;
    view! {
        <ChipField
            name="scopes"
            label="Scopes"
            chips=scopes.chips
            text=scopes.text
            on_add=move |()| scopes.add()
            hint="Such as orders:read, or orders:* for all of them. A check that asks for another is refused."
            error=scopes.error
            placeholder="None"
            maxlength=100
            separators=BETWEEN_SCOPES
        />
    }
}
