//! Connections that break after the server has done what was asked.

use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

use super::{finish, latchkey};
use crate::test_app::{Backend, TestApp, key_path, text};

/// A way to the server that loses the answers of the first `losses` connections; its URL.
async fn losing(server: &str, losses: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = server.trim_start_matches("http://").to_owned();
    tokio::spawn(async move {
        for connection in 0.. {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut server = TcpStream::connect(&server).await.unwrap();
            if connection >= losses {
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                continue;
            }
            let (mut from_client, _to_client) = client.split();
            let (mut from_server, mut to_server) = server.split();
            let mut first = [0; 1];
            tokio::select! {
                _ = tokio::io::copy(&mut from_client, &mut to_server) => {}
                _ = from_server.read(&mut first) => {}
            }
        }
    });
    format!("http://{address}")
}

#[tokio::test(flavor = "multi_thread")]
async fn create_whose_answer_is_lost_is_told_honestly() {
    let app = TestApp::on(Backend::Sqlite).await;
    let who = app.sign_in("ada").await;
    let mut command = latchkey(&losing(&app.base, 1).await, &who.jwt);
    command.args(["keys", "create", "--name=a", "--project", &who.project]);
    let lost = finish(command, "").await;
    assert_eq!((lost.code, lost.stdout.as_str()), (Some(1), ""), "{lost:?}");
    let path = format!("/v1/projects/{}/keys", who.project);
    let keys = app.json(&path, &who.jwt).await;
    let keys = keys["data"].as_array().unwrap();
    assert_eq!(keys.len(), 1, "it is created once");
    let advice = format!("latchkey keys rotate {}", text(&keys[0]["id"]));
    assert!(lost.stderr.contains(&advice), "{lost:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rotate_whose_answer_is_lost_is_told_honestly() {
    let app = TestApp::on(Backend::Sqlite).await;
    let who = app.sign_in("ada").await;
    let created = app.create(&who, &json!({"name": "a"})).await;
    let id = text(&created["api_key"]["id"]);
    let masked = text(&created["api_key"]["masked"]);
    let mut command = latchkey(&losing(&app.base, 1).await, &who.jwt);
    command.args(["keys", "rotate", &id]);
    let lost = finish(command, "").await;
    assert_eq!((lost.code, lost.stdout.as_str()), (Some(1), ""), "{lost:?}");
    assert!(lost.stderr.contains(&format!("latchkey keys rotate {id}")), "{lost:?}");
    assert_ne!(app.json(&key_path(&created), &who.jwt).await["masked"], masked.as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn create_that_is_lost_twice_is_said_to_be_unsure() {
    let app = TestApp::on(Backend::Sqlite).await;
    let who = app.sign_in("ada").await;
    let mut command = latchkey(&losing(&app.base, 2).await, &who.jwt);
    command.args(["keys", "create", "--name=a", "--project", &who.project]);
    let lost = finish(command, "").await;
    assert_eq!((lost.code, lost.stdout.as_str()), (Some(6), ""), "{lost:?}");
    assert!(lost.stderr.contains("may have taken effect"), "{lost:?}");
}
