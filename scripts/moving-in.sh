#!/usr/bin/env bash
# Moves in from other key systems that run here by their own packages: they accept the rows that the tests have, and make
# new ones, which Latchkey's tests then import. A LiteLLM proxy, a server with Better Auth and one with Django are moved as
# a whole, with the commands of docs/moving-in.md, and their clients go on. Installs 1 GB in target/moving-in and end2end/moving-in.
#
#   scripts/moving-in.sh
#
# LATCHKEY_BINARY names a server to move to; otherwise it is built.
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$LATCHKEY_ROOT"

PLACE=target/moving-in
SAMPLES=end2end/moving-in/rows.ndjson
MADE=$PLACE/rows.ndjson

# environment NAME PACKAGE…: a Python of its own with exactly these.
environment() {
    local place=$PLACE/$1
    shift
    [ "$(cat "$place/latchkey-lock" 2>/dev/null)" != "$*" ] || return 0
    rm -rf "$place"
    python3 -m venv "$place"
    "$place/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: "$@"
    printf '%s' "$*" >"$place/latchkey-lock"
}

# django NAME: with the packages in this environment. $1 is its name, the rest what made the sample rows.
django() {
    local python=$PLACE/$1/bin/python made_by
    shift
    for made_by in "$@"; do
        grep -F "\"made_by\": \"$made_by\"" "$SAMPLES" | "$python" end2end/moving-in/django.py accept
        say "    $made_by accepts its sample rows"
    done
    "$python" end2end/moving-in/django.py make >>"$MADE"
    "$python" end2end/moving-in/journey_django.py
    say "    A Django server with these has moved, and its clients went on"
}

django_packages() {
    environment django-old 'django==5.2.19' 'djangorestframework==3.18.3' 'djangorestframework-api-key==2.3.0' \
        'django-rest-knox==4.2.0'
    environment django-new 'django==5.2.19' 'djangorestframework==3.18.3' 'djangorestframework-api-key==3.1.0' \
        'django-rest-knox==5.1.0'
    django django-old 'djangorestframework-api-key 2.3.0' 'django-rest-knox 4.2.0'
    django django-new 'djangorestframework-api-key 3.1.0' 'django-rest-knox 5.1.0'
}

# Prisma's scripts would download engines; there is one among the packages.
npm_packages() { (cd end2end/moving-in && npm ci --ignore-scripts --loglevel=error --no-audit --no-fund); }

better_auth() {
    grep -F '"made_by": "better-auth ' "$SAMPLES" | node end2end/moving-in/better-auth.mjs accept
    say "    Better Auth accepts its sample rows"
    node end2end/moving-in/better-auth.mjs make >>"$MADE"
    python3 end2end/moving-in/journey_better_auth.py
    say "    A server with Better Auth has moved, and its clients went on"
}

payload_itself() {
    scripts/with-postgres.sh node end2end/moving-in/payload.mjs | grep '^{' >>"$MADE"
    say "    Payload accepts the keys that it made"
}

litellm_itself() {
    environment litellm 'litellm[proxy]==1.108.7' 'litellm-proxy-extras==0.4.110' 'openai==3.57.0' 'prisma==0.15.0'
    scripts/with-postgres.sh end2end/moving-in/litellm.sh "$PLACE/litellm/bin/python" | grep '^{' >>"$MADE"
    say "    A LiteLLM proxy has moved, and its clients went on"
}

build_server() {
    [ -n "${LATCHKEY_BINARY:-}" ] || cargo build --quiet -p latchkey-server --bin latchkey
}

import_all() {
    LATCHKEY_MOVING_IN_ROWS=$LATCHKEY_ROOT/$MADE scripts/with-postgres.sh \
        cargo test -p latchkey-server --test it -- routes::import::presets_rows
}

mkdir -p "$PLACE"
: >"$MADE"
scripts/bootstrap.sh base postgres moving
npm_packages
build_server
django_packages
better_auth
payload_itself
litellm_itself
say "    Made $(wc -l <"$MADE") rows"
import_all
