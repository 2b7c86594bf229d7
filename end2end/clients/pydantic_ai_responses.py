"""pydantic-ai's agents, with the Responses API."""

import openai
from pydantic_ai.messages import ModelRequest
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.models.openai import OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai_calls import calls_of
from told import tell


def model_of(model, key, settings=None, **options):
    provider = OpenAIProvider(openai_client=openai.AsyncOpenAI(api_key=key, **options))
    return OpenAIResponsesModel(model, provider=provider, settings=settings)


async def count(model, key):
    usage = await model_of(model, key).count_tokens([ModelRequest.user_text_prompt("Hi")], None, ModelRequestParameters())
    return usage.input_tokens


calls = calls_of(model_of)


def unknown_response(model, key):
    return calls["answer"](model, key, {"settings": {"openai_previous_response_id": "resp_of_another"}})


tell({**calls, "count": count, "unknown response": unknown_response})
