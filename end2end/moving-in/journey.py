"""What the journeys share: a Latchkey of one's own, an upstream behind it, and programs that end with the journey.

LATCHKEY_BINARY names the program, `target/debug/latchkey` by default.
"""

import contextlib
import http.server
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

HERE = pathlib.Path(__file__).parent
BINARY = os.environ.get("LATCHKEY_BINARY") or HERE.parents[1] / "target/debug/latchkey"
DOCUMENTATION = (HERE.parents[1] / "docs/moving-in.md").read_text()
CODE = "a code for the journey"
# What the upstream says that each call used, and what a million of each costs in dollars.
USAGE = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
PRICES = {"input": 10_000, "output": 20_000}
CENTS_A_CALL = 17
# Settings of who runs this, or of the other system, are none of Latchkey's.
INHERITED = {name: value for name, value in os.environ.items() if not re.match("LATCHKEY_|DATABASE_|REDIS_", name)}
SECONDS_TO_START = 120
SECONDS_TO_COUNT = 30


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(what: str, condition, seconds: float = SECONDS_TO_COUNT):
    """Waits until the condition returns something true, and returns that."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.1)
    sys.exit(f"{what} did not happen within {seconds} seconds")


def request(method: str, url: str, body: object = None, **headers: str) -> tuple[int, dict, dict]:
    """The status, headers and JSON of a response, whatever its status."""
    data = None if body is None else json.dumps(body).encode()
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    if data is not None:
        headers["content-type"] = "application/json"
    asked = urllib.request.Request(url, data, headers, method=method)
    try:
        response = urllib.request.urlopen(asked, timeout=60)
    except urllib.error.HTTPError as error:
        response = error
    with response:
        text = response.read()
        return response.status, response.headers, json.loads(text) if text else {}


def query_of_documentation(name: str) -> str:
    """The SQL that docs/moving-in.md has for a file of this name."""
    return re.search(rf"^-- {re.escape(name)}\n(.*?)^```$", DOCUMENTATION, re.MULTILINE | re.DOTALL)[1]


@contextlib.contextmanager
def program(arguments: list, ready_at: str, log: pathlib.Path, **settings: str):
    """A program while it runs, once it answers 200 at a URL."""
    with log.open("wb") as output:
        child = subprocess.Popen(arguments, stdout=output, stderr=output, env={**INHERITED, **settings})

    def is_ready() -> bool:
        if child.poll() is not None:
            sys.exit(f"{arguments[0]} has ended:\n{log.read_text()[-4000:]}")
        with contextlib.suppress(OSError):
            return urllib.request.urlopen(ready_at, timeout=5).status == 200
        return False

    try:
        wait_for(f"{ready_at} is ready", is_ready, SECONDS_TO_START)
        yield child
    finally:
        child.terminate()
        try:
            child.wait(30)
        except subprocess.TimeoutExpired:
            child.kill()


class Upstream(http.server.BaseHTTPRequestHandler):
    """A model that answers each chat alike."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "All is well"}}
        answer = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": asked["model"]}
        body = json.dumps({**answer, "choices": [choice], "usage": USAGE}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def upstream():
    """The URL of a running upstream."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()


class Latchkey:
    """A running Latchkey, to somebody who is signed in and has a service key."""

    def __init__(self, url: str, folder: pathlib.Path) -> None:
        self.url, self.folder = url, folder
        sign_in = urllib.parse.urlencode({"code": CODE}).encode()
        asked = urllib.request.Request(f"{url}/auth/local", sign_in, {"origin": url})
        without_redirects = urllib.request.build_opener(NoRedirects())
        try:
            cookies = without_redirects.open(asked).headers
        except urllib.error.HTTPError as redirect:
            cookies = redirect.headers
        pairs = [cookie.split(";")[0] for cookie in cookies.get_all("set-cookie")]
        _, _, answer = request("POST", f"{url}/refresh", cookie="; ".join(pairs), origin=url)
        self.token = answer["token"]
        organization = self.get("/v1/me")["organizations"][0]["id"]
        tier = [BINARY, "tier", "set", organization, "enterprise", "--latchkey-data-dir", str(folder)]
        subprocess.run(tier, check=True, stdout=subprocess.DEVNULL, env=INHERITED)
        self.project = self.get(f"/v1/organizations/{organization}/projects")["data"][0]["id"]
        self.token = self.command(
            "keys", "create", "--project", self.project, "--name", "moving in", "--kind", "service",
            "--permission", "keys:read,keys:write",
        ).strip()

    def get(self, path: str) -> dict:
        status, _, answer = request("GET", f"{self.url}{path}", authorization=f"Bearer {self.token}")
        assert status == 200, (path, status, answer)
        return answer

    def command(self, *arguments: str) -> str:
        """What the command line prints."""
        settings = {"LATCHKEY_URL": self.url, "LATCHKEY_TOKEN": self.token}
        done = subprocess.run([BINARY, *arguments], capture_output=True, text=True, env={**INHERITED, **settings})
        if done.returncode != 0:
            sys.exit(f"latchkey {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def move_in(self, export: pathlib.Path, preset: str) -> dict[str, dict]:
        """Imports an export by the one command of the documentation, and returns the project's keys by name."""
        self.command("import", str(export), "--project", self.project, "--preset", preset)
        return self.keys()

    def keys(self) -> dict[str, dict]:
        found = self.get(f"/v1/projects/{self.project}/keys?limit=100")["data"]
        found += self.get(f"/v1/projects/{self.project}/inference/keys?limit=100")["data"]
        return {key["name"]: key for key in found}


class NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


@contextlib.contextmanager
def latchkey(folder: pathlib.Path, upstream_url: str | None = None):
    """A Latchkey with the models gpt-5 and o5."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    folder.mkdir()
    settings = {
        "LATCHKEY_LISTEN": f"127.0.0.1:{port}",
        "LATCHKEY_PUBLIC_URL": url,
        "LATCHKEY_DATA_DIR": str(folder),
        "LATCHKEY_LOCAL_CODE": CODE,
        "LATCHKEY_METRICS_LISTEN": "off",
    }
    if upstream_url:
        price = f'price = {{ input = "{PRICES["input"]}", output = "{PRICES["output"]}" }}'
        models = ", ".join(f'{{ id = "{model}", {price}, max_output_tokens = 5 }}' for model in ("gpt-5", "o5"))
        file = folder / "upstreams.toml"
        file.write_text(f'[[upstream]]\nname = "local"\nbase_url = "{upstream_url}"\nmodels = [{models}]\n')
        settings["LATCHKEY_UPSTREAMS"] = str(file)
    with program([BINARY, "serve"], f"{url}/readyz", folder / "log", **settings):
        yield Latchkey(url, folder)
