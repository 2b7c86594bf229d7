#!/usr/bin/env bash
# django-rest-knox 4.2 digests the bytes that a token is the hexadecimal form of, 5 the token's text: its function first
# encodes the text in hexadecimal and then decodes that. Both are SHA-512 in the same column, and the upgrade keeps the
# rows. So no token of before is accepted after it, without a word in the notes of the release. Whoever reads such a table
# must tell the two apart: by the length of `token_key`, 8 characters before 5 and 15 since.
set -euo pipefail

WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
cat >"$WORK/digest.py" <<'PYTHON'
import sys

import django
from django.conf import settings

settings.configure(INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "rest_framework", "knox"])
django.setup()
from knox.crypto import hash_token
from knox.settings import CONSTANTS

print(CONSTANTS.TOKEN_KEY_LENGTH, hash_token(sys.argv[1]))
PYTHON
TOKEN=45cbafc21e066caab57c528ac0dab4c58478feccdac068ac3d50508df67bcbce
for version in 4.2.0 5.1.0; do
    python3 -m venv "$WORK/$version"
    "$WORK/$version/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: \
        'django==5.2.19' 'djangorestframework==3.18.3' "django-rest-knox==$version"
    "$WORK/$version/bin/python" "$WORK/digest.py" "$TOKEN" >"$WORK/$version.txt"
    printf '%s: %.40s…\n' "$version" "$(cat "$WORK/$version.txt")"
done
of_bytes=$(python3 -c 'import hashlib, sys; print(hashlib.sha512(bytes.fromhex(sys.argv[1])).hexdigest())' "$TOKEN")
of_text=$(printf %s "$TOKEN" | sha512sum | cut -d ' ' -f 1)
[ "$(cat "$WORK/4.2.0.txt")" = "8 $of_bytes" ] && [ "$(cat "$WORK/5.1.0.txt")" = "15 $of_text" ] ||
    { echo 'this has changed' >&2; exit 1; }
