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

PLACE='' SOCKETS=''
cleanup() {
    [ -z "$PLACE" ] || postgres crash "$PLACE" || true
    rm -rf ${PLACE:+"$PLACE"} ${SOCKETS:+"$SOCKETS"}
}

# As root, PostgreSQL runs as somebody else (scripts/postgres.sh).
OWNER=nobody
if id postgres >/dev/null 2>&1; then OWNER=postgres; fi

# Whether PostgreSQL's data can be kept there: it is reached by who PostgreSQL runs as, and its settings, a line of
# words, can name it.
suits() {
    case $1 in '' | *[!A-Za-z0-9/._+-]*) return 1 ;; esac
    [ -d "$1" ] && { [ "$(id -u)" -ne 0 ] || runuser -u "$OWNER" -- test -x "$1"; }
}

# The data of ten million keys takes several GB, and /tmp may be in memory: with what is built, or else where the
# system keeps what is large and passes.
place() {
    local folder
    mkdir -p "$CARGO_TARGET_DIR"
    for folder in "$CARGO_TARGET_DIR" "${TMPDIR:-}" /var/tmp /tmp; do
        if suits "$folder"; then
            mktemp -d "$folder/postgres.XXXXXX"
            return
        fi
    done
    die "no folder for the data of PostgreSQL is available"
}

free_port() {
    node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close() })'
}

PLACE=$(place)
# Short: a socket's path may have 107 bytes.
SOCKETS=$(mktemp -d /tmp/latchkey-pg.XXXXXX)
if [ "$(id -u)" -eq 0 ]; then chown "$OWNER" "$SOCKETS"; fi
cd "$PLACE"
postgres create "$PLACE"

# Another program may take the port between our asking and PostgreSQL's listening.
for try in 1 2 3; do
    PORT=$(free_port)
    if postgres start "$PLACE" "$PORT" "unix_socket_directories=$SOCKETS" max_connections=300 synchronous_commit=off \
        full_page_writes=off; then break; fi
    [ "$try" -lt 3 ] || { cat "$PLACE/data/server.log" >&2 && die "failed to start PostgreSQL"; }
done

export LATCHKEY_TEST_POSTGRES_URL="postgres://postgres@127.0.0.1:$PORT/postgres"
say "    PostgreSQL $(cat "$PLACE/data/PG_VERSION") at $LATCHKEY_TEST_POSTGRES_URL"
cd "$LATCHKEY_ROOT"
"$@"
