//! `latchkey import`.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{HeaderName, HeaderValue};

use crate::args::{Import, ImportFormat};
use crate::client::{Answer, Client, Context, Sent};
use crate::failure::{Done, Failure};
use crate::lists::read;
use crate::problem::ApiProblem;
use crate::request::Request;
use crate::row::Row;
use crate::table::{Column, Table, print_fields, whole};
use crate::terminal::{Screen, clear_progress, counted, tell};

/// Largest file that the server takes.
const LARGEST_FILE: u64 = 64 * 1024 * 1024;
/// Largest secret that is read.
const LARGEST_SECRET: u64 = 64 * 1024;
/// How long an import may take.
const TIMEOUT: Duration = Duration::from_hours(1);
/// Rows that are listed on a terminal.
const LISTED_ROWS: usize = 20;

const IMPORT_SECRET: HeaderName = HeaderName::from_static("x-import-secret");
/// How the server's words for a request's parts are said to somebody who types flags.
const FLAGS: [(&str, &str); 2] =
    [("as x-import-secret", "with --secret-file"), ("as ?scheme=", "with --scheme")];
const ROWS: &[Column] = &[whole("row"), whole("key_id")];

pub(crate) async fn run(import: &Import, context: Context, screen: Screen) -> Done {
    let client = Client::new(&import.remote, context)?;
    let request = request(import, screen)?;
    let sent = client.send_once(&request).await;
    if screen.watched {
        clear_progress();
    }
    let answer = match sent? {
        Sent::Answer(answer) => answer,
        Sent::Replayed { .. } => {
            return Err(Failure::failed(
                "The import succeeded, but the connection was lost before its report arrived. See \
                 latchkey keys list.",
            ));
        }
    };
    if answer.status.as_u16() == 422
        && let Some(problem) = ApiProblem::parse(&answer.body)
        && !problem.errors.is_empty()
    {
        return report_faults(&client, screen, &answer, &problem);
    }
    report(&client, screen, &client.accepted(answer)?)
}

fn request(import: &Import, screen: Screen) -> Result<Request, Failure> {
    let media_type = match format_of(import)? {
        ImportFormat::Csv => "text/csv",
        ImportFormat::Ndjson => "application/x-ndjson",
    };
    let query = [
        ("preset", import.preset.clone()),
        ("scheme", import.scheme.clone()),
        ("dry_run", import.dry_run.then(|| "true".to_owned())),
    ];
    let query: Vec<_> =
        query.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let path = format!("/v1/projects/{}/keys/import", import.project);
    let mut request = Request::new(Method::POST, path)
        .query(&query)
        .within(TIMEOUT)
        .payload(media_type, file(&import.file)?);
    if let Some(path) = &import.secret_file {
        request = request.header(IMPORT_SECRET, secret(path)?);
    }
    Ok(if screen.watched { request.with_progress() } else { request })
}

/// The format that was asked for, or that the file's name tells.
fn format_of(import: &Import) -> Result<ImportFormat, Failure> {
    if let Some(format) = import.format {
        return Ok(format);
    }
    if is_stdin(&import.file) {
        return Ok(ImportFormat::Ndjson);
    }
    let extension = import.file.extension().and_then(|extension| extension.to_str());
    match extension.unwrap_or_default().to_ascii_lowercase().as_str() {
        "csv" => Ok(ImportFormat::Csv),
        "ndjson" | "jsonl" => Ok(ImportFormat::Ndjson),
        _ => Err(Failure::usage(format!(
            "The name of {} does not tell its format. Add --format csv or --format ndjson.",
            import.file.display()
        ))),
    }
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn file(path: &Path) -> Result<Vec<u8>, Failure> {
    if is_stdin(path) {
        return read_up_to(io::stdin().lock(), LARGEST_FILE, "Standard input");
    }
    let name = path.display().to_string();
    read_up_to(opened(path)?, LARGEST_FILE, &name)
}

/// The secret of HMACs, as a header.
fn secret(path: &Path) -> Result<HeaderValue, Failure> {
    let name = path.display().to_string();
    let bytes = read_up_to(opened(path)?, LARGEST_SECRET, &name)?;
    let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    // White space at the ends of a header does not arrive.
    let arrives = !line.is_empty() && line.trim_ascii().len() == line.len();
    let value = HeaderValue::from_bytes(line).ok().filter(|_| arrives);
    let mut value = value.ok_or_else(|| {
        Failure::failed(format!(
            "The secret in {name} can't be sent: it has to be one line without white space at its \
             ends."
        ))
    })?;
    value.set_sensitive(true);
    Ok(value)
}

fn opened(path: &Path) -> Result<File, Failure> {
    File::open(path)
        .map_err(|error| Failure::failed(format!("Cannot read {}: {error}", path.display())))
}

fn read_up_to(from: impl Read, largest: u64, name: &str) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = from.take(largest + 1).read_to_end(&mut bytes);
    read.map_err(|error| Failure::failed(format!("Cannot read {name}: {error}")))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= largest) {
        return Ok(bytes);
    }
    Err(Failure::failed(format!("{name} has more than {largest} bytes. Split it.")))
}

fn report(client: &Client, screen: Screen, answer: &Answer) -> Done {
    if client.json() {
        return screen.print_body(&answer.body);
    }
    let report: Row = read(client, answer)?;
    let rows = report.objects("rows");
    // A terminal is no place for 100,000 lines.
    let is_long = screen.width.is_some() && rows.len() > LISTED_ROWS;
    let printed = if is_long { Ok(()) } else { print_rows(screen, &rows) };
    let imported = report.number("imported");
    if report.text("dry_run") == "true" {
        tell(&format!("Nothing was imported: a dry run. All rows are good: {imported}."));
    } else {
        tell(&format!("Imported {}.", counted(imported, "key")));
    }
    printed
}

fn print_rows(screen: Screen, rows: &[Row]) -> Done {
    let mut table = Table::new(screen, ROWS);
    table.add(rows)?;
    table.finish()
}

/// Lists the bad rows on standard output. They are what was asked for.
fn report_faults(client: &Client, screen: Screen, answer: &Answer, problem: &ApiProblem) -> Done {
    let faults = &problem.errors;
    // The import has failed, whether or not somebody reads all of it.
    let _ = if client.json() {
        screen.print_body(&answer.body)
    } else {
        let lines = faults.iter().map(|fault| (fault.field.clone(), in_flags(&fault.message)));
        print_fields(screen, &lines.collect::<Vec<_>>())
    };
    let first = faults.first().map_or(String::new(), |fault| {
        format!(" The first: {}: {}", fault.field, in_flags(&fault.message))
    });
    let count = u64::try_from(faults.len()).unwrap_or(u64::MAX);
    let count = counted(count, "fault");
    Err(Failure::failed(format!("Nothing was imported, for {count}.{first}")))
}

fn in_flags(message: &str) -> String {
    FLAGS.iter().fold(message.to_owned(), |text, (said, flag)| text.replace(said, flag))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret_of(text: &[u8]) -> Result<HeaderValue, Failure> {
        let folder = std::env::temp_dir().join(format!("latchkey-cli-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join(format!("secret-{}", text.len()));
        std::fs::write(&path, text).unwrap();
        let secret = secret(&path);
        std::fs::remove_file(&path).unwrap();
        secret
    }

    #[test]
    fn secret_loses_one_newline_and_nothing_else() {
        for (text, expected) in [("hunter2", "hunter2"), ("hunter22\n", "hunter22")] {
            let secret = secret_of(text.as_bytes()).unwrap();
            assert_eq!(secret, expected);
            assert!(secret.is_sensitive());
        }
        for text in [&b""[..], b"\n", b"a\nbc", b" hunter2", b"hunter2 \n"] {
            let refused = secret_of(text).unwrap_err().to_string();
            assert!(!refused.contains("hunter2"), "{refused}");
        }
    }

    #[test]
    fn input_is_read_up_to_its_limit() {
        assert_eq!(read_up_to(&b"abc"[..], 3, "x").unwrap(), b"abc");
        assert!(read_up_to(&b"abcd"[..], 3, "x").unwrap_err().to_string().contains("Split"));
    }
}
