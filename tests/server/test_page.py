"""The page, in a real browser on a real server: what people do with it works, by mouse, by keyboard and on a phone."""

from __future__ import annotations

import base64
import io
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import piexif
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image, ImageStat
from playwright.sync_api import Browser, ConsoleMessage, FilePayload, Page, ViewportSize, expect, sync_playwright

from retrieval import Library
from retrieval.server.tokens import Scope, Tokens

from ..conftest import COLOURS
from ..serving import Server, serving

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None and not os.environ.get("CI"), reason="no Chromium on this machine (apt-get install chromium)"
    ),
]

PATIENCE = 30_000  # milliseconds that each wait may take; they only guard against hanging
expect.set_options(timeout=PATIENCE)
COLOURED = ("red", "maroon", "orange", "yellow", "lime", "navy", "blue")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """Seven pictures of colours and 500 of greys, some with dates and coordinates."""
    folder = tmp_path_factory.mktemp("page") / "photos"
    folder.mkdir()
    gps = {1: b"N", 2: ((48, 1), (30, 1), (0, 1)), 3: b"E", 4: ((2, 1), (0, 1), (0, 1))}
    for number, name in enumerate(COLOURED):
        day = f"202{number % 4}:06:02 09:00:00".encode()
        exif: dict[str, Any] = {"Exif": {piexif.ExifIFD.DateTimeOriginal: day}, "GPS": gps}
        Image.new("RGB", (300 + 40 * number, 240), name).save(folder / f"{name}.jpg", exif=piexif.dump(exif))
    for number in range(500):
        grey = (120 + number // 20, 128, 128 - number % 20)
        Image.new("RGB", (60 + number % 50, 48), grey).save(folder / f"{number:03}.png")
    (folder / "red.txt").write_text("the barn door")
    (folder / "broken.jpg").write_bytes(b"nothing")
    with Library.create(folder.parent / "library", COLOURS) as library:
        library.index([folder])
        yield library


@pytest.fixture(scope="module")
def server(library: Library) -> Iterator[Server]:
    with serving(library.path, "--vlm", "colours", "--root", library.path.parent / "photos") as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def opened(browser: Browser, server: Server, **options: Any) -> Page:
    """A page of a new context, at the server."""
    context = browser.new_context(base_url=server.url, **options)
    context.set_default_timeout(PATIENCE)
    return context.new_page()


SIZES: dict[str, ViewportSize] = {"desktop": {"width": 1280, "height": 800}, "phone": {"width": 390, "height": 780}}


@pytest.fixture
def faults() -> list[str]:
    """What the browser complains of; a refused answer is not its fault."""
    return []


@pytest.fixture
def page(browser: Browser, server: Server, faults: list[str], request: pytest.FixtureRequest) -> Iterator[Page]:
    size = getattr(request, "param", "desktop")
    page = opened(browser, server, viewport=SIZES[size], has_touch=size == "phone")
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if _is_fault(said) else None)
    yield page
    page.context.close()
    assert faults == []


def _is_fault(said: ConsoleMessage) -> bool:
    return said.type == "error" and "status of 4" not in said.text


def search(page: Page, text: str, expected: str) -> None:
    page.get_by_role("combobox", name="Search").fill(text)
    expect(page.locator("#grid .tile[aria-posinset='1'] img")).to_have_attribute("alt", having(expected))


def having(text: str) -> re.Pattern[str]:
    return re.compile(re.escape(text))


def upload(colour: str) -> FilePayload:
    out = io.BytesIO()
    Image.new("RGB", (80, 60), colour).save(out, "PNG")
    return {"name": f"{colour}.png", "mimeType": "image/png", "buffer": out.getvalue()}


def test_the_newest_pictures_are_there_at_once(page: Page) -> None:
    page.goto("/")
    expect(page.locator("#answer")).to_have_text("507 pictures, newest first")
    expect(page.locator("#grid .tile").first).to_be_visible()


def test_results_come_while_one_types_and_the_address_keeps_them(page: Page) -> None:
    page.goto("/")
    page.get_by_role("combobox", name="Search").press_sequentially("red", delay=20)
    expect(page.locator("#grid .tile[aria-posinset='1'] img")).to_have_attribute("alt", having("barn door"))
    expect(page.locator("#answer")).to_contain_text("pictures in")
    assert page.url.endswith("?q=red")
    page.reload()
    expect(page.get_by_role("combobox", name="Search")).to_have_value("red")


def test_a_search_that_is_overtaken_is_given_up_for_the_newer_one(page: Page) -> None:
    page.goto("/")
    blue = "**/v1/search?q=blue&**"
    page.route(blue, lambda _: None)  # it is never answered
    box = page.get_by_role("combobox", name="Search")
    with page.expect_request(blue):
        box.fill("blue")
    with page.expect_event("requestfailed", lambda request: "q=blue&" in request.url):
        box.fill("red")
    expect(page.locator("#grid .tile[aria-posinset='1'] img")).to_have_attribute("alt", having("barn door"))


def test_a_query_is_shown_as_it_is_understood_and_an_error_at_its_place(page: Page) -> None:
    page.goto("/?q=2%3Ared+-maroon+since%3A2001")
    expect(page.locator("#understood .chip")).to_have_text(["2:red", "-maroon", "since:2001-01-01×"])
    page.get_by_role("button", name="Remove since:2001-01-01").click()
    expect(page.get_by_role("combobox", name="Search")).to_have_value("2:red -maroon")
    page.get_by_role("combobox", name="Search").fill("red rating:many")
    expect(page.locator("#state mark")).to_have_text("rating:many")


def test_a_correction_is_a_click_away(page: Page) -> None:
    page.goto("/")
    page.get_by_role("combobox", name="Search").fill("red camra:nikon")
    expect(page.locator("#state")).to_contain_text("There is no filter “camra:”.")
    page.get_by_role("button", name="red camera:nikon").click()
    expect(page.get_by_role("combobox", name="Search")).to_have_value("red camera:nikon")


def test_tokens_are_suggested_and_taken_by_keyboard(page: Page) -> None:
    page.goto("/")
    box = page.get_by_role("combobox", name="Search")
    box.press_sequentially("red cam")
    expect(page.locator("#hints li")).to_have_count(1)
    box.press("ArrowDown")
    box.press("Enter")
    expect(box).to_have_value("red camera:")


def test_a_picture_that_is_chosen_or_dropped_is_what_is_looked_for(page: Page) -> None:
    page.goto("/")
    page.locator("#file").set_input_files(upload("navy"))
    expect(page.locator("#example img")).to_be_visible()
    expect(page.locator("#grid .tile[aria-posinset='1'] img")).to_have_attribute("alt", having("navy"))
    data = base64.b64encode(upload("lime")["buffer"]).decode()
    dropped = page.evaluate_handle(
        """(data) => {
            const transfer = new DataTransfer(), bytes = Uint8Array.from(atob(data), (sign) => sign.charCodeAt(0));
            transfer.items.add(new File([bytes], "lime.png", { type: "image/png" }));
            return transfer;
        }""",
        data,
    )
    page.dispatch_event("body", "drop", {"dataTransfer": dropped})
    expect(page.locator("#grid .tile[aria-posinset='1'] img")).to_have_attribute("alt", having("lime"))
    page.get_by_role("button", name="Search without this picture").click()
    expect(page.locator("#answer")).to_contain_text("newest first")


def test_scrolling_leads_to_the_end_with_few_elements_in_the_page(page: Page) -> None:
    page.goto("/?q=type%3Apng&fold=false")
    expect(page.locator("#grid .tile").first).to_be_visible()
    page.wait_for_function(
        """() => {
            scrollTo(0, document.body.scrollHeight);
            return document.querySelector("#grid .tile[aria-posinset='500']");
        }""",
        polling=100,
    )
    assert page.locator("#grid .tile[aria-posinset='500']").count() == 1
    assert page.locator("#grid .tile").count() < 250


def test_what_is_not_there_is_said_and_the_nearest_are_a_click_away(page: Page) -> None:
    page.goto("/?q=red&threshold=strong")
    page.route("**/v1/search?**threshold=weak**", lambda route: route.fulfill(json=nothing()))
    page.locator("#options select").nth(1).select_option("weak")
    expect(page.get_by_role("heading", name="Nothing here looks like that")).to_be_visible()
    page.get_by_role("button", name="Show the closest anyway").click()
    expect(page.locator("#grid .tile").first).to_be_visible()


def nothing() -> dict[str, Any]:
    """What a model that can tell answers where nothing fits (the colours cannot)."""
    return {
        "query": "x",
        "hits": [],
        "searched": 507,
        "seconds": 0.01,
        "notes": [],
        "nothing": True,
        "cursor": "",
        "bands": {},
    }


def test_what_may_be_meant_is_a_click_away(page: Page) -> None:
    page.goto("/")
    page.get_by_role("combobox", name="Search").fill("folder:photoss")
    page.get_by_role("button", name="folder:photos (").click()
    expect(page.get_by_role("combobox", name="Search")).to_have_value("folder:photos")


def test_a_picture_opens_with_what_is_known_and_the_arrows_lead_on(page: Page) -> None:
    page.goto("/?q=red&threshold=none")
    page.locator("#grid .tile[aria-posinset='1'] a").click()
    viewer = page.locator("#viewer")
    expect(viewer.get_by_role("heading", level=1)).to_have_text("red.jpg")
    expect(viewer).to_contain_text("the barn door")
    expect(viewer).to_contain_text("48.50000, 2.00000")
    expect(viewer.locator(".strip img").first).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(viewer.get_by_role("heading", level=1)).not_to_have_text("red.jpg")
    page.keyboard.press("Escape")
    expect(viewer).to_be_hidden()
    page.wait_for_function("document.activeElement.closest('.tile')?.dataset.place === '1'")


def test_each_search_that_is_entered_is_a_step_back(page: Page) -> None:
    page.goto("/")
    box = page.get_by_role("combobox", name="Search")
    for word in ("red", "blue"):
        box.press_sequentially(word, delay=30)
        box.press("Enter")
        expect(page.locator("#answer")).to_contain_text("pictures in")
        box.fill("") if word == "red" else None
    page.go_back()
    expect(box).to_have_value("red")
    page.go_back()
    expect(box).to_have_value("")


def test_back_closes_a_picture_and_stays_with_the_search(page: Page) -> None:
    page.goto("/?q=red&threshold=none")
    page.locator("#grid .tile[aria-posinset='1'] a").click()
    expect(page.locator("#viewer")).to_be_visible()
    page.go_back()
    expect(page.locator("#viewer")).to_be_hidden()
    assert page.url.endswith("?q=red&threshold=none")


def test_a_picture_that_the_address_names_has_its_neighbours(page: Page) -> None:
    page.goto("/?q=red&threshold=none")
    page.locator("#grid .tile[aria-posinset='1'] a").click()
    expect(page.locator("#viewer").get_by_role("heading", level=1)).to_have_text("red.jpg")
    page.reload()
    expect(page.locator("#viewer").get_by_role("heading", level=1)).to_have_text("red.jpg")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#viewer").get_by_role("heading", level=1)).not_to_have_text("red.jpg")


def test_why_a_picture_is_here_and_where_it_shows_it(page: Page) -> None:
    page.goto("/?q=red+barn")
    page.locator("#grid .tile[aria-posinset='1'] a").click()
    page.get_by_role("button", name="Explain").click()
    expect(page.locator("#viewer")).to_contain_text("Number 1 of 507")
    page.get_by_role("button", name="Show where").click()
    expect(page.locator("#viewer canvas")).to_be_visible()


def test_a_caption_is_written_in_place_and_found(page: Page) -> None:
    page.goto("/?q=yellow")
    page.locator("#grid .tile[aria-posinset='1'] a").click()
    page.get_by_role("button", name="Write a caption").click()
    page.get_by_label("Caption", exact=True).fill("a <i>field</i> of rapeseed")
    page.keyboard.press("Escape")  # what was typed is not lost
    page.locator("#grid .tile[aria-posinset='1'] a").click()
    expect(page.get_by_label("Caption", exact=True)).to_have_value("a <i>field</i> of rapeseed")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#viewer .caption").first).to_contain_text("a <i>field</i> of rapeseed")
    page.keyboard.press("Escape")
    search(page, "rapeseed", "rapeseed")


def test_a_caption_that_another_tab_has_changed_is_not_lost(page: Page, browser: Browser, server: Server) -> None:
    page.goto("/?q=lime")
    page.locator("#grid .tile[aria-posinset='1'] a").click()
    page.get_by_role("button", name="Write a caption").click()
    page.get_by_label("Caption", exact=True).fill("mine")
    with server.client() as other:
        item = page.url.split("#item=")[1]
        other.put(f"/v1/items/{item}/caption", json={"text": "theirs"}).raise_for_status()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#viewer")).to_contain_text("in the meantime: “theirs”")
    page.get_by_role("button", name="Save mine anyway").click()
    expect(page.locator("#viewer .caption:has(.source)").first).to_contain_text("mine")
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(page.locator("#viewer .caption:has(.source)")).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#viewer .caption:has(.source)").first).to_contain_text("mine")
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(page.locator("#viewer .caption:has(.source)")).to_have_count(0)


def test_the_model_writes_answers_and_finds(page: Page) -> None:
    page.goto("/?q=blue")
    page.locator("#grid .tile[aria-posinset='1'] a").click()
    field = page.get_by_label("Question", exact=True)
    field.fill("what colour is it?")
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.locator(".said").first).to_contain_text("blue")
    field.fill("blue")
    page.get_by_role("button", name="Find in picture").click()
    expect(page.locator("#viewer svg rect")).to_have_count(1)
    page.get_by_role("button", name="Suggest a caption").click()
    expect(page.get_by_label("Caption", exact=True)).to_have_value(having("blue"))


def test_a_word_is_taught_by_clicking_and_searched_by_its_name(page: Page) -> None:
    page.goto("/?q=navy")
    page.locator("#grid .tile[aria-posinset='1'] a").click()
    page.get_by_label("Word", exact=True).fill("mid night")
    page.get_by_role("button", name="This shows it").click()
    expect(page.locator("#viewer")).to_contain_text("Examples of @mid-night: 1 that show it")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="@mid-night", exact=True).click()
    expect(page.get_by_role("combobox", name="Search")).to_have_value("navy @mid-night")


def test_facets_and_the_time_line_narrow(page: Page) -> None:
    page.goto("/?q=type%3Ajpeg")
    page.locator("#facets").get_by_role("button", name="2023").click()
    expect(page.get_by_role("combobox", name="Search")).to_have_value("type:jpeg on:2023")
    expect(page.locator("#answer")).to_contain_text("1 picture in")
    page.get_by_role("combobox", name="Search").fill("type:jpeg")
    page.locator("#timeline summary").filter(has_text="2022").click()
    page.get_by_title("Show June 2022 and earlier").click()
    expect(page.get_by_role("combobox", name="Search")).to_have_value("type:jpeg until:2022-06")
    expect(page.locator("#grid .tile[aria-posinset='1'] img")).to_have_attribute("alt", re.compile("orange|blue"))
    assert "until%3A2022-06" in page.url
    page.go_back()
    expect(page.get_by_role("combobox", name="Search")).not_to_have_value(having("until:"))


def test_two_settings_stand_side_by_side(page: Page) -> None:
    page.goto("/?q=red&threshold=none")
    page.get_by_role("button", name="Compare").click()
    expect(page.locator("#other-grid .tile").first).to_be_visible()
    expect(page.locator("#second .end")).to_contain_text("The model checked the best")
    tops = page.evaluate("['#grid', '#other-grid'].map((id) => document.querySelector(id).getBoundingClientRect().top)")
    assert tops[0] == tops[1]


def test_a_folder_is_indexed_with_progress_and_problems_have_reasons(page: Page, library: Library) -> None:
    page.goto("/")
    page.get_by_role("button", name="Library").click()
    expect(page.locator("#panel")).to_contain_text("This is not a picture")
    page.get_by_role("button", name="Update photos").click()
    expect(page.locator("#panel")).to_contain_text("photos is up to date")


def test_the_map_leads_to_what_was_taken_there(page: Page) -> None:
    page.goto("/")
    page.get_by_role("button", name="Map").click()
    expect(page.locator("#panel")).to_contain_text("7 pictures with a place")
    page.locator("canvas.world").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("combobox", name="Search")).to_have_value(having("near:48.5"))
    expect(page.locator("#answer")).to_contain_text("7 pictures in")


def test_everything_can_be_done_by_keyboard_alone(page: Page) -> None:
    page.goto("/")
    expect(page.locator("#grid .tile").first).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("red threshold")
    page.keyboard.press("Control+A")
    page.keyboard.type("red")
    page.keyboard.press("Enter")
    expect(page.locator("#answer")).to_contain_text("pictures in")
    for _ in range(80):
        if page.evaluate("Boolean(document.activeElement.closest('.tile'))"):
            break
        page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    expect(page.locator("#viewer").get_by_role("heading", level=1)).to_have_text("red.jpg")
    page.keyboard.press("Escape")
    assert page.evaluate("Boolean(document.activeElement.closest('.tile'))")


@pytest.mark.parametrize("page", ["phone"], indirect=True)
def test_on_a_phone_nothing_is_cut_off_and_filters_are_a_drawer(page: Page) -> None:
    page.goto("/?q=red&threshold=none")
    expect(page.locator("#grid .tile").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    expect(page.locator("#side")).to_be_hidden()
    page.get_by_role("button", name="Filters").click()
    expect(page.get_by_label("Order")).to_be_visible()
    page.locator("#side .close").click()
    expect(page.locator("#side")).to_be_hidden()
    page.get_by_role("button", name="Filters").click()
    page.mouse.click(20, 400)  # beside it, over a picture
    expect(page.locator("#side")).to_be_hidden()
    expect(page.locator("#viewer")).to_be_hidden()
    page.locator("#grid .tile[aria-posinset='1'] a").click()
    expect(page.locator("#viewer").get_by_role("heading", level=1)).to_be_visible()
    assert page.evaluate("document.querySelector('#viewer').scrollWidth <= innerWidth")
    page.evaluate("document.querySelector('#viewer').scrollTo(0, 1e6)")
    page.get_by_role("button", name="Close").click(timeout=3000)  # it stays on the screen
    expect(page.locator("#viewer")).to_be_hidden()


SCREENS = {"pictures": "/", "answer": "/?q=red&threshold=none", "opened": "/?q=red#item=1", "docs": "/docs"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", SCREENS)
def test_axe_finds_no_serious_issue(page: Page, screen: str, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of the two
    page.add_init_script("delete window.trustedTypes")
    page.goto(SCREENS[screen], wait_until="networkidle")
    found = Axe().run(page).response["violations"]
    serious = [(each["id"], each["nodes"][0]["html"]) for each in found if each["impact"] in ("serious", "critical")]
    assert serious == []


def test_a_private_library_asks_for_a_token_that_scripts_do_not_get(
    browser: Browser, library: Library, tmp_path: Path
) -> None:
    shutil.copytree(library.path, tmp_path / "library", ignore=shutil.ignore_patterns("*.sock"))
    token = Tokens.of(tmp_path / "library").add("reader", Scope.READ)
    with serving(tmp_path / "library", "--token") as server:
        page = opened(browser, server)
        page.goto("/?q=red")
        box = page.locator("#login")
        assert box.evaluate("(node) => node.scrollWidth <= node.clientWidth")  # nothing of it is cut off
        page.get_by_label("Your access token").fill("rtv_wrong")
        page.get_by_role("button", name="Log in").click()
        expect(page.locator("#login-error")).to_have_text("This token is not known.")
        page.get_by_label("Your access token").fill(token)
        page.get_by_role("button", name="Log in").click()
        expect(page.locator("#grid .tile").first).to_be_visible()
        assert page.evaluate("document.cookie") == ""
        expect(page.get_by_role("button", name="Save this search")).to_have_count(0)
        page.context.close()


def test_a_server_that_goes_is_told_and_its_return_noticed(browser: Browser, library: Library, tmp_path: Path) -> None:
    shutil.copytree(library.path, tmp_path / "library", ignore=shutil.ignore_patterns("*.sock"))
    with serving(tmp_path / "library") as server:
        page = opened(browser, server)
        page.goto("/")
        expect(page.locator("#grid .tile").first).to_be_visible()
        server.stop()
        page.get_by_role("combobox", name="Search").fill("red")
        expect(page.get_by_role("alert").first).to_contain_text("does not answer")
        expect(page.locator("#grid .tile").first).to_be_visible()  # what was there stays
        expect(page.locator("#state")).to_be_hidden()
        with serving(tmp_path / "library", "--port", server.port):
            expect(page.locator("#offline")).to_be_hidden()
            expect(page.locator("#answer")).to_contain_text("pictures in")
        page.context.close()


def test_screenshots_are_full_of_pictures(page: Page, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Kept where pytest keeps its files, for a person to look at."""
    folder = tmp_path_factory.getbasetemp() / "screenshots"
    folder.mkdir(exist_ok=True)
    for name, url in SCREENS.items():
        page.goto(url, wait_until="networkidle")
        page.screenshot(path=folder / f"{name}.png")
    with Image.open(folder / "answer.png") as image:
        grid = image.convert("RGB").crop((240, 110, 1260, 400))
    assert max(ImageStat.Stat(grid).stddev) > 25


def test_pictures_are_read_in_the_order_of_the_hits(page: Page) -> None:
    page.goto("/?q=red&threshold=none")
    expect(page.locator("#grid .tile").first).to_be_visible()
    page.get_by_role("combobox", name="Search").fill("yellow")
    expect(page.locator("#grid .tile[aria-posinset='1'] img")).to_have_attribute("alt", re.compile("yellow|rapeseed"))
    places = page.evaluate("[...document.querySelectorAll('#grid .tile')].map((tile) => Number(tile.ariaPosInSet))")
    assert places == sorted(places)


def test_a_picture_is_zoomed_by_wheel_double_click_and_buttons(page: Page) -> None:
    page.goto("/?q=red&threshold=none")
    page.locator("#grid .tile[aria-posinset='1'] a").click()
    frame = page.locator("#viewer .frame")
    expect(frame.locator("img")).to_be_visible()

    def scale() -> float:
        return float(frame.evaluate("(node) => new DOMMatrix(getComputedStyle(node).transform).a"))

    frame.dblclick()
    assert scale() == 2.5
    frame.dblclick()
    assert scale() == 1
    frame.hover()
    page.mouse.wheel(0, -300)
    page.wait_for_function("() => document.querySelector('#viewer .stage.zoomed')")
    page.get_by_role("button", name="Zoom out").click()
    assert scale() == 1


@pytest.mark.parametrize("page", ["phone"], indirect=True)
def test_a_pinch_zooms_the_picture_and_the_map(page: Page) -> None:
    session = page.context.new_cdp_session(page)

    def pinch(node: str) -> None:
        box = page.locator(node).bounding_box()
        assert box is not None
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        for kind, apart in (("touchStart", 20), *(("touchMove", apart) for apart in range(30, 100, 10))):
            points = [{"x": x - apart, "y": y, "id": 1}, {"x": x + apart, "y": y, "id": 2}]
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    page.goto("/?q=red&threshold=none")
    page.locator("#grid .tile[aria-posinset='1'] a").click()
    expect(page.locator("#viewer .frame img")).to_be_visible()
    pinch("#viewer .frame")
    expect(page.locator("#viewer .stage.zoomed")).to_be_visible()
    page.get_by_role("button", name="Close").click()
    page.get_by_role("button", name="Map").click()
    expect(page.locator("#panel")).to_contain_text("7 pictures with a place")
    before = pixels(page)
    pinch("canvas.world")
    assert pixels(page) != before
    assert coloured(page), "the spot is still in sight, in the colour of the page"
    page.get_by_role("button", name="Whole world").click()
    assert coloured(page)


def pixels(page: Page) -> str:
    return str(page.evaluate("document.querySelector('canvas.world').toDataURL()"))


def coloured(page: Page) -> bool:
    """Whether the map shows a spot in the green of the page."""
    data = base64.b64decode(pixels(page).split(",")[1])
    with Image.open(io.BytesIO(data)) as image:
        seen = np.asarray(image.convert("RGB"), np.int16)
    return int(((seen[..., 1] > seen[..., 0] + 20) & (seen[..., 1] > 60)).sum()) > 20


def test_a_reload_keeps_the_place_and_the_picture_to_search_by(page: Page) -> None:
    page.goto("/?q=type%3Apng&fold=false")
    expect(page.locator("#grid .tile").first).to_be_visible()
    page.wait_for_function("() => { scrollTo(0, 2500); return scrollY > 2000; }", polling=100)
    page.reload()
    page.wait_for_function("() => scrollY > 2000")
    page.goto("/")
    page.locator("#file").set_input_files(upload("navy"))
    expect(page.locator("#grid .tile[aria-posinset='1'] img")).to_have_attribute("alt", having("navy"))
    page.wait_for_function("() => Object.keys(sessionStorage).some((key) => key.startsWith('example-'))")
    page.reload()
    expect(page.locator("#example img")).to_be_visible()
    expect(page.locator("#grid .tile[aria-posinset='1'] img")).to_have_attribute("alt", having("navy"))
    page.go_back()  # to what was there before the picture
    expect(page.locator("#example")).to_be_hidden()
    expect(page.locator("#answer")).to_contain_text("newest first")


def test_a_search_is_saved_and_forgetting_it_can_be_undone(page: Page) -> None:
    page.goto("/?q=maroon")
    page.get_by_role("button", name="Save this search").click()
    page.get_by_label("Name").fill("best dogs")
    page.get_by_role("button", name="Save", exact=True).click()
    saved = page.get_by_role("button", name="@best-dogs", exact=True)
    expect(saved).to_be_visible()
    page.get_by_role("button", name="Forget @best-dogs").click()
    expect(saved).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(saved).to_be_visible()
    page.get_by_role("button", name="Forget @best-dogs").click()
    expect(saved).to_have_count(0)


def test_the_page_speaks_german(browser: Browser, server: Server) -> None:
    page = opened(browser, server, locale="de-DE")
    page.goto("/?q=red")
    expect(page.get_by_role("button", name="Bibliothek")).to_be_visible()
    expect(page.locator("#answer")).to_contain_text("Bilder in")
    assert page.evaluate("document.documentElement.lang") == "de"
    page.context.close()


WORDS = re.compile(r'^  "?([\w -]+)"?: ', re.M)
SCRIPTS = Path(__file__).parent.parent.parent / "retrieval" / "server" / "page"


def test_every_language_has_every_word_and_the_page_uses_each() -> None:
    files = {path.stem: path.read_text(encoding="utf-8") for path in (SCRIPTS / "words").glob("*.js")}
    assert {"en", "de"} <= files.keys()
    keys = {language: WORDS.findall(text) for language, text in files.items()}
    for language, found in keys.items():
        assert found == keys["en"], language
    code = "".join(path.read_text(encoding="utf-8") for path in SCRIPTS.glob("*.*") if path.suffix in (".js", ".html"))
    composed = re.findall(r"[`](\w+_)\$\{", code)
    unused = [key for key in keys["en"] if not re.search(rf'["=]{re.escape(key)}"', code)]
    assert [key for key in unused if not key.startswith(tuple(composed)) and key != "server"] == []


@pytest.mark.parametrize("word", ["--", "standard deviation", "`retrieval", "cosine"])
def test_no_word_of_the_page_is_for_developers(word: str) -> None:
    for path in (SCRIPTS / "words").glob("*.js"):
        sentences = path.read_text(encoding="utf-8").partition("  server: [")[0]
        assert word not in sentences.replace("// ", "")
