#!/bin/sh
# Starts Envoy with envoy.yaml.template. Envoy's files take no variables, so this puts them in.
#
#   export LISTEN=127.0.0.1:8080 LATCHKEY_ADDRESS=127.0.0.1:3000 LATCHKEY_ID=prj_… UPSTREAM_ADDRESS=127.0.0.1:8000
#   sh run.sh
set -eu
config=$(sed \
    -e "s/\${LISTEN_HOST}/${LISTEN%:*}/; s/\${LISTEN_PORT}/${LISTEN##*:}/" \
    -e "s/\${LATCHKEY_HOST}/${LATCHKEY_ADDRESS%:*}/; s/\${LATCHKEY_PORT}/${LATCHKEY_ADDRESS##*:}/" \
    -e "s/\${UPSTREAM_HOST}/${UPSTREAM_ADDRESS%:*}/; s/\${UPSTREAM_PORT}/${UPSTREAM_ADDRESS##*:}/" \
    -e "s/\${LATCHKEY_ID}/$LATCHKEY_ID/" \
    "$(dirname "$0")/envoy.yaml.template")
exec "${ENVOY:-envoy}" --config-yaml "$config" --disable-hot-restart "$@"
