#!/usr/bin/env bash
# FastAPI: the body of a request is read and parsed before the dependencies of a route are called, those of the whole
# application too. Its documentation shows authentication as a dependency. Then somebody without credentials is told
# what is wrong with their JSON, by 422 instead of 401, and may send as much of a body as the server takes.
set -euo pipefail

WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
python3 -m venv "$WORK/venv"
"$WORK/venv/bin/python" -m pip install --quiet --disable-pip-version-check fastapi==0.165.0 httpx2==2.16.2

"$WORK/venv/bin/python" - <<'PY'
import sys

import fastapi
from fastapi.testclient import TestClient


def authenticate():
    raise fastapi.HTTPException(401)


app = fastapi.FastAPI(dependencies=[fastapi.Depends(authenticate)])


@app.post("/orders")
def order(body: dict[str, int]):
    return body


client = TestClient(app)
json = {"content-type": "application/json"}
print("FastAPI", fastapi.__version__)
whole = client.post("/orders", json={}).status_code
broken = client.post("/orders", content=b"{", headers=json).status_code
many = client.post("/orders", content=b" " * (64 << 20), headers=json).status_code
print(f"without credentials: a whole body is {whole}, a broken one {broken}")
print(f"64 MiB of white space are parsed, as {many} tells")
if (whole, broken, many) != (401, 422, 422):
    print("this is no longer so", file=sys.stderr)
    sys.exit(1)
PY
