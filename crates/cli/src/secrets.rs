//! `latchkey keys create` and `latchkey keys rotate`: the only commands that print a secret.

use reqwest::Method;
use serde::Deserialize;

use crate::args::{CreateKey, RotateKey};
use crate::client::{Answer, Client, Sent};
use crate::failure::{Done, Failure};
use crate::lists::read;
use crate::request::Request;
use crate::row::Row;
use crate::terminal::{Screen, print, tell};

/// The API's answer. It has no `Debug` output.
#[derive(Deserialize)]
struct NewSecret {
    key: String,
    api_key: Row,
}

/// Creates a key.
///
/// # Errors
/// The server refuses or can't be reached, or the secret could not be written.
pub(crate) async fn create(client: &Client, screen: Screen, create: &CreateKey) -> Done {
    let path = format!("/v1/projects/{}/keys", create.project);
    let request = Request::new(Method::POST, path).json(create);
    let answer = match client.send_once(&request).await? {
        Sent::Answer(answer) => client.accepted(answer)?,
        Sent::Replayed { key_id } => return Err(lost_secret("created", key_id.as_deref())),
    };
    reveal(client, screen, &answer, "Created")
}

/// Replaces the secret of a key.
///
/// # Errors
/// As [`create`].
pub(crate) async fn rotate(client: &Client, screen: Screen, rotate: &RotateKey) -> Done {
    let path = format!("/v1/keys/{}/rotate", rotate.id);
    let request = Request::new(Method::POST, path).json(rotate);
    let answer = match client.send_once(&request).await? {
        Sent::Answer(answer) => client.accepted(answer)?,
        Sent::Replayed { .. } => return Err(lost_secret("rotated", Some(&rotate.id.to_string()))),
    };
    reveal(client, screen, &answer, "Rotated")
}

/// Writes the secret alone, or the API's body, to standard output, and what else there is to say to
/// standard error.
fn reveal(client: &Client, screen: Screen, answer: &Answer, done: &str) -> Done {
    let NewSecret { key, api_key } = read(client, answer)?;
    let written = if client.json() {
        screen.print_body(&answer.body)
    } else {
        print(format!("{key}\n").as_bytes())
    };
    let id = api_key.text("id");
    // Also where the reader has closed the pipe: nobody has the secret then.
    written.map_err(|_| unwritten_secret(&done.to_lowercase(), &id))?;
    let [name, kind, environment] = ["name", "kind", "environment"].map(|one| api_key.text(one));
    tell(&format!(
        "{done} {id} ({name}), a key of kind {kind} for {environment}. Standard output has its \
         secret, which is not shown again."
    ));
    Ok(())
}

fn lost_secret(done: &str, id: Option<&str>) -> Failure {
    let key = id.unwrap_or("KEY_ID");
    let which = id.map_or(String::new(), |id| format!(" {id}"));
    Failure::failed(format!(
        "The key{which} was {done}, but the connection was lost before its secret arrived, and a \
         secret is not shown again. Get a new one: latchkey keys rotate {key}"
    ))
}

fn unwritten_secret(done: &str, id: &str) -> Failure {
    Failure::failed(format!(
        "The key {id} was {done}, but its secret could not be written to standard output, and is \
         not shown again. Get a new one: latchkey keys rotate {id}"
    ))
}
