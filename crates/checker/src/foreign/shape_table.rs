//! What the keys of other systems look like, in all projects, and what is stored of them.

use std::borrow::Cow;
use std::collections::HashMap;

use latchkey_domain::id::ProjectId;
use latchkey_domain::import::{FastScheme, HmacAlgorithm, KeyShape, Scheme};

use super::fast::{fast_digest, hmac_digest};
use super::seal::Opened;
use crate::peppers::WritingPepper;
use latchkey_domain::digest::KeyDigest;

/// Most schemes of a project that a presented text is tried with, HMAC secrets included. A text is
/// digested once for each.
const MAX_SCHEMES: usize = 32;
/// Most schemes that one text is tried with, of all projects with its shape.
const MAX_TRIED: usize = 1_024;

/// How keys that have not moved yet are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum KeyScheme {
    Fast(FastScheme),
    Hmac(HmacAlgorithm, Opened),
    /// A slow hash, found by the first so many bytes of the text.
    Slow(usize),
}

#[derive(Default)]
struct ProjectSchemes {
    fast: Vec<KeyScheme>,
    /// Lengths of the starts by which slow hashes are found.
    lookups: Vec<usize>,
}

/// Shapes of all projects, and the schemes that their keys are found by.
#[derive(Default)]
pub(super) struct ShapeTable {
    /// Shapes by the first two bytes of their prefix.
    by_start: HashMap<[u8; 2], Vec<(KeyShape, ProjectId)>>,
    /// Shapes with a shorter prefix.
    others: Vec<(KeyShape, ProjectId)>,
    schemes: HashMap<ProjectId, ProjectSchemes>,
}

/// A text of a known shape: whose key it may be, and how that is found.
pub(super) struct ShapedText<'a> {
    text: &'a str,
    /// Projects with the shape, each once.
    pub(super) projects: Vec<ProjectId>,
    schemes: Vec<&'a KeyScheme>,
    /// Starts of the text by which slow hashes are found, and ends behind a `*`.
    pub(super) lookups: Vec<Cow<'a, str>>,
}

impl ShapeTable {
    pub(super) fn is_empty(&self) -> bool {
        self.by_start.is_empty() && self.others.is_empty()
    }

    pub(super) fn add_shape(&mut self, project: ProjectId, shape: KeyShape) {
        match shape.prefix().as_bytes().first_chunk::<2>() {
            Some(start) => self.by_start.entry(*start).or_default().push((shape, project)),
            None => self.others.push((shape, project)),
        }
    }

    pub(super) fn add_scheme(&mut self, project: ProjectId, scheme: KeyScheme) {
        let known = self.schemes.entry(project).or_default();
        match scheme {
            KeyScheme::Slow(length) => {
                if !known.lookups.contains(&length) {
                    known.lookups.push(length);
                }
            }
            fast if known.fast.contains(&fast) => {}
            _ if known.fast.len() >= MAX_SCHEMES => {
                tracing::warn!(
                    %project,
                    "A project’s imported keys have more than {MAX_SCHEMES} schemes and secrets; \
                     keys of the others are not found"
                );
            }
            fast => known.fast.push(fast),
        }
    }

    /// All shapes.
    pub(super) fn shapes(&self) -> impl Iterator<Item = &KeyShape> {
        self.by_start.values().flatten().chain(&self.others).map(|(shape, _)| shape)
    }

    fn matching<'a>(
        &'a self,
        text: &'a str,
        is_own_form: bool,
    ) -> impl Iterator<Item = ProjectId> + 'a {
        let start = text.as_bytes().first_chunk::<2>();
        let prefixed = start.and_then(|start| self.by_start.get(start)).into_iter().flatten();
        // A mistyped key of ours is not looked up in everybody's imports.
        let others = self.others.iter().filter(move |_| !is_own_form);
        let all = prefixed.chain(others).filter(move |(shape, _)| shape.matches(text));
        all.map(|(_, project)| *project)
    }

    /// Whether a text has a shape. `is_own_form`: but for its checksum it looks like one of ours.
    pub(super) fn has_shape(&self, text: &str, is_own_form: bool) -> bool {
        self.matching(text, is_own_form).next().is_some()
    }

    /// Whose key a text may be; `None` if it has no shape.
    pub(super) fn shaped<'a>(&'a self, text: &'a str, is_own_form: bool) -> Option<ShapedText<'a>> {
        let mut projects: Vec<_> = self.matching(text, is_own_form).collect();
        projects.sort_unstable();
        projects.dedup();
        if projects.is_empty() {
            return None;
        }
        let (mut schemes, mut lookups) = (Vec::new(), Vec::new());
        let known: Vec<_> = projects.iter().filter_map(|one| self.schemes.get(one)).collect();
        // The first ones of all projects, then the second ones: those of one project must not keep
        // out another's.
        for turn in 0..MAX_SCHEMES {
            for scheme in known.iter().filter_map(|known| known.fast.get(turn)) {
                if schemes.len() < MAX_TRIED && !schemes.contains(&scheme) {
                    schemes.push(scheme);
                }
            }
        }
        for known in known {
            let starts = known.lookups.iter().filter_map(|length| text.get(..*length));
            let ends = known.lookups.iter().filter_map(|length| by_end(text, *length));
            for lookup in starts.map(Cow::Borrowed).chain(ends.map(Cow::Owned)) {
                if !lookups.contains(&lookup) {
                    lookups.push(lookup);
                }
            }
        }
        Some(ShapedText { text, projects, schemes, lookups })
    }
}

/// What a key is found by whose end is known, and not its start: `*` and the end, `length` in all.
fn by_end(text: &str, length: usize) -> Option<String> {
    let start = text.len().checked_sub(length.checked_sub(1)?)?;
    Some(format!("*{}", text.get(start..)?))
}

impl ShapedText<'_> {
    /// Digests under which a key with this text stands that has not moved.
    pub(super) fn foreign_digests(&self, writing: WritingPepper<'_>) -> Vec<KeyDigest> {
        let mut digests = Vec::new();
        for (name, stored) in self.schemes.iter().filter_map(|scheme| self.stored(scheme)) {
            let under_each = writing.each().map(|pepper| pepper.foreign_digest(&name, &stored));
            digests.extend(under_each);
        }
        digests
    }

    /// What another system stores of the text, with the name of what it digested.
    fn stored(&self, scheme: &KeyScheme) -> Option<(String, Vec<u8>)> {
        match scheme {
            KeyScheme::Fast(fast) => {
                let stored = fast_digest(fast, self.text)?;
                Some((Scheme::Fast(fast.clone()).canonical(), stored))
            }
            KeyScheme::Hmac(algorithm, secret) => {
                let stored = hmac_digest(*algorithm, secret.expose(), self.text);
                Some((Scheme::Hmac(*algorithm).canonical(), stored))
            }
            KeyScheme::Slow(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use latchkey_domain::import::{Alphabet, DigestEncoding, FastAlgorithm, Part};
    use latchkey_domain::time::Timestamp;

    use super::*;

    fn scheme(name: String) -> KeyScheme {
        let (algorithm, encoding) = (FastAlgorithm::Sha256, DigestEncoding::Hex);
        KeyScheme::Fast(FastScheme { algorithm, encoding, part: Part::Prefixed(name) })
    }

    #[test]
    fn schemes_of_other_projects_keep_none_out() {
        let mut table = ShapeTable::default();
        let shape = KeyShape::new("sk-", 4, 80, Alphabet::Visible).unwrap();
        let id = |number: u8| ProjectId::new(Timestamp::from_millis(i64::from(number)), [0; 10]);
        for project in 0..40 {
            table.add_shape(id(project), shape.clone());
            for one in 0..MAX_SCHEMES {
                table.add_scheme(id(project), scheme(format!("{project} {one}")));
            }
        }
        let last = scheme("last".to_owned());
        table.add_shape(id(99), shape);
        table.add_scheme(id(99), last.clone());
        let shaped = table.shaped("sk-0123456789", false).unwrap();
        assert_eq!(shaped.schemes.len(), MAX_TRIED);
        assert!(shaped.schemes.contains(&&last));
    }
}
