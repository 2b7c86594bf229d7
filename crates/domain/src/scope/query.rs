//! What a request asks of a key's scopes: all of them, any of them, or both in each other.

use std::fmt;

use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{InvalidScope, Scope, Scopes};

/// Scopes that a request asks for: `{"all": […]}`, `{"any": […]}`, or a plain list, which means
/// all. Members of a list are scopes or further operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScopeQuery {
    /// This scope. Only as a member of a list.
    One(Scope),
    /// All of these. An empty list asks for nothing.
    All(Vec<ScopeQuery>),
    /// At least one of these.
    Any(Vec<ScopeQuery>),
}

impl ScopeQuery {
    /// Maximum number of operators in each other. A plain list is one.
    pub const MAX_DEPTH: usize = 4;

    /// A query for all scopes of a text, separated by spaces, as a header has them.
    ///
    /// # Errors
    /// A word of the text is not a scope.
    pub fn all_of_words(text: &str) -> Result<Self, InvalidScope> {
        let words = text.split_ascii_whitespace().map(|word| word.parse().map(Self::One));
        words.collect::<Result<_, _>>().map(Self::All)
    }

    /// Whether a key with the scopes `granted` may do what is asked.
    pub fn is_met_by(&self, granted: &Scopes) -> bool {
        match self {
            Self::One(scope) => granted.grants(scope),
            Self::All(queries) => queries.iter().all(|query| query.is_met_by(granted)),
            Self::Any(queries) => queries.iter().any(|query| query.is_met_by(granted)),
        }
    }
}

impl Serialize for ScopeQuery {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (operator, queries) = match self {
            Self::One(scope) => return scope.serialize(serializer),
            Self::All(queries) => ("all", queries),
            Self::Any(queries) => ("any", queries),
        };
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(operator, queries)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for ScopeQuery {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(QueryVisitor { depth: Self::MAX_DEPTH, is_member: false })
    }
}

/// Reads one query.
#[derive(Clone, Copy)]
struct QueryVisitor {
    /// How many more operators may be in each other.
    depth: usize,
    /// Whether it stands in a list: a scope may, a further plain list may not.
    is_member: bool,
}

impl QueryVisitor {
    /// Reads the members of an operator.
    fn members<E: Error>(self) -> Result<MembersVisitor, E> {
        let depth = self.depth.checked_sub(1);
        let depth = depth.ok_or_else(|| E::custom("Nest at most four operators in each other."))?;
        Ok(MembersVisitor { member: Self { depth, is_member: true }, may_be_empty: true })
    }
}

impl<'de> DeserializeSeed<'de> for QueryVisitor {
    type Value = ScopeQuery;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<ScopeQuery, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for QueryVisitor {
    type Value = ScopeQuery;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_member { "a scope" } else { "a list of scopes" })?;
        f.write_str(r#", {"all": […]} or {"any": […]}"#)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<ScopeQuery, E> {
        if self.is_member {
            text.parse().map(ScopeQuery::One).map_err(E::custom)
        } else {
            // The text is not repeated: it may be a misplaced secret.
            Err(E::invalid_type(Unexpected::Other("a text"), &self))
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<ScopeQuery, A::Error> {
        if self.is_member {
            return Err(A::Error::invalid_type(Unexpected::Seq, &self));
        }
        self.members::<A::Error>()?.visit_seq(list).map(ScopeQuery::All)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ScopeQuery, A::Error> {
        let one_operator = || A::Error::custom("Use one of \"all\" and \"any\" in an object.");
        let operator = map.next_key::<String>()?.ok_or_else(one_operator)?;
        let query = match operator.as_str() {
            "all" => ScopeQuery::All(map.next_value_seed(self.members::<A::Error>()?)?),
            "any" => {
                let members = MembersVisitor { may_be_empty: false, ..self.members::<A::Error>()? };
                ScopeQuery::Any(map.next_value_seed(members)?)
            }
            _ => return Err(one_operator()),
        };
        if map.next_key::<IgnoredAny>()?.is_some() {
            return Err(one_operator());
        }
        Ok(query)
    }
}

/// Reads the members of an operator.
#[derive(Clone, Copy)]
struct MembersVisitor {
    member: QueryVisitor,
    /// Nothing would ever meet an empty `any`.
    may_be_empty: bool,
}

impl<'de> DeserializeSeed<'de> for MembersVisitor {
    type Value = Vec<ScopeQuery>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Vec<ScopeQuery>, D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Vec<ScopeQuery>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of scopes")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<ScopeQuery>, A::Error> {
        let mut queries = Vec::new();
        while let Some(query) = list.next_element_seed(self.member)? {
            queries.push(query);
        }
        if queries.is_empty() && !self.may_be_empty {
            return Err(A::Error::custom("List at least one scope."));
        }
        Ok(queries)
    }
}

#[cfg(feature = "openapi")]
mod schemas {
    use utoipa::openapi::RefOr;
    use utoipa::openapi::schema::{
        Array, ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, SchemaType, Type,
    };
    use utoipa::{PartialSchema, ToSchema};

    use super::ScopeQuery;

    /// The members of a list are told in words: generators of clients don't agree on types that
    /// contain themselves, nor on objects within lists within alternatives.
    impl PartialSchema for ScopeQuery {
        fn schema() -> RefOr<Schema> {
            OneOfBuilder::new()
                .item(members(0))
                .item(operator("all", members(0)))
                .item(operator("any", members(1)))
                .description(Some(
                    "Scopes that are asked for: all of a list, or by operators that may be nested \
                     four deep",
                ))
                .examples([serde_json::json!({"any": ["orders:write", "admin"]})])
                .into()
        }
    }

    impl ToSchema for ScopeQuery {}

    fn operator(name: &str, members: Array) -> ObjectBuilder {
        ObjectBuilder::new().schema_type(Type::Object).property(name, members).required(name)
    }

    fn members(least: usize) -> Array {
        let member = ObjectBuilder::new().schema_type(SchemaType::AnyValue).description(Some(
            "A scope (1–100 of the characters A–Z, a–z, 0–9, `_ . : / -`), or an object with one \
             operator: `all` or `any`",
        ));
        ArrayBuilder::new().items(member).min_items(Some(least)).build()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn read(query: &str) -> Result<ScopeQuery, String> {
        serde_json::from_str(query).map_err(|error| error.to_string())
    }

    fn scopes(granted: &[&str]) -> Scopes {
        Scopes::new(granted.iter().map(|one| one.parse().unwrap()).collect()).unwrap()
    }

    #[test]
    fn query_has_three_forms() {
        let one = |name: &str| ScopeQuery::One(name.parse().unwrap());
        let both = ScopeQuery::All(vec![one("a"), one("b")]);
        assert_eq!(read(r#"["a","b"]"#).as_ref(), Ok(&both));
        assert_eq!(read(r#"{"all":["a","b"]}"#).as_ref(), Ok(&both));
        assert_eq!(ScopeQuery::all_of_words(" a  b ").as_ref(), Ok(&both));
        assert_eq!(read("[]"), Ok(ScopeQuery::All(Vec::new())));
        assert_eq!(ScopeQuery::all_of_words(""), Ok(ScopeQuery::All(Vec::new())));
        assert_eq!(ScopeQuery::all_of_words("a b*"), Err(InvalidScope));
        let mixed = ScopeQuery::Any(vec![one("a"), both.clone()]);
        assert_eq!(read(r#"{"any":["a",{"all":["a","b"]}]}"#).as_ref(), Ok(&mixed));
        let written = serde_json::to_string(&mixed).unwrap();
        assert_eq!(written, r#"{"any":["a",{"all":["a","b"]}]}"#);
    }

    #[test]
    fn query_is_met_by_all_or_any() {
        let granted = scopes(&["orders:*", "users:read"]);
        for (query, expected) in [
            ("[]", true),
            (r#"["orders:read","users:read"]"#, true),
            (r#"["orders:read","users:write"]"#, false),
            (r#"{"any":["users:write","orders:write"]}"#, true),
            (r#"{"any":["users:write","admin"]}"#, false),
            (r#"{"all":["users:read",{"any":["admin","orders:x"]}]}"#, true),
            (r#"{"any":["admin",{"all":["users:read","admin"]}]}"#, false),
        ] {
            assert_eq!(read(query).unwrap().is_met_by(&granted), expected, "{query}");
        }
        assert!(read("[]").unwrap().is_met_by(&Scopes::default()));
        assert!(!read(r#"["a"]"#).unwrap().is_met_by(&Scopes::default()));
    }

    #[test]
    fn unreadable_query_is_refused() {
        for (query, message) in [
            (r#""a""#, "expected a list of scopes"),
            ("1", "expected a list of scopes"),
            (r#"["orders:*"]"#, "Use 1 to 100"),
            (r#"[["a"]]"#, "expected a scope"),
            ("[1]", "expected a scope"),
            ("{}", "Use one of"),
            (r#"{"not":["a"]}"#, "Use one of"),
            (r#"{"all":["a"],"any":["a"]}"#, "Use one of"),
            (r#"{"any":[]}"#, "List at least one scope."),
            (r#"{"all":["a",{"any":[]}]}"#, "List at least one scope."),
            (r#"{"all":"a"}"#, "expected a list of scopes"),
        ] {
            let refused = read(query).unwrap_err();
            assert!(refused.contains(message), "{query}: {refused}");
        }
    }

    #[test]
    fn operators_are_nested_at_most_four_deep() {
        let nested = |depth: usize| {
            (0..depth).fold(
                json!("a"),
                |inner, level| json!({ (if level % 2 == 0 { "any" } else { "all" }): [inner] }),
            )
        };
        assert!(read(&nested(4).to_string()).is_ok());
        assert!(read(&nested(5).to_string()).unwrap_err().contains("at most four"));
        assert!(read(&json!([nested(3)]).to_string()).is_ok());
        assert!(read(&json!([nested(4)]).to_string()).is_err());
    }

    /// The meaning of a query, by its JSON.
    fn meets(query: &Value, granted: &Scopes) -> bool {
        match query {
            Value::String(scope) => granted.grants(&scope.parse().unwrap()),
            Value::Array(all) => !all.iter().any(|one| !meets(one, granted)),
            operator => match operator["any"].as_array() {
                Some(any) => any.iter().any(|one| meets(one, granted)),
                None => meets(&operator["all"], granted),
            },
        }
    }

    fn queries() -> impl Strategy<Value = Value> {
        let list = |member: BoxedStrategy<Value>, least: usize| {
            proptest::collection::vec(member, least..4).prop_map(Value::from)
        };
        let member = "[abc]{1,2}".prop_map(Value::from).boxed();
        let member = member.prop_recursive(3, 24, 4, move |member| {
            prop_oneof![
                list(member.clone(), 0).prop_map(|all| json!({ "all": all })),
                list(member, 1).prop_map(|any| json!({ "any": any })),
            ]
        });
        proptest::collection::vec(member, 0..4).prop_map(Value::from)
    }

    proptest! {
        #[test]
        fn query_means_what_its_json_says(
            query in queries(),
            granted in proptest::collection::vec("[abc]{1,2}|[abc]?[*]", 0..4),
            more in "[abc]{1,2}",
        ) {
            let read: ScopeQuery = serde_json::from_value(query.clone()).unwrap();
            let mut granted: Vec<_> = granted.iter().map(String::as_str).collect();
            let is_met = read.is_met_by(&scopes(&granted));
            prop_assert_eq!(is_met, meets(&query, &scopes(&granted)));
            let again: ScopeQuery = serde_json::from_value(json!(read)).unwrap();
            prop_assert_eq!(&again, &read);
            granted.push(&more);
            prop_assert!(!is_met || read.is_met_by(&scopes(&granted)), "more scopes grant less");
        }
    }
}
