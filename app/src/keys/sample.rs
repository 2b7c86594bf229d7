//! A key that the tests of several modules start from.

use latchkey_domain::api::ApiKey;
use serde_json::{Value, json};

/// An active inference key without limits, with other values for `fields`.
pub(crate) fn key(fields: &Value) -> ApiKey {
    let mut key = json!({
        "id": "key_01h455vb4pex5vsknk084sn02q", "kind": "inference",
        "project_id": "prj_01h455vb4pex5vsknk084sn02q", "application_id": null,
        "name": "Support", "environment": "live", "masked": "lk_live_7Qm2...x9Kd",
        "status": "active", "archived": false, "disabled": false, "external_id": null,
        "metadata": {}, "tags": [], "scopes": [], "rpm": null, "tpm": null, "max_parallel": null,
        "budgets": [], "token_limit": null, "token_limit_period": null, "spend_limit": null,
        "spend_limit_period": null, "allowed_models": null, "allowed_cidrs": null,
        "created_at": "2026-01-01T00:00:00Z", "created_by": "usr_01h455vb4pex5vsknk084sn02q",
        "expires_at": null, "revoked_at": null, "archived_at": null, "last_used_at": null,
        "permissions": null,
    });
    let fields = fields.as_object().expect("the fields are an object").clone();
    key.as_object_mut().expect("a key is an object").extend(fields);
    serde_json::from_value(key).expect("the fields are those of a key")
}
