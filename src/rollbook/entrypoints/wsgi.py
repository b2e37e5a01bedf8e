"""The WSGI application that granian serves. The first request of a process pays for lazy imports, so it is made here."""

import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rollbook.entrypoints.settings")
application = get_wsgi_application()
get_resolver().url_patterns  # noqa: B018  # imports every door before the worker takes a request
