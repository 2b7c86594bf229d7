"""A Django server with the keys of djangorestframework-api-key and the tokens of django-rest-knox is moved to Latchkey by
one command each, and its clients go on with what they have.

    python journey_django.py     with both in this environment, and sqlite3 on PATH
"""

import datetime
import pathlib
import subprocess
import sys
import tempfile
import threading
import wsgiref.simple_server

import journey

# There is a file here that has the name of the package.
sys.path = [path for path in sys.path if not path.endswith("moving-in")]

import django  # noqa: E402
from django.conf import settings  # noqa: E402

WORK = tempfile.TemporaryDirectory()
DATABASE = pathlib.Path(WORK.name) / "django.db"
settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": DATABASE}},
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "rest_framework",
        "rest_framework_api_key",
        "knox",
    ],
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    ROOT_URLCONF=__name__,
    SECRET_KEY="a secret that signs nothing here",
    ALLOWED_HOSTS=["127.0.0.1"],
    USE_TZ=True,
)
django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.core.handlers.wsgi import WSGIHandler  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.urls import path  # noqa: E402
from django.utils import timezone  # noqa: E402
from knox.auth import TokenAuthentication  # noqa: E402
from knox.models import AuthToken  # noqa: E402
from rest_framework.permissions import BasePermission, IsAuthenticated  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402
from rest_framework_api_key.models import APIKey  # noqa: E402
from rest_framework_api_key.permissions import HasAPIKey  # noqa: E402

# Where Latchkey says which keys are good, once the server asks it.
CHECK_URL: list[str] = []


class Either(BasePermission):
    """What the package says, and after the move what Latchkey says."""

    by_package: type[BasePermission]

    def has_permission(self, request, view) -> bool:
        if not CHECK_URL:
            return self.by_package().has_permission(request, view)
        key = request.headers.get("authorization", "").rpartition(" ")[2]
        status, _, answer = journey.request("GET", CHECK_URL[0], x_api_key=key)
        self.message = answer.get("code", "refused")
        return status == 200


class GoodKey(Either):
    by_package = HasAPIKey


class GoodToken(Either):
    by_package = IsAuthenticated


class Files(APIView):
    def get(self, _request) -> Response:
        return Response({"files": ["invoice.pdf"]})

    def get_authenticators(self) -> list:
        return [TokenAuthentication()] if self.permission_classes == [GoodToken] and not CHECK_URL else []


urlpatterns = [
    path("keys", Files.as_view(permission_classes=[GoodKey])),
    path("tokens", Files.as_view(permission_classes=[GoodToken])),
]


class Quiet(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def client(url: str, scheme: str, key: str) -> str:
    """What a client is told, whose URL and header never change."""
    status, _, answer = journey.request("GET", url, authorization=f"{scheme} {key}")
    return "200" if status == 200 else f"{status} {answer['detail']}"


def make_keys() -> dict[str, str]:
    later = timezone.now() + datetime.timedelta(days=300)
    kinds = {"billing": {"expiry_date": later}, "forever": {}, "revoked": {}, "expired": {}}
    keys = {name: APIKey.objects.create_key(name=name, **kind)[1] for name, kind in kinds.items()}
    APIKey.objects.filter(name="revoked").update(revoked=True)
    APIKey.objects.filter(name="expired").update(expiry_date=timezone.now() - datetime.timedelta(hours=1))
    return keys


def make_tokens() -> dict[str, str]:
    user = get_user_model().objects.create(username="mira")
    tokens = {"billing": AuthToken.objects.create(user)[1], "forever": AuthToken.objects.create(user, expiry=None)[1]}
    expired, tokens["expired"] = AuthToken.objects.create(user)
    AuthToken.objects.filter(pk=expired.pk).update(expiry=timezone.now() - datetime.timedelta(hours=1))
    return tokens


def go(url: str, scheme: str, keys: dict[str, str], refused: dict[str, str]) -> None:
    for name, key in keys.items():
        told = client(url, scheme, key)
        assert (told == "200") == (name not in refused), (name, told)
        if name in refused:
            print(f"    {'Latchkey' if CHECK_URL else 'Django'} says of the {scheme} {name}: {told}")
            assert refused[name] in told, (name, told)


def main() -> None:
    call_command("migrate", verbosity=0)
    keys, tokens = make_keys(), make_tokens()
    server = wsgiref.simple_server.make_server("127.0.0.1", 0, WSGIHandler(), handler_class=Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    go(f"{url}/keys", "Api-Key", keys, {"revoked": "", "expired": ""})
    exports = {}
    for table, preset in [("rest_framework_api_key_apikey", "drf-api-key"), ("knox_authtoken", "knox")]:
        exports[preset] = pathlib.Path(WORK.name) / f"{preset}.csv"
        query = ["sqlite3", "-csv", "-header", DATABASE, f"SELECT * FROM {table}"]
        exports[preset].write_bytes(subprocess.run(query, check=True, capture_output=True).stdout)
    # Knox deletes an expired token when it sees one, so it sees none before the export.
    go(f"{url}/tokens", "Token", tokens, {"expired": ""})
    connection.close()
    with journey.latchkey(pathlib.Path(WORK.name) / "latchkey") as latchkey:
        for preset, export in exports.items():
            latchkey.move_in(export, preset)
        CHECK_URL.append(f"{latchkey.url}/v1/check/{latchkey.project}")
        for _ in range(2):
            go(f"{url}/keys", "Api-Key", keys, {"revoked": "revoked_key", "expired": "expired_key"})
            go(f"{url}/tokens", "Token", tokens, {"expired": "expired_key"})
    server.shutdown()


main()
