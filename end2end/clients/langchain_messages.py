"""LangChain's ChatAnthropic."""

from concurrent.futures import ThreadPoolExecutor

from langchain_anthropic import ChatAnthropic
from langchain_calls import calls_of
from langchain_core.messages import HumanMessage
from told import URL, tell

ROOT = URL.removesuffix("/v1")


def chat(model, key, base_url=ROOT, **options):
    return ChatAnthropic(model=model, api_key=key, base_url=base_url, **options)


def count(model, key):
    return chat(model, key).get_num_tokens_from_messages([HumanMessage("Hi")])


def counts(model, key):
    with ThreadPoolExecutor(25) as pool:
        return sum(pool.map(lambda _: count(model, key), range(25)))


def continued(model, key):
    first = chat(model, key).invoke("Hi")
    return chat(model, key).invoke([("user", "Hi"), first, ("user", "Hi")]).text


def thinking(model, key):
    return chat(model, key, max_tokens=4000, thinking={"type": "enabled", "budget_tokens": 3000}).invoke("Hi").text


calls = calls_of(chat, {"method": "json_schema"})
tell({
    **calls,
    "continued": continued,
    "count": count,
    "counts": counts,
    "thinking": thinking,
    "v1 twice": lambda model, key: calls["answer"](model, key, base_url=URL),
    "two keys": lambda model, key, other: calls["answer"](model, key, default_headers={"x-api-key": other}),
})
