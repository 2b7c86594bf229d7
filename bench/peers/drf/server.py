"""djangorestframework-api-key as forward authentication: 200 for a good key, 403 for any other.

As quick as it gets: nothing of Django that a check doesn't need, connections to SQLite that stay open, no log. Started
by `make bench-doors`: `python server.py FOLDER` makes the database in the folder and prints the key; then gunicorn
serves `server:application` with `BENCH_FOLDER` set to the same folder.
"""

import os
import sys

import django
from django.conf import settings
from django.urls import path

folder = sys.argv[1] if __name__ == "__main__" else os.environ["BENCH_FOLDER"]
settings.configure(
    SECRET_KEY=os.urandom(32).hex(),
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    INSTALLED_APPS=["rest_framework", "rest_framework_api_key"],
    MIDDLEWARE=[],
    LOGGING_CONFIG=None,
    API_KEY_CUSTOM_HEADER="HTTP_X_API_KEY",
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.path.join(folder, "keys.db"),
            "CONN_MAX_AGE": None,
            "OPTIONS": {"init_command": "PRAGMA journal_mode = wal; PRAGMA synchronous = normal"},
        }
    },
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework_api_key.permissions.HasAPIKey"],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "UNAUTHENTICATED_USER": None,
    },
)
django.setup()

from rest_framework.response import Response  # noqa: E402 # It wants the settings.
from rest_framework.views import APIView  # noqa: E402


class Check(APIView):
    def get(self, request):
        return Response()


urlpatterns = [path("", Check.as_view())]

if __name__ == "__main__":
    from django.core.management import call_command
    from rest_framework_api_key.models import APIKey

    call_command("migrate", verbosity=0)
    print(APIKey.objects.create_key(name="bench")[1])
else:
    from django.core.wsgi import get_wsgi_application

    application = get_wsgi_application()
