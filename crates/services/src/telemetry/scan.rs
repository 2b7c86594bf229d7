//! Scans a list until a page is full, but never more than a window of it. A filter that matches few
//! rows or none must not cost a scan of millions. A page that ends with its window returns a cursor
//! to that place, so a page may be short or empty without being the last.
//!
//! A condition with an index in list order ([`TelemetryFilter::indexed`]) is scanned as a list of
//! its own: rows that don't match it are not part of the window.

use std::collections::HashSet;
use std::marker::PhantomData;

use latchkey_domain::id::ApplicationId;
use latchkey_domain::time::Timestamp;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, Condition, QueryFilter, QueryOrder, QuerySelect, Select};
use uuid::Uuid;

use super::allowance::Allowance;
use super::filter::{RowTexts, Searchable, TelemetryFilter, TextFilter};
use super::list::{Places, RowPosition};
use super::purge::retention;
use crate::error::Error;
use crate::page::PageRequest;
use crate::scope::ApplicationScope;
use crate::services::Services;
use latchkey_store::background;

/// Size of a window in rows, and in bytes; the last row may exceed the bytes.
const WINDOW_ROWS: usize = 10_000;
const WINDOW_BYTES: usize = 16 * 1024 * 1024;
/// Rows per statement after the first. SQLite reads through a long row to reach its last columns,
/// so the chunks stay small.
const CHUNK: usize = 1_000;
/// Size of the texts that are read at a time, in bytes; the last row may exceed it.
const TEXT_BYTES: usize = 1024 * 1024;

/// A scan of an application's rows, newest first by their own timestamps.
pub(super) struct Scan<E> {
    application: ApplicationId,
    indexed: Option<Expr>,
    is_wanted: Expr,
    words: Option<TextFilter>,
    length: Expr,
    table: PhantomData<E>,
}

/// What the database returns of a row: its length, and whether it matches as far as can be told
/// without its texts.
struct ScannedRow {
    place: RowPosition,
    length: usize,
    is_wanted: bool,
}

/// The rest of the window.
struct Window {
    rows: usize,
    bytes: usize,
}

impl Window {
    const fn has_room(&self) -> bool {
        self.rows > 0 && self.bytes > 0
    }

    /// Drops the rows beyond the window.
    fn fit(&mut self, rows: &mut Vec<ScannedRow>) {
        let is_over = |row: &ScannedRow| {
            let is_over = !self.has_room();
            self.rows = self.rows.saturating_sub(1);
            self.bytes = self.bytes.saturating_sub(row.length);
            is_over
        };
        if let Some(first) = rows.iter().position(is_over) {
            rows.truncate(first);
        }
    }
}

impl<E: Searchable> Scan<E> {
    /// A scan for rows that match `wanted`. `length` is the number of bytes that a page reads of a
    /// row.
    ///
    /// # Errors
    /// The database fails.
    pub(super) async fn new(
        services: &Services,
        scope: &ApplicationScope,
        wanted: TelemetryFilter,
        length: Expr,
    ) -> Result<Self, Error> {
        let organization = scope.project().organization();
        let allowance = Allowance::of_organization(services, organization).await?;
        let retention = retention::<E>(services.clock.now(), allowance.retention);
        let is_wanted = Condition::all().add(retention).add(wanted.row);
        let is_wanted: Expr = Expr::case(is_wanted, Expr::val(1)).finally(Expr::val(0)).into();
        Ok(Self {
            application: scope.id(),
            indexed: wanted.indexed,
            is_wanted: is_wanted.cast_as("bigint"),
            words: wanted.words,
            length,
            table: PhantomData,
        })
    }

    /// The positions of the next page's rows.
    ///
    /// # Errors
    /// `Invalid` for a malformed cursor.
    pub(super) async fn places(
        &self,
        services: &Services,
        page: &PageRequest,
    ) -> Result<Places, Error> {
        let needed = usize::try_from(page.rows()).unwrap_or(usize::MAX);
        let mut after = page.after_nanos()?.map(RowPosition::from);
        let mut window = Window { rows: WINDOW_ROWS, bytes: WINDOW_BYTES };
        // Most pages are filled by the first rows.
        let mut chunk = needed;
        let mut found = Vec::new();
        loop {
            let mut rows = self.next(services, after, chunk).await?;
            let is_end = rows.len() < chunk;
            let read = rows.len();
            window.fit(&mut rows);
            let is_end = is_end && rows.len() == read;
            after = rows.last().map(|row| row.place).or(after);
            self.find(services, rows, needed, &mut found).await?;
            let left_at = after.filter(|_| !is_end);
            if found.len() >= needed || is_end || !window.has_room() {
                return Ok(Places::of(found, needed - 1, left_at));
            }
            chunk = CHUNK.min(window.rows);
        }
    }

    /// The next rows of the list, matching or not.
    async fn next(
        &self,
        services: &Services,
        after: Option<RowPosition>,
        most: usize,
    ) -> Result<Vec<ScannedRow>, Error> {
        let rows: Vec<(Timestamp, i32, Uuid, i64, i64)> = self
            .query(after, most)
            .into_tuple()
            .all(services.database.telemetry().reader())
            .await?;
        let row = |(timestamp, nanos, id, length, is_wanted)| ScannedRow {
            place: RowPosition { timestamp, nanos, id },
            length: usize::try_from(length).unwrap_or_default(),
            is_wanted: is_wanted != 0,
        };
        Ok(rows.into_iter().map(row).collect())
    }

    fn query(&self, after: Option<RowPosition>, most: usize) -> Select<E> {
        let order = [E::TIMESTAMP, E::NANOS, E::ID];
        let query = order.iter().fold(E::find().select_only(), |query, column| {
            query.column(*column).order_by_desc(*column)
        });
        let after = after.map(|RowPosition { timestamp, nanos, id }| {
            let last = [Expr::val(timestamp), Expr::val(nanos), Expr::val(id)];
            Expr::tuple(order.map(Expr::col)).lt(Expr::tuple(last))
        });
        query
            .expr_as(self.length.clone(), "length")
            .expr_as(self.is_wanted.clone(), "is_wanted")
            .filter(E::APPLICATION_ID.eq(self.application))
            .filter(Condition::all().add_option(self.indexed.clone()).add_option(after))
            .limit(u64::try_from(most).unwrap_or(u64::MAX))
    }

    /// Adds the matching rows to `found`, until there are `needed` of them.
    async fn find(
        &self,
        services: &Services,
        rows: Vec<ScannedRow>,
        needed: usize,
        found: &mut Vec<(RowPosition, usize)>,
    ) -> Result<(), Error> {
        let wanted = rows.into_iter().filter(|row| row.is_wanted);
        let mut wanted = wanted.map(|row| (row.place, row.length)).peekable();
        let Some(words) = &self.words else {
            found.extend(wanted);
            return Ok(());
        };
        while wanted.peek().is_some() && found.len() < needed {
            let mut room = TEXT_BYTES;
            let some: Vec<_> = std::iter::from_fn(|| {
                let (place, length) = wanted.next_if(|_| room > 0)?;
                room = room.saturating_sub(length);
                Some((place, length))
            })
            .collect();
            let having = having::<E>(services, words, &some).await?;
            found.extend(some.into_iter().filter(|(place, _)| having.contains(&place.id)));
        }
        Ok(())
    }
}

/// The ids of the rows whose texts match.
async fn having<E: Searchable>(
    services: &Services,
    words: &TextFilter,
    rows: &[(RowPosition, usize)],
) -> Result<HashSet<Uuid>, Error> {
    let [level, first, second, meta] = words.columns::<E>();
    let rows: Vec<(Uuid, String, String, String, String)> = E::find()
        .select_only()
        .column(E::ID)
        .expr_as(level, "level_text")
        .expr_as(first, "first_text")
        .expr_as(second, "second_text")
        .expr_as(meta, "meta_text")
        .filter(E::ID.is_in(rows.iter().map(|(place, _)| place.id)))
        .into_tuple()
        .all(services.database.telemetry().reader())
        .await?;
    let words = words.clone();
    let read = move || {
        let texts = rows.into_iter().map(|(id, a, b, c, d)| (id, RowTexts::from([a, b, c, d])));
        texts.filter(|(_, texts)| words.are_in(texts)).map(|(id, _)| id).collect()
    };
    // CPU-bound, so it must not block a thread that checks keys.
    Ok(background::run(read).await)
}

#[cfg(test)]
mod tests;
