//! Pages of telemetry: a hundred rows or 4 MiB, whichever comes first.
//!
//! The database first returns the length of each row ([`super::scan`]); then only the rows that fit
//! are read. Rows from before the limit on messages may be megabytes long: of those messages only
//! the beginning is read.

use std::collections::HashMap;

use latchkey_domain::api::Page;
use latchkey_domain::time::{PreciseTimestamp, Timestamp};
use sea_orm::sea_query::{Expr, ExprTrait};
use serde::Serialize;
use uuid::Uuid;

use super::cut::{MAX_BYTES, json_length};
use crate::page::nanos_cursor;

/// Maximum size of a page in bytes, both as stored and as JSON.
const PAGE_BYTES: usize = 4 * 1024 * 1024;
/// Maximum number of bytes read of a message: a character has at most four.
const READ_OF_A_MESSAGE: usize = 4 * MAX_BYTES;

/// Position of a row in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RowPosition {
    pub(super) timestamp: Timestamp,
    pub(super) nanos: i32,
    pub(super) id: Uuid,
}

impl From<(Timestamp, i32, Uuid)> for RowPosition {
    fn from((timestamp, nanos, id): (Timestamp, i32, Uuid)) -> Self {
        Self { timestamp, nanos, id }
    }
}

impl RowPosition {
    fn cursor(&self) -> String {
        nanos_cursor(self.timestamp, self.nanos, self.id)
    }
}

/// The nanoseconds beyond the millisecond, as the column stores them.
pub(super) fn nanos_to_row(time: PreciseTimestamp) -> i32 {
    i32::try_from(time.nanos()).unwrap_or_default()
}

pub(super) fn time_from_row(millisecond: Timestamp, nanos: i32) -> PreciseTimestamp {
    let nanos = u32::try_from(nanos).unwrap_or_default();
    PreciseTimestamp::new(millisecond, nanos)
}

/// Rows of the next page.
pub(super) struct Places {
    rows: Vec<RowPosition>,
    more: bool,
    /// Where the scan stopped, unless it reached the end of the list.
    left_at: Option<RowPosition>,
}

/// Length of a text column in bytes, without reading the text.
pub(super) fn length(column: &'static str) -> Expr {
    Expr::cust(format!("COALESCE(OCTET_LENGTH({column}), 0)")).cast_as("bigint")
}

/// The first `MAX_BYTES` characters of a message.
pub(super) fn beginning(column: &'static str) -> Expr {
    Expr::cust(format!("SUBSTR({column}, 1, {MAX_BYTES})"))
}

impl Places {
    /// Selects the leading rows that fit into a page of `most` rows. The first row always fits.
    pub(super) fn of(
        rows: Vec<(RowPosition, usize)>,
        most: usize,
        left_at: Option<RowPosition>,
    ) -> Self {
        let (all, mut bytes) = (rows.len(), 0);
        let mut places = Vec::with_capacity(all.min(most));
        for (place, length) in rows.into_iter().take(most) {
            bytes += length;
            if bytes > PAGE_BYTES && !places.is_empty() {
                break;
            }
            places.push(place);
        }
        let more = places.len() < all;
        Self { rows: places, more, left_at }
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = Uuid> {
        self.rows.iter().map(|place| place.id)
    }

    /// Builds the page from the rows as they were read, in any order. Rows deleted in the meantime
    /// are left out.
    pub(super) fn page<T: Serialize>(self, rows: impl IntoIterator<Item = (Uuid, T)>) -> Page<T> {
        let mut rows: HashMap<Uuid, T> = rows.into_iter().collect();
        let (mut data, mut bytes, mut last) = (Vec::with_capacity(rows.len()), 0, None);
        let mut more = self.more;
        for place in &self.rows {
            let Some(row) = rows.remove(&place.id) else {
                last = Some(place);
                continue;
            };
            bytes += json_length(&row) + 1;
            if bytes > PAGE_BYTES && !data.is_empty() {
                more = true;
                break;
            }
            data.push(row);
            last = Some(place);
        }
        let next = if more { last } else { self.left_at.as_ref() };
        let next_cursor = next.map(RowPosition::cursor);
        Page { data, next_cursor }
    }
}

/// How many bytes are read of a message of this length.
pub(super) fn of_message(length: Expr) -> Expr {
    let most = i64::try_from(READ_OF_A_MESSAGE).unwrap_or(i64::MAX);
    let is_long = length.clone().gt(most);
    Expr::case(is_long, Expr::val(most)).finally(length).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(id: u128) -> RowPosition {
        RowPosition { timestamp: Timestamp::from_millis(7), nanos: 8, id: Uuid::from_u128(id) }
    }

    fn rows(lengths: &[usize]) -> Vec<(RowPosition, usize)> {
        (1..).zip(lengths).map(|(id, length)| (place(id), *length)).collect()
    }

    #[test]
    fn page_ends_at_its_row_limit_or_at_4_mib() {
        const MIB: usize = 1 << 20;
        for (lengths, places, more) in [
            (&[][..], 0, false),
            (&[1, 1, 1], 3, false),
            (&[1, 1, 1, 1], 3, true),
            (&[2 * MIB, 2 * MIB], 2, false),
            (&[2 * MIB, 2 * MIB, 1], 2, true),
            (&[9 * MIB], 1, false),
            (&[9 * MIB, 1], 1, true),
        ] {
            let page = Places::of(rows(lengths), 3, None);
            assert_eq!((page.rows.len(), page.more), (places, more), "{lengths:?}");
        }
    }

    #[test]
    fn page_ends_at_4_mib_of_json() {
        let places = Places::of(rows(&[1_000_000; 3]), 3, Some(place(9)));
        // A control character takes six bytes of JSON.
        let texts = places.ids().map(|id| (id, "\u{1}".repeat(500_000))).collect::<Vec<_>>();
        let page = places.page(texts);
        assert_eq!((page.data.len(), page.next_cursor), (1, Some(place(1).cursor())));
    }

    #[test]
    fn deleted_rows_do_not_end_the_list() {
        let places = Places::of(rows(&[1, 1, 1, 1]), 3, None);
        let first = places.ids().next().unwrap();
        let page = places.page([(first, "row")]);
        assert_eq!(page.next_cursor, Some(place(3).cursor()));
    }

    #[test]
    fn list_resumes_where_the_scan_stopped() {
        for found in [&[][..], &[1], &[1, 1, 1]] {
            let places = Places::of(rows(found), 3, Some(place(9)));
            let shown: Vec<_> = places.ids().map(|id| (id, "row")).collect();
            let page = places.page(shown);
            assert_eq!(page.data.len(), found.len());
            assert_eq!(page.next_cursor, Some(place(9).cursor()));
        }
    }
}
