"""The pages a child signs in on: a badge held to the camera, pictures tapped, "is this you?", and goodbye."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from rollbook.identity import actions, rules
from rollbook.identity.pages.who import address_of, agent_of, device_of, number_device, wait
from rollbook.kernel.errors import Invalid
from rollbook.kernel.http import safe_next, signed_in

# The one page that may ask for the camera, and what it may load: nothing leaves but to this site.
CAMERA = "camera=(self), microphone=(), geolocation=(), browsing-topics=()"
CSP = (
    "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; font-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
FITS_NOT = "That badge does not open anything. Ask your teacher."


@require_http_methods(["GET", "POST"])
def badge(request: Any) -> HttpResponse:
    """Show a badge. What is sent is what the badge says, and nothing else: any other field is refused."""
    if request.method == "GET":
        return _badge(request)
    if request.FILES or set(request.POST) - {"csrfmiddlewaretoken"} != {"token"}:
        raise Invalid("This page takes what a badge says, and nothing else.", "Send `token` alone.")
    code = "".join(request.POST["token"].split()).upper()
    if code and not code.startswith("RB1:"):
        code = f"RB1:{code}"  # typed from the badge
    try:
        who = actions.sign_in_badge(
            request.session, code, address_of(request), device_of(request), agent_of(request)
        )
    except actions.TooMany as error:
        answer = _answer(request, wait(error.seconds), 429)
        answer["Retry-After"] = str(error.seconds)
        return answer
    if who is None:
        return _answer(request, FITS_NOT, 422)
    if request.headers.get("Accept") == "application/json":
        return JsonResponse({"next": _on(request, "/badge/you")})
    return HttpResponseRedirect(_on(request, "/badge/you"))


def _on(request: Any, path: str) -> str:
    """A page of signing in, that still knows where the child was going: `next` rides in the address, for the form of
    a badge sends what the badge says and nothing else."""
    wanted = safe_next(request)
    return path if wanted == "/" else f"{path}?{urlencode({'next': wanted})}"


def _ways(request: Any) -> dict[str, str]:
    return {"badge": _on(request, "/badge"), "picture": _on(request, "/picture")}


def _answer(request: Any, problem: str, status: int) -> HttpResponse:
    if request.headers.get("Accept") == "application/json":
        return JsonResponse({"problem": problem}, status=status)
    return _badge(request, problem, status)


def _badge(request: Any, problem: str = "", status: int = 200) -> HttpResponse:
    answer = render(
        request, "identity/badge.html", {"problem": problem, "ways": _ways(request)}, status=status
    )
    answer["Permissions-Policy"], answer["Content-Security-Policy"] = CAMERA, CSP
    return number_device(request, answer)


@require_http_methods(["GET", "POST"])
def picture(request: Any) -> HttpResponse:
    """A number, then four pictures, one tap at a time. No script: each tap is a form."""
    number = request.POST.get("number", "").strip()[:6]
    taps = tuple(int(t) for t in request.POST.get("taps", "") if t in "012345678")[: rules.TAPS]
    tap = request.POST.get("tap", "")
    if tap in tuple("012345678"):
        taps = (*taps, int(tap))
    elif tap == "back":
        taps = taps[:-1]
    problem, status = "", 200
    if request.method == "POST" and not number.isdigit():
        number, taps, problem, status = "", (), "Type the number that your teacher shows you.", 422
    if len(taps) >= rules.TAPS:
        try:
            who = actions.sign_in_pictures(
                request.session, number, taps, address_of(request), device_of(request), agent_of(request)
            )
            if who is not None:
                return HttpResponseRedirect(_on(request, "/badge/you"))
            problem, status = "Those are not the pictures. Try again, or ask your teacher.", 422
        except actions.TooMany as error:
            problem, status = wait(error.seconds), 429
        number, taps = "", ()
    context = {
        "number": number, "taps": "".join(map(str, taps)), "shown": [rules.PICTURES[t] for t in taps],
        "empty": range(rules.TAPS - len(taps)), "pictures": list(enumerate(rules.PICTURES)), "problem": problem,
        "ways": _ways(request),
    }  # fmt: skip
    return number_device(request, render(request, "identity/picture.html", context, status=status))


@require_GET
@signed_in(kinds=("student",))
def you(request: Any) -> HttpResponse:
    """Is this you? Stops a swapped badge, for one tap."""
    wanted = safe_next(request)
    context = {
        "child": request.who, "face": rules.face(request.who.account_id), "to": "/books" if wanted == "/" else wanted,
    }  # fmt: skip
    return render(request, "identity/you.html", context)


@require_POST
def finish(request: Any) -> HttpResponse:
    """I'm finished (or: it is not me). The sign-in ends at once."""
    who = request.who
    if who is None or who.kind != "student":
        return HttpResponseRedirect("/badge")
    context = {"name": who.name, "face": rules.face(who.account_id), "wrong": "wrong" in request.POST}
    actions.sign_out(request.session, who, not_me=context["wrong"])
    return render(request, "identity/bye.html", context)
