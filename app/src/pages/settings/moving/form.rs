//! The form of an import: a file is checked as it is now, and only then imported.

use latchkey_domain::id::ProjectId;
use latchkey_domain::import::ImportAnswer;
use latchkey_domain::problem::ErrorCode;
use leptos::html;
use leptos::prelude::*;
use web_sys::File;

use super::row_errors::RowError;
use crate::api::ApiError;
use crate::components::form::{FormField, Submission};
use crate::data::upload::Upload;

/// The server's own limit, in bytes.
const MAX_BYTES: f64 = 67_108_864.0;

/// Most characters of a secret.
const MAX_SECRET: usize = 1_024;

const SECRET_HEADER: &str = "x-import-secret";

const CHECK_FAILED: &str = "Couldn’t check the file. Nothing was imported. Choose it again.";

const IMPORT_FAILED: &str =
    "The result is unknown. Check the file again: if it was imported, its rows are duplicates now.";

/// What is known of the chosen file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImportStage {
    /// It has not been checked as it is now.
    Unchecked,
    /// It can't be imported.
    Wrong(Vec<RowError>),
    /// It can be imported, with so many keys.
    Checked(u64),
    /// It is imported.
    Imported(ImportAnswer),
}

/// The fields, and how far the file has got.
#[derive(Clone, Copy)]
pub struct ImportForm {
    project: ProjectId,
    /// The field that has the file.
    pub input: NodeRef<html::Input>,
    /// Whether a file is chosen.
    pub has_file: RwSignal<bool>,
    /// What is wrong with the file itself.
    pub file_error: RwSignal<Option<String>>,
    /// Name of the preset; empty for none.
    pub preset: RwSignal<String>,
    /// Secret of the other system.
    pub secret: FormField,
    /// State of the form's request.
    pub submission: Submission,
    /// Share of the file that is sent, from 0 to 1.
    pub sent: RwSignal<f64>,
    /// What is known of the file.
    pub stage: RwSignal<ImportStage>,
    /// Number of changes to the fields. A check of what they were before says nothing.
    version: StoredValue<u32>,
    on_imported: Callback<()>,
}

impl ImportForm {
    /// An empty form.
    pub fn new(project: ProjectId, on_imported: Callback<()>) -> Self {
        let form = Self {
            project,
            input: NodeRef::new(),
            has_file: RwSignal::new(false),
            file_error: RwSignal::new(None),
            preset: RwSignal::new(String::new()),
            secret: FormField::new(""),
            submission: Submission::new(),
            sent: RwSignal::new(0.0),
            stage: RwSignal::new(ImportStage::Unchecked),
            version: StoredValue::new(0),
            on_imported,
        };
        Effect::new(move |before: Option<()>| {
            form.preset.track();
            form.secret.value.track();
            if before.is_some() {
                form.change();
            }
        });
        form
    }

    /// Another file was chosen, or none is any more.
    pub fn choose(self) {
        self.has_file.set(self.file().is_some());
        self.file_error.set(None);
        self.change();
    }

    /// Whether the next step imports the file, tracked.
    pub fn is_checked(self) -> bool {
        self.stage.with(|stage| matches!(stage, ImportStage::Checked(_)))
    }

    /// Checks the file, or imports it if it was checked.
    pub fn submit(self) {
        let dry_run = !untrack(|| self.is_checked());
        let Some(upload) = self.upload(dry_run) else { return self.submission.show_invalid() };
        self.sent.set(0.0);
        self.submission.start();
        let version = self.version.get_value();
        leptos::task::spawn_local(async move {
            let answer = upload.send(move |share| _ = self.sent.try_set(share)).await;
            let answer = answer.and_then(|body| {
                serde_json::from_slice::<ImportAnswer>(&body).map_err(|_| ApiError::Unreadable)
            });
            let is_current = self.version.try_get_value() == Some(version);
            match answer {
                Ok(answer) => self.receive(answer, is_current),
                Err(error) => self.fail(&error, dry_run),
            }
        });
    }

    fn change(self) {
        self.version.update_value(|version| *version = version.wrapping_add(1));
        self.stage.set(ImportStage::Unchecked);
        self.submission.refusal.set(None);
    }

    fn file(self) -> Option<File> {
        self.input.get_untracked()?.files()?.get(0)
    }

    /// The request, unless a field shows what is wrong with it.
    fn upload(self, dry_run: bool) -> Option<Upload> {
        let file = self.file();
        let size = file.as_ref().map(|file| file.size());
        let problem = size.map_or(Some("Choose a file."), size_problem);
        self.file_error.set(problem.map(str::to_owned));
        let secret = self.secret.read(secret_to_send);
        let (file, secret) = (file.filter(|_| problem.is_none())?, secret?);
        Some(Upload {
            path: self.preset.with_untracked(|preset| path(self.project, preset, dry_run)),
            content_type: content_type(&file.name()),
            header: secret.map(|secret| (SECRET_HEADER, secret)),
            file,
        })
    }

    fn receive(self, answer: ImportAnswer, is_current: bool) {
        self.submission.succeed();
        if !answer.dry_run {
            _ = self.on_imported.try_run(());
            _ = self.stage.try_set(ImportStage::Imported(answer));
        } else if is_current {
            let keys = u64::try_from(answer.imported).unwrap_or(u64::MAX);
            _ = self.stage.try_set(ImportStage::Checked(keys));
        }
    }

    fn fail(self, error: &ApiError, dry_run: bool) {
        let problem = error.problem();
        let errors = problem.map(|problem| problem.errors.as_slice()).unwrap_or_default();
        let errors = errors.iter().filter(|error| error.field != SECRET_HEADER);
        let rows: Vec<RowError> = errors.map(RowError::of).collect();
        if !rows.is_empty() {
            self.submission.succeed();
            _ = self.stage.try_set(ImportStage::Wrong(rows));
            return;
        }
        _ = self.stage.try_set(ImportStage::Unchecked);
        let of_file =
            problem.filter(|it| matches!(it.code, ErrorCode::Malformed | ErrorCode::TooLarge));
        let failed = match of_file {
            Some(problem) => problem.detail.as_str(),
            None if dry_run => CHECK_FAILED,
            None => IMPORT_FAILED,
        };
        self.submission.fail(error, failed, &[(SECRET_HEADER, self.secret)]);
    }
}

fn size_problem(bytes: f64) -> Option<&'static str> {
    if bytes < 1.0 {
        Some("The file is empty. Choose another one.")
    } else if bytes > MAX_BYTES {
        Some("The file has more than 64 MiB. Split it, and import the parts one by one.")
    } else {
        None
    }
}

/// The secret as a header, which carries no other characters.
fn secret_to_send(secret: Option<String>) -> Result<Option<String>, String> {
    let Some(secret) = secret else { return Ok(None) };
    let fits = secret.len() <= MAX_SECRET;
    if fits && secret.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        Ok(Some(secret))
    } else {
        Err("Enter at most 1,024 ASCII characters; use the command line for others.".to_owned())
    }
}

fn content_type(file: &str) -> &'static str {
    if file.to_ascii_lowercase().ends_with(".csv") { "text/csv" } else { "application/x-ndjson" }
}

fn path(project: ProjectId, preset: &str, dry_run: bool) -> String {
    let preset = if preset.is_empty() { String::new() } else { format!("&preset={preset}") };
    format!("/v1/projects/{project}/keys/import?dry_run={dry_run}{preset}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_says_what_kind_of_file_it_is() {
        let project: ProjectId = "prj_01kc3f1m6ze1tvyqnz0rg5bqfa".parse().unwrap();
        let start = format!("/v1/projects/{project}/keys/import?dry_run=");
        assert_eq!(path(project, "", true), format!("{start}true"));
        assert_eq!(path(project, "litellm", false), format!("{start}false&preset=litellm"));
        assert_eq!(content_type("Keys.CSV"), "text/csv");
        assert_eq!(content_type("keys.csv.ndjson"), "application/x-ndjson");
    }

    #[test]
    fn file_is_refused_when_the_server_would() {
        assert_eq!(size_problem(MAX_BYTES), None);
        assert!(size_problem(MAX_BYTES + 1.0).is_some());
        assert!(size_problem(0.0).is_some());
    }

    #[test]
    fn secret_is_refused_when_a_header_has_no_room() {
        let send = |secret: &str| secret_to_send(Some(secret.to_owned()));
        assert_eq!(secret_to_send(None), Ok(None));
        assert_eq!(send("a b/+="), Ok(Some("a b/+=".to_owned())));
        for wrong in ["Schlüssel", "a\nb", &"x".repeat(MAX_SECRET + 1)] {
            assert!(send(wrong).is_err(), "{wrong}");
        }
    }
}
