# shellcheck shell=bash
# What every script here shares: where the tools are, which Rust is used, and how a step is told.
# Source it (`. scripts/env.sh`) to call cargo by hand as the scripts do. Works in bash 3.2 (macOS) too.

LATCHKEY_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Tools that are built once are kept outside the checkout, so that a fresh clone finds them again.
LATCHKEY_TOOLS=${LATCHKEY_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/latchkey}
export LATCHKEY_ROOT LATCHKEY_TOOLS

# `bootstrap.sh` records here what it decided for this machine (RUSTUP_TOOLCHAIN, for example).
read_tools() {
    # shellcheck source=/dev/null
    [ ! -f "$LATCHKEY_TOOLS/env" ] || . "$LATCHKEY_TOOLS/env"
}
read_tools

case ":$PATH:" in
    *":$LATCHKEY_TOOLS/bin:"*) ;;
    *)
        PATH="$LATCHKEY_TOOLS/bin:$LATCHKEY_ROOT/style/node_modules/.bin:$LATCHKEY_ROOT/end2end/node_modules/.bin:$PATH"
        # A rustup that was installed a minute ago isn't on this shell's PATH yet.
        PATH="$PATH:${CARGO_HOME:-$HOME/.cargo}/bin"
        ;;
esac
export PATH

# The folder is part of what the server embeds: a folder set elsewhere would part the two.
export CARGO_TARGET_DIR="$LATCHKEY_ROOT/target"
# Its own folder, the one cargo-leptos uses, so that both halves build at the same time.
export LATCHKEY_FRONT_TARGET_DIR="$CARGO_TARGET_DIR/front"

# Leptos' component types erased: two thirds of the WebAssembly, a fraction of the compile time. The server
# has it too, as both must agree on the markup they hydrate, and every build, so that tests test what runs.
# cargo-leptos sets the same flag; with another one, everything would be built twice.
case " ${RUSTFLAGS:-} " in
    *" erase_components "*) ;;
    *) export RUSTFLAGS="${RUSTFLAGS:+$RUSTFLAGS }--cfg erase_components" ;;
esac

say() { printf '%s\n' "$*"; }
die() {
    printf '\nlatchkey: %s\n' "$*" >&2
    exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

# Chromium where the tests can drive it; the answer is its path.
find_chromium() {
    local name
    for name in "${LATCHKEY_CHROMIUM:-}" chromium chromium-browser google-chrome google-chrome-stable \
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"; do
        # Ubuntu's is a stand-in that wants a snap.
        if [ -n "$name" ] && have "$name" && ! grep -qs 'snap install' "$(command -v "$name")"; then
            command -v "$name"
            return
        fi
    done
    (cd "$LATCHKEY_ROOT/end2end" && node -e '
        const path = require("@playwright/test").chromium.executablePath();
        if (!require("fs").existsSync(path)) process.exit(1);
        console.log(path)') 2>/dev/null
}

# The folder of PostgreSQL's programs, the newest; Debian keeps them off PATH.
find_postgres() {
    local folder
    for folder in /usr/lib/postgresql/*/bin /opt/homebrew/opt/postgresql*/bin /usr/local/opt/postgresql*/bin \
        "$(pg_config --bindir 2>/dev/null || true)"; do
        if [ -x "$folder/initdb" ] && [ -x "$folder/pg_ctl" ]; then echo "$folder"; fi
    done | tail -n 1 | grep .
}

# Milliseconds; whole seconds where bash is too old to know better.
now_ms() {
    if [ -n "${EPOCHREALTIME:-}" ]; then
        local now=${EPOCHREALTIME/[.,]/}
        echo "${now%???}"
    else
        echo "$(date +%s)000"
    fi
}
seconds() { printf '%d.%d' "$(($1 / 1000))" "$(($1 % 1000 / 100))"; }

# A step's beginning and end are noted in a file that child scripts share: the closing table has them all.
if [ -z "${LATCHKEY_STEPS:-}" ]; then
    LATCHKEY_STEPS=$(mktemp "${TMPDIR:-/tmp}/latchkey-steps.XXXXXX")
    LATCHKEY_STEPS_OWNER=$$
    LATCHKEY_STEP_PARENT=0
    LATCHKEY_BEGAN=$(now_ms)
    export LATCHKEY_STEPS LATCHKEY_STEPS_OWNER LATCHKEY_STEP_PARENT LATCHKEY_BEGAN
fi
LATCHKEY_STEP_COUNT=0

# Called when a script ends, however it ends; a script adds its own by defining `cleanup`,
# which finds the status in EXIT_STATUS (0 too when a signal ended the script).
at_exit() {
    # shellcheck disable=SC2034 # For `cleanup`.
    EXIT_STATUS=$?
    beside_stop
    if [ "$(type -t cleanup)" = function ]; then cleanup; fi
    if [ "$LATCHKEY_STEPS_OWNER" = $$ ]; then rm -f "$LATCHKEY_STEPS"; fi
}
case $- in
    *i*) rm -f "$LATCHKEY_STEPS" && unset LATCHKEY_STEPS ;; # Sourced by a person.
    *) trap at_exit EXIT ;;
esac

# step WORDS COMMAND…: says what it does, does it, and says how long that took. The command may be a
# function; it runs in a subshell under `set -e`, which bash ignores if `step` stands in `if`, `&&` or `||`.
step() {
    local words=$1 id began status took
    shift
    # shellcheck disable=SC2031 # This shell's own.
    LATCHKEY_STEP_COUNT=$((LATCHKEY_STEP_COUNT + 1))
    id=$LATCHKEY_STEP_PARENT.$LATCHKEY_STEP_COUNT
    printf '==> %s\n' "$words"
    printf 'begin|%s|%s|%s\n' "$id" "$LATCHKEY_STEP_PARENT" "$words" >>"$LATCHKEY_STEPS"
    began=$(now_ms)
    set +e
    (
        # shellcheck disable=SC2030,SC2031 # Meant for this step alone.
        LATCHKEY_STEP_PARENT=$id LATCHKEY_STEP_COUNT=0
        set -e
        "$@"
    )
    status=$?
    set -e
    took=$(($(now_ms) - began))
    printf 'end|%s|%s|%s\n' "$id" "$took" "$status" >>"$LATCHKEY_STEPS"
    if [ "$status" -eq 0 ]; then
        printf '    %s: %s s\n' "$words" "$(seconds "$took")"
    else
        printf '*** FAILED: %s (exit %s, after %s s)\n' "$words" "$status" "$(seconds "$took")" >&2
    fi
    return "$status"
}

# with_progress cargo …: says how many crates are built, instead of a line for each. Needs Node.js, and `pipefail`
# to fail as cargo does.
with_progress() {
    local colour=never
    [ ! -t 2 ] || colour=always
    {
        CARGO_TERM_PROGRESS_WHEN=always CARGO_TERM_PROGRESS_WIDTH=120 CARGO_TERM_COLOR=$colour \
            "$@" 2>&1 >&3 3>&- | node "$LATCHKEY_ROOT/scripts/progress.mjs" >&2 3>&-
    } 3>&1
}

# tools WHAT…: makes sure of them. What was decided for this machine holds for this shell too, which has read
# the record of an earlier run, or none.
tools() {
    step "Tools" scripts/bootstrap.sh "$@"
    read_tools
}

# beside WORDS COMMAND…: a step in the background, one at a time. Its output is kept for `beside_join`.
beside() {
    BESIDE_WORDS=$1
    BESIDE_LOG=$(mktemp "${TMPDIR:-/tmp}/latchkey-beside.XXXXXX")
    say "==> $1 (in parallel; its output follows when it finishes)"
    # Its own process group: ended as a whole when the step in front of it fails.
    set -m
    step "$@" >"$BESIDE_LOG" 2>&1 </dev/null &
    BESIDE_PID=$!
    set +m
    # shellcheck disable=SC2031 # This shell's own.
    LATCHKEY_STEP_COUNT=$((LATCHKEY_STEP_COUNT + 1))
}

# Shows what `beside` began has said and still says, waits for it and fails as it failed.
beside_join() {
    local status=0 reader
    tail -n +1 -f "$BESIDE_LOG" &
    reader=$!
    wait "$BESIDE_PID" || status=$?
    BESIDE_PID=
    # The reader looks once a second.
    sleep 1.2
    kill "$reader" 2>/dev/null || true
    wait "$reader" 2>/dev/null || true
    rm -f "$BESIDE_LOG"
    return "$status"
}

beside_stop() {
    [ -n "${BESIDE_PID:-}" ] || return 0
    kill -- "-$BESIDE_PID" 2>/dev/null || true
    BESIDE_PID=
    say "    (stopped: $BESIDE_WORDS; its last output:)"
    tail -n 5 "$BESIDE_LOG" | sed 's/^/    | /'
    rm -f "$BESIDE_LOG"
}

# The closing table: each step with its seconds, and the total.
steps_table() {
    local total=$(($(now_ms) - LATCHKEY_BEGAN))
    printf '\n'
    awk -F'|' '
        function show(id, indent,    i, state) {
            if (id != 0) {
                state = !(id in took) ? "not finished" : status[id] == 0 ? "" : "FAILED"
                printf "  %*s%-*s %8.1f s  %s\n", indent, "", 64 - indent, words[id], took[id] / 1000, state
                indent += 2
            }
            for (i = 1; i <= n; i++) if (parent[order[i]] == id) show(order[i], indent)
        }
        $1 == "begin" { order[++n] = $2; parent[$2] = $3; words[$2] = $4 }
        $1 == "end"   { took[$2] = $3; status[$2] = $4 }
        END           { show("0", 0) }' "$LATCHKEY_STEPS" | sed 's/ *$//'
    printf '  %-64s %8s s\n\n' 'Total' "$(seconds "$total")"
}
