//! Lists without duplicates.

/// The items in their original order, each once.
pub(crate) fn distinct<T: PartialEq>(all: Vec<T>) -> Vec<T> {
    let mut list: Vec<T> = Vec::with_capacity(all.len());
    for one in all {
        if !list.contains(&one) {
            list.push(one);
        }
    }
    list
}
