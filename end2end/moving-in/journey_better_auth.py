"""A server with Better Auth's API keys is moved to Latchkey by one command, and its clients go on with the keys they have.

    python journey_better_auth.py     with node and sqlite3 on PATH
"""

import pathlib
import subprocess
import tempfile
import time

import journey

SERVER = str(journey.HERE / "better-auth-server.mjs")


def files(url: str, key: str) -> str:
    """What a client is told. It knows its server's URL and its key, and neither ever changes."""
    status, _, answer = journey.request("GET", f"{url}/files", x_api_key=key)
    return "200" if status == 200 else answer["error"]


def post(url: str, body: object = None) -> dict:
    status, _, answer = journey.request("POST", url, body if body is not None else {})
    assert status == 200, (url, answer)
    return answer


def before(url: str, keys: dict[str, str]) -> None:
    """Better Auth lets clients in, and refuses some of them."""
    for name, key in keys.items():
        told = files(url, key)
        assert told == "200", (name, told)
    for name, change in [("disabled", {"enabled": False}), ("deleted", {"delete": True})]:
        post(f"{url}/change", {"key": keys[name], **change})
    assert files(url, keys["refilled"]) == files(url, keys["two a minute"]) == "200"
    for name in ("one use", "refilled", "two a minute", "disabled", "deleted"):
        told = files(url, keys[name])
        print(f"    Better Auth says of the key {name}: {told}")
        assert told != "200", name
    # Better Auth deletes an expired key when it sees one, so this one is not presented there any more.
    post(f"{url}/change", {"key": keys["expired"], "expiresIn": 1})
    time.sleep(2)


def after(url: str, latchkey: journey.Latchkey, keys: dict[str, str], moved: dict[str, dict], owner: str) -> None:
    """The same clients of the same server go on, and who was refused still is."""
    for name in ("plain", "full", "unlimited"):
        for _ in range(2):
            told = files(url, keys[name])
            assert told == "200", (name, told)
    # What Better Auth counted down was carried; how much of a refilled amount or a rate is used up was not.
    for name, uses, refusal in [
        ("three uses", 2, "429 request_budget_exhausted"),
        ("refilled", 2, "429 request_budget_exhausted"),
        ("two a minute", 2, "429 rate_limited"),
        ("expired", 0, "401 expired_key"),
        ("disabled", 0, "401 disabled_key"),
        ("deleted", 0, "401 unknown_key"),
        ("one use", 0, "401 unknown_key"),
    ]:
        told = [files(url, keys[name]) for _ in range(uses + 1)]
        print(f"    Latchkey says of the key {name}: {', '.join(told)}")
        assert told == ["200"] * uses + [refusal], (name, told)
    full = moved["full"]
    assert full["rpm"] == 60 and full["scopes"] == ["files:read", "files:write"], full
    assert full["metadata"] == {"plan": "pro", "nested": {"of": ["any", 1, None]}}, full
    assert full["external_id"] == owner and full["expires_at"], full
    assert full["masked"] == f"{keys['full'][:6]}...", full
    limits = [(budget["unit"], budget["limit"], budget["period"]) for budget in moved["plain"]["budgets"]]
    assert limits == [("requests", 10, "day")], limits


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        database, export, port = work / "auth.db", work / "keys.csv", str(journey.free_port())
        url = f"http://127.0.0.1:{port}"
        with journey.program(["node", SERVER, port, database], f"{url}/ready", work / "before.log"):
            made = post(f"{url}/make")
            before(url, made["keys"])
        with journey.latchkey(work / "latchkey") as latchkey:
            # The two commands of the documentation.
            query = ["sqlite3", "-csv", "-header", database, "SELECT * FROM apikey"]
            export.write_bytes(subprocess.run(query, check=True, capture_output=True).stdout)
            moved = latchkey.move_in(export, "better-auth")
            print(f"    Better Auth's table has {len(export.read_text().splitlines()) - 1} keys")
            check = f"{latchkey.url}/v1/check/{latchkey.project}"
            with journey.program(["node", SERVER, port, database, check], f"{url}/ready", work / "after.log"):
                after(url, latchkey, made["keys"], moved, made["userId"])


main()
