//! Connections that fail, in words.

use std::error::Error;

use reqwest::Url;

use crate::failure::{Exit, Failure};

/// The failure that a broken or missing connection is.
pub(crate) fn failure(base: &Url, error: &reqwest::Error) -> Failure {
    Failure::new(Exit::Unreachable, described(base, error))
}

/// The same for a request that may have taken effect.
pub(crate) fn unsure(base: &Url, error: &reqwest::Error) -> Failure {
    let described = described(base, error);
    Failure::new(
        Exit::Unreachable,
        format!("{described} The request may have taken effect: look before you try again."),
    )
}

/// The innermost cause, such as `Connection refused (os error 111)`.
pub(crate) fn cause(error: &reqwest::Error) -> String {
    causes(error).pop().unwrap_or_default()
}

fn described(base: &Url, error: &reqwest::Error) -> String {
    let causes = causes(error);
    let cause = causes.last().map_or("no cause is known", String::as_str);
    let has = |text: &str| causes.iter().any(|cause| cause.contains(text));
    if error.is_timeout() || has("timed out") {
        return format!("{base} does not answer in time.");
    }
    if has("tunnel") {
        return format!(
            "Cannot reach {base} through the proxy of the environment (HTTPS_PROXY, ALL_PROXY): \
             {cause}."
        );
    }
    if has("InvalidContentType") {
        return format!("{base} does not speak TLS. Does its address begin with http://?");
    }
    if has("certificate") {
        return format!("The certificate of {base} is not trusted: {cause}.");
    }
    if error.is_connect() {
        return format!("Cannot reach {base}: {cause}. Is LATCHKEY_URL right, and the server up?");
    }
    format!("The connection to {base} was lost: {cause}.")
}

/// What each error of the chain says, the outermost first. None of them names the URL.
fn causes(error: &reqwest::Error) -> Vec<String> {
    let mut texts = Vec::new();
    let mut next = error.source();
    while let Some(error) = next {
        texts.push(error.to_string().trim_end_matches('.').to_owned());
        next = error.source();
    }
    texts
}
