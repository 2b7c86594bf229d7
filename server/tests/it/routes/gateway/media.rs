//! Rankings, moderations, images and audio: what passes, what is counted, and what is refused.

use axum::body::Bytes;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::upstream::Script;
use super::{Gateway, inference_key, refused};
use crate::test_app::{Backend, TestApp, on_both_databases, text};

const BOUNDARY: &str = "----b0undary";
const TRANSCRIPTIONS: &str = "/v1/audio/transcriptions";
const EVENTS: &str = "text/event-stream";

/// A form. A name may be followed by other parameters.
fn form(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut form = Vec::new();
    for (name, value) in parts {
        let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name={name}\r\n\r\n");
        form.extend_from_slice(head.as_bytes());
        form.extend_from_slice(value);
        form.extend_from_slice(b"\r\n");
    }
    form.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    form
}

async fn send_form(app: &TestApp, key: &str, path: &str, form: Vec<u8>) -> reqwest::Response {
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    let call = app.post(path).bearer_auth(key).header("content-type", kind);
    call.body(form).send().await.unwrap()
}

async fn send(app: &TestApp, key: &str, path: &str, body: &Value) -> reqwest::Response {
    app.post(path).bearer_auth(key).json(body).send().await.unwrap()
}

fn answers(content_type: &str, body: impl Into<Bytes>) -> Script {
    Script::Raw(200, vec![("content-type", content_type.to_owned())], body.into())
}

/// Prompt and completion tokens of a key, and its requests.
async fn used(gateway: &Gateway, id: &str) -> [u64; 3] {
    gateway.app.services.settled().await;
    let path = format!("/v1/inference/keys/{id}/usage?range=1h");
    let used = gateway.app.json(&path, &gateway.ada.jwt).await;
    ["prompt_tokens", "completion_tokens", "requests"]
        .map(|name| used["totals"][name].as_u64().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn total_of_a_ranking_is_its_prompt() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, id) = gateway.key(json!({ "name": "k", "tpm": 100_000 })).await;
    let told = json!({ "results": [], "usage": { "total_tokens": 42 } });
    gateway.upstream.script("told", answers("application/json", told.to_string()));
    gateway.upstream.script("untold", answers("application/json", r#"{"results": []}"#));
    let mut sums = Vec::new();
    for user in ["told", "untold"] {
        let documents = json!(["12345678", { "text": "1234" }]);
        let body = json!({
            "model": "qwen3.6-27b", "user": user, "query": "1234", "documents": documents,
        });
        let answer = send(&gateway.app, &key, "/v1/rerank", &body).await;
        assert_eq!(answer.status(), 200);
        let call = gateway.upstream.seen().pop().unwrap();
        assert_eq!((call.path.as_str(), &call.body["documents"]), ("rerank", &documents));
        assert_eq!(call.body["model"], "Qwen/Qwen3.6-27B");
        assert!(call.body.get("max_tokens").is_none(), "a ranking has no cap");
        sums.push(used(&gateway, &id).await);
    }
    // The estimate: two tokens, one, and one beside the overhead of an object.
    assert_eq!(sums, [[42, 0, 1], [42 + 2 + 1 + 1 + 4, 0, 2]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn audio_passes_byte_for_byte_and_is_not_counted() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, id) = gateway.key(json!({ "name": "k", "max_parallel": 1 })).await;
    let audio: Vec<u8> = (0..300_000_u32).map(|at| at.to_le_bytes()[at as usize % 2]).collect();
    let begin = br#"{"error": {"message": "x"}, "usage": {"total_tokens": 9}}"#;
    let json = [begin.as_slice(), &audio].concat();
    for (index, audio) in [audio.clone(), json, Vec::new()].into_iter().enumerate() {
        gateway.upstream.script("a", answers("audio/mpeg; rate=24000", audio.clone()));
        let body = json!({
            "model": "bge-m3", "user": "a", "input": "12345678", "voice": "alloy", "speed": 1.5,
        });
        let answer = send(&gateway.app, &key, "/v1/audio/speech", &body).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "audio/mpeg; rate=24000");
        assert_eq!(answer.bytes().await.unwrap(), audio);
        let calls = index as u64 + 1;
        // Each is settled before its end has come: the next call had the one place.
        assert_eq!(used(&gateway, &id).await, [2 * calls, 0, calls]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn audio_is_forwarded_while_it_arrives() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, _) = gateway.key(json!({ "name": "k" })).await;
    let body = json!({ "model": "bge-m3", "user": "a", "input": "Hi" });
    gateway.upstream.script("a", Script::Hang(vec!["ID3".into()]));
    let mut answer = send(&gateway.app, &key, "/v1/audio/speech", &body).await;
    assert_eq!(answer.chunk().await.unwrap().unwrap(), "ID3", "long before the end");
    drop(answer);
    gateway.upstream.script("a", Script::Break(vec!["ID3".into()]));
    let broken = send(&gateway.app, &key, "/v1/audio/speech", &body).await;
    assert_eq!(broken.status(), 200);
    assert!(broken.bytes().await.is_err(), "it is not taken for whole");
}

#[tokio::test(flavor = "multi_thread")]
async fn form_passes_byte_for_byte() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, id) = gateway.key(json!({ "name": "k" })).await;
    let recording: Vec<u8> = (0..10 * 1024 * 1024_u32).map(|at| at.to_le_bytes()[1]).collect();
    let told = json!({ "text": "Hi", "usage": { "input_tokens": 14, "output_tokens": 45 } });
    gateway.upstream.script("audio/transcriptions", answers("application/json", told.to_string()));
    let file = ("file; filename=\"a b.wav\"", recording.as_slice());
    let prompt: (&str, &[u8]) = ("\"prompt\"", b"as before");
    let include: (&str, &[u8]) = ("\"include[]\"", b"logprobs");
    for model_is_first in [true, false] {
        let with = |model: (&'static str, &'static [u8])| {
            let mut parts = vec![file, prompt, include, include];
            parts.insert(if model_is_first { 0 } else { 4 }, model);
            form(&parts)
        };
        let sent = with(("model", b"bge-m3"));
        let answer = send_form(&gateway.app, &key, TRANSCRIPTIONS, sent.clone()).await;
        assert_eq!(answer.json::<Value>().await.unwrap(), told);
        let call = gateway.upstream.seen().pop().unwrap();
        assert_eq!(call.path, "audio/transcriptions");
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        assert_eq!(call.headers["content-type"], kind.as_str());
        assert!(call.raw == sent, "it is the same");
        let sent = with(("model", b"qwen3.6-27b"));
        send_form(&gateway.app, &key, TRANSCRIPTIONS, sent).await;
        let wanted = with(("\"model\"", b"Qwen/Qwen3.6-27B"));
        assert!(gateway.upstream.seen().pop().unwrap().raw == wanted, "only its name is another");
    }
    assert_eq!(used(&gateway, &id).await, [4 * 14, 4 * 45, 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn doubtful_forms_are_refused() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, _) = gateway.key(json!({ "name": "k" })).await;
    let model: (&str, &[u8]) = ("model", b"bge-m3");
    let file: (&str, &[u8]) = ("file; filename=a", b"RIFF");
    let whole = form(&[model, file]);
    let long = vec![b'x'; 1024 * 1024];
    for (form, param) in [
        (form(&[file]), "model"),
        (form(&[model, file, model]), "model"),
        (form(&[model, file, ("\"model[]\"", b"other")]), "model"),
        (form(&[("Model", b"bge-m3"), file]), "model"),
        (form(&[("model", b""), file]), "model"),
        (form(&[("model", b"\xff"), file]), "model"),
        (form(&[model]), "file"),
        (form(&[model, ("file; filename=a", b"")]), "file"),
        (form(&[model, file, ("stream", b"perhaps")]), "stream"),
        (form(&[model, file, ("prompt", &long)]), "prompt"),
    ] {
        let answer = send_form(&gateway.app, &key, TRANSCRIPTIONS, form).await;
        assert_eq!(refused(answer, 400, "invalid").await["error"]["param"], param);
    }
    let cut = whole[..whole.len() - 5].to_vec();
    let doubled = [whole.as_slice(), &whole].concat();
    let inside = form(&[model, ("file; filename=a", format!("x\n--{BOUNDARY}\n").as_bytes())]);
    for form in
        [Vec::new(), b"{}".to_vec(), cut, doubled, inside, [b"\r\n".as_slice(), &whole].concat()]
    {
        let answer = send_form(&gateway.app, &key, TRANSCRIPTIONS, form).await;
        refused(answer, 400, "malformed").await;
    }
    let utf7 = format!("multipart/form-data; charset=utf-7; boundary={BOUNDARY}");
    let other = "multipart/form-data; boundary=other";
    for kind in ["application/json", "multipart/form-data", other, &utf7] {
        let call = gateway.app.post(TRANSCRIPTIONS).bearer_auth(&key).header("content-type", kind);
        refused(call.body(whole.clone()).send().await.unwrap(), 400, "malformed").await;
    }
    assert!(gateway.upstream.seen().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_of_media_are_bounded() {
    let app = TestApp::on(Backend::Sqlite).await;
    let ada = app.sign_in("ada").await;
    let (key, _) = inference_key(&app, &ada, json!({ "name": "k" })).await;
    let of = |bytes: usize| form(&[("model", b"sandbox"), ("file", &vec![b'x'; bytes])]);
    let overhead = of(0).len();
    let most = 32 * 1024 * 1024 - overhead;
    let answer = send_form(&app, &key, TRANSCRIPTIONS, of(most)).await;
    let answer: Value = answer.json().await.unwrap();
    assert!(text(&answer["text"]).contains(&most.to_string()), "{answer}");
    let answer = send_form(&app, &key, TRANSCRIPTIONS, of(most + 1)).await;
    refused(answer, 413, "too_large").await;
    let long = "x".repeat(10 * 1024 * 1024);
    for (path, body) in [
        ("/v1/audio/speech", json!({ "model": "sandbox", "input": long })),
        ("/v1/moderations", json!({ "input": long })),
    ] {
        refused(send(&app, &key, path, &body).await, 413, "too_large").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn restricted_key_routes_no_form_elsewhere() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, _) = gateway.key(json!({ "name": "m", "allowed_models": ["bge-m3"] })).await;
    let parts = |more: (&'static str, &'static [u8])| {
        form(&[("file; filename=a", b"RIFF"), more, ("model", b"bge-m3")])
    };
    for name in ["models", "\"fallbacks[]\"", "API_BASE", "\"extra_body[model]\""] {
        let answer = send_form(&gateway.app, &key, TRANSCRIPTIONS, parts((name, b"x"))).await;
        refused(answer, 400, "invalid").await;
    }
    assert!(gateway.upstream.seen().is_empty());
    let answer = send_form(&gateway.app, &key, TRANSCRIPTIONS, parts(("language", b"en"))).await;
    assert_eq!(answer.status(), 200);
    let other = form(&[("file; filename=a", b"RIFF"), ("model", b"qwen3.6-27b")]);
    let answer = send_form(&gateway.app, &key, TRANSCRIPTIONS, other).await;
    refused(answer, 403, "model_not_allowed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_model_is_the_first_that_serves_the_endpoint() {
    let more = "endpoints = [\"chat\"]\nmodels = [\"chat-only\"]\n[[upstream]]\nname = \"rest\"\n\
                base_url = \"http://127.0.0.1:9/v1\"\nendpoints = [\"moderations\"]";
    // The models of the first upstream's table go to the second.
    let gateway = Gateway::with(Backend::Sqlite, more, &[]).await;
    let (key, _) = gateway.key(json!({ "name": "k" })).await;
    let moderation = json!({ "input": "Hi" });
    let answer = send(&gateway.app, &key, "/v1/moderations", &moderation).await;
    refused(answer, 502, "upstream_unreachable").await;
    let (fenced, _) = gateway.key(json!({ "name": "f", "allowed_models": ["gone"] })).await;
    let answer = send(&gateway.app, &fenced, "/v1/moderations", &moderation).await;
    refused(answer, 403, "model_not_allowed").await;
    let speech = json!({ "model": "chat-only", "input": "Hi" });
    let answer = send(&gateway.app, &key, "/v1/audio/speech", &speech).await;
    assert_eq!(answer.headers()["allow"], "");
    refused(answer, 405, "endpoint_not_supported").await;
    let all = Gateway::on(Backend::Sqlite).await;
    let (key, _) = all.key(json!({ "name": "k" })).await;
    for (path, body) in [
        ("/v1/moderations", json!({ "input": "Hi" })),
        ("/v1/images/generations", json!({ "prompt": "Hi", "model": null })),
    ] {
        assert_eq!(send(&all.app, &key, path, &body).await.status(), 200);
        assert_eq!(all.upstream.seen().pop().unwrap().body["model"], "bge-m3", "{path}");
    }
    let speech = json!({ "input": "Hi" });
    let answer = send(&all.app, &key, "/v1/audio/speech", &speech).await;
    assert_eq!(refused(answer, 400, "invalid").await["error"]["param"], "model");
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_of_media_are_checked() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, _) = gateway.key(json!({ "name": "k" })).await;
    for (path, body, param) in [
        ("/v1/images/generations", json!({ "prompt": "a", "n": 0 }), "n"),
        ("/v1/images/generations", json!({ "prompt": "a", "n": 129 }), "n"),
        ("/v1/images/generations", json!({ "prompt": "a", "n": "2" }), "n"),
        ("/v1/images/generations", json!({ "prompt": ["a"] }), "prompt"),
        ("/v1/images/generations", json!({ "prompt": "a", "stream": 1 }), "stream"),
        ("/v1/audio/speech", json!({ "model": "bge-m3" }), "input"),
        ("/v1/moderations", json!({}), "input"),
        ("/v1/moderations", json!({ "input": "a", "model": "" }), "model"),
        ("/v1/rerank", json!({ "model": "bge-m3", "query": "a", "documents": [] }), "documents"),
        ("/v1/rerank", json!({ "model": "bge-m3", "Query": "a", "documents": ["a"] }), "query"),
        ("/v1/rerank", json!({ "query": "a", "documents": ["a"] }), "model"),
    ] {
        let answer = send(&gateway.app, &key, path, &body).await;
        assert_eq!(refused(answer, 400, "invalid").await["error"]["param"], param, "{body}");
    }
    assert!(gateway.upstream.seen().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_of_media_end_in_their_own_way() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, id) = gateway.key(json!({ "name": "k", "tpm": 100_000 })).await;
    let event = |json: Value| format!("data: {json}\n\n");
    let delta = event(json!({ "type": "transcript.text.delta", "delta": "12345678" }));
    let usage = json!({ "input_tokens": 14, "output_tokens": 45, "total_tokens": 59 });
    let done = event(json!({ "type": "transcript.text.done", "text": "12345678", "usage": usage }));
    let parts = form(&[("model", b"bge-m3"), ("file", b"RIFF"), ("stream", b"true")]);
    let ask = async |sent: String| {
        gateway.upstream.script("audio/transcriptions", answers(EVENTS, sent));
        let answer = send_form(&gateway.app, &key, TRANSCRIPTIONS, parts.clone()).await;
        assert_eq!(answer.headers()["content-type"], EVENTS);
        answer.text().await.unwrap()
    };
    let whole = format!("{delta}{done}");
    assert_eq!(ask(whole.clone()).await, whole, "nothing is added");
    assert_eq!(used(&gateway, &id).await, [14, 45, 1]);
    let chunk = json!({ "choices": [{ "delta": { "content": "1234" }, "finish_reason": "stop" }] });
    let chat = format!("{}data: [DONE]\n\n", event(chunk));
    assert_eq!(ask(chat.clone()).await, chat, "as some servers stream transcripts");
    assert_eq!(used(&gateway, &id).await, [14, 46, 2]);
    let cut = ask(delta.clone()).await;
    let error = cut.strip_prefix(delta.as_str()).unwrap().strip_prefix("data: ").unwrap();
    let error: Value = serde_json::from_str(error).unwrap();
    assert_eq!(error["error"]["code"], "upstream_error");
    assert_eq!(used(&gateway, &id).await, [14, 48, 3], "what had come is charged");
    let told = json!({ "error": { "message": "at 10.0.0.1", "type": "x", "code": "y" } });
    let failed = ask(format!("{delta}{}", event(told))).await;
    assert!(failed.contains("\"code\":\"y\"") && !failed.contains("10.0.0.1"), "{failed}");
    assert!(!failed.contains("[DONE]"), "{failed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn transcript_as_text_is_counted() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, id) = gateway.key(json!({ "name": "k" })).await;
    let parts = form(&[("model", b"bge-m3"), ("file", b"RIFF"), ("prompt", b"1234")]);
    let path = "/v1/audio/translations";
    let error =
        json!({ "error": { "message": "too long", "type": "t", "param": null, "code": "c" } });
    let refuses = Script::Json(StatusCode::BAD_REQUEST, error.to_string().into());
    gateway.upstream.script("audio/translations", refuses);
    let answer = send_form(&gateway.app, &key, path, parts.clone()).await;
    assert_eq!(answer.status(), 400);
    assert_eq!(answer.json::<Value>().await.unwrap(), error, "in the upstream's own words");
    assert_eq!(used(&gateway, &id).await, [0, 0, 1]);
    gateway.upstream.script("audio/translations", answers("text/vtt", "WEBVTT\n\n"));
    let answer = send_form(&gateway.app, &key, path, parts).await;
    assert_eq!(answer.headers()["content-type"], "text/vtt");
    assert_eq!(answer.text().await.unwrap(), "WEBVTT\n\n");
    assert_eq!(used(&gateway, &id).await, [1, 2, 2]);
}

on_both_databases! {
    async fn sandbox_answers_media(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let budget = json!({ "name": "k", "token_limit": 100_000, "token_limit_period": "month" });
        let (key, id) = inference_key(&app, &ada, budget).await;
        let images = json!({ "prompt": "a rose", "n": 2 });
        let images = send(&app, &key, "/v1/images/generations", &images).await;
        let images: Value = images.json().await.unwrap();
        let [first, second] = [0_usize, 1].map(|index| text(&images["data"][index]["b64_json"]));
        assert_ne!(first, second);
        let png = data_encoding::BASE64.decode(first.as_bytes()).unwrap();
        assert!(png.starts_with(b"\x89PNG\r\n\x1a\n"));
        let speech = json!({ "model": "sandbox", "input": "Hi", "response_format": "wav" });
        let speech = send(&app, &key, "/v1/audio/speech", &speech).await;
        assert_eq!(speech.headers()["content-type"], "audio/wav");
        let wav = speech.bytes().await.unwrap();
        assert!(wav.starts_with(b"RIFF") && wav[8..].starts_with(b"WAVE"));
        let moderation = send(&app, &key, "/v1/moderations", &json!({ "input": "Hi" })).await;
        let moderation: Value = moderation.json().await.unwrap();
        assert_eq!(moderation["results"][0]["flagged"], false);
        assert_eq!(moderation["model"], "sandbox");
        let ranking = json!({ "model": "sandbox", "query": "a", "documents": ["b", "c"] });
        let ranking = send(&app, &key, "/v1/rerank", &ranking).await;
        let ranking: Value = ranking.json().await.unwrap();
        assert_eq!(ranking["results"].as_array().unwrap().len(), 2);
        let parts = form(&[("stream", b"true"), ("file", b"RIFF"), ("model", b"sandbox")]);
        let stream = send_form(&app, &key, TRANSCRIPTIONS, parts).await.text().await.unwrap();
        let last = stream.trim_end().rsplit("\n\n").next().unwrap();
        let last: Value = serde_json::from_str(last.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(last["type"], "transcript.text.done");
        let path = format!("/v1/inference/keys/{id}/usage?range=1h");
        let used = app.json(&path, &ada.jwt).await;
        assert_eq!(used["totals"]["requests"], 5);
        assert_eq!(used["totals"]["completion_tokens"], last["usage"]["output_tokens"]);
    }
}
