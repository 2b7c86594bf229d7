"""The whole middleware. It asks Latchkey about the key of each request, and admits nothing that Latchkey did not call
valid: what goes wrong on the way is 503, with a line for the operator."""

import copy
import hashlib
import ipaddress
import json
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import anyio
import httpx2
from anyio.lowlevel import RunVar
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Caller", "LatchkeyMiddleware", "ScopeQuery", "caller"]

#: The scopes that a request needs: a list means all of them; `{"any": […]}` and `{"all": […]}` may be nested.
ScopeQuery: TypeAlias = Sequence[Any] | dict[Literal["all", "any"], Any]

_log = logging.getLogger("latchkey")

_CACHE_LIMIT = 1.0
_CACHE_ENTRIES = 10_000
_CHALLENGE = 'ApiKey realm="latchkey", Bearer realm="latchkey"'
_STATUS = {
    **dict.fromkeys(
        ["missing_key", "malformed_key", "unknown_key", "revoked_key", "expired_key", "disabled_key"],
        401,
    ),
    **dict.fromkeys(
        [
            "rate_limited",
            "token_rate_limited",
            "too_many_parallel_requests",
            "request_budget_exhausted",
            "token_budget_exhausted",
            "spend_limit_reached",
            "quota_exceeded",
        ],
        429,
    ),
    "unavailable": 503,
}
_TEXTS = {
    401: ("Unauthorized", "This API key is not valid."),
    403: ("Forbidden", "This API key may not make this request."),
    429: ("Too Many Requests", "This API key has reached a limit."),
    503: ("Service Unavailable", "The API key can't be checked right now. Try again shortly."),
}
_NO_KEY = "No API key was sent. Send it in the x-api-key header, or as Authorization: Bearer."


@dataclass(frozen=True)
class Caller:
    """Whoever holds the key of a request."""

    key_id: str
    name: str
    environment: str
    project_id: str
    #: None if the key is for the whole project.
    application_id: str | None = None
    #: Your own id of the key's user.
    external_id: str | None = None
    scopes: list[str] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)


def caller(connection: HTTPConnection) -> Caller:
    """Whoever called; as `Depends(caller)` too. Raises if `LatchkeyMiddleware` does not stand before the handler."""
    found = connection.scope.get("state", {}).get("latchkey")
    if not isinstance(found, Caller):
        raise RuntimeError("latchkey-fastapi: no caller, because LatchkeyMiddleware does not stand before this handler")
    return found


@dataclass
class _Admitted:
    caller: Caller
    headers: dict[str, str]


@dataclass
class _Refusal:
    code: str
    detail: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def response(self) -> Response:
        # A later Latchkey may refuse for reasons that this version does not know.
        status = _STATUS.get(self.code, 403)
        title, detail = _TEXTS[status]
        headers = {"cache-control": "no-store"}
        if status == 401:
            headers["www-authenticate"] = _CHALLENGE
        if status == 503:
            headers["retry-after"] = "1"
        problem = {"type": "about:blank", "title": title, "status": status, "code": self.code}
        body = json.dumps({**problem, "detail": self.detail or detail}, ensure_ascii=False)
        return Response(body, status, {**headers, **self.headers}, "application/problem+json")


def _presented_key(connection: HTTPConnection) -> str | None:
    if own := connection.headers.get("x-api-key"):
        return own
    scheme, _, bearer = connection.headers.get("authorization", "").partition(" ")
    return bearer.strip() if scheme.lower() == "bearer" else None


class LatchkeyMiddleware:
    """Refuses every request and every WebSocket without a valid key.

    `url` is Latchkey's address, `token` a service key with the permission `keys:verify`. `scopes` and `cost` may be
    functions of the connection. `timeout` and `cache` are seconds; `cache`, at most 1, is how long a valid answer may
    be used again.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        url: str,
        token: str,
        application_id: str | None = None,
        scopes: ScopeQuery | Callable[[HTTPConnection], ScopeQuery | None] | None = None,
        cost: int | Callable[[HTTPConnection], int] = 0,
        ip: Callable[[HTTPConnection], str | None] | None = None,
        key: Callable[[HTTPConnection], str | None] = _presented_key,
        timeout: float = 2.0,
        cache: float = 0.0,
    ) -> None:
        base = httpx2.URL(url)
        if base.scheme not in ("http", "https") or not base.host or base.userinfo or base.query or base.fragment:
            raise ValueError("latchkey-fastapi: `url` has to be Latchkey's address, as https://latchkey.example.com")
        if not token or not all("!" <= character <= "~" for character in token):
            raise ValueError("latchkey-fastapi: `token` has to be a service key")
        if not timeout > 0:
            raise ValueError("latchkey-fastapi: `timeout` has to be above 0")
        if not 0 <= cache <= _CACHE_LIMIT:
            raise ValueError("latchkey-fastapi: `cache` is at most 1 second")
        self.app = app
        self._endpoint = url.rstrip("/") + "/v1/keys/verify"
        self._headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        self._application_id = application_id
        self._scopes = scopes
        self._cost = cost
        self._ip = ip
        self._key = key
        self._timeout = timeout
        self._cache_seconds = cache
        self._cache: OrderedDict[bytes, tuple[Caller, float]] = OrderedDict()
        # Connections belong to an event loop, and tests have several.
        self._client: RunVar[httpx2.AsyncClient | None] = RunVar("latchkey_client", None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            try:
                await self.app(scope, receive, send)
            finally:
                if client := self._client.get():
                    await client.aclose()
            return
        connection = HTTPConnection(scope)
        outcome: _Admitted | _Refusal | None
        if secret := self._key(connection):
            body = self._question(connection, secret)
            outcome, receive = await self._ask_while_connected(connection, body, receive)
        else:
            outcome = _Refusal("missing_key", _NO_KEY)
        if outcome is None:
            return
        if isinstance(outcome, _Refusal):
            await _refuse(outcome.response(), scope, receive, send)
            return
        state = {**scope.get("state", {}), "latchkey": outcome.caller}
        await self.app({**scope, "state": state}, receive, _with_headers(send, outcome.headers))

    def _question(self, connection: HTTPConnection, secret: str) -> bytes:
        question = {
            "key": secret,
            "application_id": self._application_id,
            "scopes": self._scopes(connection) if callable(self._scopes) else self._scopes,
            "cost": self._cost(connection) if callable(self._cost) else self._cost,
            "ip": _readable(self._ip(connection)) if self._ip else None,
        }
        return json.dumps({name: value for name, value in question.items() if value is not None}).encode()

    async def _ask_while_connected(
        self, connection: HTTPConnection, body: bytes, receive: Receive
    ) -> tuple[_Admitted | _Refusal | None, Receive]:
        """Gives the call up when the client goes: then the outcome is None. What the client sent meanwhile is kept
        for the handler, one message of a body at most."""
        # A server sends `100 Continue` when somebody begins to read.
        if connection.scope["type"] != "http" or "expect" in connection.headers:
            return await self._ask(body), receive
        held: list[Message] = []
        outcome: _Admitted | _Refusal | None = None
        async with anyio.create_task_group() as group:

            async def watch() -> None:
                while True:
                    message = await receive()
                    held.append(message)
                    if message["type"] == "http.disconnect":
                        group.cancel_scope.cancel()
                        return
                    if message.get("more_body", False):
                        return

            group.start_soon(watch)
            outcome = await self._ask(body)
            group.cancel_scope.cancel()

        async def replay() -> Message:
            return held.pop(0) if held else await receive()

        return outcome, replay

    async def _ask(self, body: bytes) -> _Admitted | _Refusal:
        # The whole question, so that an answer is never taken for another one. The key is kept as a hash alone.
        question = hashlib.sha256(body).digest() if self._cache_seconds > 0 else b""
        known = self._cache.get(question)
        if known and known[1] > time.monotonic():
            return _Admitted(copy.deepcopy(known[0]), {})
        # From before the call: Latchkey may revoke the key as soon as it has answered.
        until = time.monotonic() + self._cache_seconds
        answer = await self._answer_to(body)
        if isinstance(answer, str):
            _log.error("latchkey-fastapi: %s", answer)
            return _Refusal("unavailable")
        if answer["valid"] is not True:
            return _refused(answer)
        found = _caller_of(answer)
        if self._cache_seconds > 0:
            # A copy, here and there: handlers may change what they are told.
            self._cache[question] = (copy.deepcopy(found), until)
            self._cache.move_to_end(question)
            if len(self._cache) > _CACHE_ENTRIES:
                self._cache.popitem(last=False)
        return _Admitted(found, _rate_headers(answer))

    async def _answer_to(self, body: bytes) -> dict[str, Any] | str:
        """The answer, or what is wrong, in words for the operator."""
        client = self._client.get()
        if client is None:
            client = httpx2.AsyncClient(timeout=None, limits=httpx2.Limits(keepalive_expiry=4))
            self._client.set(client)
        try:
            with anyio.fail_after(self._timeout):
                # Redirects are not followed: another host would be sent the service key.
                response = await client.post(
                    self._endpoint, content=body, headers=self._headers, follow_redirects=False
                )
            if response.status_code != 200:
                return f"Latchkey answered {response.status_code}{_hint(response.status_code)}"
            answer = response.json()
        except TimeoutError:
            return f"Latchkey did not answer within {self._timeout} s"
        except (httpx2.HTTPError, ValueError, RecursionError) as error:
            return f"Latchkey can't be asked: {type(error).__name__}"
        return answer if _is_answer(answer) else "Latchkey's answer is none to a verification; check the URL"


async def _refuse(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket" and "websocket.http.response" not in scope.get("extensions", {}):
        # The server makes it a 403.
        await send({"type": "websocket.close", "code": 1008, "reason": "API key refused"})
    else:
        await response(scope, receive, send)


def _with_headers(send: Send, headers: dict[str, str]) -> Send:
    if not headers:
        return send
    more = [(name.encode(), value.encode()) for name, value in headers.items()]

    async def send_with_headers(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.accept"):
            message = {**message, "headers": [*message.get("headers", []), *more]}
        await send(message)

    return send_with_headers


def _readable(address: str | None) -> str | None:
    """An address that can't be read is none: a key that is bound to networks is then refused."""
    try:
        return str(ipaddress.ip_address((address or "").split("%")[0]))
    except ValueError:
        return None


def _hint(status: int) -> str:
    if status in (401, 403, 429):
        return "; check that `token` is a service key with keys:verify"
    if status == 422:
        return "; check `application_id`, `scopes` and `cost`"
    return "; check `url`" if status == 404 or status < 400 else ""


def _is_answer(answer: Any) -> bool:
    if not isinstance(answer, dict) or not isinstance(answer.get("code"), str):
        return False
    valid = answer.get("valid")
    return valid is False or (valid is True and isinstance(answer.get("key_id"), str))


def _caller_of(answer: dict[str, Any]) -> Caller:
    scopes, tags, metadata = answer.get("scopes"), answer.get("tags"), answer.get("metadata")
    return Caller(
        key_id=answer["key_id"],
        name=answer.get("name", ""),
        environment=answer.get("environment", ""),
        project_id=answer.get("project_id", ""),
        application_id=answer.get("application_id"),
        external_id=answer.get("external_id"),
        scopes=scopes if isinstance(scopes, list) else [],
        metadata=metadata if isinstance(metadata, dict) else {},
        tags=tags if isinstance(tags, list) else [],
    )


def _refused(answer: dict[str, Any]) -> _Refusal:
    detail, seconds = answer.get("detail"), answer.get("retry_after_seconds")
    headers = _rate_headers(answer)
    if isinstance(seconds, int):
        headers["retry-after"] = str(seconds)
    return _Refusal(answer["code"], detail if isinstance(detail, str) else None, headers)


def _rate_headers(answer: dict[str, Any]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for unit, state in (("requests", answer.get("ratelimit")), ("tokens", answer.get("tokens"))):
        numbers = [state.get(name) for name in ("limit", "remaining", "reset_seconds")] if isinstance(state, dict) else []
        if not numbers or not all(isinstance(number, int | float) for number in numbers):
            continue
        limit, remaining, reset = numbers
        headers[f"x-ratelimit-limit-{unit}"] = str(limit)
        headers[f"x-ratelimit-remaining-{unit}"] = str(remaining)
        headers[f"x-ratelimit-reset-{unit}"] = f"{reset:.3f}s"
    return headers
