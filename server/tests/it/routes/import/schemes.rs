//! Stored forms of every scheme.

use std::time::Duration;

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};
use reqwest::Response;
use sea_orm::{ConnectionTrait, DatabaseTransaction};
use serde_json::{Value, json};
use sha2::{Digest, Sha256, Sha512};

use super::{NDJSON, column, fields, import, lines, mover, send, stored_keys};
use crate::test_app::{Session, TestApp, on_both_databases, problem, query_value};

/// A digest of 32 or 64 bytes that no other call returns.
fn digest(seed: &str, length: usize) -> Vec<u8> {
    match length {
        32 => Sha256::digest(seed).to_vec(),
        _ => Sha512::digest(seed).to_vec(),
    }
}

fn row(scheme: &str, stored: &str) -> Value {
    json!({ "name": format!("{scheme} {stored:.8}"), "scheme": scheme, "stored": stored })
}

const PBKDF2: &str = "pbkdf2_sha256$600000$salt$q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=";
const BCRYPT: &str = "$2b$12$aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const SCRYPT: &str = "$scrypt$ln=14,r=8,p=1$c2FsdA$q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s";

async fn with_secret(app: &TestApp, who: &Session, secret: &str, rows: &[Value]) -> Response {
    let path = format!("/v1/projects/{}/keys/import", who.project);
    let request = app.post(&path).bearer_auth(&who.jwt).header("content-type", NDJSON);
    request.header("x-import-secret", secret).body(lines(rows)).send().await.unwrap()
}

/// Lets no import store anything.
async fn hold_writes(app: &TestApp) -> DatabaseTransaction {
    let database = &app.services.database;
    let held = database.begin().await.unwrap();
    if !database.is_sqlite() {
        held.execute_unprepared("SELECT id FROM projects FOR UPDATE").await.unwrap();
    }
    held
}

/// Lets imports store something once two of them wait for that.
async fn release_two(app: &TestApp, held: DatabaseTransaction) {
    let database = &app.services.database;
    if database.is_sqlite() {
        // Nothing tells how many wait. One that comes later is refused all the same.
        tokio::time::sleep(Duration::from_millis(500)).await;
    } else {
        let waiting = "SELECT count(*) FROM pg_stat_activity \
                       WHERE datname = current_database() AND wait_event_type = 'Lock'";
        for _ in 0..200 {
            if query_value::<i64>(database.reader(), waiting).await >= 2 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    held.rollback().await.unwrap();
}

/// Statuses of answers, in ascending order.
fn statuses(answers: &[Response]) -> Vec<u16> {
    let mut statuses: Vec<u16> = answers.iter().map(|one| one.status().as_u16()).collect();
    statuses.sort_unstable();
    statuses
}

on_both_databases! {
    async fn digest_of_every_scheme_and_encoding_is_taken(app: TestApp) {
        let ada = mover(&app, "ada").await;
        let encodings = [
            ("hex", HEXLOWER), ("hex", HEXUPPER), ("base64", BASE64), ("base64", BASE64_NOPAD),
            ("base64url", BASE64URL), ("base64url", BASE64URL_NOPAD),
        ];
        let parts = [
            "", ":whole", ":after-last-underscore", ":after-pipe", ":unhexed",
            ":prefixed=Bearer%20",
        ];
        let mut rows = Vec::new();
        for (algorithm, length) in [("sha256", 32), ("sha512", 64)] {
            for (encoding, by) in &encodings {
                for part in parts {
                    let scheme = format!("{algorithm}-{encoding}{part}");
                    let seed = format!("{scheme} {}", rows.len());
                    let mut row = row(&scheme, &by.encode(&digest(&seed, length)));
                    row["name"] = format!("key {}", rows.len()).into();
                    rows.push(row);
                }
            }
        }
        assert_eq!(import(&app, &ada, &rows).await["imported"], rows.len());
        // Another encoding of the same digest is the same key.
        let same = HEXLOWER.encode(&digest("sha256-base64 12", 32));
        let same = send(&app, &ada, "", NDJSON, lines(&[row("sha256-hex", &same)])).await;
        let refused = problem(same, 422, "invalid").await;
        assert_eq!(fields(&refused), ["rows[1].stored"]);
    }

    async fn project_has_at_most_16_schemes(app: TestApp) {
        let ada = mover(&app, "ada").await;
        let of = |number: usize| {
            let digest = HEXLOWER.encode(&digest(&number.to_string(), 32));
            row(&format!("sha256-hex:prefixed={number}"), &digest)
        };
        let rows: Vec<_> = (0..16).map(of).collect();
        assert_eq!(import(&app, &ada, &rows).await["imported"], 16);
        let refused = send(&app, &ada, "", NDJSON, lines(&[of(16)])).await;
        assert_eq!(fields(&problem(refused, 422, "invalid").await), ["scheme"]);
        assert_eq!(stored_keys(&app, &ada).await, 16);
    }

    async fn two_imports_at_once_keep_within_the_limits(app: TestApp) {
        let ada = mover(&app, "ada").await;
        let of = |number: usize| {
            let digest = HEXLOWER.encode(&digest(&number.to_string(), 32));
            row(&format!("sha256-hex:prefixed={number}"), &digest)
        };
        let halves = [0..16, 16..32].map(|half| lines(&half.map(of).collect::<Vec<_>>()));
        let [first, second] = halves.map(|file| send(&app, &ada, "", NDJSON, file));
        let held = hold_writes(&app).await;
        let (first, second, ()) = tokio::join!(first, second, release_two(&app, held));
        assert_eq!(statuses(&[first, second]), [200, 422]);
        assert_eq!(stored_keys(&app, &ada).await, 16);

        let hmac = |seed: &str| row("hmac-sha256-hex", &HEXLOWER.encode(&digest(seed, 32)));
        for number in 0..7 {
            let secret = format!("secret {number}");
            let answer = with_secret(&app, &ada, &secret, &[hmac(&secret)]).await;
            assert_eq!(answer.status(), 200, "{number}");
        }
        let (eighth, ninth) = ([hmac("eighth")], [hmac("ninth")]);
        let held = hold_writes(&app).await;
        let (first, second, ()) = tokio::join!(
            with_secret(&app, &ada, "an eighth secret", &eighth),
            with_secret(&app, &ada, "a ninth secret", &ninth),
            release_two(&app, held),
        );
        assert_eq!(statuses(&[first, second]), [200, 422]);
        let sealed = "SELECT DISTINCT sealed FROM imported_keys WHERE sealed IS NOT NULL";
        assert_eq!(column::<Vec<u8>>(&app, sealed).await.len(), 8);
    }

    async fn slow_hash_needs_a_start_and_bounded_costs(app: TestApp) {
        let ada = mover(&app, "ada").await;
        let slow = |scheme: &str, stored: &str, lookup: Option<&str>| {
            let mut row = row(scheme, stored);
            row["name"] = format!("{scheme} {}", lookup.unwrap_or_default()).into();
            if let Some(lookup) = lookup {
                row["lookup"] = lookup.into();
            }
            row
        };
        let costly = [
            slow("pbkdf2-sha256", &PBKDF2.replace("600000", "1000001"), Some("abcd1")),
            slow("bcrypt", &BCRYPT.replace("$12$", "$13$"), Some("abcd2")),
            slow("scrypt", &SCRYPT.replace("ln=14", "ln=17"), Some("abcd3")),
            slow("scrypt", &SCRYPT.replace("p=1", "p=5"), Some("abcd4")),
            slow("bcrypt", "not a hash", Some("abcd5")),
        ];
        let refused = send(&app, &ada, "", NDJSON, lines(&costly)).await;
        let refused = problem(refused, 422, "invalid").await;
        let expected: Vec<_> = (1..=5).map(|row| format!("rows[{row}].stored")).collect();
        assert_eq!(fields(&refused), expected);
        let wrong = [slow("bcrypt", BCRYPT, None), slow("bcrypt", BCRYPT, Some("abc"))];
        let refused = send(&app, &ada, "", NDJSON, lines(&wrong)).await;
        let refused = problem(refused, 422, "invalid").await;
        assert_eq!(fields(&refused), ["rows[1].lookup", "rows[2].lookup"]);
        let rows = [
            slow("pbkdf2-sha256", PBKDF2, Some("abcd1")), slow("bcrypt", BCRYPT, Some("abcd2")),
            slow("scrypt", SCRYPT, Some("abcd3")),
        ];
        assert_eq!(import(&app, &ada, &rows).await["imported"], 3);
        let stored: Vec<Vec<u8>> = column(&app, "SELECT sealed FROM imported_keys").await;
        assert_eq!(stored.len(), 3, "a slow hash is kept until the key is used");
        for sealed in stored {
            for plain in [PBKDF2, BCRYPT, SCRYPT] {
                assert!(!sealed.windows(20).any(|part| part == &plain.as_bytes()[..20]));
            }
        }
        let mut same = slow("bcrypt", &BCRYPT.replace("aa", "bb"), Some("abcd2"));
        same["name"] = "another".into();
        let refused = send(&app, &ada, "", NDJSON, lines(&[same])).await;
        assert_eq!(fields(&problem(refused, 422, "invalid").await), ["rows[1].lookup"]);
    }

    async fn hmac_needs_its_secret_and_keeps_it_sealed(app: TestApp) {
        let ada = mover(&app, "ada").await;
        let hmac = |seed: &str| row("hmac-sha256-hex", &HEXLOWER.encode(&digest(seed, 32)));
        let refused = send(&app, &ada, "", NDJSON, lines(&[hmac("a")])).await;
        assert_eq!(fields(&problem(refused, 422, "invalid").await), ["rows[1].scheme"]);
        for (index, rows) in [[hmac("a"), hmac("b")], [hmac("c"), hmac("d")]].iter().enumerate() {
            let answer = with_secret(&app, &ada, "a long HMAC secret", rows).await;
            assert_eq!(answer.status(), 200, "{index}");
        }
        let sealed: Vec<Vec<u8>> = column(&app, "SELECT sealed FROM imported_keys").await;
        assert_eq!(sealed.len(), 4);
        assert!(sealed.iter().all(|one| *one == sealed[0]), "it stands there in one form");
        assert!(!sealed[0].windows(4).any(|part| part == b"HMAC"));
        for number in 1..8 {
            let secret = format!("secret {number}");
            let answer = with_secret(&app, &ada, &secret, &[hmac(&secret)]).await;
            assert_eq!(answer.status(), 200, "{number}");
        }
        let ninth = with_secret(&app, &ada, "secret 9", &[hmac("9")]).await;
        assert_eq!(fields(&problem(ninth, 422, "invalid").await), ["x-import-secret"]);
        let again = with_secret(&app, &ada, "secret 3", &[hmac("10")]).await;
        assert_eq!(again.status(), 200);
    }

    async fn database_holds_no_foreign_digest_in_the_clear(app: TestApp) {
        let ada = mover(&app, "ada").await;
        let raw = digest("a", 32);
        import(&app, &ada, &[row("sha256-hex", &HEXLOWER.encode(&raw))]).await;
        let stored: Vec<Vec<u8>> = column(&app, "SELECT digest FROM keys").await;
        assert!(stored.len() == 1 && stored[0].len() == 32 && stored[0] != raw);
        let foreign: Vec<Vec<u8>> = column(&app, "SELECT foreign_digest FROM imported_keys").await;
        assert_eq!(foreign, stored);
        let sealed: Vec<Option<Vec<u8>>> = column(&app, "SELECT sealed FROM imported_keys").await;
        assert_eq!(sealed, [None]);
        let schemes: Vec<String> = column(&app, "SELECT scheme FROM imported_keys").await;
        assert_eq!(schemes, ["sha256:whole"]);
        assert_eq!(stored_keys(&app, &ada).await, 1);
    }
}
