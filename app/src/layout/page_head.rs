//! The head of a page. It also sets the breadcrumb in the top bar and the title of the browser tab.

use leptos::prelude::*;
use leptos::text_prop::TextProp;
use leptos_meta::Title;

use super::Workspace;
use latchkey_ui::skeleton::SkeletonBar;

/// The list that a page's item belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Its title, e.g. “Applications”.
    pub title: &'static str,
    /// Path that the link leads to.
    pub href: String,
}

/// What a page is about; the first part of its breadcrumb.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum About {
    /// The project that the address names.
    #[default]
    Project,
    /// The organization of the project.
    Organization,
    /// The signed-in user.
    Person,
}

/// The breadcrumb of the current page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Trail {
    pub(super) about: About,
    pub(super) section: Option<Section>,
    pub(super) title: String,
}

/// The breadcrumb's end, set by the page that is shown.
#[derive(Clone, Copy)]
pub(super) struct Crumbs(RwSignal<Trail>);

impl Crumbs {
    pub(super) fn provide() {
        provide_context(Self(RwSignal::new(Trail::default())));
    }

    pub(super) fn get(self) -> Trail {
        self.0.get()
    }
}

/// The title with its one-line description, and actions at the right.
#[component]
pub fn PageHead(
    /// The page's title; empty while it is not known.
    #[prop(into)]
    title: Signal<String>,
    /// The list that the page's item belongs to.
    #[prop(optional, into)]
    section: Option<Signal<Section>>,
    /// What it is about.
    #[prop(optional)]
    about: About,
    /// What the page is for.
    #[prop(optional, into)]
    description: Signal<String>,
    /// Whether phones show the title and the primary button in one line, without the description.
    #[prop(optional)]
    compact: bool,
    /// The actions: a meter, then the primary button.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    let crumbs = expect_context::<Crumbs>();
    let workspace = expect_context::<Workspace>();
    Effect::new(move |_| {
        let section = section.map(|section| section.get());
        crumbs.0.set(Trail { about, section, title: title.get() });
    });
    view! {
        <Title text=tab_text(move || tab_title(title.get(), about, workspace))/>
        <div class="mb-5 flex flex-wrap items-start justify-between gap-x-6 gap-y-3">
            <div class="min-w-0 max-md:grow">
                <h1 class="text-title font-semibold break-words outline-none" tabindex="-1">
                    {move || {
                        let title = title.get();
                        if title.is_empty() {
                            view! {
                                <span class="sr-only">"Loading"</span>
                                <span class="flex h-7 items-center"><SkeletonBar class="h-4 w-44"/></span>
                            }
                                .into_any()
                        } else {
                            title.into_any()
                        }
                    }}
                </h1>
                <p class="mt-0.5 min-h-[1.125rem] text-table text-ink-2" class=("max-md:hidden", compact)>
                    {description}
                </p>
            </div>
            {children
                .map(|children| {
                    view! {
                        <div class="flex flex-wrap items-center gap-4 max-md:gap-3" class=("max-md:contents", compact)>
                            {children()}
                        </div>
                    }
                })}
        </div>
    }
}

/// The title of the browser tab.
///
/// On the server it is made with the page. `leptos_meta` 0.8.7 asks for it once the page is
/// rendered, and `leptos_axum` 0.8.10 does not see to it that signals are then looked for among
/// those of the same request: where many are served at once, it would be another's title, or a
/// panic.
fn tab_text(text: impl Fn() -> String + Send + Sync + 'static) -> TextProp {
    if cfg!(feature = "ssr") { untrack(text).into() } else { text.into() }
}

/// “API keys · Storefront API · Latchkey”.
fn tab_title(title: String, about: About, workspace: Workspace) -> String {
    let of = match about {
        About::Project => workspace.project().map(|project| project.name),
        About::Organization => workspace.organization().map(|organization| organization.name),
        About::Person => None,
    };
    let parts = [title, of.unwrap_or_default(), "Latchkey".to_owned()];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    #[test]
    fn title_is_the_pages_own_beside_another_page() {
        let (one, other) = (Owner::new_root(None), Owner::new_root(None));
        let title = |text: &'static str| {
            let text = Signal::stored(text.to_owned());
            tab_text(move || text.get())
        };
        let first = one.with(|| title("API keys"));
        let second = other.with(|| title("Usage"));
        // The server renders the other page on another thread while the first one's head is
        // written.
        assert_eq!(first.get(), "API keys");
        assert_eq!(second.get(), "Usage");
    }
}
