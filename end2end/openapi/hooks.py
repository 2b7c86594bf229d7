"""What schemathesis is taught of our API, beyond what OpenAPI can say. Each rule names why."""

import ipaddress
import json
import re

import schemathesis
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

networks = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(
    lambda address: str(ipaddress.ip_network(address))
)
schemathesis.openapi.format("cidr", networks)
schemathesis.openapi.format("ip", st.ip_addresses().map(str))


@schemathesis.serializer("application/x-ndjson")
def one_line(ctx, value):
    """A file of one row."""
    return value if isinstance(value, bytes) else json.dumps(value).encode()


# Fields whose rule spans more than the field: a cursor is one that was handed out, a budget has both a size and a
# period, a kind of key has the fields of its kind, an expiry lies in the future. The members of a scope query are told
# in words, as generators of clients don't take the schema of a type that contains itself. How large the limit of a
# budget may be depends on its unit.
OF_SEVERAL = {
    "budgets",
    "key_defaults",
    "spend_limit",
    "spend_limit_period",
    "cursor",
    "token_limit",
    "token_limit_period",
    "kind",
    "permissions",
    "application_id",
    "ApplicationId",
    "max_parallel",
    "scopes",
    "allowed_models",
    "tpm",
    "expires_at",
    "from",
    "to",
    # Rows of an import: what is stored follows its scheme, and a shape must be there. Lengths of a shape are in order.
    "rows",
    "header",
    "scheme",
    "key-shapes",
    "prefix",
    "max_length",
}


KEEPS = (
    "/ingest/",
    "/v1/traces",
    "/v1/logs",
    "/v1/metrics",
    "/api/public/otel/",
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/messages",
    "/v1/responses/",
    "/v1/rerank",
    "/v1/moderations",
    "/v1/images/",
    "/v1/audio/",
)


def is_of_several(response):
    """Whether a refusal names nothing but what no schema can say."""
    try:
        refusal = json.loads(response.text)
    except ValueError:
        return False
    # One key for two bodies: schemathesis has one example of a key.
    if refusal.get("code") == "idempotency_mismatch":
        return True
    errors = refusal.get("errors") or []
    # `scopes.any[0]` is in `scopes`.
    return bool(errors) and all(re.split(r"[.\[]", error["field"])[0] in OF_SEVERAL for error in errors)


@schemathesis.check
def valid_data_is_taken(ctx, response, case):
    """schemathesis' own `positive_data_acceptance`, but for such refusals."""
    if response.status_code == 422 and is_of_several(response):
        return None
    # A budget that a call before has set to next to nothing.
    if response.status_code == 402:
        return None
    # Models have no keys, so their sums can't be narrowed to some keys.
    if response.status_code == 422 and (case.query or {}).get("group_by") == "model":
        return None
    # A model that a page is to begin after, and a response that is to be cancelled, are among those that are there.
    if response.status_code == 400 and case.path in ("/v1/models", "/v1/responses/{id}/cancel"):
        return None
    # The header is made up, and the body is not packed.
    if response.status_code == 400 and "content-encoding" in case.headers:
        return None
    return positive_data_acceptance(ctx, response, case)


@schemathesis.check
def wrong_data_is_refused(ctx, response, case):
    """schemathesis' own `negative_data_rejection`, but for empty query parameters: they are as if left out."""
    if any(value == "" for value in (case.query or {}).values()):
        return None
    # The key's limits come before what is wrong with the request.
    if response.status_code == 402:
        return None
    # A text of more than a body may have: 413, which schemathesis does not count as a refusal.
    if response.status_code == 413:
        return None
    # Ingest keeps what it is given, and what the gateway does not read, the upstream judges.
    if case.path.startswith(KEEPS):
        return None
    return negative_data_rejection(ctx, response, case)
