//! Stores the domain's types in database columns.
//!
//! Each type declares the plain type of its column, its conversion to it and its conversion back.
//! If a stored value is not valid for the type, the read fails with [`ImpossibleValue`], which the
//! database crate distinguishes from errors of the database itself.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use sea_orm::sea_query::{self, ArrayType, ColumnType, Nullable, ValueTypeErr};
use sea_orm::{ColIdx, DbErr, QueryResult, TryFromU64, TryGetError, TryGetable, Value};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::api::{ApplicationEnvironment, KeyDefaults, SessionEndReason};
use crate::attribute::{ExternalId, Metadata, Tag, Tags};
use crate::audit::{ActorKind, AuditAction, TargetKind};
use crate::budget::{Budget, BudgetUnit, Budgets, LimitScope};
use crate::digest::KeyDigest;
use crate::hint::MaskedSecret;
use crate::id::{
    ApplicationId, AuditEventId, BudgetEventId, DenialId, InvitationId, KeyId, KeyShapeId,
    LogItemId, OrganizationId, ProjectId, SessionId, TraceItemId, UserId,
};
use crate::import::{Alphabet, Scheme};
use crate::key::{Environment, KeyKind};
use crate::limit::{AllowList, Limit, Period};
use crate::money::Usd;
use crate::outcome::Outcome;
use crate::role::Role;
use crate::scope::Scopes;
use crate::secret::KeyPrefix;
use crate::tier::{Tier, TierOverrides};
use crate::time::Timestamp;

/// A column holds a value that this product never writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the database holds an impossible {0}")]
pub struct ImpossibleValue(pub &'static str);

impl ImpossibleValue {
    /// The error of a read that finds this value.
    pub fn to_error(self) -> DbErr {
        DbErr::TryIntoErr { from: "column", into: self.0, source: Arc::new(self) }
    }
}

/// A type that can be stored in a column.
trait Column: Sized {
    /// What the database stores.
    type Stored: Into<Value> + TryGetable + sea_query::ValueType + Nullable;
    /// Name of the type in logged errors.
    const NAME: &'static str;

    fn store(self) -> Self::Stored;
    fn restore(stored: Self::Stored) -> Option<Self>;
}

/// Implements SeaORM's traits for a type that implements [`Column`].
macro_rules! value_traits {
    ($type:ty $(, $($generics:tt)+)?) => {
        impl$(<$($generics)+>)? From<$type> for Value {
            fn from(value: $type) -> Self {
                Column::store(value).into()
            }
        }

        impl$(<$($generics)+>)? TryGetable for $type {
            fn try_get_by<I: ColIdx>(row: &QueryResult, column: I) -> Result<Self, TryGetError> {
                let stored = <<Self as Column>::Stored as TryGetable>::try_get_by(row, column)?;
                let impossible = ImpossibleValue(<Self as Column>::NAME);
                Column::restore(stored).ok_or_else(|| impossible.to_error().into())
            }
        }

        impl$(<$($generics)+>)? sea_query::ValueType for $type {
            fn try_from(value: Value) -> Result<Self, ValueTypeErr> {
                let stored = <<Self as Column>::Stored as sea_query::ValueType>::try_from(value)?;
                Column::restore(stored).ok_or(ValueTypeErr)
            }

            fn type_name() -> String {
                stringify!($type).to_owned()
            }

            fn array_type() -> ArrayType {
                <<Self as Column>::Stored as sea_query::ValueType>::array_type()
            }

            fn column_type() -> ColumnType {
                <<Self as Column>::Stored as sea_query::ValueType>::column_type()
            }
        }

        impl$(<$($generics)+>)? Nullable for $type {
            fn null() -> Value {
                <<Self as Column>::Stored as Nullable>::null()
            }
        }

        /// SeaORM requires this of a primary key. None of ours are numbered by the database.
        impl$(<$($generics)+>)? TryFromU64 for $type {
            fn try_from_u64(_: u64) -> Result<Self, DbErr> {
                Err(DbErr::ConvertFromU64(stringify!($type)))
            }
        }
    };
}

/// Ids: 16 bytes, as a blob in SQLite and as `uuid` in PostgreSQL.
macro_rules! ids {
    ($($type:ty = $name:literal,)*) => {$(
        impl Column for $type {
            type Stored = Uuid;
            const NAME: &'static str = $name;

            fn store(self) -> Uuid {
                self.into()
            }

            fn restore(stored: Uuid) -> Option<Self> {
                Some(stored.into())
            }
        }

        value_traits!($type);
    )*};
}

ids! {
    UserId = "user ID",
    OrganizationId = "organization ID",
    InvitationId = "invitation ID",
    ProjectId = "project ID",
    ApplicationId = "application ID",
    KeyId = "key ID",
    SessionId = "session ID",
    TraceItemId = "trace item ID",
    LogItemId = "log item ID",
    DenialId = "denial ID",
    AuditEventId = "audit event ID",
    BudgetEventId = "budget event ID",
    KeyShapeId = "key shape ID",
}

/// Enums, stored as the text that `as_str` returns.
macro_rules! words {
    ($($type:ty = $name:literal, $from_name:ident;)*) => {$(
        impl Column for $type {
            type Stored = String;
            const NAME: &'static str = $name;

            fn store(self) -> String {
                self.as_str().to_owned()
            }

            fn restore(stored: String) -> Option<Self> {
                Self::$from_name(&stored)
            }
        }

        value_traits!($type);
    )*};
}

words! {
    ActorKind = "actor kind", from_name;
    Alphabet = "alphabet", from_name;
    ApplicationEnvironment = "application environment", from_name;
    AuditAction = "action", from_code;
    BudgetUnit = "budget unit", from_name;
    Environment = "key environment", from_name;
    KeyKind = "key kind", from_name;
    LimitScope = "limit scope", from_name;
    Outcome = "outcome", from_name;
    Period = "period", from_name;
    Role = "role", from_name;
    SessionEndReason = "end reason", from_name;
    TargetKind = "target kind", from_name;
    Tier = "tier", from_name;
}

/// Validated text.
macro_rules! texts {
    ($($type:ty = $name:literal,)*) => {$(
        impl Column for $type {
            type Stored = String;
            const NAME: &'static str = $name;

            fn store(self) -> String {
                self.to_string()
            }

            fn restore(stored: String) -> Option<Self> {
                stored.parse().ok()
            }
        }

        value_traits!($type);
    )*};
}

texts! {
    ExternalId = "external ID",
    KeyPrefix = "key prefix",
    MaskedSecret = "key hint",
    Metadata = "metadata",
    Tag = "tag",
}

/// The 32 bytes of the digest.
impl Column for KeyDigest {
    type Stored = Vec<u8>;
    const NAME: &'static str = "digest";

    fn store(self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }

    fn restore(stored: Vec<u8>) -> Option<Self> {
        stored.try_into().ok().map(Self::new)
    }
}

value_traits!(KeyDigest);

/// The name without the encoding, since a digest is stored as bytes.
impl Column for Scheme {
    type Stored = String;
    const NAME: &'static str = "scheme";

    fn store(self) -> String {
        self.canonical()
    }

    fn restore(stored: String) -> Option<Self> {
        Self::from_canonical(&stored)
    }
}

value_traits!(Scheme);

/// Milliseconds since the Unix epoch, which both databases sort alike.
impl Column for Timestamp {
    type Stored = i64;
    const NAME: &'static str = "time";

    fn store(self) -> i64 {
        self.as_millis()
    }

    fn restore(stored: i64) -> Option<Self> {
        Some(Self::from_millis(stored))
    }
}

value_traits!(Timestamp);

impl<const MAX: u64> Column for Limit<MAX> {
    type Stored = i64;
    const NAME: &'static str = "limit";

    fn store(self) -> i64 {
        i64::try_from(self.get()).unwrap_or(i64::MAX)
    }

    fn restore(stored: i64) -> Option<Self> {
        u64::try_from(stored).ok().and_then(|number| Self::new(number).ok())
    }
}

value_traits!(Limit<MAX>, const MAX: u64);

/// Billionths of a dollar.
impl Column for Usd {
    type Stored = i64;
    const NAME: &'static str = "amount";

    fn store(self) -> i64 {
        self.billionths().cast_signed()
    }

    fn restore(stored: i64) -> Option<Self> {
        u64::try_from(stored).ok().map(Self::from_billionths)
    }
}

value_traits!(Usd);

/// JSON as text.
impl<T: Serialize + DeserializeOwned + PartialEq> Column for AllowList<T> {
    type Stored = String;
    const NAME: &'static str = "list";

    fn store(self) -> String {
        json(&self)
    }

    fn restore(stored: String) -> Option<Self> {
        serde_json::from_str(&stored).ok()
    }
}

value_traits!(AllowList<T>, T: Serialize + DeserializeOwned + PartialEq);

/// JSON as text.
macro_rules! json_texts {
    ($($type:ty = $name:literal,)*) => {$(
        impl Column for $type {
            type Stored = String;
            const NAME: &'static str = $name;

            fn store(self) -> String {
                json(&self)
            }

            fn restore(stored: String) -> Option<Self> {
                serde_json::from_str(&stored).ok()
            }
        }

        value_traits!($type);
    )*};
}

json_texts! {
    KeyDefaults = "key defaults",
    Scopes = "scopes",
    Tags = "tags",
    TierOverrides = "tier override",
}

/// JSON as text. A row may hold one more than a request can give: see [`Budgets::of_any_number`].
impl Column for Budgets {
    type Stored = String;
    const NAME: &'static str = "budgets";

    fn store(self) -> String {
        json(&self)
    }

    fn restore(stored: String) -> Option<Self> {
        let all: Vec<Budget> = serde_json::from_str(&stored).ok()?;
        Some(Self::of_any_number(all))
    }
}

value_traits!(Budgets);

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("lists and structs of plain values have a JSON form")
}
