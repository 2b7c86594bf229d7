"""LlamaIndex' OpenAILike and OpenAILikeEmbedding: an environment of its own, as it wants an older client of OpenAI's."""

import sys
from pathlib import Path

from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.llms.openai_like import OpenAILike
from pydantic import BaseModel

sys.path.append(str(Path(__file__).parent.parent / "clients"))
from told import URL, tell  # noqa: E402

HI = [ChatMessage(role="user", content="Hi")]


class City(BaseModel):
    """A city."""

    city: str


def weather(city: str) -> str:
    """Tells the weather in a city."""
    return f"21 degrees in {city}"


def chat(model, key, **options):
    return OpenAILike(model=model, api_base=URL, api_key=key, is_chat_model=True, is_function_calling_model=True, **options)


def counted_stream(model, key):
    options = {"stream_options": {"include_usage": True}}
    usage = None
    for chunk in chat(model, key, additional_kwargs=options).stream_chat(HI):
        usage = chunk.raw.usage.total_tokens if chunk.raw.usage else usage
    return usage


def tool(model, key):
    llm, tools = chat(model, key), [FunctionTool.from_defaults(weather)]
    asked = llm.chat_with_tools(tools, chat_history=HI)
    call = llm.get_tool_calls_from_response(asked)[0]
    answer = ChatMessage(role="tool", content="21 degrees", additional_kwargs={"tool_call_id": call.tool_id})
    return llm.chat_with_tools(tools, chat_history=[*HI, asked.message, answer]).message.content


tell({
    "chat": lambda model, key: chat(model, key).chat(HI).message.content,
    "stream": lambda model, key: "".join(chunk.delta or "" for chunk in chat(model, key).stream_chat(HI)),
    "counted stream": counted_stream,
    "tool": tool,
    "structured": lambda model, key: chat(model, key).as_structured_llm(City).chat(HI).raw.city,
    "embed": lambda model, key: OpenAILikeEmbedding(model_name=model, api_base=URL, api_key=key).get_query_embedding("Hi"),
})
