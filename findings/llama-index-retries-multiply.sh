#!/usr/bin/env bash
# llama-index-llms-openai(-like): `max_retries` (3 by default) is given to OpenAI's client and to a retry decorator
# around it. A server that answers 500 is asked twelve times for one call: three tries, each of one call and three
# retries. `x-should-retry: false`, which stops the client, does not stop the decorator: three calls. With
# `max_retries=1` they are two and one, with 0 one and one.
set -euo pipefail

WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
python3 -m venv "$WORK/venv"
"$WORK/venv/bin/pip" install --quiet --disable-pip-version-check llama-index-llms-openai-like==0.8.1 \
    llama-index-llms-openai==0.8.3 llama-index-core==0.14.25 openai==2.54.0

cat >"$WORK/count.py" <<'PYTHON'
import http.server
import threading
from importlib.metadata import version

import openai
from llama_index.core.llms import ChatMessage
from llama_index.llms.openai_like import OpenAILike

calls = 0
headers = {}


class Failing(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        global calls
        calls += 1
        self.rfile.read(int(self.headers["content-length"]))
        body = b'{"error": {"message": "out of memory", "type": "server_error", "param": null, "code": null}}'
        self.send_response(500)
        for name, value in {"content-type": "application/json", "content-length": len(body), **headers}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def count(told, **options):
    global calls, headers
    calls, headers = 0, told
    llm = OpenAILike(model="m", api_base=url, api_key="k", is_chat_model=True, **options)
    try:
        llm.chat([ChatMessage(role="user", content="Hi")])
    except openai.InternalServerError:
        return calls
    raise SystemExit("no error")


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Failing)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/v1"
print("llama-index-llms-openai", version("llama-index-llms-openai"), "openai", version("openai"))
stop = {"x-should-retry": "false"}
seen = [(count({}, **options), count(stop, **options)) for options in ({}, {"max_retries": 1}, {"max_retries": 0})]
print("calls, and with x-should-retry: false: default, max_retries 1, max_retries 0:", seen)
raise SystemExit(0 if seen == [(12, 3), (2, 1), (1, 1)] else "this has changed")
PYTHON
timeout 120 "$WORK/venv/bin/python" "$WORK/count.py"
