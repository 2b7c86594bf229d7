"""LangChain's ChatOpenAI and OpenAIEmbeddings."""

from langchain_core.tools import tool as as_tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel
from told import tell


class City(BaseModel):
    city: str


@as_tool
def weather(city: str) -> str:
    """Tells the weather in a city."""
    return f"21 degrees in {city}"


def chat(model, key):
    return ChatOpenAI(model=model, api_key=key)


def counted_stream(model, key):
    whole = None
    for chunk in chat(model, key).stream("Hi", stream_usage=True):
        whole = chunk if whole is None else whole + chunk
    return whole.usage_metadata["total_tokens"]


def tool(model, key):
    bound = chat(model, key).bind_tools([weather])
    asked = bound.invoke("Hi")
    return bound.invoke([("user", "Hi"), asked, weather.invoke(asked.tool_calls[0])]).content


def embed(model, key):
    # Without this it sends numbers of tokens, made by OpenAI's tokenizer, instead of text.
    return OpenAIEmbeddings(model=model, api_key=key, check_embedding_ctx_length=False).embed_query("Hi")


tell({
    "chat": lambda model, key: chat(model, key).invoke("Hi").content,
    "stream": lambda model, key: "".join(chunk.content for chunk in chat(model, key).stream("Hi")),
    "counted stream": counted_stream,
    "tool": tool,
    "structured": lambda model, key: chat(model, key).with_structured_output(City).invoke("Hi").city,
    "embed": embed,
})
