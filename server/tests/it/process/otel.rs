//! Traces and logs of the server itself. The collector is another server, which stores them as
//! those of an application.

use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::Duration;

use reqwest::Client;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Process, client, command, generate, get_json, log_file, sign_in};
use crate::ports::free_port;
use crate::process::edge::free_address;
use crate::test_app::{LOCAL_CODE, text};

/// The trace that a client of the server has begun, and its span.
pub(crate) const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";
/// How long what has to happen may take.
const DEADLINE: Duration = Duration::from_secs(30);

/// What goes into the header `traceparent`.
pub(crate) fn traceparent() -> String {
    format!("00-{TRACE}-{PARENT}-01")
}

/// A server that collects what another one exports.
pub(crate) struct Collector {
    process: Process,
    client: Client,
    jwt: String,
    application: String,
    key: String,
    _folder: TempDir,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let (folder, client) = (TempDir::new().unwrap(), client());
        let process = Process::start(&folder, &client).await;
        let (jwt, application) = sign_in(&client, &process.base).await;
        let key = generate(&client, &process.base, &jwt, &application).await;
        Self { process, client, jwt, application, key, _folder: folder }
    }

    /// The command of a server that exports to this one.
    pub(crate) fn command(&self, folder: &TempDir) -> Command {
        let mut command = command(folder);
        export_to(&mut command, &self.process.base, &self.key);
        command
    }

    /// All items that a filter leaves of `traces` or `logs`.
    pub(crate) async fn items(&self, what: &str, filter: &str) -> Vec<Value> {
        let path = format!("{}/v1/applications/{}", self.process.base, self.application);
        let (mut items, mut cursor) = (Vec::new(), String::new());
        loop {
            let url = format!("{path}/{what}?limit=100{filter}{cursor}");
            let page = get_json(&self.client, &url, &self.jwt).await;
            items.extend(page["data"].as_array().unwrap().iter().cloned());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return items,
            }
        }
    }
}

/// Lets a server export in short intervals, its logs as JSON.
fn export_to(command: &mut Command, base: &str, key: &str) {
    command
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", base)
        .env("OTEL_EXPORTER_OTLP_HEADERS", format!("x-api-key={key}"))
        .env("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "http/json")
        .env("OTEL_BSP_SCHEDULE_DELAY", "50")
        .env("OTEL_BLRP_SCHEDULE_DELAY", "50");
}

/// Makes an inference key in the project of an application; its secret.
async fn inference_key(client: &Client, base: &str, jwt: &str, application: &str) -> String {
    let url = format!("{base}/v1/applications/{application}");
    let project = text(&get_json(client, &url, jwt).await["project_id"]);
    let path = format!("{base}/v1/projects/{project}/inference/keys");
    let made = client.post(path).bearer_auth(jwt).json(&json!({ "name": "k" }));
    let made: Value = made.send().await.unwrap().json().await.unwrap();
    text(&made["key"])
}

/// Waits for a process that was told to stop; its exit code.
pub(crate) async fn ended(process: Process) -> Option<i32> {
    let waiting = tokio::task::spawn_blocking(move || process.wait());
    tokio::time::timeout(DEADLINE, waiting).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_exported_as_spans_and_logs_without_secrets() {
    let (collector, client) = (Collector::start().await, client());
    let folder = TempDir::new().unwrap();
    let server = Process::start_command(collector.command(&folder), &folder, &client).await;
    let base = server.base.clone();
    let (jwt, application) = sign_in(&client, &base).await;
    let key = inference_key(&client, &base, &jwt, &application).await;
    let url = format!("{base}/v1/chat/completions?token=abracadabra");
    let call = json!({
        "model": "sandbox", "messages": [{ "role": "user", "content": "open sesame" }],
    });
    let call = client.post(&url).bearer_auth(&key).header("traceparent", traceparent()).json(&call);
    let answered = call.send().await.unwrap();
    let id = answered.headers()["x-request-id"].to_str().unwrap().to_owned();
    let answered: Value = answered.json().await.unwrap();
    let refused = client.post(&url).body("{}").send().await.unwrap();
    assert_eq!(refused.status(), 401);
    let lost = client.get(format!("{base}/v1/applications/{key}")).send().await.unwrap();
    assert!(lost.status().is_client_error());
    server.signal("-TERM");
    assert_eq!(ended(server).await, Some(0));

    let spans = collector.items("traces", &format!("&trace_id={TRACE}")).await;
    let of_kind = |kind: &str| spans.iter().find(|span| span["meta"]["kind"] == kind).unwrap();
    assert_eq!(spans.len(), 2, "{spans:#?}");
    let (request, model) = (of_kind("server"), of_kind("internal"));
    assert_eq!(request["parentSpanId"], PARENT);
    assert_eq!(request["requestMethod"], "POST");
    assert_eq!(request["requestURL"], "/v1/chat/completions");
    assert_eq!(request["responseStatus"], 200);
    assert_eq!(request["meta"]["name"], "POST /v1/chat/completions");
    assert_eq!(request["meta"]["resource"]["service.name"], "latchkey");
    assert_eq!(request["meta"]["attributes"]["http.route"], "/v1/chat/completions");
    assert_eq!(request["meta"]["attributes"]["server.address"], "127.0.0.1");
    assert_eq!(request["meta"]["attributes"]["latchkey.request_id"], id);
    assert_eq!(model["parentSpanId"], request["spanId"]);
    assert_eq!(model["meta"]["name"], "chat sandbox");
    let usage = &answered["usage"];
    for (name, value) in [
        ("gen_ai.operation.name", json!("chat")),
        ("gen_ai.provider.name", json!("latchkey")),
        ("gen_ai.request.model", json!("sandbox")),
        ("gen_ai.response.model", json!("sandbox")),
        ("gen_ai.usage.input_tokens", usage["prompt_tokens"].clone()),
        ("gen_ai.usage.output_tokens", usage["completion_tokens"].clone()),
    ] {
        assert_eq!(model["meta"]["attributes"][name], value, "{name}");
    }

    let logs = collector.items("logs", &format!("&trace_id={TRACE}")).await;
    let line = logs.iter().find(|log| log["message"] == "Request completed").unwrap();
    assert_eq!(line["meta"]["spanId"], request["spanId"]);
    assert_eq!(line["meta"]["attributes"]["status"], 200);

    let refusals = collector.items("traces", "&q=missing_key").await;
    let refusal = refusals.iter().find(|span| span["responseStatus"] == 401).unwrap();
    assert_eq!(refusal["meta"]["attributes"]["error.type"], "missing_key");
    let lost = collector.items("traces", "&q=/v1/applications/%7Bid%7D").await;
    let is_refused = |span: &Value| span["responseStatus"].as_u64() >= Some(400);
    assert!(lost.iter().any(is_refused), "{lost:#?}");

    let everything = [collector.items("traces", "").await, collector.items("logs", "").await];
    let everything = serde_json::to_string(&everything).unwrap();
    assert!(everything.contains("Server stopped"), "the last line is there");
    let code = LOCAL_CODE.replace(' ', "%20");
    let keys = [&key, &jwt, &collector.key, &code].map(String::as_str);
    for secret in keys.into_iter().chain(["open sesame", "abracadabra"]) {
        assert!(!everything.contains(secret), "{secret} was exported");
    }
}

/// A server without the variables has no thread that exports.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn nothing_is_started_without_variables() {
    let (folder, client) = (TempDir::new().unwrap(), client());
    let exporters = |process: &Process| {
        let threads = std::fs::read_dir(format!("/proc/{}/task", process.id())).unwrap();
        let names = threads.map(|thread| thread.unwrap().path().join("comm"));
        let names = names.filter_map(|name| std::fs::read_to_string(name).ok());
        names.filter(|name| name.starts_with("OpenTelemetry")).count()
    };
    let process = Process::start(&folder, &client).await;
    assert_eq!(exporters(&process), 0);
    process.kill();
    let mut command = command(&folder);
    export_to(&mut command, "http://127.0.0.1:1", "sesame");
    let process = Process::start_command(command, &folder, &client).await;
    assert_eq!(exporters(&process), 2, "one for spans, one for log records");
}

#[tokio::test(flavor = "multi_thread")]
async fn server_that_exports_to_itself_comes_to_rest() {
    let (folder, client, port) = (TempDir::new().unwrap(), client(), free_port());
    let process = Process::start(&folder, &client).await;
    let (jwt, application) = sign_in(&client, &process.base).await;
    let key = generate(&client, &process.base, &jwt, &application).await;
    process.signal("-TERM");
    assert_eq!(ended(process).await, Some(0));

    let mut command = command(&folder);
    export_to(&mut command, &format!("http://127.0.0.1:{port}"), &key);
    let process = Process::start_on(port, command, &folder, &client).await;
    let (jwt, _) = sign_in(&client, &process.base).await;
    let url = format!("{}/v1/applications/{application}/traces?limit=1", process.base);
    let began = async {
        while get_json(&client, &url, &jwt).await["data"][0].is_null() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(DEADLINE, began).await.unwrap();
    // Twenty intervals without an export are rest.
    let exports = || {
        let log = std::fs::read_to_string(log_file(&folder)).unwrap();
        let of_export = |line: &&str| {
            ["traces", "logs"].iter().any(|what| line.contains(&format!("\"path\":\"/v1/{what}\"")))
        };
        log.lines().filter(of_export).count()
    };
    let at_rest = async {
        let mut seen = 0;
        while seen != exports() || seen == 0 {
            seen = exports();
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::time::timeout(DEADLINE, at_rest).await.unwrap();
    process.signal("-TERM");
    assert_eq!(ended(process).await, Some(0));
}

/// A collector that takes connections and never answers.
#[tokio::test(flavor = "multi_thread")]
async fn silent_collector_delays_neither_requests_nor_the_end() {
    let (folder, client, metrics) = (TempDir::new().unwrap(), client(), free_address());
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut command = command(&folder);
    let base = format!("http://{}", silent.local_addr().unwrap());
    export_to(&mut command, &base, "sesame");
    command
        .env("OTEL_EXPORTER_OTLP_TIMEOUT", "120000")
        .env("OTEL_BSP_MAX_QUEUE_SIZE", "4")
        .env("OTEL_BLRP_MAX_QUEUE_SIZE", "4")
        .arg(format!("--latchkey-metrics-listen={metrics}"));
    let process = Process::start_command(command, &folder, &client).await;
    let url = format!("{}/v1/chat/completions", process.base);
    let calls = async {
        for _ in 0..50 {
            assert_eq!(client.post(&url).body("{}").send().await.unwrap().status(), 401);
        }
    };
    tokio::time::timeout(DEADLINE, calls).await.unwrap();
    let told = client.get(format!("http://{metrics}/metrics")).send().await.unwrap();
    let told = told.text().await.unwrap();
    for signal in ["traces", "logs"] {
        let start =
            format!("latchkey_otel_dropped_total{{signal=\"{signal}\",reason=\"queue_full\"}} ");
        let dropped = told.lines().find_map(|line| line.strip_prefix(&start)).unwrap();
        // At most one batch is on its way, and one waits.
        assert!(dropped.parse::<u64>().unwrap() >= 50 - 8, "{dropped} {signal}");
    }
    process.signal("-TERM");
    assert_eq!(ended(process).await, Some(0));
    let log = std::fs::read_to_string(log_file(&folder)).unwrap();
    assert!(log.contains("Telemetry was not exported in time"), "{log}");
    assert!(!log.contains("sesame"), "{log}");
}

#[test]
fn unsupported_protocol_refuses_to_start() {
    let folder = TempDir::new().unwrap();
    let mut command = command(&folder);
    export_to(&mut command, "http://127.0.0.1:4317", "sesame");
    command
        .env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
        .env_remove("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL")
        .arg("--latchkey-listen=127.0.0.1:0");
    let output = command.stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("OTEL_EXPORTER_OTLP_PROTOCOL=grpc is not supported"), "{told}");
    assert!(!told.contains("sesame"), "{told}");
}

#[test]
fn config_check_names_variables_and_hides_secrets() {
    let folder = TempDir::new().unwrap();
    let data = format!("--latchkey-data-dir={}", folder.path().join("data").display());
    let mut command = Command::new(env!("CARGO_BIN_EXE_latchkey"));
    command.args(["config", "check", &data]).env_clear();
    export_to(&mut command, "http://sesame.example", "sesame");
    let output = command.env("OTEL_TRACES_SAMPLER", "sometimes").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stdout).unwrap();
    for line in [
        "OTEL_EXPORTER_OTLP_ENDPOINT\tvariable\t(secret)",
        "OTEL_EXPORTER_OTLP_HEADERS\tvariable\t(secret)",
        "OTEL_BSP_SCHEDULE_DELAY\tvariable\t50",
    ] {
        assert!(said.lines().any(|one| one == line), "{line} is not in\n{said}");
    }
    assert!(said.contains("invalid: OTEL_TRACES_SAMPLER must be one of"), "{said}");
    assert!(!said.contains("sesame"), "{said}");
}
