#!/usr/bin/env bash
# HAProxy 2.6: `core.httpclient()` of Lua makes a call up to four times. A server that closes the connection without an
# answer is asked three times at once (four times over a connection that was open already); with `timeout = 500`, a
# silent one is asked four times in two seconds. Nothing in Lua turns that off, and the caller sees one 502 or 504. A call
# that counts at the other end counts as often, and a time-out is a quarter of the wait.
#
# Debian's haproxy (or the one that is installed).
set -euo pipefail

HAPROXY=2.6.12-1+deb12u4
WORK=$(mktemp -d)
trap 'kill "${PROXY:-}" "${SERVER:-}" 2>/dev/null || true; rm -rf "$WORK"' EXIT
cd "$WORK"

# Its program and libraries, without installing them.
mkdir debian
if (cd debian && apt-get download "haproxy=$HAPROXY" liblua5.3-0 libopentracing1 libopentracing-c-wrapper0) >/dev/null 2>&1; then
    for package in debian/*.deb; do dpkg -x "$package" debian; done
    haproxy() { LD_LIBRARY_PATH=$(dirname "$(find "$WORK/debian" -name 'liblua5.3.so.0')") exec "$WORK/debian/usr/sbin/haproxy" "$@"; }
else
    haproxy() { PATH=$PATH:/usr/sbin exec haproxy "$@"; }
fi
(haproxy -v) | head -n 1

cat >server.py <<'PYTHON'
import socket
import sys
import threading
import time

server = socket.create_server(("127.0.0.1", int(sys.argv[1])))


def serve(connection):
    asked = connection.recv(65536).split(b" ")[1].decode()
    print(asked, flush=True)
    if asked == "/silent":
        time.sleep(20)
    connection.close()


while True:
    threading.Thread(target=serve, args=server.accept()[:1], daemon=True).start()
PYTHON
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
PORT=$(free_port) ASKED=$(free_port)
cat >ask.lua <<LUA
core.register_action("ask", { "http-req" }, function(txn)
    local url = "http://127.0.0.1:$ASKED" .. txn.sf:path()
    local response = core.httpclient():get({ url = url, timeout = 500 })
    txn:set_var("txn.status", response and response.status or 0)
end, 0)
LUA
cat >haproxy.cfg <<CFG
global
    lua-load ask.lua
defaults
    mode http
    timeout connect 2s
    timeout client 30s
    timeout server 30s
frontend web
    bind 127.0.0.1:$PORT
    http-request lua.ask
    http-request return status 200 content-type text/plain lf-string "%[var(txn.status)]"
CFG
timeout 60 python3 server.py "$ASKED" >asked &
SERVER=$!
(haproxy -f haproxy.cfg) >log 2>&1 &
PROXY=$!
for _ in $(seq 50); do
    (: </dev/tcp/127.0.0.1/"$PORT") 2>/dev/null && break
    sleep 0.1
done

ask() { curl --silent --max-time 20 --write-out ' %{time_total}' "http://127.0.0.1:$PORT/$1"; }
read -r closed _ <<<"$(ask closed)"
read -r silent took <<<"$(ask silent)"
counts="$(grep -c closed asked) $(grep -c silent asked)"
echo "closed: $closed after ${counts% *} calls; silent: $silent after ${counts#* } calls and $took s"
[ "$counts" = '3 4' ] && [ "$closed" = 502 ] && [ "$silent" = 504 ] && [ "${took%.*}" -ge 1 ] ||
    { echo 'this has changed' >&2; exit 1; }
