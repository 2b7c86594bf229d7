use super::*;

fn budgets(json: &str) -> Result<Budgets, String> {
    serde_json::from_str(json).map_err(|error: serde_json::Error| error.to_string())
}

#[test]
fn budget_limit_is_read_by_its_unit() {
    let read = |json: &str| serde_json::from_str::<Budget>(json).map(|one| one.limit.counted());
    for (json, counted) in [
        (r#"{"unit":"requests","limit":1,"period":"minute"}"#, 1),
        (r#"{"limit":6e2,"unit":"tokens","period":"total"}"#, 600),
        (r#"{"unit":"tokens","limit":9007199254740991,"period":"day"}"#, Tokens::MAX),
        (r#"{"unit":"usd","limit":"5","period":"day"}"#, 5_000_000_000),
        (r#"{"unit":"usd","limit":0.000001,"period":"week"}"#, 1_000),
        (r#"{"limit":1000000000,"unit":"usd","period":"total"}"#, 1_000_000_000_000_000_000),
    ] {
        assert_eq!(read(json).unwrap(), counted, "{json}");
    }
}

#[test]
fn impossible_budgets_are_refused() {
    for (unit, limit, period) in [
        ("requests", "0", "day"),
        ("requests", "-1", "day"),
        ("tokens", "1.5", "day"),
        ("tokens", "\"10\"", "day"),
        ("tokens", "9007199254740992", "day"),
        ("usd", "0", "day"),
        ("usd", "\"-5\"", "day"),
        ("usd", "\"+5\"", "day"),
        ("usd", "\"NaN\"", "day"),
        ("usd", "\"0.0000001\"", "day"),
        ("usd", "1e300", "day"),
        ("usd", "1000000001", "day"),
        ("usd", "null", "day"),
        ("eur", "5", "day"),
        ("usd", "5", "year"),
    ] {
        let json = format!(r#"[{{"unit":"{unit}","limit":{limit},"period":"{period}"}}]"#);
        assert!(budgets(&json).is_err(), "{json}");
    }
    assert!(budgets(r#"[{"unit":"usd","limit":1e400,"period":"day"}]"#).is_err());
    assert!(budgets(r#"[{"unit":"usd","limit":5,"period":"day","used":0}]"#).is_err());
}

#[test]
fn list_has_one_limit_for_each_unit_and_period() {
    let twice =
        r#"[{"unit":"usd","limit":5,"period":"day"},{"unit":"usd","limit":"5.0","period":"day"}]"#;
    assert_eq!(budgets(twice).unwrap().as_slice().len(), 1);
    let differ = twice.replace("5.0", "6");
    assert!(budgets(&differ).unwrap_err().contains("usd a day has two"));
    let many: Vec<_> = (0..9)
        .map(|n| {
            let unit = ["requests", "tokens", "usd"][n % 3];
            let period = ["hour", "day", "week"][n / 3];
            format!(r#"{{"unit":"{unit}","limit":5,"period":"{period}"}}"#)
        })
        .collect();
    assert!(budgets(&format!("[{}]", many.join(","))).unwrap_err().contains("at most 8"));
    assert_eq!(budgets(&format!("[{}]", many[1..].join(","))).unwrap().as_slice().len(), 8);
    let repeated =
        |times: usize| budgets(&format!("[{}]", vec![many[0].as_str(); times].join(",")));
    assert_eq!(repeated(8).unwrap().as_slice().len(), 1);
    assert!(repeated(9).unwrap_err().contains("at most 8"));
}

#[test]
fn flat_fields_stand_for_the_first_budget_of_a_unit() {
    let tokens = |limit| Budget::tokens(Tokens::new(limit).unwrap(), Period::Day);
    let dollars = Budget::usd(UsdLimit::new(Usd::dollars(5)).unwrap(), Period::Month);
    let list = Budgets::new([dollars, tokens(7)]).unwrap();
    assert_eq!(list.token_limit().unwrap().0.get(), 7);
    assert_eq!(list.spend_limit().unwrap().1, Period::Month);
    assert_eq!(list.clone().with_first(tokens(7)).unwrap(), list);
    assert!(list.clone().with_first(tokens(8)).is_err());
    let changed = list.clone().replace_first(BudgetUnit::Tokens, Some(tokens(8))).unwrap();
    assert_eq!(changed.as_slice(), [dollars, tokens(8)]);
    let removed = list.replace_first(BudgetUnit::Usd, None).unwrap();
    assert_eq!(removed.as_slice(), [tokens(7)]);
    assert_eq!(removed.spend_limit(), None);
}

#[test]
fn budgets_serialize_as_documented() {
    let json = r#"[{"unit":"usd","limit":"2.5","period":"day"},{"unit":"requests","limit":10,"period":"total"}]"#;
    assert_eq!(serde_json::to_string(&budgets(json).unwrap()).unwrap(), json);
}
