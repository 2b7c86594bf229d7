//! Builds a tree from the spans of a trace, whatever their ids are. Missing parents, cycles and
//! duplicate ids lose no span and never hang the browser.

use std::collections::HashMap;

/// The position of a span in its trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// ID of the row.
    pub id: &'a str,
    /// The id of the span above it, if there is one.
    pub parent: Option<&'a str>,
}

/// A span in the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node {
    /// Which span it is, by its place in what was given.
    pub index: usize,
    /// Depth in the tree; roots have 1.
    pub level: usize,
    /// Whether it names a span above it that is not here.
    pub is_orphan: bool,
}

/// Every span once, in the order of the page: each before those below it, siblings as they were
/// given. Of spans with one id, the first has the children.
pub fn arrange(spans: &[Place<'_>]) -> Vec<Node> {
    let mut first = HashMap::with_capacity(spans.len());
    for (index, span) in spans.iter().enumerate() {
        first.entry(span.id).or_insert(index);
    }
    let mut children = vec![Vec::new(); spans.len()];
    let mut uppermost = Vec::new();
    for (index, span) in spans.iter().enumerate() {
        match span.parent.and_then(|parent| first.get(parent)) {
            Some(parent) if *parent != index => children[*parent].push(index),
            _ => uppermost.push(index),
        }
    }
    let is_orphan = |index: usize| {
        let parent: Option<&str> = spans[index].parent;
        parent.is_some_and(|parent| !first.contains_key(parent))
    };
    let mut nodes = Vec::with_capacity(spans.len());
    let mut placed = vec![false; spans.len()];
    // A cycle can't be reached from a root, so it starts at the first of its spans.
    for start in uppermost.into_iter().chain(0..spans.len()) {
        let mut next = vec![(start, 1)];
        while let Some((index, level)) = next.pop() {
            if std::mem::replace(&mut placed[index], true) {
                continue;
            }
            nodes.push(Node { index, level, is_orphan: is_orphan(index) });
            next.extend(children[index].iter().rev().map(|child| (*child, level + 1)));
        }
    }
    nodes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Spans as `(id, parent)`; the tree as `(id, level)`.
    fn tree<'a>(spans: &[(&'a str, &'a str)]) -> Vec<(&'a str, usize)> {
        let place = |(id, parent): &(&'a str, &'a str)| Place {
            id,
            parent: Some(*parent).filter(|parent| !parent.is_empty()),
        };
        let places: Vec<Place<'a>> = spans.iter().map(place).collect();
        arrange(&places).iter().map(|node| (places[node.index].id, node.level)).collect()
    }

    #[test]
    fn children_follow_their_parents_in_order() {
        let spans = [("a", ""), ("b", "a"), ("c", "b"), ("d", "a"), ("e", "")];
        assert_eq!(tree(&spans), [("a", 1), ("b", 2), ("c", 3), ("d", 2), ("e", 1)]);
        // Clocks differ: a child may begin before its parent.
        assert_eq!(tree(&[("b", "a"), ("a", "")]), [("a", 1), ("b", 2)]);
    }

    #[test]
    fn missing_parents_make_uppermost_orphans() {
        let places = [
            Place { id: "b", parent: Some("a") },
            Place { id: "c", parent: Some("b") },
            Place { id: "d", parent: None },
        ];
        let orphan = |index, level, is_orphan| Node { index, level, is_orphan };
        assert_eq!(
            arrange(&places),
            [orphan(0, 1, true), orphan(1, 2, false), orphan(2, 1, false)]
        );
    }

    #[test]
    fn circles_begin_at_their_first_span() {
        assert_eq!(tree(&[("a", "a")]), [("a", 1)]);
        assert_eq!(tree(&[("a", "b"), ("b", "a")]), [("a", 1), ("b", 2)]);
        assert_eq!(
            tree(&[("c", "b"), ("a", ""), ("b", "c"), ("d", "b")]),
            [("a", 1), ("c", 1), ("b", 2), ("d", 3)]
        );
    }

    #[test]
    fn the_first_of_one_id_has_the_children() {
        assert_eq!(
            tree(&[("a", ""), ("a", ""), ("b", "a"), ("a", "a")]),
            [("a", 1), ("b", 2), ("a", 2), ("a", 1)]
        );
    }

    #[test]
    fn a_deep_trace_needs_no_deep_stack() {
        let ids: Vec<String> = (0..100_000).map(|number| number.to_string()).collect();
        let parent = |index: usize| index.checked_sub(1).map(|above| ids[above].as_str());
        let places: Vec<_> =
            (0..ids.len()).map(|index| Place { id: &ids[index], parent: parent(index) }).collect();
        let nodes = arrange(&places);
        assert_eq!(nodes.last(), Some(&Node { index: 99_999, level: 100_000, is_orphan: false }));
    }

    proptest! {
        #[test]
        fn every_span_stands_in_the_tree_once(
            spans in prop::collection::vec((0_u8..12, prop::option::of(0_u8..14)), 0..40),
        ) {
            let names: Vec<String> = (0..14).map(|number: u8| number.to_string()).collect();
            let name = |number: u8| names[usize::from(number)].as_str();
            let place = |(id, parent): &(u8, Option<u8>)| Place {
                id: name(*id),
                parent: parent.map(name),
            };
            let places: Vec<_> = spans.iter().map(place).collect();
            let nodes = arrange(&places);
            let mut indexes: Vec<_> = nodes.iter().map(|node| node.index).collect();
            indexes.sort_unstable();
            prop_assert_eq!(indexes, (0..places.len()).collect::<Vec<_>>());
            // What stands under another is its child, directly below or after others of it.
            let mut path: Vec<&str> = Vec::new();
            for node in &nodes {
                prop_assert!(node.level >= 1 && node.level <= path.len() + 1);
                path.truncate(node.level - 1);
                if let Some(above) = path.last() {
                    prop_assert_eq!(places[node.index].parent, Some(*above));
                }
                path.push(places[node.index].id);
            }
        }
    }
}
