"""The way of a program that uses the client that openapi-python-client made of /openapi.json: it makes a project
and a key, has the key verified, revokes it, and reads what the audit log says of it."""

import os
import uuid

from latchkey_client import AuthenticatedClient
from latchkey_client.api.audit import list_audit_events
from latchkey_client.api.keys import create_key, revoke_key, verify_key
from latchkey_client.api.sessions import get_me
from latchkey_client.api.workspace import create_project
from latchkey_client.models import (
    AuditAction,
    CreatedKey,
    Environment,
    KeyRequest,
    Problem,
    Project,
    ProjectRequest,
    VerifyAnswer,
    VerifyRequest,
)


def client(credential):
    return AuthenticatedClient(base_url=os.environ["LATCHKEY_URL"], token=os.environ[credential])


person, backend = client("LATCHKEY_TOKEN"), client("LATCHKEY_SERVICE_KEY")
organization = get_me.sync(client=person).organizations[0].id

made = create_project.sync(organization, client=person, body=ProjectRequest(name="Generated for Python"))
assert isinstance(made, Project), made

body = KeyRequest(name="Python", environment=Environment.LIVE, rpm=600)
created = create_key.sync(
    os.environ["LATCHKEY_PROJECT"], client=backend, body=body, idempotency_key=str(uuid.uuid4())
)
assert isinstance(created, CreatedKey), created


def verified(**more):
    return verify_key.sync(client=backend, body=VerifyRequest(key=created.key, **more))


before = verified(cost=1)
assert isinstance(before, VerifyAnswer), before
assert (before.valid, before.key_id, before.ratelimit.limit) == (True, created.api_key.id, 600), before

assert revoke_key.sync_detailed(created.api_key.id, client=backend).status_code == 204
after = verified()
assert (after.valid, str(after.code)) == (False, "revoked_key"), after

wrong = verified(ip="no address")
assert isinstance(wrong, Problem) and [one.field for one in wrong.errors] == ["ip"], wrong

events = list_audit_events.sync(organization, client=person, action=AuditAction.KEY_REVOKED, limit=1)
assert [(one.action, one.target.id) for one in events.data] == [(AuditAction.KEY_REVOKED, created.api_key.id)], events
print("openapi-python-client: made, verified, revoked and found in the audit log")
