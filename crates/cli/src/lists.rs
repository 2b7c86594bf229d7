//! Lists of the API, page after page.

use bytes::Bytes;
use serde::Deserialize;

use crate::args::Paging;
use crate::client::{Answer, Client};
use crate::failure::{Done, Failure};
use crate::row::{Page, Row};
use crate::table::{Column, Table};
use crate::terminal::{Screen, print, tell};

/// Rows of the largest page that the server gives.
const LARGEST_PAGE: u64 = 100;

/// A list that a command shows.
pub(crate) struct List {
    pub(crate) path: String,
    pub(crate) filters: Vec<(&'static str, String)>,
    pub(crate) columns: &'static [Column],
    /// What is said if there is no row.
    pub(crate) none: &'static str,
}

/// Shows a list: all of it, or as many rows as `paging` says.
///
/// # Errors
/// The server refuses or can't be reached, or standard output can't be written.
pub(crate) async fn show(client: &Client, screen: Screen, paging: Paging, list: &List) -> Done {
    let mut pages = Pages::of(list);
    let mut table = Table::new(screen, list.columns);
    let mut left = paging.limit.unwrap_or(u64::MAX);
    let (mut shown, mut final_page) = (0, Bytes::new());
    while left > 0
        && let Some((answer, page)) = pages.next(client, left.min(LARGEST_PAGE)).await?
    {
        let rows = u64::try_from(page.data.len()).unwrap_or(u64::MAX);
        left = left.saturating_sub(rows);
        shown += rows;
        if client.json() {
            if !final_page.is_empty() {
                print(b"\n")?;
            }
            print(&answer.body)?;
            final_page = answer.body;
        } else {
            table.add(&page.data)?;
        }
    }
    if client.json() {
        return screen.end_line(&final_page);
    }
    if shown == 0 {
        tell(list.none);
    }
    table.finish()
}

/// Shows the only row of an answer.
///
/// # Errors
/// The answer is not the API's, or standard output can't be written.
pub(crate) fn show_row(
    client: &Client,
    screen: Screen,
    columns: &'static [Column],
    answer: &Answer,
) -> Done {
    if client.json() {
        return screen.print_body(&answer.body);
    }
    let mut table = Table::new(screen, columns);
    table.add(&[read(client, answer)?])?;
    table.finish()
}

/// Finds the first row that `wanted` accepts.
///
/// # Errors
/// The server refuses or can't be reached.
pub(crate) async fn find(
    client: &Client,
    path: &str,
    wanted: impl Fn(&Row) -> bool,
) -> Result<Option<Row>, Failure> {
    let list = List { path: path.to_owned(), filters: Vec::new(), columns: &[], none: "" };
    let mut pages = Pages::of(&list);
    while let Some((_, page)) = pages.next(client, LARGEST_PAGE).await? {
        if let Some(row) = page.data.into_iter().find(&wanted) {
            return Ok(Some(row));
        }
    }
    Ok(None)
}

/// The pages of a list, in order.
struct Pages<'a> {
    list: &'a List,
    /// Where the next page starts; null is the first.
    cursor: Option<String>,
    ended: bool,
}

impl<'a> Pages<'a> {
    const fn of(list: &'a List) -> Self {
        Self { list, cursor: None, ended: false }
    }

    async fn next(
        &mut self,
        client: &Client,
        size: u64,
    ) -> Result<Option<(Answer, Page)>, Failure> {
        if self.ended {
            return Ok(None);
        }
        let mut query = self.list.filters.clone();
        query.push(("limit", size.to_string()));
        query.extend(self.cursor.clone().map(|cursor| ("cursor", cursor)));
        let answer = client.get(&self.list.path, &query).await?;
        let page: Page = read(client, &answer)?;
        // A cursor that leads nowhere would never end.
        self.ended = page.next_cursor.is_none() || page.next_cursor == self.cursor;
        self.cursor.clone_from(&page.next_cursor);
        Ok(Some((answer, page)))
    }
}

/// The body of an answer.
///
/// # Errors
/// It is of another shape than the API's.
pub(crate) fn read<'a, T: Deserialize<'a>>(
    client: &Client,
    answer: &'a Answer,
) -> Result<T, Failure> {
    serde_json::from_slice(&answer.body).map_err(|_| client.not_ours())
}
