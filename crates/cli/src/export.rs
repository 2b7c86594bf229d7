//! `latchkey export`.

use std::io::{self, Write};
use std::time::Duration;

use reqwest::Method;

use crate::args::Export;
use crate::client::{Client, Context};
use crate::failure::{Done, Failure};
use crate::request::Request;
use crate::terminal::{Screen, clear_progress, show_progress, tell};

/// How long an export may take.
const TIMEOUT: Duration = Duration::from_hours(1);
/// Keys after which the progress is shown anew.
const PROGRESS_STEP: usize = 1_000;

/// Copies the server's lines to standard output as they are.
///
/// # Errors
/// The server refuses or can't be reached, the connection is lost on the way, or standard output
/// can't be written.
pub(crate) async fn run(export: &Export, context: Context, screen: Screen) -> Done {
    let client = Client::new(&export.remote, context)?;
    let path = format!("/v1/projects/{}/keys/export", export.project);
    let mut response = client.open(&Request::new(Method::GET, path).within(TIMEOUT)).await?;
    let shows_progress = screen.watched && screen.width.is_none();
    let (mut keys, mut told) = (0_usize, 0);
    let copied = loop {
        let chunk = match response.chunk().await {
            Ok(Some(chunk)) => chunk,
            Ok(None) => break Ok(()),
            Err(error) => break Err(incomplete(&client.lost(&error), keys)),
        };
        if let Err(error) = io::stdout().lock().write_all(&chunk) {
            break Err(Failure::from(error));
        }
        keys += chunk.split(|byte| *byte == b'\n').count() - 1;
        if shows_progress && keys >= told + PROGRESS_STEP {
            told = keys;
            show_progress(&format!("{keys} keys"));
        }
    };
    if shows_progress {
        clear_progress();
    }
    copied?;
    io::stdout().lock().flush()?;
    if shows_progress {
        tell(&format!("Exported {keys} keys."));
    }
    Ok(())
}

fn incomplete(lost: &Failure, keys: usize) -> Failure {
    Failure::new(lost.exit, format!("The export is incomplete after {keys} keys. {lost}"))
}
