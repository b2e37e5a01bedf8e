"""A page that posts an answer to an app: SAML and LTI send theirs so, through the browser."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from rollbook.sharing.queries.sign_on import Relying

# As on every page, but for `form-action`: browsers hold an app's own redirects after the post to it too.
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; "
    "form-action https: http://localhost:* http://127.0.0.1:*; frame-ancestors 'none'; base-uri 'none'"
)


def post_to_app(request: HttpRequest, to: Relying, where: str, fields: dict[str, Any]) -> HttpResponse:
    """A form to the app that sends itself; without JavaScript its button does. where: an address that is the app's."""
    said = {"app": to, "where": where, "fields": fields}
    response = render(request, "sharing/sign_on_post.html", said)
    response["Content-Security-Policy"] = CSP
    return response
