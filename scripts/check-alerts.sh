#!/usr/bin/env bash
# Checks what docs/operating gives to whoever watches Latchkey: the alert rules with their tests and the example
# configuration by promtool, the dashboard, and that both and the docs name only metrics and labels that a server shows.
#
#   scripts/check-alerts.sh
#
# It starts target/debug/latchkey for a moment, on free ports of loopback and with a folder of its own.
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$LATCHKEY_ROOT"

RULES=docs/operating/prometheus
LATCHKEY=target/debug/latchkey
WORK=$(mktemp -d)
SERVER=
cleanup() {
    [ -z "$SERVER" ] || { kill -KILL "$SERVER" && wait "$SERVER"; } 2>/dev/null || true
    rm -rf "$WORK"
}

# Two ports that nobody listens on.
free_ports() {
    node -e 'const net = require("net"), all = [1, 2].map(() => net.createServer().listen(0, "127.0.0.1"))
        setTimeout(() => { console.log(...all.map((s) => s.address().port)); all.forEach((s) => s.close()) }, 50)'
}

# What it shows with an upstream, a Redis and a collector that are not there. Settings of whoever runs this don't count.
metrics() {
    local ports try
    cat >"$WORK/upstreams.toml" <<'TOML'
[[upstream]]
name = "vllm"
base_url = "http://127.0.0.1:1/v1"
tiers = ["enterprise"]
models = ["bge-m3"]
TOML
    read -r -a ports <<<"$(free_ports)"
    env -i PATH="$PATH" HOME="$WORK" REDIS_URL=redis://127.0.0.1:1 LATCHKEY_UPSTREAMS="$WORK/upstreams.toml" \
        OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1 \
        LATCHKEY_DATA_DIR="$WORK/data" LATCHKEY_LISTEN="127.0.0.1:${ports[0]}" \
        LATCHKEY_METRICS_LISTEN="127.0.0.1:${ports[1]}" "$LATCHKEY" serve >"$WORK/log" 2>&1 &
    SERVER=$!
    for ((try = 0; try < 300; try++)); do
        if curl --silent --fail --max-time 5 "http://127.0.0.1:${ports[1]}/metrics" >"$WORK/metrics"; then return; fi
        kill -0 "$SERVER" 2>/dev/null || break
        sleep 0.2
    done
    cat "$WORK/log" >&2
    die "$LATCHKEY shows no metrics"
}

have promtool || tools promtool
[ -x "$LATCHKEY" ] || die "$LATCHKEY is missing: run scripts/test.sh alerts, which builds it"

# Only where something is wrong, as it says more than that.
quiet() { "$@" >"$WORK/said" 2>&1 || { cat "$WORK/said" >&2 && die "failed: $*"; }; }

quiet promtool check rules "$RULES/latchkey.rules.yml"
quiet promtool check config "$RULES/prometheus.yml"
quiet promtool test rules "$RULES"/*.test.yml
metrics
promtool check metrics <"$WORK/metrics" || die "promtool finds fault with the metrics"
node scripts/check-alerts.mjs "$WORK/metrics" "$WORK/queries.yml"
quiet promtool check rules "$WORK/queries.yml"
