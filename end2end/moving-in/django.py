"""Rows of djangorestframework-api-key and django-rest-knox, made and checked by the packages themselves.

    python django.py make             prints a row for each kind of key, with the key
    python django.py accept < lines   fails unless each key is valid with its row

Which versions these are is up to the environment. The tables are their own migrations'.
"""

import datetime
import importlib.metadata
import json
import sys

# This file has the name of the package.
sys.path = [path for path in sys.path if not path.endswith("moving-in")]

import django  # noqa: E402
from django.conf import settings  # noqa: E402

settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "rest_framework",
        "rest_framework_api_key",
        "knox",
    ],
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    REST_KNOX={"TOKEN_TTL": None},
    USE_TZ=True,
)
django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.utils import timezone  # noqa: E402
from knox.auth import TokenAuthentication  # noqa: E402
from knox.models import AuthToken  # noqa: E402
from rest_framework_api_key.models import APIKey  # noqa: E402

call_command("migrate", verbosity=0)
USER = get_user_model().objects.create(username="mira")
API_KEYS, TOKENS = "rest_framework_api_key_apikey", "knox_authtoken"


def rows(table: str) -> list[dict]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {table}")
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row)) for row in cursor.fetchall()]


def show(package: str, preset: str, key: str, row: dict) -> None:
    made_by = f"{package} {importlib.metadata.version(package)}"
    # Times of SQLite are texts already.
    print(json.dumps({"made_by": made_by, "preset": preset, "key": key, "row": row}, default=str))


def make() -> None:
    _, api_key = APIKey.objects.create_key(
        name="billing", expiry_date=timezone.now() + datetime.timedelta(days=3650)
    )
    show("djangorestframework-api-key", "drf-api-key", api_key, rows(API_KEYS)[0])
    _, token = AuthToken.objects.create(USER)
    show("django-rest-knox", "knox", token, rows(TOKENS)[0])


def insert(table: str, row: dict) -> None:
    names = ", ".join(row)
    marks = ", ".join(["%s"] * len(row))
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(row.values()))


def accept(lines: list[dict]) -> None:
    for line in lines:
        if line["preset"] == "knox":
            insert(TOKENS, line["row"])
            TokenAuthentication().authenticate_credentials(line["key"].encode())
        else:
            insert(API_KEYS, line["row"])
            assert APIKey.objects.is_valid(line["key"]), line["made_by"]


if sys.argv[1] == "make":
    make()
else:
    accept([json.loads(line) for line in sys.stdin])
