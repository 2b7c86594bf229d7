//! Example programs that send telemetry with a key. They run as copied.
//!
//! They read the key from `LATCHKEY_KEY` and never contain it. Times in the shell commands are
//! literals, because quoting `$(date)` correctly is too much for a first try.

use latchkey_domain::id::ApplicationId;
use latchkey_domain::time::Timestamp;

/// What a program is written in; also what a tab is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// A shell command with curl.
    Curl,
    /// A middleware for Node's Express.
    Express,
    /// A program for Node.
    Node,
    /// A Go program, standard library only.
    Go,
    /// A Python program, standard library only.
    Python,
    /// Part of nginx's configuration.
    Nginx,
    /// A Caddyfile.
    Caddy,
}

impl Language {
    /// All of them, in the order of the tabs.
    pub const ALL: [Self; 7] =
        [Self::Curl, Self::Express, Self::Node, Self::Go, Self::Python, Self::Nginx, Self::Caddy];

    /// As the tab names it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Curl => "curl",
            Self::Express => "Express",
            Self::Node => "Node",
            Self::Go => "Go",
            Self::Python => "Python",
            Self::Nginx => "nginx",
            Self::Caddy => "Caddy",
        }
    }

    /// The language of that label.
    pub fn from_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.label() == label)
    }

    const fn keywords(self) -> &'static [&'static str] {
        match self {
            Self::Curl => &["curl", "export"],
            Self::Express | Self::Node => &["const", "new", "import", "from", "await"],
            Self::Go => {
                &["package", "import", "func", "if", "map", "string", "any", "nil", "defer"]
            }
            Self::Python => &["import", "from", "with", "as", "None"],
            Self::Nginx => &["location", "auth_request", "proxy_pass", "internal"],
            Self::Caddy => &["forward_auth", "reverse_proxy", "uri", "header_up", "request_header"],
        }
    }

    const fn comment(self) -> &'static str {
        match self {
            Self::Curl | Self::Python | Self::Nginx | Self::Caddy => "#",
            Self::Express | Self::Node | Self::Go => "//",
        }
    }
}

/// One text in one language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snippet {
    /// Language of the snippet.
    pub language: Language,
    /// The text, without a line break at its end.
    pub code: String,
}

/// The programs that report a request to the server at `origin`, one for each tab. `now` stands in
/// the shell command. A key that is for every application of its project has to name one:
/// `application`.
pub fn report_a_trace(
    origin: &str,
    application: Option<ApplicationId>,
    now: Timestamp,
) -> Vec<Snippet> {
    let program = |language, code: &str| {
        let code = naming(application, code.trim()).replace("ORIGIN", origin);
        Snippet { language, code }
    };
    vec![
        curl(origin, "traces", application, TRACES, now),
        program(Language::Express, EXPRESS),
        program(Language::Go, GO),
        program(Language::Python, PYTHON),
    ]
}

/// The shell command that sends one trace.
pub fn curl_traces(origin: &str, now: Timestamp) -> Snippet {
    curl(origin, "traces", None, TRACES, now)
}

/// The shell command that sends one log line.
pub fn curl_logs(origin: &str, now: Timestamp) -> Snippet {
    curl(origin, "logs", None, LOGS, now)
}

fn curl(
    origin: &str,
    what: &str,
    application: Option<ApplicationId>,
    body: &str,
    now: Timestamp,
) -> Snippet {
    let body = body.trim().replace("NOW", &now.to_string());
    let code = format!(
        "curl {origin}/ingest/{what} \\\n  \
           -H \"x-api-key: $LATCHKEY_KEY\" \\\n  \
           -H \"x-application-id: APPLICATION\" \\\n  \
           -H \"content-type: application/json\" \\\n  \
           -d '{body}'"
    );
    Snippet { language: Language::Curl, code: naming(application, &code) }
}

/// A program with the lines that name an application, or without them.
fn naming(application: Option<ApplicationId>, code: &str) -> String {
    let lines = code.lines().filter(|line| application.is_some() || !line.contains("APPLICATION"));
    let code = lines.collect::<Vec<_>>().join("\n");
    application.map_or_else(|| code.clone(), |id| code.replace("APPLICATION", &id.to_string()))
}

const TRACES: &str = r#"
{"timestamp": "NOW", "traces": [{
    "timestamp": "NOW",
    "requestMethod": "GET", "requestURL": "/hello",
    "responseStatus": 200, "durationMs": 12.5,
    "traceId": "4bf92f3577b34da6a3ce929d0e0e4736",
    "spanId": "00f067aa0ba902b7", "parentSpanId": null
  }]}
"#;

const LOGS: &str = r#"
{"timestamp": "NOW", "logs": [{
    "timestamp": "NOW",
    "clientTimestamp": "NOW",
    "traceId": "4bf92f3577b34da6a3ce929d0e0e4736",
    "level": "info", "type": "app",
    "message": "Hello from curl"
  }]}
"#;

const EXPRESS: &str = r#"
// report every request to Latchkey
app.use((req, res, next) => {
  const started = new Date();
  res.on("finish", () => {
    const trace = {
      timestamp: started,
      requestMethod: req.method,
      requestURL: req.originalUrl,
      responseStatus: res.statusCode,
      traceId: crypto.randomUUID(),
      spanId: crypto.randomUUID(),
      parentSpanId: null,
      durationMs: Date.now() - started.getTime(),
    };
    fetch("ORIGIN/ingest/traces", {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "x-api-key": process.env.LATCHKEY_KEY,
        "x-application-id": "APPLICATION",
      },
      body: JSON.stringify({ timestamp: new Date(), traces: [trace] }),
    }).catch(console.error);
  });
  next();
});
"#;

const GO: &str = r#"
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"
)

func main() {
	now := time.Now().UTC()
	body, err := json.Marshal(map[string]any{
		"timestamp": now,
		"traces": []map[string]any{{
			"timestamp":      now,
			"requestMethod":  "GET",
			"requestURL":     "/hello",
			"responseStatus": 200,
			"traceId":        fmt.Sprintf("%032x", now.UnixNano()),
			"spanId":         fmt.Sprintf("%016x", now.UnixNano()),
			"parentSpanId":   nil,
			"durationMs":     12.5,
		}},
	})
	if err != nil {
		log.Fatal(err)
	}
	url := "ORIGIN/ingest/traces"
	request, err := http.NewRequest("POST", url, bytes.NewReader(body))
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("content-type", "application/json")
	request.Header.Set("x-api-key", os.Getenv("LATCHKEY_KEY"))
	request.Header.Set("x-application-id", "APPLICATION")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	fmt.Println(response.Status)
}
"#;

const PYTHON: &str = r#"
import json
import os
import uuid
from datetime import datetime, timezone
from urllib.request import Request, urlopen

now = datetime.now(timezone.utc).isoformat()
body = {
    "timestamp": now,
    "traces": [
        {
            "timestamp": now,
            "requestMethod": "GET",
            "requestURL": "/hello",
            "responseStatus": 200,
            "traceId": uuid.uuid4().hex,
            "spanId": uuid.uuid4().hex[:16],
            "parentSpanId": None,
            "durationMs": 12.5,
        }
    ],
}
request = Request(
    "ORIGIN/ingest/traces",
    data=json.dumps(body).encode(),
    headers={
        "content-type": "application/json",
        "x-api-key": os.environ["LATCHKEY_KEY"],
        "x-application-id": "APPLICATION",
    },
)
with urlopen(request) as response:
    print(response.read().decode())
"#;

/// How a piece of a program is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeTone {
    /// A word of the language.
    Keyword,
    /// A text in quotes.
    Text,
    /// A comment in the code.
    Comment,
    /// Code without highlighting.
    Plain,
}

/// Cuts a program into coloured pieces; together they are the program again.
pub fn highlight(snippet: &Snippet) -> Vec<(CodeTone, &str)> {
    let mut pieces: Vec<(CodeTone, &str)> = Vec::new();
    let (mut start, mut rest) = (0, snippet.code.as_str());
    while !rest.is_empty() {
        let (tone, length) = next_piece(snippet.language, rest);
        let end = start + length;
        match pieces.last_mut() {
            Some((CodeTone::Plain, plain)) if tone == CodeTone::Plain => {
                *plain = &snippet.code[start - plain.len()..end];
            }
            _ => pieces.push((tone, &snippet.code[start..end])),
        }
        (start, rest) = (end, &snippet.code[end..]);
    }
    pieces
}

/// The tone and the length in bytes of what `rest`, which is not empty, begins with.
fn next_piece(language: Language, rest: &str) -> (CodeTone, usize) {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let first = rest.chars().next().unwrap_or_default();
    if rest.starts_with(language.comment()) {
        (CodeTone::Comment, rest.find('\n').unwrap_or(rest.len()))
    } else if matches!(first, '"' | '\'') {
        let end = rest[1..].find(first).map_or(rest.len(), |at| at + 2);
        (CodeTone::Text, end)
    } else if is_word(first) {
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let tone = if language.keywords().contains(&&rest[..end]) {
            CodeTone::Keyword
        } else {
            CodeTone::Plain
        };
        (tone, end)
    } else {
        (CodeTone::Plain, first.len_utf8())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use latchkey_domain::api::{LogBatch, TraceBatch};

    const ORIGIN: &str = "http://127.0.0.1:3000";

    fn now() -> Timestamp {
        Timestamp::parse("2026-11-21T07:45:53.120Z").unwrap()
    }

    fn body_of(curl: &Snippet) -> &str {
        curl.code.split('\'').nth(1).unwrap()
    }

    #[test]
    fn the_curl_commands_send_what_the_server_takes() {
        let traces: TraceBatch =
            serde_json::from_str(body_of(&curl_traces(ORIGIN, now()))).unwrap();
        assert_eq!(traces.timestamp, Some(now()));
        assert_eq!(traces.traces[0].timestamp, now().into());
        assert_eq!(traces.traces[0].response_status, 200);
        let logs: LogBatch = serde_json::from_str(body_of(&curl_logs(ORIGIN, now()))).unwrap();
        assert_eq!(logs.logs[0].message, "Hello from curl");
    }

    #[test]
    fn every_program_calls_the_readers_own_server() {
        for snippet in report_a_trace(ORIGIN, None, now()) {
            assert!(
                snippet.code.contains("http://127.0.0.1:3000/ingest/traces"),
                "{}",
                snippet.code
            );
            assert!(snippet.code.contains("LATCHKEY_KEY") && !snippet.code.contains("ORIGIN"));
            assert!(!snippet.code.to_lowercase().contains("application-id"), "{}", snippet.code);
        }
    }

    #[test]
    fn a_key_of_no_application_names_one() {
        let id: ApplicationId = "app_01h455vb4pex5vsknk084sn02q".parse().unwrap();
        for snippet in report_a_trace(ORIGIN, Some(id), now()) {
            let named = snippet
                .code
                .lines()
                .filter(|line| line.contains("x-application-id") && line.contains(&id.to_string()));
            assert_eq!(named.count(), 1, "{}", snippet.code);
            assert!(!snippet.code.contains("APPLICATION"), "{}", snippet.code);
        }
    }

    #[test]
    fn coloured_pieces_are_the_program_again() {
        for snippet in report_a_trace(ORIGIN, None, now()) {
            let pieces = highlight(&snippet);
            let text: String = pieces.iter().map(|(_, text)| *text).collect();
            assert_eq!(text, snippet.code);
            for tone in [CodeTone::Keyword, CodeTone::Text, CodeTone::Plain] {
                assert!(pieces.iter().any(|(each, _)| *each == tone), "{:?}", snippet.language);
            }
        }
    }

    #[test]
    fn quotes_and_comments_end_where_they_should() {
        let snippet = Snippet {
            language: Language::Express,
            code: "const a = \"//b\" // it’s \"c\"\nnew".into(),
        };
        assert_eq!(
            highlight(&snippet),
            [
                (CodeTone::Keyword, "const"),
                (CodeTone::Plain, " a = "),
                (CodeTone::Text, "\"//b\""),
                (CodeTone::Plain, " "),
                (CodeTone::Comment, "// it’s \"c\""),
                (CodeTone::Plain, "\n"),
                (CodeTone::Keyword, "new"),
            ]
        );
    }

    #[test]
    fn a_language_is_found_by_its_label() {
        for language in Language::ALL {
            assert_eq!(Language::from_label(language.label()), Some(language));
        }
        assert_eq!(Language::from_label("COBOL"), None);
    }
}
