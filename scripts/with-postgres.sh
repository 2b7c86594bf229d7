#!/usr/bin/env bash
# Runs a command beside a PostgreSQL of its own, which lives as long as the command does.
#
#   scripts/with-postgres.sh COMMAND…
#
# LATCHKEY_TEST_POSTGRES_URL names it to the command: a superuser, so that each test makes a database for
# itself. It listens on 127.0.0.1 only, on a free port, and keeps nothing.
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"

postgres() { "$LATCHKEY_ROOT/scripts/postgres.sh" "$@"; }

# Short: a socket's path may have 107 bytes.
PLACE=$(mktemp -d /tmp/latchkey-pg.XXXXXX)
cd "$PLACE"

cleanup() {
    postgres crash "$PLACE" || true
    rm -rf "$PLACE"
}

free_port() {
    node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close() })'
}

postgres create "$PLACE"

# Another program may take the port between our asking and PostgreSQL's listening.
for try in 1 2 3; do
    PORT=$(free_port)
    if postgres start "$PLACE" "$PORT" max_connections=300 synchronous_commit=off full_page_writes=off; then break; fi
    [ "$try" -lt 3 ] || { cat "$PLACE/data/server.log" >&2 && die "PostgreSQL did not start"; }
done

export LATCHKEY_TEST_POSTGRES_URL="postgres://postgres@127.0.0.1:$PORT/postgres"
say "    PostgreSQL $(cat "$PLACE/data/PG_VERSION") at $LATCHKEY_TEST_POSTGRES_URL"
cd "$LATCHKEY_ROOT"
"$@"
