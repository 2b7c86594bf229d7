use proptest::prelude::*;

use super::*;

/// Reads all of a JSON text. Returns the bytes of its texts, names included.
fn read(json: &str) -> Result<usize, BadJson> {
    let mut reader = JsonReader::new(json.as_bytes());
    let bytes = value(&mut reader)?;
    reader.end().map(|()| bytes)
}

fn value(reader: &mut JsonReader<'_>) -> Result<usize, BadJson> {
    let (mut bytes, mut is_first) = (0, true);
    match reader.value()? {
        JsonValue::Text(text) => bytes += checked(text),
        JsonValue::List => {
            while reader.next_item(&mut is_first)? {
                bytes += value(reader)?;
            }
        }
        JsonValue::Object => {
            while let Some(name) = reader.next_name(&mut is_first)? {
                bytes += checked(name) + value(reader)?;
            }
        }
        JsonValue::Null | JsonValue::Scalar(_) => {}
    }
    Ok(bytes)
}

fn checked(text: JsonText<'_>) -> usize {
    assert_eq!(text.read().len(), text.length());
    text.length()
}

fn bytes_of(value: &serde_json::Value) -> usize {
    match value {
        serde_json::Value::String(text) => text.len(),
        serde_json::Value::Array(items) => items.iter().map(bytes_of).sum(),
        serde_json::Value::Object(members) => {
            members.iter().map(|(name, value)| name.len() + bytes_of(value)).sum()
        }
        _ => 0,
    }
}

fn is_read_alike(json: &str) -> bool {
    let theirs = serde_json::from_str::<serde_json::Value>(json).is_ok();
    theirs == read(json).is_ok()
}

#[test]
fn accepted_json_is_accepted_by_serde_json() {
    for json in [
        "",
        " ",
        "null",
        "nul",
        "nullx",
        "true",
        "false",
        "tru",
        "0",
        "-",
        "-0",
        "01",
        "1.",
        ".1",
        "1.0",
        "1e",
        "1e+",
        "1e+5",
        "1E-5",
        "1e400",
        "-1e400",
        "1e-400",
        "\"",
        "\"a",
        "\"a\"",
        "\"\\\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u123g\"",
        "\"\\u00e9\"",
        "\"\\ud83d\\ude00\"",
        "\"\\ud83d\"",
        "\"\\ud83dx\"",
        "\"\\ud83d\\u0041\"",
        "\"\\ude00\"",
        "\"\\u+123\"",
        "\"\n\"",
        "\"\u{1f}\"",
        "\"\u{7f}é\"",
        "[",
        "[]",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1,2]",
        "[]]",
        "{",
        "{}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{\"a\":1 \"b\":2}",
        "{a:1}",
        "{\"a\" : 1 , \"b\" : [ ] }",
        "{\"a\":1}x",
        "\u{feff}1",
        "\u{a0}1",
        "+1",
        "1_0",
        "[}",
        "{]",
        "NaN",
        "Infinity",
        "'a'",
        "1 // a",
    ] {
        assert!(is_read_alike(json), "{json}");
    }
    let digits = |count| "9".repeat(count);
    assert!(is_read_alike(&digits(300)) && is_read_alike(&digits(400)));
    for depth in [1, 126, 127] {
        assert!(is_read_alike(&format!("{}{}", "[".repeat(depth), "]".repeat(depth))), "{depth}");
    }
    assert_eq!(read(&"[".repeat(100_000)), Err(BadJson));
}

#[test]
fn text_ends_at_its_quote_at_any_offset() {
    for before in 0..20 {
        for (written, length) in [("", 0), ("\\n", 1), ("\\u00e9é", 4), ("\\ud83d\\ude00", 4)] {
            for after in 0..20 {
                let (x, y) = ("x".repeat(before), "é".repeat(after));
                let json = format!("\"{x}{written}{y}\"");
                assert_eq!(read(&json), Ok(before + length + 2 * after), "{json}");
            }
        }
    }
}

#[test]
fn runs_of_backslashes_may_cross_blocks() {
    for before in 0..=2 * BLOCK {
        for run in 1..=BLOCK + 2 {
            let (x, backslashes) = ("x".repeat(before), "\\".repeat(run));
            for after in ["", "\"", "n", "u0041", "é", "x", "\n"] {
                let json = format!("\"{x}{backslashes}{after}{}\"", "y".repeat(BLOCK));
                let theirs = serde_json::from_str::<String>(&json).map(|text| text.len());
                assert_eq!(read(&json).ok(), theirs.ok(), "{json}");
            }
        }
    }
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let text = "[ -~é\u{1f600}\n\"\\\\]{0,30}";
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        (-1e300_f64..1e300).prop_map(Into::into),
        text.prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            proptest::collection::vec((text, inner), 0..6)
                .prop_map(|members| { serde_json::Value::Object(members.into_iter().collect()) }),
        ]
    })
}

proptest! {
    #[test]
    fn long_texts_have_their_unescaped_length(
        pieces in proptest::collection::vec(
            prop_oneof![
                4 => "[a-zé\u{1f600}]{0,70}",
                4 => prop::sample::select(vec![
                    "\\\"", "\\\\", "\\n", "\\/", "\\u0041", "\\u00e9", "\\ud83d\\ude00",
                ]).prop_map(str::to_owned),
                1 => prop::sample::select(vec!["\\x", "\"", "\n", "\\", "\\ud83d"])
                    .prop_map(str::to_owned),
            ],
            0..40,
        ),
    ) {
        let json = format!("\"{}\"", pieces.concat());
        let theirs = serde_json::from_str::<String>(&json).map(|text| text.len());
        prop_assert_eq!(read(&json).ok(), theirs.ok(), "{}", json);
    }

    #[test]
    fn texts_have_their_unescaped_length(value in json(), pretty: bool) {
        let json = if pretty { format!("{value:#}") } else { value.to_string() };
        prop_assert_eq!(read(&json), Ok(bytes_of(&value)));
    }

    #[test]
    fn damaged_json_is_rejected_like_serde_json(
        value in json(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), "[ -~]?"), 1..3),
    ) {
        let mut json: Vec<char> = value.to_string().chars().collect();
        for (place, with) in damage {
            let at = place.index(json.len() + 1);
            let end = (at + 1).min(json.len());
            json.splice(at..end, with.chars());
        }
        let json: String = json.into_iter().collect();
        prop_assert!(is_read_alike(&json), "{}", json);
    }
}
