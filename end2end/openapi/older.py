"""/openapi.json as OpenAPI 3.0, for what reads no other: progenitor 0.15."""

NO_NULL = {"type": "null"}


def schemas(node):
    """Null is a word of its own in 3.0, and an example is one."""
    if isinstance(node, list):
        return [schemas(one) for one in node]
    if not isinstance(node, dict):
        return node
    node = {name: schemas(value) for name, value in node.items()}
    kinds = node.get("type")
    if isinstance(kinds, list):
        (kind,) = (one for one in kinds if one != "null")
        node |= {"type": kind, "nullable": True}
    choices = node.get("oneOf")
    if isinstance(choices, list) and NO_NULL in choices:
        (node["allOf"],) = ([one] for one in choices if one != NO_NULL)
        del node["oneOf"]
        node["nullable"] = True
    # Beside a reference nothing else is read.
    if "$ref" in node:
        return {"$ref": node["$ref"]}
    if isinstance(node.get("examples"), list):
        node["example"] = node.pop("examples")[0]
    return node


def one_body(message):
    """progenitor reads one media type of a body: JSON, where there are several."""
    content = message.get("content", {})
    json = content.get("application/json") or content.pop("application/problem+json", None)
    if json:
        message["content"] = {"application/json": json}


def takes_form(operation):
    """progenitor has no forms and no files of lines."""
    content = operation.get("requestBody", {}).get("content", {})
    return "multipart/form-data" in content or "application/x-ndjson" in content


def older(document):
    document = schemas(document)
    paths = document["paths"].items()
    document["paths"] = {path: item for path, item in paths if not any(map(takes_form, item.values()))}
    document["openapi"] = "3.0.3"
    document["info"]["license"].pop("identifier")
    for path in document["paths"].values():
        for operation in path.values():
            one_body(operation.get("requestBody", {}))
            answers = operation["responses"]
            # It takes `default` for a success too.
            answers["5XX"] = answers.pop("default")
            for answer in answers.values():
                one_body(answer)
    # It reads one shape of refusals for an operation, and this one has two.
    del document["paths"]["/readyz"]["get"]["responses"]["5XX"]
    return document
