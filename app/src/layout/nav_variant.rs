//! The two forms of the navigation: the column beside the page, and the drawer over it.

/// How much room the navigation has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NavVariant {
    /// A column that shrinks to icons below 1280 px.
    Column,
    /// The drawer, with room for words and for fingers.
    Drawer,
}

impl NavVariant {
    /// The classes of a link, and of the words in it.
    pub(super) const fn link(self) -> (&'static str, &'static str) {
        match self {
            Self::Column => ("h-8 text-table max-xl:justify-center max-xl:px-0", "max-xl:sr-only"),
            Self::Drawer => ("h-11 text-body", ""),
        }
    }
}
