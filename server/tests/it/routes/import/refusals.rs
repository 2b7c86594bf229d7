//! Files that are refused, whole.

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{CSV, NDJSON, fields, import, imported, lines, mover, row, send, sha256, stored_keys};
use crate::test_app::{Backend, TestApp, on_both_databases, problem, text};

#[tokio::test(flavor = "multi_thread")]
async fn file_of_more_than_64_mib_is_too_large() {
    let app = TestApp::on(Backend::Sqlite).await;
    let ada = mover(&app, "ada").await;
    let large = " ".repeat(64 * 1024 * 1024 + 1);
    problem(send(&app, &ada, "", NDJSON, large).await, 413, "too_large").await;
}

on_both_databases! {
    async fn one_bad_row_of_10_000_imports_nothing(app: TestApp) {
        let ada = mover(&app, "ada").await;
        let mut rows: Vec<Value> = (1..=10_000).map(|number| row(&format!("k{number}"))).collect();
        rows[7_776]["stored"] = "ab".repeat(31).into();
        let refused = send(&app, &ada, "", NDJSON, lines(&rows)).await;
        let refused = problem(refused, 422, "invalid").await;
        assert_eq!(fields(&refused), ["rows[7777].stored"]);
        assert!(text(&refused["errors"][0]["message"]).contains("32 bytes"), "{refused}");
        assert_eq!(stored_keys(&app, &ada).await, 0);
        rows[7_776] = row("k7777");
        assert_eq!(import(&app, &ada, &rows).await["imported"], 10_000);
        assert_eq!(stored_keys(&app, &ada).await, 10_000);
    }

    async fn wrong_rows_are_named_with_their_fields(app: TestApp) {
        let ada = mover(&app, "ada").await;
        let eve = app.sign_in("eve").await;
        let wrong = [
            ("stored", json!("not hexadecimal")),
            ("stored", json!("")),
            ("stored", json!(sha256("a").repeat(2))),
            ("scheme", json!("md5-hex")),
            ("kind", json!("service")),
            ("colour", json!(1)),
            ("rpm", json!(0)),
            ("application_id", json!(eve.application)),
            ("status", json!("expired")),
            ("created_at", json!("2999-01-01T00:00:00Z")),
            ("last_used_at", json!("2999-01-01T00:00:00Z")),
            ("hint", json!("a\nb")),
            ("token_limit_period", Value::Null),
            ("tags", json!("beta")),
            ("hint", json!("sk-plain-7Qm2")),
        ];
        let mut file = String::new();
        for (index, (field, value)) in wrong.iter().enumerate() {
            let mut row = row(&format!("k{index}"));
            row[*field] = value.clone();
            if *field == "token_limit_period" {
                row["token_limit"] = 5.into();
            }
            if *value == json!("sk-plain-7Qm2") {
                row["stored"] = value.clone();
                row["scheme"] = "plaintext".into();
            }
            file.push_str(&row.to_string());
            file.push('\n');
        }
        file.push_str("{\"name\": \"cut\n[]\n\n");
        let refused = send(&app, &ada, "", NDJSON, file).await;
        let refused = problem(refused, 422, "invalid").await;
        let named = (1..).zip(wrong).map(|(row, (field, _))| format!("rows[{row}].{field}"));
        let cut = ["rows[16]", "rows[17]"].map(str::to_owned);
        let expected: Vec<_> = named.chain(cut).collect();
        assert_eq!(fields(&refused), expected);
        assert!(!refused.to_string().contains(&sha256("a")), "what was sent is not repeated");
        assert_eq!(stored_keys(&app, &ada).await, 0);
        let missing = send(&app, &ada, "", NDJSON, "{}\n").await;
        let mut missing = fields(&problem(missing, 422, "invalid").await);
        missing.sort();
        assert_eq!(missing, ["rows[1].name", "rows[1].stored"]);
        let no_scheme = json!({"name": "a", "stored": sha256("a")});
        let no_scheme = send(&app, &ada, "", NDJSON, lines(&[no_scheme])).await;
        assert_eq!(fields(&problem(no_scheme, 422, "invalid").await), ["rows[1].scheme"]);
    }

    async fn first_hundred_bad_rows_are_named(app: TestApp) {
        let ada = mover(&app, "ada").await;
        let bad = "{\"name\": \"\"}\n".repeat(1_000);
        let refused = problem(send(&app, &ada, "", NDJSON, bad).await, 422, "invalid").await;
        let fields = fields(&refused);
        assert!(fields.iter().any(|field| field.starts_with("rows[100]")), "{fields:?}");
        assert!(!fields.iter().any(|field| field.starts_with("rows[101]")), "{fields:?}");
    }

    async fn first_bad_rows_are_named_whatever_is_wrong(app: TestApp) {
        let ada = mover(&app, "ada").await;
        let mut rows: Vec<Value> = (1..=150).map(|number| row(&format!("k{number}"))).collect();
        import(&app, &ada, &rows).await;
        for (index, row) in rows.iter_mut().enumerate() {
            row["name"] = format!("again {index}").into();
        }
        let mut named = row("new");
        named["name"] = "k1".into();
        rows.insert(0, named);
        let refused = send(&app, &ada, "", NDJSON, lines(&rows)).await;
        let fields = fields(&problem(refused, 422, "invalid").await);
        assert_eq!(fields.first().map(String::as_str), Some("rows[1].name"));
        assert_eq!(fields.last().map(String::as_str), Some("rows[100].stored"));
        assert_eq!(fields.len(), 100);
    }

    async fn duplicates_are_refused_without_saying_whose(app: TestApp) {
        let ada = mover(&app, "ada").await;
        let eve = mover(&app, "eve").await;
        import(&app, &eve, &[row("A")]).await;
        let theirs = send(&app, &ada, "", NDJSON, lines(&[row("A")])).await;
        let theirs = problem(theirs, 422, "invalid").await;
        assert_eq!(fields(&theirs), ["rows[1].stored"]);
        import(&app, &ada, &[row("B")]).await;
        let mut same = row("B");
        same["name"] = "Another".into();
        let ours = send(&app, &ada, "", NDJSON, lines(&[same])).await;
        let ours = problem(ours, 422, "invalid").await;
        assert_eq!(ours["errors"], theirs["errors"]);
        let mut named = row("C");
        named["name"] = "B".into();
        let (first, mut second) = (row("D"), row("E"));
        second["name"] = "D".into();
        let mut third = row("D");
        third["name"] = "F".into();
        let file = lines(&[named, first, second, third]);
        let refused = problem(send(&app, &ada, "", NDJSON, file).await, 422, "invalid").await;
        assert_eq!(fields(&refused), ["rows[1].name", "rows[3].name", "rows[4].stored"]);
        assert!(text(&refused["errors"][2]["message"]).contains("Row 2"), "{refused}");
        assert_eq!(stored_keys(&app, &ada).await, 1);
    }

    async fn plaintext_that_is_here_is_reported_once(app: TestApp) {
        let ada = mover(&app, "ada").await;
        let own = crate::test_app::unknown_key();
        let rows = |name: &str| {
            let row = |key: &str| {
                json!({"name": format!("{name} {key:.4}"), "stored": key, "scheme": "plaintext"})
            };
            [row("acme_a7Qm2x9"), row(&own)]
        };
        import(&app, &ada, &rows("first")).await;
        let again = send(&app, &ada, "", NDJSON, lines(&rows("again"))).await;
        let refused = problem(again, 422, "invalid").await;
        assert_eq!(fields(&refused), ["rows[1].stored", "rows[2].stored"]);
    }

    async fn file_of_another_encoding_is_malformed(app: TestApp) {
        let ada = mover(&app, "ada").await;
        let file = lines(&[row("Käse")]);
        let utf16: Vec<u8> = file.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let marked = [&[0xff, 0xfe][..], &utf16].concat();
        let latin1: Vec<u8> = file.chars().map(|one| u8::try_from(one).unwrap()).collect();
        for (kind, body) in [(NDJSON, marked), (NDJSON, latin1.clone()), (CSV, latin1)] {
            let refused = send(&app, &ada, "", kind, body).await;
            let refused = problem(refused, 400, "malformed").await;
            assert!(text(&refused["detail"]).contains("UTF-8"), "{refused}");
        }
        // Without its mark, UTF-16 is valid UTF-8 with zeros.
        let utf16: Vec<u8> = lines(&[row("a")]).encode_utf16().flat_map(u16::to_le_bytes).collect();
        problem(send(&app, &ada, "", NDJSON, utf16).await, 422, "invalid").await;
        let marked = format!("\u{feff}{}", lines(&[row("a")]));
        imported(send(&app, &ada, "", NDJSON, marked).await).await;
    }

    async fn file_without_a_shape_for_its_keys_is_refused(app: TestApp) {
        let ada = app.pro("ada").await;
        for query in ["", "?dry_run=true"] {
            let refused = send(&app, &ada, query, NDJSON, lines(&[row("A")])).await;
            assert_eq!(fields(&problem(refused, 422, "invalid").await), ["key-shapes"]);
        }
    }

    async fn interrupted_import_leaves_nothing(app: TestApp) {
        let ada = mover(&app, "ada").await;
        let file = lines(&[row("A"), row("B")]);
        let head = format!(
            "POST /v1/projects/{}/keys/import HTTP/1.1\r\nhost: localhost\r\n\
             authorization: Bearer {}\r\ncontent-type: {NDJSON}\r\ncontent-length: {}\r\n\r\n",
            ada.project, ada.jwt, file.len() + 1,
        );
        let address = app.base.trim_start_matches("http://");
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.write_all(format!("{head}{file}").as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(!answer.starts_with(b"HTTP/1.1 200"));
        assert_eq!(stored_keys(&app, &ada).await, 0);
        import(&app, &ada, &[row("A"), row("B")]).await;
    }

    async fn misplaced_secret_and_wrong_query_are_refused(app: TestApp) {
        let ada = mover(&app, "ada").await;
        let file = || lines(&[row("A")]);
        for (query, field) in [
            ("?secret=hush", "secret"), ("?secret=", "secret"), ("?preset=acme", "preset"),
            ("?scheme=md5", "scheme"),
        ] {
            let refused = problem(send(&app, &ada, query, NDJSON, file()).await, 422, "invalid");
            let refused = refused.await;
            assert_eq!(fields(&refused), [field], "{query}");
            assert!(!refused.to_string().contains("hush"));
        }
        let wrong = send(&app, &ada, "", "application/json", file()).await;
        problem(wrong, 415, "unsupported_media_type").await;
        let path = format!("/v1/projects/{}/keys/import", ada.project);
        let none = app.send(Method::POST, &path, &ada, &Value::Null).await;
        problem(none, 415, "unsupported_media_type").await;
    }

    async fn empty_file_and_wrong_header_are_refused(app: TestApp) {
        let ada = mover(&app, "ada").await;
        for (kind, file, field) in [
            (NDJSON, "", "rows"), (NDJSON, "\n \n", "rows"), (CSV, "", "rows"),
            (CSV, "name,stored\n", "rows"), (CSV, "name,name\na,b\n", "header"),
            (CSV, "name,stored\na\n", "rows[1]"),
        ] {
            let refused = send(&app, &ada, "?scheme=sha256-hex", kind, file).await;
            let refused = problem(refused, 422, "invalid").await;
            assert_eq!(fields(&refused), [field], "{file:?}");
        }
    }

    async fn row_that_is_too_long_or_deep_is_refused(app: TestApp) {
        let ada = mover(&app, "ada").await;
        let long = format!("{{\"metadata\": [{}0]}}\n", "0,".repeat(1 << 19));
        let deep = format!("name,{}a\nb,c\n", "a.".repeat(1 << 20));
        for (kind, file, field) in [(NDJSON, long, "rows[1]"), (CSV, deep, "header")] {
            for query in ["", "?preset=unkey"] {
                let refused = send(&app, &ada, query, kind, file.clone()).await;
                let refused = problem(refused, 422, "invalid").await;
                assert_eq!(fields(&refused), [field], "{file:.20}");
            }
        }
    }

    async fn file_with_too_many_rows_is_refused(app: TestApp) {
        let ada = mover(&app, "ada").await;
        let line = format!("{}\n", row("A"));
        let file = line.repeat(3);
        let refused = problem(send(&app, &ada, "", NDJSON, file).await, 422, "invalid").await;
        assert_eq!(fields(&refused), ["rows[2].stored", "rows[3].stored"]);
        let many: Vec<_> = (0..100_001).map(|number| row(&number.to_string())).collect();
        let many = lines(&many);
        let refused = problem(send(&app, &ada, "", NDJSON, many).await, 422, "invalid").await;
        assert_eq!(fields(&refused), ["rows"]);
        assert_eq!(stored_keys(&app, &ada).await, 0);
    }

    async fn members_and_readers_import_nothing(app: TestApp) {
        let ada = mover(&app, "ada").await;
        for (login, role) in [("mia", "member"), ("vic", "viewer")] {
            let who = app.join(&ada, login, role).await;
            let refused = send(&app, &who, "", NDJSON, lines(&[row("A")])).await;
            problem(refused, 403, "forbidden").await;
        }
        let eve = app.sign_in("eve").await;
        let stranger = crate::test_app::Session { project: ada.project.clone(), ..eve };
        let refused = send(&app, &stranger, "", NDJSON, lines(&[row("A")])).await;
        problem(refused, 404, "not_found").await;
        for (permission, status) in [("keys:read", 403), ("keys:write", 200)] {
            let (key, _) = app.service_key(&ada, &[permission]).await;
            let service = crate::test_app::Session { jwt: key, ..ada.clone() };
            let answer = send(&app, &service, "", NDJSON, lines(&[row("A")])).await;
            assert_eq!(answer.status(), status, "{permission}");
        }
    }
}
