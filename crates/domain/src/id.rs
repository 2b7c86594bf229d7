//! Typed ids: a prefix for the entity, an underscore, and a `UUIDv7` in 26 characters of Crockford
//! base32, e.g. `key_01kc3f1m6ze1tvyqnz0rg5bqfa`.
//!
//! The format is [TypeID 0.3](https://github.com/jetify-com/typeid/tree/main/spec): lower case,
//! with a first character of at most `7`, so that the value fits 128 bits. Ids are time-ordered, so
//! they also serve as the tie-breaker of every cursor.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use uuid::Uuid;

use crate::time::Timestamp;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const SUFFIX_LENGTH: usize = 26;
/// Value of each byte as a digit, or [`NO_DIGIT`].
const DIGITS: [u8; 256] = digits();
const NO_DIGIT: u8 = 0xff;

const fn digits() -> [u8; 256] {
    let mut digits = [NO_DIGIT; 256];
    let mut value = 0_u8;
    while value < 32 {
        digits[ALPHABET[value as usize] as usize] = value;
        value += 1;
    }
    digits
}

/// Why a text is not an id of the expected type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Use an ID of the form {prefix}_ followed by 26 characters.")]
pub struct InvalidId {
    /// The expected prefix.
    pub prefix: &'static str,
}

/// Writes `index`, below 2^14, into the highest random bits of a `UUIDv7` (RFC 9562 §6.2, method
/// 1). The version nibble replaces the upper half of the first byte, the variant two bits of the
/// third.
fn with_sequence(index: u16, mut random: [u8; 10]) -> [u8; 10] {
    let [high, low] = (index & 0x3fff).to_be_bytes();
    random[0] = high >> 2;
    random[1] = (high << 6) | (low >> 2);
    random[2] = (low << 4) & 0x30 | (random[2] & 0x0f);
    random
}

fn encode(uuid: Uuid) -> [u8; SUFFIX_LENGTH] {
    let mut value = uuid.as_u128();
    let mut text = [0; SUFFIX_LENGTH];
    for slot in text.iter_mut().rev() {
        *slot = ALPHABET[usize::try_from(value & 0x1f).unwrap_or_default()];
        value >>= 5;
    }
    text
}

fn decode(text: &str) -> Option<Uuid> {
    let bytes = text.as_bytes();
    if bytes.len() != SUFFIX_LENGTH || bytes[0] > b'7' {
        return None;
    }
    let mut value = 0_u128;
    for byte in bytes {
        let digit = DIGITS[usize::from(*byte)];
        if digit == NO_DIGIT {
            return None;
        }
        value = (value << 5) | u128::from(digit);
    }
    Some(Uuid::from_u128(value))
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// The prefix before the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// An id created at `now`. `random` must come from a CSPRNG.
            pub fn new(now: Timestamp, random: [u8; 10]) -> Self {
                let millis = u64::try_from(now.as_millis()).unwrap_or_default();
                Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
            }

            /// The `index`th id of a batch created at `now`. Ids of one batch sort by index.
            /// `random` must come from a CSPRNG.
            pub fn in_batch(now: Timestamp, index: u16, random: [u8; 10]) -> Self {
                Self::new(now, with_sequence(index, random))
            }

            /// The 16 bytes. The last ones are random: they spread ids evenly.
            pub const fn to_bytes(self) -> [u8; 16] {
                self.0.into_bytes()
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl $name {
            const TEXT_LENGTH: usize = $prefix.len() + 1 + SUFFIX_LENGTH;

            /// The whole id as ASCII. Answers have several, and formatting costs more than this.
            fn to_ascii(self) -> [u8; Self::TEXT_LENGTH] {
                let mut text = [0; Self::TEXT_LENGTH];
                let (prefix, suffix) = text.split_at_mut($prefix.len() + 1);
                prefix.copy_from_slice(concat!($prefix, "_").as_bytes());
                suffix.copy_from_slice(&encode(self.0));
                text
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(std::str::from_utf8(&self.to_ascii()).map_err(|_| fmt::Error)?)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                text.strip_prefix(concat!($prefix, "_"))
                    .and_then(decode)
                    .map(Self)
                    .ok_or(InvalidId { prefix: $prefix })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let text = self.to_ascii();
                let text = std::str::from_utf8(&text).map_err(<S::Error as ser::Error>::custom)?;
                serializer.serialize_str(text)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }

        #[cfg(feature = "openapi")]
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .pattern(Some(concat!("^", $prefix, "_[0-7][0-9a-hjkmnp-tv-z]{25}$")))
                    .into()
            }
        }

        #[cfg(feature = "openapi")]
        impl utoipa::ToSchema for $name {
            fn name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
        }
    )*};
}

ids! {
    /// A user who has signed in at least once.
    UserId = "usr";
    /// An organization, the tenant that owns projects.
    OrganizationId = "org";
    /// An invitation of a login to an organization.
    InvitationId = "inv";
    /// A project, which owns keys.
    ProjectId = "prj";
    /// An application of a project.
    ApplicationId = "app";
    /// A key of any kind. Rotations do not change it.
    KeyId = "key";
    /// A session: one sign-in on one device.
    SessionId = "ses";
    /// A stored trace item.
    TraceItemId = "trc";
    /// A stored log item.
    LogItemId = "log";
    /// A denied request in a key's usage.
    DenialId = "dny";
    /// An audit log event.
    AuditEventId = "evt";
    /// An event of a budget that has reached 80 or 100 per cent.
    BudgetEventId = "bev";
    /// A shape of a project's imported keys.
    KeyShapeId = "ksh";
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn id_encodes_as_in_typeid_specification() {
        // The specification's example of a valid encoding.
        let uuid: Uuid = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
        let id = KeyId::from(uuid);
        assert_eq!(id.to_string(), "key_01h455vb4pex5vsknk084sn02q");
        assert_eq!("key_01h455vb4pex5vsknk084sn02q".parse(), Ok(id));
    }

    #[test]
    fn invalid_id_is_refused() {
        for text in [
            "",
            "key_",
            "app_01h455vb4pex5vsknk084sn02q",
            "key_81h455vb4pex5vsknk084sn02q",
            "key_01H455VB4PEX5VSKNK084SN02Q",
            "key_01h455vb4pex5vsknk084sn02",
            "key_01h455vb4pex5vsknk084sn02qq",
            "key_01h455vb4pex5vsknk084sn0iq",
            "key_é1h455vb4pex5vsknk084sn02",
        ] {
            assert_eq!(text.parse::<KeyId>(), Err(InvalidId { prefix: "key" }), "{text}");
        }
    }

    #[test]
    fn later_ids_sort_after_earlier_ones() {
        let early = KeyId::new(Timestamp::from_millis(1_000), [0xff; 10]);
        let late = KeyId::new(Timestamp::from_millis(1_001), [0; 10]);
        assert!(early < late && early.to_string() < late.to_string());
    }

    #[test]
    fn batch_ids_sort_by_index() {
        let now = Timestamp::from_millis(1_000);
        let ids = (0..10_000).map(|index| KeyId::in_batch(now, index, [0xa5; 10]));
        assert!(ids.collect::<Vec<_>>().is_sorted_by(|a, b| a < b));
    }

    proptest! {
        #[test]
        fn id_round_trips_through_text(value: u128) {
            let id = UserId::from(Uuid::from_u128(value));
            prop_assert_eq!(id.to_string().parse(), Ok(id));
        }
    }
}
