"""Badges as a PDF for label stock, true to the millimetre: a browser would scale its page to the printer's margins."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import segno
from fontTools.ttLib import TTFont  # type: ignore[import-untyped]  # it has no types
from fpdf import FPDF

from rollbook.identity.rules import Stock

FONTS = Path(__file__).parents[1] / "fonts"
# In the order in which a letter is looked for. Devanagari, Arabic and Hebrew are drawn with their joins and direction.
FAMILIES = (
    "noto-sans-latin", "noto-sans-latin-ext", "noto-sans-vietnamese", "noto-sans-cyrillic", "noto-sans-cyrillic-ext",
    "noto-sans-greek", "noto-sans-greek-ext", "noto-sans-arabic-arabic", "noto-sans-hebrew-hebrew", "noto-sans-devanagari",
)  # fmt: skip
PAD = 2.0  # millimetres between the edge of a label and what stands on it
QR_MOST = 40.0
NAME, SMALL, LEAST = 20.0, 8.0, 5.5  # points


@dataclass(frozen=True)
class Label:
    """What stands on one label. token: what the code says. code: the same to type."""

    name: str
    lines: tuple[str, ...]
    token: str
    code: str


@lru_cache(maxsize=16)
def _letters(family: str) -> frozenset[int]:
    with TTFont(FONTS / f"{family}-600.woff2", lazy=True) as font:
        return frozenset(font.getBestCmap())


def families_of(text: str) -> list[str] | None:
    """The fonts that draw this text; None when a letter of it is in none of them."""
    found: dict[str, None] = {}
    for letter in text:
        if letter.isspace() or unicodedata.category(letter) == "Cf":
            continue
        family = next((f for f in FAMILIES if ord(letter) in _letters(f)), None)
        if family is None:
            return None
        found[family] = None
    return list(found)


def drawn(text: str) -> bool:
    """Whether every letter of the text can be drawn."""
    return families_of(_plain(text)) is not None


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", " ".join(text.split()))


def labels(stock: Stock, badges: Sequence[Label], title: str, start: int = 1) -> bytes:
    """The PDF of these badges on this stock. start: the first label to use, of a sheet that was begun.

    A name with a letter that we have no font for is not drawn as boxes: its label has a line to write it on.
    """
    pdf = FPDF(unit="mm", format=(stock.page_width, stock.page_height))
    pdf.set_auto_page_break(False)
    pdf.set_margin(0)
    pdf.set_title(title)
    pdf.c_margin = 0
    texts = {_plain(t) for b in badges for t in (b.name, *b.lines, b.code)}
    used = {family for text in texts for family in families_of(text) or ()}
    mine = [f for f in FAMILIES if f in used or f == FAMILIES[0]]
    for family in mine:
        pdf.add_font(family, fname=FONTS / f"{family}-600.woff2")
    pdf.set_fallback_fonts(mine[1:], exact_match=False)
    pdf.set_font(mine[0])
    pdf.set_text_shaping(True)
    page = -1
    for n, badge in enumerate(badges, start=start - 1):
        if n // stock.count != page:
            pdf.add_page()
            page = n // stock.count
        row, column = divmod(n % stock.count, stock.columns)
        _draw(pdf, stock, badge, stock.left + column * stock.pitch_x, stock.top + row * stock.pitch_y)
    if page < 0:
        pdf.add_page()
    return bytes(pdf.output())


def _draw(pdf: FPDF, stock: Stock, badge: Label, x: float, y: float) -> None:
    side = min(stock.height - 2 * PAD, QR_MOST)
    _code(pdf, badge.token, x + PAD, y + (stock.height - side) / 2, side)
    left, width = x + 2 * PAD + side, stock.width - side - 3 * PAD
    top = y + PAD + (stock.height - 2 * PAD) * 0.12
    name = _plain(badge.name)
    if name and families_of(name) is not None:
        size = _fit(pdf, name, width, NAME, LEAST + 2)
        top = _line(pdf, name, left, top, width, size)
    else:
        pdf.set_line_width(0.2)
        pdf.line(left, top + 7, left + width, top + 7)
        top += 8
    top += 1
    for text in badge.lines:
        text = _plain(text)
        if text and families_of(text) is not None:
            top = _line(pdf, text, left, top, width, _fit(pdf, text, width, SMALL, LEAST))
    top += 1
    for text in _wrapped(pdf, badge.code, width, 7.0):
        top = _line(pdf, text, left, top, width, 7.0)


def _code(pdf: FPDF, token: str, x: float, y: float, side: float) -> None:
    """The QR code in rectangles, one for each run of dark cells; two cells around it stay white."""
    cells = [list(row) for row in segno.make(token, error="m", micro=False).matrix_iter(border=2)]
    unit = side / len(cells)
    pdf.set_fill_color(0)
    for n, row in enumerate(cells):
        at = 0
        while at < len(row):
            end = at
            while end < len(row) and row[end]:
                end += 1
            if end > at:
                pdf.rect(x + at * unit, y + n * unit, (end - at) * unit, unit, style="F")
            at = end + 1


def _fit(pdf: FPDF, text: str, width: float, size: float, least: float) -> float:
    """The largest size, from `size` down to `least`, at which the text is no wider than `width`."""
    pdf.set_font_size(size)
    wide = pdf.get_string_width(text)
    return max(least, min(size, size * width / wide)) if wide else size


def _line(pdf: FPDF, text: str, x: float, y: float, width: float, size: float) -> float:
    """Write one line, cut at the end where it is too wide even so; answers where the next begins."""
    pdf.set_font_size(size)
    shown, cut = text, len(text)
    while cut > 1 and pdf.get_string_width(shown) > width + 0.1:
        cut -= 1
        shown = text[:cut].rstrip() + "…"
    height = size * 0.3528 * 1.2
    pdf.set_xy(x, y)
    pdf.cell(width, height, shown)
    return y + height


def _wrapped(pdf: FPDF, code: str, width: float, size: float) -> list[str]:
    pdf.set_font_size(size)
    found = [""]
    for part in code.split():
        longer = f"{found[-1]} {part}".strip()
        if found[-1] and pdf.get_string_width(longer) > width:
            found.append(part)
        else:
            found[-1] = longer
    return found
