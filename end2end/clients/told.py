"""What the programs of this folder have in common: calls are named on the command line, answers are printed.

The argument is a JSON list of calls, {"name", "does", "model", "key"}, and "other" where two keys
are sent. Printed is an object with what the user of the
client sees of each, {"saw"} or {"class", "message"}. The base URL comes from OPENAI_BASE_URL, as with the client itself.
"""

import asyncio
import inspect
import json
import os
import sys

URL = os.environ["OPENAI_BASE_URL"]


def tell(does):
    """Makes the calls, with a function for each thing that a call may do."""

    async def all_of_them():
        told = {}
        for call in json.loads(sys.argv[1]):
            try:
                others = [call["other"]] if "other" in call else []
                saw = does[call["does"]](call["model"], call["key"], *others)
                told[call["name"]] = {"saw": await saw if inspect.isawaitable(saw) else saw}
            except Exception as error:
                told[call["name"]] = {"class": type(error).__name__, "message": str(error)}
        return told

    print(json.dumps(asyncio.run(all_of_them())))
