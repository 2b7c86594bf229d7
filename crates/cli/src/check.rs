//! `latchkey check`: whether a key works, as the server answers.
//!
//! With a token the server verifies the key as it does for a backend, which counts as a request of
//! the key. Without one the key itself asks who it is, which counts nothing.

use std::io::{self, Read};

use latchkey_domain::outcome::Outcome;
use reqwest::Method;
use reqwest::header::HeaderValue;
use serde::Serialize;

use crate::args::Check;
use crate::client::{Answer, Client, Context};
use crate::failure::{Done, Exit, Failure};
use crate::lists::read;
use crate::problem::ApiProblem;
use crate::request::{Credential, Request};
use crate::row::Row;
use crate::terminal::{Screen, print, tell};

/// Longest key that is read from standard input, in bytes.
const LONGEST_KEY: u64 = 64 * 1024;
/// Refusal that is no outcome of a check: the address has tried too many wrong keys.
const TOO_MANY_FAILURES: &str = "too_many_failures";

/// The body of `POST /v1/keys/verify`.
#[derive(Serialize)]
struct Verification<'a> {
    key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    application_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scopes: Option<&'a [String]>,
}

/// Checks a key and prints the outcome.
///
/// # Errors
/// The key is refused, or can't be checked.
pub(crate) async fn run(check: &Check, context: Context, screen: Screen) -> Done {
    let client = Client::new(&check.remote, context)?;
    let key = match check.key.expose() {
        "-" => from_stdin()?,
        key => key.to_owned(),
    };
    if client.has_token() {
        verify(&client, screen, check, &key).await
    } else {
        view(&client, screen, check, &key).await
    }
}

async fn verify(client: &Client, screen: Screen, check: &Check, key: &str) -> Done {
    let body = Verification {
        key,
        application_id: check.application_id.map(|id| id.to_string()),
        model: check.model.as_deref(),
        cost: check.cost,
        ip: check.ip.map(|ip| ip.to_string()),
        scopes: (!check.scopes.is_empty()).then_some(check.scopes.as_slice()),
    };
    let request = Request::new(Method::POST, "/v1/keys/verify").json(&body);
    let answer = client.send(&request).await?;
    let outcome: Row = read(client, &answer)?;
    let code = outcome.text("code");
    if code.is_empty() {
        return Err(client.not_ours());
    }
    // That nobody reads the outcome of a key that is refused does not make it valid.
    let printed = print_outcome(client, screen, &answer, &code);
    if outcome.text("valid") == "true" {
        describe(&outcome, "key_id");
        return printed;
    }
    let known = Outcome::from_name(&code);
    let detail = match (outcome.text("detail"), known) {
        (detail, _) if !detail.is_empty() => detail,
        (_, Some(known)) => known.detail().to_owned(),
        (_, None) => format!("The key is refused: {code}."),
    };
    Err(Failure::new(known.map_or(Exit::NotAllowed, exit), detail))
}

async fn view(client: &Client, screen: Screen, check: &Check, key: &str) -> Done {
    let asks_more = check.application_id.is_some()
        || check.model.is_some()
        || check.cost.is_some()
        || check.ip.is_some()
        || !check.scopes.is_empty();
    if asks_more {
        return Err(Failure::usage(
            "--application-id, --model, --cost, --ip and --scope need LATCHKEY_TOKEN: a service \
             key with keys:verify, or a token of a sign-in.",
        ));
    }
    let Ok(mut header) = HeaderValue::from_str(key) else {
        // No key has such characters, and no header can carry them.
        let malformed = Outcome::MalformedKey;
        let _ = print(format!("{}\n", malformed.as_str()).as_bytes());
        return Err(Failure::new(exit(malformed), malformed.detail()));
    };
    header.set_sensitive(true);
    let request = Request::new(Method::GET, "/v1/key").by(Credential::Key(header));
    let answer = client.send_any(&request).await?;
    if answer.status.is_success() {
        let answer = client.accepted(answer)?;
        let key: Row = read(client, &answer)?;
        if key.text("id").is_empty() {
            return Err(client.not_ours());
        }
        print_outcome(client, screen, &answer, Outcome::Valid.as_str())?;
        describe(&key, "id");
        return Ok(());
    }
    let problem = ApiProblem::parse(&answer.body);
    let refused = problem.filter(|problem| {
        problem.code == TOO_MANY_FAILURES || Outcome::from_name(&problem.code).is_some()
    });
    let Some(refused) = refused else { return Err(client.refusal(&answer)) };
    let _ = print_outcome(client, screen, &answer, &refused.code);
    Err(refused.failure(answer.status))
}

fn print_outcome(client: &Client, screen: Screen, answer: &Answer, code: &str) -> Done {
    if client.json() {
        return screen.print_body(&answer.body);
    }
    print(format!("{code}\n").as_bytes())
}

/// Says whose key it is.
fn describe(key: &Row, id: &str) {
    let [id, name, environment, project] =
        [id, "name", "environment", "project_id"].map(|field| key.text(field));
    tell(&format!("{id} ({name}), {environment}, of project {project}"));
}

/// The exit code of a key that is refused.
fn exit(outcome: Outcome) -> Exit {
    match outcome.status() {
        200 => Exit::Done,
        429 => Exit::Limit,
        503 => Exit::Unreachable,
        _ => Exit::NotAllowed,
    }
}

fn from_stdin() -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let read = io::stdin().lock().take(LONGEST_KEY).read_to_end(&mut bytes);
    read.map_err(|error| Failure::failed(format!("Cannot read standard input: {error}")))?;
    let text = String::from_utf8(bytes).unwrap_or_default();
    let key = text.trim();
    if key.is_empty() {
        return Err(Failure::usage("There is no key on standard input."));
    }
    Ok(key.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_outcome_has_the_exit_code_of_its_status() {
        for outcome in Outcome::ALL {
            let expected = match outcome.status() {
                200 => Exit::Done,
                401 | 403 => Exit::NotAllowed,
                429 => Exit::Limit,
                _ => Exit::Unreachable,
            };
            assert_eq!(exit(outcome), expected, "{}", outcome.as_str());
        }
    }
}
