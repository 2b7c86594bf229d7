//! The two forms of the navigation: the column beside the page, and the drawer over it.

/// Where the navigation is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NavVariant {
    /// A column that shrinks to icons below 1280 px.
    Column,
    /// The drawer, with labels and large touch targets.
    Drawer,
}

impl NavVariant {
    /// The classes of a link, and of its label.
    pub(super) const fn link(self) -> (&'static str, &'static str) {
        match self {
            Self::Column => ("h-8 text-table max-xl:justify-center max-xl:px-0", "max-xl:sr-only"),
            Self::Drawer => ("h-11 text-body", ""),
        }
    }
}
