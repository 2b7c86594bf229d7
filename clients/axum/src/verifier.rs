//! Asks Latchkey about a request. Everything but a valid answer is a refusal.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use reqwest::{Client, Url};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::answer::{Answer, RateHeaders, Refusal};
use crate::caller::Caller;
use crate::scope_query::ScopeQuery;

const CACHE_ENTRIES: usize = 10_000;
const ANSWER_BYTES: usize = 1 << 20;
const NO_KEY: &str =
    "No API key was sent. Send it in the x-api-key header, or as Authorization: Bearer.";
const ODD_ANSWER: &str = "Latchkey's answer is none to a verification; check the URL";

type OfRequest<T> = Box<dyn Fn(&Parts) -> T + Send + Sync>;

/// What is asked about a request.
pub(crate) struct Settings {
    pub(crate) application_id: Option<String>,
    pub(crate) scopes: Option<ScopeQuery>,
    pub(crate) cost: OfRequest<u64>,
    pub(crate) ip: OfRequest<Option<IpAddr>>,
    pub(crate) key: OfRequest<Option<String>>,
    pub(crate) cache: Duration,
}

pub(crate) struct Verifier {
    pub(crate) settings: Settings,
    pub(crate) endpoint: Url,
    pub(crate) authorization: HeaderValue,
    pub(crate) client: Client,
    /// By the hash of the whole question, so that an answer is never taken for another one.
    pub(crate) cache: Mutex<HashMap<[u8; 32], (Caller, Instant)>>,
}

#[derive(Serialize)]
struct Question<'a> {
    key: &'a str,
    cost: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    application_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scopes: Option<&'a ScopeQuery>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<IpAddr>,
}

impl Verifier {
    /// Who called, and the state of the limits for the response.
    pub(crate) async fn check(&self, parts: &Parts) -> Result<(Caller, RateHeaders), Refusal> {
        let Settings { application_id, scopes, cost, ip, key, cache } = &self.settings;
        let secret = key(parts).filter(|secret| !secret.is_empty());
        let secret = secret.ok_or_else(|| Refusal::new("missing_key", Some(NO_KEY.to_owned())))?;
        let question = Question {
            key: &secret,
            cost: cost(parts),
            application_id: application_id.as_deref(),
            scopes: scopes.as_ref(),
            ip: ip(parts),
        };
        let body = serde_json::to_vec(&question).map_err(|_| Refusal::unavailable())?;
        if cache.is_zero() {
            return self.ask(body).await;
        }
        let hash: [u8; 32] = Sha256::digest(&body).into();
        let asked = now();
        if let Some(caller) = self.cached(&hash, asked) {
            return Ok((caller, RateHeaders::default()));
        }
        let (caller, rates) = self.ask(body).await?;
        // From before the call: Latchkey may revoke the key as soon as it has answered.
        self.keep(hash, caller.clone(), asked + *cache);
        Ok((caller, rates))
    }

    async fn ask(&self, body: Vec<u8>) -> Result<(Caller, RateHeaders), Refusal> {
        let (answer, text) = self.answer(body).await.map_err(|fault| {
            tracing::error!("{fault}");
            Refusal::unavailable()
        })?;
        if !answer.valid {
            return Err(Refusal::of(answer));
        }
        let caller = serde_json::from_slice(&text).map_err(|_| {
            tracing::error!("{ODD_ANSWER}");
            Refusal::unavailable()
        })?;
        Ok((caller, RateHeaders::of(&answer)))
    }

    /// The answer, read and as it came, or what is wrong, in words for the operator.
    async fn answer(&self, body: Vec<u8>) -> Result<(Answer, Vec<u8>), String> {
        let call = self.client.post(self.endpoint.clone());
        let call = call.header(AUTHORIZATION, self.authorization.clone());
        let call = call.header(CONTENT_TYPE, "application/json").body(body);
        let mut response = call.send().await.map_err(describe)?;
        let status = response.status();
        if status != StatusCode::OK {
            return Err(format!("Latchkey answered {}{}", status.as_u16(), hint(status)));
        }
        let mut text = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(describe)? {
            text.extend_from_slice(&chunk);
            if text.len() > ANSWER_BYTES {
                return Err(ODD_ANSWER.to_owned());
            }
        }
        let answer = serde_json::from_slice(&text).map_err(|_| ODD_ANSWER.to_owned())?;
        Ok((answer, text))
    }

    fn cached(&self, hash: &[u8; 32], now: Instant) -> Option<Caller> {
        let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.get(hash).filter(|(_, until)| now < *until).map(|(caller, _)| caller.clone())
    }

    fn keep(&self, hash: [u8; 32], caller: Caller, until: Instant) {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= CACHE_ENTRIES {
            let now = now();
            cache.retain(|_, (_, until)| now < *until);
        }
        // Full of answers that still hold: this one is not kept.
        if cache.len() < CACHE_ENTRIES {
            cache.insert(hash, (caller, until));
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a cached answer ages in real time")]
fn now() -> Instant {
    Instant::now()
}

/// In words for the operator; the errors of the client name no header.
fn describe(error: reqwest::Error) -> String {
    if error.is_timeout() {
        return "Latchkey did not answer in time".to_owned();
    }
    format!("Latchkey can't be asked: {:?}", error.without_url())
}

fn hint(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 | 403 | 429 => "; check that the token is a service key with keys:verify",
        422 => "; check the application, the scopes and the cost",
        404 => "; check the URL",
        _ if status.is_redirection() || status.is_success() => "; check the URL",
        _ => "",
    }
}
