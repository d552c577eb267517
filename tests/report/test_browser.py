"""The page in a real browser: no request, no error on the console, everything visible, nothing sticking out."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from emovlm.report.page import write_page

from . import folders_made_up as made_up

pytestmark = pytest.mark.slow
CHROMIUM = shutil.which("chromium")
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
    return {
        "study": write_page(made_up.study(root / "a", media=media)),
        "seeds": write_page(made_up.study(root / "b", seeds=(0, 1, 2), media=media)),
        "run": write_page(made_up.run(root / "run", media=media)),
        "long names": write_page(made_up.study(root / "c", classes=long_names, media=media)),
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
@pytest.mark.parametrize("name", ["study", "seeds", "run", "long names"])
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
    assert tab.evaluate("document.images.length") == 24
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
    context.close()
