//! What is wrong with the rows of a file.

use std::collections::BTreeSet;

use latchkey_domain::problem::FieldError;
use leptos::prelude::*;

use latchkey_ui::callout::{Callout, Tone};
use latchkey_ui::table::{Column, EmptyCell, LOW_CELL, ROW, Table};
use latchkey_ui::thousands;

/// Wrong rows that the server names.
const MOST_ROWS: usize = 100;

/// Most errors that are shown: a row may have several.
const MOST_SHOWN: usize = 200;

const LABEL: &str = "Wrong rows";

const COLUMNS: &[Column] = &[
    Column::new("Row").class("text-right"),
    Column::new("Field"),
    Column::new("What to do").class("w-full"),
];

/// A wrong field of a row, or of the whole file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowError {
    /// Number of the row, from 1; nothing for an error of the whole file.
    row: Option<u64>,
    /// The field; empty if it is the whole row.
    field: String,
    /// What is wrong and what to do.
    message: String,
}

impl RowError {
    /// Reads the path of the field: `rows[17].stored`.
    pub fn of(error: &FieldError) -> Self {
        let path = error.field.strip_prefix("rows[").and_then(|path| path.split_once(']'));
        let place = path.and_then(|(row, field)| Some((row.parse().ok()?, field)));
        let (row, field) = match place {
            Some((row, field)) => (Some(row), field.trim_start_matches('.')),
            None => (None, error.field.as_str()),
        };
        Self { row, field: field.to_owned(), message: error.message.clone() }
    }
}

/// The table of the errors, and how many rows there are.
#[component]
pub fn WrongRows(
    /// The errors, in the order of the file.
    errors: Vec<RowError>,
) -> impl IntoView {
    let summary = summary(&errors);
    let rest = errors.len().saturating_sub(MOST_SHOWN);
    let rows = errors.into_iter().take(MOST_SHOWN).map(|error| view! { <Row error/> });
    let rows = rows.collect_view();
    view! {
        <Callout tone=Tone::Danger alert=true>{summary}</Callout>
        <div
            class="max-h-80 overflow-y-auto rounded-lg outline-offset-[-2px]"
            role="group"
            aria-label=LABEL
            tabindex="0"
        >
            <Table label=LABEL columns=COLUMNS>{rows}</Table>
        </div>
        {(rest > 0)
            .then(|| {
                view! { <p class="text-caption text-ink-2">{format!("And {} more errors in these rows.", count(rest))}</p> }
            })}
    }
}

/// How many rows are wrong, and what that means.
fn summary(errors: &[RowError]) -> String {
    let rows = errors.iter().filter_map(|error| error.row).collect::<BTreeSet<_>>().len();
    let rows = match rows {
        0 => "The file can’t be imported.".to_owned(),
        1 => "1 row is wrong.".to_owned(),
        MOST_ROWS.. => format!("At least {} rows are wrong; these are the first.", count(rows)),
        rows => format!("{} rows are wrong.", count(rows)),
    };
    format!("{rows} Nothing was imported. Correct the file and choose it again.")
}

fn count(count: usize) -> String {
    thousands(u64::try_from(count).unwrap_or(u64::MAX))
}

#[component]
fn Row(error: RowError) -> impl IntoView {
    let RowError { row, field, message } = error;
    let row = match row {
        Some(row) => thousands(row).into_any(),
        None => view! { <EmptyCell/> }.into_any(),
    };
    let field = if field.is_empty() {
        view! { <EmptyCell/> }.into_any()
    } else {
        view! { <code class="font-mono text-[11.5px] break-all">{field}</code> }.into_any()
    };
    view! {
        <tr role="row" class=ROW>
            <td role="cell" class=format!("{LOW_CELL} num text-right text-ink-2 max-md:col-span-2 max-md:text-left")>
                <span class="md:hidden">"Row "</span>
                {row}
            </td>
            <td role="cell" class=format!("{LOW_CELL} md:min-w-24 max-md:col-span-2 max-md:min-w-0 max-md:justify-self-end")>
                {field}
            </td>
            <td role="cell" class=format!("{LOW_CELL} [overflow-wrap:anywhere] md:py-2 max-md:col-span-4 max-md:min-w-0")>
                {message}
            </td>
        </tr>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(field: &str) -> RowError {
        RowError::of(&FieldError { field: field.to_owned(), message: "Use another.".to_owned() })
    }

    #[test]
    fn path_of_a_field_names_its_row() {
        for (path, row, field) in [
            ("rows[17].stored", Some(17), "stored"),
            ("rows[2][3]", Some(2), "[3]"),
            ("rows[100000].tags[2]", Some(100_000), "tags[2]"),
            ("rows[3]", Some(3), ""),
            ("preset", None, "preset"),
            ("rows[a].b", None, "rows[a].b"),
        ] {
            let read = error(path);
            assert_eq!((read.row, read.field.as_str()), (row, field), "{path}");
        }
    }

    #[test]
    fn wrong_rows_are_counted_once() {
        let errors = [error("rows[1].name"), error("rows[1].stored"), error("rows[3]")];
        assert!(summary(&errors).starts_with("2 rows are wrong."));
        assert!(summary(&errors[..1]).starts_with("1 row is wrong."));
        assert!(summary(&[error("preset")]).starts_with("The file can’t be imported."));
        let many: Vec<_> = (1..=100).map(|row| error(&format!("rows[{row}]"))).collect();
        assert!(summary(&many).starts_with("At least 100 rows are wrong"));
    }
}
