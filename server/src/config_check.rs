//! `latchkey config check`: each setting, where it is from, and what is unsafe.

use std::io::{IsTerminal, Write};

use anyhow::bail;
use latchkey_services::SqliteFiles;
use latchkey_services::clock::Clock;
use serde_json::json;

use crate::backup;
use crate::cli::{ConfigCheck, Settings};
use crate::config::{self, Findings};
use crate::invocation::{LayeredSetting, Layers};
use crate::otel;
use crate::system::SystemClock;

/// A backup older than this is remarked on.
const OLD_BACKUP_DAYS: u64 = 7;

/// Prints the settings and what was found.
///
/// # Errors
/// A setting is invalid or unsafe, or standard output can't be written to.
pub fn run(arguments: &ConfigCheck, layers: &Layers) -> anyhow::Result<()> {
    let mut findings = config::examine(&arguments.settings);
    if let Some(file) = &layers.exposed_file {
        findings.unsafe_settings.push(format!(
            "{} has secrets and can be read by other users; run chmod 600 on it",
            file.display()
        ));
    }
    findings.invalid.extend(otel::problem());
    let settings: Vec<_> = layers.settings.iter().cloned().chain(otel::set_variables()).collect();
    let notes = notes(&arguments.settings);
    let printed = if arguments.json {
        print_json(&settings, &findings, &notes)
    } else {
        print_text(&settings, &findings, &notes)
    };
    let Findings { invalid, unsafe_settings } = findings;
    match (invalid.len(), unsafe_settings.len()) {
        (0, 0) => printed,
        (0, count) => bail!("{count} unsafe"),
        (wrong, count) => bail!("{wrong} invalid, {count} unsafe"),
    }
}

/// What is worth knowing and not unsafe by itself.
fn notes(settings: &Settings) -> Vec<String> {
    let backup = match SqliteFiles::named(&settings.storage.database_url()) {
        Ok(Some(_)) => backup_note(settings),
        Ok(None) => Some(
            "no backup was seen: whether PostgreSQL is backed up can't be seen from here"
                .to_owned(),
        ),
        // It was found to be invalid.
        Err(_) => None,
    };
    backup.into_iter().collect()
}

fn backup_note(settings: &Settings) -> Option<String> {
    let Some(last) = backup::last(&settings.storage) else {
        let folder = settings.storage.data_dir.display();
        return Some(format!("no backup was seen of {folder}; run latchkey backup --to FILE"));
    };
    let days = SystemClock::start().now().since(last).as_secs() / 86_400;
    let is_old = days > OLD_BACKUP_DAYS;
    is_old.then(|| format!("the last backup that was seen is {days} days old ({last})"))
}

/// What is printed for the value: never a secret. In parentheses is what is no value.
fn shown(setting: &LayeredSetting) -> String {
    match &setting.value {
        Some(_) if setting.is_secret => "(secret)".to_owned(),
        Some(value) => value.clone(),
        None => format!("({})", setting.stand_in.as_deref().unwrap_or("not set")),
    }
}

fn print_text(
    settings: &[LayeredSetting],
    findings: &Findings,
    notes: &[String],
) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let is_terminal = out.is_terminal();
    for setting in settings {
        let (name, source, value) = (&setting.name, setting.source.as_str(), shown(setting));
        if is_terminal {
            writeln!(out, "{name:<32} {source:<8} {value}")?;
        } else {
            writeln!(out, "{name}\t{source}\t{value}")?;
        }
    }
    let kinds = [
        ("invalid", findings.invalid.as_slice()),
        ("unsafe", findings.unsafe_settings.as_slice()),
        ("note", notes),
    ];
    for (kind, sentences) in kinds {
        for sentence in sentences {
            writeln!(out, "{kind}: {sentence}")?;
        }
    }
    Ok(())
}

fn print_json(
    settings: &[LayeredSetting],
    findings: &Findings,
    notes: &[String],
) -> anyhow::Result<()> {
    let settings = settings.iter().map(|setting| {
        let value = setting.value.as_ref().map(|_| shown(setting));
        json!({ "name": setting.name, "source": setting.source.as_str(), "value": value })
    });
    let settings: Vec<_> = settings.collect();
    let body = json!({
        "settings": settings,
        "invalid": findings.invalid,
        "unsafe": findings.unsafe_settings,
        "notes": notes,
    });
    writeln!(std::io::stdout().lock(), "{body:#}")?;
    Ok(())
}
