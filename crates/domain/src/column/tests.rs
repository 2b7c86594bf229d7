//! What stands in columns.

use std::fmt::Debug;

use super::*;
use crate::limit::{ModelName, Tokens};
use crate::tier::Count;

#[track_caller]
fn assert_stored<T>(value: &T, stored: impl Into<Value>)
where
    T: Into<Value> + sea_query::ValueType + Nullable + Clone + PartialEq + Debug,
{
    let stored = stored.into();
    assert_eq!(value.clone().into(), stored);
    assert_eq!(T::try_from(stored).ok().as_ref(), Some(value));
    assert_eq!(<Option<T> as sea_query::ValueType>::try_from(T::null()).ok(), Some(None));
}

#[test]
fn columns_keep_their_stored_format() {
    let uuid = Uuid::from_u128(0x0189_0a5d_ac96_774b_bcce_b302_099a_8057);
    assert_stored(&KeyId::from(uuid), uuid);
    assert_stored(&Timestamp::from_millis(-1), -1_i64);
    assert_stored(&Tokens::new(Tokens::MAX).unwrap(), 9_007_199_254_740_991_i64);
    assert_stored(&AuditAction::KeyGraceEnded, "key.grace_ended");
    assert_stored(&Environment::Live, "live");
    assert_stored(&KeyDigest::new([7; 32]), vec![7_u8; 32]);
    for text in ["lk_live_7Qm2...x9Kd", "imported"] {
        assert_stored(&text.parse::<MaskedSecret>().unwrap(), text);
    }
    let scheme: Scheme = "sha256-hex:after-pipe".parse().unwrap();
    assert_stored(&scheme, "sha256:after-pipe");
    let models: Vec<ModelName> = vec!["b \"c\"".parse().unwrap(), "a".parse().unwrap()];
    assert_stored(&AllowList::new(models).unwrap(), r#"["b \"c\"","a"]"#);
    let projects = Some(Count::new(3).unwrap());
    let overrides = TierOverrides { projects, ..TierOverrides::NONE };
    assert_stored(&overrides, r#"{"projects":3}"#);
    assert_stored(&"user_8123".parse::<ExternalId>().unwrap(), "user_8123");
    assert_stored(&"a \"b\"".parse::<Tag>().unwrap(), "a \"b\"");
    let tags = vec!["a \"b\"".parse().unwrap(), "é".parse().unwrap()];
    assert_stored(&Tags::new(tags).unwrap(), r#"["a \"b\"","é"]"#);
    let scopes = vec!["orders:*".parse().unwrap()];
    assert_stored(&Scopes::new(scopes).unwrap(), r#"["orders:*"]"#);
    let hours = ["hour", "day", "week", "month", "total", "minute"];
    let nine = hours.iter().map(|period| ("usd", "\"1\"", period));
    let nine = nine.chain(hours[..3].iter().map(|period| ("tokens", "1", period)));
    let nine: Vec<_> = nine
        .map(|(unit, limit, period)| {
            format!(r#"{{"unit":"{unit}","limit":{limit},"period":"{period}"}}"#)
        })
        .collect();
    let nine = format!("[{}]", nine.join(","));
    let budgets = <Budgets as Column>::restore(nine.clone()).unwrap();
    assert_eq!(budgets.as_slice().len(), 9);
    assert_stored(&budgets, nine);
    let metadata: Metadata = r#"{"n": 12345678901234567890123}"#.parse().unwrap();
    assert_stored(&metadata, r#"{"n":12345678901234567890123}"#);
}

#[test]
fn enum_words_round_trip() {
    fn check<T>(all: &[T])
    where
        T: Into<Value> + sea_query::ValueType + Copy + PartialEq + Debug,
    {
        for one in all {
            assert_eq!(<T as sea_query::ValueType>::try_from((*one).into()).ok(), Some(*one));
        }
    }
    check(&ActorKind::ALL);
    check(&Alphabet::ALL);
    check(&ApplicationEnvironment::ALL);
    check(AuditAction::ALL);
    check(&BudgetUnit::ALL);
    check(&LimitScope::ALL);
    check(&Environment::ALL);
    check(&KeyKind::ALL);
    check(&Outcome::ALL);
    check(&Period::ALL);
    check(&Role::ALL);
    check(&SessionEndReason::ALL);
    check(&TargetKind::ALL);
    check(&Tier::ALL);
}

#[test]
fn impossible_values_are_refused() {
    fn refuses<T: sea_query::ValueType>(stored: impl Into<Value>) -> bool {
        <T as sea_query::ValueType>::try_from(stored.into()).is_err()
    }
    assert!(refuses::<Role>("emperor") && refuses::<Tier>("") && refuses::<Outcome>("VALID"));
    assert!(refuses::<Tokens>(0_i64) && refuses::<Tokens>(-1_i64) && refuses::<KeyId>("x"));
    assert!(refuses::<AllowList<ModelName>>("[]") && refuses::<TierOverrides>("3"));
    assert!(refuses::<MaskedSecret>("") && refuses::<KeyPrefix>("LK"));
    assert!(refuses::<Scheme>("sha256-hex") && refuses::<Alphabet>("base32"));
    assert!(refuses::<KeyDigest>(vec![7_u8; 31]) && refuses::<ExternalId>("none"));
    assert!(refuses::<Tags>("{}") && refuses::<Scopes>("[\"a b\"]") && refuses::<Metadata>("3"));
    let error = ImpossibleValue(<Role as Column>::NAME).to_error().to_string();
    assert!(error.ends_with("the database holds an impossible role"), "{error}");
}
