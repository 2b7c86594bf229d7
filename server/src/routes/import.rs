//! `/v1/projects/{id}/keys/import`: keys of other systems.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName};
use latchkey_domain::id::ProjectId;
use latchkey_domain::import::{ImportAnswer, ImportRecord, Preset, Scheme};
use latchkey_domain::problem::{ErrorCode, Problem};
use latchkey_services::Services;
use latchkey_services::import::{self, Import, ImportFormat, ImportSecret};
use serde::Deserialize;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use crate::http::auth::Caller;
use crate::http::extract::{Params, PathId, flag, one_of, parsed};
use crate::http::idempotency::IdempotencyKey;
use crate::http::json;
use crate::http::problem::Refusal;
use crate::http::responses::{InvalidOrMismatched, Malformed, NoKeyAccess, refusals};

/// Files are larger than other bodies.
pub(crate) const LARGEST_BODY: usize = 64 * 1024 * 1024;
/// For a large file over a slow line.
pub(crate) const TIMEOUT: Duration = Duration::from_mins(5);

const SECRET: HeaderName = HeaderName::from_static("x-import-secret");

/// How to read the rows of an import.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ImportParams {
    /// Scheme of the rows that name none.
    #[param(value_type = Option<Scheme>)]
    scheme: Option<String>,
    /// The other system, if the rows are of its own table or export.
    #[param(value_type = Option<Preset>)]
    preset: Option<String>,
    /// Whether to change nothing, and to answer as the import would. Defaults to `false`.
    #[param(value_type = Option<bool>)]
    dry_run: Option<String>,
}

/// What must not stand in a URL, which proxies and browsers write down.
#[derive(Deserialize)]
pub(crate) struct MisplacedSecret {
    secret: Option<String>,
}

/// A CSV file, for its description.
pub(crate) enum CsvFile {}

impl PartialSchema for CsvFile {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)))
            .max_length(Some(LARGEST_BODY))
            .description(Some("CSV with a header row, which has the names of an `ImportRecord`"))
            .into()
    }
}

impl ToSchema for CsvFile {}

refusals! {
    /// Nothing was imported.
    NotImported {
        409: "`tier_limit_reached`, `limit_reached`, `idempotency_replay`, `conflict`",
    }
}

/// Import keys of another system
///
/// The file has a row for each key: a JSON object a line, or CSV with a header row, whose dotted
/// names are members of objects and whose lists are separated by `;`. It has at most 64 MiB and
/// 100,000 rows, each of at most 1 MiB. Either all keys are imported or none: `errors` names the
/// first 100 wrong rows, such as `rows[17].stored`, counted from 1. A key that is here already is a
/// wrong row. Unless the rows are plaintext or a preset’s, register first what the keys look like
/// (`key-shapes`).
#[utoipa::path(
    post,
    path = "/v1/projects/{projectId}/keys/import",
    operation_id = "import_keys",
    tag = "Keys",
    params(
        ("projectId" = ProjectId, Path),
        ImportParams,
        ("x-import-secret" = Option<String>, Header, description = "Secret of the other system’s HMAC, for `hmac-sha256-hex` and `hmac-sha512-hex`. A secret in the query is refused"),
        ("Idempotency-Key" = Option<String>, Header),
    ),
    request_body(content(
        (ImportRecord = "application/x-ndjson"),
        (CsvFile = "text/csv"),
    )),
    responses(
        (status = 200, description = "The imported keys", body = ImportAnswer),
        Malformed,
        NoKeyAccess,
        NotImported,
        InvalidOrMismatched,
    ),
    security(("user" = []), ("service_key" = [])),
)]
pub(crate) async fn import(
    State(services): State<Services>,
    Caller(actor): Caller,
    PathId(project): PathId<ProjectId>,
    Params(params): Params<ImportParams>,
    Params(misplaced): Params<MisplacedSecret>,
    idempotency: IdempotencyKey,
    request: Request,
) -> Result<axum::Json<ImportAnswer>, Refusal> {
    if misplaced.secret.is_some() {
        let message = "Send the secret as the header x-import-secret, not in the URL.";
        return Err(Problem::invalid("secret", message).into());
    }
    let _room = import::begin(&services, &actor, project).await?;
    let format = format(request.headers())?;
    let secret = secret(request.headers())?;
    let dry_run = flag("dry_run", params.dry_run.as_deref())?;
    let scheme = parsed("scheme", params.scheme)?;
    let preset = one_of("preset", params.preset, "Use one of the presets.")?;
    let body = json::read(request, &services).await?;
    let body = String::from_utf8(body.into()).map_err(|error| {
        let place = error.utf8_error().valid_up_to();
        let detail = format!("Send the file as UTF-8: byte {place} is of another encoding.");
        Refusal::new(ErrorCode::Malformed, detail)
    })?;
    let import = Import { body, format, scheme, preset, secret, dry_run };
    let idempotency = idempotency.of(&import);
    let answer = import::import(&services, &actor, project, import, idempotency.as_ref()).await?;
    Ok(axum::Json(answer))
}

fn format(headers: &HeaderMap) -> Result<ImportFormat, Refusal> {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/x-ndjson" => Ok(ImportFormat::Ndjson),
        "text/csv" => Ok(ImportFormat::Csv),
        _ => Err(Refusal::new(
            ErrorCode::UnsupportedMediaType,
            "Send the file as application/x-ndjson or text/csv.",
        )),
    }
}

fn secret(headers: &HeaderMap) -> Result<Option<ImportSecret>, Refusal> {
    let mut values = headers.get_all(SECRET).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Problem::invalid("x-import-secret", "Send one secret.").into());
    }
    let secret = ImportSecret::new(value.as_bytes());
    Ok(Some(secret.map_err(|error| Problem::invalid("x-import-secret", error.to_string()))?))
}
