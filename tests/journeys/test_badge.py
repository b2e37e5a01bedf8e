"""A badge is held to a camera: a real browser, a camera whose pictures the test draws, and everything that is sent."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import segno

from rollbook.kernel import clock
from rollbook.sharing.actions import agree, create_app, share
from rollbook.sharing.actions.sign_on import set_sign_on
from tests.cast import Cast
from tests.journeys.look import ARGS, CHROMIUM, Site, check_everywhere
from tests.staff import desk, let_in, pupil, token_of

pytestmark = pytest.mark.django_db(transaction=True)
WIDTH, HEIGHT = 640, 480
SCRIPT = Path(__file__).parents[2] / "src/rollbook/entrypoints/static/rollbook/badge.js"


def film(token: str, path: Path, frames: int = 8) -> None:
    """A few dim pictures of a badge that drifts in, as uncompressed video."""
    rows = [list(row) for row in segno.make(token, error="m", micro=False).matrix_iter(scale=6, border=4)]
    size = len(rows)
    grey = bytes([128]) * (WIDTH * HEIGHT // 2)  # both colour planes, of a quarter each
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F10:1 Ip A1:1 C420\n".encode())
        for n in range(frames):
            picture = [bytearray([90]) * WIDTH for _ in range(HEIGHT)]
            x, y = 40 + n * 30, 60 + n * 10
            for j in range(size):
                picture[y + j][x : x + size] = bytes(30 if dark else 170 for dark in rows[j])
            file.write(b"FRAME\n" + b"".join(bytes(line) for line in picture) + grey)


@pytest.fixture
def camera(live_server: Any, tmp_path: Path, browser: Any) -> Iterator[Any]:
    """A browser whose camera shows the film that is given."""
    opened = []

    def start(token: str) -> Site:
        film(token, tmp_path / "camera.y4m")
        more = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
                f"--use-file-for-fake-video-capture={tmp_path / 'camera.y4m'}"]  # fmt: skip
        opened.append(browser.browser_type.launch(executable_path=CHROMIUM, args=[*ARGS, *more]))
        return Site(live_server.url, opened[-1])

    yield start
    for one in opened:
        one.close()


@pytest.mark.commitment("CLEV-1.30")
@pytest.mark.commitment("CLEV-1.31")
@pytest.mark.commitment("CLEV-1.32")
@pytest.mark.commitment("CLEV-1.33")
def test_a_badge_is_read_on_the_device_and_only_what_it_says_is_sent(camera: Any, cast: Cast) -> None:
    let_in(cast.tenant)
    token = token_of(cast.tenant, cast.ada.id)
    with camera(token).window() as window:
        bodies: list[str] = []
        sent: list[str] = []
        page = window.go("/badge")
        page.on("request", lambda r: sent.append(r.url))
        page.on("request", lambda r: bodies.extend(filter(None, [r.post_data])))
        began = time.monotonic()
        page.click("#start")
        page.wait_for_url("**/badge/you")
        took = time.monotonic() - began
        assert page.get_by_text("Yes, I’m Ada").is_visible()
        print(f"\nbadge: signed in {took:.2f} s after the tap")
        assert bodies == [f"token={token.replace(':', '%3A')}"]
        assert token not in " ".join(sent), "what a badge says is in no address"
        kept = "() => [Object.keys(localStorage).length, Object.keys(sessionStorage).length, document.cookie]"
        assert page.evaluate(kept) == [0, 0, ""]
        assert (
            page.evaluate("async () => (await caches.keys()).length + (await indexedDB.databases()).length")
            == 0
        )
        # stopped on the teacher's screen: the child's next tap is outside
        desk(cast.tenant, "administrator").post(f"/people/{cast.ada.id}/sign-in", {"do": "stop"})
        window.go("/badge/you")
        assert "/sign-in" in page.url
        assert window.problems == []


def test_the_camera_stops_on_success_and_when_the_page_is_left(camera: Any, cast: Cast) -> None:
    """The tracks are asked themselves: what the page was given has ended."""
    let_in(cast.tenant)
    watch = """const own = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
        navigator.mediaDevices.getUserMedia = async (asked) => (window.given = await own(asked));
        const stop = MediaStreamTrack.prototype.stop;
        MediaStreamTrack.prototype.stop = function () { stop.call(this); sessionStorage.track = this.readyState; };"""
    for text in (token_of(cast.tenant, cast.ada.id), "https://example.org/a-poster"):
        with camera(text).window() as window:
            window.page.add_init_script(watch)
            page = window.go("/badge")
            page.click("#start")
            if text.startswith("RB1:"):
                page.wait_for_url("**/badge/you")
            else:
                page.get_by_text("That is not a Rollbook badge.").wait_for()
                assert page.evaluate("window.given.active")
                window.go("/picture")
            assert page.evaluate("sessionStorage.track") == "ended"


def test_the_script_of_the_badge_page_has_nothing_that_could_send_or_keep_a_picture() -> None:
    found = re.findall(
        r"toDataURL|toBlob|FormData|Blob|MediaRecorder|ImageCapture|sendBeacon|XMLHttpRequest|WebSocket|"
        r"RTCPeer|localStorage|sessionStorage|indexedDB|caches|captureStream",
        SCRIPT.read_text(encoding="utf-8"),
    )
    assert found == []


def test_the_pages_of_signing_in_hold_on_every_screen(site: Site, cast: Cast) -> None:
    let_in(cast.tenant)
    token_of(cast.tenant, cast.ada.id)
    for path in ("/badge", "/picture"):
        check_everywhere(site, None, path)
    admin = desk(cast.tenant, "administrator")
    labels = f"/classes/{cast.kestrels.id}/badges/labels"
    for path in (
        f"/classes/{cast.kestrels.id}/badges",
        labels,
        f"/people/{cast.ada.id}/sign-in",
        "/sign-in-rules",
    ):
        check_everywhere(site, admin, path, name=path.rsplit("/", 1)[-1])


def test_a_sheet_prints_ten_to_a_page_and_each_code_reads(site: Site, cast: Cast, tmp_path: Path) -> None:
    let_in(cast.tenant)
    token_of(cast.tenant, cast.ada.id)
    with site.window(desk(cast.tenant, "administrator")) as window:
        page = window.go(f"/classes/{cast.kestrels.id}/badges")
        page.get_by_role("button", name="Print").click()
        page.wait_for_load_state()
        assert window.violations() == [] and window.problems == []
        window.shoot("sheet")
        page.emulate_media(media="print")
        box = page.locator(".bdg").bounding_box()
        millimetre = 96 / 25.4
        assert box and abs(box["width"] / millimetre - 95) < 1 and abs(box["height"] / millimetre - 54) < 1
        code = page.locator("svg.qr").bounding_box()
        assert code and abs(code["width"] / millimetre - 44) < 1
        assert page.pdf(prefer_css_page_size=True).count(b"/Type /Page\n") <= 1


def test_a_child_signs_in_by_keyboard_without_script(site: Site, cast: Cast) -> None:
    let_in(cast.tenant)
    token = token_of(cast.tenant, cast.ada.id)
    with site.window(script=False) as window:
        page = window.go("/badge")
        page.get_by_text("Type what the badge says").focus()
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        page.keyboard.type(token.removeprefix("RB1:"))
        page.keyboard.press("Enter")
        page.wait_for_url("**/badge/you")
        assert page.get_by_text("Yes, I’m Ada").is_visible()


def test_the_books_hold_on_every_screen(site: Site, cast: Cast) -> None:
    let_in(cast.tenant)
    for n in range(9):
        made = create_app(cast.tenant, f"Book {n}").app
        agree(made, purpose="learning-app", region="GB", retention_days=30, contact="x@app.example", read_policy=True,
              ends_on=clock.today() + timedelta(days=90))  # fmt: skip
        share(
            made, {"people": "all", "fields": [{"field": "users.givenName", "reason": "to greet the child"}]}
        )
        set_sign_on(made, redirect_uris=["https://app.example/b"], launch_url="https://app.example/")
    child = pupil(cast.tenant, cast.ada.id)
    for path in ("/badge/you", "/books", "/books/seen"):
        check_everywhere(site, child, path)
