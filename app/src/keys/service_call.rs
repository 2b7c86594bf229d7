//! Example programs that make one call that a service key allows. They run as copied. They read the
//! key from `LATCHKEY_KEY` and never contain it.

use latchkey_domain::id::ProjectId;
use latchkey_domain::permission::ServicePermission;

use latchkey_ui::snippets::{Language, Snippet};

/// The programs for a key with these permissions, one for each tab.
pub fn use_service_key(
    origin: &str,
    project: ProjectId,
    permissions: &[ServicePermission],
) -> Vec<Snippet> {
    let call = Call::allowed_by(permissions, project);
    let program = |language, text| Snippet { language, code: call.program(origin, text) };
    vec![
        program(Language::Curl, CURL),
        program(Language::Express, EXPRESS),
        program(Language::Go, GO),
        program(Language::Python, PYTHON),
    ]
}

/// A call of the API.
struct Call {
    method: &'static str,
    path: String,
    body: Option<&'static str>,
}

impl Call {
    /// A call that a key with these permissions may make. Checking keys comes first: most service
    /// keys are for that.
    fn allowed_by(permissions: &[ServicePermission], project: ProjectId) -> Self {
        let may = |permission| permissions.contains(&permission);
        let keys = format!("/v1/projects/{project}/keys");
        if may(ServicePermission::KeysVerify) {
            let body = Some(r#"{"key": "what a caller sent"}"#);
            Self { method: "POST", path: "/v1/keys/verify".to_owned(), body }
        } else if may(ServicePermission::UsageRead) {
            let path = format!("/v1/projects/{project}/usage?range=24h");
            Self { method: "GET", path, body: None }
        } else if may(ServicePermission::KeysRead) {
            Self { method: "GET", path: keys, body: None }
        } else {
            let body = Some(r#"{"name": "Made by a program", "environment": "test"}"#);
            Self { method: "POST", path: keys, body }
        }
    }

    /// A program of the lines that fit: those with `+` send a body, those with `-` don't.
    fn program(&self, origin: &str, text: &str) -> String {
        let line = |line: &str| {
            let (belongs, code) = match line.split_at_checked(1) {
                Some(("+", code)) => (self.body.is_some(), code),
                Some(("-", code)) => (self.body.is_none(), code),
                Some((_, code)) => (true, code),
                None => (true, ""),
            };
            belongs.then(|| {
                code.replace("METHOD", self.method)
                    .replace("URL", &format!("{origin}{}", self.path))
                    .replace("BODY", self.body.unwrap_or_default())
            })
        };
        text.trim_matches('\n').lines().filter_map(line).collect::<Vec<_>>().join("\n")
    }
}

const CURL: &str = r#"
 curl "URL" \
-  -H "authorization: Bearer $LATCHKEY_KEY"
+  -H "authorization: Bearer $LATCHKEY_KEY" \
+  -H "content-type: application/json" \
+  -d 'BODY'
"#;

const EXPRESS: &str = r#"
 const answer = await fetch("URL", {
   method: "METHOD",
   headers: {
     authorization: `Bearer ${process.env.LATCHKEY_KEY}`,
+    "content-type": "application/json",
   },
+  body: JSON.stringify(BODY),
 });
 console.log(answer.status, await answer.json());
"#;

const GO: &str = r#"
 package main

 import (
 	"fmt"
 	"io"
 	"log"
 	"net/http"
 	"os"
+	"strings"
 )

 func main() {
-	request, err := http.NewRequest("METHOD", "URL", nil)
+	body := strings.NewReader(`BODY`)
+	request, err := http.NewRequest("METHOD", "URL", body)
 	if err != nil {
 		log.Fatal(err)
 	}
 	request.Header.Set("authorization", "Bearer "+os.Getenv("LATCHKEY_KEY"))
+	request.Header.Set("content-type", "application/json")
 	response, err := http.DefaultClient.Do(request)
 	if err != nil {
 		log.Fatal(err)
 	}
 	defer response.Body.Close()
 	answer, err := io.ReadAll(response.Body)
 	if err != nil {
 		log.Fatal(err)
 	}
 	fmt.Println(response.Status, string(answer))
 }
"#;

const PYTHON: &str = r#"
+import json
 import os
 from urllib.request import Request, urlopen

 request = Request(
     "URL",
+    data=json.dumps(BODY).encode(),
     headers={
         "authorization": "Bearer " + os.environ["LATCHKEY_KEY"],
+        "content-type": "application/json",
     },
 )
 with urlopen(request) as response:
     print(response.read().decode())
"#;

#[cfg(test)]
mod tests {
    use latchkey_domain::api::{KeyRequest, VerifyRequest};

    use super::*;

    const ORIGIN: &str = "http://127.0.0.1:3000";

    fn project() -> ProjectId {
        "prj_01h455vb4pex5vsknk084sn02q".parse().unwrap()
    }

    #[test]
    fn every_program_makes_one_call_that_the_key_allows() {
        for (permission, path) in [
            (ServicePermission::KeysVerify, "/v1/keys/verify\"".to_owned()),
            (ServicePermission::UsageRead, format!("/v1/projects/{}/usage?range=24h\"", project())),
            (ServicePermission::KeysRead, format!("/v1/projects/{}/keys\"", project())),
            (ServicePermission::KeysWrite, format!("/v1/projects/{}/keys\"", project())),
        ] {
            let is_post =
                matches!(permission, ServicePermission::KeysVerify | ServicePermission::KeysWrite);
            for Snippet { language, code } in use_service_key(ORIGIN, project(), &[permission]) {
                assert!(code.contains(&format!("\"{ORIGIN}{path}")), "{code}");
                assert!(code.contains("LATCHKEY_KEY"), "{code}");
                assert_eq!(code.contains("content-type"), is_post, "{code}");
                if !matches!(language, Language::Curl | Language::Python) {
                    assert_eq!(code.contains("\"POST\""), is_post, "{code}");
                }
                assert!(!["URL", "METHOD", "BODY"].iter().any(|it| code.contains(it)), "{code}");
                assert!(!code.ends_with('\\') && !code.lines().any(|line| line.starts_with('+')));
            }
        }
    }

    #[test]
    fn what_is_sent_is_what_the_server_takes() {
        let body = |permission| Call::allowed_by(&[permission], project()).body.unwrap();
        serde_json::from_str::<VerifyRequest>(body(ServicePermission::KeysVerify)).unwrap();
        serde_json::from_str::<KeyRequest>(body(ServicePermission::KeysWrite)).unwrap();
    }
}
