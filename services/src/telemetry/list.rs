//! Pages of what came in: a hundred rows, or 4 MiB, whichever comes first.
//!
//! First the database tells how long each row is, then those that fit are read. Rows from before
//! messages were bounded may be megabytes: of their messages only the beginning is read.

use std::collections::HashMap;

use latchkey_domain::api::Page;
use latchkey_domain::time::{PreciseTimestamp, Timestamp};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, Condition, QueryFilter, QueryOrder, QuerySelect};
use serde::Serialize;
use uuid::Uuid;

use super::allowance::Allowance;
use super::cut::{MOST_BYTES, json_length};
use super::purge::{Received, kept};
use crate::error::Error;
use crate::page::{PageRequest, nanos_cursor};
use crate::scope::ApplicationScope;
use crate::services::Services;

/// The most bytes of a page, in the database and as JSON.
const PAGE_BYTES: usize = 4 * 1024 * 1024;
/// A character takes at most four bytes.
const READ_OF_A_MESSAGE: usize = 4 * MOST_BYTES;

/// A row of a page: where it stands in the list.
struct Place {
    id: Uuid,
    timestamp: i64,
    nanos: i32,
}

impl Place {
    fn cursor(&self) -> String {
        nanos_cursor(self.timestamp, self.nanos, self.id)
    }
}

/// What a row keeps of a time beside its millisecond.
pub(super) fn nanos_to_row(time: PreciseTimestamp) -> i32 {
    i32::try_from(time.nanos()).unwrap_or_default()
}

/// The time of a row.
pub(super) fn time_from_row(millis: i64, nanos: i32) -> PreciseTimestamp {
    let nanos = u32::try_from(nanos).unwrap_or_default();
    PreciseTimestamp::new(Timestamp::from_millis(millis), nanos)
}

/// The rows that a page may have.
pub(super) struct Places {
    places: Vec<Place>,
    more: bool,
}

/// How long a text is, without reading it.
pub(super) fn length(column: &'static str) -> Expr {
    Expr::cust(format!("COALESCE(OCTET_LENGTH({column}), 0)")).cast_as("bigint")
}

/// The beginning of a message.
pub(super) fn beginning(column: &'static str) -> Expr {
    Expr::cust(format!("SUBSTR({column}, 1, {MOST_BYTES})"))
}

/// Which rows of an application come next, newest first by their own time. `length` is what is read
/// of each.
pub(super) async fn places<E: Received>(
    services: &Services,
    scope: &ApplicationScope,
    wanted: Condition,
    page: &PageRequest,
    length: Expr,
) -> Result<Places, Error> {
    let allowance = Allowance::of_organization(services, scope.project().organization()).await?;
    let mut query = E::find()
        .select_only()
        .column(E::ID)
        .column(E::TIMESTAMP)
        .column(E::NANOS)
        .expr_as(length, "length")
        .filter(E::APPLICATION_ID.eq(scope.id().as_uuid()))
        .filter(kept::<E>(services.clock.now(), allowance.kept))
        .filter(wanted)
        .order_by_desc(E::TIMESTAMP)
        .order_by_desc(E::NANOS)
        .order_by_desc(E::ID)
        .limit(page.rows());
    if let Some((time, nanos, id)) = page.after_nanos()? {
        let row = Expr::tuple([E::TIMESTAMP, E::NANOS, E::ID].map(Expr::col));
        let last = Expr::tuple([Expr::val(time), Expr::val(nanos), Expr::val(id)]);
        query = query.filter(row.lt(last));
    }
    let rows: Vec<(Uuid, i64, i32, i64)> =
        query.into_tuple().all(services.database.telemetry().reader()).await?;
    Ok(Places::of(rows, usize::try_from(page.rows()).unwrap_or(usize::MAX) - 1))
}

impl Places {
    /// Of rows with their lengths, those that fit into a page of `most` rows; one always does.
    fn of(rows: Vec<(Uuid, i64, i32, i64)>, most: usize) -> Self {
        let (all, mut bytes) = (rows.len(), 0);
        let mut places = Vec::with_capacity(all.min(most));
        for (id, timestamp, nanos, length) in rows.into_iter().take(most) {
            bytes += usize::try_from(length).unwrap_or_default();
            if bytes > PAGE_BYTES && !places.is_empty() {
                break;
            }
            places.push(Place { id, timestamp, nanos });
        }
        let more = places.len() < all;
        Self { places, more }
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = Uuid> {
        self.places.iter().map(|place| place.id)
    }

    /// The page of these rows as they were read, in any order. What has been deleted meanwhile is
    /// left out.
    pub(super) fn page<T: Serialize>(self, rows: impl IntoIterator<Item = (Uuid, T)>) -> Page<T> {
        let mut rows: HashMap<Uuid, T> = rows.into_iter().collect();
        let (mut data, mut bytes, mut last) = (Vec::with_capacity(rows.len()), 0, None);
        let mut more = self.more;
        for place in &self.places {
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
        let next_cursor = last.filter(|_| more).map(Place::cursor);
        Page { data, next_cursor }
    }
}

/// What is read of a message of that length.
pub(super) fn of_message(length: Expr) -> Expr {
    let most = i64::try_from(READ_OF_A_MESSAGE).unwrap_or(i64::MAX);
    let is_long = length.clone().gt(most);
    Expr::case(is_long, Expr::val(most)).finally(length).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(lengths: &[i64]) -> Vec<(Uuid, i64, i32, i64)> {
        (1..).zip(lengths).map(|(id, length)| (Uuid::from_u128(id), 7, 8, *length)).collect()
    }

    #[test]
    fn a_page_ends_at_its_rows_or_at_4_mib() {
        const MIB: i64 = 1 << 20;
        for (lengths, places, more) in [
            (&[][..], 0, false),
            (&[1, 1, 1], 3, false),
            (&[1, 1, 1, 1], 3, true),
            (&[2 * MIB, 2 * MIB], 2, false),
            (&[2 * MIB, 2 * MIB, 1], 2, true),
            (&[9 * MIB], 1, false),
            (&[9 * MIB, 1], 1, true),
        ] {
            let page = Places::of(rows(lengths), 3);
            assert_eq!((page.places.len(), page.more), (places, more), "{lengths:?}");
        }
    }

    #[test]
    fn a_page_ends_at_4_mib_as_json_too() {
        let places = Places::of(rows(&[1_000_000; 3]), 3);
        // Six bytes each as JSON.
        let texts = places.ids().map(|id| (id, "\u{1}".repeat(500_000))).collect::<Vec<_>>();
        let page = places.page(texts);
        let last = nanos_cursor(7, 8, Uuid::from_u128(1));
        assert_eq!((page.data.len(), page.next_cursor), (1, Some(last)));
    }

    #[test]
    fn rows_that_are_gone_end_no_list() {
        let places = Places::of(rows(&[1, 1, 1, 1]), 3);
        let first = places.ids().next().unwrap();
        let page = places.page([(first, "row")]);
        assert_eq!(page.next_cursor, Some(nanos_cursor(7, 8, Uuid::from_u128(3))));
    }
}
