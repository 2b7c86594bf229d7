"""OpenAI's official client for Python, as a program uses it that was written for OpenAI's own API.

Nothing is set in code but what a test needs to be quick: base URL and key come from OPENAI_BASE_URL and
OPENAI_API_KEY. It prints what it was told, as JSON; client.mjs makes the same calls. Its argument is JSON too: keys
with limits, by what they are limited in.
"""

import json
import sys
import time

import openai

CHAT = "qwen3.6-27b"
VECTORS = "bge-m3"
keys = json.loads(sys.argv[1])
client = openai.OpenAI(max_retries=0)


def messages(text="Hi"):
    return [{"role": "user", "content": text}]


def chat(user, client=client, **options):
    return client.chat.completions.create(model=CHAT, messages=messages(), user=user, **options)


def text_of(stream):
    parts, usage = [], None
    for chunk in stream:
        parts += [choice.delta.content or "" for choice in chunk.choices]
        usage = chunk.usage.total_tokens if chunk.usage else usage
    return {"text": "".join(parts), "usage": usage}


def refused(call):
    try:
        call()
    except openai.APIError as error:
        status = getattr(error, "status_code", None)
        return {"class": type(error).__name__, "status": status, "type": error.type, "code": error.code, "param": error.param}
    return None


def waits(key):
    """Whether a refusal says how long to wait, in seconds that the client goes by: a minute at most."""
    try:
        other(key).models.list()
    except openai.RateLimitError as error:
        return 0 < float(error.response.headers["retry-after"]) <= 60
    return None


def is_broken(stream):
    try:
        text_of(stream)
    except openai.APIError:
        return "an error of the API"
    except ValueError:
        return "no JSON"
    return None


def timed(call):
    began = time.monotonic()
    answer = call()
    return {"text": answer.choices[0].message.content, "waited": time.monotonic() - began >= 1}


def other(key):
    return client.with_options(api_key=key)


# The only request of its minute.
other(keys["rpm"]).models.list()
plain = chat("plain")
stop = client.completions.create(model=CHAT, prompt="Hi")
steps = client.completions.create(model=CHAT, prompt="Hi", stream=True)
vectors = client.embeddings.create(model=VECTORS, input="Hi")
numbers = client.embeddings.create(model=VECTORS, input=["Hi"], encoding_format="float")
sandbox = chat("sandbox", other(keys["test"]))
sandbox_stream = text_of(chat("sandbox", other(keys["test"]), stream=True))

print(json.dumps({
    "models": [model.id for model in client.models.list()],
    "model": client.models.retrieve(VECTORS).owned_by,
    "chat": {"text": plain.choices[0].message.content, "usage": plain.usage.total_tokens},
    "slow": chat("slow").choices[0].message.content,
    "uncounted": chat("uncounted").usage,
    "stream": text_of(chat("plain", stream=True)),
    "stream with usage": text_of(chat("plain", stream=True, stream_options={"include_usage": True})),
    "completion": stop.choices[0].text,
    "completion stream": "".join(choice.text for chunk in steps for choice in chunk.choices),
    "embedding": vectors.data[0].embedding,
    "embedding in numbers": numbers.data[0].embedding,
    "sandbox": sandbox.choices[0].message.content == sandbox_stream["text"],
    "sandbox dimensions": len(other(keys["test"]).embeddings.create(model=VECTORS, input="Hi", dimensions=8).data[0].embedding),
    "retried": timed(lambda: chat("busy python", client.with_options(max_retries=2))),
    "waits": waits(keys["rpm"]),
    "dropped": refused(lambda: text_of(chat("dropping", stream=True))),
    "babbled": is_broken(chat("babbling", stream=True)),
    "no such key": refused(lambda: chat("plain", other("lk_live_nonsense"))),
    # With the client's own retries: the refusal before it may have ended the connection, as its body was not read.
    "model not allowed": refused(lambda: chat("plain", other(keys["models"]).with_options(max_retries=2))),
    "no such model": refused(lambda: client.chat.completions.create(model="gpt-0", messages=messages())),
    "requests limited": refused(lambda: other(keys["rpm"]).models.list()),
    "budget spent": refused(lambda: chat("plain", other(keys["budget"]))),
    "no messages": refused(lambda: client.chat.completions.create(model=CHAT, messages=[])),
    "upstream refuses": refused(lambda: chat("refusing")),
    "upstream busy": refused(lambda: chat("busy python once")),
    "upstream fails": refused(lambda: chat("failing")),
    "upstream silent": refused(lambda: chat("silent")),
    "afterwards": chat("plain").choices[0].message.content,
}))
