"""People sign in to an app: how the app wants it, codes and tokens, what is refused. Each act is in the audit."""

from __future__ import annotations

import hmac
import secrets
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from rollbook.kernel import clock
from rollbook.kernel.addresses import check_address
from rollbook.kernel.errors import Invalid, NotFound
from rollbook.policy import Actor, audit, unguarded
from rollbook.sharing.actions.renewal import old_secret_until
from rollbook.sharing.models import App, AppKey, AppSignIn, SignOn, Token
from rollbook.sharing.queries.sign_on import Held, Relying, digest, person_of

CODE, ACCESS, REFRESH = timedelta(minutes=1), timedelta(hours=1), timedelta(days=30)
DISTRICT = timedelta(days=365)  # since it was last asked for; the agreement and the rule end it sooner
BATCH = 5000  # values in one statement
PROTOCOLS = ("oidc", "clever", "saml", "lti")


def set_sign_on(
    app: App, *, protocol: str = "oidc", redirect_uris: Iterable[str] = (), logout_uris: Iterable[str] = (),
    launch_url: str = "", public: bool = False, details: Mapping[str, Any] | None = None, by: Actor | None = None,
) -> SignOn:  # fmt: skip
    """Say how people sign in to an app; it replaces what was said before. Raises Invalid that names the part.

    redirect_uris: where a sign-in may be sent; compared letter by letter. launch_url: where the portal opens the app.
    """
    if protocol not in PROTOCOLS:
        raise Invalid(
            f"There is no way to sign in called {protocol!r}.", f"There are {', '.join(PROTOCOLS)}."
        )
    where = {"redirect_uris": list(redirect_uris), "logout_uris": list(logout_uris)}
    for name, addresses in where.items():
        for address in addresses:
            check_address(address, name)
    if launch_url:
        check_address(launch_url, "launch_url")
    if protocol == "saml" and not (details or {}).get("entity_id"):
        raise Invalid("The app has no entity id.", "It stands in the app's SAML metadata.", "entity_id")
    if protocol == "saml":
        with unguarded("it is looked whether another app has this entity id", tenant=app.tenant_id):
            others = SignOn.objects.filter(tenant_id=app.tenant_id, protocol="saml").exclude(app=app)
            taken = any(
                o.get("entity_id") == (details or {})["entity_id"]
                for o in others.values_list("details", flat=True)
            )
        if taken:
            raise Invalid("Another app here has this entity id.", "Each app has its own.", "entity_id")
    if protocol == "lti":
        for part in ("login_url", "jwks_url", "deep_link_url"):
            if (details or {}).get(part):
                check_address(str((details or {})[part]), part)
        if not (details or {}).get("login_url") or not (
            (details or {}).get("jwks_url") or (details or {}).get("jwks")
        ):
            raise Invalid(
                "The app's login address or its keys are missing.",
                "Give login_url and jwks_url.",
                "login_url",
            )
    if not where["redirect_uris"]:
        raise Invalid("There is no address to send people back to.", "Give one or more.", "redirect_uris")
    values = {
        "tenant_id": app.tenant_id, "protocol": protocol, **where, "launch_url": launch_url, "public": public,
        "details": dict(details or {}), "changed_at": clock.now(),
    }  # fmt: skip
    with transaction.atomic(), unguarded("it is said how people sign in to an app", tenant=app.tenant_id):
        made, _ = SignOn.objects.update_or_create(app=app, defaults=values)
        said = {"protocol": protocol, "redirect_uris": where["redirect_uris"], "launch_url": launch_url}
        audit(app.tenant_id, by, "sign_on.set", "app", app.id, app.name, **said)
    return made


def clear_sign_on(app: App, by: Actor | None = None) -> None:
    """People no longer sign in to an app; what it got from their sign-ins ends. Raises NotFound."""
    with transaction.atomic(), unguarded("people no longer sign in to an app", tenant=app.tenant_id):
        gone, _ = SignOn.objects.filter(app=app).delete()
        if not gone:
            raise NotFound("People do not sign in to this app.")
        AppSignIn.objects.filter(tenant_id=app.tenant_id, app=app, ended_at=None).update(ended_at=clock.now())
        audit(app.tenant_id, by, "sign_on.cleared", "app", app.id, app.name)


def batched(values: Iterable[Any], size: int) -> list[list[Any]]:
    """The values in lists of at most `size`."""
    held = list(values)
    return [held[n : n + size] for n in range(0, len(held), size)]


def app_actor(to: Relying) -> Actor:
    """The app as whoever acts, for the audit."""
    return Actor("app", "app", to.app_id, to.name)


def knows_secret(to: Relying, secret: str) -> bool:
    """Whether this is the app's secret: the present one, or one before that still works."""
    if hmac.compare_digest(to.secret_hash, digest(secret)):
        return True
    return old_secret_until(App(id=to.app_id, tenant_id=to.tenant_id), secret) is not None


@dataclass(frozen=True)
class DistrictToken:
    """A token for the data that a whole tenant shares with an app."""

    token: str
    app_id: int
    tenant_id: int
    id_key: bytes
    issued_at: datetime


def district_token(client_id: str, secret: str, scope: str) -> DistrictToken:
    """The token of an app's district, the same each time, as Clever's clients expect who keep it. It is derived, so
    that only its hash is kept; another secret makes another. Raises NotFound for a wrong pair."""
    with transaction.atomic(), unguarded("an app asks for its district's token before its tenant is known"):
        app = App.objects.filter(client_id=client_id, stopped_at=None).first()
        right = hmac.compare_digest(app.secret_hash if app else "0" * 64, digest(secret))
        until = old_secret_until(app, secret) if app is not None and not right else None
        if app is None or not (right or until):
            raise NotFound("There is no app with this client id and secret.")
        seed = f"district:{app.id}:{digest(secret)}".encode()
        token = hmac.new(settings.SECRET_KEY.encode(), seed, "sha256").hexdigest()
        moment = clock.now()
        with unguarded("a district's token is written for its tenant", tenant=app.tenant_id):
            ends = until or moment + DISTRICT
            found = Token.objects.filter(digest=digest(token), app=app).first()
            if found is None:
                found = Token.objects.create(
                    digest=digest(token),
                    tenant_id=app.tenant_id,
                    app=app,
                    scopes=scope,
                    issued_at=moment,
                    expires_at=ends,
                )
                actor = Actor("app", "app", app.id, app.name)
                audit(app.tenant_id, actor, "app.signed_in", "app", app.id, app.name, scopes=[scope])
            else:
                Token.objects.filter(digest=found.digest).update(expires_at=ends)
    return DistrictToken(token, app.id, app.tenant_id, bytes.fromhex(app.id_key), found.issued_at)


def begin(
    to: Relying, person: int, who: Any, scopes: str, *, redirect_uri: str = "", challenge: str = "", nonce: str = ""
) -> str:  # fmt: skip
    """A person goes to an app: a code that the app can turn into tokens, once, within a minute.

    who: whoever is signed in; the caller has asked `queries.sign_on.seen`, so the app may know them. A sign-in of low
    trust, by a badge on a shared device, cannot be kept alive beyond itself.
    """
    code, moment = secrets.token_urlsafe(32), clock.now()
    if who.trust == "low":
        scopes = " ".join(s for s in scopes.split() if s != "offline_access")
    with transaction.atomic(), unguarded("a person signs in to an app", tenant=to.tenant_id):
        AppKey.objects.filter(tenant_id=to.tenant_id, expires_at__lt=moment - timedelta(days=1)).delete()
        made = AppSignIn.objects.create(
            tenant_id=to.tenant_id, app_id=to.app_id, person_id=person, scopes=scopes, began_at=moment,
            signed_in_at=who.since or moment, amr=" ".join(who.amr), session=who.handle, account_id=who.account_id,
        )  # fmt: skip
        bound = {"redirect_uri": redirect_uri, "challenge": challenge, "nonce": nonce}
        _add(made.id, to.tenant_id, "code", code, CODE, **bound)
        audit(to.tenant_id, who.actor, "sign_on.begun", "app", to.app_id, to.name, protocol=to.protocol)
    return code


def begin_once(to: Relying, person: int, who: Any, request: str) -> bool:
    """A person goes to an app with an answer that the browser carries. request: what names the app's request, which
    is answered once: False when it was already. Empty for a launch, which nobody asked for."""
    moment = clock.now()
    try:
        with (
            transaction.atomic(),
            unguarded("a person is sent to an app with an answer", tenant=to.tenant_id),
        ):
            made = AppSignIn.objects.create(
                tenant_id=to.tenant_id, app_id=to.app_id, person_id=person, scopes="", began_at=moment,
                signed_in_at=who.since or moment, amr=" ".join(who.amr), ended_at=moment,
            )  # fmt: skip
            if request:
                _add(made.id, to.tenant_id, "request", request, timedelta(hours=1))
            audit(to.tenant_id, who.actor, "sign_on.begun", "app", to.app_id, to.name, protocol=to.protocol)
    except IntegrityError:
        return False
    return True


def _add(sign_in: int, tenant: int, kind: str, secret: str, lives: timedelta, **bound: str) -> None:
    moment = clock.now()
    AppKey.objects.create(
        digest=digest(secret), tenant_id=tenant, sign_in_id=sign_in, kind=kind, issued_at=moment,
        expires_at=moment + lives, **bound,
    )  # fmt: skip


def use_once(key: Held, to: Relying) -> bool:
    """Take a code or refresh token as used. When it was used before, somebody has a copy: the whole sign-in ends."""
    with transaction.atomic(), unguarded("a code or refresh token works once", tenant=key.tenant_id):
        mine = AppKey.objects.filter(digest=key.digest, used_at=None).update(used_at=clock.now())
    if not mine:
        end(key, to, because=f"a {key.kind} was used twice")
    return bool(mine)


@dataclass(frozen=True)
class Tokens:
    """What an app gets for a code: shown once, kept as hashes."""

    access: str
    refresh: str
    seconds: int


def give_tokens(key: Held, *, refresh: bool) -> Tokens:
    """New tokens in the sign-in that `key` belongs to."""
    made = Tokens(
        secrets.token_urlsafe(32), secrets.token_urlsafe(32) if refresh else "", int(ACCESS.total_seconds())
    )
    with transaction.atomic(), unguarded("tokens are given for a code", tenant=key.tenant_id):
        _add(key.sign_in, key.tenant_id, "access", made.access, ACCESS)
        if made.refresh:
            _add(key.sign_in, key.tenant_id, "refresh", made.refresh, REFRESH)
    return made


def end(key: Held, to: Relying, because: str) -> None:
    """End a sign-in at an app with all its tokens."""
    with transaction.atomic(), unguarded("a sign-in at an app ends", tenant=key.tenant_id):
        if AppSignIn.objects.filter(id=key.sign_in, ended_at=None).update(ended_at=clock.now()):
            audit(key.tenant_id, app_actor(to), "sign_on.ended", "app", to.app_id, to.name, because=because)


def end_by_sub(to: Relying, sub: str, because: str) -> int | None:
    """End every sign-in at an app of the person whom it knows by this code. Returns the person, if it is one."""
    person = person_of(to.app_id, sub)
    if person is None:
        return None
    with transaction.atomic(), unguarded("a person signs out of an app", tenant=to.tenant_id):
        open_ = AppSignIn.objects.filter(
            tenant_id=to.tenant_id, app_id=to.app_id, person_id=person, ended_at=None
        )
        if open_.update(ended_at=clock.now()):
            audit(to.tenant_id, app_actor(to), "sign_on.ended", "app", to.app_id, to.name, because=because)
    return person


def end_with(handles: Iterable[str], accounts: Iterable[int]) -> None:
    """End what apps got from sign-ins at Rollbook that were ended, or from any sign-in of these accounts: codes, access
    and refresh tokens. In the transaction that ends the sign-ins."""
    ended: Counter[tuple[int, int, str]] = Counter()
    came = [("session", part) for part in batched(filter(None, handles), BATCH)]
    came += [("account_id", part) for part in batched(filter(None, accounts), BATCH)]
    with transaction.atomic(), unguarded("what an app got of a sign-in ends with it"):
        for column, values in came:
            open_ = AppSignIn.objects.filter(**{f"{column}__in": values}, ended_at=None)
            ended.update(open_.values_list("tenant_id", "app_id", "app__name"))
            open_.update(ended_at=clock.now())
        for (tenant, app, name), count in sorted(ended.items()):
            audit(
                tenant, None, "sign_on.ended", "app", app, name, because="the sign-in at Rollbook ended", count=count
            )  # fmt: skip


def refused(
    tenant: int, door: str, error: str, because: str, to: Relying | None = None, by: Actor | None = None
) -> None:
    """Write down that a sign-in at an app was refused, and why. No secret and no name of a person is among it."""
    with transaction.atomic():
        audit(
            tenant, by or (app_actor(to) if to else None), "sign_on.refused", "app", to.app_id if to else 0,
            to.name if to else "", door=door, error=error, because=because[:300],
        )  # fmt: skip
