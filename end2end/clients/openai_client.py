"""OpenAI's official client for Python."""

import openai
from pydantic import BaseModel
from told import tell

HI = [{"role": "user", "content": "Hi"}]
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}


class City(BaseModel):
    city: str


def chats(key):
    return openai.OpenAI(api_key=key).chat.completions


def stream(model, key):
    chunks = chats(key).create(model=model, messages=HI, stream=True)
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)


def counted_stream(model, key):
    usage = None
    for chunk in chats(key).create(model=model, messages=HI, stream=True, stream_options={"include_usage": True}):
        usage = chunk.usage.total_tokens if chunk.usage else usage
    return usage


def tool(model, key):
    asked = chats(key).create(model=model, messages=HI, tools=[TOOL]).choices[0].message
    answer = {"role": "tool", "tool_call_id": asked.tool_calls[0].id, "content": "21 degrees"}
    return chats(key).create(model=model, messages=[*HI, asked, answer], tools=[TOOL]).choices[0].message.content


tell({
    "chat": lambda model, key: chats(key).create(model=model, messages=HI).choices[0].message.content,
    "stream": stream,
    "counted stream": counted_stream,
    "tool": tool,
    "structured": lambda model, key: chats(key).parse(model=model, messages=HI, response_format=City).choices[0].message.parsed.city,
    "embed": lambda model, key: openai.OpenAI(api_key=key).embeddings.create(model=model, input="Hi").data[0].embedding,
})
