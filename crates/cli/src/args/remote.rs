//! Flags that several commands have.

use clap::{Args, ValueHint};

/// The server, and how its answers are shown.
#[derive(Debug, Clone, Args)]
pub(crate) struct Remote {
    /// URL of the server. The token is the variable `LATCHKEY_TOKEN`: a service key, or the token
    /// of a sign-in.
    #[arg(
        long = "latchkey-url",
        env = "LATCHKEY_URL",
        hide_env_values = true,
        default_value = "http://127.0.0.1:3000",
        value_name = "URL",
        value_hint = ValueHint::Url
    )]
    pub(crate) url: String,

    /// Print the bodies of the API's responses as they are.
    #[arg(long)]
    pub(crate) json: bool,
}

/// How much of a list is shown.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Paging {
    /// Show at most this many [default: all].
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: Option<u64>,
}
