"""Badges as a PDF for labels: each code reads from the paper, each name is drawn or left to be written, and the print
run is on record."""

from __future__ import annotations

from typing import Any

import pypdfium2 as pdfium  # type: ignore[import-untyped]  # it has no types
import pytest
import zxingcpp

from rollbook.identity.connectors.labels import Label, drawn, labels
from rollbook.identity.rules import STOCKS
from rollbook.policy import Audit, Disclosure, unguarded
from rollbook.roster.models import Person
from tests.cast import Cast
from tests.staff import desk, let_in, token_of

MILLIMETRE = 200 / 25.4


def badges(count: int) -> list[Label]:
    return [
        Label(f"Name {n}", ("Kestrels", "Puddlebrook"), f"RB1:{n:026d}", f"{n:05d}") for n in range(count)
    ]


def pages(made: bytes) -> list[Any]:
    return [page.render(scale=200 / 72).to_pil() for page in pdfium.PdfDocument(made)]


def read(image: Any) -> list[tuple[str, float, float]]:
    """What each code in a picture says, and where its middle is in millimetres."""
    found = zxingcpp.read_barcodes(image)
    spots = [(b.text, b.position) for b in found]
    return [
        (
            text,
            (p.top_left.x + p.bottom_right.x) / 2 / MILLIMETRE,
            (p.top_left.y + p.bottom_right.y) / 2 / MILLIMETRE,
        )
        for text, p in spots
    ]


@pytest.mark.commitment("CLEV-1.29")
@pytest.mark.parametrize("name", list(STOCKS))
def test_each_code_reads_from_the_paper_and_stands_on_its_own_label(name: str) -> None:
    stock, start, count = STOCKS[name], 2 if STOCKS[name].count > 1 else 1, min(STOCKS[name].count + 1, 12)
    sheets = pages(labels(stock, badges(count), "Labels", start))
    assert len(sheets) == -(-(count + start - 1) // stock.count)
    for sheet in sheets:
        assert abs(sheet.width / MILLIMETRE - stock.page_width) < 1
    places = {}
    for number, sheet in enumerate(sheets):
        for text, x, y in read(sheet):
            column, row = int((x - stock.left) / stock.pitch_x), int((y - stock.top) / stock.pitch_y)
            assert (x - stock.left) % stock.pitch_x < stock.width
            places[text] = number * stock.count + row * stock.columns + column + 1
    assert places == {f"RB1:{n:026d}": n + start for n in range(count)}


@pytest.mark.parametrize(
    "name",
    [
        "Ada",
        "Şule",
        "Łukasz",
        "Nguyễn",
        "Владимир",
        "Αλέξανδρος",
        "محمد",
        "ٹیپو",
        "שרה",
        "प्रिया",
        "Zoe\u0308",
    ],
)
def test_names_of_many_scripts_are_drawn(name: str) -> None:
    assert drawn(name)
    stock = STOCKS["cards"]
    nobody, somebody = (pages(labels(stock, [Label(n, (), "RB1:A", "")], "Labels"))[0] for n in ("", name))
    assert nobody.tobytes() != somebody.tobytes()


@pytest.mark.parametrize("name", ["李小龙", "தமிழ்"])
def test_a_name_without_letters_gets_a_line_and_no_boxes(name: str) -> None:
    assert not drawn(name)
    first, second = (
        pages(labels(STOCKS["cards"], [Label(n, (), "RB1:A", "")], "Labels"))[0] for n in (name, "")
    )
    assert first.tobytes() == second.tobytes()


def test_a_teacher_makes_labels_of_her_class_and_the_run_is_on_record(cast: Cast) -> None:
    let_in(cast.tenant)
    ben = desk(cast.tenant, "teacher", "Ben Thistlewick", person_id=cast.ben.id)
    where = f"/classes/{cast.kestrels.id}/badges/labels"
    token = token_of(cast.tenant, cast.ada.id)
    assert "A4, 21 labels" in ben.get(where).content.decode()
    answer = ben.post(where, {"stock": "labels-21", "start": "21"})
    assert answer["Content-Type"] == "application/pdf" and "attachment" in answer["Content-Disposition"]
    [sheet] = pages(answer.content)
    assert [text for text, _, _ in read(sheet)] == [token]
    text = pdfium.PdfDocument(answer.content)[0].get_textpage().get_text_range()
    assert "Ada" in text and "Kestrels" in text and "Riverstone" not in text and "ID-ada" not in text
    with unguarded("look"):
        run = Audit.objects.filter(verb="badge.printed").latest("id")
        assert (run.actor, run.object, run.details["people"]) == (
            "Ben Thistlewick",
            "Kestrels",
            [cast.ada.id],
        )
        assert Disclosure.objects.filter(door="page:badges_printed").count() == 1


def test_what_is_asked_wrongly_prints_nothing(cast: Cast) -> None:
    let_in(cast.tenant)
    token_of(cast.tenant, cast.ada.id)
    ben = desk(cast.tenant, "teacher", "Ben Thistlewick", person_id=cast.ben.id)
    where = f"/classes/{cast.kestrels.id}/badges/labels"
    for wrong in ({"stock": "labels-21", "start": "22"}, {"stock": "stone"}, {"stock": "roll", "start": "²"}):
        assert ben.post(where, wrong).status_code == 422
    with unguarded("look"):
        assert not Audit.objects.filter(verb="badge.printed", actor="Ben Thistlewick").exists()
        Person.objects.filter(id=cast.ada.id).update(given_name="李小龙")
    assert "Write 1 name by hand" in ben.get(where).content.decode()
    dov = desk(cast.tenant, "teacher", "Dov Next", person_id=cast.dov.id)
    assert dov.get(where).status_code == 404 and dov.post(where, {"stock": "roll"}).status_code == 404
