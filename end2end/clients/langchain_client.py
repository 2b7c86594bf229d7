"""LangChain's ChatOpenAI, with chat completions, and OpenAIEmbeddings."""

from langchain_calls import calls_of
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from told import tell


def embed(model, key):
    # Without this it sends numbers of tokens, made by OpenAI's tokenizer, instead of text.
    return OpenAIEmbeddings(model=model, api_key=key, check_embedding_ctx_length=False).embed_query("Hi")


calls = calls_of(lambda model, key, **options: ChatOpenAI(model=model, api_key=key, **options))
tell({**calls, "chat": calls["answer"], "embed": embed})
