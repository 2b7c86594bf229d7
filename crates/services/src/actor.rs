//! Who is asking.

use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;

use latchkey_domain::id::{SessionId, UserId};
use uuid::Uuid;

use crate::error::Error;
use latchkey_checker::{KeyRecord, KeyVersion};

/// Who is asking: known, and checked a moment ago. Only [`crate::accounts::authenticate`] makes
/// one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    pub(crate) who: Who,
    /// Where the call comes from.
    pub(crate) ip: Option<IpAddr>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Who {
    /// A person with an access token.
    Person(Person),
    /// A backend with a service key, on its own project alone.
    ServiceKey(ServiceKey),
}

/// A service key that was presented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServiceKey {
    pub(crate) record: Arc<KeyRecord>,
    pub(crate) seen: KeyVersion,
}

impl Deref for ServiceKey {
    type Target = KeyRecord;

    fn deref(&self) -> &KeyRecord {
        &self.record
    }
}

/// A person who is signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Person {
    pub(crate) user: UserId,
    pub(crate) session: SessionId,
    pub(crate) administrator: bool,
}

impl Actor {
    /// The person who asks.
    ///
    /// # Errors
    /// `Forbidden` for a service key: this is for people.
    pub const fn person(&self) -> Result<&Person, Error> {
        match &self.who {
            Who::Person(person) => Ok(person),
            Who::ServiceKey(_) => Err(Error::Forbidden(NOT_FOR_SERVICE_KEYS)),
        }
    }

    /// The person who asks, or who made the service key that asks.
    pub(crate) fn author(&self) -> UserId {
        match &self.who {
            Who::Person(person) => person.user,
            Who::ServiceKey(key) => key.created_by,
        }
    }

    /// Whose resources a request takes: the person's, or those of the service key's organization.
    pub fn owner(&self) -> Uuid {
        match &self.who {
            Who::Person(person) => person.user.into(),
            Who::ServiceKey(key) => key.organization.into(),
        }
    }

    /// Tells this caller from every other.
    pub(crate) fn caller(&self) -> String {
        match &self.who {
            Who::Person(person) => person.user.to_string(),
            Who::ServiceKey(key) => key.id.to_string(),
        }
    }
}

/// What a service key is told where only people may ask, or its permissions don't reach.
pub(crate) const NOT_FOR_SERVICE_KEYS: &str = "This service key does not have permission for this \
                                               operation.";

impl Person {
    /// ID of the signed-in user.
    pub const fn user(&self) -> UserId {
        self.user
    }

    /// The sign-in by which they ask.
    pub const fn session(&self) -> SessionId {
        self.session
    }

    /// Whether they administer this instance.
    pub const fn is_administrator(&self) -> bool {
        self.administrator
    }
}
