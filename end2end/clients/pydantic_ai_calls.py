"""What the programs with pydantic-ai make their calls by, whatever the model is."""

from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput


class City(BaseModel):
    city: str


def weather(city: str) -> str:
    """Tells the weather in a city."""
    return f"21 degrees in {city}"


def calls_of(model_of):
    """The calls of a model, `model_of(model, key, **options)`; the options are for the client of the API."""

    def agent(model, key, options=None, **more):
        return Agent(model_of(model, key, **(options or {})), **more)

    async def answer(model, key, options=None, **more):
        return (await agent(model, key, options, **more).run("Hi")).output

    async def stream(model, key):
        async with agent(model, key).run_stream("Hi") as answer:
            return "".join([part async for part in answer.stream_text(delta=True)])

    async def counted_stream(model, key):
        async with agent(model, key).run_stream("Hi") as answer:
            await answer.get_output()
            usage = answer.usage
            return (usage() if callable(usage) else usage).total_tokens

    async def structured(model, key):
        return (await answer(model, key, output_type=NativeOutput(City))).city

    async def limited(model, key):
        await answer(model, key)
        try:
            return await answer(model, key, {"max_retries": 0})
        except Exception as error:
            return f"{error} (after {error.__cause__.response.headers['retry-after']} s)"

    async def continued(model, key):
        asking = agent(model, key)
        first = await asking.run("Hi")
        return (await asking.run("Hi", message_history=first.all_messages())).output

    return {
        "answer": answer,
        "stream": stream,
        "counted stream": counted_stream,
        "tool": lambda model, key: answer(model, key, tools=[weather]),
        "structured": structured,
        "limited": limited,
        "continued": continued,
    }
