//! A user's initials in a circle.

use latchkey_domain::id::UserId;
use leptos::prelude::*;

const COLOURS: [&str; 5] = [
    "bg-av1 text-av1-ink",
    "bg-av2 text-av2-ink",
    "bg-av3 text-av3-ink",
    "bg-av4 text-av4-ink",
    "bg-av5 text-av5-ink",
];

/// The circle. Screen readers ignore it: the name is beside it.
#[component]
pub fn Avatar(
    /// The user, who decides the colour. `None` while unknown.
    #[prop(into)]
    id: Signal<Option<UserId>>,
    /// Initials of the user's name.
    #[prop(into)]
    initials: Signal<String>,
    /// How large it is, e.g. `size-8`.
    class: &'static str,
) -> impl IntoView {
    let look = move || {
        let colour = id.get().map_or("bg-pressed", colour);
        format!(
            "flex shrink-0 items-center justify-center rounded-full text-micro font-semibold {class} {colour}"
        )
    };
    view! { <span class=look aria-hidden="true">{initials}</span> }
}

fn colour(id: UserId) -> &'static str {
    let place = usize::try_from(u128::from_be_bytes(id.to_bytes()) % 5).unwrap_or_default();
    COLOURS.get(place).copied().unwrap_or_default()
}

/// The first letters of the first and last part of the name, or of the login.
pub fn initials(name: Option<&str>, login: &str) -> String {
    let name = name.filter(|name| !name.trim().is_empty()).unwrap_or(login);
    let mut parts = name.split_whitespace();
    let first = parts.next().and_then(|part| part.chars().next());
    let last = parts.next_back().and_then(|part| part.chars().next());
    [first, last].into_iter().flatten().flat_map(char::to_uppercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initials_are_those_of_the_first_and_the_last_name() {
        for (name, login, letters) in [
            (Some("Priya Raman"), "priya-raman", "PR"),
            (Some("Ana María de la Cruz"), "ana", "AC"),
            (Some("élodie"), "e", "É"),
            (Some("  "), "octocat", "O"),
            (None, "octocat", "O"),
        ] {
            assert_eq!(initials(name, login), letters);
        }
    }
}
