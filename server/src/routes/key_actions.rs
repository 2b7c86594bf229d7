//! What can be done with one key, at `/v1/keys/{keyId}` and at `/v1/inference/keys/{keyId}`. The
//! second finds inference keys only; everything else is the same.

use crate::http::responses::refusals;

refusals! {
    /// The key cannot be changed so.
    KeyNotChanged { 409: "`conflict`: the key is revoked; `name_taken`; `tier_limit_reached`" }

    /// The key has no use for a new secret.
    KeyNotRotated { 409: "`conflict`: the key is revoked or expired; `idempotency_replay`" }

    /// Only keys that are good no more are archived.
    KeyIsActive { 409: "`conflict`: the key is active or disabled" }
}

/// Declares the endpoints at `$path`: `$name` is what their operation IDs end in, `$key` and
/// `$a_key` what their descriptions say, and `$key_ref` makes the reference from the ID.
macro_rules! key_actions {
    ($path:literal, $name:literal, $key:literal, $a_key:literal, $key_ref:path) => {
        #[utoipa::path(
            get,
            path = $path,
            operation_id = concat!("get_", $name),
            summary = concat!("Get ", $a_key),
            tag = "Keys",
            params(("keyId" = KeyId, Path)),
            responses((status = 200, description = "The key", body = ApiKey), NoKeyAccess),
            security(("user" = []), ("service_key" = [])),
        )]
        pub(crate) async fn get(
            State(services): State<Services>,
            Caller(actor): Caller,
            PathId(id): PathId<KeyId>,
        ) -> Result<axum::Json<ApiKey>, Refusal> {
            let listed = keys::get(&services, &actor, $key_ref(id)).await?;
            Ok(axum::Json(listed.key))
        }

        #[utoipa::path(
            patch,
            path = $path,
            operation_id = concat!("change_", $name),
            summary = concat!("Update ", $a_key),
            description = "Omitted fields are left unchanged; null clears a field. Changes take \
                           effect immediately: `disabled` stops the key as a revocation does, \
                           until it is enabled again. `budgets` replaces all budgets of the key, \
                           `token_limit` and `spend_limit` the first one in tokens and in \
                           dollars. A budget keeps what was used of it when its limit changes.",
            tag = "Keys",
            params(("keyId" = KeyId, Path)),
            request_body(content = KeyPatch),
            responses(
                (status = 200, description = "The updated key", body = ApiKey),
                NoKeyAccess,
                KeyNotChanged,
                Invalid,
            ),
            security(("user" = []), ("service_key" = [])),
        )]
        pub(crate) async fn change(
            State(services): State<Services>,
            Caller(actor): Caller,
            PathId(id): PathId<KeyId>,
            Json(patch): Json<KeyPatch>,
        ) -> Result<axum::Json<ApiKey>, Refusal> {
            Ok(axum::Json(keys::change(&services, &actor, $key_ref(id), patch).await?))
        }

        #[utoipa::path(
            delete,
            path = $path,
            operation_id = concat!("revoke_", $name),
            summary = concat!("Revoke ", $a_key),
            description = "The key stops working before this request returns. Revocation is \
                           final; revoking a revoked key has no effect.",
            tag = "Keys",
            params(("keyId" = KeyId, Path)),
            responses((status = 204, description = "The key is revoked"), NoKeyAccess),
            security(("user" = []), ("service_key" = [])),
        )]
        pub(crate) async fn revoke(
            State(services): State<Services>,
            Caller(actor): Caller,
            PathId(id): PathId<KeyId>,
        ) -> Result<StatusCode, Refusal> {
            keys::revoke(&services, &actor, $key_ref(id)).await?;
            Ok(StatusCode::NO_CONTENT)
        }

        #[utoipa::path(
            post,
            path = concat!($path, "/rotate"),
            operation_id = concat!("rotate_", $name),
            summary = concat!("Rotate ", $a_key),
            description = "Replaces the secret; the key keeps its ID. The old secret stays valid \
                           for the grace period, but never past \
                           the key’s expiry.",
            tag = "Keys",
            params(("keyId" = KeyId, Path), ("Idempotency-Key" = Option<String>, Header)),
            request_body(content = Option<RotateRequest>),
            responses(
                (status = 200, description = "The key and its new secret. The secret is returned only once", body = CreatedKey),
                NoKeyAccess,
                KeyNotRotated,
                InvalidOrMismatched,
            ),
            security(("user" = []), ("service_key" = [])),
        )]
        pub(crate) async fn rotate(
            State(services): State<Services>,
            Caller(actor): Caller,
            PathId(id): PathId<KeyId>,
            idempotency: IdempotencyKey,
            body: Option<Json<RotateRequest>>,
        ) -> Result<axum::Json<CreatedKey>, Refusal> {
            let request = body.map(|Json(request)| request).unwrap_or_default();
            let idempotency = idempotency.of(&request);
            let created =
                keys::rotate(&services, &actor, $key_ref(id), request, idempotency.as_ref())
                    .await?;
            Ok(axum::Json(created))
        }

        #[utoipa::path(
            post,
            path = concat!($path, "/archive"),
            operation_id = concat!("archive_", $name),
            summary = concat!("Archive a revoked or expired ", $key),
            description = "Archived keys are hidden from lists by default.",
            tag = "Keys",
            params(("keyId" = KeyId, Path)),
            responses((status = 200, description = "The key", body = ApiKey), NoKeyAccess, KeyIsActive),
            security(("user" = []), ("service_key" = [])),
        )]
        pub(crate) async fn archive(
            State(services): State<Services>,
            Caller(actor): Caller,
            PathId(id): PathId<KeyId>,
        ) -> Result<axum::Json<ApiKey>, Refusal> {
            Ok(axum::Json(keys::archive(&services, &actor, $key_ref(id)).await?))
        }

        #[utoipa::path(
            post,
            path = concat!($path, "/unarchive"),
            operation_id = concat!("unarchive_", $name),
            summary = concat!("Unarchive ", $a_key),
            tag = "Keys",
            params(("keyId" = KeyId, Path)),
            responses((status = 200, description = "The key", body = ApiKey), NoKeyAccess, KeyIsActive),
            security(("user" = []), ("service_key" = [])),
        )]
        pub(crate) async fn unarchive(
            State(services): State<Services>,
            Caller(actor): Caller,
            PathId(id): PathId<KeyId>,
        ) -> Result<axum::Json<ApiKey>, Refusal> {
            Ok(axum::Json(keys::unarchive(&services, &actor, $key_ref(id)).await?))
        }
    };
}
pub(crate) use key_actions;
