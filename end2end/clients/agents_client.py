"""OpenAI's agents, with chat completions."""

import openai
from agents import Agent, ModelSettings, OpenAIChatCompletionsModel, Runner, function_tool, set_tracing_disabled
from pydantic import BaseModel
from told import tell

# Else it sends traces to OpenAI, with this key.
set_tracing_disabled(True)


class City(BaseModel):
    city: str


@function_tool
def weather(city: str) -> str:
    """Tells the weather in a city."""
    return f"21 degrees in {city}"


def agent(model, key, **options):
    chat = OpenAIChatCompletionsModel(model=model, openai_client=openai.AsyncOpenAI(api_key=key))
    return Agent(name="Test", model=chat, **options)


async def output(model, key, **options):
    return (await Runner.run(agent(model, key, **options), "Hi")).final_output


async def streamed(model, key, **options):
    run = Runner.run_streamed(agent(model, key, **options), "Hi")
    text = ""
    async for event in run.stream_events():
        if event.type == "raw_response_event" and event.data.type == "response.output_text.delta":
            text += event.data.delta
    return text, run


async def stream(model, key):
    return (await streamed(model, key))[0]


async def counted_stream(model, key):
    _, run = await streamed(model, key, model_settings=ModelSettings(include_usage=True))
    return run.context_wrapper.usage.total_tokens


async def structured(model, key):
    return (await output(model, key, output_type=City)).city


tell({
    "chat": output,
    "stream": stream,
    "counted stream": counted_stream,
    "tool": lambda model, key: output(model, key, tools=[weather]),
    "structured": structured,
})
