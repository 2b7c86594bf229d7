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

BIN=$(find_postgres) || die "PostgreSQL is missing: scripts/bootstrap.sh postgres installs it."

# PostgreSQL refuses to run as root.
as_postgres() {
    if [ "$(id -u)" -eq 0 ]; then
        runuser -u "$OWNER" -- "$@"
    else
        "$@"
    fi
}
OWNER=nobody
if id postgres >/dev/null 2>&1; then OWNER=postgres; fi

# Short: a socket's path may have 107 bytes.
PLACE=$(mktemp -d /tmp/latchkey-pg.XXXXXX)
if [ "$(id -u)" -eq 0 ]; then chown "$OWNER" "$PLACE"; fi
cd "$PLACE"

cleanup() {
    as_postgres "$BIN/pg_ctl" -D "$PLACE/data" -m immediate stop >/dev/null 2>&1 || true
    rm -rf "$PLACE"
}

free_port() {
    node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close() })'
}

as_postgres "$BIN/initdb" -D "$PLACE/data" -U postgres --auth=trust --encoding=UTF8 --locale=C --no-sync \
    >"$PLACE/initdb.log" 2>&1 || { cat "$PLACE/initdb.log" >&2 && die "initdb failed"; }

# Another program may take the port between our asking and PostgreSQL's listening.
for try in 1 2 3; do
    PORT=$(free_port)
    if as_postgres "$BIN/pg_ctl" -D "$PLACE/data" -l "$PLACE/data/server.log" -w -t 60 -o "-p $PORT -k $PLACE \
        -c listen_addresses=127.0.0.1 -c max_connections=300 -c fsync=off -c synchronous_commit=off \
        -c full_page_writes=off" start >/dev/null; then
        break
    fi
    [ "$try" -lt 3 ] || { cat "$PLACE/data/server.log" >&2 && die "PostgreSQL did not start"; }
done

export LATCHKEY_TEST_POSTGRES_URL="postgres://postgres@127.0.0.1:$PORT/postgres"
say "    PostgreSQL $(cat "$PLACE/data/PG_VERSION") at $LATCHKEY_TEST_POSTGRES_URL"
cd "$LATCHKEY_ROOT"
"$@"
