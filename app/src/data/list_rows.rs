//! The rows of a list to which new ones are added at the top while a person reads it and loads
//! older ones.
//!
//! The server's pages are newest first. [`ListRows::merge_first_page`] puts a fresh first page on
//! top of what is shown and [`ListRows::append_page`] adds below it. Whatever arrives in between,
//! no row is lost or shown twice.

use latchkey_domain::api::{
    Application, AuditEvent, IngestedLog, IngestedTrace, Invitation, ListedKey, ListedMember, Page,
    Session, SignInEntry,
};
use latchkey_domain::id::{
    ApplicationId, AuditEventId, InvitationId, KeyId, LogItemId, OrganizationId, SessionId,
    TraceItemId, UserId,
};

/// After this many arrivals the list starts again at the newest page, so that a page left open for
/// days does not fill the browser's memory. What was dropped is below, one “Load older” away.
const MAX_ARRIVALS: usize = 1_000;

/// A row with an id.
pub trait HasId {
    /// Type of the row's ID.
    type Id: Copy + Eq + std::hash::Hash + Send + Sync + 'static;

    /// ID of the row.
    fn id(&self) -> Self::Id;
}

/// The order of the server's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Newest first: rows arrive at the top, and those that are there stay where they are.
    #[default]
    Newest,
    /// By something that changes while a person reads, such as the last use; or search results,
    /// whose pages may be empty while later ones are not.
    Changing,
}

/// The rows of a list that are loaded, and the cursor of the next ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListRows<T> {
    shown: Vec<T>,
    cursor: Option<String>,
    arrivals: usize,
    order: Order,
    /// Whether older pages were loaded.
    paged: bool,
    /// Whether the rows belong to an earlier list. The first page of the new one replaces them.
    outdated: bool,
}

impl<T> Default for ListRows<T> {
    fn default() -> Self {
        Self {
            shown: Vec::new(),
            cursor: None,
            arrivals: 0,
            order: Order::Newest,
            paged: false,
            outdated: false,
        }
    }
}

impl<T: HasId> ListRows<T> {
    /// The rows, newest first.
    pub fn shown(&self) -> &[T] {
        &self.shown
    }

    /// Where the older rows begin; `None`: there are none.
    pub fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }

    /// Changes the row of that id, if it is shown.
    pub fn change(&mut self, id: T::Id, change: impl FnOnce(&mut T)) {
        if let Some(row) = self.shown.iter_mut().find(|row| row.id() == id) {
            change(row);
        }
    }

    /// From the next first page on this is another list, in this order.
    pub fn restart(&mut self, order: Order) {
        self.order = order;
        self.outdated = true;
    }

    /// Puts a fresh first page on top. Rows that it should have and does not were deleted, and go.
    /// When more arrived than one page holds, the list starts again at that page: a gap would be a
    /// lie.
    ///
    /// In a changing order it is unknown where rows moved. So once older pages were loaded, all
    /// rows stay where they are and only their content is updated.
    pub fn merge_first_page(&mut self, page: Page<T>) {
        if self.outdated {
            self.start_with(page);
            return;
        }
        if self.order == Order::Changing {
            let is_first = self.shown.is_empty() && !page.data.is_empty();
            if self.paged && !is_first {
                self.renew(page);
            } else {
                self.start_with(page);
            }
            return;
        }
        let last_known = self.shown.iter().rposition(|row| contains(&page.data, row.id()));
        let fresh = page.data.iter().filter(|row| !contains(&self.shown, row.id())).count();
        match last_known {
            Some(last) if page.next_cursor.is_some() && self.arrivals + fresh <= MAX_ARRIVALS => {
                let older = self.shown.split_off(last + 1);
                self.shown = page.data;
                self.shown.extend(older);
                self.arrivals += fresh;
            }
            _ => self.start_with(page),
        }
    }

    fn start_with(&mut self, page: Page<T>) {
        let order = self.order;
        *self = Self { shown: page.data, cursor: page.next_cursor, order, ..Self::default() };
    }

    fn renew(&mut self, page: Page<T>) {
        for fresh in page.data {
            self.change(fresh.id(), |row| *row = fresh);
        }
    }

    /// Adds the page at `cursor`. It is dropped if the list was restarted since.
    pub fn append_page(&mut self, cursor: &str, page: Page<T>) {
        if self.outdated || self.cursor.as_deref() != Some(cursor) {
            return;
        }
        self.paged = true;
        let unknown: Vec<T> =
            page.data.into_iter().filter(|row| !contains(&self.shown, row.id())).collect();
        self.shown.extend(unknown);
        self.cursor = page.next_cursor;
    }
}

fn contains<T: HasId>(rows: &[T], id: T::Id) -> bool {
    rows.iter().any(|row| row.id() == id)
}

impl HasId for ListedKey {
    type Id = KeyId;

    fn id(&self) -> KeyId {
        self.key.id
    }
}

impl HasId for AuditEvent {
    type Id = AuditEventId;

    fn id(&self) -> AuditEventId {
        self.id
    }
}

/// Identifies a row of members: the organization does not see the id of an invited user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MemberRowId {
    /// A member of the organization.
    Member(UserId),
    /// Somebody who is invited.
    Invitation(InvitationId),
    /// Neither, which the server never sends.
    Unknown,
}

impl HasId for ListedMember {
    type Id = MemberRowId;

    fn id(&self) -> MemberRowId {
        match (self.member.user_id, self.invitation_id) {
            (Some(id), _) => MemberRowId::Member(id),
            (None, Some(id)) => MemberRowId::Invitation(id),
            (None, None) => MemberRowId::Unknown,
        }
    }
}

impl HasId for SignInEntry {
    type Id = SessionId;

    fn id(&self) -> SessionId {
        self.id
    }
}

impl HasId for Invitation {
    type Id = OrganizationId;

    fn id(&self) -> OrganizationId {
        self.organization.id
    }
}

impl HasId for Session {
    type Id = SessionId;

    fn id(&self) -> SessionId {
        self.id
    }
}

impl HasId for Application {
    type Id = ApplicationId;

    fn id(&self) -> ApplicationId {
        self.id
    }
}

impl HasId for IngestedTrace {
    type Id = TraceItemId;

    fn id(&self) -> TraceItemId {
        self.id
    }
}

impl HasId for IngestedLog {
    type Id = LogItemId;

    fn id(&self) -> LogItemId {
        self.id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl HasId for u32 {
        type Id = Self;

        fn id(&self) -> Self {
            *self
        }
    }

    /// A server's list of the numbers 1 to `newest`, read in pages of 10.
    fn page(newest: u32, cursor: Option<&str>) -> Page<u32> {
        let below = cursor.map_or(newest + 1, |text| text.parse().unwrap());
        let data: Vec<u32> = (1..below).rev().take(10).collect();
        let next_cursor = data.last().filter(|last| **last > 1).map(ToString::to_string);
        Page { data, next_cursor }
    }

    fn older(rows: &mut ListRows<u32>, newest: u32) {
        let cursor = rows.cursor().unwrap().to_owned();
        rows.append_page(&cursor, page(newest, Some(&cursor)));
    }

    fn down_from(newest: u32, count: usize) -> Vec<u32> {
        (1..=newest).rev().take(count).collect()
    }

    #[test]
    fn rows_that_arrive_while_paging_are_neither_lost_nor_doubled() {
        let mut rows = ListRows::default();
        rows.merge_first_page(page(30, None));
        older(&mut rows, 33);
        rows.merge_first_page(page(37, None));
        assert_eq!(rows.shown(), down_from(37, 27));
        older(&mut rows, 40);
        assert_eq!(rows.shown(), down_from(37, 37));
        assert_eq!(rows.cursor(), None);
        rows.merge_first_page(page(41, None));
        assert_eq!(rows.shown(), down_from(41, 41));
        assert_eq!(rows.cursor(), None);
    }

    #[test]
    fn more_arrivals_than_a_page_start_the_list_again() {
        let mut rows = ListRows::default();
        rows.merge_first_page(page(30, None));
        let cursor = rows.cursor().unwrap().to_owned();
        rows.merge_first_page(page(60, None));
        assert_eq!(rows.shown(), down_from(60, 10));
        // A response from before the restart leaves no gap.
        rows.append_page(&cursor, page(60, Some(&cursor)));
        assert_eq!(rows.shown(), down_from(60, 10));
        older(&mut rows, 60);
        assert_eq!(rows.shown(), down_from(60, 20));
    }

    #[test]
    fn a_list_left_open_does_not_grow_for_ever() {
        let mut rows = ListRows::default();
        for newest in 20..3_000 {
            rows.merge_first_page(page(newest, None));
            assert!(rows.shown().len() <= MAX_ARRIVALS + 10);
        }
        assert_eq!(rows.shown(), down_from(2_999, rows.shown().len()));
    }

    #[test]
    fn deleted_rows_go() {
        let mut rows = ListRows::default();
        rows.merge_first_page(page(30, None));
        let mut fresh = page(30, None);
        fresh.data.retain(|row| *row != 28);
        rows.merge_first_page(fresh);
        assert!(!rows.shown().contains(&28) && rows.shown().len() == 9);
        rows.merge_first_page(Page { data: Vec::new(), next_cursor: None });
        assert_eq!(rows, ListRows::default());
    }

    #[test]
    fn the_first_rows_of_an_empty_list_appear() {
        let mut rows = ListRows::default();
        rows.merge_first_page(page(0, None));
        rows.merge_first_page(page(3, None));
        assert_eq!(rows.shown(), down_from(3, 3));
    }

    #[test]
    fn another_list_takes_the_place_of_the_one_before() {
        let mut rows = ListRows::default();
        rows.merge_first_page(page(30, None));
        let cursor = rows.cursor().unwrap().to_owned();
        rows.restart(Order::Newest);
        assert_eq!(
            rows.shown(),
            down_from(30, 10),
            "what is shown stays until the other list is there"
        );
        rows.append_page(&cursor, page(30, Some(&cursor)));
        assert_eq!(rows.shown(), down_from(30, 10), "a page of the list before is not part of it");
        rows.merge_first_page(page(7, None));
        assert_eq!(rows.shown(), down_from(7, 7));
        rows.merge_first_page(page(8, None));
        assert_eq!(rows.shown(), down_from(8, 8));
    }

    #[test]
    fn no_row_is_lost_when_the_order_changes() {
        let in_order =
            |data: &[u32]| Page { data: data.to_vec(), next_cursor: Some("2".to_owned()) };
        let mut rows = ListRows::default();
        rows.restart(Order::Changing);
        rows.merge_first_page(in_order(&[5, 4]));
        rows.merge_first_page(in_order(&[3, 5]));
        assert_eq!(rows.shown(), [3, 5]);
        rows.append_page("2", Page { data: vec![4, 2], next_cursor: None });
        rows.merge_first_page(in_order(&[2, 3]));
        assert_eq!(rows.shown(), [3, 5, 4, 2]);
    }

    #[test]
    fn a_search_goes_on_where_it_was() {
        let found = |data: &[u32], next: Option<&str>| Page {
            data: data.to_vec(),
            next_cursor: next.map(str::to_owned),
        };
        let mut rows = ListRows::default();
        rows.restart(Order::Changing);
        rows.merge_first_page(found(&[], Some("70")));
        rows.append_page("70", found(&[], Some("40")));
        rows.merge_first_page(found(&[], Some("75")));
        assert_eq!(rows.cursor(), Some("40"), "what was searched is not searched again");
        rows.append_page("40", found(&[31, 12], Some("10")));
        rows.merge_first_page(found(&[], Some("80")));
        assert_eq!((rows.shown(), rows.cursor()), (&[31, 12][..], Some("10")));

        let mut rows = ListRows::default();
        rows.restart(Order::Changing);
        rows.merge_first_page(found(&[], Some("70")));
        rows.append_page("70", found(&[], None));
        rows.merge_first_page(found(&[99], Some("75")));
        assert_eq!((rows.shown(), rows.cursor()), (&[99][..], Some("75")), "the first one appears");
    }

    #[test]
    fn a_shown_row_can_be_changed() {
        let mut rows = ListRows::default();
        rows.merge_first_page(page(3, None));
        rows.change(2, |row| *row = 20);
        rows.change(9, |row| *row = 90);
        assert_eq!(rows.shown(), [3, 20, 1]);
    }
}
