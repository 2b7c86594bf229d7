//! `LATCHKEY_CONFIG`: a TOML file of settings, named as the variables without the prefix, in lower
//! case.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};

use super::upstreams::located;

/// A setting that the file may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KnownSetting {
    /// The name in the file.
    pub(crate) name: String,
    /// Whether it takes several values.
    pub(crate) is_list: bool,
    /// Whether its value is never shown.
    pub(crate) is_secret: bool,
}

/// What the file says.
#[derive(Clone, Default)]
pub(crate) struct ConfigFile {
    /// Where it was read from.
    pub(crate) path: PathBuf,
    /// Whether it has secrets and other users may read it.
    pub(crate) is_exposed: bool,
    /// By name; lists with commas.
    values: BTreeMap<String, String>,
}

impl ConfigFile {
    /// Reads the file.
    ///
    /// # Errors
    /// It can't be read, has a name that is no setting, or a value of the wrong type. The message
    /// names the file and the setting, and never repeats a value.
    pub(crate) fn read(path: &Path, known: &[KnownSetting]) -> anyhow::Result<Self> {
        let named = || format!("LATCHKEY_CONFIG ({})", path.display());
        let text = std::fs::read_to_string(path).with_context(named)?;
        let values = parse(&text, known).with_context(named)?;
        let secret = known.iter().any(|one| one.is_secret && values.contains_key(&one.name));
        let is_exposed = secret && is_readable_by_others(path);
        Ok(Self { path: path.to_owned(), is_exposed, values })
    }

    /// The value of a setting as a variable would have it.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }
}

#[cfg(unix)]
fn is_readable_by_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_readable_by_others(_: &Path) -> bool {
    false
}

fn parse(text: &str, known: &[KnownSetting]) -> anyhow::Result<BTreeMap<String, String>> {
    let table: toml::Table = toml::from_str(text).map_err(|error| located(&error, text))?;
    let mut values = BTreeMap::new();
    for (name, value) in table {
        let Some(setting) = known.iter().find(|one| one.name == name) else {
            return Err(unknown(&name, known));
        };
        // An empty list says nothing.
        if let Some(value) = as_text(setting, value)? {
            values.insert(name, value);
        }
    }
    Ok(values)
}

/// The error for a name that is no setting, with the one that it is most like.
fn unknown(name: &str, known: &[KnownSetting]) -> anyhow::Error {
    let meant = name.to_lowercase().replace('-', "_");
    let meant = meant.strip_prefix("latchkey_").unwrap_or(&meant);
    let distance = |one: &&KnownSetting| strsim::damerau_levenshtein(meant, &one.name);
    match known.iter().min_by_key(distance) {
        Some(nearest) => anyhow!("{name} is no setting; did you mean {}?", nearest.name),
        None => anyhow!("{name} is no setting"),
    }
}

fn as_text(setting: &KnownSetting, value: toml::Value) -> anyhow::Result<Option<String>> {
    let KnownSetting { name, is_list, .. } = setting;
    let text = match value {
        toml::Value::Array(_) if !is_list => bail!("{name} takes one value, not a list"),
        toml::Value::Array(values) if values.is_empty() => return Ok(None),
        toml::Value::Array(values) => {
            let texts = values.into_iter().map(|value| element(name, value));
            texts.collect::<anyhow::Result<Vec<_>>>()?.join(",")
        }
        value => {
            let text = scalar(name, value)?;
            if *is_list {
                let parts: Vec<&str> = text.split(',').map(str::trim).collect();
                parts.join(",")
            } else {
                text
            }
        }
    };
    Ok(Some(text))
}

fn element(name: &str, value: toml::Value) -> anyhow::Result<String> {
    let text = scalar(name, value)?;
    if text.contains(',') {
        bail!("{name}: an element of the list has a comma");
    }
    Ok(text)
}

fn scalar(name: &str, value: toml::Value) -> anyhow::Result<String> {
    match value {
        toml::Value::String(text) => Ok(text),
        toml::Value::Integer(number) => Ok(number.to_string()),
        toml::Value::Boolean(value) => Ok(value.to_string()),
        toml::Value::Float(_)
        | toml::Value::Datetime(_)
        | toml::Value::Array(_)
        | toml::Value::Table(_) => bail!("{name}: use a text, a whole number or a list of them"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Vec<KnownSetting> {
        let known = |name: &str, is_list, is_secret| KnownSetting {
            name: name.to_owned(),
            is_list,
            is_secret,
        };
        vec![
            known("listen", false, false),
            known("admins", true, false),
            known("session_ttl", false, false),
            known("jwt_secret", false, true),
        ]
    }

    #[test]
    fn lists_are_lists_or_text_with_commas() {
        for admins in ["[\"ada\", \"id:7\"]", "\"ada, id:7\""] {
            let text = format!("admins = {admins}\nsession_ttl = 60\nlisten = \"x\"");
            let values = parse(&text, &known()).unwrap();
            assert_eq!(values["admins"], "ada,id:7");
            assert_eq!((values["session_ttl"].as_str(), values["listen"].as_str()), ("60", "x"));
        }
        assert!(parse("admins = []", &known()).unwrap().is_empty());
    }

    #[test]
    fn unknown_name_is_refused_with_the_nearest() {
        for (name, nearest) in [
            ("lisen", "listen"),
            ("LATCHKEY_LISTEN", "listen"),
            ("session-ttl", "session_ttl"),
            ("admin", "admins"),
        ] {
            let error = format!("{:#}", parse(&format!("{name} = 1"), &known()).unwrap_err());
            assert!(error.contains(name) && error.contains(&format!("{nearest}?")), "{error}");
        }
    }

    #[test]
    fn wrong_value_is_refused_without_repeating_it() {
        for text in [
            "jwt_secret = [\"sesame\"]",
            "jwt_secret = { a = \"sesame\" }",
            "admins = [\"sesame,b\"]",
            "admins = [[\"sesame\"]]",
            "jwt_secret = \"sesame",
            "jwt_secret = sesame",
            "[listen]\nsesame = 1",
            "session_ttl = 1.5",
        ] {
            let error = format!("{:#}", parse(text, &known()).unwrap_err());
            assert!(!error.contains("sesame"), "{text}: {error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn file_with_secrets_is_exposed_unless_it_is_private() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("latchkey.toml");
        for (text, mode, exposed) in [
            ("jwt_secret = \"s\"", 0o644, true),
            ("jwt_secret = \"s\"", 0o600, false),
            ("listen = \"s\"", 0o644, false),
        ] {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let file = ConfigFile::read(&path, &known()).unwrap();
            assert_eq!(file.is_exposed, exposed, "{text} {mode:o}");
        }
    }
}
