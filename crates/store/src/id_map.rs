//! Maps keyed by ids that this product generates.

use std::collections::HashMap;

/// A map whose keys no caller can choose. It may therefore use a fast hash that does not resist
/// collision attacks.
pub type IdMap<K, V> = HashMap<K, V, foldhash::fast::RandomState>;
