//! `latchkey keys`.

use bytes::Bytes;
use reqwest::Method;
use serde_json::json;

use crate::args::{KeysCommand, ListKeys, SomeKeys};
use crate::client::{Client, Context};
use crate::failure::{Done, Failure};
use crate::lists::{self, List, read};
use crate::request::Request;
use crate::row::Row;
use crate::secrets;
use crate::table::{Column, cut, print_fields, whole};
use crate::terminal::{Screen, print, tell};
use crate::usage;

/// The columns of the list, the most important first.
const COLUMNS: &[Column] = &[
    whole("id"),
    cut("name"),
    whole("status"),
    whole("kind"),
    whole("environment"),
    whole("masked"),
    whole("last_used_at"),
    whole("expires_at"),
];

/// The order in which a key's fields are shown. Those of a newer server follow.
const FIELDS: &[&str] = &[
    "id",
    "name",
    "kind",
    "environment",
    "status",
    "masked",
    "project_id",
    "application_id",
    "permissions",
    "rpm",
    "tpm",
    "max_parallel",
    "budgets",
    "allowed_models",
    "allowed_cidrs",
    "external_id",
    "tags",
    "scopes",
    "metadata",
    "created_at",
    "created_by",
    "last_used_at",
    "expires_at",
    "revoked_at",
    "archived_at",
];

/// Fields that repeat what others say.
const REPEATED: &[&str] = &[
    "archived",
    "disabled",
    "token_limit",
    "token_limit_period",
    "spend_limit",
    "spend_limit_period",
];

/// What happens to several keys.
#[derive(Debug, Clone, Copy)]
enum Change {
    Revoke,
    Disable,
    Enable,
}

impl Change {
    const fn done(self) -> &'static str {
        match self {
            Self::Revoke => "Revoked",
            Self::Disable => "Disabled",
            Self::Enable => "Enabled",
        }
    }
}

pub(crate) async fn run(command: KeysCommand, context: Context, screen: Screen) -> Done {
    match command {
        KeysCommand::List(list) => {
            let client = Client::new(&list.remote, context)?;
            show_list(&client, screen, *list).await
        }
        KeysCommand::Show(key) => {
            let client = Client::new(&key.remote, context)?;
            let answer = client.get(&format!("/v1/keys/{}", key.id), &[]).await?;
            if client.json() {
                return screen.print_body(&answer.body);
            }
            print_fields(screen, &fields(&read(&client, &answer)?))
        }
        KeysCommand::Create(create) => {
            let client = Client::new(&create.remote, context)?;
            secrets::create(&client, screen, &create).await
        }
        KeysCommand::Revoke(keys) => change(&keys, Change::Revoke, context, screen).await,
        KeysCommand::Disable(keys) => change(&keys, Change::Disable, context, screen).await,
        KeysCommand::Enable(keys) => change(&keys, Change::Enable, context, screen).await,
        KeysCommand::Rotate(rotate) => {
            let client = Client::new(&rotate.remote, context)?;
            secrets::rotate(&client, screen, &rotate).await
        }
        KeysCommand::Usage(asked) => {
            let client = Client::new(&asked.remote, context)?;
            usage::show(&client, screen, &asked).await
        }
    }
}

async fn show_list(client: &Client, screen: Screen, asked: ListKeys) -> Done {
    let filters = [
        ("kind", asked.kind),
        ("environment", asked.environment),
        ("status", asked.status),
        ("application_id", asked.application_id.map(|id| id.to_string())),
        ("external_id", asked.external_id),
        ("tag", asked.tag),
        ("archived", asked.archived.then(|| "true".to_owned())),
        ("q", asked.q),
        ("sort", asked.sort),
    ];
    let filters = filters.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let list = List {
        path: format!("/v1/projects/{}/keys", asked.project),
        filters: filters.collect(),
        columns: COLUMNS,
        none: "No keys.",
    };
    lists::show(client, screen, asked.paging, &list).await
}

/// The fields of a key, for a person.
fn fields(key: &Row) -> Vec<(String, String)> {
    let is_new = |name: &&str| !FIELDS.contains(name) && !REPEATED.contains(name);
    let names = FIELDS.iter().copied().chain(key.names().filter(is_new));
    names.map(|name| (name.to_owned(), key.text(name))).collect()
}

/// Changes each key. One that can't be changed does not save the next ones from it, nor does a
/// reader of standard output that has seen enough; the first failure is the command's.
async fn change(keys: &SomeKeys, change: Change, context: Context, screen: Screen) -> Done {
    let client = Client::new(&keys.remote, context)?;
    let mut first: Option<Failure> = None;
    let mut printed: Done = Ok(());
    let mut bodies = 0_usize;
    for id in &keys.ids {
        let failure = match change_one(&client, &id.to_string(), change).await {
            Ok(body) => {
                if client.json() && !body.is_empty() && printed.is_ok() {
                    printed = print_body(screen, &body, bodies == 0);
                    bodies += 1;
                }
                tell(&format!("{} {id}.", change.done()));
                continue;
            }
            Err(failure) => Failure::new(failure.exit, format!("{id}: {failure}")),
        };
        if first.is_none() {
            // It is reported by the caller.
            first = Some(failure);
        } else {
            tell(&format!("error: {failure}"));
        }
    }
    first.map_or(printed, Err)
}

/// Changes a key; the body of the response, which may be empty.
async fn change_one(client: &Client, id: &str, change: Change) -> Result<Bytes, Failure> {
    let path = format!("/v1/keys/{id}");
    let switched =
        |disabled: bool| Request::new(Method::PATCH, &path).json(&json!({ "disabled": disabled }));
    let request = match change {
        Change::Revoke => Request::new(Method::DELETE, &path),
        Change::Disable => switched(true),
        Change::Enable => switched(false),
    };
    Ok(client.send(&request).await?.body)
}

/// Prints a body on a line of its own. The only one is printed as it is.
fn print_body(screen: Screen, body: &[u8], is_first: bool) -> Done {
    if !is_first && screen.width.is_none() {
        print(b"\n")?;
    }
    screen.print_body(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_is_shown_with_fields_of_newer_servers() {
        let key = r#"{"id":"key_1","name":"a","archived":false,"disabled":false,"mood":"good"}"#;
        let fields = fields(&serde_json::from_str(key).unwrap());
        let of = |name: &str| fields.iter().find(|(field, _)| field == name);
        assert_eq!(fields.first(), Some(&("id".to_owned(), "key_1".to_owned())));
        assert_eq!(fields.last(), Some(&("mood".to_owned(), "good".to_owned())));
        assert!(of("disabled").is_none());
    }
}
