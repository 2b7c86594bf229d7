//! Forward authentication: a proxy asks about each request before it lets the request through.
//!
//! Whoever holds a key may learn that it works, so the proxy presents no key of its own. What the
//! proxy says beside the key only restricts: the project or application that it protects, and the
//! scopes that it wants.
//!
//! Failed keys count for nobody: the address is often that of the proxy, and its good callers must
//! not be held up because others guess through it. Lookups of unknown keys take turns by address.

use std::borrow::Cow;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use latchkey_checker::failures::Address;
use latchkey_checker::{CheckRequest, Denial, IdentifiedKey, KeyRecord, LimitStates, LookupCaller};
use latchkey_domain::id::{ApplicationId, InvalidId, ProjectId};
use latchkey_domain::mask;
use latchkey_domain::outcome::Outcome;
use latchkey_domain::scope::ScopeQuery;

use crate::named_application::is_of_project;
use crate::services::Services;

/// What a proxy protects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProtectedResource {
    /// A whole project: any of its keys.
    Project(ProjectId),
    /// An application: its keys, and keys for all of its project.
    Application(ApplicationId),
}

impl FromStr for ProtectedResource {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        text.parse().map(Self::Project).or_else(|_| text.parse().map(Self::Application))
    }
}

/// Scopes that a proxy asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum AskedScopes<'a> {
    /// None are asked for.
    #[default]
    Nothing,
    /// The key must have these.
    These(ScopeQuery),
    /// This line of them can't be read, so no key has them.
    Unreadable(&'a [u8]),
}

impl<'a> AskedScopes<'a> {
    /// Maximum number of bytes of a line.
    const MAX_LINE: usize = 16_384;

    /// All scopes of all lines, separated by spaces. A line of more than 16,384 bytes can't be
    /// read.
    pub fn of_lines(lines: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut all = Vec::new();
        for line in lines {
            let fits = line.len() <= Self::MAX_LINE;
            let read =
                std::str::from_utf8(line).ok().filter(|_| fits).map(ScopeQuery::all_of_words);
            let Some(Ok(scopes)) = read else { return Self::Unreadable(line) };
            all.push(scopes);
        }
        if all.is_empty() { Self::Nothing } else { Self::These(ScopeQuery::All(all)) }
    }
}

/// A request that a proxy asks about.
pub struct ForwardedRequest<'a> {
    /// What the proxy protects.
    pub resource: ProtectedResource,
    /// The secret that the request carries, if any.
    pub secret: Option<&'a str>,
    /// Scopes that the proxy asks for.
    pub scopes: AskedScopes<'a>,
    /// Address that the request comes from.
    pub ip: Option<IpAddr>,
}

/// Who may be let through, and what the proxy tells the protected server of them.
#[derive(Debug, Clone, PartialEq)]
pub struct AllowedRequest {
    /// The key that the request carries.
    pub key: Arc<KeyRecord>,
    /// The application that was asked about, else that of the key.
    pub application: Option<ApplicationId>,
    /// States of the key's limits, this request included.
    pub limits: LimitStates,
}

/// Checks the key of a request that a proxy asks about, as one request of that key. A key of
/// another project is reported as unknown, and so is every key if the application does not exist in
/// the key's project.
///
/// # Errors
/// `Denied` with the outcome. It never depends on how many keys have failed from an address;
/// `TooManyFailures` is of one imported key that is checked slowly.
pub async fn check(
    services: &Services,
    request: ForwardedRequest<'_>,
) -> Result<AllowedRequest, latchkey_checker::Error> {
    let ForwardedRequest { resource, secret, scopes, ip } = request;
    let caller = LookupCaller::Address(Address::of(ip));
    let mut identity = services.checker.authenticate_for(secret, caller).await?;
    if !is_in_reach(services, &mut identity, resource).await.map_err(Box::new)? {
        return Err(Box::new(Denial::of(Outcome::UnknownKey)).into());
    }
    let key = identity.key();
    let application = match resource {
        ProtectedResource::Project(_) => None,
        ProtectedResource::Application(id) => Some(id),
    };
    let nobody = ScopeQuery::Any(Vec::new());
    let asked = match &scopes {
        AskedScopes::Nothing => None,
        AskedScopes::These(scopes) => Some(scopes),
        AskedScopes::Unreadable(_) => Some(&nobody),
    };
    let call = CheckRequest { application, ip, scopes: asked, ..CheckRequest::default() };
    match services.checker.admit(&identity, call).await {
        Ok(limits) => {
            let application = application.or(key.application);
            Ok(AllowedRequest { key: Arc::clone(key), application, limits })
        }
        Err(denial) => Err(Box::new(explained(services, key, denial, &scopes)).into()),
    }
}

/// Whether a key has anything to do with a resource. A key of another application of the project
/// has: that is `wrong_scope`.
async fn is_in_reach(
    services: &Services,
    identity: &mut IdentifiedKey,
    resource: ProtectedResource,
) -> Result<bool, Denial> {
    let key = identity.key();
    match resource {
        ProtectedResource::Project(id) => Ok(id == key.project),
        // Its application exists, or the key would be revoked.
        ProtectedResource::Application(id) if key.application == Some(id) => Ok(true),
        ProtectedResource::Application(id) => {
            let caller = LookupCaller::Organization(key.organization);
            is_of_project(services, id, identity, caller).await.map_err(|error| {
                tracing::error!(%error, "Failed to look up an application");
                Denial::of(Outcome::Unavailable)
            })
        }
    }
}

/// What scopes that a proxy asks for have to be.
const REMEDY: &str = "Use scopes of 1 to 100 of the characters A–Z, a–z, 0–9, _ . : / and -, \
                      separated by spaces.";

/// Tells the operator of the proxy what no key can mend. Some proxies show nothing of the body, so
/// it is logged too, on each node once a minute.
fn explained(
    services: &Services,
    key: &KeyRecord,
    mut denial: Denial,
    asked: &AskedScopes<'_>,
) -> Denial {
    let AskedScopes::Unreadable(line) = asked else { return denial };
    if denial.outcome != Outcome::InsufficientScope {
        return denial;
    }
    if services.unreadable_scopes.admits(services.clock.monotonic()) {
        tracing::warn!(
            project = %key.project, line = shown(line),
            "A proxy’s x-latchkey-scopes header can’t be read, so no key is admitted. {REMEDY}"
        );
    }
    denial.detail = format!("The proxy’s x-latchkey-scopes header can’t be read. {REMEDY}");
    denial
}

/// The start of a header's line, in a form that a log can hold.
fn shown(line: &[u8]) -> String {
    const BYTES: usize = 100;
    let line = mask::masked(line).map_or(Cow::Borrowed(line), Cow::Owned);
    line[..line.len().min(BYTES)].escape_ascii().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resource_is_a_project_or_an_application() {
        let suffix = "01h455vb4pex5vsknk084sn02q";
        let parse = |text: &str| text.parse::<ProtectedResource>();
        let project = parse(&format!("prj_{suffix}")).unwrap();
        assert!(matches!(project, ProtectedResource::Project(_)));
        let application = parse(&format!("app_{suffix}")).unwrap();
        assert!(matches!(application, ProtectedResource::Application(_)));
        for text in ["", "prj_", "prj_x", &format!("org_{suffix}"), &format!("PRJ_{suffix}")] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn scopes_of_all_lines_are_asked_for() {
        let of = |lines: &[&'static [u8]]| AskedScopes::of_lines(lines.iter().copied());
        assert_eq!(of(&[]), AskedScopes::Nothing);
        let words = |text| ScopeQuery::all_of_words(text).unwrap();
        let both = ScopeQuery::All(vec![words("a b"), words("c")]);
        assert_eq!(of(&[b"a  b", b"c"]), AskedScopes::These(both));
        let unreadable: [(&[&[u8]], &[u8]); 4] = [
            (&[b"\xff"], b"\xff"),
            (&[b"a", b"a\xff"], b"a\xff"),
            (&[b"a*", b"b"], b"a*"),
            (&[b"a,b"], b"a,b"),
        ];
        for (lines, line) in unreadable {
            assert_eq!(of(lines), AskedScopes::Unreadable(line), "{lines:?}");
        }
    }

    #[test]
    fn unreadable_line_is_logged_masked_and_not_at_length() {
        assert_eq!(shown(b"a,b \xff\""), r#"a,b \xff\""#);
        assert_eq!(shown(&[b'*'; 200]), "*".repeat(100));
        let secret = format!("lk_live_{}", "7Qm2".repeat(9));
        let logged = shown(format!("a,{secret}").as_bytes());
        assert!(!logged.contains(&secret[..20]), "{logged}");
    }
}
