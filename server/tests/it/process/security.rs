//! `SECURITY.md` promises nothing that no test holds it to.

use std::fs;
use std::path::PathBuf;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The promises, each as its whole text.
fn promises() -> Vec<String> {
    let text = fs::read_to_string(root().join("SECURITY.md")).unwrap();
    let defended = text.split("\n## ").find(|part| part.starts_with("What is defended"));
    let lines = defended.unwrap().split("\n- ").skip(1);
    // A heading may follow.
    lines.map(|promise| promise.split("\n#").next().unwrap().to_owned()).collect()
}

/// The tests that a promise names: what stands in backticks as `file::function`.
fn named(promise: &str) -> Vec<(&str, &str)> {
    promise.split('`').filter_map(|quoted| quoted.split_once(".rs::")).collect()
}

#[test]
fn promises_name_tests_that_are_there() {
    let promises = promises();
    assert!(promises.len() > 25, "{promises:#?}");
    let mut missing = Vec::new();
    for promise in &promises {
        let tests = named(promise);
        if tests.is_empty() {
            missing.push(format!("no test for: {promise}"));
        }
        for (file, function) in tests {
            let source = fs::read_to_string(root().join(format!("{file}.rs"))).unwrap_or_default();
            if !source.contains(&format!("fn {function}(")) {
                missing.push(format!("{file}.rs::{function}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}
