//! What GitHub remembers: people, codes and tokens; and what a test has ordered to go wrong.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::distr::{Alphanumeric, SampleString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// How long a code can be exchanged.
pub(crate) const CODE_LIFETIME: Duration = Duration::from_mins(10);

/// Someone with an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// The number that stays when the login changes.
    pub id: u64,
    /// The login, e.g. `mira-holt`.
    pub login: String,
    /// The name; many people set none.
    #[serde(default)]
    pub name: Option<String>,
    /// The public email address; most people have none.
    #[serde(default)]
    pub email: Option<String>,
}

/// Nobody has this login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownPerson;

/// The endpoints that can be told to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// `POST /login/oauth/access_token`
    Token,
    /// `GET /api/v3/user`
    User,
}

/// What goes wrong with one request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Answer with this status and a page that is no JSON; without it, answer as usual after the
    /// delay.
    #[serde(default)]
    pub status: Option<u16>,
    /// Keep the caller waiting for so long first.
    #[serde(default)]
    pub delay_ms: u64,
}

/// What the next visitor of the authorization page does, when a test decides it beforehand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Visit {
    /// Continues as the person with this login.
    SignIn(String),
    /// Presses "Cancel".
    Cancel,
}

/// What a code stands for.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    pub(crate) person: u64,
    pub(crate) redirect_uri: String,
    pub(crate) scope: String,
    /// PKCE's challenge (S256), if the authorization came with one.
    pub(crate) challenge: Option<String>,
    pub(crate) issued: SystemTime,
}

/// What an exchange brings along besides the client's credentials.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Redemption<'a> {
    pub(crate) code: &'a str,
    pub(crate) redirect_uri: Option<&'a str>,
    pub(crate) verifier: Option<&'a str>,
    pub(crate) now: SystemTime,
}

/// Why a code is not exchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Unknown, used, too old, or the verifier doesn't fit.
    BadCode,
    /// Another address than at the authorization.
    RedirectMismatch,
}

/// The whole memory.
#[derive(Debug)]
pub(crate) struct GitHub {
    people: Vec<Person>,
    codes: HashMap<String, Grant>,
    tokens: HashMap<String, u64>,
    next_visit: Option<Visit>,
    faults: HashMap<Endpoint, VecDeque<Fault>>,
}

impl Default for GitHub {
    fn default() -> Self {
        let person = |id, login: &str, name: Option<&str>, email: Option<&str>| Person {
            id,
            login: login.to_owned(),
            name: name.map(str::to_owned),
            email: email.map(str::to_owned),
        };
        Self {
            people: vec![
                person(4101, "mira-holt", Some("Mira Holt"), Some("mira@fernside.example")),
                person(4102, "jonas-beck", Some("Jonas Beck"), None),
                person(4103, "nameless", None, None),
            ],
            codes: HashMap::new(),
            tokens: HashMap::new(),
            next_visit: None,
            faults: HashMap::new(),
        }
    }
}

impl GitHub {
    pub(crate) fn people(&self) -> &[Person] {
        &self.people
    }

    pub(crate) fn set_people(&mut self, people: Vec<Person>) {
        self.people = people;
    }

    pub(crate) fn set_person(&mut self, person: Person) {
        match self.people.iter_mut().find(|known| known.id == person.id) {
            Some(known) => *known = person,
            None => self.people.push(person),
        }
    }

    pub(crate) fn person_by_login(&self, login: &str) -> Option<&Person> {
        self.people.iter().find(|person| person.login == login)
    }

    pub(crate) fn visit_next(&mut self, visit: Visit) -> Result<(), UnknownPerson> {
        if let Visit::SignIn(login) = &visit {
            self.person_by_login(login).ok_or(UnknownPerson)?;
        }
        self.next_visit = Some(visit);
        Ok(())
    }

    pub(crate) fn take_visit(&mut self) -> Option<Visit> {
        self.next_visit.take()
    }

    pub(crate) fn fail_next(&mut self, endpoint: Endpoint, fault: Fault) {
        self.faults.entry(endpoint).or_default().push_back(fault);
    }

    pub(crate) fn next_fault(&mut self, endpoint: Endpoint) -> Option<Fault> {
        self.faults.get_mut(&endpoint)?.pop_front()
    }

    /// Makes a code, good once and for ten minutes.
    pub(crate) fn issue_code(&mut self, grant: Grant) -> String {
        let code = random_text(20);
        self.codes.insert(code.clone(), grant);
        code
    }

    /// Exchanges a code for a token and its scope. The code is used up, whatever comes of it.
    pub(crate) fn redeem(&mut self, with: Redemption<'_>) -> Result<(String, String), Refusal> {
        let grant = self.codes.remove(with.code).ok_or(Refusal::BadCode)?;
        if with.now >= grant.issued + CODE_LIFETIME {
            return Err(Refusal::BadCode);
        }
        if with.redirect_uri.is_some_and(|uri| uri != grant.redirect_uri) {
            return Err(Refusal::RedirectMismatch);
        }
        if grant.challenge.is_some() && grant.challenge != with.verifier.map(challenge_of) {
            return Err(Refusal::BadCode);
        }
        let token = format!("gho_{}", random_text(36));
        self.tokens.insert(token.clone(), grant.person);
        Ok((token, grant.scope))
    }

    /// Whose token this is.
    pub(crate) fn person_by_token(&self, token: &str) -> Option<&Person> {
        let id = self.tokens.get(token)?;
        self.people.iter().find(|person| person.id == *id)
    }
}

/// PKCE's S256: what the challenge must have been for this verifier.
fn challenge_of(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

#[expect(clippy::disallowed_methods, reason = "the one place that draws randomness")]
fn random_text(length: usize) -> String {
    Alphanumeric.sample_string(&mut rand::rng(), length)
}

#[cfg(test)]
mod tests {
    use super::*;

    // The pair of RFC 7636, appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    const CALLBACK: &str = "http://127.0.0.1:3000/login/oauth2/code/github";

    fn with_code(now: SystemTime) -> (GitHub, String) {
        let mut github = GitHub::default();
        let code = github.issue_code(Grant {
            person: 4101,
            redirect_uri: CALLBACK.to_owned(),
            scope: "read:user".to_owned(),
            challenge: Some(CHALLENGE.to_owned()),
            issued: now,
        });
        (github, code)
    }

    fn redemption(code: &str, now: SystemTime) -> Redemption<'_> {
        Redemption { code, redirect_uri: Some(CALLBACK), verifier: Some(VERIFIER), now }
    }

    #[test]
    fn a_code_is_good_once() {
        let now = SystemTime::UNIX_EPOCH;
        let (mut github, code) = with_code(now);
        let (token, scope) = github.redeem(redemption(&code, now)).unwrap();
        assert_eq!(scope, "read:user");
        assert_eq!(github.person_by_token(&token).unwrap().login, "mira-holt");
        assert_eq!(github.redeem(redemption(&code, now)), Err(Refusal::BadCode));
    }

    #[test]
    fn a_code_is_good_for_ten_minutes() {
        let now = SystemTime::UNIX_EPOCH;
        let (mut github, code) = with_code(now);
        assert!(github.redeem(redemption(&code, now + Duration::from_secs(599))).is_ok());
        let (mut github, code) = with_code(now);
        let late = redemption(&code, now + CODE_LIFETIME);
        assert_eq!(github.redeem(late), Err(Refusal::BadCode));
    }

    #[test]
    fn a_code_needs_its_verifier_and_its_address() {
        let now = SystemTime::UNIX_EPOCH;
        for verifier in [None, Some("another-verifier")] {
            let (mut github, code) = with_code(now);
            let attempt = Redemption { verifier, ..redemption(&code, now) };
            assert_eq!(github.redeem(attempt), Err(Refusal::BadCode));
        }
        let (mut github, code) = with_code(now);
        let attempt =
            Redemption { redirect_uri: Some("http://evil.example"), ..redemption(&code, now) };
        assert_eq!(github.redeem(attempt), Err(Refusal::RedirectMismatch));
    }

    #[test]
    fn a_person_keeps_their_id_when_the_login_changes() {
        let mut github = GitHub::default();
        let people = github.people().len();
        let renamed = Person { login: "mira".to_owned(), ..github.people()[0].clone() };
        github.set_person(renamed);
        assert_eq!(github.people().len(), people);
        assert!(github.person_by_login("mira-holt").is_none());
        assert_eq!(github.visit_next(Visit::SignIn("mira-holt".to_owned())), Err(UnknownPerson));
    }
}
