"""The server that the tools call: the debug build with SQLite in a folder of its own, and its first person."""

import http.cookiejar
import json
import os
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

CODE = "a code for tests"


class _Stay(urllib.request.HTTPRedirectHandler):
    """The answer itself is looked at, not what it leads to."""

    def redirect_request(self, *_):
        return None


class Server:
    """A running server. Leaving its block ends it."""

    def __enter__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="latchkey-openapi-")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.log = Path(self._folder.name) / "log"
        data = Path(self._folder.name) / "data"
        data.mkdir(mode=0o700)
        settings = {
            "LATCHKEY_LISTEN": f"127.0.0.1:{port}",
            "LATCHKEY_METRICS_LISTEN": "off",
            "LATCHKEY_PUBLIC_URL": self.url,
            "LATCHKEY_DATA_DIR": str(data),
            "LATCHKEY_LOCAL_CODE": CODE,
            # A fuzzer is one very busy person, for longer than a token lives elsewhere.
            "LATCHKEY_WRITES_PER_MINUTE": "1000000",
            "LATCHKEY_ACCESS_TOKEN_TTL": "3600",
        }
        with self.log.open("w") as log:
            self._program = subprocess.Popen(
                [os.environ.get("LATCHKEY_BIN", "target/debug/latchkey"), "serve"],
                env=os.environ | settings,
                stdout=log,
                stderr=log,
            )
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self._program.terminate()
        self._program.wait(timeout=30)
        self._folder.cleanup()

    def _wait(self):
        for _ in range(300):
            if self._program.poll() is not None:
                raise SystemExit(f"the server did not start:\n{self.log.read_text()}")
            try:
                urllib.request.urlopen(f"{self.url}/readyz", timeout=5).close()
                return
            except OSError:
                time.sleep(0.1)
        raise SystemExit(f"the server is not ready after 30 s:\n{self.log.read_text()}")

    def call(self, method, path, token=None, body=None):
        """The answer's JSON, or None without one."""
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def sign_in(self):
        """The access token of a new session of the local developer."""
        jar = http.cookiejar.CookieJar()
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar), _Stay)
        form = urllib.parse.urlencode({"code": CODE}).encode()
        try:
            opener.open(urllib.request.Request(f"{self.url}/auth/local", form, {"Origin": self.url}))
        except urllib.error.HTTPError as answer:
            if answer.code != 302:
                raise
        request = urllib.request.Request(f"{self.url}/refresh", b"", {"Origin": self.url})
        jar.add_cookie_header(request)
        with opener.open(request) as answer:
            return json.load(answer)["token"]

    def workspace(self):
        """Whoever signs in first, with a project, an application and a key of each kind."""
        token = self.sign_in()
        organization = self.call("GET", "/v1/organizations", token)["data"][0]["id"]
        self.call("PATCH", f"/v1/organizations/{organization}", token, {"tier": "enterprise"})
        project = self.call("GET", f"/v1/organizations/{organization}/projects", token)["data"][0]["id"]
        application = self.call("GET", f"/v1/projects/{project}/applications", token)["data"][0]["id"]
        keys = f"/v1/projects/{project}/keys"
        every = ["keys:read", "keys:write", "keys:verify", "usage:read"]
        make = lambda **body: self.call("POST", keys, token, body)["key"]
        return {
            "LATCHKEY_TOKEN": token,
            "LATCHKEY_ORGANIZATION": organization,
            "LATCHKEY_PROJECT": project,
            "LATCHKEY_APPLICATION": application,
            "LATCHKEY_KEY": make(name="Fuzzer", application_id=application),
            "LATCHKEY_INFERENCE_KEY": make(name="Fuzzer's model", kind="inference"),
            "LATCHKEY_SERVICE_KEY": make(name="Fuzzer's backend", kind="service", permissions=every),
        }
