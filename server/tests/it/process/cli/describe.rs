//! Completions, manual pages, `--help` and the page in `docs/`.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use clap::CommandFactory;
use latchkey_server::cli::Cli;

use super::{finish, latchkey};

/// The commands of the page: those that talk to a server or describe the program.
const DOCUMENTED: [&str; 8] =
    ["keys", "projects", "members", "import", "export", "check", "completions", "man"];
/// Flags that the page explains once.
const COMMON: [&str; 4] = ["latchkey-url", "json", "help", "version"];

async fn output(arguments: &[&str]) -> String {
    let mut command = latchkey("", "");
    command.args(arguments);
    let finished = finish(command, "").await;
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""), "{arguments:?}");
    finished.stdout
}

/// A program of the machine, if it is there.
fn program(name: &str) -> Option<Command> {
    let there = Command::new(name).arg("--version").stdin(Stdio::null()).output().is_ok();
    there.then(|| Command::new(name))
}

#[tokio::test(flavor = "multi_thread")]
async fn completions_are_valid_scripts() {
    for (shell, flag) in [("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute")] {
        let script = output(&["completions", shell]).await;
        for word in ["keys", "rotate", "completions"] {
            assert!(script.contains(word), "{word} is not in the completions for {shell}");
        }
        let Some(mut checker) = program(shell) else { continue };
        checker.arg(flag);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("completions");
        std::fs::write(&file, script).unwrap();
        checker.arg(&file);
        let run = finish(checker, "").await;
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{shell}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn manual_pages_are_rendered() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = latchkey("", "");
    command.args(["man", "--to"]).arg(folder.path().join("man1"));
    let written = finish(command, "").await;
    assert_eq!(written.code, Some(0), "{written:?}");
    let page = folder.path().join("man1/latchkey-keys-create.1");
    let text = std::fs::read_to_string(&page).unwrap();
    assert_eq!(output(&["man", "keys", "create"]).await, text);
    assert!(text.contains(r"\-\-max\-parallel") && text.contains("LATCHKEY_URL"), "{text}");
    assert!(folder.path().join("man1/latchkey.1").exists());
    let mut unknown = latchkey("", "");
    unknown.args(["man", "keys", "melt"]);
    assert_eq!(finish(unknown, "").await.code, Some(2));
    let Some(mut man) = program("man") else { return };
    man.arg("-l").arg(&page).env("MANPAGER", "cat").env("MANWIDTH", "80");
    let shown = finish(man, "").await;
    // Some machines have the program, but none of the programs that it needs.
    if shown.code == Some(0) {
        assert!(shown.stdout.contains("--max-parallel"), "{shown:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn help_and_version_exit_with_0() {
    assert!(output(&["--version"]).await.starts_with("latchkey "));
    let help = output(&["--help"]).await;
    assert!(help.contains("Without a command, `latchkey` runs the server"), "{help}");
    for command in DOCUMENTED {
        assert!(help.contains(&format!("\n  {command}")), "{command} is not in\n{help}");
    }
    assert!(output(&["keys", "create", "--help"]).await.contains("--max-parallel"));
}

/// Each command without subcommands, and its flags.
fn documented_commands() -> Vec<(String, BTreeSet<String>)> {
    fn collect(command: &clap::Command, path: &str, found: &mut Vec<(String, BTreeSet<String>)>) {
        let path = format!("{path} {}", command.get_name());
        let mut subcommands = command.get_subcommands().peekable();
        if subcommands.peek().is_none() {
            let flags = command.get_arguments().filter_map(clap::Arg::get_long);
            let flags = flags.filter(|flag| !COMMON.contains(flag)).map(str::to_owned);
            found.push((path, flags.collect()));
            return;
        }
        for subcommand in subcommands {
            collect(subcommand, &path, found);
        }
    }

    let program = <Cli as CommandFactory>::command();
    let mut found = Vec::new();
    for name in DOCUMENTED {
        collect(program.find_subcommand(name).unwrap(), "latchkey", &mut found);
    }
    found
}

/// The flags that a text names in backticks, as `--flag` or `--flag VALUE`.
fn named_flags(text: &str) -> BTreeSet<String> {
    let quoted = text.split('`').skip(1).step_by(2);
    let flags = quoted.filter_map(|quoted| quoted.strip_prefix("--"));
    let flags = flags.map(|flag| flag.split([' ', '=']).next().unwrap_or_default().to_owned());
    flags.filter(|flag| !COMMON.contains(&flag.as_str())).collect()
}

#[test]
fn page_of_the_command_line_names_every_flag() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/command-line.md");
    let page = std::fs::read_to_string(page).unwrap();
    let mut missing = Vec::new();
    for (path, flags) in documented_commands() {
        let heading = format!("\n### `{path}`");
        let Some((_, section)) = page.split_once(&heading) else {
            missing.push(format!("no heading {heading}"));
            continue;
        };
        let section = section.split("\n## ").next().unwrap_or_default();
        let section = section.split("\n### ").next().unwrap_or_default();
        let named = named_flags(section);
        missing.extend(flags.difference(&named).map(|flag| format!("{path}: --{flag}")));
        missing.extend(named.difference(&flags).map(|flag| format!("{path} has no --{flag}")));
    }
    assert!(missing.is_empty(), "docs/command-line.md: {missing:#?}");
}
