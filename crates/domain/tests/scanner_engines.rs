//! The published expression matches the same keys in the engines of other languages that are
//! installed. (RE2 and Hyperscan were checked by hand: docs/secret-scanning.md.)

use std::process::Command;

use latchkey_domain::secret::SCANNER_REGEX;

const KEY: &str = "lk_live_000000000000000000000000000000004cjNQE";

/// Texts with the expected first group of each match.
fn texts() -> Vec<(String, Vec<String>)> {
    let alone = || vec![KEY.to_owned()];
    let before = |more: &str| vec![format!("{more}{KEY}")];
    vec![
        (KEY.to_owned(), alone()),
        (format!("ключ{KEY}é"), alone()),
        (format!("é{KEY}密"), alone()),
        (format!("\\n{KEY}\\n"), before("n")),
        (format!("%22{KEY}%22"), alone()),
        (format!("\\u0022{KEY}\\u0022"), before("u0022")),
        (format!("{KEY} {KEY}"), vec![KEY.to_owned(), KEY.to_owned()]),
        (format!("{KEY}0"), Vec::new()),
        (format!("{KEY}_"), alone()),
        (KEY.replace('0', "é"), Vec::new()),
    ]
}

/// Runs a program over the texts, if it is installed. It prints a JSON list of matches for each.
fn assert_reads_the_same(program: &str, arguments: &[&str], code: &str) {
    for (text, expected) in texts() {
        let ran = Command::new(program)
            .args(arguments)
            .args([code, SCANNER_REGEX, text.as_str()])
            .env("PYTHONUTF8", "1")
            .output();
        let Ok(output) = ran else { return };
        let said = String::from_utf8_lossy(&output.stdout);
        let told = String::from_utf8_lossy(&output.stderr);
        let found: Vec<String> = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{told}"));
        assert_eq!(found, expected, "{program}: {text}");
    }
}

#[test]
fn scanner_regex_reads_the_same_in_python() {
    let code = "import json, re, sys; print(json.dumps(re.findall(sys.argv[1], sys.argv[2])))";
    assert_reads_the_same("python3", &["-c"], code);
}

#[test]
fn scanner_regex_reads_the_same_in_javascript() {
    for flags in ["g", "gu"] {
        let code = format!(
            "const [, regex, text] = process.argv; \
             console.log(JSON.stringify([...text.matchAll(new RegExp(regex, '{flags}'))].map((one) => one[1])))"
        );
        assert_reads_the_same("node", &["-e"], &code);
    }
}

#[test]
fn scanner_regex_reads_the_same_in_perl() {
    let code = "use JSON::PP; use utf8; use Encode; \
                my ($regex, $text) = map { decode('UTF-8', $_) } @ARGV; \
                my @found = $text =~ /$regex/g; print encode_json(\\@found)";
    assert_reads_the_same("perl", &["-e"], code);
}
