import re
from html import unescape
from html.parser import HTMLParser

import pytest
import torch
from torch import nn

from holdfast.attacks import FGSM
from holdfast.data import ImageSet
from holdfast.experiments import Pictures, TableResult, picture
from holdfast.report import page
from holdfast.storage.describe import short_repr

from .conftest import NASTY

ALONE = {"meta", "link", "img", "br", "hr"}


class Reader(HTMLParser):
    """Checks that what is opened is closed, and keeps tags and text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ALONE:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data.strip())


@pytest.fixture
def pictures() -> Pictures:
    torch.manual_seed(0)
    model, images = nn.Sequential(nn.Flatten(), nn.Linear(64, 2)), torch.rand(20, 1, 8, 8)
    data = ImageSet(images, model(images).argmax(1), ('<b>"no"</b>', "yes"))
    return picture(f"pictures of {NASTY}", model, FGSM(), data, count=4)


@pytest.fixture
def html(result: TableResult, drawn: TableResult, pictures: Pictures) -> str:
    return page(f"Report of {NASTY}", [result, drawn], [pictures])


@pytest.fixture
def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader


def test_every_tag_is_closed(read: Reader) -> None:
    assert read.open == []
    assert [tag for tag, _ in read.tags].count("h1") == 1


def test_nothing_is_fetched(html: str, read: Reader) -> None:
    assert not re.search(r"https?://|url\(|@import", html)
    for tag, given in read.tags:
        assert tag not in ("script", "iframe", "object")
        assert (given.get("src") or "data:").startswith("data:image/") if tag == "img" else "src" not in given
        assert (given.get("href") or "#").startswith(("#", "data:,"))


def test_all_names_and_numbers_are_there(result: TableResult, drawn: TableResult, read: Reader) -> None:
    for table in (result.table, drawn.table):
        assert {*table.rows, *table.columns} <= set(read.words)
    for words in ("85.0 (7.1)", "87.30 (0.25)", "56.10", "worst case", "98.0", "2 s"):
        assert words in read.words


def test_names_are_escaped(html: str) -> None:
    assert "<script" not in html
    assert "<b>" not in html
    assert html.count("&lt;script&gt;") > 5
    assert NASTY in unescape(html)


def test_notes_conditions_and_the_way_to_repeat_are_printed(result: TableResult, read: Reader) -> None:
    assert result.table.notes[0] in read.words
    assert "hardware: 2 CPU threads" in read.words
    assert short_repr(result.table.rows[NASTY]) in read.words
    assert short_repr(result.table.columns["_PGD|10"]) in read.words
    assert "upper bound" in read.words


def test_the_page_can_be_heard(read: Reader) -> None:
    assert ("html", {"lang": "en"}) in read.tags
    assert all(given.get("alt") for tag, given in read.tags if tag == "img")
    assert {given.get("scope") for tag, given in read.tags if tag == "th"} == {"col", "row"}
    assert sum(tag == "img" for tag, _ in read.tags) == 3


def test_an_empty_page_and_an_empty_gallery_are_pages_too() -> None:
    none = torch.zeros(0, dtype=torch.int64)
    nothing = Pictures("nothing", torch.zeros(0, 1, 8, 8), torch.zeros(0, 1, 8, 8), none, none, ("a", "b"))
    assert "nothing to attack" in page("Empty", [], [nothing])
