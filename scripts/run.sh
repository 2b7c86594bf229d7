#!/usr/bin/env bash
# `make run`: from a clean clone to a running Latchkey. Both halves are built at the same time.
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$LATCHKEY_ROOT"

build_server() { with_progress cargo build -p latchkey-server --bin latchkey; }

# What signs in locally: the server shows it in its log too, but the link is better not looked for.
local_code() { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; }

# Opens the page when the server answers, where a person sits in front of it.
open_browser() {
    local opener=
    if [ -z "${CI:-}" ] && [ -t 1 ]; then
        if [ "$(uname -s)" = Darwin ]; then
            opener=open
        elif [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ] && have xdg-open; then
            opener=xdg-open
        fi
    fi
    [ -n "$opener" ] || return 0
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        sleep 0.5
        if curl --silent --fail --output /dev/null "$1/healthz"; then
            "$opener" "$2" >/dev/null 2>&1
            return
        fi
    done
}

mkdir -p target/site # The server is compiled against the folder; its content is read when it runs.
tools base
beside "Build the site (WebAssembly, CSS, fonts)" scripts/build-site.sh dev
step "Build the server" build_server
beside_join
steps_table

URL=${LATCHKEY_PUBLIC_URL:-http://${LATCHKEY_LISTEN:-127.0.0.1:3000}}
LINK=$URL
if [ -z "${LATCHKEY_GITHUB_CLIENT_ID:-}" ]; then
    if [ -z "${LATCHKEY_LOCAL_CODE:-}" ]; then
        LATCHKEY_LOCAL_CODE=$(local_code)
        export LATCHKEY_LOCAL_CODE
    fi
    case $LATCHKEY_LOCAL_CODE in
        # The server's log has the link with such a code.
        *[!A-Za-z0-9._~-]*) ;;
        *) LINK="$URL/login#code=$LATCHKEY_LOCAL_CODE" ;;
    esac
fi
say "Latchkey is running at $LINK (press Ctrl-C to stop)"
open_browser "$URL" "$LINK" &
rm -f "$LATCHKEY_STEPS"
exec target/debug/latchkey serve
