"""The first request: its text in curl and Python, and the answer of the very door that an app's own request comes to."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import orjson
from django.core.handlers.wsgi import WSGIRequest
from django.urls import resolve

from rollbook.policy import Actor
from rollbook.sharing.actions.developers import trial_token
from rollbook.sharing.connectors.clever.operations import TABLES as CLEVER
from rollbook.sharing.connectors.oneroster.operations import OPERATIONS, PREFIX, SCOPES

FIRST = f"{PREFIX}/users?limit=1"
LATEST = "v3.1"


def trials() -> dict[str, str]:
    """Addresses that a developer's page can ask for -> what they are: every operation that needs no id."""
    found = {f"{PREFIX}{o.path}?limit=1": f"OneRoster {o.path}" for o in OPERATIONS if not o.ids}
    found |= {
        f"/{LATEST}/{name}?limit=1": f"Clever /{LATEST}/{name}" for name in CLEVER[LATEST] if "*" not in name
    }
    return {FIRST: found.pop(FIRST), **found, f"/{LATEST}/events?limit=5": f"Clever /{LATEST}/events"}


@dataclass(frozen=True)
class Answered:
    """What the door answered: the address, the status, the body as indented JSON."""

    address: str
    status: int
    body: str


def ask(request: Any, app: Any, address: str, *, by: Actor) -> Answered:
    """Send a request of this app to our own door, with a token of a minute. Whatever is refused there is refused here."""
    path, _, query = address.partition("?")
    environ = {name: value for name, value in request.META.items() if name in _SAME}
    environ |= {
        "REQUEST_METHOD": "GET", "PATH_INFO": path, "SCRIPT_NAME": "", "QUERY_STRING": query,
        "HTTP_AUTHORIZATION": f"Bearer {trial_token(app, SCOPES, by=by)}",
        "wsgi.input": io.BytesIO(), "wsgi.url_scheme": request.scheme,
    }  # fmt: skip
    inner = WSGIRequest(environ)
    match = resolve(path)
    answer = match.func(inner, *match.args, **match.kwargs)
    text = orjson.dumps(orjson.loads(answer.content), option=orjson.OPT_INDENT_2).decode()
    return Answered(address, answer.status_code, text)


_SAME = frozenset({"SERVER_NAME", "SERVER_PORT", "HTTP_HOST", "REMOTE_ADDR", "SERVER_PROTOCOL"})


def in_curl(site: str, client_id: str, secret: str, address: str) -> str:
    """The request as two lines for a shell."""
    return (
        f"TOKEN=$(curl -s -u '{client_id}:{secret}' -d grant_type=client_credentials \\\n"
        f'  {site}/oauth/token | sed \'s/.*"access_token":"\\([^"]*\\)".*/\\1/\')\n'
        f"curl -s -H \"Authorization: Bearer $TOKEN\" '{site}{address}'\n"
    )


def in_python(site: str, client_id: str, secret: str, address: str) -> str:
    """The request as a Python program that needs nothing but Python."""
    return f'''import base64, json
from urllib.request import Request, urlopen

def ask(path, authorization, form=None):
    headers = {{"Authorization": authorization}}
    with urlopen(Request("{site}" + path, form, headers)) as answer:
        return json.load(answer)

keys = base64.b64encode(b"{client_id}:{secret}").decode()
token = ask("/oauth/token", "Basic " + keys, b"grant_type=client_credentials")
found = ask("{address}", "Bearer " + token["access_token"])
print(json.dumps(found, indent=2, ensure_ascii=False))
'''
