//! “Why was this rejected?”: simulates a check. Nothing is sent to a model, taken from a limit
//! or counted.

use std::net::IpAddr;

use latchkey_domain::api::{ApiKey, DryRun, DryRunRequest, ListedKey};
use latchkey_domain::limit::{ModelName, Tokens};
use latchkey_domain::outcome::Outcome;
use leptos::prelude::*;

use crate::api::dry_run_key;
use crate::components::form::{FormField, Submission};
use crate::pages::usage::denials::QUESTION;
use crate::pages::usage::trace::{sentence, steps_of_dry_run};
use latchkey_ui::button::Button;
use latchkey_ui::callout::{Callout, Tone};
use latchkey_ui::decision_trace::DecisionTrace;
use latchkey_ui::field::{TextField, focus_first_bad};
use latchkey_ui::thousands;

/// What is filled in.
#[derive(Clone, Copy)]
struct CheckDraft {
    model: FormField,
    address: FormField,
    tokens: FormField,
}

impl CheckDraft {
    fn of(listed: &ListedKey) -> Self {
        let models = listed.key.allowed_models.as_ref();
        let model = models.and_then(|models| models.as_slice().first());
        Self {
            model: FormField::new(model.map_or("sandbox", ModelName::as_str)),
            address: FormField::new(listed.last_used_ip.clone().unwrap_or_default()),
            tokens: FormField::new("1000"),
        }
    }

    fn read(self) -> Option<DryRunRequest> {
        let model = self.model.read(Ok);
        let ip = self.address.read(read_address);
        let tokens = self.tokens.read(read_tokens);
        focus_first_bad();
        Some(DryRunRequest { model: model?, ip: ip?, tokens: tokens? })
    }
}

fn read_address(text: Option<String>) -> Result<Option<IpAddr>, String> {
    let Some(text) = text else { return Ok(None) };
    text.parse().map(Some).map_err(|_| "Enter an address such as 203.0.113.9.".to_owned())
}

fn read_tokens(text: Option<String>) -> Result<u64, String> {
    let Some(text) = text else { return Ok(0) };
    match text.as_str() {
        "0" => Ok(0),
        text => text
            .parse()
            .map(Tokens::get)
            .map_err(|_| format!("Enter a number from 0 to {}.", thousands(Tokens::MAX))),
    }
}

/// What was tried out, and what it came to.
#[derive(Debug, Clone, PartialEq)]
struct FinishedDryRun {
    key: ApiKey,
    call: DryRunRequest,
    run: DryRun,
}

/// Card that explains recent denials.
#[component]
pub fn Why(
    /// The key as it is now.
    now: Memo<ListedKey>,
) -> impl IntoView {
    let draft = now.with_untracked(CheckDraft::of);
    let submission = Submission::new();
    let finished = RwSignal::new(None::<FinishedDryRun>);
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let Some(call) = draft.read() else { return };
        if submission.busy.get_untracked() {
            return;
        }
        submission.start();
        let key = now.get_untracked().key;
        leptos::task::spawn_local(async move {
            match dry_run_key(key.id, call.clone()).await {
                Ok(run) => {
                    submission.succeed();
                    _ = finished.try_set(Some(FinishedDryRun { key, call, run }));
                }
                Err(error) => submission.fail(&error, "Couldn’t try this request. Try again.", &[]),
            }
        });
    };
    view! {
        <section class="rounded-lg border border-line bg-surface p-4" aria-labelledby="why-title">
            <h2 id="why-title" class="text-heading font-semibold">{QUESTION}</h2>
            <p class="mt-0.5 mb-4 text-table text-ink-2">
                "Try a request to see which checks it would pass now. Nothing is sent or counted."
            </p>
            <form method="post" novalidate on:submit=submit aria-labelledby="why-title">
                <div class="grid grid-cols-1 items-start gap-3 sm:grid-cols-3">
                    <TextField name="why-model" label="Model" value=draft.model.value error=draft.model.error/>
                    <TextField
                        name="why-address"
                        label="Address"
                        value=draft.address.value
                        placeholder="None"
                        error=draft.address.error
                    />
                    <TextField
                        name="why-tokens"
                        label="Size"
                        value=draft.tokens.value
                        suffix="tokens"
                        keyboard="numeric"
                        error=draft.tokens.error
                    />
                </div>
                <div class="mt-3">
                    <Button submit=true busy=submission.busy busy_label="Trying…">"Try request"</Button>
                </div>
            </form>
            <div role="status" class="mt-4 empty:hidden">
                {move || {
                    submission
                        .refusal
                        .get()
                        .map(|why| view! { <Callout tone=Tone::Danger>{why}</Callout> }.into_any())
                        .or_else(|| finished.get().map(|finished| view! { <DryRunResult finished/> }.into_any()))
                }}
            </div>
        </section>
    }
}

#[component]
fn DryRunResult(finished: FinishedDryRun) -> impl IntoView {
    let FinishedDryRun { key, call, run } = finished;
    let question = if run.code == Outcome::Valid { "It would pass" } else { "It would be denied" };
    let code = run.code.as_str();
    view! {
        <DecisionTrace
            question
            sentence=sentence(&key, &call, &run)
            retry_after=run.retry_after_seconds
            steps=steps_of_dry_run(&key, &call, &run)
        />
        <p class="mt-2 text-caption text-ink-2">
            "Outcome: " <code class="font-mono text-[11.5px] text-ink">{code}</code>
            {format!(", answered with {}", status_of(&run))}
        </p>
    }
}

/// What the gateway answers: a limit that does not free within a minute is 402.
const fn status_of(run: &DryRun) -> u16 {
    match (run.code.status(), run.retry_after_seconds) {
        (429, None | Some(61..)) => 402,
        (status, _) => status,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limit_that_frees_late_is_answered_with_402() {
        let status = |code, retry_after_seconds| {
            status_of(&DryRun {
                code,
                detail: String::new(),
                retry_after_seconds,
                ratelimit: None,
                token_ratelimit: None,
                quota: None,
                budget: None,
                limit: None,
            })
        };
        assert_eq!(status(Outcome::RateLimited, Some(60)), 429);
        assert_eq!(status(Outcome::SpendLimitReached, Some(61)), 402);
        assert_eq!(status(Outcome::SpendLimitReached, None), 402);
        assert_eq!(status(Outcome::ModelNotPriced, None), 403);
    }

    #[test]
    fn a_size_may_be_nothing() {
        assert_eq!(read_tokens(None), Ok(0));
        assert_eq!(read_tokens(Some("0".into())), Ok(0));
        assert_eq!(read_tokens(Some("1,220".into())), Ok(1_220));
        assert!(read_tokens(Some("-1".into())).is_err());
    }

    #[test]
    fn an_address_is_one_or_none() {
        assert_eq!(read_address(None), Ok(None));
        assert!(matches!(read_address(Some("2001:db8::1".into())), Ok(Some(IpAddr::V6(_)))));
        assert!(read_address(Some("203.0.113.0/24".into())).is_err());
    }
}
