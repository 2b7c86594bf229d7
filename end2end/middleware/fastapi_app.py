"""An API that latchkey-fastapi protects. Each door has the options that the environment names."""

import json
import os
from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Any

import uvicorn
from fastapi import Depends, FastAPI, Request, WebSocket
from latchkey_fastapi import Caller, LatchkeyMiddleware, caller
from starlette.requests import HTTPConnection

app = FastAPI()


@app.get("/open")
def is_open() -> str:
    return "open"


def of_header(name: str) -> Callable[[HTTPConnection], str | None]:
    return lambda connection: connection.headers.get(name)


def add_door(name: str, door: dict[str, Any]) -> None:
    timeout, cache = door.pop("timeout_ms", 2000) / 1000, door.pop("cache_ms", 0) / 1000
    for option in ("ip", "key"):
        if header := door.pop(f"{option}_header", None):
            door[option] = of_header(header)
    api = FastAPI()
    api.add_middleware(LatchkeyMiddleware, timeout=timeout, cache=cache, **door)

    @api.api_route("/who", methods=["GET", "HEAD", "POST"])
    async def who(request: Request, who: Annotated[Caller, Depends(caller)]) -> dict[str, Any]:
        told = {**asdict(who), "body": (await request.body()).decode()}
        # No other request is told of it.
        who.tags.append("changed")
        for value in who.metadata.values():
            if isinstance(value, list):
                value.append("changed")
        return told

    @api.websocket("/socket")
    async def socket(socket: WebSocket, who: Annotated[Caller, Depends(caller)]) -> None:
        await socket.accept()
        await socket.send_text(who.name)
        await socket.close()

    app.mount(f"/{name}", api)


for name, door in json.loads(os.environ["DOORS"]).items():
    add_door(name, door)

uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PORT"]), log_level="warning")
