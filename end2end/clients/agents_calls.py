"""What the programs with OpenAI's agents make their calls by, whatever the API is."""

from agents import Agent, ModelSettings, Runner, function_tool, set_tracing_disabled
from pydantic import BaseModel

# Else it sends traces to OpenAI, with this key.
set_tracing_disabled(True)


class City(BaseModel):
    city: str


@function_tool
def weather(city: str) -> str:
    """Tells the weather in a city."""
    return f"21 degrees in {city}"


def calls_of(model_of):
    """The calls of a model, `model_of(model, key, **options)`; the options are for the client of the API."""

    def agent(model, key, options=None, **more):
        return Agent(name="Test", model=model_of(model, key, **(options or {})), **more)

    async def answer(model, key, options=None, **more):
        return (await Runner.run(agent(model, key, options, **more), "Hi")).final_output

    async def streamed(model, key, **more):
        run = Runner.run_streamed(agent(model, key, **more), "Hi")
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
        return (await answer(model, key, output_type=City)).city

    async def limited(model, key):
        await answer(model, key)
        try:
            return await answer(model, key, {"max_retries": 0})
        except Exception as error:
            return f"{error} (after {error.response.headers['retry-after']} s)"

    async def continued(model, key):
        asking = agent(model, key)
        first = await Runner.run(asking, "Hi")
        return (await Runner.run(asking, [*first.to_input_list(), {"role": "user", "content": "Hi"}])).final_output

    return {
        "answer": answer,
        "stream": stream,
        "counted stream": counted_stream,
        # It need not be called again when it has been.
        "tool": lambda model, key: answer(model, key, tools=[weather], model_settings=ModelSettings(tool_choice="required")),
        "structured": structured,
        "limited": limited,
        "continued": continued,
    }
