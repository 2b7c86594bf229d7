//! Reads the command line in layers: a flag wins over a variable, a variable over the file that
//! `LATCHKEY_CONFIG` names, and the file over the default.
//!
//! clap knows flags, variables and defaults. What the file says for a setting that has neither flag
//! nor variable is added to the line as a flag, and the line is parsed once more, so each value is
//! checked by the same parser wherever it is from.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, CommandFactory, FromArgMatches};

use crate::cli::{Cli, Command};
use crate::config::{ConfigFile, KnownSetting};

/// Name of the variable that names the file, which the file itself can't set.
const CONFIG_VARIABLE: &str = "LATCHKEY_CONFIG";

/// A command line with its settings.
pub struct Invocation {
    /// What to do.
    pub command: Command,
    /// Where its settings are from.
    pub layers: Layers,
}

/// Where the settings of a command are from.
#[derive(Default)]
pub struct Layers {
    /// All settings that the command takes, in the order of its help.
    pub settings: Vec<LayeredSetting>,
    /// The configuration file, if other users can read the secrets in it.
    pub exposed_file: Option<PathBuf>,
}

/// A setting of the command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayeredSetting {
    /// Name of its variable.
    pub name: String,
    /// The layer that decides.
    pub source: SettingSource,
    /// Lists with commas. `None` if it has no value.
    pub value: Option<String>,
    /// What holds without a value, in the words of the help.
    pub stand_in: Option<String>,
    /// Whether the value must not be shown.
    pub is_secret: bool,
}

/// A layer of the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingSource {
    /// Nobody has set it.
    Default,
    /// The file of `LATCHKEY_CONFIG`.
    File,
    /// An environment variable.
    Variable,
    /// A flag of the command line.
    Flag,
}

impl SettingSource {
    /// The word that is printed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::File => "file",
            Self::Variable => "variable",
            Self::Flag => "flag",
        }
    }
}

impl Invocation {
    /// Reads the arguments of the process, the first of which is its name.
    ///
    /// # Errors
    /// A [`clap::Error`] for a line that is wrong, or that asks for help; otherwise what is wrong
    /// with the configuration file.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> anyhow::Result<Self> {
        let mut arguments: Vec<OsString> = arguments.into_iter().collect();
        let cli = <Cli as CommandFactory>::command();
        let mut matches = cli.clone().try_get_matches_from(&arguments)?;
        if matches.subcommand_name().is_none() {
            arguments = vec!["latchkey".into(), "serve".into()];
            matches = cli.clone().try_get_matches_from(&arguments)?;
        }
        let (chosen, given) = innermost(&cli, &matches);
        let file = match given.try_get_one::<PathBuf>("config").ok().flatten() {
            Some(path) => Some(ConfigFile::read(path, &known_settings(&cli))?),
            None => None,
        };
        let settings: Vec<_> = chosen
            .get_arguments()
            .filter_map(|argument| Some((argument, variable(argument)?)))
            .map(|(argument, name)| (argument, source(argument, name, given, file.as_ref()), name))
            .collect();
        let flags = settings.iter().filter(|(_, source, _)| *source == SettingSource::File);
        let flags: Vec<OsString> =
            flags.filter_map(|(argument, _, name)| flag(argument, name, file.as_ref()?)).collect();
        let end = arguments.iter().position(|argument| argument.as_os_str() == "--");
        let rest = arguments.split_off(end.unwrap_or(arguments.len()));
        arguments.extend(flags);
        arguments.extend(rest);
        let layered = cli.clone().try_get_matches_from(&arguments)?;
        let (_, values) = innermost(&cli, &layered);
        let settings = settings.into_iter().map(|(argument, source, name)| LayeredSetting {
            name: name.to_owned(),
            source,
            value: value(argument, values),
            stand_in: stand_in(argument),
            is_secret: argument.is_hide_env_values_set(),
        });
        let settings = settings.collect();
        let exposed_file = file.filter(|file| file.is_exposed).map(|file| file.path);
        let command = Cli::from_arg_matches(&layered)?.command();
        Ok(Self { command, layers: Layers { settings, exposed_file } })
    }
}

/// The subcommand that was chosen, and what was given to it.
fn innermost<'a>(
    mut command: &'a clap::Command,
    mut matches: &'a ArgMatches,
) -> (&'a clap::Command, &'a ArgMatches) {
    while let Some((name, given)) = matches.subcommand() {
        let Some(chosen) = command.find_subcommand(name) else { break };
        (command, matches) = (chosen, given);
    }
    (command, matches)
}

/// Name of the variable of a setting. `None` for what is no setting of ours.
fn variable(argument: &Arg) -> Option<&str> {
    let name = argument.get_env()?.to_str()?;
    (!name.starts_with("LEPTOS_")).then_some(name)
}

/// How the file calls the setting of a variable.
fn name_in_file(variable: &str) -> String {
    variable.strip_prefix("LATCHKEY_").unwrap_or(variable).to_lowercase()
}

/// What the file may set: the settings of the server. Each command takes its own from it.
fn known_settings(cli: &clap::Command) -> Vec<KnownSetting> {
    let Some(serve) = cli.find_subcommand("serve") else { return Vec::new() };
    let known = serve.get_arguments().filter_map(|argument| {
        let name = variable(argument).filter(|&name| name != CONFIG_VARIABLE)?;
        Some(KnownSetting {
            name: name_in_file(name),
            is_list: argument.get_value_delimiter().is_some(),
            is_secret: argument.is_hide_env_values_set(),
        })
    });
    known.collect()
}

fn source(
    argument: &Arg,
    variable: &str,
    given: &ArgMatches,
    file: Option<&ConfigFile>,
) -> SettingSource {
    let source = given.value_source(argument.get_id().as_str());
    if source == Some(ValueSource::CommandLine) {
        SettingSource::Flag
    } else if source == Some(ValueSource::EnvVariable) {
        SettingSource::Variable
    } else if file.is_some_and(|file| file.value(&name_in_file(variable)).is_some()) {
        SettingSource::File
    } else {
        SettingSource::Default
    }
}

/// The flag that says what the file says.
fn flag(argument: &Arg, variable: &str, file: &ConfigFile) -> Option<OsString> {
    let value = file.value(&name_in_file(variable))?;
    Some(format!("--{}={value}", argument.get_long()?).into())
}

fn value(argument: &Arg, values: &ArgMatches) -> Option<String> {
    let raw = values.get_raw(argument.get_id().as_str())?;
    let texts: Vec<_> = raw.map(|text| text.to_string_lossy()).collect();
    Some(texts.join(","))
}

/// What the help says that a setting has as its default, where clap knows of none.
fn stand_in(argument: &Arg) -> Option<String> {
    let help = argument.get_help()?.to_string();
    let (_, words) = help.rsplit_once("[default: ")?;
    let (words, _) = words.split_once(']')?;
    Some(words.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers(file: &str, arguments: &[&str]) -> anyhow::Result<Invocation> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("latchkey.toml");
        std::fs::write(&path, file).unwrap();
        let config = format!("--latchkey-config={}", path.display());
        let line = ["latchkey", arguments[0], &config].into_iter().chain(arguments[1..].to_vec());
        Invocation::read(line.map(OsString::from))
    }

    fn setting(invocation: &Invocation, name: &str) -> (SettingSource, Option<String>) {
        let found = invocation.layers.settings.iter().find(|one| one.name == name).unwrap();
        (found.source, found.value.clone())
    }

    #[test]
    fn flag_wins_over_file_and_file_over_default() {
        let file = "listen = \"127.0.0.1:4000\"\nsession_ttl = 60\nadmins = [\"ada\", \"bob\"]";
        let read = layers(file, &["serve", "--latchkey-session-ttl=90"]).unwrap();
        let is = |name, source, value: &str| {
            assert_eq!(setting(&read, name), (source, Some(value.to_owned())), "{name}");
        };
        is("LATCHKEY_LISTEN", SettingSource::File, "127.0.0.1:4000");
        is("LATCHKEY_SESSION_TTL", SettingSource::Flag, "90");
        is("LATCHKEY_ADMINS", SettingSource::File, "ada,bob");
        is("LATCHKEY_SIGNUP", SettingSource::Default, "open");
        assert_eq!(setting(&read, "LATCHKEY_PEPPER"), (SettingSource::Default, None));
        let Command::Serve(settings) = read.command else { panic!("the line says serve") };
        assert_eq!((settings.listen.port(), settings.session_ttl), (4000, 90));
        assert_eq!(settings.admins, ["ada", "bob"]);
    }

    #[test]
    fn commands_take_their_own_settings_from_the_file() {
        let file = "data_dir = \"/srv/keys\"\nlisten = \"127.0.0.1:4000\"";
        let Command::Migrate(arguments) = layers(file, &["migrate"]).unwrap().command else {
            panic!("the line says migrate");
        };
        assert_eq!(arguments.storage.data_dir, PathBuf::from("/srv/keys"));
    }

    #[test]
    fn values_of_the_file_are_checked_as_flags_are() {
        let error = layers("session_ttl = 0", &["serve"]).err().unwrap();
        let error = error.downcast::<clap::Error>().unwrap().to_string();
        assert!(error.contains("--latchkey-session-ttl"), "{error}");
        let error = format!("{:#}", layers("lissen = \"x\"", &["serve"]).err().unwrap());
        assert!(error.contains("did you mean listen?"), "{error}");
        assert!(layers("config = \"x\"", &["serve"]).is_err());
    }
}
