//! Rows as a table that fits a terminal, or as lines with tabs for other programs.

use std::borrow::Cow;
use std::fmt::Write;

use clap::builder::styling::{AnsiColor, Style};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::failure::Done;
use crate::row::Row;
use crate::terminal::{Screen, print};

/// Columns between two cells.
const GAP: usize = 2;
/// Narrowest that a column becomes before others are left out.
const NARROWEST: usize = 8;
/// Characters of a cell that are looked at.
const LONGEST_CELL: usize = 1_000;
/// Characters of a time down to the minute: `2026-11-30T14:48`.
const MINUTE: usize = 16;

/// A column: the name of the API's field, and whether its cells are cut to fit. IDs are not: a part
/// of one is of no use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    pub(crate) field: &'static str,
    pub(crate) may_be_cut: bool,
}

/// A column whose cells are never cut.
pub(crate) const fn whole(field: &'static str) -> Column {
    Column { field, may_be_cut: false }
}

/// A column whose cells are cut where there is no room.
pub(crate) const fn cut(field: &'static str) -> Column {
    Column { field, may_be_cut: true }
}

/// Rows of a list. On a terminal they wait for the last one, since all decide how wide columns are;
/// elsewhere each is written at once.
pub(crate) struct Table {
    screen: Screen,
    columns: &'static [Column],
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) const fn new(screen: Screen, columns: &'static [Column]) -> Self {
        Self { screen, columns, rows: Vec::new() }
    }

    pub(crate) fn add(&mut self, rows: &[Row]) -> Done {
        let cells = |row: &Row| -> Vec<String> {
            self.columns.iter().map(|column| row.text(column.field)).collect()
        };
        let rows = rows.iter().map(cells).collect();
        self.add_cells(rows)
    }

    /// Adds rows by the texts of their cells.
    fn add_cells(&mut self, rows: Vec<Vec<String>>) -> Done {
        if self.screen.width.is_none() {
            return print(rows.iter().map(|cells| tabbed(cells)).collect::<String>().as_bytes());
        }
        let named = |cells: Vec<String>| -> Vec<String> {
            let cells = self.columns.iter().zip(cells);
            cells.map(|(column, text)| on_screen(column.field, &text)).collect()
        };
        let rows: Vec<_> = rows.into_iter().map(named).collect();
        self.rows.extend(rows);
        Ok(())
    }

    /// Writes the table, on a terminal.
    pub(crate) fn finish(self) -> Done {
        let Some(width) = self.screen.width else { return Ok(()) };
        if self.rows.is_empty() {
            return Ok(());
        }
        print(self.rendered(width).as_bytes())
    }

    fn rendered(&self, width: usize) -> String {
        let widths = self.widths(width);
        let mut text = String::new();
        let headers = self.columns.iter().map(|column| column.field.replace('_', " "));
        let headers: Vec<_> = headers.map(|header| header.to_uppercase()).collect();
        self.write_line(&mut text, &widths, &headers, |_, _| Style::new().bold());
        for cells in &self.rows {
            self.write_line(&mut text, &widths, cells, style);
        }
        text
    }

    fn write_line(
        &self,
        text: &mut String,
        widths: &[usize],
        cells: &[String],
        style: fn(&str, &str) -> Style,
    ) {
        let mut padding = 0;
        for ((column, cell), width) in self.columns.iter().zip(cells).zip(widths) {
            let shown = fitted(cell, *width);
            let spaces = width.saturating_sub(shown.width());
            let style = if self.screen.color { style(column.field, cell) } else { Style::new() };
            // Nothing stands after the last word of a line. Writing to a string can't fail.
            let _ = write!(text, "{:padding$}{style}{shown}{style:#}", "");
            padding = spaces + GAP;
        }
        text.truncate(text.trim_end_matches(' ').len());
        text.push('\n');
    }

    /// The widths of the columns that fit, from the first on.
    fn widths(&self, available: usize) -> Vec<usize> {
        let natural: Vec<_> = (0..self.columns.len()).map(|index| self.natural(index)).collect();
        for count in (1..=natural.len()).rev() {
            let mut widths: Vec<_> = natural.iter().take(count).copied().collect();
            if self.squeeze(&mut widths, available) {
                return widths;
            }
        }
        // Not even the first column fits: it is cut all the same.
        vec![available]
    }

    fn natural(&self, index: usize) -> usize {
        let header = self.columns.get(index).map_or(0, |column| column.field.len());
        let cells = self.rows.iter().filter_map(|cells| cells.get(index));
        cells.map(|cell| cell.width()).max().unwrap_or_default().max(header)
    }

    /// Narrows the widest columns until the line fits. Whether it does.
    fn squeeze(&self, widths: &mut [usize], available: usize) -> bool {
        let gaps = GAP * widths.len().saturating_sub(1);
        while widths.iter().sum::<usize>() + gaps > available {
            let columns = self.columns.iter().zip(widths.iter_mut());
            let cut = columns.filter(|(column, width)| column.may_be_cut && **width > NARROWEST);
            let Some((_, widest)) = cut.max_by_key(|(_, width)| **width) else { return false };
            *widest -= 1;
        }
        true
    }
}

/// Fields of one thing, one a line: aligned and wrapped on a terminal, with a tab elsewhere.
pub(crate) fn print_fields(screen: Screen, fields: &[(String, String)]) -> Done {
    let Some(width) = screen.width else {
        let lines = fields.iter().map(|(name, value)| tabbed(&[name, value]));
        return print(lines.collect::<String>().as_bytes());
    };
    let names = fields.iter().map(|(name, _)| name.width()).max().unwrap_or_default();
    let room = width.saturating_sub(names + GAP).max(NARROWEST);
    let bold = if screen.color { Style::new().bold() } else { Style::new() };
    let mut text = String::new();
    for (name, value) in fields {
        let spaces = names.saturating_sub(name.width()) + GAP;
        let value = on_screen(name, value);
        let style = if screen.color { style(name, &value) } else { Style::new() };
        let mut lines = wrapped(&value, room).into_iter();
        let first = lines.next().unwrap_or_default();
        let line = format!("{bold}{name}{bold:#}{:spaces$}{style}{first}{style:#}", "");
        text.push_str(line.trim_end());
        text.push('\n');
        for line in lines {
            let indent = names + GAP;
            let _ = writeln!(text, "{:indent$}{style}{line}{style:#}", "");
        }
    }
    print(text.as_bytes())
}

/// Cells with a tab between them. What would look like another cell or line is escaped.
fn tabbed<T: AsRef<str>>(cells: &[T]) -> String {
    let cells: Vec<_> = cells.iter().map(|cell| escaped(cell.as_ref())).collect();
    cells.join("\t") + "\n"
}

fn escaped(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|c| c.is_control() || c == '\\') {
        return Cow::Borrowed(text);
    }
    let escape = |c: char| match c {
        '\\' => "\\\\".to_owned(),
        '\t' => "\\t".to_owned(),
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        c if c.is_control() => c.escape_unicode().to_string(),
        c => c.to_string(),
    };
    Cow::Owned(text.chars().map(escape).collect())
}

/// A cell as a terminal may get it: times to the minute, and nothing that moves the cursor or
/// reverses the line.
fn on_screen(field: &str, text: &str) -> String {
    let time = text.get(..MINUTE).filter(|_| field.ends_with("_at") && text.ends_with('Z'));
    if let Some(time) = time {
        return time.replace('T', " ");
    }
    let harmless = |c: char| {
        let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}');
        let isolates = matches!(c, '\u{2066}'..='\u{2069}');
        if c.is_control() || turns || isolates { '\u{fffd}' } else { c }
    };
    text.chars().take(LONGEST_CELL).map(harmless).collect()
}

/// The text in at most so many columns.
fn fitted(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += c.width().unwrap_or_default();
        if used > columns {
            break;
        }
        kept.push(c);
    }
    kept.push('…');
    kept
}

/// The text in lines of at most so many columns.
fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for c in text.chars() {
        let width = c.width().unwrap_or_default();
        if used + width > columns {
            lines.push(String::new());
            used = 0;
        }
        used += width;
        if let Some(line) = lines.last_mut() {
            line.push(c);
        }
    }
    lines
}

/// The color of a cell: that of a status.
fn style(field: &str, text: &str) -> Style {
    let color = match (field, text) {
        ("status", "active") => AnsiColor::Green,
        ("status", "disabled") => AnsiColor::Yellow,
        ("status", "revoked" | "expired") => AnsiColor::Red,
        _ => return Style::new(),
    };
    color.on_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[Column] = &[whole("id"), cut("name"), whole("status"), whole("created_at")];

    fn table(color: bool) -> Table {
        let screen = Screen { width: Some(80), color, watched: true };
        let mut table = Table::new(screen, COLUMNS);
        let row = |name: &str, status: &str| {
            ["key_0123456789", name, status, "2026-11-30T14:48:10.000Z"].map(str::to_owned).to_vec()
        };
        table.add_cells(vec![row("鍵 of somebody", "active"), row("b", "revoked")]).unwrap();
        table
    }

    #[test]
    fn table_shows_all_where_there_is_room() {
        let expected = "\
ID              NAME            STATUS   CREATED AT
key_0123456789  鍵 of somebody  active   2026-11-30 14:48
key_0123456789  b               revoked  2026-11-30 14:48
";
        assert_eq!(table(false).rendered(80), expected);
    }

    #[test]
    fn table_cuts_names_then_leaves_out_columns() {
        let narrow = table(false).rendered(51);
        assert!(narrow.contains("鍵 of s…"), "{narrow}");
        assert!(narrow.contains("14:48"), "{narrow}");
        let narrower = table(false).rendered(40);
        assert!(narrower.contains("revoked") && !narrower.contains("CREATED"), "{narrower}");
        for width in 20..80 {
            for line in table(false).rendered(width).lines() {
                assert!(line.width() <= width, "{width}: {line}");
                assert_eq!(line.trim_end(), line);
            }
        }
        assert!(table(false).rendered(20).contains("key_0123456789"));
    }

    #[test]
    fn color_is_only_where_it_is_wanted() {
        assert!(!table(false).rendered(80).contains('\u{1b}'));
        let colored = table(true).rendered(80);
        assert!(colored.contains("\u{1b}[32mactive\u{1b}[0m"), "{colored:?}");
    }

    #[test]
    fn lines_with_tabs_keep_their_cells_apart() {
        assert_eq!(tabbed(&["a\tb", "c\\\nd", "", "é\u{1b}"]), "a\\tb\tc\\\\\\nd\t\té\\u{1b}\n");
    }

    #[test]
    fn terminal_gets_nothing_that_moves_its_cursor() {
        assert_eq!(on_screen("name", "a\u{1b}[2Jb\u{202e}c"), "a\u{fffd}[2Jb\u{fffd}c");
        assert_eq!(on_screen("name", "2026-11-30T14:48:10Z"), "2026-11-30T14:48:10Z");
    }

    #[test]
    fn long_values_are_wrapped() {
        assert_eq!(wrapped("abcdef", 4), ["abcd", "ef"]);
        assert_eq!(wrapped("", 4), [""]);
    }
}
