//! Answers that real servers gave, replayed: what is charged of each, and what a client is shown.
//!
//! `transcripts/*.json` were recorded from the servers that they name, run on one machine with
//! random models of two layers. Ids, texts, times and vectors are replaced, by values of the same
//! length where it counts; everything else is as it came. `charged` is what the server counted, or
//! no prompt and a quarter of the text's bytes where it counted nothing.

use serde::Deserialize;
use serde_json::{Value, json};

use super::Gateway;
use super::upstream::Script;
use crate::test_app::{Backend, text};

#[derive(Deserialize)]
struct Transcript {
    server: String,
    exchanges: Vec<Exchange>,
}

#[derive(Deserialize)]
struct Exchange {
    name: String,
    path: String,
    status: u16,
    content_type: String,
    body: String,
    #[serde(default)]
    stream: bool,
    #[serde(default)]
    base64: bool,
    /// Tokens of the prompt, where they were told, and of the completion.
    charged: Option<(Option<u64>, u64)>,
    /// The event that only a client that asked for usage is shown.
    hidden: Option<String>,
    /// What the stream lacks at its end.
    added: Option<String>,
    /// The status of a refusal as a client gets it, and some of its words.
    told: Option<(u16, String)>,
}

fn transcripts() -> Vec<Transcript> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/routes/gateway/transcripts");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    files.map(|file| serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()).collect()
}

impl Exchange {
    /// The request as a client sends it, with usage asked for or not.
    fn request(&self, user: &str, usage: bool) -> Value {
        let mut body = match self.path.as_str() {
            "embeddings" => json!({ "model": "bge-m3", "input": "Hi" }),
            "completions" => json!({ "model": "qwen3.6-27b", "prompt": "Hi" }),
            _ => {
                let messages = [json!({ "role": "user", "content": "Hi" })];
                json!({ "model": "qwen3.6-27b", "messages": messages })
            }
        };
        body["user"] = json!(user);
        if self.stream {
            body["stream"] = json!(true);
        }
        if usage {
            body["stream_options"] = json!({ "include_usage": true });
        }
        if self.base64 {
            body["encoding_format"] = json!("base64");
        }
        body
    }

    /// What a client is shown of a success: each byte, but for usage that it did not ask for.
    fn shown(&self, usage: bool) -> String {
        let hidden = self.hidden.as_deref().filter(|_| !usage).unwrap_or_default();
        let body = if hidden.is_empty() {
            self.body.clone()
        } else {
            assert!(self.body.contains(hidden));
            self.body.replace(hidden, "")
        };
        body + self.added.as_deref().unwrap_or_default()
    }

    async fn replay(&self, gateway: &Gateway, server: &str, usage: bool) {
        let name = format!("{server}, {}{}", self.name, if usage { ", counted" } else { "" });
        let head = vec![("content-type", self.content_type.clone())];
        gateway.upstream.script(&name, Script::Raw(self.status, head, self.body.clone().into()));
        let (key, id) = gateway.key(json!({ "name": name })).await;
        let post = gateway.app.post(&format!("/v1/{}", self.path)).bearer_auth(key);
        let answer = post.json(&self.request(&name, usage)).send().await.unwrap();
        let status = answer.status().as_u16();
        let shown = answer.text().await.unwrap();
        gateway.app.services.settled().await;
        let path = format!("/v1/inference/keys/{id}/usage?range=1h");
        let used = gateway.app.json(&path, &gateway.ada.jwt).await["totals"].clone();
        let used = |of: &str| used[of].as_u64().unwrap();
        if let Some((wanted, words)) = &self.told {
            assert_eq!(status, *wanted, "{name}: {shown}");
            let error: Value = serde_json::from_str(&shown).unwrap();
            assert!(text(&error["error"]["message"]).contains(words), "{name}: {shown}");
            assert_eq!(used("prompt_tokens") + used("completion_tokens"), 0, "{name}");
            return;
        }
        let (prompt, completion) = self.charged.expect("a success is charged");
        assert_eq!(status, 200, "{name}: {shown}");
        assert_eq!(shown, self.shown(usage), "{name}");
        assert_eq!(used("completion_tokens"), completion, "{name}");
        match prompt {
            Some(prompt) => {
                assert_eq!(
                    (used("prompt_tokens"), used("estimated_tokens")),
                    (prompt, 0),
                    "{name}"
                );
            }
            None => assert!(used("estimated_tokens") > completion, "{name}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_of_real_servers_are_charged_and_shown_as_they_are() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let mut replayed = 0;
    for Transcript { server, exchanges } in transcripts() {
        for exchange in &exchanges {
            exchange.replay(&gateway, &server, false).await;
            if exchange.stream {
                exchange.replay(&gateway, &server, true).await;
            }
            replayed += 1;
        }
    }
    assert!(replayed > 40, "only {replayed}");
}
