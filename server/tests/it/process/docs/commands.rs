//! The pages and the program have the same commands, flags and variables.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Arg, Command, CommandFactory};
use latchkey_server::cli::Cli;

use super::{OPERATING, ROOT, read};

/// What clap gives to every command.
const OF_CLAP: [&str; 2] = ["help", "version"];
/// Variables that are no argument: the token of a client, and those of examples and of scripts.
const OTHER_VARIABLES: [&str; 7] = [
    "LATCHKEY_TOKEN",
    "LATCHKEY_KEY",
    "LATCHKEY_ID",
    "LATCHKEY_ADDRESS",
    "LATCHKEY_BEFORE",
    "LATCHKEY_BENCH_OLD",
    "LATCHKEY_BINARY",
];
/// Commands that talk to a server or describe the program: `docs/command-line.md` has them.
const OF_CLIENTS: [&str; 8] =
    ["keys", "projects", "members", "import", "export", "check", "completions", "man"];

/// The pages in a folder and in those below, with their text.
fn texts(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(texts(&path));
        } else if path.extension().is_some_and(|end| end == "md") {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
    found
}

fn documents() -> Vec<(PathBuf, String)> {
    let mut documents = texts(&Path::new(ROOT).join("docs"));
    documents.extend(["README.md", "SECURITY.md"].map(|name| (PathBuf::from(name), read(name))));
    documents
}

/// Calls `visit` with each command that has no subcommands, and its name after `latchkey`.
fn each_command(command: &Command, path: &str, visit: &mut impl FnMut(&str, &Command)) {
    let mut subcommands = command.get_subcommands().peekable();
    if subcommands.peek().is_none() {
        visit(path.trim_start(), command);
    }
    for subcommand in subcommands {
        each_command(subcommand, &format!("{path} {}", subcommand.get_name()), visit);
    }
}

/// What is wrong with `latchkey` and these words after it, if anything is.
fn fault(program: &Command, words: &str) -> Option<String> {
    let mut command = program;
    let mut flags = BTreeSet::from(OF_CLAP.map(str::to_owned));
    let mut is_name = true;
    for word in words.split_whitespace().take_while(|word| *word != "|") {
        flags.extend(command.get_arguments().filter_map(Arg::get_long).map(str::to_owned));
        if let Some(flag) = word.strip_prefix("--") {
            is_name = false;
            let flag = flag.split('=').next().unwrap_or_default();
            if !flags.contains(flag) {
                return Some(format!("`latchkey {words}`: no flag --{flag}"));
            }
        } else if is_name && command.has_subcommands() {
            let Some(next) = command.find_subcommand(word) else {
                return Some(format!("`latchkey {words}`: no command {word}"));
            };
            command = next;
        }
    }
    None
}

#[test]
fn pages_name_only_commands_and_flags_that_exist() {
    let program = <Cli as CommandFactory>::command();
    let mut wrong = Vec::new();
    for (path, text) in documents() {
        let quoted = text.split('`').skip(1).step_by(2);
        let lines = quoted.filter_map(|quoted| quoted.strip_prefix("latchkey "));
        let faults = lines.filter_map(|words| fault(&program, words));
        wrong.extend(faults.map(|fault| format!("{}: {fault}", path.display())));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(fault(&program, "keys melt").is_some() && fault(&program, "backup --melt").is_some());
}

#[test]
fn pages_for_operators_name_every_command_and_flag() {
    let table = read(format!("{OPERATING}/README.md"));
    let pages = texts(&Path::new(ROOT).join(OPERATING));
    let pages: String = pages.into_iter().map(|(_, text)| text).collect();
    let mut missing = Vec::new();
    each_command(&<Cli as CommandFactory>::command(), "", &mut |path: &str, command: &Command| {
        if OF_CLIENTS.contains(&path.split(' ').next().unwrap_or_default()) {
            return;
        }
        if path != "serve" && !table.contains(&format!("`latchkey {path}")) {
            missing.push(format!("latchkey {path}"));
        }
        // Settings are named by their variables.
        let flags = command.get_arguments().filter(|one| one.get_env().is_none());
        let flags = flags.filter_map(Arg::get_long).map(|flag| format!("--{flag}"));
        let flags = flags.filter(|flag| !pages.contains(flag.as_str()));
        missing.extend(flags.map(|flag| format!("latchkey {path} {flag}")));
    });
    assert!(missing.is_empty(), "{OPERATING}: {missing:#?}");
}

fn ends_variable(letter: char) -> bool {
    !letter.is_ascii_uppercase() && letter != '_'
}

#[test]
fn pages_name_the_variables_that_exist() {
    let mut known = BTreeSet::new();
    each_command(&<Cli as CommandFactory>::command(), "", &mut |_: &str, command: &Command| {
        let shown = command.get_arguments().filter(|one| !one.is_hide_set());
        let names = shown.filter_map(Arg::get_env).filter_map(OsStr::to_str);
        known.extend(names.map(str::to_owned));
    });
    assert!(known.len() > 25, "{known:?}");
    let documents = documents();
    let words = documents.iter().flat_map(|(_, text)| text.split(ends_variable));
    let named: BTreeSet<&str> = words.filter(|word| word.contains('_')).collect();
    let missing: Vec<&String> =
        known.iter().filter(|name| !named.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "on no page: {missing:?}");
    let ours = named.iter().filter(|name| name.starts_with("LATCHKEY_") && !name.ends_with('_'));
    let unknown: Vec<&&str> =
        ours.filter(|name| !known.contains(**name) && !OTHER_VARIABLES.contains(*name)).collect();
    assert!(unknown.is_empty(), "no variable of the program: {unknown:?}");
}
