"""pydantic-ai's agents, with Anthropic's Messages API."""

import asyncio

import anthropic
from pydantic_ai.messages import ModelRequest
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai_calls import City, calls_of
from told import URL, tell


def model_of(model, key, settings=None, **options):
    provider = AnthropicProvider(anthropic_client=anthropic.AsyncAnthropic(api_key=key, **options))
    return AnthropicModel(model, provider=provider, settings=settings)


async def counts(model, key, times=25):
    counting = model_of(model, key)
    messages = [ModelRequest.user_text_prompt("Hi")]
    counted = [counting.count_tokens(messages, None, ModelRequestParameters()) for _ in range(times)]
    return sum([usage.input_tokens for usage in await asyncio.gather(*counted)])


calls = calls_of(model_of)
answer = calls["answer"]


async def structured(model, key):
    """As the arguments of a tool: native output is for names of models that it knows."""
    return (await answer(model, key, output_type=City)).city


THINKING = {"max_tokens": 4000, "anthropic_thinking": {"type": "enabled", "budget_tokens": 3000}}

tell({
    **calls,
    "structured": structured,
    "count": lambda model, key: counts(model, key, 1),
    "counts": counts,
    "thinking": lambda model, key: answer(model, key, {"settings": THINKING}),
    "v1 twice": lambda model, key: answer(model, key, {"base_url": URL}),
    "two keys": lambda model, key, other: answer(model, key, {"default_headers": {"x-api-key": other}}),
})
