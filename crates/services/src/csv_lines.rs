//! Lines of CSV (RFC 4180) that a spreadsheet shows as text.

use std::borrow::Cow;

use csv::{Terminator, WriterBuilder};

/// Formats rows as lines of CSV.
pub(crate) fn csv_lines<'a, const N: usize>(
    rows: impl IntoIterator<Item = [Cow<'a, str>; N]>,
) -> String {
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
    for row in rows {
        let row = row.map(as_text);
        let written = writer.write_record(row.iter().map(|cell| cell.as_bytes()));
        written.expect("memory can be written to, and rows are of one length");
    }
    let bytes = writer.into_inner().expect("memory can be written to");
    String::from_utf8(bytes).expect("texts with ASCII between them are a text")
}

/// Escapes formulas. Spreadsheets evaluate a cell that starts like a formula, with some settings
/// also one that starts with a full-width sign. A leading apostrophe turns it into text ([OWASP,
/// CSV injection](https://owasp.org/www-community/attacks/CSV_Injection)).
fn as_text(cell: Cow<'_, str>) -> Cow<'_, str> {
    let formula = cell.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠', '\t', '\r', '\n']);
    if formula { format!("'{cell}").into() } else { cell }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(text: &str) -> String {
        let line = csv_lines([[Cow::from(text), "last".into()]]);
        line.strip_suffix(",last\r\n").unwrap().to_owned()
    }

    #[test]
    fn cells_are_quoted_and_formulas_are_text() {
        assert_eq!(cell("Web checkout"), "Web checkout");
        assert_eq!(cell("a,b"), "\"a,b\"");
        assert_eq!(cell("say \"hi\""), "\"say \"\"hi\"\"\"");
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "＝1+1", "＋1", "－1", "＠SUM(A1)", "\t=1"]
        {
            assert_eq!(cell(formula), format!("'{formula}"));
        }
        assert_eq!(cell("\r=1"), "\"'\r=1\"");
        assert_eq!(cell("=HYPERLINK(\"x\")"), "\"'=HYPERLINK(\"\"x\"\")\"");
    }
}
