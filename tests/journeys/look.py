"""Looking at pages in a real browser: axe, console, strangers, sideways scroll, small targets; at 1280, 390 and 320 px,
light and dark.

    def test_the_page(site: Site, cast: Cast) -> None:
        check_everywhere(site, desk(cast.tenant, "administrator"), "/apps")

Screenshots go where ROLLBOOK_SHOTS names a folder, else nowhere.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, ConsoleMessage, Page, Request

AXE = (Path(__file__).parents[1] / "vendor" / "axe.min.js").read_text(encoding="utf-8")
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
# Nothing leaves, whatever a page asks for.
ARGS = [
    "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
    "--disable-component-update", "--disable-default-apps", "--disable-sync", "--no-first-run", "--no-pings",
    "--disable-features=OptimizationHints,MediaRouter,Translate,AutofillServerCommunication",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost", "--force-color-profile=srgb",
]  # fmt: skip
# Milliseconds. Long, because a machine that runs two of these at once may be slow; what passes does not wait for it.
PATIENCE = 60_000
SMALL = """() => [...document.querySelectorAll('a, button, input, select, summary')].filter(e => {
  const r = e.getBoundingClientRect(), s = getComputedStyle(e);
  const inline = e.tagName === 'A' && s.display === 'inline';
  return r.width && r.height && !inline && e.type !== 'hidden' && s.clipPath === 'none' && (r.width < 24 || r.height < 24)
    && !(['checkbox', 'radio'].includes(e.type) && e.closest('label'));
}).map(e => e.outerHTML.slice(0, 120))"""


@dataclass
class Window:
    """One page of one browser, with everything that went wrong in it."""

    base: str
    page: Page
    problems: list[str] = field(default_factory=list)

    def go(self, path: str) -> Page:
        """Open a page of the site and wait until it is drawn."""
        self.page.goto(self.base + path, wait_until="load")
        self.page.evaluate("document.fonts.ready")
        return self.page

    def violations(self) -> list[str]:
        """What axe finds. Through the debugging protocol, so that the page's own content policy stays in force."""
        if not self.page.evaluate("'axe' in window"):
            self.page.context.new_cdp_session(self.page).send("Runtime.evaluate", {"expression": AXE})
        found = self.page.evaluate("t => axe.run(document, {runOnly: {type: 'tag', values: t}})", TAGS)
        return [f"{v['id']}: {n['html'][:160]}" for v in found["violations"] for n in v["nodes"]]

    def scrolls_sideways(self) -> bool:
        """Whether the page is wider than its window."""
        return bool(
            self.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        )

    def shoot(self, name: str) -> None:
        """Keep a picture of the whole page, where ROLLBOOK_SHOTS says."""
        folder = os.environ.get("ROLLBOOK_SHOTS")
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)


@dataclass
class Site:
    """A running site and a browser to look at it with."""

    base: str
    browser: Browser

    @contextmanager
    def window(
        self, client: Client | None = None, width: int = 1280, dark: bool = False, script: bool = True
    ) -> Iterator[Window]:
        """A window for as long as the block lasts. client: whose sign-in it uses. script: whether JavaScript runs."""
        phone = width < 600
        context = self.browser.new_context(
            viewport={"width": width, "height": 844 if phone else 800}, color_scheme="dark" if dark else "light",
            reduced_motion="reduce", java_script_enabled=script, is_mobile=phone, has_touch=phone, locale="en-GB",
        )  # fmt: skip
        if client is not None:
            key = client.cookies[settings.SESSION_COOKIE_NAME].value
            context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": key, "url": self.base}])
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        window = Window(self.base, page)
        mine = urlsplit(self.base).netloc

        def heard(message: ConsoleMessage) -> None:
            if message.type == "error":
                window.problems.append(f"console: {message.text}")

        def asked(request: Request) -> None:
            if urlsplit(request.url).scheme in ("http", "https") and urlsplit(request.url).netloc != mine:
                window.problems.append(f"a stranger was asked: {request.url}")

        page.on("console", heard)
        page.on("request", asked)
        page.on("pageerror", lambda error: window.problems.append(f"script: {error}"))
        try:
            yield window
        finally:
            context.close()


def check_everywhere(site: Site, client: Client | None, path: str, name: str = "") -> None:
    """One page at desk and phone width, light and dark, and at 320 px: nothing that axe, the console or a hand finds."""
    with site.window(client) as window:
        window.go(path)
        check_here(window, path, name or re.sub(r"\W+", "-", path).strip("-") or "home")


def check_here(window: Window, path: str, label: str) -> None:
    """The same for the page that a window shows now, however it came there."""
    found: list[str] = []
    for width, dark in ((1280, False), (1280, True), (390, True), (390, False), (320, False)):
        window.page.set_viewport_size({"width": width, "height": 844 if width < 600 else 800})
        window.page.emulate_media(color_scheme="dark" if dark else "light", reduced_motion="reduce")
        where = f"{path} at {width} px, {'dark' if dark else 'light'}"
        if width != 320:
            found += [f"{where}: axe: {v}" for v in window.violations()]
            window.shoot(f"{label}-{width}-{'dark' if dark else 'light'}")
        if width < 600:
            found += [f"{where}: under 24 px: {e}" for e in window.page.evaluate(SMALL)]
        if window.scrolls_sideways():
            found.append(f"{where}: scrolls sideways")
    found += [f"{path}: {p}" for p in window.problems]
    assert not found, "\n".join(found)
