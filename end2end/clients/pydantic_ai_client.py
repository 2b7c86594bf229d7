"""pydantic-ai's agents, with chat completions."""

from pydantic import BaseModel
from pydantic_ai import Agent, Embedder, NativeOutput
from pydantic_ai.embeddings.openai import OpenAIEmbeddingModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from told import tell


class City(BaseModel):
    city: str


def weather(city: str) -> str:
    """Tells the weather in a city."""
    return f"21 degrees in {city}"


def agent(model, key, **options):
    return Agent(OpenAIChatModel(model, provider=OpenAIProvider(api_key=key)), **options)


async def stream(model, key):
    async with agent(model, key).run_stream("Hi") as answer:
        return "".join([part async for part in answer.stream_text(delta=True)])


async def counted_stream(model, key):
    async with agent(model, key).run_stream("Hi") as answer:
        await answer.get_output()
        usage = answer.usage
        return (usage() if callable(usage) else usage).total_tokens


async def output(model, key, **options):
    return (await agent(model, key, **options).run("Hi")).output


async def structured(model, key):
    return (await output(model, key, output_type=NativeOutput(City))).city


async def embed(model, key):
    embedder = Embedder(OpenAIEmbeddingModel(model, provider=OpenAIProvider(api_key=key)))
    return list((await embedder.embed_query("Hi")).embeddings[0])


tell({
    "chat": output,
    "stream": stream,
    "counted stream": counted_stream,
    "tool": lambda model, key: output(model, key, tools=[weather]),
    "structured": structured,
    "embed": embed,
})
