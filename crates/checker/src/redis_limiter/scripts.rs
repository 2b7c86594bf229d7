//! The scripts that Redis runs.

use redis::Script;

/// One script for each step that reads and writes at once.
pub(super) struct Scripts {
    pub(super) acquire: Script,
    pub(super) peek: Script,
    pub(super) settle: Script,
    pub(super) acquire_slot: Script,
    pub(super) release_slot: Script,
    pub(super) write_calls: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            acquire: Script::new(include_str!("acquire.lua")),
            peek: Script::new(include_str!("peek.lua")),
            settle: Script::new(include_str!("settle.lua")),
            acquire_slot: Script::new(include_str!("acquire_slot.lua")),
            release_slot: Script::new(include_str!("release_slot.lua")),
            write_calls: Script::new(include_str!("write_calls.lua")),
        }
    }

    /// All of them, to be loaded when a connection is opened.
    pub(super) const fn all(&self) -> [&Script; 6] {
        let Self { acquire, peek, settle, acquire_slot, release_slot, write_calls } = self;
        [acquire, peek, settle, acquire_slot, release_slot, write_calls]
    }
}
