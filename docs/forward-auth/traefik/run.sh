#!/bin/sh
# Starts Traefik with dynamic.yml. Its static settings take no variables in a file, so they are arguments.
# Traefik compares an encoded slash as it is written, and many servers behind decode it: /orders%2f1 would walk around
# the scopes of /orders/. Such paths are refused.
#
#   export LISTEN=127.0.0.1:8080 LATCHKEY_URL=http://127.0.0.1:3000 LATCHKEY_ID=prj_… UPSTREAM_URL=http://127.0.0.1:8000
#   export CHECK_ADDRESS=127.0.0.1:8081    # a free address of this machine, on which Traefik asks itself
#   sh run.sh
set -eu
: "${LATCHKEY_URL:?}" "${LATCHKEY_ID:?}" "${UPSTREAM_URL:?}"
exec "${TRAEFIK:-traefik}" \
    --entryPoints.web.address="$LISTEN" \
    --entryPoints.web.http.encodedCharacters.allowEncodedSlash=false \
    --entryPoints.web.http.encodedCharacters.allowEncodedBackSlash=false \
    --entryPoints.web.http.encodedCharacters.allowEncodedNullCharacter=false \
    --entryPoints.check.address="$CHECK_ADDRESS" \
    --entryPoints.check.forwardedHeaders.trustedIPs=127.0.0.1/32 \
    --providers.file.filename="$(dirname "$0")/dynamic.yml" \
    --providers.file.watch=false \
    --global.checkNewVersion=false --global.sendAnonymousUsage=false \
    --log.level=ERROR
