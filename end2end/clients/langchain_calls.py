"""What the programs with LangChain make their calls by, whatever the chat model is."""

from langchain_core.tools import tool as as_tool
from pydantic import BaseModel


class City(BaseModel):
    city: str


@as_tool
def weather(city: str) -> str:
    """Tells the weather in a city."""
    return f"21 degrees in {city}"


def calls_of(chat, structured=None):
    """The calls of a chat model, `chat(model, key, **options)`, with options for structured output."""

    def answer(model, key, **options):
        return chat(model, key, **options).invoke("Hi").text

    def counted_stream(model, key):
        whole = None
        for chunk in chat(model, key, stream_usage=True).stream("Hi"):
            whole = chunk if whole is None else whole + chunk
        return whole.usage_metadata["total_tokens"]

    def tool(model, key):
        asked = chat(model, key).bind_tools([weather], tool_choice="any").invoke("Hi")
        return chat(model, key).bind_tools([weather]).invoke([("user", "Hi"), asked, weather.invoke(asked.tool_calls[0])]).text

    def limited(model, key):
        answer(model, key)
        try:
            return answer(model, key, max_retries=0)
        except Exception as error:
            return f"{error} (after {error.response.headers['retry-after']} s)"

    return {
        "answer": answer,
        "stream": lambda model, key: "".join(chunk.text for chunk in chat(model, key).stream("Hi")),
        "counted stream": counted_stream,
        "tool": tool,
        "structured": lambda model, key: chat(model, key).with_structured_output(City, **(structured or {})).invoke("Hi").city,
        "limited": limited,
    }
