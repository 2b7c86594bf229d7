//! A row of the logs list; on narrow screens, its card.

use latchkey_domain::api::IngestedLog;
use leptos::prelude::*;

use crate::components::environment_tag::EnvironmentTag;
use crate::components::relative_time::RelativeTime;
use crate::components::status_badge::LevelBadge;
use crate::components::table::{Column, LOW_CELL, ROW};

/// A message may be megabytes; a list shows its beginning.
const MOST_CHARACTERS: usize = 400;

/// The columns of the list.
pub const COLUMNS: &[Column] = &[
    Column::new("Level"),
    Column::new("Message").class("w-full"),
    Column::new("Type"),
    Column::new("Env"),
    Column::new("Time"),
];

/// One line that the application logged.
pub fn log_row(log: IngestedLog) -> impl IntoView {
    let entry = log.entry;
    view! {
        <tr role="row" class=ROW>
            <td role="cell" class=LOW_CELL>
                <LevelBadge level=entry.level/>
            </td>
            <td
                role="cell"
                class=format!("{LOW_CELL} max-w-0 max-md:order-1 max-md:col-span-4 max-md:max-w-none")
                title=entry.trace_id.map(|id| format!("Trace {id}"))
            >
                <span class="line-clamp-2 py-1 break-words max-md:line-clamp-4">{beginning(entry.message)}</span>
            </td>
            <td
                role="cell"
                class=format!("{LOW_CELL} max-w-40 truncate font-mono text-code text-ink-2 max-md:max-w-none")
            >
                {entry.kind}
            </td>
            <td role="cell" class=format!("{LOW_CELL} max-md:col-span-2 max-md:justify-self-end")>
                <EnvironmentTag environment=log.environment/>
            </td>
            <td
                role="cell"
                class=format!("{LOW_CELL} num whitespace-nowrap text-ink-2 max-md:order-2 max-md:col-span-4")
            >
                <RelativeTime time=entry.timestamp.millisecond()/>
            </td>
        </tr>
    }
}

/// The first characters of a message, with an ellipsis where it goes on.
fn beginning(mut message: String) -> String {
    if let Some((end, _)) = message.char_indices().nth(MOST_CHARACTERS) {
        message.truncate(end);
        message.push('…');
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_messages_are_cut_between_characters() {
        assert_eq!(beginning("é".repeat(400)), "é".repeat(400));
        assert_eq!(beginning("é".repeat(401)), format!("{}…", "é".repeat(400)));
    }
}
