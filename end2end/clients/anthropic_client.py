"""Anthropic's official client for Python."""

from concurrent.futures import ThreadPoolExecutor

import anthropic
from pydantic import BaseModel
from told import URL, tell

HI = [{"role": "user", "content": "Hi"}]
TOOL = {"name": "weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}


class City(BaseModel):
    city: str


def client(key, **options):
    return anthropic.Anthropic(api_key=key, **options)


def create(model, key, messages=HI, **options):
    return client(key).messages.create(model=model, max_tokens=1000, messages=messages, **options)


def text(message):
    return "".join(block.text for block in message.content if block.type == "text")


def stream(model, key):
    deltas = [event.delta for event in create(model, key, stream=True) if event.type == "content_block_delta"]
    return "".join(delta.text for delta in deltas if delta.type == "text_delta")


def counted_stream(model, key):
    with client(key).messages.stream(model=model, max_tokens=1000, messages=HI) as events:
        usage = events.get_final_message().usage
    return usage.input_tokens + usage.output_tokens


def tool(model, key):
    asked = create(model, key, tools=[TOOL], tool_choice={"type": "any"})
    call = next(block for block in asked.content if block.type == "tool_use")
    answer = {"type": "tool_result", "tool_use_id": call.id, "content": "21 degrees"}
    messages = [*HI, {"role": "assistant", "content": asked.content}, {"role": "user", "content": [answer]}]
    return text(create(model, key, messages, tools=[TOOL]))


def structured(model, key):
    return client(key).messages.parse(model=model, max_tokens=1000, messages=HI, output_format=City).parsed_output.city


def count(model, key):
    return client(key).messages.count_tokens(model=model, messages=HI).input_tokens


def counts(model, key):
    with ThreadPoolExecutor(25) as pool:
        return sum(pool.map(lambda _: count(model, key), range(25)))


def thinking(model, key):
    budget = {"type": "enabled", "budget_tokens": 3000}
    return text(client(key).messages.create(model=model, max_tokens=4000, messages=HI, thinking=budget))


def limited(model, key):
    create(model, key)
    try:
        return text(client(key, max_retries=0).messages.create(model=model, max_tokens=1000, messages=HI))
    except anthropic.RateLimitError as error:
        return f"{error} (after {error.response.headers['retry-after']} s)"


tell({
    "answer": lambda model, key: text(create(model, key)),
    "stream": stream,
    "counted stream": counted_stream,
    "tool": tool,
    "structured": structured,
    "limited": limited,
    "count": count,
    "counts": counts,
    "thinking": thinking,
    "v1 twice": lambda model, key: text(client(key, base_url=URL).messages.create(model=model, max_tokens=1000, messages=HI)),
    "two keys": lambda model, key, other: text(create(model, key, extra_headers={"x-api-key": other})),
    "models": lambda model, key: [one.id for one in client(key).models.list()],
})
