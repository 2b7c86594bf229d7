"""OpenAI's agents, with chat completions."""

import openai
from agents import OpenAIChatCompletionsModel
from agents_calls import calls_of
from told import tell

calls = calls_of(
    lambda model, key: OpenAIChatCompletionsModel(model=model, openai_client=openai.AsyncOpenAI(api_key=key))
)
tell({**calls, "chat": calls["answer"]})
