//! `POST /api/public/otel/v1/traces`, as Langfuse's SDKs send it.

use super::protobuf::{request, span};
use super::{PROTOBUF, gzip, stored, taken};
use crate::test_app::{on_both_databases, problem};

on_both_databases! {
    async fn langfuses_sdks_deliver_with_the_key_as_password(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let key = app.generate(&ada).await;
        let post = |name: &str| {
            let request = app.post("/api/public/otel/v1/traces").header("content-type", PROTOBUF);
            request.header("x-langfuse-sdk-name", "python").body(super::protobuf::request(&[span(name)]))
        };
        taken(post("one").basic_auth("pk-lf-anything", Some(&key)).send().await.unwrap(), PROTOBUF).await;
        taken(post("two").basic_auth("", Some(&key)).send().await.unwrap(), PROTOBUF).await;
        taken(post("three").bearer_auth(&key).send().await.unwrap(), PROTOBUF).await;
        let packed = post("").header("content-encoding", "gzip").body(gzip(&request(&[span("four")])));
        taken(packed.basic_auth("pk", Some(&key)).send().await.unwrap(), PROTOBUF).await;
        assert_eq!(stored(&app, &ada, "traces").await.len(), 4);
        problem(post("a").send().await.unwrap(), 401, "missing_key").await;
        for header in ["Basic", "Basic *", "Basic YQ==", "Digest a"] {
            let refused = post("a").header("authorization", header).send().await.unwrap();
            assert_eq!(refused.status(), 401, "{header}");
        }
        let unknown = format!("{}x", &key[..key.len() - 1]);
        let refused = post("a").basic_auth("pk", Some(unknown)).send().await.unwrap();
        assert_eq!(refused.status(), 401);
        // The name is no key, and elsewhere Basic authentication is none.
        let swapped = post("a").basic_auth(&key, Some("x")).send().await.unwrap();
        assert_eq!(swapped.status(), 401);
        let elsewhere = app.post("/v1/traces").header("content-type", PROTOBUF).basic_auth("pk", Some(&key));
        problem(elsewhere.send().await.unwrap(), 401, "missing_key").await;
        assert_eq!(stored(&app, &ada, "traces").await.len(), 4);
    }
}
