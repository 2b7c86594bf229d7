#!/usr/bin/env bash
# nginx: a `set` in a `server` runs again for the request that `auth_request` makes. Variables are shared with the main
# request, so it overwrites what the main request's `location` has set, although that is more specific and ran last.
# A check that should ask for something in one location asks for the server's default everywhere. As a `map`, the default
# holds until a location sets the variable.
#
# Debian's nginx (or the one that is installed).
set -euo pipefail

NGINX=1.22.1-9+deb12u11
WORK=$(mktemp -d)
trap 'kill "${PROXY:-}" "${SERVER:-}" 2>/dev/null || true; rm -rf "$WORK"' EXIT
chmod 755 "$WORK"
cd "$WORK"

# Its program, without installing it.
mkdir debian
if (cd debian && apt-get download "nginx=$NGINX") >/dev/null 2>&1; then
    for package in debian/*.deb; do dpkg -x "$package" debian; done
    NGINX_PROGRAM=$WORK/debian/usr/sbin/nginx
else
    NGINX_PROGRAM=$(PATH=$PATH:/usr/sbin command -v nginx)
fi
"$NGINX_PROGRAM" -v 2>&1

cat >server.py <<'PYTHON'
import http.server
import sys


class Check(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        print(self.path, self.headers.get("x-wanted"), flush=True)
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Check).serve_forever()
PYTHON
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
PORT=$(free_port) ASKED=$(free_port) OTHER=$(free_port)
server() {
    cat <<CONF
    server {
        listen 127.0.0.1:$1;
        $2
        location = /check {
            internal;
            proxy_pass http://127.0.0.1:$ASKED/check-$1;
            proxy_set_header X-Wanted \$wanted_$1;
        }
        location / {
            set \$wanted_$1 special;
            auth_request /check;
            proxy_pass http://127.0.0.1:$ASKED/server;
        }
    }
CONF
}
cat >nginx.conf <<CONF
pid nginx.pid;
error_log log;
events {}
http {
    access_log off;
    client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
    map \$host \$wanted_$OTHER { default default; }
$(server "$PORT" "set \$wanted_$PORT default;")
$(server "$OTHER" "")
}
CONF
timeout 60 python3 server.py "$ASKED" >asked &
SERVER=$!
"$NGINX_PROGRAM" -p "$WORK" -c nginx.conf -e log -g 'daemon off;' &
PROXY=$!
for _ in $(seq 50); do
    (: </dev/tcp/127.0.0.1/"$ASKED") 2>/dev/null && (: </dev/tcp/127.0.0.1/"$OTHER") 2>/dev/null && break
    sleep 0.1
done

curl --silent --max-time 10 "http://127.0.0.1:$PORT/" "http://127.0.0.1:$OTHER/"
set_again=$(sed -n "s/^\/check-$PORT //p" asked) mapped=$(sed -n "s/^\/check-$OTHER //p" asked)
echo "set in the server, then in the location: $set_again; a map, then set in the location: $mapped"
[ "$set_again" = default ] && [ "$mapped" = special ] || { echo 'this has changed' >&2; exit 1; }
