//! Who is asking.

use latchkey_domain::id::{SessionId, UserId};

/// Who is asking: known, and checked a moment ago. Only [`crate::accounts::authenticate`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    pub(crate) user: UserId,
    pub(crate) session: SessionId,
    pub(crate) administrator: bool,
}

impl Actor {
    /// The person.
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
