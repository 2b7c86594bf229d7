#!/usr/bin/env bash
# litellm[proxy] with a master key and without a database: a wrong key is answered with 400, not 401. Its error has the
# type `no_db_connection` and the words “No connected db.”, which say nothing of keys. No key at all is 500. Whoever
# stands before it must read this 400 as a refusal of their credential, not as a fault of their client's request.
set -euo pipefail

WORK=$(mktemp -d)
trap 'kill "${SERVER:-}" 2>/dev/null || true; rm -rf "$WORK"' EXIT
python3 -m venv "$WORK/venv"
"$WORK/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: 'litellm[proxy]==1.108.7'

cat >"$WORK/config.yaml" <<'YAML'
model_list:
  - model_name: said
    litellm_params: { model: openai/said, api_key: none, mock_response: "All is well" }
general_settings: { master_key: sk-master }
YAML
PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
(
    cd "$WORK"
    LITELLM_LOCAL_MODEL_COST_MAP=True exec timeout 300 "$WORK/venv/bin/litellm" --config config.yaml \
        --host 127.0.0.1 --port "$PORT" --telemetry False
) >"$WORK/log" 2>&1 &
SERVER=$!
for _ in $(seq 120); do
    curl --silent --output /dev/null "http://127.0.0.1:$PORT/health/liveliness" && break
    sleep 1
done

ask() {
    curl --silent --max-time 30 --write-out '\n%{http_code}\n' "http://127.0.0.1:$PORT/v1/chat/completions" \
        --header 'content-type: application/json' "$@" \
        --data '{"model": "said", "messages": [{"role": "user", "content": "Hi"}]}'
}
"$WORK/venv/bin/pip" list --disable-pip-version-check 2>/dev/null | grep '^litellm '
right=$(ask --header 'authorization: Bearer sk-master' | tail -n 1)
none=$(ask | tail -n 1)
wrong=$(ask --header 'authorization: Bearer sk-other')
printf 'the right key: %s; no key: %s; a wrong key:\n%s\n' "$right" "$none" "$wrong"
[ "$right" = 200 ] && [ "$none" = 500 ] && [ "$(tail -n 1 <<<"$wrong")" = 400 ] &&
    grep -q '"no_db_connection"' <<<"$wrong" || { echo 'this has changed' >&2; exit 1; }
