"""OpenAI's agents, with the Responses API, which is what they use unless told otherwise."""

import openai
from agents import OpenAIResponsesModel, OpenAIResponsesWSModel, Runner, Agent
from agents_calls import calls_of
from told import tell


def model_of(model, key, kind=OpenAIResponsesModel, **options):
    return kind(model=model, openai_client=openai.AsyncOpenAI(api_key=key, **options))


calls = calls_of(model_of)
answer = calls["answer"]


async def unknown_response(model, key):
    agent = Agent(name="Test", model=model_of(model, key))
    return (await Runner.run(agent, "Hi", previous_response_id="resp_of_another")).final_output


async def by_reference(model, key):
    agent = Agent(name="Test", model=model_of(model, key))
    first = await Runner.run(agent, "Hi")
    return (await Runner.run(agent, "Hi", previous_response_id=first.last_response_id)).final_output


tell({
    **calls,
    "continued by reference": by_reference,
    "unknown response": unknown_response,
    "web socket": lambda model, key: answer(model, key, {"kind": OpenAIResponsesWSModel}),
})
