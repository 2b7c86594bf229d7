//! Readable URL segments: `/projects/storefront-api-prj_01h455vb4pex5vsknk084sn02q/keys`.
//!
//! Only the id at the end identifies the resource. The name before it is for people. A link with an
//! old name, or without one, works as well.

use std::fmt::Display;
use std::str::FromStr;

/// Maximum number of characters of a name in a URL.
const MAX_LENGTH: usize = 48;

/// A name as a slug: lower-case ASCII letters and digits, with hyphens between words. Empty if the
/// name contains none of these.
pub fn slug(name: &str) -> String {
    let mut slug = String::with_capacity(name.len().min(MAX_LENGTH));
    for character in name.chars().map(|character| character.to_ascii_lowercase()) {
        if slug.len() == MAX_LENGTH {
            break;
        }
        if character.is_ascii_alphanumeric() {
            slug.push(character);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(slug.trim_end_matches('-').len());
    slug
}

/// The URL segment of a resource: its slug and its id, or the id alone.
pub fn segment(name: &str, id: impl Display) -> String {
    let slug = slug(name);
    if slug.is_empty() { id.to_string() } else { format!("{slug}-{id}") }
}

/// Parses the id at the end of a URL segment and ignores the slug.
pub fn id_of<Id: FromStr>(segment: &str) -> Option<Id> {
    // An id contains no hyphen.
    segment.rsplit('-').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{ApplicationId, ProjectId};
    use proptest::prelude::*;

    const ID: &str = "prj_01h455vb4pex5vsknk084sn02q";

    #[test]
    fn slug_has_lower_case_letters_digits_and_hyphens() {
        for (name, expected) in [
            ("Storefront API", "storefront-api"),
            ("  My  project!  ", "my-project"),
            ("Priya’s shop (EU) – 2", "priya-s-shop-eu-2"),
            ("a_b/c?d=e&f#g%h", "a-b-c-d-e-f-g-h"),
            ("--x--", "x"),
            ("..", ""),
            ("店舗", ""),
            ("", ""),
        ] {
            assert_eq!(slug(name), expected, "{name:?}");
        }
    }

    #[test]
    fn slug_is_truncated_at_48_without_trailing_hyphen() {
        assert_eq!(slug(&"a".repeat(64)), "a".repeat(48));
        assert_eq!(slug(&format!("{} tail", "a".repeat(47))), "a".repeat(47));
    }

    #[test]
    fn segment_is_bare_id_when_slug_is_empty() {
        let id: ProjectId = ID.parse().unwrap();
        assert_eq!(segment("Storefront API", id), format!("storefront-api-{ID}"));
        assert_eq!(segment("店舗", id), ID);
    }

    #[test]
    fn id_of_ignores_the_slug() {
        let id: Option<ProjectId> = ID.parse().ok();
        for text in
            [ID.to_owned(), format!("shop-{ID}"), format!("an-old-name-{ID}"), format!("-{ID}")]
        {
            assert_eq!(id_of(&text), id, "{text}");
        }
        let other_kind = ID.replace("prj", "app");
        for text in
            ["", "shop", "prj_nonsense", &format!("{ID}-shop"), &format!("shop{ID}"), &other_kind]
        {
            assert_eq!(id_of::<ProjectId>(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn segment_round_trips_to_its_id(name: String, value: u128) {
            let id = ApplicationId::from(uuid::Uuid::from_u128(value));
            let segment = segment(&name, id);
            prop_assert!(segment.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/'));
            prop_assert!(slug(&name).len() <= 48);
            prop_assert_eq!(id_of(&segment), Some(id));
        }
    }
}
