#!/usr/bin/env bash
# langchain-anthropic: of a stream, `usage_metadata` is what the `message_delta` event tells, and nothing of
# `message_start`. A server that tells the prompt's tokens at the beginning only, as Anthropic's own API did at first
# and many others do, is shown as having read 0 tokens. Anthropic's client adds the two up.
set -euo pipefail

WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
python3 -m venv "$WORK/venv"
"$WORK/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: langchain-anthropic==1.7.10 \
    anthropic==2.14.0

cat >"$WORK/stream.py" <<'PYTHON'
import http.server
import json
import threading
from importlib.metadata import version

import anthropic
from langchain_anthropic import ChatAnthropic

message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "stop_reason": None, "stop_sequence": None}
EVENTS = [
    {"type": "message_start", "message": {**message, "usage": {"input_tokens": 7, "output_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": 5}},
    {"type": "message_stop"},
]


class Streaming(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        for event in EVENTS:
            self.wfile.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Streaming)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
whole = None
for chunk in ChatAnthropic(model="m", api_key="k", base_url=url).stream("Hi"):
    whole = chunk if whole is None else whole + chunk
theirs = whole.usage_metadata["input_tokens"], whole.usage_metadata["output_tokens"]
messages = [{"role": "user", "content": "Hi"}]
with anthropic.Anthropic(api_key="k", base_url=url).messages.stream(model="m", max_tokens=9, messages=messages) as events:
    usage = events.get_final_message().usage
print("langchain-anthropic", version("langchain-anthropic"), "input and output tokens:", theirs)
print("anthropic", version("anthropic"), "input and output tokens:", (usage.input_tokens, usage.output_tokens))
same = theirs == (0, 5) and (usage.input_tokens, usage.output_tokens) == (7, 5)
raise SystemExit(0 if same else "this has changed")
PYTHON
timeout 120 "$WORK/venv/bin/python" "$WORK/stream.py"
