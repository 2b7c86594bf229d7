//! What a page shows a shell, or hides from its readers.

/// A block of a page, fenced or in a comment.
pub(super) struct Block {
    /// Line of the page on which it begins.
    pub(super) line: usize,
    pub(super) kind: Kind,
    /// Its lines, without the page's indentation.
    pub(super) text: String,
}

/// What is done with a block.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `sh`, or a comment `<!-- run: … -->`: it is run, and has to succeed.
    Run,
    /// `sh serve`: it has no end; what follows is run when the server answers.
    Serve,
    /// `console`: what follows `$ ` is run, and has to print the other lines.
    Console,
    /// `cron`: the command of each line is run.
    Cron,
    /// `sh no-run: REASON`.
    NotRun(String),
    /// Another language, and the name of a file, as in `csv keys.csv`, or alone in a comment that
    /// is the first line.
    File(String),
    /// Another language.
    Shown,
}

/// All blocks of a page, in order.
pub(super) fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = (1..).zip(page.lines());
    while let Some((line, content)) = lines.next() {
        let trimmed = content.trim_start();
        if let Some(hidden) = trimmed.strip_prefix("<!-- run:") {
            let mut text = hidden.to_owned();
            while !text.trim_end().ends_with("-->") {
                let (_, more) = lines.next().expect("the end of a comment");
                text.push('\n');
                text.push_str(more);
            }
            let text = text.trim_end().trim_end_matches("-->").trim().to_owned();
            blocks.push(Block { line, kind: Kind::Run, text });
        } else if let Some(marker) = trimmed.strip_prefix("```") {
            let indent = content.len() - trimmed.len();
            let inside = lines.by_ref().map(|(_, inside)| inside);
            let inside = inside.take_while(|inside| !inside.trim_start().starts_with("```"));
            let inside: Vec<&str> =
                inside.map(|inside| inside.get(indent..).unwrap_or_default()).collect();
            let text = inside.join("\n");
            blocks.push(Block { line, kind: kind(marker.trim(), &text), text });
        }
    }
    blocks
}

fn kind(marker: &str, text: &str) -> Kind {
    if let Some(reason) = marker.strip_prefix("sh no-run: ") {
        return Kind::NotRun(reason.to_owned());
    }
    match marker {
        "sh" => Kind::Run,
        "sh serve" => Kind::Serve,
        "console" => Kind::Console,
        "cron" => Kind::Cron,
        _ => {
            let language = marker.split(' ').next().unwrap_or_default();
            let is_shell = ["", "sh", "bash", "shell", "console", "cron"].contains(&language);
            assert!(!is_shell, "```{marker}: use one of the markers of `Kind`");
            let name = marker.split(' ').nth(1).or_else(|| file_name(text));
            name.map_or(Kind::Shown, |name| Kind::File(name.to_owned()))
        }
    }
}

fn file_name(text: &str) -> Option<&str> {
    let first = text.lines().next()?;
    let name = first.strip_prefix("# ").or_else(|| first.strip_prefix("-- "))?;
    (name.contains('.') && !name.contains(char::is_whitespace)).then_some(name)
}

/// Lines outside of any block that Markdown shows as code and that look like a command; their
/// numbers.
pub(super) fn commands_outside(page: &str) -> Vec<usize> {
    const PROGRAMS: [&str; 14] = [
        "latchkey ",
        "LATCHKEY_",
        "DATABASE_",
        "apt ",
        "cp ",
        "curl ",
        "docker ",
        "journalctl ",
        "pg_",
        "promtool ",
        "psql ",
        "sudo ",
        "systemctl ",
        "$ ",
    ];
    let mut fenced = false;
    let mut found = Vec::new();
    for (number, line) in (1..).zip(page.lines()) {
        let trimmed = line.trim_start();
        fenced ^= trimmed.starts_with("```");
        let indented = line.len() - trimmed.len() >= 4;
        if !fenced && indented && PROGRAMS.iter().any(|program| trimmed.starts_with(program)) {
            found.push(number);
        }
    }
    found
}

#[test]
fn block_has_the_kind_of_its_marker() {
    let page = "\
1. A list:\n\n   ```sh\n   echo 1\n\n     echo 2\n   ```\n<!-- run: stop -->\n\
<!-- run: a\nb -->\n```sh no-run: needs a cloud\ncloud up\n```\n```toml\n# etc/a.toml\na = 1\n```\n\
```json\n{}\n```\n";
    let found = blocks(page);
    let kinds: Vec<&Kind> = found.iter().map(|block| &block.kind).collect();
    let not_run = Kind::NotRun("needs a cloud".to_owned());
    let file = Kind::File("etc/a.toml".to_owned());
    assert_eq!(kinds, [&Kind::Run, &Kind::Run, &Kind::Run, &not_run, &file, &Kind::Shown]);
    let texts: Vec<&str> = found.iter().take(3).map(|block| block.text.as_str()).collect();
    assert_eq!(texts, ["echo 1\n\n  echo 2", "stop", "a\nb"]);
    assert_eq!(found.iter().map(|block| block.line).take(4).collect::<Vec<_>>(), [3, 8, 9, 11]);
    assert_eq!(commands_outside("```sh\n    cp a b\n```\n    cp a b\n"), [4]);
}
