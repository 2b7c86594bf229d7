//! Icons: [Lucide](https://lucide.dev) (ISC licence), drawn inline so that they take the colour of
//! the text.
//!
//! Only those that a page shows are here: each is bytes of the first load. Strokes that Lucide
//! draws as several paths are one path. GitHub's mark is GitHub's own.

use leptos::prelude::*;

/// What an icon shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants are named as Lucide names its icons")]
pub enum Glyph {
    Archive,
    /// Shown in lists again.
    ArchiveRestore,
    /// Opens another site.
    ArrowUpRight,
    Ban,
    BookOpen,
    Boxes,
    ChartColumn,
    Check,
    ChevronDown,
    ChevronRight,
    ChevronsUpDown,
    CircleCheck,
    CircleDashed,
    /// Refused until it is enabled.
    CirclePause,
    /// Let through again.
    CirclePlay,
    CircleX,
    /// Time is short, or over.
    Clock,
    Copy,
    Cpu,
    /// Downloads a file.
    Download,
    Ellipsis,
    /// A limit is reached.
    Gauge,
    Infinity,
    Info,
    KeyRound,
    Lock,
    LogOut,
    Menu,
    Monitor,
    Moon,
    Pencil,
    Plus,
    RefreshCw,
    /// Gives a new secret.
    RotateCw,
    ScrollText,
    Search,
    Server,
    Settings,
    Sun,
    TimerOff,
    Trash2,
    TriangleAlert,
    Undo2,
    UserPlus,
    Users,
    X,
}

impl Glyph {
    /// The inside of the 24-unit box.
    #[expect(clippy::too_many_lines, reason = "a table, one line or two per icon")]
    const fn shapes(self) -> &'static str {
        match self {
            Self::Archive => concat!(
                r#"<rect width="20" height="5" x="2" y="3" rx="1"/><path d=""#,
                r#"M4 8v11a2 2 0 0 0 2 2h12a2 2 0 0 0 2-2V8M10 12h4"/>"#,
            ),
            Self::ArchiveRestore => concat!(
                r#"<rect width="20" height="5" x="2" y="3" rx="1"/><path d=""#,
                r#"M4 8v11a2 2 0 0 0 2 2h2M20 8v11a2 2 0 0 1-2 2h-2M9 15l3-3 3 3M12 12v9"/>"#,
            ),
            Self::ArrowUpRight => r#"<path d="M7 7h10v10M7 17 17 7"/>"#,
            Self::Ban => r#"<circle cx="12" cy="12" r="10"/><path d="M4.929 4.929 19.07 19.071"/>"#,
            Self::BookOpen => concat!(
                r#"<path d="M12 7v14M3 18a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1h5a4 4 0 0 1 4 4 4 4 0 0 1 4-4h5"#,
                r#"a1 1 0 0 1 1 1v13a1 1 0 0 1-1 1h-6a3 3 0 0 0-3 3 3 3 0 0 0-3-3z"/>"#,
            ),
            Self::Boxes => concat!(
                r#"<path d="M2.97 12.92A2 2 0 0 0 2 14.63v3.24a2 2 0 0 0 .97 1.71l3 1.8a2 2"#,
                r#" 0 0 0 2.06 0L12 19v-5.5l-5-3-4.03 2.42ZM7 16.5l-4.74-2.85M7 16.5l5-3"#,
                r#"M7 16.5v5.17M12 13.5V19l3.97 2.38a2 2 0 0 0 2.06 0l3-1.8a2 2 0 0 0"#,
                r#" .97-1.71v-3.24a2 2 0 0 0-.97-1.71L17 10.5l-5 3ZM17 16.5l-5-3"#,
                r#"M17 16.5l4.74-2.85M17 16.5v5.17"#,
                r#"M7.97 4.42A2 2 0 0 0 7 6.13v4.37l5 3 5-3V6.13a2 2 0 0 0-.97-1.71l-3-1.8a2"#,
                r#" 2 0 0 0-2.06 0l-3 1.8ZM12 8 7.26 5.15M12 8l4.74-2.85M12 13.5V8"/>"#,
            ),
            Self::ChartColumn => r#"<path d="M3 3v16a2 2 0 0 0 2 2h16M18 17V9M13 17V5M8 17v-3"/>"#,
            Self::Check => r#"<path d="M20 6 9 17l-5-5"/>"#,
            Self::ChevronDown => r#"<path d="m6 9 6 6 6-6"/>"#,
            Self::ChevronRight => r#"<path d="m9 18 6-6-6-6"/>"#,
            Self::ChevronsUpDown => r#"<path d="m7 15 5 5 5-5M7 9l5-5 5 5"/>"#,
            Self::CircleCheck => {
                r#"<circle cx="12" cy="12" r="10"/><path d="m16 9-5.5 5.5L8 12"/>"#
            }
            Self::CircleDashed => concat!(
                r#"<path d="M10.1 2.182a10 10 0 0 1 3.8 0M13.9 21.818a10 10 0 0 1-3.8 0"#,
                r#"M17.609 3.721a10 10 0 0 1 2.69 2.7M2.182 13.9a10 10 0 0 1 0-3.8"#,
                r#"M20.279 17.609a10 10 0 0 1-2.7 2.69M21.818 10.1a10 10 0 0 1 0 3.8"#,
                r#"M3.721 6.391a10 10 0 0 1 2.7-2.69M6.391 20.279a10 10 0 0 1-2.69-2.7"/>"#,
            ),
            Self::CirclePause => r#"<circle cx="12" cy="12" r="10"/><path d="M10 15V9M14 15V9"/>"#,
            Self::CirclePlay => r#"<circle cx="12" cy="12" r="10"/><path d="m10 8 6 4-6 4z"/>"#,
            Self::CircleX => r#"<circle cx="12" cy="12" r="10"/><path d="m15 9-6 6M9 9l6 6"/>"#,
            Self::Clock => r#"<circle cx="12" cy="12" r="10"/><path d="M12 6v6l4 2"/>"#,
            Self::Copy => concat!(
                r#"<rect width="14" height="14" x="8" y="8" rx="2" ry="2"/><path d=""#,
                r#"M4 16c-1.1 0-2-.9-2-2V4c0-1.1.9-2 2-2h10c1.1 0 2 .9 2 2"/>"#,
            ),
            Self::Cpu => concat!(
                r#"<path d="M12 20v2M12 2v2M17 20v2M17 2v2M2 12h2M2 17h2M2 7h2M20 12h2M20 17h2M20 7h2M7 20v2M7 2v2"/>"#,
                r#"<rect x="4" y="4" width="16" height="16" rx="2"/>"#,
                r#"<rect x="8" y="8" width="8" height="8" rx="1"/>"#,
            ),
            Self::Download => {
                r#"<path d="M12 15V3M21 15v4a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2v-4M7 10l5 5 5-5"/>"#
            }
            Self::Ellipsis => concat!(
                r#"<circle cx="12" cy="12" r="1"/><circle cx="19" cy="12" r="1"/>"#,
                r#"<circle cx="5" cy="12" r="1"/>"#,
            ),
            Self::Gauge => r#"<path d="m12 14 4-4M3.34 19a10 10 0 1 1 17.32 0"/>"#,
            Self::Infinity => concat!(
                r#"<path d="M12 12c-2-2.67-4-4-6-4a4 4 0 1 0 0 8c2 0 4-1.33 6-4Zm0 0c2 2.67 4 4 6"#,
                r#" 4a4 4 0 0 0 0-8c-2 0-4 1.33-6 4Z"/>"#,
            ),
            Self::Info => r#"<circle cx="12" cy="12" r="10"/><path d="M12 16v-4M12 8h.01"/>"#,
            Self::KeyRound => concat!(
                r#"<circle cx="16.5" cy="7.5" r=".5" fill="currentColor"/><path d=""#,
                r#"M2.586 17.414A2 2 0 0 0 2 18.828V21a1 1 0 0 0 1 1h3a1 1 0 0 0 1-1v-1a1 1"#,
                r#" 0 0 1 1-1h1a1 1 0 0 0 1-1v-1a1 1 0 0 1 1-1h.172a2 2 0 0 0"#,
                r#" 1.414-.586l.814-.814a6.5 6.5 0 1 0-4-4z"/>"#,
            ),
            Self::Lock => concat!(
                r#"<rect width="18" height="11" x="3" y="11" rx="2" ry="2"/><path d=""#,
                r#"M7 11V7a5 5 0 0 1 10 0v4"/>"#,
            ),
            Self::LogOut => {
                r#"<path d="m16 17 5-5-5-5M21 12H9M9 21H5a2 2 0 0 1-2-2V5a2 2 0 0 1 2-2h4"/>"#
            }
            Self::Menu => r#"<path d="M4 5h16M4 12h16M4 19h16"/>"#,
            Self::Monitor => concat!(
                r#"<rect width="20" height="14" x="2" y="3" rx="2"/>"#,
                r#"<line x1="8" x2="16" y1="21" y2="21"/>"#,
                r#"<line x1="12" x2="12" y1="17" y2="21"/>"#,
            ),
            Self::Moon => concat!(
                r#"<path d="M20.985 12.486a9 9 0 1 1-9.473-9.472c.405-.022.617.46.402.803a6"#,
                r#" 6 0 0 0 8.268 8.268c.344-.215.825-.004.803.401"/>"#,
            ),
            Self::Pencil => concat!(
                r#"<path d="M21.174 6.812a1 1 0 0 0-3.986-3.987L3.842 16.174a2 2 0 0 0-.5.83l-1.321"#,
                r#" 4.352a.5.5 0 0 0 .623.622l4.353-1.32a2 2 0 0 0 .83-.497zM15 5l4 4"/>"#,
            ),
            Self::Plus => r#"<path d="M5 12h14M12 5v14"/>"#,
            Self::RefreshCw => concat!(
                r#"<path d="M3 12a9 9 0 0 1 9-9 9.75 9.75 0 0 1 6.74 2.74L21 8M21 3v5h-5"#,
                r#"M21 12a9 9 0 0 1-9 9 9.75 9.75 0 0 1-6.74-2.74L3 16M8 16H3v5"/>"#,
            ),
            Self::RotateCw => {
                r#"<path d="M21 12a9 9 0 1 1-9-9c2.52 0 4.93 1 6.74 2.74L21 8M21 3v5h-5"/>"#
            }
            Self::ScrollText => concat!(
                r#"<path d="M15 12h-5M15 8h-5M19 17V5a2 2 0 0 0-2-2H4"#,
                r#"M8 21h12a2 2 0 0 0 2-2v-1a1 1 0 0 0-1-1H11a1 1 0 0 0-1 1v1a2 2 0 1 1-4"#,
                r#" 0V5a2 2 0 1 0-4 0v2a1 1 0 0 0 1 1h3"/>"#,
            ),
            Self::Search => r#"<circle cx="11" cy="11" r="8"/><path d="m21 21-4.3-4.3"/>"#,
            Self::Server => concat!(
                r#"<rect width="20" height="8" x="2" y="2" rx="2" ry="2"/>"#,
                r#"<rect width="20" height="8" x="2" y="14" rx="2" ry="2"/>"#,
                r#"<line x1="6" x2="6.01" y1="6" y2="6"/>"#,
                r#"<line x1="6" x2="6.01" y1="18" y2="18"/>"#,
            ),
            Self::Settings => concat!(
                r#"<path d="M12.22 2h-.44a2 2 0 0 0-2 2v.18a2 2 0 0 1-1 1.73l-.43.25a2 2 0 0 1-2 0"#,
                r#"l-.15-.08a2 2 0 0 0-2.73.73l-.22.38a2 2 0 0 0 .73 2.73l.15.1a2 2 0 0 1 1 1.72"#,
                r#"v.51a2 2 0 0 1-1 1.74l-.15.09a2 2 0 0 0-.73 2.73l.22.38a2 2 0 0 0 2.73.73"#,
                r#"l.15-.08a2 2 0 0 1 2 0l.43.25a2 2 0 0 1 1 1.73V20a2 2 0 0 0 2 2h.44a2 2 0 0 0"#,
                r#" 2-2v-.18a2 2 0 0 1 1-1.73l.43-.25a2 2 0 0 1 2 0l.15.08a2 2 0 0 0 2.73-.73"#,
                r#"l.22-.39a2 2 0 0 0-.73-2.73l-.15-.08a2 2 0 0 1-1-1.74v-.5a2 2 0 0 1 1-1.74"#,
                r#"l.15-.09a2 2 0 0 0 .73-2.73l-.22-.38a2 2 0 0 0-2.73-.73l-.15.08a2 2 0 0 1-2 0"#,
                r#"l-.43-.25a2 2 0 0 1-1-1.73V4a2 2 0 0 0-2-2z"/><circle cx="12" cy="12" r="3"/>"#,
            ),
            Self::Sun => concat!(
                r#"<circle cx="12" cy="12" r="4"/><path d="M12 2v2M12 20v2"#,
                r#"M4.93 4.93l1.41 1.41M17.66 17.66l1.41 1.41M2 12h2M20 12h2"#,
                r#"M6.34 17.66l-1.41 1.41M19.07 4.93l-1.41 1.41"/>"#,
            ),
            Self::TimerOff => concat!(
                r#"<path d="M10 2h4M4.6 11a8 8 0 0 0 1.7 8.7 8 8 0 0 0 8.7 1.7"#,
                r#"M7.4 7.4a8 8 0 0 1 10.3 1 8 8 0 0 1 .9 10.2M2 2l20 20M12 12v-2"/>"#,
            ),
            Self::Trash2 => concat!(
                r#"<path d="M10 11v6M14 11v6M19 6v14a2 2 0 0 1-2 2H7a2 2 0 0 1-2-2V6M3 6h18"#,
                r#"M8 6V4a2 2 0 0 1 2-2h4a2 2 0 0 1 2 2v2"/>"#,
            ),
            Self::TriangleAlert => concat!(
                r#"<path d="m21.73 18-8-14a2 2 0 0 0-3.48 0l-8 14A2 2 0 0 0 4 21h16a2 2 0 0"#,
                r#" 0 1.73-3M12 9v4M12 17h.01"/>"#,
            ),
            Self::Undo2 => r#"<path d="M9 14 4 9l5-5M4 9h10.5a5.5 5.5 0 0 1 0 11H11"/>"#,
            Self::UserPlus => concat!(
                r#"<circle cx="9" cy="7" r="4"/><path d=""#,
                r#"M16 21v-2a4 4 0 0 0-4-4H6a4 4 0 0 0-4 4v2M19 8v6M22 11h-6"/>"#,
            ),
            Self::Users => concat!(
                r#"<circle cx="9" cy="7" r="4"/><path d="M16 21v-2a4 4 0 0 0-4-4H6a4 4 0 0 0-4 4v2"#,
                r#"M16 3.128a4 4 0 0 1 0 7.744M22 21v-2a4 4 0 0 0-3-3.87"/>"#,
            ),
            Self::X => r#"<path d="M18 6 6 18M6 6l12 12"/>"#,
        }
    }
}

/// An icon. Screen readers ignore it: the text beside it says the same.
#[component]
pub fn Icon(
    /// Icon that is shown.
    glyph: Glyph,
    /// Its edge in pixels: 16, 14 in buttons, 12 in badges.
    #[prop(default = 16)]
    size: u8,
    /// More classes, for its colour and place.
    #[prop(optional)]
    class: &'static str,
) -> impl IntoView {
    drawing(glyph.shapes(), size, class)
}

/// An icon that only one page shows, by its shapes: those of [`Glyph`] are in the first load.
pub fn drawing(shapes: &'static str, size: u8, class: &'static str) -> impl IntoView {
    let stroke = if size > 14 { "1.75" } else { "2" };
    view! {
        <svg
            class=format!("shrink-0 {class}")
            width=size.to_string()
            height=size.to_string()
            viewBox="0 0 24 24"
            fill="none"
            stroke="currentColor"
            stroke-width=stroke
            stroke-linecap="round"
            stroke-linejoin="round"
            aria-hidden="true"
            inner_html=shapes
        ></svg>
    }
}

/// GitHub's mark, for its sign-in button.
#[component]
pub fn GitHubMark() -> impl IntoView {
    view! {
        <svg class="shrink-0" width="18" height="18" viewBox="0 0 16 16" fill="currentColor" aria-hidden="true">
            <path d=GITHUB></path>
        </svg>
    }
}

const GITHUB: &str = concat!(
    "M6.766 11.328c-2.063-.25-3.516-1.734-3.516-3.656 0-.781.281-1.625.75-2.188-.203-.515",
    "-.172-1.609.063-2.062.625-.078 1.468.25 1.968.703.594-.187 1.219-.281 1.985-.281.765 0",
    " 1.39.094 1.953.265.484-.437 1.344-.765 1.969-.687.218.422.25 1.515.046 2.047.5.593.766",
    " 1.39.766 2.203 0 1.922-1.453 3.375-3.547 3.64.531.344.89 1.094.89 1.954v1.625c0",
    " .468.391.734.86.547C13.781 14.359 16 11.53 16 8.03 16 3.61 12.406 0 7.984 0 3.563 0 0",
    " 3.61 0 8.031a7.88 7.88 0 0 0 5.172 7.422c.422.156.828-.125.828-.547v-1.25c-.219.094",
    "-.5.156-.75.156-1.031 0-1.64-.562-2.078-1.609-.172-.422-.36-.672-.719-.719-.187-.015",
    "-.25-.093-.25-.187 0-.188.313-.328.625-.328.453 0 .844.281 1.25.86.313.452.64.655",
    " 1.031.655s.641-.14 1-.5c.266-.265.47-.5.657-.656",
);
