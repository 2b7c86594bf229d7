//! The log as CSV (RFC 4180), read and written a few rows at a time.

use latchkey_domain::api::{AuditEvent, AuditFilter};
use latchkey_domain::id::OrganizationId;
use latchkey_domain::role::Permission;
use sea_orm::QuerySelect;
use uuid::Uuid;

use super::list::{Filter, to_event};
use crate::actor::Actor;
use crate::error::Error;
use crate::scope::{self, OrganizationScope};
use crate::services::Services;

/// How many rows are in memory at once.
const ROWS: u64 = 500;
const HEADER: &str =
    "id,at,actor_kind,actor_id,actor_name,action,target_kind,target_id,target_name,ip,changes\r\n";

/// An export under way.
pub struct CsvExport {
    services: Services,
    scope: OrganizationScope,
    filter: Filter,
    after: Option<(i64, Uuid)>,
    state: State,
}

enum State {
    Header,
    Rows,
    Done,
}

/// Begins an export of the rows that a filter lets through, newest first.
///
/// # Errors
/// `NotFound` for a stranger, `Forbidden` for viewers and members.
pub async fn export(
    services: &Services,
    actor: &Actor,
    organization: OrganizationId,
    filter: &AuditFilter,
) -> Result<CsvExport, Error> {
    let scope = scope::organization(services, actor, organization, Permission::AuditRead).await?;
    let filter = Filter::resolve(services, filter).await?;
    let services = services.clone();
    Ok(CsvExport { services, scope, filter, after: None, state: State::Header })
}

impl CsvExport {
    /// The next part of the text; none at its end.
    ///
    /// # Errors
    /// The database fails.
    pub async fn next(&mut self) -> Result<Option<String>, Error> {
        match self.state {
            State::Header => {
                self.state = State::Rows;
                Ok(Some(HEADER.to_owned()))
            }
            State::Rows => {
                let query = self.filter.select(&self.scope, self.after).limit(ROWS);
                let rows = query.all(self.services.database.reader()).await?;
                let Some(last) = rows.last() else {
                    self.state = State::Done;
                    return Ok(None);
                };
                self.after = Some((last.at, last.id));
                let mut text = String::new();
                for row in rows {
                    write_row(&mut text, &to_event(row)?);
                }
                Ok(Some(text))
            }
            State::Done => Ok(None),
        }
    }
}

fn write_row(text: &mut String, event: &AuditEvent) {
    let changes = if event.changes.is_empty() {
        String::new()
    } else {
        serde_json::to_string(&event.changes).unwrap_or_default()
    };
    let cells = [
        &event.id.to_string(),
        &event.at.to_string(),
        event.actor.kind.as_str(),
        event.actor.id.as_deref().unwrap_or_default(),
        &event.actor.name,
        event.action.as_str(),
        event.target.kind.as_str(),
        &event.target.id,
        &event.target.name,
        event.ip.as_deref().unwrap_or_default(),
        &changes,
    ];
    for (index, cell) in cells.into_iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        write_cell(text, cell);
    }
    text.push_str("\r\n");
}

/// A spreadsheet takes a cell that starts like a formula for one, in some settings with full-width signs too; an
/// apostrophe before it makes it text
/// ([OWASP, CSV injection](https://owasp.org/www-community/attacks/CSV_Injection)).
fn write_cell(text: &mut String, cell: &str) {
    let formula = cell.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠', '\t', '\r', '\n']);
    if !formula && !cell.contains([',', '"', '\r', '\n']) {
        text.push_str(cell);
        return;
    }
    text.push('"');
    if formula {
        text.push('\'');
    }
    text.push_str(&cell.replace('"', "\"\""));
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(text: &str) -> String {
        let mut written = String::new();
        write_cell(&mut written, text);
        written
    }

    #[test]
    fn cells_are_quoted_and_formulas_are_text() {
        assert_eq!(cell("Web checkout"), "Web checkout");
        assert_eq!(cell("a,b"), "\"a,b\"");
        assert_eq!(cell("say \"hi\""), "\"say \"\"hi\"\"\"");
        for formula in
            ["=1+1", "+1", "-1", "@SUM(A1)", "＝1+1", "＋1", "－1", "＠SUM(A1)", "\t=1", "\r=1"]
        {
            assert_eq!(cell(formula), format!("\"'{formula}\""));
        }
        assert_eq!(cell("=HYPERLINK(\"x\")"), "\"'=HYPERLINK(\"\"x\"\")\"");
    }
}
