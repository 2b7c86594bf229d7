//! The labels that pages use for keys of one kind.

use latchkey_domain::key::KeyKind;

/// The labels for one kind of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyLabels {
    /// The page's title, and what its table lists.
    pub title: &'static str,
    /// Title of the create dialog.
    pub dialog: &'static str,
    /// The button that opens that dialog.
    pub create: &'static str,
}

impl KeyLabels {
    /// Those of that kind.
    pub const fn of(kind: KeyKind) -> Self {
        match kind {
            KeyKind::Api => {
                Self { title: "API keys", dialog: "Create API key", create: "Create key" }
            }
            KeyKind::Inference => Self {
                title: "Inference keys",
                dialog: "Create inference key",
                create: "Create inference key",
            },
            KeyKind::Service => Self {
                title: "Service keys",
                dialog: "Create service key",
                create: "Create service key",
            },
        }
    }
}
