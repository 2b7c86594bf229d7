//! A row that is ready for the database: validated, and digested under the pepper.

use latchkey_domain::api::KeyRequest;
use latchkey_domain::digest::KeyDigest;
use latchkey_domain::hint::{ForeignHint, MaskedSecret};
use latchkey_domain::id::KeyId;
use latchkey_domain::import::{
    ImportRow, KeyShape, LookupPrefix, Scheme, SlowHash, StoredForm, decode_stored,
};
use latchkey_domain::key::{KeyKind, KeyStatus};
use latchkey_domain::money::Usd;
use latchkey_domain::problem::FieldError;
use latchkey_domain::secret::PresentedKey;
use latchkey_domain::time::Timestamp;

use crate::error::Error;
use crate::keys::check_request;
use crate::services::Services;

/// A key that can be inserted.
pub(super) struct PreparedKey {
    /// Number of its row, from 1.
    pub(super) row: usize,
    pub(super) id: KeyId,
    pub(super) request: KeyRequest,
    pub(super) hint: MaskedSecret,
    /// What a check finds the key by.
    pub(super) digest: KeyDigest,
    pub(super) scheme: Scheme,
    pub(super) foreign_digest: KeyDigest,
    /// What an earlier import of the key has under the pepper that is being replaced.
    pub(super) other: Option<OtherDigests>,
    pub(super) lookup: Option<LookupPrefix>,
    /// The sealed slow hash. The secret of a HMAC is the same for all rows and stands apart.
    pub(super) sealed: Option<Vec<u8>>,
    /// Whether `digest` is that of the presented text.
    pub(super) has_moved: bool,
    pub(super) is_revoked: bool,
    pub(super) created_at: Timestamp,
    pub(super) last_used_at: Option<Timestamp>,
    pub(super) shape: Option<KeyShape>,
    /// Whether a shape is needed, and the row brings none.
    pub(super) needs_shape: bool,
    pub(super) spent: Option<Usd>,
}

/// Digests of a key under another pepper.
#[derive(Clone, Copy)]
pub(super) struct OtherDigests {
    pub(super) digest: KeyDigest,
    pub(super) foreign_digest: KeyDigest,
}

impl PreparedKey {
    /// Whether the key counts against the tier.
    pub(super) fn is_active(&self, now: Timestamp) -> bool {
        !self.is_revoked && self.request.expires_at.is_none_or(|end| end > now)
    }

    /// Whether its name is taken as long as it stands: revoked keys give theirs back.
    pub(super) const fn holds_name(&self) -> bool {
        !self.is_revoked
    }

    /// What no other key of the project that holds its name may have.
    pub(super) fn name(&self) -> (KeyKind, String) {
        (self.request.kind, self.request.name.as_str().to_owned())
    }

    /// Whether its digest needs the secret of the other system.
    pub(super) const fn is_hmac(&self) -> bool {
        matches!(self.scheme, Scheme::Hmac(_))
    }
}

/// What all rows of a file share.
pub(super) struct Preparation<'a> {
    pub(super) services: &'a Services,
    pub(super) now: Timestamp,
    /// Scheme of the rows that name none.
    pub(super) scheme: Option<&'a Scheme>,
    pub(super) has_secret: bool,
}

/// The digests of a row, and what may be shown of it.
struct Digested {
    digest: KeyDigest,
    foreign_digest: KeyDigest,
    other: Option<OtherDigests>,
    sealed: Option<Vec<u8>>,
    has_moved: bool,
    /// The masked form, if the key has our own form.
    own: Option<MaskedSecret>,
}

fn wrong(field: &str, message: impl Into<String>) -> FieldError {
    FieldError { field: field.to_owned(), message: message.into() }
}

/// Fields that everybody sees and that repeat the key.
fn shown_plaintext(row: &ImportRow) -> Vec<FieldError> {
    let text = row.stored.expose();
    let hint = row.hint.as_ref().map(ForeignHint::as_str).unwrap_or_default();
    let shown = [("name", row.key.name.as_str()), ("hint", hint)];
    let repeating = shown.into_iter().filter(|(_, shown)| shown.contains(text));
    repeating.map(|(field, _)| wrong(field, "Do not show the key here.")).collect()
}

impl Preparation<'_> {
    /// Validates and digests a row.
    ///
    /// # Errors
    /// All wrong fields of the row.
    pub(super) fn prepare(
        &self,
        number: usize,
        row: ImportRow,
    ) -> Result<PreparedKey, Vec<FieldError>> {
        let mut errors = self.check_fields(&row);
        let scheme = row.scheme.as_ref().or(self.scheme).cloned();
        if scheme == Some(Scheme::Plaintext) {
            errors.extend(shown_plaintext(&row));
        }
        let Some(scheme) = scheme else {
            errors.push(wrong("scheme", "Name the scheme here, or of all rows as ?scheme=."));
            return Err(errors);
        };
        let created_at = row.created_at.unwrap_or(self.now);
        let id = KeyId::new(created_at, self.services.random.bytes());
        if scheme.is_slow() && row.lookup.is_none() {
            errors.push(wrong("lookup", "Give the start of the key, by which its hash is found."));
        }
        let digested = match self.digest(&scheme, &row.stored, id) {
            Ok(digested) if errors.is_empty() => digested,
            Ok(_) => return Err(errors),
            Err(error) => {
                errors.push(error);
                return Err(errors);
            }
        };
        let is_own = digested.own.is_some();
        let is_revoked = row.status == Some(KeyStatus::Revoked);
        let mut request = row.key;
        request.disabled |= row.status == Some(KeyStatus::Disabled);
        if let Some(MaskedSecret::Own(hint)) = &digested.own {
            request.environment = hint.environment;
        }
        let needs_shape = !is_own && row.shape.is_none() && scheme != Scheme::Plaintext;
        Ok(PreparedKey {
            row: number,
            id,
            request,
            hint: digested
                .own
                .unwrap_or_else(|| MaskedSecret::Imported(row.hint.unwrap_or_default())),
            digest: digested.digest,
            lookup: row.lookup.filter(|_| scheme.is_slow()),
            scheme,
            foreign_digest: digested.foreign_digest,
            other: digested.other,
            sealed: digested.sealed,
            has_moved: digested.has_moved,
            is_revoked,
            created_at,
            last_used_at: row.last_used_at,
            shape: row.shape.filter(|_| !is_own),
            needs_shape,
            spent: row.spent,
        })
    }

    fn check_fields(&self, row: &ImportRow) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if row.key.kind == KeyKind::Service {
            errors.push(wrong("kind", "Use api or inference. Service keys can’t be imported."));
        } else {
            // An expiry that has passed is refused for a new key alone.
            let request = KeyRequest { expires_at: None, ..row.key.clone() };
            if let Err(Error::Invalid(found)) = check_request(&request, self.now) {
                errors.extend(found);
            }
        }
        let has_ended = row.key.expires_at.is_some_and(|end| end <= self.now);
        if row.status == Some(KeyStatus::Expired) && !has_ended {
            errors.push(wrong("status", "An expired key needs an expires_at that has passed."));
        }
        for (field, time) in [("created_at", row.created_at), ("last_used_at", row.last_used_at)] {
            if time.is_some_and(|time| time > self.now) {
                errors.push(wrong(field, "Choose a time in the past."));
            }
        }
        errors
    }

    fn digest(
        &self,
        scheme: &Scheme,
        stored: &StoredForm,
        id: KeyId,
    ) -> Result<Digested, FieldError> {
        let checker = &self.services.checker;
        let (pepper, other) = (checker.pepper(), checker.other_pepper());
        let canonical = scheme.canonical();
        let text = stored.expose();
        let invalid =
            |error: latchkey_domain::import::InvalidStored| wrong("stored", error.to_string());
        match scheme {
            Scheme::Plaintext => self.digest_plaintext(&canonical, text),
            Scheme::Fast(_) | Scheme::Hmac(_) => {
                if matches!(scheme, Scheme::Hmac(_)) && !self.has_secret {
                    let message = "Send the other system’s HMAC secret as x-import-secret.";
                    return Err(wrong("scheme", message));
                }
                let raw = decode_stored(scheme, text).map_err(invalid)?;
                let digest = pepper.foreign_digest(&canonical, &raw);
                let other = other.map(|pepper| pepper.foreign_digest(&canonical, &raw));
                Ok(Digested {
                    digest,
                    foreign_digest: digest,
                    other: other.map(|digest| OtherDigests { digest, foreign_digest: digest }),
                    sealed: None,
                    has_moved: false,
                    own: None,
                })
            }
            Scheme::Pbkdf2Sha256 | Scheme::Bcrypt | Scheme::Scrypt => {
                SlowHash::parse(scheme, text).map_err(invalid)?;
                let sealed = pepper.seal(self.services.random.bytes(), text.as_bytes());
                let other = other.map(|pepper| OtherDigests {
                    digest: pepper.slow_key_digest(id),
                    foreign_digest: pepper.foreign_digest(&canonical, text.as_bytes()),
                });
                Ok(Digested {
                    digest: pepper.slow_key_digest(id),
                    foreign_digest: pepper.foreign_digest(&canonical, text.as_bytes()),
                    other,
                    sealed: Some(sealed),
                    has_moved: false,
                    own: None,
                })
            }
        }
    }

    fn digest_plaintext(&self, canonical: &str, text: &str) -> Result<Digested, FieldError> {
        let pepper = self.services.checker.pepper();
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        if !visible || text.len() > usize::from(KeyShape::MAX_LENGTH) {
            let message = "A key has at most 1,024 visible ASCII characters.";
            return Err(wrong("stored", message));
        }
        let own = PresentedKey::parse(text).ok();
        let other = self.services.checker.other_pepper().map(|pepper| OtherDigests {
            digest: pepper.digest(text),
            foreign_digest: pepper.foreign_digest(canonical, text.as_bytes()),
        });
        Ok(Digested {
            digest: pepper.digest(text),
            foreign_digest: pepper.foreign_digest(canonical, text.as_bytes()),
            other,
            sealed: None,
            has_moved: true,
            own: own.map(|key| key.hint().into()),
        })
    }
}
