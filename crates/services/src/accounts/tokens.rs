//! Access tokens: JWTs with HS256, signed and verified only here.

use std::fmt;
use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, TokenData, Validation};
use latchkey_domain::id::{SessionId, UserId};
use latchkey_domain::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::jwt_crypto;
use crate::error::Error;

const AUDIENCE: &str = "latchkey";

/// Secret that signs access tokens: at least 32 bytes, the raw UTF-8 of the setting. It may know
/// the one that it replaces, whose tokens are accepted until they expire.
#[derive(Clone)]
pub struct JwtSecret {
    secret: Vec<u8>,
    retired: Option<Vec<u8>>,
}

/// The secret is too short to sign with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the JWT secret must have at least {} bytes", JwtSecret::MIN_BYTES)]
pub struct ShortSecret;

impl JwtSecret {
    /// Minimum that HS256 requires (RFC 7518 §3.2).
    pub const MIN_BYTES: usize = 32;

    /// Wraps a secret of at least 32 bytes.
    ///
    /// # Errors
    /// The secret is shorter.
    pub fn new(bytes: Vec<u8>) -> Result<Self, ShortSecret> {
        if bytes.len() < Self::MIN_BYTES {
            return Err(ShortSecret);
        }
        Ok(Self { secret: bytes, retired: None })
    }

    /// The same secret, which replaces another one.
    #[must_use]
    pub fn replacing(self, retired: Self) -> Self {
        Self { retired: Some(retired.secret), ..self }
    }
}

impl fmt::Debug for JwtSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JwtSecret([redacted])")
    }
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    sid: String,
    iat: i64,
    exp: i64,
    /// Never written, but honored if present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
    jti: String,
}

/// User and session of an access token. Whether the session is still active is up to the database.
pub(crate) struct Bearer {
    pub(crate) user: UserId,
    pub(crate) session: SessionId,
}

/// Validity period of a token.
struct Term {
    begins: Timestamp,
    ends: Timestamp,
}

pub(crate) struct Signer {
    encoding: EncodingKey,
    /// The secret in use, and the one that it replaces.
    decoding: Vec<DecodingKey>,
    validation: Validation,
    issuer: String,
    ttl: Duration,
}

impl Signer {
    pub(crate) fn new(secret: &JwtSecret, issuer: &str, ttl: Duration) -> Self {
        jwt_crypto::install();
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // Times are compared to the injected clock below.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        Self {
            encoding: EncodingKey::from_secret(&secret.secret),
            decoding: [Some(&secret.secret), secret.retired.as_ref()]
                .into_iter()
                .flatten()
                .map(|secret| DecodingKey::from_secret(secret))
                .collect(),
            validation,
            issuer: issuer.to_owned(),
            ttl,
        }
    }

    pub(crate) const fn ttl(&self) -> Duration {
        self.ttl
    }

    pub(crate) fn sign(
        &self,
        user: UserId,
        session: SessionId,
        now: Timestamp,
        unique: String,
    ) -> Result<String, Error> {
        let issued = now.as_millis().div_euclid(1000);
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: AUDIENCE.to_owned(),
            sub: user.to_string(),
            sid: session.to_string(),
            iat: issued,
            exp: issued.saturating_add(i64::try_from(self.ttl.as_secs()).unwrap_or(i64::MAX)),
            nbf: None,
            jti: unique,
        };
        Ok(jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding)?)
    }

    /// The bearer of a token with a valid signature that is valid at `now`.
    pub(crate) fn verify(&self, token: &str, now: Timestamp) -> Option<Bearer> {
        let (bearer, Term { begins, ends }) = self.read(token)?;
        (begins <= now && now < ends).then_some(bearer)
    }

    /// The bearer of a token with a valid signature, expired or not. Enough to end its session.
    pub(crate) fn verify_signature(&self, token: &str) -> Option<Bearer> {
        self.read(token).map(|(bearer, _)| bearer)
    }

    fn read(&self, token: &str) -> Option<(Bearer, Term)> {
        let decode = |key| jsonwebtoken::decode::<Claims>(token, key, &self.validation).ok();
        let TokenData { header, claims, .. } = self.decoding.iter().find_map(decode)?;
        // `crit` names extensions that a verifier must understand (RFC 7515 §4.1.11); this one
        // understands none.
        if header.crit.is_some() {
            return None;
        }
        let bearer = Bearer { user: claims.sub.parse().ok()?, session: claims.sid.parse().ok()? };
        let at = |seconds: i64| Timestamp::from_millis(seconds.saturating_mul(1000));
        let begins = at(claims.nbf.unwrap_or(i64::MIN));
        Some((bearer, Term { begins, ends: at(claims.exp) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_247_153_000;

    fn signer(secret: &str, issuer: &str) -> Signer {
        let secret = JwtSecret::new(secret.repeat(32).into_bytes()).unwrap();
        Signer::new(&secret, issuer, Duration::from_mins(15))
    }

    fn sign(signer: &Signer) -> String {
        let now = Timestamp::from_millis(NOW);
        let (user, session) = (UserId::new(now, [1; 10]), SessionId::new(now, [2; 10]));
        signer.sign(user, session, now, "j".to_owned()).unwrap()
    }

    #[test]
    fn token_is_valid_until_the_instant_it_expires() {
        let signer = signer("a", "http://localhost");
        let token = sign(&signer);
        assert!(signer.verify(&token, Timestamp::from_millis(NOW + 899_999)).is_some());
        assert!(signer.verify(&token, Timestamp::from_millis(NOW + 900_000)).is_none());
        assert!(signer.verify_signature(&token).is_some());
    }

    #[test]
    fn foreign_and_tampered_tokens_are_refused() {
        let ours = signer("a", "http://localhost");
        let now = Timestamp::from_millis(NOW);
        let token = sign(&ours);
        assert!(ours.verify(&sign(&signer("b", "http://localhost")), now).is_none());
        assert!(ours.verify(&sign(&signer("a", "http://evil.example")), now).is_none());
        for place in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[place] = if bytes[place] == b'A' { b'Q' } else { b'A' };
            let tampered = String::from_utf8(bytes).unwrap();
            if tampered != token {
                assert!(ours.verify(&tampered, now).is_none(), "place {place}");
            }
        }
        // {"alg":"none","typ":"JWT"}
        let body = token.split('.').nth(1).unwrap();
        assert!(
            ours.verify(&format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{body}."), now).is_none()
        );
        assert!(ours.verify("", now).is_none());
    }

    #[test]
    fn retired_secret_verifies_and_does_not_sign() {
        let issuer = "http://localhost";
        let [new, old] = ["b", "a"].map(|text| JwtSecret::new(text.repeat(32).into()).unwrap());
        let both = Signer::new(&new.replacing(old), issuer, Duration::from_mins(15));
        let now = Timestamp::from_millis(NOW);
        assert!(both.verify(&sign(&signer("a", issuer)), now).is_some());
        assert!(signer("b", issuer).verify(&sign(&both), now).is_some());
        assert!(signer("a", issuer).verify(&sign(&both), now).is_none());
    }

    /// A validly signed token with changed claims or another header.
    fn signed(signer: &Signer, header: &Header, change: impl Fn(&mut Claims)) -> String {
        let token = sign(signer);
        let read = jsonwebtoken::decode(&token, &signer.decoding[0], &signer.validation);
        let mut claims: Claims = read.unwrap().claims;
        change(&mut claims);
        jsonwebtoken::encode(header, &claims, &signer.encoding).unwrap()
    }

    #[test]
    fn token_is_refused_before_its_nbf() {
        let signer = signer("a", "http://localhost");
        let header = Header::new(Algorithm::HS256);
        let token = signed(&signer, &header, |claims| claims.nbf = Some(NOW / 1000 + 60));
        assert!(signer.verify(&token, Timestamp::from_millis(NOW)).is_none());
        assert!(signer.verify(&token, Timestamp::from_millis(NOW + 60_000)).is_some());
    }

    #[test]
    fn token_with_a_critical_header_is_refused() {
        let signer = signer("a", "http://localhost");
        let critical =
            Header { crit: Some(vec!["b64".to_owned()]), ..Header::new(Algorithm::HS256) };
        let now = Timestamp::from_millis(NOW);
        assert!(signer.verify(&signed(&signer, &critical, |_| {}), now).is_none());
        assert!(
            signer.verify(&signed(&signer, &Header::new(Algorithm::HS256), |_| {}), now).is_some()
        );
    }

    /// The example of RFC 7515, appendix A.1.
    #[test]
    fn signature_matches_the_rfc_7515_example() {
        jwt_crypto::install();
        let key = EncodingKey::from_base64_secret(
            "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ+EstJQLr/T+1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow==",
        );
        let message = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let signature =
            jsonwebtoken::crypto::sign(message.as_bytes(), &key.unwrap(), Algorithm::HS256);
        assert_eq!(signature.unwrap(), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    }

    #[test]
    fn short_secrets_are_refused() {
        assert_eq!(JwtSecret::new(vec![7; 31]).unwrap_err(), ShortSecret);
        assert!(JwtSecret::new(vec![7; 32]).is_ok());
    }
}
