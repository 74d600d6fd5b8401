"""The HTML page: safe, accessible, self-contained, complete for any content."""

import base64
import hashlib
import re
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from feedback_pipeline.reports.content import ReportContent
from feedback_pipeline.reports.findings import Causes, Term, Terms, Topic, Topics
from feedback_pipeline.reports.page import render_html
from feedback_pipeline.reports.parts import Condition, Difference, NoResultPart, examples_of
from tests.support.report_samples import CAUSES, RECOMMENDATIONS, WEEK, full_report, rate, silent_report, trend

ATTACK = "<script>alert(1)</script><img src=x onerror=alert(2)>\"' onmouseover='alert(3)"
VOID = {"meta", "link", "br", "hr", "img", "input"}


class Page(HTMLParser):
    """Tags with their attributes and text, and whether the nesting is right."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(html)
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data):
        if self.open and data.strip():
            self.texts.append((self.open[-1], data.strip()))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def text_of(self, tag: str) -> list[str]:
        return [text for name, text in self.texts if name == tag]


def attacked_report() -> ReportContent:
    cause = replace(
        CAUSES.findings[0],
        conditions=(Condition("tags", ATTACK),),
        examples=examples_of([("a1", ATTACK), ("a2", '=HYPERLINK("http://evil.example","x")')], 50),
    )
    recommendation = replace(RECOMMENDATIONS.items[0], title=ATTACK, evidence=ATTACK, owner=ATTACK)
    return replace(
        full_report(),
        project=ATTACK,
        causes=Causes((cause,), 10),
        recommendations=replace(RECOMMENDATIONS, items=(recommendation,)),
        terms=Terms((Term(ATTACK, "comment", "down", rate(0.6, 0.1, 40, 20), 5.0, 0.001),), 10),
        topics=Topics(ATTACK, (Topic("1", ATTACK, rate(0.2, 0.1, 40, 20), None),), 0.1),
    )


PAGES = {"full": full_report, "silent": silent_report, "attacked": attacked_report}


@pytest.fixture(params=list(PAGES))
def page(request) -> Page:
    return Page(render_html(PAGES[request.param]()))


def test_text_from_strangers_is_never_markup():
    html = render_html(attacked_report())
    page = Page(html)
    assert not page.all("script")
    assert not page.all("img")
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert "alert(1)" in html  # it is shown, as text


def test_no_cell_starts_a_formula_when_a_table_is_copied_to_a_spreadsheet():
    content = full_report()
    standing = replace(content.standings.levels[0], level="=1+1")
    content = replace(content, standings=replace(content.standings, levels=(standing,)))
    html = render_html(content)
    cells = [text for tag, text in Page(html).texts if tag in ("td", "th")]
    signed = re.compile(r"[+-][\d.]+")
    assert not [cell for cell in cells if cell[0] in "=@" or (cell[0] in "+-" and not signed.fullmatch(cell))]
    assert "“=HYPERLINK(1)”" in html
    assert "“=1+1”" in html


def test_the_page_needs_nothing_from_outside_and_runs_nothing(page):
    loading = {"script", "link", "iframe", "object", "embed", "img", "form", "base", "use", "image"}
    assert not loading & {tag for tag, _ in page.tags}
    assert not [attributes for _, attributes in page.tags if "style" in attributes or "src" in attributes]
    assert all(attributes["href"].startswith("#") for attributes in page.all("a"))


@pytest.mark.parametrize("content", PAGES.values(), ids=PAGES)
def test_the_security_policy_admits_this_style_sheet_and_no_script(content):
    html = render_html(content())
    style = re.search(r"<style>(.*)</style>", html, re.DOTALL).group(1)
    expected = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html).group(1)
    assert f"style-src 'sha256-{expected}'" in policy
    assert "default-src 'none'" in policy


def test_one_main_heading_a_language_and_landmarks(page):
    assert len(page.all("h1")) == 1
    assert page.all("html")[0]["lang"] == "en"
    assert {"header", "main", "footer", "nav"} <= {tag for tag, _ in page.tags}
    assert page.text_of("title")[0]


def test_headings_do_not_skip_a_level(page):
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))


def test_every_chart_has_a_name_a_description_a_takeaway_and_its_data(page):
    names = [tag for tag, _ in page.tags]
    charts = page.all("svg")
    assert len(charts) == names.count("figure") == names.count("figcaption")
    assert names.count("desc") == len(charts)
    ids = {attributes.get("id") for _, attributes in page.tags}
    for chart in charts:
        assert chart["role"] == "img"
        assert set(chart["aria-labelledby"].split()) <= ids
    # one data table per chart: <details class="data"> directly in its figure
    assert len([a for a in page.all("details") if a.get("class") == "data"]) == len(charts)


def test_every_table_has_a_caption_and_scoped_headers(page):
    names = [tag for tag, _ in page.tags]
    assert names.count("caption") == names.count("table")
    assert all(header.get("scope") in ("col", "row") for header in page.all("th"))


def test_ids_are_unique_and_references_resolve(page):
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in page.tags:
        for reference in (attributes.get("aria-labelledby") or "").split():
            assert reference in ids
    assert {link["href"][1:] for link in page.all("a")} <= set(ids)


def test_a_page_weighs_less_than_300_kilobytes():
    many = replace(
        full_report(),
        terms=Terms(
            tuple(Term(f"term {n} " * 10, "comment", "down", rate(0.6, 0.1, 40, 20), 5.0, 0.001) for n in range(200)),
            10,
        ),
        causes=Causes(tuple(replace(CAUSES.findings[0], finding_id=f"f{n}") for n in range(50)), 5000),
    )
    assert len(render_html(many).encode()) < 300_000


def test_the_same_content_gives_the_same_bytes():
    assert render_html(full_report()) == render_html(full_report())


@pytest.mark.parametrize(
    ("difference", "headline"),
    [
        (Difference(-0.052, -0.071, -0.033), "Approval fell 5.2 points to 74.1%"),
        (Difference(0.052, 0.033, 0.071), "Approval rose 5.2 points to 74.1%"),
        (Difference(-0.002, -0.02, 0.016), "No significant change: approval is 74.1%"),
        (NoResultPart("there is no earlier week"), "Approval was 74.1%; there is nothing to compare it with"),
    ],
)
def test_the_headline_says_only_what_the_interval_allows(difference, headline):
    content = full_report()
    content = replace(content, verdict=replace(content.verdict, difference=difference))
    assert Page(render_html(content)).text_of("h1") == [headline]


def test_a_week_without_votes_says_so_in_every_section():
    html = render_html(silent_report())
    assert "No verdict this week" in html
    assert html.count("nobody voted this week") >= 3
    assert "<svg" not in html  # no empty chart


def test_a_target_is_met_only_if_the_whole_interval_is_above_it():
    def said(target):
        content = full_report()
        return render_html(replace(content, verdict=replace(content.verdict, target=target)))

    assert "The target of 70% is met." in said(0.70)
    assert "The target of 80% is missed." in said(0.80)
    assert "Whether the target of 75% is met cannot be told" in said(0.75)


def test_no_finding_is_a_valid_result():
    content = replace(full_report(), causes=Causes((), 4846))
    assert "No group of answers is significantly worse than the rest (4,846 groups tested)." in render_html(content)


def test_a_lost_event_is_shouted():
    content = full_report()
    lost = replace(content, data_quality=replace(content.data_quality, events=content.data_quality.events + 3))
    assert "3 events unaccounted for" in render_html(lost)
    assert "unaccounted" not in render_html(content)


def test_a_monthly_report_has_the_same_sections():
    month = replace(
        full_report(),
        period=replace(WEEK, kind="monthly", label="2026-11", start=WEEK.start - timedelta(days=15)),
        trend=trend([0.79, 0.8, 0.78, 0.74]),
    )
    sections = [a["id"] for a in Page(render_html(month)).all("h2") if "id" in a]
    assert sections == [a["id"] for a in Page(render_html(full_report())).all("h2") if "id" in a]
    assert "No significant change" not in render_html(month)
    assert "against last month" in render_html(month)


def test_it_does_not_claim_to_have_found_every_name():
    page = render_html(full_report())
    assert "Names of people, places and employers are not reliably found" in page
    assert "No personal data" not in page
