//! Names in addresses: `/projects/storefront-api-prj_01h455vb4pex5vsknk084sn02q/keys`.
//!
//! The id at the end alone says what is meant. The name before it is for people, so that a link
//! says where it leads; a link from before a rename, or with no name at all, leads there too.

use std::fmt::Display;
use std::str::FromStr;

/// The most characters of a name that stand in an address.
const MAX_LENGTH: usize = 48;

/// A name as addresses write it: lower-case ASCII letters and digits, hyphens between its words.
/// Empty, if the name has none of them.
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

/// The part of an address that names a thing: its slug and its id, or the id alone.
pub fn segment(name: &str, id: impl Display) -> String {
    let slug = slug(name);
    if slug.is_empty() { id.to_string() } else { format!("{slug}-{id}") }
}

/// The id at the end of a part of an address, whatever stands before it.
pub fn id_of<Id: FromStr>(segment: &str) -> Option<Id> {
    // No id has a hyphen in it.
    segment.rsplit('-').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{ApplicationId, ProjectId};
    use proptest::prelude::*;

    const ID: &str = "prj_01h455vb4pex5vsknk084sn02q";

    #[test]
    fn a_name_becomes_lower_case_letters_digits_and_hyphens() {
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
    fn a_slug_has_at_most_48_characters_and_no_hyphen_at_its_end() {
        assert_eq!(slug(&"a".repeat(64)), "a".repeat(48));
        assert_eq!(slug(&format!("{} tail", "a".repeat(47))), "a".repeat(47));
    }

    #[test]
    fn a_name_without_a_slug_leaves_the_bare_id() {
        let id: ProjectId = ID.parse().unwrap();
        assert_eq!(segment("Storefront API", id), format!("storefront-api-{ID}"));
        assert_eq!(segment("店舗", id), ID);
    }

    #[test]
    fn the_id_at_the_end_is_what_counts() {
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
        fn every_name_leads_back_to_its_id(name: String, value: u128) {
            let id = ApplicationId::from(uuid::Uuid::from_u128(value));
            let segment = segment(&name, id);
            prop_assert!(segment.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/'));
            prop_assert!(slug(&name).len() <= 48);
            prop_assert_eq!(id_of(&segment), Some(id));
        }
    }
}
