"""What can be done about apps: make one, agree with its maker, share, stop, ask and answer, issue a token.

Each is one transaction with its audit record. `by` is the staff member who acts, or None for the command line.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction

from rollbook.kernel import clock, limits
from rollbook.kernel.errors import Invalid, NotFound
from rollbook.kernel.ids import new_id
from rollbook.policy import Actor, audit, bundle_for, unguarded
from rollbook.roster import Tenant
from rollbook.sharing.actions.duties import look_again
from rollbook.sharing.actions.renewal import digest, old_secret_until
from rollbook.sharing.actions.webhooks import tell
from rollbook.sharing.models import Addition, Agreement, App, FieldRequest, SharingRule, Token
from rollbook.sharing.queries.grants import Withheld, grant_for, may, shareable
from rollbook.sharing.queries.listings import listed_as
from rollbook.sharing.rules import FIELDS, SCIM_SCOPE, STRUCTURAL, STRUCTURAL_REASON, parse_rule

TOKEN_SECONDS = 3600
SCIM_TOKEN_DAYS = 366  # directories keep a token in their settings; nobody renews one every hour
KEPT_RETENTION_DAYS = 3650


@dataclass(frozen=True)
class NewApp:
    """A new app with its secret, which is shown this once. `token` is for an app of the kind scim."""

    app: App
    client_id: str
    client_secret: str
    token: str = ""


def create_app(
    tenant: Tenant,
    name: str,
    *,
    by: Actor | None = None,
    vendor: str = "",
    about: str = "",
    privacy_url: str = "",
    contact: str = "",
    kind: str = "oneroster",
    listing: str = "",
) -> NewApp:
    """Make an app known to a tenant. It sees nothing until there is an agreement and a rule. Raises Invalid.

    listing: the code of its maker's listing, if they have one: they may then ask for details (`queries.listings`).

    kind: oneroster; scim (the school's directory writes accounts here, with a long-lived token); or directory (we
    keep the accounts there).
    """
    name = name.strip()
    if not name:
        raise Invalid("The app has no name.", "Give it the name that staff and families know it by.", "name")
    if privacy_url and not privacy_url.startswith(("https://", "http://")):
        raise Invalid(
            "The address of the app's privacy policy is not a web address.",
            "It begins with https://",
            "privacy_url",
        )
    if tenant.sandbox and kind != "oneroster":
        raise Invalid(
            "A sandbox has apps that read, and no others.", "Nobody’s directory writes into it.", "kind"
        )
    maker = listed_as(listing) if listing.strip() else None
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:70] or "app"
    secret = secrets.token_urlsafe(32)
    with transaction.atomic(), unguarded("an administrator makes an app known", tenant=tenant.id):
        if App.objects.filter(tenant=tenant, slug=slug).exists():
            raise Invalid(
                f"{tenant.name} already has an app called {name}.",
                "Choose another name, or change that one.",
                "name",
            )
        app = App.objects.create(
            tenant=tenant, name=name, slug=slug, vendor=vendor, about=about, privacy_url=privacy_url, contact=contact,
            kind=kind, listing_id=maker.id if maker else None, client_id=secrets.token_hex(12),
            secret_hash=digest(secret), id_key=secrets.token_hex(16), created_at=clock.now(),
        )  # fmt: skip
        said = {"maker": maker.vendor} if maker else {}
        audit(tenant.id, by, "app.created", "app", app.id, app.name, **said)
        token = renew_token(app, by=by) if kind == "scim" else ""
    return NewApp(app, app.client_id, secret, token)


def renew_token(app: App, *, by: Actor | None = None) -> str:
    """A new long-lived token for an app of the kind scim, shown this once; the old one ends at once. Raises Invalid."""
    if app.kind != "scim":
        raise Invalid(
            f"{app.name} is not a SCIM app.", "Other apps ask for a token with their client secret."
        )
    moment, token = clock.now(), secrets.token_urlsafe(32)
    with transaction.atomic(), unguarded("an administrator renews a token", tenant=app.tenant_id):
        Token.objects.filter(app=app).delete()
        Token.objects.create(
            digest=digest(token), tenant_id=app.tenant_id, app=app, scopes=SCIM_SCOPE, issued_at=moment,
            expires_at=moment + timedelta(days=SCIM_TOKEN_DAYS),
        )  # fmt: skip
        audit(app.tenant_id, by, "app.token_renewed", "app", app.id, app.name)
    return token


def agree(
    app: App, *, purpose: str, region: str, retention_days: int, ends_on: date, contact: str, begins_on: date | None = None,
    sub_processors: Iterable[dict[str, str]] = (), advertising: bool = False, sells_data: bool = False,
    read_policy: bool = False, by: Actor | None = None,
) -> Agreement:  # fmt: skip
    """Record what the app's maker promised. It replaces an agreement in force. Raises Invalid naming the part.

    purpose: one of the policy's, for apps. region: ISO 3166 code of where it keeps the data. retention_days: deleted
    so many days after a person leaves. read_policy: the administrator read the app's own privacy policy (CLEV-2.25).
    """
    begins_on = begins_on or clock.today()
    with transaction.atomic(), unguarded("an administrator records an agreement", tenant=app.tenant_id):
        tenant = Tenant.objects.get(id=app.tenant_id)
        bundle = bundle_for(tenant.policy)
        decision = bundle.decide("app", purpose, None)
        if not decision.allowed:
            allowed = [p for r, p in bundle.rules if r == "app"]
            raise Invalid(
                f"An app cannot get data for “{purpose}”. {decision.because}",
                f"Purposes are {', '.join(allowed)}.",
                "purpose",
            )
        if not re.fullmatch(r"[A-Z]{2}", region):
            raise Invalid(
                "The region is not a country code.", "Two letters, such as GB, from the agreement.", "region"
            )
        if not 0 <= retention_days <= KEPT_RETENTION_DAYS:
            raise Invalid(
                "The number of days is out of range.", f"From 0 to {KEPT_RETENTION_DAYS}.", "retention_days"
            )
        if ends_on < begins_on:
            raise Invalid("The agreement ends before it begins.", "Check the two dates.", "ends_on")
        if advertising or sells_data:
            raise Invalid(
                "Data about pupils is never used for advertising or sold.",
                "An agreement that says so cannot be recorded.",
                "advertising",
            )
        if not read_policy:
            raise Invalid(
                "Nobody has confirmed reading the app's privacy policy.",
                "Read it first: this promise does not cover the app.",
                "read_policy",
            )
        moment = clock.now()
        Agreement.objects.filter(app=app, ended_at=None).update(ended_at=moment)
        agreement = Agreement.objects.create(
            tenant_id=app.tenant_id, app=app, purpose=purpose, region=region, retention_days=retention_days,
            sub_processors=list(sub_processors), contact=contact, begins_on=begins_on, ends_on=ends_on, read_policy=read_policy,
            agreed_by=by.name if by else "the command line", agreed_by_id=by.id if by else 0, agreed_at=moment,
        )  # fmt: skip
        audit(
            app.tenant_id,
            by,
            "sharing.agreed",
            "app",
            app.id,
            app.name,
            purpose=purpose,
            region=region,
            until=str(ends_on),
        )
        look_again(app.tenant_id)
    return agreement


def share(app: App, rule: Any, *, by: Actor | None = None) -> SharingRule:
    """Put a rule in force (see `rules.parse_rule`); the next request of the app obeys it. Raises Invalid.

    A rule needs an agreement to stand on: without one nothing is shared, so none can be made.
    """
    with transaction.atomic(), unguarded("an administrator shares with an app", tenant=app.tenant_id):
        if App.objects.filter(id=app.id, in_library=True).exists():
            raise Invalid(
                f"{app.name} is in the library, so its rule follows from what teachers add.",
                "Take it out of the library first; then it can have a rule of your own.",
                "in_library",
            )
        return put_in_force(app, rule, by)


def put_in_force(app: App, rule: Any, by: Actor | None) -> SharingRule:
    """What `share` does once it may; for the library too."""
    with transaction.atomic(), unguarded("a rule is put in force", tenant=app.tenant_id):
        agreement = Agreement.objects.filter(app=app, ended_at=None).order_by("-id").first()
        if agreement is None:
            raise Invalid(
                f"There is no agreement with {app.name}.",
                "Record one first; a rule stands on it.",
                "agreement",
            )
        tenant = Tenant.objects.get(id=app.tenant_id)
        bundle = bundle_for(tenant.policy)
        title = bundle.purposes[agreement.purpose]["title"]
        parsed = parse_rule(rule, common_reason=title)
        for name in parsed.fields:
            if may(bundle, agreement.purpose, name) == "never":
                raise Invalid(
                    f"{FIELDS[name].title} is never shared with an app.",
                    "No setting can change that.",
                    f"fields.{name}",
                )
        fields: Any = "all"
        if not parsed.all_fields:
            reasons = {**dict.fromkeys(STRUCTURAL, STRUCTURAL_REASON), **parsed.fields}
            fields = [{"field": name, "reason": reasons[name]} for name in FIELDS if name in reasons]
        moment = clock.now()
        App.objects.filter(id=app.id).update(stopped_at=None)
        SharingRule.objects.filter(app=app, ended_at=None).update(ended_at=moment)
        made = SharingRule.objects.create(
            tenant_id=app.tenant_id, app=app, people=parsed.people.data(), fields=fields,
            made_by=by.name if by else "the command line", made_by_id=by.id if by else 0, made_at=moment,
        )  # fmt: skip
        audit(
            app.tenant_id,
            by,
            "sharing.rule_changed",
            "app",
            app.id,
            app.name,
            people=made.people,
            fields=made.fields,
        )
        tell(app.tenant_id)
        look_again(app.tenant_id)
    return made


def stop(app: App, *, by: Actor | None = None, because: str = "") -> None:
    """Stop sharing at once: the rule ends, tokens die, the next request gets nothing. Sharing again is one rule away."""
    with transaction.atomic(), unguarded("an administrator stops sharing", tenant=app.tenant_id):
        moment = clock.now()
        App.objects.filter(id=app.id, stopped_at=None).update(stopped_at=moment)
        App.objects.filter(id=app.id).update(in_library=False)
        Addition.objects.filter(app=app, ended_at=None).update(
            ended_at=moment, ended_by=by.name if by else "the command line", ended_by_id=by.id if by else 0
        )
        SharingRule.objects.filter(app=app, ended_at=None).update(ended_at=moment)
        Token.objects.filter(app=app).delete()
        audit(app.tenant_id, by, "sharing.stopped", "app", app.id, app.name, because=because)
        look_again(app.tenant_id)


def ask_field(app: App, field: str, reason: str) -> FieldRequest:
    """An app asks for one more field; the school sees the reason. Nothing changes until someone answers."""
    if field not in FIELDS:
        raise Invalid(f"There is no field {field!r}.", f"Fields are {', '.join(FIELDS)}.", "field")
    if not reason.strip():
        raise Invalid("The request has no reason.", "Write the one that a parent will read.", "reason")
    with transaction.atomic(), unguarded("an app asks for a field", tenant=app.tenant_id):
        asked = FieldRequest.objects.filter(app=app, field=field, answer="").first()
        if asked is None:
            asked = FieldRequest.objects.create(
                id=new_id(),
                tenant_id=app.tenant_id,
                app=app,
                field=field,
                reason=reason.strip(),
                asked_at=clock.now(),
            )
            actor = Actor("app", "app", app.id, app.name)
            audit(
                app.tenant_id,
                actor,
                "sharing.field_asked",
                "app",
                app.id,
                app.name,
                field=field,
                reason=reason,
            )
    return asked


def answer_field(request: FieldRequest, *, give: bool, by: Actor | None) -> None:
    """Answer a request: share the field (as a new rule) or refuse. Raises Invalid if it was answered already, or
    cannot be shared; then it stays open.
    """
    with transaction.atomic(), unguarded("an administrator answers an app", tenant=request.tenant_id):
        app = App.objects.get(id=request.app_id)
        answered = FieldRequest.objects.filter(id=request.id, answer="").update(
            answer="shared" if give else "refused", answered_by=by.name if by else "", answered_by_id=by.id if by else 0,
            answered_at=clock.now(),
        )  # fmt: skip
        if not answered:
            raise Invalid("This request was answered already.", "Open the app's page to see how.")
        audit(
            app.tenant_id,
            by,
            "sharing.field_answered",
            "app",
            app.id,
            app.name,
            field=request.field,
            shared=give,
        )
        if give:
            share(app, _with_field(app, request), by=by)


def _with_field(app: App, request: FieldRequest) -> dict[str, Any]:
    """The rule in force and the field that was asked for. Where the rule says "all", its fields are named."""
    rule = SharingRule.objects.filter(app=app, ended_at=None).order_by("-id").first()
    agreement = Agreement.objects.filter(app=app, ended_at=None).order_by("-id").first()
    if rule is None or agreement is None:
        raise Invalid(f"{app.name} has no rule to add a field to.", "Share with it first.")
    fields = rule.fields
    if fields == "all":
        bundle = bundle_for(Tenant.objects.get(id=app.tenant_id).policy)
        if may(bundle, agreement.purpose, request.field) == "may":
            return {"people": rule.people, "fields": "all"}  # it is among them
        fields = sorted(shareable(bundle, agreement.purpose))
    return {"people": rule.people, "fields": [*fields, {"field": request.field, "reason": request.reason}]}


@dataclass(frozen=True)
class Call:
    """One call of an app, for the record: whose token, which operation, and the scopes that it showed."""

    tenant_id: int
    app_id: int
    app_name: str
    operation: str
    scope: str


NOTED = 60  # refused calls of an app in a minute that each get a line; after that one line for a hundred


def note_call(call: Call, status: int, because: str = "") -> None:
    """Write down a call that showed nobody's data: refused, failed, or about no person. Durable when it returns.

    A call that did show somebody's data is a line of the disclosure log. An app that is refused without end does
    not fill the audit: from the 61st in a minute on, one line stands for a hundred and says so.
    """
    times = 1
    if status >= 400:
        count = limits.count(f"refused-app:{call.app_id}").count
        if count > NOTED and (count - NOTED) % 100:
            return
        times = 1 if count <= NOTED else 100
    audit(
        call.tenant_id, Actor("app", "app", call.app_id, call.app_name), "app.refused" if status >= 400 else "app.called",
        "app", call.app_id, call.app_name, operation=call.operation, scope=call.scope, status=status,
        **({"because": because} if because else {}), **({"times": times} if times > 1 else {}),
    )  # fmt: skip


def issue_token(client_id: str, client_secret: str, scopes: Iterable[str]) -> tuple[str, int]:
    """An access token for an app that shows its secret: (token, seconds it lives). Raises NotFound for a wrong pair.

    The same answer for an unknown client and a wrong secret. A stopped app gets none. A refusal of a known app is
    written down; its client id is nothing that anybody could guess.
    """
    with transaction.atomic(), unguarded("an app signs in before its tenant is known"):
        app = App.objects.filter(client_id=client_id).first()
        right = hmac.compare_digest(app.secret_hash if app else "0" * 64, digest(client_secret))
        until = old_secret_until(app, client_secret) if app is not None and not right else None
        right = right or until is not None
        if app is not None and right and app.stopped_at is None:
            return _token_for(app, scopes, until)
    if app is not None:
        because = "wrong secret" if not right else f"Sharing with {app.name} was stopped."
        note_call(
            Call(app.tenant_id, app.id, app.name, "token", " ".join(map(short, sorted(scopes)))), 401, because
        )
    raise NotFound("There is no app with this client id and secret.")


def short(scope: str) -> str:
    """A scope without the address before it: roster.readonly."""
    return scope.rsplit("/", 1)[-1]


def _token_for(app: App, scopes: Iterable[str], until: datetime | None) -> tuple[str, int]:
    moment, token = clock.now(), secrets.token_urlsafe(32)
    seconds = TOKEN_SECONDS
    if until is not None:  # what an old secret opens closes with it
        seconds = max(1, min(seconds, int((until - moment).total_seconds())))
    with unguarded("a token is written for its tenant", tenant=app.tenant_id):
        Token.objects.filter(app=app, expires_at__lt=moment).delete()
        Token.objects.create(
            digest=digest(token), tenant_id=app.tenant_id, app=app, scopes=" ".join(sorted(scopes)),
            issued_at=moment, expires_at=moment + timedelta(seconds=seconds),
        )  # fmt: skip
        actor = Actor("app", "app", app.id, app.name)
        audit(app.tenant_id, actor, "app.signed_in", "app", app.id, app.name, scopes=sorted(scopes))
    return token, seconds


def state_of(app: App) -> tuple[bool, str]:
    """Whether anything reaches the app now, and in a sentence why or why not."""
    try:
        grant = grant_for(app.id)
    except Withheld as withheld:
        return False, withheld.reason
    return True, f"{app.name} gets {len(grant.fields)} details."
