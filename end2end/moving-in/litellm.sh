#!/usr/bin/env bash
# LiteLLM on an empty PostgreSQL with the tables of its own migrations: its proxy is moved to Latchkey, and a row, whose
# key its own function digests, is exported by the query that docs/moving-in.md gives. The argument is a Python that has it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

PYTHON=$1
export LITELLM_LOCAL_MODEL_COST_MAP=True
PATH=$PATH:$(find /usr/lib/postgresql -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1)
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

# Another database beside the one for the row.
JOURNEY=${LATCHKEY_TEST_POSTGRES_URL%/*}/journey
query() { psql -At -v ON_ERROR_STOP=1 "$LATCHKEY_TEST_POSTGRES_URL" "$@"; }

MIGRATIONS=$("$PYTHON" -c 'import litellm_proxy_extras as x; print(x.__path__[0])')/migrations
for folder in "$MIGRATIONS"/*/; do
    cat "$folder/migration.sql"
    echo
done >"$WORK/schema.sql"
# Some columns of its history are there twice, and some are dropped that never were.
query -q -c 'CREATE DATABASE journey'
for database in "$LATCHKEY_TEST_POSTGRES_URL" "$JOURNEY"; do
    psql -q "$database" -f "$WORK/schema.sql" >"$WORK/log" 2>&1
done

# Prisma's client for Python, as LiteLLM installs it: made from its schema, for this system alone. To make it, Prisma starts
# no engine, but wants to see the files.
PROXY=$("$PYTHON" -c 'import litellm; print(litellm.__path__[0])')/proxy
sed 's/binaryTargets = .*/binaryTargets = ["native"]/' "$PROXY/schema.prisma" >"$WORK/schema.prisma"
ENGINE=$PWD/end2end/moving-in/prisma-engine.mjs
env PATH="$(cd "$(dirname "$PYTHON")" && pwd):$PATH" CHECKPOINT_DISABLE=1 PRISMA_QUERY_ENGINE_BINARY="$ENGINE" \
    PRISMA_QUERY_ENGINE_LIBRARY="$ENGINE" PRISMA_SCHEMA_ENGINE_BINARY="$ENGINE" \
    end2end/moving-in/node_modules/.bin/prisma generate --schema "$WORK/schema.prisma" >"$WORK/log" 2>&1 ||
    { cat "$WORK/log" >&2; exit 1; }
DATABASE_URL=$JOURNEY "$PYTHON" end2end/moving-in/journey_litellm.py >&2

cat >"$WORK/key.py" <<'PYTHON'
import secrets

from litellm.proxy.utils import hash_token

key = f"sk-{secrets.token_urlsafe(16)}"
print(key, hash_token(key))
PYTHON
read -r KEY DIGEST < <("$PYTHON" "$WORK/key.py" | tail -n 1)
query -q -c "INSERT INTO \"LiteLLM_VerificationToken\" (token, key_name, key_alias, spend, models, max_budget,
    budget_duration, rpm_limit, tpm_limit, max_parallel_requests, user_id, team_id, metadata) VALUES ('$DIGEST',
    'sk-...${KEY: -4}', 'checkout', 1.25, '{gpt-5}', 25, '30d', 60, 1000, 3, 'u1', 't1', '{\"cost\": \"web\"}')"

for name in litellm litellm-deprecated; do
    awk -v first="-- $name.sql" '/^```$/ { on = 0 } on { print } $0 == first { on = 1 }' docs/moving-in.md >"$WORK/$name.sql"
    query -f "$WORK/$name.sql" >"$WORK/$name.ndjson"
done
"$PYTHON" - "$KEY" "$WORK/litellm.ndjson" <<'PYTHON'
import json
import sys

row = json.loads(open(sys.argv[2]).read())
print(json.dumps({"made_by": "litellm 1.108.7", "preset": "litellm", "key": sys.argv[1], "row": row}))
PYTHON
