#!/usr/bin/env python3
"""The API as tools read it: programs that people make clients and tests with read the running server's own
/openapi.json, and two of the clients make the way of a key through it.

    target/openapi-python/bin/python end2end/openapi/check.py [fuzz] [SECONDS]

`fuzz` is schemathesis alone."""

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from older import older
from server import Server

HERE = Path(__file__).parent.resolve()
BIN = Path(sys.executable).parent
MADE = Path("target/openapi").resolve()


def run(name, *command, cwd=None, **environment):
    """Runs a tool and says how long that took. What it prints is shown if it fails."""
    began = time.monotonic()
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=os.environ | {"PATH": path} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode != 0:
        sys.exit(f"{done.stdout}\n*** {name} failed with status {done.returncode}.")
    print(f"    {name}: {time.monotonic() - began:.1f} s", flush=True)
    return done.stdout


def npx(name, *command, **environment):
    return run(name, "npx", "--no-install", "--prefix", HERE, *command, **environment)


def typescript(document, environment):
    types = HERE / "api.d.ts"
    # Else it takes what has a default for what has to be sent.
    npx("openapi-typescript", "openapi-typescript", document, "--output", types, "--default-non-nullable=false")
    npx("tsc --strict", "tsc", "--project", HERE)
    print(run("its journey", "node", HERE / "out" / "journey.js", **environment), end="")


def python(document, environment):
    client = MADE / "python"
    shutil.rmtree(client, ignore_errors=True)
    options = ["--meta", "none", "--output-path", client / "latchkey_client", "--config", HERE / "generator.yaml"]
    client.mkdir(parents=True)
    run(
        "openapi-python-client",
        "openapi-python-client", "generate", "--path", document, "--fail-on-warning", *options,
    )
    journey = {"PYTHONPATH": str(client.resolve())}
    print(run("its journey", sys.executable, HERE / "journey.py", **environment, **journey), end="")


def rust(document, environment):
    document_30 = MADE / "openapi-3.0.json"
    document_30.write_text(json.dumps(older(json.loads(document.read_text()))))
    manifest = HERE / "progenitor" / "Cargo.toml"
    target = {"CARGO_TARGET_DIR": str(MADE / "progenitor"), "LATCHKEY_OPENAPI": str(document_30)}
    run("progenitor", "cargo", "build", "--quiet", "--locked", "--manifest-path", manifest, **target)
    print(run("its journey", MADE / "progenitor" / "debug" / "latchkey-progenitor", **environment), end="")


def fuzz(server, environment, seconds, *options):
    run(
        f"schemathesis, {seconds} s",
        "schemathesis", "--config-file", HERE / "schemathesis.toml",
        "run", f"{server.url}/openapi.json",
        "--max-time", seconds, *options,
        "--report", "ndjson", "--report-ndjson-path", MADE / "schemathesis.ndjson",
        cwd=MADE,
        SCHEMATHESIS_HOOKS=str(HERE / "hooks.py"),
        **environment,
    )  # fmt: skip


def main(what, seconds):
    MADE.mkdir(parents=True, exist_ok=True)
    with Server() as server:
        environment = server.workspace() | {"LATCHKEY_URL": server.url}
        if what != "fuzz":
            document = MADE / "openapi.json"
            with urllib.request.urlopen(f"{server.url}/openapi.json") as answer:
                document.write_bytes(answer.read())
            dashboard = MADE / "dashboard.json"
            with urllib.request.urlopen(f"{server.url}/openapi/dashboard.json") as answer:
                dashboard.write_bytes(answer.read())
            npx("redocly lint", "redocly", "lint", "--config", HERE / "redocly.yaml", document, dashboard)
            run("kingfisher", sys.executable, HERE / "scanners.py")
            typescript(document, environment)
            python(document, environment)
            rust(document, environment)
        # The same calls each time, where it is not the fuzzing itself that was asked for.
        fuzz(server, environment, seconds, *(["--generation-deterministic"] if what != "fuzz" else []))


if __name__ == "__main__":
    words = sys.argv[1:]
    main("fuzz" if "fuzz" in words else "all", int(next((word for word in words if word.isdigit()), 120)))
