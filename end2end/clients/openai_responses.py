"""OpenAI's official client for Python, with the Responses API."""

import openai
from pydantic import BaseModel
from told import tell

PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}
TOOL = {"type": "function", "name": "weather", "parameters": PARAMETERS, "strict": True}


class City(BaseModel):
    city: str


def client(key, **options):
    return openai.OpenAI(api_key=key, **options)


def create(model, key, **options):
    return client(key).responses.create(model=model, input="Hi", **options)


def stream(model, key):
    return "".join(event.delta for event in create(model, key, stream=True) if event.type == "response.output_text.delta")


def counted_stream(model, key):
    with client(key).responses.stream(model=model, input="Hi") as events:
        return events.get_final_response().usage.total_tokens


def tool(model, key):
    asked = create(model, key, tools=[TOOL], tool_choice="required")
    call = next(item for item in asked.output if item.type == "function_call")
    answer = {"type": "function_call_output", "call_id": call.call_id, "output": "21 degrees"}
    return client(key).responses.create(model=model, input=[answer], previous_response_id=asked.id, tools=[TOOL]).output_text


def limited(model, key):
    create(model, key)
    try:
        return client(key, max_retries=0).responses.create(model=model, input="Hi").output_text
    except openai.RateLimitError as error:
        return f"{error} (after {error.response.headers['retry-after']} s)"


tell({
    "answer": lambda model, key: create(model, key).output_text,
    "stream": stream,
    "counted stream": counted_stream,
    "tool": tool,
    "structured": lambda model, key: client(key).responses.parse(model=model, input="Hi", text_format=City).output_parsed.city,
    "limited": limited,
    "count": lambda model, key: client(key).responses.input_tokens.count(model=model, input="Hi").input_tokens,
    "unknown response": lambda model, key: create(model, key, previous_response_id="resp_of_another").output_text,
})
