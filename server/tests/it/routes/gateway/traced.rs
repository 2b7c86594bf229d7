//! What an upstream and a collector learn of a call.

use serde_json::json;
use tempfile::TempDir;

use super::upstream::Upstream;
use super::{asks, key_of};
use crate::process::otel::{Collector, TRACE, ended, traceparent};
use crate::process::{Process, client};

#[tokio::test(flavor = "multi_thread")]
async fn upstream_goes_on_with_the_trace_of_a_call() {
    let (collector, client) = (Collector::start().await, client());
    let folder = TempDir::new().unwrap();
    let (upstream, base_url) = Upstream::start().await;
    let file = folder.path().join("upstreams.toml");
    let toml =
        format!("[[upstream]]\nname = \"vllm\"\nbase_url = \"{base_url}\"\nmodels = [\"m\"]\n");
    std::fs::write(&file, toml).unwrap();
    let mut command = collector.command(&folder);
    command.arg(format!("--latchkey-upstreams={}", file.display()));
    let server = Process::start_command(command, &folder, &client).await;
    let key = key_of(&client, &server.base, &json!({ "name": "k" })).await;
    let call = client.post(format!("{}/v1/chat/completions", server.base));
    let call = call.bearer_auth(&key).header("traceparent", traceparent());
    let answered = call.json(&asks("m", "plain")).send().await.unwrap();
    assert_eq!(answered.status(), 200);
    answered.bytes().await.unwrap();
    server.signal("-TERM");
    assert_eq!(ended(server).await, Some(0));

    let spans = collector.items("traces", &format!("&trace_id={TRACE}&kind=client")).await;
    let [span] = &spans[..] else { panic!("{spans:#?}") };
    let attributes = &span["meta"]["attributes"];
    for (name, value) in [
        ("gen_ai.operation.name", json!("chat")),
        ("gen_ai.provider.name", json!("openai")),
        ("gen_ai.request.model", json!("m")),
        ("gen_ai.response.model", json!("m")),
        ("gen_ai.usage.input_tokens", json!(7)),
        ("gen_ai.usage.output_tokens", json!(3)),
        ("latchkey.upstream.name", json!("vllm")),
    ] {
        assert_eq!(attributes[name], value, "{name}");
    }
    let told = upstream.seen();
    let told = told[0].headers["traceparent"].to_str().unwrap();
    assert_eq!(told, format!("00-{TRACE}-{}-01", span["spanId"].as_str().unwrap()));
}
