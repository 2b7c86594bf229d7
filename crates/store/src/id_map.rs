//! Maps by our own ids.

use std::collections::HashMap;

/// A map whose keys no caller chooses: ids that this product made. So its hash may be quick rather
/// than proof against floods of keys that collide.
pub type IdMap<K, V> = HashMap<K, V, foldhash::fast::RandomState>;
