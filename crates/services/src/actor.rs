//! The caller of a service function.

use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;

use latchkey_domain::id::{SessionId, UserId};
use uuid::Uuid;

use crate::error::Error;
use latchkey_checker::{KeyRecord, KeyVersion};

/// An authenticated caller. Only [`crate::accounts::authenticate`] constructs one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    pub(crate) who: Who,
    /// IP address of the client.
    pub(crate) ip: Option<IpAddr>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Who {
    /// A person with an access token.
    Person(Person),
    /// A backend with a service key, limited to the key's project.
    ServiceKey(ServiceKey),
}

/// A service key, and the version of its record that the check saw.
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

/// A signed-in person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Person {
    pub(crate) user: UserId,
    pub(crate) session: SessionId,
    pub(crate) administrator: bool,
}

impl Actor {
    /// The caller as a person.
    ///
    /// # Errors
    /// `Forbidden` for a service key.
    pub const fn person(&self) -> Result<&Person, Error> {
        match &self.who {
            Who::Person(person) => Ok(person),
            Who::ServiceKey(_) => Err(Error::Forbidden(NOT_FOR_SERVICE_KEYS)),
        }
    }

    /// The person, or the creator of the service key.
    pub(crate) fn author(&self) -> UserId {
        match &self.who {
            Who::Person(person) => person.user,
            Who::ServiceKey(key) => key.created_by,
        }
    }

    /// Whose resources the request uses: the person's, or the service key's organization's.
    pub fn owner(&self) -> Uuid {
        match &self.who {
            Who::Person(person) => person.user.into(),
            Who::ServiceKey(key) => key.organization.into(),
        }
    }

    /// Identifies the caller, for idempotency keys.
    pub(crate) fn caller(&self) -> String {
        match &self.who {
            Who::Person(person) => person.user.to_string(),
            Who::ServiceKey(key) => key.id.to_string(),
        }
    }
}

/// Error for operations that are for people only, or that the key's permissions don't cover.
pub(crate) const NOT_FOR_SERVICE_KEYS: &str = "This service key does not have permission for this \
                                               operation.";

impl Person {
    /// ID of the signed-in user.
    pub const fn user(&self) -> UserId {
        self.user
    }

    /// ID of the session that the request belongs to.
    pub const fn session(&self) -> SessionId {
        self.session
    }

    /// Whether the person administers this instance.
    pub const fn is_administrator(&self) -> bool {
        self.administrator
    }
}
