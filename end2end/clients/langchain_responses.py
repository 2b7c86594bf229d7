"""LangChain's ChatOpenAI, with the Responses API."""

from langchain_calls import calls_of
from langchain_openai import ChatOpenAI
from told import tell


def chat(model, key, **options):
    return ChatOpenAI(model=model, api_key=key, use_responses_api=True, **options)


def continued(model, key, **options):
    continuing = chat(model, key, **options)
    first = continuing.invoke("Hi")
    return continuing.invoke([("user", "Hi"), first, ("user", "Hi")]).text


tell({
    **calls_of(chat),
    "continued": continued,
    "continued by reference": lambda model, key: continued(model, key, use_previous_response_id=True),
    "unknown response": lambda model, key: chat(model, key).invoke("Hi", previous_response_id="resp_of_another").text,
})
