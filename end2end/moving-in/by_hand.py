"""Rows of systems that no light package runs, made as their sources digest keys.

    python by_hand.py > by-hand.ndjson

It needs Python before 3.13, for bcrypt. The keys are always the same; a salt of bcrypt too.
"""

import base64
import crypt
import hashlib
import hmac
import json


def show(system: str, preset: str, key: str, row: dict, secret: str | None = None) -> None:
    print(json.dumps({"made_by": system, "preset": preset, "key": key, "secret": secret, "row": row}))


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


CREATED = "2026-11-30 14:47:33.120000+00"

key = "prod_3ZgVqwEJkMnRc9TfXh2sYb4d"
digest = base64.b64encode(hashlib.sha256(key.encode()).digest()).decode()
row = {"id": "key_1", "hash": digest, "start": "prod_3ZgV", "name": "web", "enabled": 1, "created_at_m": 1796050053120}
show("Unkey", "unkey", key, row)

key = "acme_BRTRKFsL_51FwqftsmMDHHbJAMEXXHCgG"
row = {"id": "key_2", "hash": sha256(key.rsplit("_", 1)[1]), "start": "acme_", "pending_migration_id": "acme"}
show("Unkey, migration pending", "unkey", key, row)

key = "17|bAm3P9sQf6dWz1xKcV8yRt2hJ0nLgE5uTiOoZkXyc0f1a2b3"
row = {"id": 17, "tokenable_id": 4, "name": "mobile", "token": sha256(key.split("|")[1]), "abilities": '["*"]'}
show("Laravel Sanctum", "sanctum", key, {**row, "created_at": "2026-11-01 00:00:00"})

key = "uk_live_V1StGXR8_Z5jdHi6B-myT0123456789a"
row = {"keyPrefix": key[:12], "keyHash": sha256(key), "name": "Server", "isTest": False}
show("UploadKit", "uploadkit", key, {**row, "createdAt": "2026-11-30T14:47:33.120Z"})

key = "upblit_q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k"
show("Upblit", "upblit", key, {"id": 3, "api_key": key.removeprefix("upblit_"), "application_id": 9, "project_id": 2})

key, salt = "0f" * 128, "a salt of Strapi"
digest = hmac.new(salt.encode(), key.encode(), "sha512").hexdigest()
row = {"id": 1, "name": "Site", "type": "read-only", "access_key": digest, "created_at": CREATED}
show("Strapi", "strapi", key, row, salt)

key, secret = "7f0a3a51-6a0e-4d0a-9a7e-0d7f6ad3c1b2", "a secret of Payload"
digest = hmac.new(sha256(secret)[:32].encode(), key.encode(), "sha256").hexdigest()
row = {"id": 5, "email": "bot@example.com", "enable_a_p_i_key": True, "api_key_index": digest, "created_at": CREATED}
show("Payload", "payload", key, row, secret)

key, salt = "sk-lf-7f0a3a51-6a0e-4d0a-9a7e-0d7f6ad3c1b2", "a salt of Langfuse"
row = {"id": "c1", "public_key": "pk-lf-1", "fast_hashed_secret_key": sha256(key + sha256(salt)), "project_id": "p1"}
show("Langfuse", "langfuse", key, {**row, "display_secret_key": "sk-lf-...c1b2", "created_at": CREATED}, salt)

key = "phx_1Yb3kQz7WmXoPl5sTgVhRdUcNfEjAi2B9Kd2"
row = {"label": "CI", "secure_value": "sha256$" + sha256(key), "mask_value": "phx_...9Kd2", "scopes": ["*"]}
show("PostHog", "posthog", key, {**row, "created_at": CREATED})

payload = base64.b64encode(b'{"iat": 1796050053.12, "url": "https://sentry.example", "org": "acme"}').decode()
key = f"sntrys_{payload}_k1Yb3kQz7WmXoPl5sTgVhRdUcNfEjAi2B9Kd2/kQz7W"
row = {"id": 1, "organization_id": 8, "name": "deploy", "token_hashed": sha256(key), "scope_list": ["org:ci"]}
show("Sentry", "sentry", key, {**row, "token_last_characters": key[-4:], "date_added": CREATED})

key = "sk-helicone-eu-3kq7zxa-m5vb2ni-wr6tgyi-x4cpd2a"
row = {"id": 4, "api_key_hash": sha256("Bearer " + key), "api_key_name": "prod", "key_permissions": "rw"}
show("Helicone", "helicone", key, {**row, "soft_delete": False, "created_at": CREATED})

key = "V1StGXR8_Z5jdHi6B-myT9876543210a"
row = {"id": "2f0a3a51", "email": "cms@example.com", "token": key, "status": "active", "last_access": None}
show("Directus", "directus", key, row)

key = "n8n_api_" + "0f" * 40
show("n8n", "n8n", key, {"id": "k1", "userId": "u1", "label": "My API Key", "apiKey": key, "scopes": "[]"})

key, salt = "2233445566778899aabbccddee001a2b3c4d5e6f", "aB3dEf9hIj"
digest = hashlib.pbkdf2_hmac("sha256", key.encode(), salt.encode(), 10_000, 50).hex()
row = {"id": 1, "uid": 2, "name": "runner", "token_hash": digest, "token_salt": salt, "token_last_eight": key[-8:]}
show("Gitea", "gitea", key, {**row, "scope": "read:user", "created_unix": 1796050053, "updated_unix": 1796050053})

key = "mb_7kQ2" + "x" * 39 + "="
row = {"id": 1, "user_id": 5, "name": "BI", "key_prefix": key[:7], "created_at": CREATED}
show("Metabase", "metabase", key, {**row, "key": crypt.crypt(key, "$2a$06$abcdefghijklmnopqrstuu")})
