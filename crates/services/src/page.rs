//! Cursors of paged lists. Rows come newest first, by id or by time and id, so a page is a single
//! index lookup however long the list is.

use latchkey_domain::api::{Page, PageLimit};
use latchkey_domain::time::Timestamp;
use uuid::Uuid;

use crate::error::Error;

/// A request for one page of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageRequest {
    /// Number of items per page.
    pub limit: PageLimit,
    /// `next_cursor` of the previous page. `None`: the first page.
    pub cursor: Option<String>,
}

impl PageRequest {
    /// Number of rows to read: one more than the page has, to detect whether there is a next page.
    pub(crate) const fn rows(&self) -> u64 {
        self.limit.get() + 1
    }

    /// Position in a list that is ordered by id.
    ///
    /// # Errors
    /// `Invalid` for a malformed cursor.
    pub fn after_id<Id: From<Uuid>>(&self) -> Result<Option<Id>, Error> {
        let parse = |text: &str| text.parse::<Uuid>().map(Id::from).map_err(|_| bad_cursor());
        self.cursor.as_deref().map(parse).transpose()
    }

    /// Position in a list that is ordered by time, then id.
    ///
    /// # Errors
    /// `Invalid` for a malformed cursor.
    pub fn after_time<Id: From<Uuid>>(&self) -> Result<Option<(Timestamp, Id)>, Error> {
        let parse = |text: &str| {
            let (millis, id) = text.split_once('.')?;
            let id: Uuid = id.parse().ok()?;
            Some((Timestamp::from_millis(millis.parse().ok()?), id.into()))
        };
        self.cursor.as_deref().map(|text| parse(text).ok_or_else(bad_cursor)).transpose()
    }

    /// Position in a list that is ordered by time in nanoseconds, then id.
    ///
    /// # Errors
    /// `Invalid` for a malformed cursor.
    pub fn after_nanos(&self) -> Result<Option<(Timestamp, i32, Uuid)>, Error> {
        let parse = |text: &str| {
            let (millis, rest) = text.split_once('.')?;
            let (nanos, id) = rest.split_once('.')?;
            let at = Timestamp::from_millis(millis.parse().ok()?);
            Some((at, nanos.parse().ok()?, id.parse().ok()?))
        };
        self.cursor.as_deref().map(|text| parse(text).ok_or_else(bad_cursor)).transpose()
    }

    /// Builds a page from the rows that were read.
    pub(crate) fn page<T>(&self, mut rows: Vec<T>, cursor: impl FnOnce(&T) -> String) -> Page<T> {
        let size = usize::try_from(self.limit.get()).unwrap_or(usize::MAX);
        let more = rows.len() > size;
        rows.truncate(size);
        let next_cursor = if more { rows.last().map(cursor) } else { None };
        Page { data: rows, next_cursor }
    }
}

/// Cursor after a row of a list that is ordered by id.
pub(crate) fn id_cursor(id: impl Into<Uuid>) -> String {
    id.into().simple().to_string()
}

/// Cursor after a row of a list that is ordered by time, then id.
pub(crate) fn time_cursor(at: Timestamp, id: impl Into<Uuid>) -> String {
    format!("{}.{}", at.as_millis(), id.into().simple())
}

/// Cursor after a row of a list that is ordered by time in nanoseconds, then id.
pub(crate) fn nanos_cursor(at: Timestamp, nanos: i32, id: Uuid) -> String {
    format!("{}.{nanos}.{}", at.as_millis(), id.simple())
}

fn bad_cursor() -> Error {
    Error::invalid("cursor", "Use the next_cursor of the previous page.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(cursor: &str) -> PageRequest {
        PageRequest { limit: PageLimit::new(2).unwrap(), cursor: Some(cursor.to_owned()) }
    }

    #[test]
    fn cursors_round_trip_through_text() {
        let id = Uuid::from_u128(7);
        assert_eq!(request(&id_cursor(id)).after_id().unwrap(), Some(id));
        let at = Timestamp::from_millis(-5);
        assert_eq!(request(&time_cursor(at, id)).after_time().unwrap(), Some((at, id)));
        let precise = request(&nanos_cursor(at, 999_999, id)).after_nanos().unwrap();
        assert_eq!(precise, Some((at, 999_999, id)));
    }

    #[test]
    fn foreign_cursors_are_refused() {
        for text in ["", "x", "1.", ".1", "1.2.3", "'; DROP TABLE keys; --"] {
            assert!(matches!(request(text).after_id::<Uuid>(), Err(Error::Invalid(_))), "{text}");
            assert!(matches!(request(text).after_time::<Uuid>(), Err(Error::Invalid(_))), "{text}");
            assert!(matches!(request(text).after_nanos(), Err(Error::Invalid(_))), "{text}");
        }
    }

    #[test]
    fn last_page_has_no_next_cursor() {
        let request = PageRequest { limit: PageLimit::new(2).unwrap(), cursor: None };
        assert_eq!(
            request.page(vec![3, 2, 1], ToString::to_string).next_cursor.as_deref(),
            Some("2")
        );
        assert_eq!(request.page(vec![3, 2], ToString::to_string).next_cursor, None);
        assert_eq!(request.page(Vec::<u8>::new(), ToString::to_string).data, Vec::<u8>::new());
    }
}
