"""pydantic-ai's agents, with chat completions."""

from pydantic_ai import Embedder
from pydantic_ai.embeddings.openai import OpenAIEmbeddingModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai_calls import calls_of
from told import tell


async def embed(model, key):
    embedder = Embedder(OpenAIEmbeddingModel(model, provider=OpenAIProvider(api_key=key)))
    return list((await embedder.embed_query("Hi")).embeddings[0])


calls = calls_of(lambda model, key: OpenAIChatModel(model, provider=OpenAIProvider(api_key=key)))
tell({**calls, "chat": calls["answer"], "embed": embed})
