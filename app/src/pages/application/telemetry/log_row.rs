//! A row of the log list; on narrow screens, its card. Expanded, it shows all fields.

use latchkey_domain::api::IngestedLog;
use leptos::prelude::*;

use super::details::Details;
use super::opening::{DetailsRow, OpenButton};
use super::trace_row::trace_link;
use latchkey_ui::environment_tag::EnvironmentTag;
use latchkey_ui::relative_time::RelativeTime;
use latchkey_ui::status_badge::LevelBadge;
use latchkey_ui::table::{Column, EmptyCell, LOW_CELL, ROW};

/// A message may be long; a list shows its beginning.
const MOST_CHARACTERS: usize = 400;
/// The most characters of what a screen reader hears of a row's button.
const MOST_SPOKEN: usize = 80;

/// The columns of the list.
pub const COLUMNS: &[Column] = &[
    Column::new("Level"),
    Column::new("Message").class("w-full"),
    Column::new("Type"),
    Column::new("Env"),
    Column::new("Trace"),
    Column::new("Time"),
    Column::spoken("Details"),
];

/// One line that the application logged.
pub fn log_row(log: IngestedLog) -> impl IntoView {
    let open = RwSignal::new(false);
    let id = format!("{}-details", log.id);
    let entry = &log.entry;
    let label = format!("Details of {}", beginning(&entry.message, MOST_SPOKEN));
    let message = beginning(&entry.message, MOST_CHARACTERS);
    let (level, kind) = (entry.level.clone(), entry.kind.clone());
    let time = entry.timestamp.millisecond();
    let link = match &entry.trace_id {
        Some(id) => trace_link(id),
        None => view! { <EmptyCell/> }.into_any(),
    };
    let environment = log.environment;
    let log = StoredValue::new(log);
    view! {
        <tr role="row" class=format!("relative {ROW}")>
            <td role="cell" class=LOW_CELL>
                <LevelBadge level/>
            </td>
            <td
                role="cell"
                class=format!("{LOW_CELL} max-w-0 max-md:order-1 max-md:col-span-4 max-md:max-w-none")
            >
                <span class="line-clamp-2 py-1 break-words max-md:line-clamp-4">{message}</span>
            </td>
            <td
                role="cell"
                class=format!("{LOW_CELL} max-w-40 truncate font-mono text-code text-ink-2 max-md:max-w-none")
            >
                {kind}
            </td>
            <td role="cell" class=format!("{LOW_CELL} max-md:justify-self-end")>
                <EnvironmentTag environment/>
            </td>
            <td role="cell" class=format!("{LOW_CELL} whitespace-nowrap max-md:order-2 max-md:col-span-2")>{link}</td>
            <td
                role="cell"
                class=format!("{LOW_CELL} num whitespace-nowrap text-ink-2 max-md:order-3 max-md:col-span-2 max-md:justify-self-end")
            >
                <RelativeTime time/>
            </td>
            <td role="cell" class=format!("{LOW_CELL} text-right max-md:justify-self-end")>
                <OpenButton id=id.clone() label open/>
            </td>
        </tr>
        <Show when=move || open.get()>
            <DetailsRow
                id=id.clone()
                columns=COLUMNS.len()
                details=log.with_value(|log| Details::of_log(&log.entry))
            />
        </Show>
    }
}

/// The first characters of a message, with an ellipsis if it is longer.
fn beginning(message: &str, most: usize) -> String {
    match message.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_messages_are_cut_between_characters() {
        assert_eq!(beginning(&"é".repeat(400), 400), "é".repeat(400));
        assert_eq!(beginning(&"é".repeat(401), 400), format!("{}…", "é".repeat(400)));
    }
}
