#!/usr/bin/env bash
# A PostgreSQL in a folder of its own, for tests and benches. It listens on 127.0.0.1 only and trusts everybody there.
#
#   scripts/postgres.sh create FOLDER
#   scripts/postgres.sh follow FOLDER PORT                  a replica of the one at the port, to be started
#   scripts/postgres.sh start FOLDER PORT [NAME=VALUE…]     settings of the server
#   scripts/postgres.sh crash FOLDER                        ends it without a last word to its clients or its disk
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"

COMMAND=${1:?"postgres.sh knows create, follow, start and crash"}
FOLDER=${2:?"postgres.sh wants a folder"}
BIN=$(find_postgres) || die "PostgreSQL is not installed; run scripts/bootstrap.sh postgres"

# PostgreSQL refuses to run as root.
OWNER=nobody
if id postgres >/dev/null 2>&1; then OWNER=postgres; fi
as_postgres() {
    if [ "$(id -u)" -eq 0 ]; then
        runuser -u "$OWNER" -- "$@"
    else
        "$@"
    fi
}

cd "$FOLDER"
case $COMMAND in
    create)
        if [ "$(id -u)" -eq 0 ]; then chown "$OWNER" "$FOLDER"; fi
        as_postgres "$BIN/initdb" -D "$FOLDER/data" -U postgres --auth=trust --encoding=UTF8 --locale=C --no-sync \
            >"$FOLDER/initdb.log" 2>&1 || { cat "$FOLDER/initdb.log" >&2 && die "initdb failed"; }
        ;;
    follow)
        if [ "$(id -u)" -eq 0 ]; then chown "$OWNER" "$FOLDER"; fi
        as_postgres "$BIN/pg_basebackup" -D "$FOLDER/data" -h 127.0.0.1 -p "${3:?"postgres.sh follow wants a port"}" \
            -U postgres --write-recovery-conf --checkpoint=fast --no-sync ||
            die "pg_basebackup failed"
        ;;
    start)
        SETTINGS="-p ${3:?"postgres.sh start wants a port"} -k $FOLDER -c listen_addresses=127.0.0.1 -c fsync=off"
        for setting in "${@:4}"; do SETTINGS="$SETTINGS -c $setting"; done
        as_postgres "$BIN/pg_ctl" -D "$FOLDER/data" -l "$FOLDER/data/server.log" -w -t 60 -o "$SETTINGS" start >/dev/null
        ;;
    crash) as_postgres "$BIN/pg_ctl" -D "$FOLDER/data" -m immediate stop >/dev/null 2>&1 ;;
    *) die "unknown command '$COMMAND'; use create, follow, start or crash" ;;
esac
