"""`rollbook app`: third-party apps."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rollbook.entrypoints.cli import cli
from rollbook.entrypoints.cli.common import F, find_tenant, json_option, show, tenant_option

if TYPE_CHECKING:
    from rollbook.sharing import App


@cli.group()
def app() -> None:
    """Third-party apps and what each one sees."""


def agreement_options(command: F) -> F:
    """The parts of an agreement, as options."""
    for option in (
        click.option(
            "--purpose",
            default=None,
            help="A purpose of the policy; default: learning-app, or directory for --kind scim.",
        ),
        click.option(
            "--region",
            default=None,
            metavar="CC",
            help="Where it keeps the data; default: the tenant's region.",
        ),
        click.option(
            "--retention-days",
            default=30,
            show_default=True,
            help="Deleted so many days after a person leaves.",
        ),
        click.option(
            "--until", type=click.DateTime(["%Y-%m-%d"]), default=None, help="Last day; default: in a year."
        ),
        click.option("--contact", default="", help="Whom to ask at the app's maker."),
        click.option(
            "--sub-processor",
            "helpers",
            multiple=True,
            metavar="NAME:CC",
            help="A company that helps it, and where.",
        ),
    ):
        command = option(command)
    return command


def sign_on_options(command: F) -> F:
    """How people sign in to an app, as options."""
    for option in (
        click.option(
            "--sign-in",
            "protocol",
            type=click.Choice(["oidc", "clever"]),
            default="oidc",
            show_default=True,
            help="How people sign in to it, where there is a --redirect-uri.",
        ),
        click.option(
            "--redirect-uri", "redirects", multiple=True, metavar="URL", help="Where a sign-in may be sent."
        ),
        click.option(
            "--logout-uri", "logouts", multiple=True, metavar="URL", help="Where signing out may lead."
        ),
        click.option("--launch-url", default="", metavar="URL", help="Where the portal opens the app."),
        click.option(
            "--public", is_flag=True, help="It can keep no secret (an app in a browser or on a phone)."
        ),
    ):
        command = option(command)
    return command


@app.command("create")
@click.argument("name")
@tenant_option
@click.option(
    "--kind",
    type=click.Choice(["oneroster", "scim"]),
    default="oneroster",
    show_default=True,
    help="scim: the school's directory writes accounts here.",
)
@click.option("--vendor", default="", help="Who makes it.")
@click.option("--about", default="", help="What pupils do with it, to end “so that they can ...”.")
@click.option("--privacy-url", default="", help="The app's own privacy policy.")
@click.option("--no-agreement", is_flag=True, help="Record no agreement: nothing leaves until there is one.")
@sign_on_options
@agreement_options
@json_option
def create(
    name: str, slug: str, kind: str, vendor: str, about: str, privacy_url: str, no_agreement: bool,
    protocol: str, redirects: tuple[str, ...], logouts: tuple[str, ...], launch_url: str, public: bool,
    purpose: str | None, region: str | None,
    retention_days: int, until: datetime | None, contact: str, helpers: tuple[str, ...], as_json: bool,
) -> None:  # fmt: skip
    """Make an app known, record the agreement with its maker, and print its client id and secret, once.

    The options are the agreement's terms; whoever runs this command agrees to them for the tenant. The app sees
    nothing until `rollbook app share` says which people and details.

    \b
    Example:
      rollbook app create Numberyard --tenant oakfield --vendor "Duckpond Learning" --until 2027-08-31
    """
    from django.db import transaction

    from rollbook.sharing import create_app, set_sign_on

    tenant = find_tenant(slug)
    with transaction.atomic():
        made = create_app(
            tenant, name, vendor=vendor, about=about, privacy_url=privacy_url, contact=contact, kind=kind
        )
        if redirects:
            set_sign_on(
                made.app, protocol=protocol, redirect_uris=redirects, logout_uris=logouts, launch_url=launch_url,
                public=public,
            )  # fmt: skip
        agreed = (
            None
            if no_agreement
            else _agree(made.app, tenant.region, purpose, region, retention_days, until, contact, helpers)
        )
    keys = (
        {"token": made.token}
        if made.token
        else {"client_id": made.client_id, "client_secret": made.client_secret}
    )
    data = {"app": made.app.slug, "name": name, "kind": kind, **keys, "agreement": agreed}
    shown = "\n".join(f"{key.replace('_', ' '):<15}{value}" for key, value in keys.items())
    show(
        as_json, data,
        f"{shown}   (shown this once)\n"
        + (_agreed(agreed) if agreed else "No agreement yet.\n")
        + f"Next: rollbook app share {made.app.slug} --tenant {slug} --rule '{{\"people\": \"all\", \"fields\": \"all\"}}'",
    )  # fmt: skip


def _agreed(terms: dict[str, Any]) -> str:
    return f"agreement      {terms['purpose']}, kept in {terms['region']}, until {terms['ends_on']}\n"


@app.command("sign-in")
@click.argument("name")
@tenant_option
@sign_on_options
@click.option(
    "--metadata", type=click.Path(exists=True, dir_okay=False), default=None,
    help="SAML: the app's own metadata, in place of the options.",
)  # fmt: skip
@click.option("--login-url", default="", metavar="URL", help="LTI: where a launch begins at the app.")
@click.option("--jwks-url", default="", metavar="URL", help="LTI: where the app shows its keys.")
@click.option("--deep-link-url", default="", metavar="URL", help="LTI: where choosing begins, if elsewhere.")
@json_option
def sign_in_(
    name: str, slug: str, protocol: str, redirects: tuple[str, ...], logouts: tuple[str, ...], launch_url: str,
    public: bool, metadata: str | None, login_url: str, jwks_url: str, deep_link_url: str, as_json: bool,
) -> None:  # fmt: skip
    """Say how people sign in to an app; it replaces what was said before. Prints what the app's maker needs of us.

    \b
    Examples:
      rollbook app sign-in numberyard --tenant oakfield --redirect-uri https://numberyard.example/back
      rollbook app sign-in numberyard --tenant oakfield --metadata numberyard-saml.xml
      rollbook app sign-in numberyard --tenant oakfield --redirect-uri https://numberyard.example/lti \\
          --login-url https://numberyard.example/lti/login --jwks-url https://numberyard.example/jwks
    """
    from django.conf import settings

    from rollbook.sharing import ours_for, set_sign_on

    found = _find(find_tenant(slug).id, name)
    details: dict[str, Any] = {}
    if metadata:
        from rollbook.sharing.connectors.saml import details_of

        protocol = "saml"
        redirects, details = details_of(Path(metadata).read_text(encoding="utf-8"))
    elif login_url:
        protocol = "lti"
        details = {"login_url": login_url, "jwks_url": jwks_url, "deep_link_url": deep_link_url}
    made = set_sign_on(
        found, protocol=protocol, redirect_uris=redirects, logout_uris=logouts, launch_url=launch_url, public=public,
        details=details,
    )  # fmt: skip
    site = settings.ROLLBOOK_BASE_URL or "https://YOUR-ADDRESS"
    ours = ours_for(found, made.protocol, site, slug)
    data = {
        "app": found.slug, "sign_in": made.protocol, "redirect_uris": made.redirect_uris, "launch_url": launch_url,
        "for_the_app": ours,
    }  # fmt: skip
    lines = "\n".join(f"  {name:<14} {value}" for name, value in ours.items())
    show(as_json, data, f"People sign in to {found.name} by {made.protocol}. Tell its maker:\n{lines}")


@app.command("agree")
@click.argument("name")
@tenant_option
@agreement_options
@json_option
def agree_(
    name: str, slug: str, purpose: str | None, region: str | None, retention_days: int, until: datetime | None, contact: str,
    helpers: tuple[str, ...], as_json: bool,
) -> None:  # fmt: skip
    """Record a new agreement with the maker of an app; it replaces the one in force."""
    tenant = find_tenant(slug)
    data = _agree(
        _find(tenant.id, name), tenant.region, purpose, region, retention_days, until, contact, helpers
    )
    show(as_json, data, f"Agreed: {data['purpose']}, kept in {data['region']}, until {data['ends_on']}.")


def _agree(
    app_: App,
    own: str,
    purpose: str | None,
    region: str | None,
    days: int,
    until: datetime | None,
    contact: str,
    helpers: tuple[str, ...],
) -> dict[str, Any]:
    from rollbook.sharing import agree

    ends_on: date = until.date() if until else date.today() + timedelta(days=365)
    parts = [h.rpartition(":") for h in helpers]
    purpose = purpose or ("learning-app" if app_.kind == "oneroster" else "directory")
    made = agree(
        app_, purpose=purpose, region=region or own, retention_days=days, ends_on=ends_on, contact=contact or "not given",
        sub_processors=[{"name": n, "region": cc} for n, _, cc in parts], read_policy=True,
    )  # fmt: skip
    return {
        "purpose": made.purpose,
        "region": made.region,
        "retention_days": made.retention_days,
        "ends_on": str(made.ends_on),
    }


def _find(tenant_id: int, name: str) -> App:
    from rollbook.kernel.errors import NotFound
    from rollbook.sharing import find_app

    try:
        return find_app(tenant_id, name)
    except NotFound:
        raise NotFound(f"There is no app “{name}” here. List them with `rollbook app list`.") from None


@app.command("share")
@click.argument("name")
@tenant_option
@click.option(
    "--rule", required=True, metavar="JSON", help='The smallest is {"people": "all", "fields": "all"}.'
)
@json_option
def share_(name: str, slug: str, rule: str, as_json: bool) -> None:
    """Decide which people and which details an app sees; its next request obeys.

    \b
    Examples:
      rollbook app share numberyard --tenant oakfield --rule '{"people": "all", "fields": "all"}'
      rollbook app share numberyard --tenant oakfield --rule '{
          "people": {"roles": ["student", "teacher"], "grades": ["01", "02"]},
          "fields": [{"field": "users.givenName", "reason": "To greet the child"}]}'
    """
    from rollbook.kernel.errors import Invalid
    from rollbook.sharing import share, state_of

    try:
        data = json.loads(rule)
    except json.JSONDecodeError as error:
        raise Invalid(
            f"The rule is not JSON: {error}.", 'The smallest is {"people": "all", "fields": "all"}.'
        ) from error
    found = _find(find_tenant(slug).id, name)
    made = share(found, data)
    shares, says = state_of(found)
    answer = {
        "app": found.slug,
        "rule": made.id,
        "people": made.people,
        "fields": made.fields,
        "shares": shares,
        "state": says,
    }
    show(as_json, answer, says)


@app.command("token")
@click.argument("name")
@tenant_option
@json_option
def token_(name: str, slug: str, as_json: bool) -> None:
    """Renew the token of a SCIM app and print it, once. The old one ends at once."""
    from rollbook.sharing import renew_token

    found = _find(find_tenant(slug).id, name)
    made = renew_token(found)
    show(as_json, {"app": found.slug, "token": made}, f"token  {made}   (shown this once)")


@app.command("stop")
@click.argument("name")
@tenant_option
@click.option("--because", default="", help="For the record.")
@json_option
def stop_(name: str, slug: str, because: str, as_json: bool) -> None:
    """Stop sharing with an app, at once."""
    from rollbook.sharing import stop

    found = _find(find_tenant(slug).id, name)
    stop(found, because=because)
    show(as_json, {"app": found.slug, "shares": False}, f"{found.name} gets nothing any more.")


@app.command("rotate")
@click.argument("name")
@tenant_option
@click.option(
    "--old-until",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M"]),
    default=None,
    help="The old secret works until then (UTC), at most 30 days; default: it ends now, and the app's tokens too.",
)
@json_option
def rotate(name: str, slug: str, old_until: datetime | None, as_json: bool) -> None:
    """Give an app a new client secret and print it, once.

    \b
    Examples:
      rollbook app rotate numberyard --tenant oakfield
      rollbook app rotate numberyard --tenant oakfield --old-until 2026-12-01T18:00
    """
    from rollbook.sharing import renew_secret

    until = old_until.replace(tzinfo=UTC) if old_until else None
    made = renew_secret(_find(find_tenant(slug).id, name), old_until=until)
    data = {
        "app": made.app.slug, "client_id": made.client_id, "client_secret": made.client_secret,
        "old_until": until.isoformat() if until else None,
    }  # fmt: skip
    says = f"works until {until:%Y-%m-%d %H:%M} UTC" if until else "has ended, and its tokens with it"
    show(
        as_json, data,
        f"client id      {made.client_id}\nclient secret  {made.client_secret}   (shown this once)\nThe old secret {says}.",
    )  # fmt: skip


@app.command("list")
@tenant_option
@json_option
def list_(slug: str, as_json: bool) -> None:
    """List the apps of a tenant, and whether each gets anything now."""
    from rollbook.sharing import apps_of, state_of

    rows = []
    for found in apps_of(find_tenant(slug).id):
        shares, says = state_of(found)
        rows.append(
            {
                "app": found.slug,
                "name": found.name,
                "client_id": found.client_id,
                "shares": shares,
                "state": says,
            }
        )
    show(
        as_json,
        rows,
        "\n".join(f"{r['app']:<24} {'shares ' if r['shares'] else 'nothing'}  {r['state']}" for r in rows)
        or "No apps yet.",
    )
