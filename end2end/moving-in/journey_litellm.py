"""A LiteLLM proxy is moved to Latchkey by one command, and OpenAI's client goes on with the keys that it has.

LiteLLM's own proxy makes the keys, answers the client and counts what it spends, on PostgreSQL with the tables of its own
migrations. Only the program of Prisma's query engine is ours (prisma-engine.mjs says why).

    python journey_litellm.py     with DATABASE_URL, LiteLLM's proxy and its Prisma client in this environment
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

import openai

import journey

MASTER = "sk-the-master-key-of-the-journey"
CONFIG = {
    "model_list": [],
    "general_settings": {"master_key": MASTER, "proxy_batch_write_at": 1},
    "litellm_settings": {"telemetry": False},
}
SETTINGS = {
    "PRISMA_QUERY_ENGINE_BINARY": str(journey.HERE / "prisma-engine.mjs"),
    "DISABLE_SCHEMA_UPDATE": "true",
}


def chat(url: str, key: str, model: str = "gpt-5") -> str:
    """What a client is told: the answer, or the class of the error. Only the host in its URL ever changes."""
    client = openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0)
    try:
        answer = client.chat.completions.create(model=model, messages=[{"role": "user", "content": "Is all well?"}])
        return answer.choices[0].message.content
    except openai.APIStatusError as error:
        return f"{error.status_code} {error.body['type']} {error.body['code']}"


def refusal(url: str, key: str) -> str | None:
    """What a client is told that is refused."""
    told = chat(url, key)
    return told if told != "All is well" else None


class LiteLLM:
    def __init__(self, url: str) -> None:
        self.url = url

    def post(self, path: str, body: dict) -> dict:
        status, _, answer = journey.request("POST", self.url + path, body, authorization=f"Bearer {MASTER}")
        assert status == 200, (path, status, answer)
        return answer

    def key(self, alias: str, **limits: object) -> str:
        return self.post("/key/generate", {"key_alias": alias, **limits})["key"]

    def spend(self, key: str) -> float:
        url = f"{self.url}/key/info?key={key}"
        return journey.request("GET", url, authorization=f"Bearer {MASTER}")[2]["info"]["spend"]


def make(litellm: LiteLLM) -> dict[str, str]:
    """Keys of each kind that LiteLLM's API makes, by alias."""
    litellm.post("/team/new", {"team_id": "shop", "team_alias": "Shop", "models": ["gpt-5"]})
    litellm.post("/user/new", {"user_id": "mira", "auto_create_key": False})
    litellm.post("/budget/new", {"budget_id": "small", "max_budget": 5, "budget_duration": "7d", "rpm_limit": 40})
    litellm.post("/budget/new", {"budget_id": "over", "max_budget": 5, "budget_duration": "1d"})
    monthly = {"max_budget": 25, "budget_duration": "30d", "rpm_limit": 60, "tpm_limit": 100_000}
    metadata = {"cost": "web", "nested": {"of": ["any", 1, None]}}
    keys = {
        "checkout": litellm.key(
            "checkout", models=["gpt-5"], user_id="mira", metadata=metadata, max_parallel_requests=3, **monthly
        ),
        "no limits": litellm.key("no limits"),
        "of a team": litellm.key("of a team", team_id="shop", models=["all-team-models"], budget_id="small"),
        "of a new period": litellm.key("of a new period", budget_id="over"),
        "tokens": litellm.key("tokens", tpd_limit=50),
        "for life": litellm.key("for life", max_budget=0.3),
        "blocked": litellm.key("blocked"),
        "expired": litellm.key("expired"),
        "chosen": litellm.key("chosen", key="sk-chosen-by-hand"),
        "deleted": litellm.key("deleted"),
    }
    return keys


def before(litellm: LiteLLM, keys: dict[str, str]) -> dict[str, float]:
    """Clients work with LiteLLM, which refuses some of them. Returns what it says that each has spent."""
    for alias, key in keys.items():
        assert chat(litellm.url, key) == "All is well", alias
    assert chat(litellm.url, keys["checkout"], "o5").startswith("40"), "a model that the key may not use"
    assert chat(litellm.url, keys["for life"]) == "All is well"
    litellm.post("/key/block", {"key": keys["blocked"]})
    litellm.post("/key/delete", {"keys": [keys["deleted"]]})
    litellm.post("/key/update", {"key": keys["expired"], "duration": "1s"})
    for alias in ("for life", "blocked", "expired", "deleted"):
        told = journey.wait_for(f"the end of the key {alias}", lambda: refusal(litellm.url, keys[alias]))
        print(f"    LiteLLM says of the key {alias}: {told}")
    counted = [alias for alias in keys if alias not in ("deleted", "expired", "blocked")]
    cents = journey.CENTS_A_CALL / 100
    journey.wait_for("LiteLLM's count", lambda: all(litellm.spend(keys[alias]) > cents / 2 for alias in counted))
    return {alias: litellm.spend(keys[alias]) for alias in counted}


def move(database: str, latchkey: journey.Latchkey, work: pathlib.Path) -> dict[str, dict]:
    """The two commands of the documentation."""
    sql, export = work / "litellm.sql", work / "tokens.ndjson"
    sql.write_text(journey.query_of_documentation("litellm.sql"))
    # As if the period had ended since LiteLLM looked, which it does every ten minutes.
    over = """UPDATE "LiteLLM_BudgetTable" SET budget_reset_at = now() - interval '1 hour' WHERE budget_id = 'over'"""
    subprocess.run(["psql", database, "-q", "-c", over], check=True)
    export.write_bytes(subprocess.run(["psql", database, "-At", "-f", sql], check=True, capture_output=True).stdout)
    print(f"    LiteLLM's table has {len(export.read_text().splitlines())} keys")
    return latchkey.move_in(export, "litellm")


def after(latchkey: journey.Latchkey, keys: dict[str, str], moved: dict[str, dict], spent: dict[str, float]) -> None:
    """The same clients go on. What was spent of a budget counts, and who was refused still is."""
    for alias, used in spent.items():
        for budget in moved[alias]["budgets"] or []:
            expected = used if budget["unit"] == "usd" and alias != "of a new period" else 0
            # LiteLLM adds in floating point.
            assert abs(float(budget["used"]) - expected) < 1e-6, (alias, budget, used)
    for alias in ("checkout", "no limits", "of a team", "of a new period", "tokens", "chosen"):
        for _ in range(2):
            assert chat(latchkey.url, keys[alias]) == "All is well", alias
    for alias, model, answer in [
        ("checkout", "o5", "403 permission_error model_not_allowed"),
        ("of a team", "o5", "403 permission_error model_not_allowed"),
        ("for life", "gpt-5", "402 insufficient_quota spend_limit_reached"),
        ("blocked", "gpt-5", "401 authentication_error disabled_key"),
        ("expired", "gpt-5", "401 authentication_error expired_key"),
        ("deleted", "gpt-5", "401 authentication_error unknown_key"),
    ]:
        told = chat(latchkey.url, keys[alias], model)
        print(f"    Latchkey says of the key {alias} for {model}: {told}")
        assert told == answer, (alias, told)

    checkout = moved["checkout"]
    assert (checkout["rpm"], checkout["tpm"], checkout["max_parallel"]) == (60, 100_000, 3), checkout
    assert checkout["external_id"] == "mira" and checkout["metadata"]["cost"] == "web", checkout
    team = moved["of a team"]
    assert (team["allowed_models"], team["tags"], team["rpm"]) == (["gpt-5"], ["team:shop"], 40), team
    assert [(budget["limit"], budget["period"]) for budget in team["budgets"]] == [("5", "week")], team

    assert [tuple(one[name] for name in ("unit", "limit", "period")) for one in moved["tokens"]["budgets"]] == [
        ("tokens", 50, "day")
    ], moved["tokens"]

    wanted = spent["checkout"] + 2 * journey.CENTS_A_CALL / 100
    used = lambda: float(latchkey.keys()["checkout"]["budgets"][0]["used"])  # noqa: E731
    journey.wait_for(f"a budget used to {wanted}", lambda: abs(used() - wanted) < 1e-6)
    print(f"    Of the budget of checkout ${wanted:.2f} are used: ${spent['checkout']:.2f} at LiteLLM, the rest here")


def main() -> None:
    database = os.environ["DATABASE_URL"]
    with tempfile.TemporaryDirectory() as folder, journey.upstream() as upstream:
        work = pathlib.Path(folder)
        for model in ("gpt-5", "o5"):
            costs = {f"{kind}_cost_per_token": price / 1e6 for kind, price in journey.PRICES.items()}
            parameters = {"model": f"openai/{model}", "api_base": upstream, "api_key": "none", **costs}
            CONFIG["model_list"].append({"model_name": model, "litellm_params": parameters})
        config = work / "config.yaml"
        config.write_text(json.dumps(CONFIG))
        port = journey.free_port()
        url = f"http://127.0.0.1:{port}"
        proxy = pathlib.Path(sys.executable).parent / "litellm"
        arguments = [proxy, "--config", config, "--host", "127.0.0.1", "--port", str(port)]
        settings = {**SETTINGS, "DATABASE_URL": database}
        with journey.program(arguments, f"{url}/health/readiness", work / "litellm.log", **settings):
            keys = make(LiteLLM(url))
            spent = before(LiteLLM(url), keys)
            with journey.latchkey(work / "latchkey", upstream) as latchkey:
                moved = move(database, latchkey, work)
                after(latchkey, keys, moved, spent)


main()
