"""The page in a real browser: no request, no error on the console, everything visible, nothing sticking out, sorting.

What the browser showed is kept in build/screenshots, which git ignores.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from emovlm.report.page import write, write_page
from emovlm.report.side_by_side import load, page_of

from . import folders_made_up as made_up

pytestmark = pytest.mark.slow
CHROMIUM = shutil.which("chromium")
# Of each text that is shown: its contrast with the nearest background; the counts in a confusion matrix stand on shades
# and are left out.
CONTRASTS = """() => {
    const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
        .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = element => {
        for (let one = element; one; one = one.parentElement) {
            const colour = numbers(getComputedStyle(one).backgroundColor);
            if (colour.length === 3 || colour[3] === 1) return colour;
        }
    };
    const found = [];
    for (const element of document.querySelectorAll('main *')) {
        const drawn = element.tagName === 'text';
        const own = [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
        if (!own || !element.getClientRects().length || element.tagName === 'style') continue;
        if (drawn && element.closest('#confusion') && /^\\d+$/.test(element.textContent)) continue;
        const style = getComputedStyle(element);
        const [a, b] = [light(numbers(drawn ? style.fill : style.color)), light(behind(element))].sort((x, y) => y - x);
        found.push({text: element.textContent.slice(0, 40), drawn, contrast: (a + 0.05) / (b + 0.05)});
    }
    return found;
}"""
SCREENSHOTS = Path(__file__).parents[2] / "build/screenshots"
# The first text of each cell in a column of a section's first table, row by row as shown.
COLUMN = """([section, column]) => [...document.querySelector(`#${section} table`).tBodies[0].rows]
    .map(row => row.cells[column]).map(cell => cell.querySelector('.value, .arm') ?? cell)
    .map(one => one.innerText.split('\\n')[0].trim())"""
ARGUMENTS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--no-first-run"]


@pytest.fixture(scope="module")
def browser() -> Iterator:
    if CHROMIUM is None:
        pytest.skip("chromium is not on PATH; tools/ci/install_chromium.sh installs it")
    playwright = pytest.importorskip("playwright.sync_api", reason="needs the playwright package")
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("pages")
    media = made_up.drawn_faces(root / "faces")
    long_names = tuple(f"a rather long name of a class, the {n}." for n in range(7))
    runs = [
        made_up.run(root / "side" / arm, arm=arm, media=media, full=True)
        for arm in ("natural", "class_balanced", "tail_oversampling", "zero_shot")
    ]
    side_by_side = load(runs)
    three = {"arms": ("natural", "class_balanced"), "seeds": (0, 1, 2), "media": media}
    return {
        "full": write_page(made_up.study(root / "a", media=media, full=True)),
        "seeds": write_page(made_up.study(root / "b", seeds=(0, 1, 2), media=media)),
        "folds": write_page(made_up.study(root / "folds", folds=3, full=True, **three)),
        "runs": write(side_by_side, page_of(side_by_side)),
        "run": write_page(made_up.run(root / "run", media=media)),
        "from before": write_page(made_up.before(made_up.run(root / "before", media=media))),
        "long names": write_page(made_up.study(root / "c", classes=long_names, media=media, full=True)),
    }


def test_the_picture_for_the_readme_has_the_asked_size(pages: dict[str, Path], tmp_path: Path) -> None:
    if CHROMIUM is None:
        pytest.skip("chromium is not on PATH; tools/ci/install_chromium.sh installs it")
    pytest.importorskip("playwright", reason="needs the playwright package")
    picture, tool = tmp_path / "page.png", Path(__file__).parents[2] / "tools/picture.py"
    command = [sys.executable, str(tool), str(pages["run"]), str(picture), "--width", "800", "--height", "600"]
    subprocess.run(command, check=True, timeout=120)
    with Image.open(picture) as opened:
        assert opened.size == (800, 600)
        assert len(opened.convert("L").getcolors() or []) > 20


@pytest.mark.parametrize("width_px", [1200, 390])
@pytest.mark.parametrize("name", ["full", "seeds", "folds", "runs", "run", "from before", "long names"])
def test_the_page_in_chromium(browser, pages: dict[str, Path], name: str, width_px: int) -> None:
    context = browser.new_context(viewport={"width": width_px, "height": 900}, offline=True)
    tab = context.new_page()
    requests, messages = [], []
    tab.on("request", lambda request: requests.append(request.url))
    tab.on("console", lambda message: messages.append(message.text))
    tab.on("pageerror", lambda error: messages.append(str(error)))
    address = pages[name].as_uri()
    tab.goto(address)
    assert [url for url in requests if url != address and not url.startswith("data:")] == []
    assert messages == []
    assert tab.evaluate("document.documentElement.scrollWidth") <= width_px
    # Of a figure drawn for both widths one is hidden on purpose; each <figure> shows exactly one drawing.
    shown = tab.evaluate(
        """() => [...document.querySelectorAll('figure')].map(figure =>
            [...figure.querySelectorAll('svg[role]')].map(svg => svg.getBoundingClientRect())
                .filter(box => box.width > 150 && box.height > 100).length)"""
    )
    assert shown
    assert set(shown) == {1}
    loaded = tab.evaluate("() => [...document.images].every(image => image.complete && image.naturalWidth > 0)")
    assert loaded
    assert tab.evaluate("document.images.length") == 8 * (3 + 4)
    tab.screenshot(path=SCREENSHOTS / f"{name}-{width_px}.png".replace(" ", "-"), full_page=True)
    # Text in a figure is readable: its size after scaling, in CSS pixels (a rotation leaves the determinant alone).
    smallest = tab.evaluate(
        """() => Math.min(...[...document.querySelectorAll('figure svg text')]
            .filter(text => text.getClientRects().length)
            .map(text => [parseFloat(getComputedStyle(text).fontSize), text.getScreenCTM()])
            .map(([size, m]) => size * Math.sqrt(m.a * m.d - m.b * m.c)))"""
    )
    assert smallest >= 8
    tab.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width_px, "nothing folded away sticks out either"
    sideways = tab.evaluate(
        """() => [...document.querySelectorAll('.scroll, td')].filter(one => one.scrollWidth > one.clientWidth + 1)
            .map(one => one.closest('section').id + ': ' + one.textContent.slice(0, 60))"""
    )
    assert width_px > 390 or sideways == [], "on a phone no table is moved sideways, and no cell runs into the next"
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_light_and_in_dark(browser, pages: dict[str, Path], scheme: str) -> None:
    """WCAG's contrast of every piece of text with what is behind it: at least 4.5, or 3 in a figure's small print."""
    context = browser.new_context(viewport={"width": 1200, "height": 900}, color_scheme=scheme, offline=True)
    tab = context.new_page()
    tab.goto(pages["full"].as_uri())
    tab.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    found = tab.evaluate(CONTRASTS)
    assert len(found) > 500
    assert [one for one in found if one["contrast"] < (3 if one["drawn"] else 4.5)] == []
    paper = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") == (scheme == "light")
    context.close()


@pytest.mark.parametrize("width_px", [1200, 390])
def test_tables_sort_by_click_and_by_key(browser, pages: dict[str, Path], width_px: int) -> None:
    context = browser.new_context(viewport={"width": width_px, "height": 900}, offline=True)
    tab = context.new_page()
    tab.goto(pages["full"].as_uri())
    heads = tab.locator("#scores th")
    as_written = tab.evaluate(COLUMN, ["scores", 0])
    assert as_written == ["zero_shot", "natural", "square_root", "class_balanced", "tail_oversampling"]
    assert [heads.nth(at).get_attribute("aria-sort") for at in range(heads.count())] == ["none"] * 6
    recall, arm = heads.nth(4).locator("button"), heads.nth(0).locator("button")
    assert recall.inner_text() == "Tail recall"
    recall.click()
    values = [float(value) for value in tab.evaluate(COLUMN, ["scores", 4])]
    assert values == sorted(values, reverse=True)
    assert values != sorted(values)
    assert heads.nth(4).get_attribute("aria-sort") == "descending"
    tab.screenshot(path=SCREENSHOTS / f"sorted-{width_px}.png")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width_px
    recall.press("Enter")
    assert [float(value) for value in tab.evaluate(COLUMN, ["scores", 4])] == values[::-1]
    assert heads.nth(4).get_attribute("aria-sort") == "ascending"
    arm.press("Space")
    assert tab.evaluate(COLUMN, ["scores", 0]) == sorted(as_written)
    assert heads.nth(0).get_attribute("aria-sort") == "ascending"
    assert heads.nth(4).get_attribute("aria-sort") == "none", "one column at a time"
    arm.click()
    arm.click()
    assert tab.evaluate(COLUMN, ["scores", 0]) == as_written, "the third time it is as it was"
    assert heads.nth(0).get_attribute("aria-sort") == "none"
    context.close()


def test_signs_and_gaps_sort_as_numbers(browser, pages: dict[str, Path]) -> None:
    context = browser.new_context(viewport={"width": 1200, "height": 900}, offline=True)
    tab = context.new_page()
    tab.goto(pages["full"].as_uri())
    tab.locator("#differences th button").nth(1).click()
    shown = tab.evaluate(COLUMN, ["differences", 1])
    assert sorted(shown, key=float, reverse=True) == shown
    assert shown[-1].startswith("-")
    batch = tab.locator("#reproduce th button", has_text="batch")
    assert tab.evaluate(COLUMN, ["reproduce", 3])[0] == "-"
    for _ in range(2):
        batch.click()
        assert tab.evaluate(COLUMN, ["reproduce", 3]) == ["16", "16", "16", "16", "-"], "nothing is last both ways"
    tab.locator("#reproduce th button", has_text="trained parameters").click()
    assert tab.evaluate(COLUMN, ["reproduce", 4]) == ["108,544"] * 4 + ["0"]
    context.close()


def test_the_keyboard_reaches_everything_that_can_be_used(browser, pages: dict[str, Path]) -> None:
    context = browser.new_context(viewport={"width": 1200, "height": 900}, offline=True)
    tab = context.new_page()
    tab.goto(pages["runs"].as_uri())
    usable = tab.evaluate(
        """() => [...document.querySelectorAll('button, a, summary, pre')]
            .filter(one => one.checkVisibility()).map((one, at) => (one.dataset.at = at))"""
    )
    assert len(usable) > 40
    reached = []
    for _ in range(len(usable) + 5):
        tab.keyboard.press("Tab")
        reached.append(tab.evaluate("document.activeElement.dataset.at"))
    assert set(usable) <= {int(at) for at in reached if at is not None}
    outlines = tab.evaluate("getComputedStyle(document.querySelector(':focus-visible') ?? document.body).outlineStyle")
    assert outlines != "none", "where one is can be seen"
    context.close()


def test_not_even_a_changed_page_can_ask_for_anything(browser, pages: dict[str, Path]) -> None:
    context = browser.new_context()
    tab = context.new_page()
    tab.goto(pages["run"].as_uri())
    refused, messages = [], []
    tab.on("requestfailed", lambda request: refused.append(request.failure))
    tab.on("console", lambda message: messages.append(message.text))
    tab.evaluate(
        """() => { const script = document.createElement('script'); script.textContent = 'window.ran = true';
            const image = new Image(); image.src = 'http://127.0.0.1:9/picture.png';
            document.body.append(script, image); }"""
    )
    tab.wait_for_timeout(200)
    assert not tab.evaluate("window.ran")
    assert refused == ["csp"]
    assert sum("Content Security Policy" in message for message in messages) == 2
    context.close()
