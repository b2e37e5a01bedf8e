"""Tenants and staff accounts."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import click

from rollbook.entrypoints.cli import cli
from rollbook.entrypoints.cli.common import find_tenant, json_option, show, tenant_option

KINDS = ("district", "trust", "authority", "school", "partner")


@cli.group()
def tenant() -> None:
    """The customers that govern the data."""


@tenant.command("identity-provider")
@click.argument("slug")
@click.option("--name", help="What people know it as, such as “Oakfield Google”.")
@click.option("--issuer", metavar="URL", help="OpenID Connect: its address, as its description names itself.")
@click.option("--client-id", help="OpenID Connect: what it knows Rollbook as.")
@click.option("--client-secret", help="OpenID Connect: asked for when it is not given.")
@click.option(
    "--metadata", type=click.Path(exists=True, dir_okay=False), help="SAML 2.0: its metadata, an XML file."
)
@click.option(
    "--match", default="email", show_default=True, help="Pupils are found by email, username or identifier."
)
@click.option(
    "--claim", default="", help="Which of its claims or attributes says that; default: the usual one."
)
@click.option("--trust-mfa", is_flag=True, help="Believe it when it says that two factors were shown.")
@click.option("--stop", is_flag=True, help="Nobody signs in by it any more; whoever did is signed out.")
@json_option
def identity_provider(
    slug: str, name: str | None, issuer: str | None, client_id: str | None, client_secret: str | None,
    metadata: str | None, match: str, claim: str, trust_mfa: bool, stop: bool, as_json: bool,
) -> None:  # fmt: skip
    """Let a school's people sign in by its own identity provider: OpenID Connect, or SAML 2.0 with --metadata.

    Without options it prints the addresses that the provider needs. Accounts are not made of what it says: staff are
    found by their email, pupils and guardians by the roster.
    """
    from django.conf import settings

    from rollbook.identity import set_idp, stop_idp

    found = find_tenant(slug)
    where: dict[str, Any] = {"match": match, "claim": claim, "trusts_mfa": trust_mfa}
    if stop:
        stop_idp(found, None)
        show(as_json, {"tenant": slug, "stopped": True}, "Nobody signs in by it any more.")
        return
    if metadata:
        from rollbook.identity.connectors.saml import details_of

        theirs, details = details_of(Path(metadata).read_text(encoding="utf-8"))
        set_idp(found, name=name or "", issuer=theirs, protocol="saml", details=details, **where)
    elif issuer or client_id or name:
        if client_secret is None:
            client_secret = click.prompt("Client secret", hide_input=True)
        set_idp(
            found, name=name or "", issuer=issuer or "", client_id=client_id or "", client_secret=client_secret, **where
        )  # fmt: skip
    site = settings.ROLLBOOK_BASE_URL or "https://YOUR-ADDRESS"
    at = f"{site}/sign-in/with/{slug}"
    data = {
        "tenant": slug,
        "redirect_uri": f"{at}/back",
        "metadata": f"{at}/metadata",
        "sign_in": at,
    }
    show(
        as_json, data,
        f"Redirect address  {data['redirect_uri']}   (OpenID Connect; SAML: where answers are posted)\n"
        f"SAML metadata     {data['metadata']}\nPeople sign in at  {at}",
    )  # fmt: skip


@tenant.command("create")
@click.argument("slug")
@click.option("--name", required=True, help="The full name, as people know it.")
@click.option("--kind", required=True, type=click.Choice(KINDS))
@click.option(
    "--region", required=True, metavar="CC", help="Country whose law governs the data, ISO 3166, such as GB."
)
@click.option(
    "--policy",
    "profile",
    default=None,
    metavar="PROFILE",
    help="A folder of policies/; default: ROLLBOOK_POLICY.",
)
@json_option
def create(slug: str, name: str, kind: str, region: str, profile: str | None, as_json: bool) -> None:
    """Make a tenant.

    \b
    Example:
      rollbook tenant create oakfield --name "Oakfield School" --kind school --region GB
    """
    from django.conf import settings
    from django.db import transaction

    from rollbook.kernel import clock
    from rollbook.kernel.errors import Invalid, Refused
    from rollbook.policy import audit, bundle_for, record_bundle
    from rollbook.roster import Tenant

    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,48}[a-z0-9])?", slug):
        raise Invalid(
            f"“{slug}” cannot be a short name.",
            "Small letters, digits and hyphens, at most 50, such as oakfield.",
        )
    if not re.fullmatch(r"[A-Z]{2}", region):
        raise Invalid(f"“{region}” is not a country code.", "Two capital letters, such as GB.")
    bundle = bundle_for(profile or settings.ROLLBOOK_POLICY)
    here = settings.ROLLBOOK_REGION
    if here and here not in bundle.regions_for(region):
        raise Refused(
            f"Data of a tenant in {region} cannot be kept here: this deployment is in {here}.",
            f"The policy allows {', '.join(bundle.regions_for(region))}. Use a deployment there.",
        )
    with transaction.atomic():
        if Tenant.objects.filter(slug=slug).exists():
            raise Invalid(f"There is a tenant “{slug}” already.", "Choose another short name.")
        made = Tenant.objects.create(
            slug=slug, name=name, kind=kind, region=region, policy=bundle.profile, created_at=clock.now()
        )
        record_bundle(bundle)
        audit(made.id, None, "tenant.created", "tenant", made.id, made.name, region=region)
    data = {
        "id": made.id,
        "tenant": slug,
        "name": name,
        "kind": kind,
        "region": region,
        "policy": bundle.profile,
        "bundle": bundle.hash,
    }
    show(as_json, data, f"{name} ({slug}) is ready. Next: rollbook sync BUNDLE --tenant {slug}")


@tenant.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the tenants."""
    from rollbook.roster import Tenant

    rows = list(Tenant.objects.order_by("slug").values("slug", "name", "kind", "region", "policy"))
    show(
        as_json,
        rows,
        "\n".join(f"{r['slug']:<20} {r['kind']:<10} {r['region']}  {r['name']}" for r in rows)
        or "There are no tenants yet.",
    )


@tenant.command("set")
@tenant_option
@click.option(
    "--hold-removed",
    type=click.FloatRange(0, 100),
    help="Hold a sync that removes more than this per cent of a kind.",
)
@click.option(
    "--hold-changed",
    type=click.FloatRange(0, 100),
    help="Hold a sync that changes more than this per cent of a kind.",
)
@click.option("--tombstone-days", type=click.IntRange(1, 3650), help="How long apps see a deletion.")
@click.option("--keep", help="What a sync may store, as JSON; {} keeps everything.")
@json_option
def set_(
    slug: str,
    hold_removed: float | None,
    hold_changed: float | None,
    tombstone_days: int | None,
    keep: str | None,
    as_json: bool,
) -> None:
    """Change how a tenant's syncs behave and what they store.

    \b
    Example: no phone numbers, students and teachers only
      rollbook tenant set --tenant oakfield --keep '{"fields": {"drop": ["users.phone", "users.sms"]},
                                                     "people": {"roles": ["student", "teacher"]}}'
    """
    import json

    from django.db import transaction

    from rollbook.kernel.errors import Invalid
    from rollbook.policy import audit
    from rollbook.roster import parse_keep

    found = find_tenant(slug)
    changes: dict[str, Any] = {
        "hold_removed_percent": hold_removed, "hold_changed_percent": hold_changed, "tombstone_days": tombstone_days,
    }  # fmt: skip
    if keep is not None:
        try:
            changes["keep"] = json.loads(keep)
        except json.JSONDecodeError as error:
            raise Invalid(
                f"--keep is not JSON: {error}.", "See the example in `rollbook tenant set --help`."
            ) from error
        try:
            parse_keep(changes["keep"])
        except ValueError as error:
            raise Invalid(str(error), "See the example in `rollbook tenant set --help`.", "keep") from error
    changes = {k: v for k, v in changes.items() if v is not None}
    with transaction.atomic():
        for key, value in changes.items():
            setattr(found, key, value)
        found.save(update_fields=list(changes))
        audit(found.id, None, "tenant.changed", "tenant", found.id, found.name, **changes)
    show(
        as_json,
        {"tenant": slug, **changes},
        f"{found.name}: " + (", ".join(changes) or "nothing") + " changed.",
    )


@cli.group()
def account() -> None:
    """Staff who sign in."""


@account.command("create")
@tenant_option
@click.argument("email")
@click.option("--name", required=True)
@click.option("--role", required=True, help="administrator, dpo, head or teacher")
@click.option("--person", help="Their sourcedId in the roster, so that a teacher sees their classes.")
@click.option("--org", help="For a head: the sourcedId of their school.")
@json_option
def create_account_(
    slug: str, email: str, name: str, role: str, person: str | None, org: str | None, as_json: bool
) -> None:
    """Make a staff account, and a one-time link that sets its password.

    \b
    Example:
      rollbook account create --tenant oakfield head@oakfield.example --name "Ms Fenn" --role head --org S1
    """
    from rollbook.identity import add_membership, create_account, make_reset_link
    from rollbook.roster import find_by_sourced_id

    found = find_tenant(slug)
    person_id = find_by_sourced_id(found, "person", person) if person else None
    org_id = find_by_sourced_id(found, "org", org) if org else None
    made = create_account(email, name)
    add_membership(made, found, role, person_id=person_id, org_id=org_id)
    token = make_reset_link(made, None)
    show(
        as_json,
        {"email": email, "role": role, "link": f"/reset/{token}"},
        f"{name} sets a password at /reset/{token} (works once, for 24 hours).",
    )


@account.command("reset")
@click.argument("email")
@json_option
def reset(email: str, as_json: bool) -> None:
    """Make a one-time link that sets a new password."""
    from rollbook.identity import find_account, make_reset_link

    token = make_reset_link(find_account(email), None)
    show(as_json, {"link": f"/reset/{token}"}, f"/reset/{token}")
    print("It works once, for 24 hours. Anyone who has it can sign in as this person.", file=sys.stderr)
