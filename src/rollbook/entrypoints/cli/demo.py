"""`rollbook demo`: a small trust with two schools, brought in through the real sync, with two apps.

Everybody in it is invented. The sign-ins are printed and the same everywhere, so the demo is for one machine:
it is served on 127.0.0.1 unless told otherwise.
"""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rollbook.entrypoints.cli import cli
from rollbook.entrypoints.cli.common import Bar, show

if TYPE_CHECKING:
    from rollbook.roster import Tenant

SLUG = "sevenhills"
PASSWORD = "chalk ledger margin"  # noqa: S105  # printed for everyone; a demo on the reader's own machine
STUDENTS, SCHOOLS, SEED = 240, 2, 7
DEVELOPER = {"email": "dana@duckpond.example", "name": "Duckpond Learning", "role": "app developer"}


@cli.command()
@click.option("--serve", "serve_", is_flag=True, help="Then serve it, on 127.0.0.1.")
@click.option(
    "--port", type=int, default=lambda: int(os.environ.get("PORT", "8000")), help="Default: $PORT or 8000."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON value on standard output, for machines.")
def demo(serve_: bool, port: int, as_json: bool) -> None:
    """Set up the demo tenant (once) and print its addresses and sign-ins.

    \b
    Example:
      rollbook demo --serve
    """
    from rollbook.entrypoints.cli.serve import prepare, run
    from rollbook.roster import Tenant

    os.environ.setdefault("ROLLBOOK_DEVELOPERS", "on")  # of the server that this process becomes
    prepare()
    url = f"http://127.0.0.1:{port}/"
    if not Tenant.objects.filter(slug=SLUG).exists():
        _make()
    _developer()
    sign_ins = [{**s, "password": PASSWORD} for s in [*_sign_ins(), DEVELOPER]]
    badge = _badge()
    data = {"tenant": SLUG, "url": url, "sign_ins": sign_ins, "badge": badge}
    lines = ["", f"  Rollbook is at {url}", "", "  Sign in as (all with the password “" + PASSWORD + "”):"]
    lines += [f"    {s['email']:<34} {s['name']}, {s['role']}" for s in sign_ins]
    lines += ["  It then asks for a second step; choose “Not now”, or add a passkey on http://localhost."]
    lines += ["", f"  A pupil’s badge says {badge}", f"  Show it, or type it, at {url}badge"]
    lines += ["", f"  API     {url}ims/oneroster/rostering/v1p2/   token at {url}oauth/token", ""]
    show(as_json, data, "\n".join(lines))
    if serve_:
        run("127.0.0.1", port, workers=2, threads=4, with_worker=True)


def _sign_ins() -> list[dict[str, str]]:
    return [
        {"email": "larkspur@sevenhills.example", "name": "Ms Larkspur", "role": "administrator"},
        {"email": "inkwell@sevenhills.example", "name": "Dr Inkwell", "role": "dpo"},
        {"email": "fenn@sevenhills.example", "name": "Ms Fenn", "role": "head"},
        {"email": "thistlewick@sevenhills.example", "name": "Mr Thistlewick", "role": "teacher"},
    ]


def _developer() -> None:
    """Who made Numberyard, with a sandbox of their own. The demo sends no mail, so this developer has a password."""
    from rollbook.identity import find_account, new_developer, set_password
    from rollbook.kernel.errors import NotFound
    from rollbook.policy import Actor
    from rollbook.roster import fill_sandbox
    from rollbook.sharing import create_sandbox_app

    try:
        find_account(DEVELOPER["email"])
    except NotFound:
        account, sandbox = new_developer(DEVELOPER["email"], DEVELOPER["name"])
        set_password(account, PASSWORD, None)
        fill_sandbox(sandbox)
        by = Actor("staff", "administrator", account.id, account.name)
        create_sandbox_app(sandbox, "Numberyard", "practise maths", account.email, by=by)


def _badge() -> str:
    """What the badge of one pupil says, whom Numberyard reaches; their class has badges too, as a teacher would give."""
    from rollbook.identity import direct_sign_in, issue_badges, print_badges
    from rollbook.policy import Actor
    from rollbook.roster import Tenant, sample_pupils

    tenant, by = Tenant.objects.get(slug=SLUG), Actor("staff", "administrator", 0, "Ms Larkspur")
    everything = {"students": True, "badges": True, "picture_codes": True, "guardians": True}
    direct_sign_in(tenant, by, "Public task", "Letter of 1 September, and the school’s page", **everything)
    pupils = sample_pupils(tenant, "02")
    issue_badges(tenant, pupils, by)
    return print_badges(tenant, pupils[:1], by, "the demo")[pupils[0]]


def _make() -> None:
    """The demo tenant, whole: bundle, sync, accounts, apps. A demo that was cut short is made anew next time."""
    from django.conf import settings

    from rollbook.kernel import clock
    from rollbook.policy import bundle_for
    from rollbook.roster import Tenant, sync_path
    from rollbook.roster.connectors.generate import generate_oneroster

    bundle = settings.ROLLBOOK_DATA_DIR / "demo" / "sevenhills.zip"
    bar = Bar()
    if not bundle.exists():
        bundle.parent.mkdir(parents=True, exist_ok=True)
        generate_oneroster(bundle, students=STUDENTS, schools=SCHOOLS, seed=SEED)
    tenant = Tenant.objects.create(
        slug=SLUG,
        name="Sevenhills Trust",
        kind="trust",
        region="GB",
        policy=bundle_for("default").profile,
        created_at=clock.now(),
    )
    try:
        made = sync_path(tenant, bundle, yes=True, progress=bar)
        bar.close()
        if made.state != "applied":
            raise click.ClickException(f"The demo bundle was not applied: {made.message}")
        _accounts(tenant)
        _apps(tenant)
        _tomorrow(tenant, bundle.parent / "tomorrow")
    except BaseException:
        Tenant.objects.filter(id=tenant.id).update(slug=f"{SLUG}-cut-short-{tenant.id}")
        raise


def _tomorrow(tenant: Tenant, folder: Path) -> None:
    """The next export, cut short by the school's system: it is held, with rows set aside, for the reader to decide."""
    from rollbook.roster import sync_path
    from rollbook.roster.connectors.generate import generate_oneroster

    if not folder.exists():
        generate_oneroster(
            folder, students=STUDENTS, schools=SCHOOLS, seed=SEED, changed=0.04, removed=0.16, added=0.02
        )
        with (folder / "enrollments.csv").open("a", encoding="utf-8") as file:
            file.write(
                "demo-1,,,no-such-class,no-such-school,no-such-pupil,student,false,,\ndemo-2,,,,,,pupil,false,2026-02-30,\n"
            )
    sync_path(tenant, folder)


def _accounts(tenant: Tenant) -> None:
    from rollbook.identity import add_membership, create_account, find_account, set_grace, set_password
    from rollbook.kernel.errors import NotFound
    from rollbook.roster import sample_of

    teacher, school = sample_of(tenant)
    for s in _sign_ins():
        try:
            account = find_account(s["email"])
        except NotFound:
            account = create_account(s["email"], s["name"])
        set_password(account, PASSWORD, None)
        # The second step is asked for and can be put off without end: the demo's sign-ins are printed for everyone.
        set_grace(account, datetime(2999, 1, 1, tzinfo=UTC))
        add_membership(
            account,
            tenant,
            s["role"],
            person_id=teacher if s["role"] == "teacher" else None,
            org_id=school if s["role"] == "head" else None,
        )


def _apps(tenant: Tenant) -> None:
    """Two apps. Numberyard asks for more than it gets; Storywell has an agreement and no rule yet."""
    from rollbook.policy import Actor
    from rollbook.sharing import agree, ask_field, create_app, set_sign_on, share

    by = Actor("staff", "administrator", 0, "Ms Larkspur")
    ends_on = date.today() + timedelta(days=283)
    promised: dict[str, Any] = {
        "purpose": "learning-app",
        "region": "GB",
        "ends_on": ends_on,
        "read_policy": True,
        "by": by,
    }
    new = create_app(
        tenant, "Numberyard", vendor="Duckpond Learning", about="practise maths", privacy_url="https://numberyard.example/privacy",
        contact="privacy@numberyard.example", by=by,
    )  # fmt: skip
    numberyard = new.app
    agree(
        numberyard, retention_days=90, contact="privacy@numberyard.example", **promised,
        sub_processors=[
            {"name": "Pondhost", "does": "hosting", "region": "GB"},
            {"name": "Reedmail", "does": "mail", "region": "IE"},
        ],
    )  # fmt: skip
    share(
        numberyard,
        {
            "people": {"grades": ["01", "02", "03"], "roles": ["student", "teacher"]},
            "fields": [
                {"field": "users.givenName", "reason": "To greet the child"},
                {"field": "users.grades", "reason": "To choose questions at the right level"},
                {"field": "enrollments.primary", "reason": "To send results to the right teacher"},
            ],
        },
        by=by,
    )
    ask_field(numberyard, "demographics.birthDate", "To choose questions by age")
    set_sign_on(
        numberyard, redirect_uris=["https://numberyard.example/back"], launch_url="https://numberyard.example/start", by=by
    )  # fmt: skip
    _reads(new.client_id, new.client_secret)
    storywell = create_app(
        tenant, "Storywell", vendor="Inkpot Books", about="read together", privacy_url="https://storywell.example/privacy",
        contact="help@storywell.example", by=by,
    ).app  # fmt: skip
    agree(storywell, retention_days=30, contact="help@storywell.example", **promised)


def _reads(client_id: str, client_secret: str) -> None:
    """Numberyard reads its pages once, through the real door, so that the record has something to show."""
    from django.test import Client

    client = Client()
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
    token = client.post("/oauth/token", form).json()["access_token"]
    for collection in ("users", "enrollments"):
        client.get(
            f"/ims/oneroster/rostering/v1p2/{collection}", headers={"Authorization": f"Bearer {token}"}
        )
