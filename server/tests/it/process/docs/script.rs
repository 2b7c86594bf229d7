//! A page as one script.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::blocks::{Block, Kind};

/// Stands for any text in a line of output that a page shows.
const ANY: char = '…';

/// What is written on a page, and what it stands for in a run of it.
#[derive(Clone, Default)]
pub(super) struct Values(Vec<(String, String)>);

impl Values {
    /// A text that contains another one comes before it.
    pub(super) fn add(&mut self, written: &str, meant: &str) {
        self.0.push((written.to_owned(), meant.to_owned()));
    }

    pub(super) fn fill(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (written, meant)| text.replace(written, meant))
    }
}

/// The output that a page shows of a command.
pub(super) struct Shown {
    /// Page and line.
    place: String,
    command: String,
    lines: Vec<String>,
    /// Where the script keeps what the command prints, in the folder of the run.
    file: String,
}

/// The commands of a page.
#[derive(Default)]
pub(super) struct Script {
    pub(super) code: String,
    pub(super) shown: Vec<Shown>,
    /// Why blocks are not run.
    pub(super) reasons: Vec<String>,
    /// Commands with a placeholder that nothing is known of.
    pub(super) unknown: Vec<String>,
}

impl Script {
    pub(super) fn new(page: &str, blocks: &[Block], values: &Values) -> Self {
        let mut script = Self::default();
        for block in blocks {
            script.add(&format!("{page}:{}", block.line), block, values);
        }
        script
    }

    fn add(&mut self, place: &str, block: &Block, values: &Values) {
        let text = values.fill(&block.text);
        let is_run = matches!(block.kind, Kind::Run | Kind::Serve | Kind::Cron);
        if is_run && text.lines().any(|line| without_comment(line).contains(ANY)) {
            self.unknown.push(format!("{place}: a placeholder without a value: {text}"));
        }
        self.line(&format!("PLACE={}", quoted(place)));
        match &block.kind {
            Kind::Run => self.line(&text),
            Kind::Serve => self.line(&format!("serve {}", quoted(&text))),
            Kind::Console => self.console(place, &block.text, values),
            Kind::Cron => {
                for line in text.lines() {
                    self.line(&of_cron(line));
                }
            }
            Kind::File(name) => {
                let name = quoted(&values.fill(name));
                self.line(&format!("printf '%s\\n' {} >{name}", quoted(&text)));
            }
            Kind::NotRun(reason) => self.reasons.push(reason.clone()),
            Kind::Shown => {}
        }
    }

    fn line(&mut self, line: &str) {
        writeln!(self.code, "{line}").unwrap();
    }

    /// Its commands may fail: a page can show the exit code.
    fn console(&mut self, place: &str, text: &str, values: &Values) {
        self.line("lenient");
        let first = self.shown.len();
        for line in text.lines() {
            if let Some(command) = line.strip_prefix("$ ") {
                self.shown.push(Shown {
                    place: place.to_owned(),
                    command: command.to_owned(),
                    lines: Vec::new(),
                    file: format!("out/{}", self.shown.len()),
                });
                continue;
            }
            let last = self.shown.get_mut(first..).unwrap().last_mut().expect("a line with `$ `");
            match line.strip_prefix("> ") {
                Some(more) if last.lines.is_empty() => {
                    last.command.push('\n');
                    last.command.push_str(more);
                }
                _ => last.lines.push(line.to_owned()),
            }
        }
        let commands = self.shown.iter().skip(first);
        let commands = commands.map(|shown| (values.fill(&shown.command), &shown.file));
        let lines: Vec<String> =
            commands.map(|(command, file)| format!("{{ {command}\n}} >{file} 2>&1")).collect();
        for line in lines {
            self.line(&line);
        }
        self.line("strict");
    }
}

impl Shown {
    /// What is wrong with the output in this folder, if anything is.
    pub(super) fn difference(&self, folder: &Path, values: &Values) -> Option<String> {
        let Ok(output) = fs::read_to_string(folder.join(&self.file)) else {
            return Some(format!("{}: $ {}: it was not run", self.place, self.command));
        };
        let printed: Vec<String> = output.trim_end().lines().map(words).collect();
        let expected: Vec<&String> = self.lines.iter().collect();
        let fits = printed.len() == expected.len()
            && expected.iter().zip(&printed).all(|(expected, printed)| {
                let filled = values.fill(expected);
                [*expected, &filled].iter().any(|shown| matches(&words(shown), printed))
            });
        let said = || format!("{}: $ {}\nprints\n{output}", self.place, self.command);
        (!fits).then(said)
    }
}

/// The words of a line, which a page may align in other ways.
fn words(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a line is as shown, where `…` is any text.
fn matches(shown: &str, printed: &str) -> bool {
    let mut parts = shown.split(ANY);
    let Some(mut rest) = parts.next().and_then(|start| printed.strip_prefix(start)) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(end) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(end)
}

/// The command of a line of cron, without its five times.
fn of_cron(line: &str) -> String {
    line.split_whitespace().skip(5).collect::<Vec<_>>().join(" ").replace("\\%", "%")
}

fn without_comment(line: &str) -> &str {
    if line.trim_start().starts_with('#') {
        return "";
    }
    line.split_once(" # ").map_or(line, |(code, _)| code)
}

/// A text as one word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[test]
fn shown_line_matches_any_text_at_its_gaps() {
    assert!(matches("key_… (…), live", "key_01 (ci), live"));
    assert!(matches("restored …Z", "restored 12:00Z") && matches("…", "") && matches("", ""));
    assert!(!matches("key_… live", "key_01 test") && !matches("valid", "valid key"));
    assert!(!matches("a… b… c", "a b") && !matches("", "text"));
}
