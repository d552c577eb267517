"""The page in a real browser, and what it must not give away."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from emovlm import UserError
from emovlm.predict import predictor, serve

pytestmark = pytest.mark.slow
pytest.importorskip("gradio", reason="needs the extra [serve]")
CHROMIUM = shutil.which("chromium")
ARGUMENTS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--no-first-run"]
MOST_BYTES = 300_000
WEB = httpx.Client(timeout=60.0)  # a machine may be busy
REPOSITORY = Path(__file__).parents[2]


def free_port() -> int:
    with socket.socket() as one:
        one.bind((serve.HOST, 0))
        return one.getsockname()[1]


@pytest.fixture(scope="module")
def calls() -> Iterator[list[str]]:
    """Every host but this one that a socket of this process is connected to."""
    found: list[str] = []
    connect = socket.socket.connect

    def watched(self, address):
        if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            found.append(str(address))
        return connect(self, address)

    patch = pytest.MonkeyPatch()
    patch.setattr(socket.socket, "connect", watched)
    yield found
    patch.undo()


@pytest.fixture(scope="module")
def address(plain_run, calls) -> Iterator[str]:
    with serve.started(predictor.load(plain_run[0].folder), free_port(), MOST_BYTES) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator:
    if CHROMIUM is None:
        pytest.skip("chromium is not on PATH; tools/ci/install_chromium.sh installs it")
    playwright = pytest.importorskip("playwright.sync_api", reason="needs the playwright package")
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture
def tab(browser, address) -> Iterator:
    tab = browser.new_page(viewport={"width": 1200, "height": 1400})
    tab.set_default_timeout(60_000)
    requests: list[str] = []
    tab.on("request", lambda request: requests.append(request.url))
    tab.goto(address)
    tab.wait_for_selector("input[type=file]", state="attached")
    yield tab
    assert [url for url in requests if not url.startswith((address, "data:", "blob:"))] == []
    tab.close()


def drop(tab, path) -> None:
    tab.set_input_files("input[type=file]", str(path))


def complaint(tab) -> str:
    return tab.wait_for_selector(".toast-body").inner_text()


def test_a_dropped_clip_is_answered_with_its_frames_and_over_time(tab, plain_run, calls) -> None:
    _, found = plain_run
    line = found.rows[0]
    drop(tab, line["media"][0])
    answer = found.classes[found.predicted_N()[0]]
    tab.wait_for_selector(f"h2:has-text('{answer}')")
    tab.wait_for_function("document.querySelectorAll('.grid-container img').length === 4")
    captions = tab.evaluate("[...document.querySelectorAll('.caption-label')].map(one => one.innerText.trim())")
    assert captions == [f"{time_s:.2f} s" for time_s in line["times_s"]]
    texts = [one.input_value() for one in tab.query_selector_all("textarea")]
    assert any(re.search(r"Of the \d clips of the test split .* were answered rightly", text) for text in texts)
    assert any(text.startswith("[frame 0]") for text in texts)
    tab.get_by_role("button", name="Timeline").click()
    image = tab.wait_for_selector("img[src^='data:image/svg+xml']")
    assert image.get_attribute("alt").startswith("0.00 to ")
    assert tab.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    assert calls == [], "the server asks nobody"


def test_another_policy_and_another_prior_answer_at_once(tab, plain_run) -> None:
    drop(tab, plain_run[1].rows[0]["media"][0])
    tab.wait_for_function("document.querySelectorAll('.grid-container img').length === 4")
    keep = tab.get_by_label("number input for How many frames")
    keep.fill("6")
    keep.press("Enter")
    tab.get_by_role("button", name="Look again").click()
    tab.wait_for_function("document.querySelectorAll('.grid-container img').length === 6")
    tab.wait_for_function(
        "[...document.querySelectorAll('textarea')].some(one => one.value.includes('scored with other frames'))"
    )
    tab.get_by_label("Prior taken off").click()
    tab.get_by_role("option", name="blank").click()
    tab.wait_for_function(
        "[...document.querySelectorAll('textarea')].some(one => one.value.includes('no evaluation test-likelihood-bl'))"
    )


def test_a_picture_is_answered(tab, tmp_path) -> None:
    from PIL import Image

    Image.new("RGB", (80, 80), "grey").save(tmp_path / "photo.png")
    drop(tab, tmp_path / "photo.png")
    tab.wait_for_function("document.querySelectorAll('.grid-container img').length === 1")


def test_a_wrong_file_is_named_without_the_paths_of_this_machine(tab, tmp_path) -> None:
    (tmp_path / "no_clip.mp4").write_bytes(b"nonsense")
    drop(tab, tmp_path / "no_clip.mp4")
    said = complaint(tab)
    assert "no_clip.mp4: cannot be opened as a video" in said
    assert "/tmp" not in said


def test_what_cannot_be_done_is_said(tab, plain_run) -> None:
    tab.get_by_role("button", name="Look again").click()
    assert "drop a video or a picture first" in complaint(tab)


def test_a_file_above_the_limit_is_refused(tab, tmp_path) -> None:
    (tmp_path / "large.mp4").write_bytes(bytes(MOST_BYTES + 1))
    drop(tab, tmp_path / "large.mp4")
    assert "size" in complaint(tab).lower()


@pytest.mark.parametrize("path", ["/etc/passwd", str(REPOSITORY / "README.md"), "README.md", "../../etc/passwd"])
def test_no_file_outside_the_temporary_folder_is_given(address, path) -> None:
    for route in (f"gradio_api/file={path}", f"file={path}", f"gradio_api/stream/{path}", f"static/{path}"):
        got = WEB.get(address + route)
        assert got.status_code >= 400, route
        assert "root:" not in got.text
        assert "emovlm" not in got.text


def called(address: str, path: str, session: str) -> str:
    """What comes of the call that the page makes, with this path as the clip's."""
    config = WEB.get(f"{address}config").json()
    look = next(one for one in config["dependencies"] if one["api_name"] == "look")
    file = {"path": path, "meta": {"_type": "gradio.FileData"}}
    content = {"data": [file, "uniform", 4, "none", 1.0, False], "fn_index": look["id"], "session_hash": session}
    assert WEB.post(f"{address}gradio_api/queue/join", json=content).status_code == 200
    with WEB.stream("GET", f"{address}gradio_api/queue/data?session_hash={session}") as stream:
        return "".join(stream.iter_text()).replace(" ", "")


def test_the_programs_interface_looks_at_uploads_alone(address, plain_run) -> None:
    clip = Path(plain_run[1].rows[0]["media"][0])
    (uploaded,) = WEB.post(f"{address}gradio_api/upload", files={"files": (clip.name, clip.read_bytes())}).json()
    assert WEB.get(f"{address}gradio_api/file={uploaded}").content == clip.read_bytes()
    assert '"success":true' in called(address, uploaded, "uploaded")
    for number, path in enumerate((str(clip), "/etc/passwd", str(REPOSITORY / "recipes/demo/report.png"))):
        events = called(address, path, f"other{number}")
        assert '"success":false' in events
        assert '"success":true' not in events
        assert "root:" not in events


def test_only_this_machine_is_served(address) -> None:
    port = int(address.rstrip("/").rpartition(":")[2])
    assert address.startswith("http://127.0.0.1:")
    for _, _, _, _, (host, *_) in socket.getaddrinfo(socket.gethostname(), port, socket.AF_INET):
        if not host.startswith("127."):
            with pytest.raises(OSError):
                socket.create_connection((host, port), timeout=2)


def test_a_site_whose_name_leads_here_gets_no_answer(address) -> None:
    assert WEB.get(address, headers={"Host": "evil.example"}).status_code == 400
    assert WEB.get(address).status_code == 200


def test_the_command_serves_until_it_is_told_to_end_and_leaves_nothing(plain_run, tmp_path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "emovlm", "serve", str(plain_run[0].folder), "--port", str(port)]
    surroundings = {**os.environ, "PYTHONPATH": str(REPOSITORY), "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=surroundings, cwd=tmp_path) as running:
        assert running.stdout
        assert running.stdout.readline().startswith(f"http://127.0.0.1:{port}/")
        assert WEB.get(f"http://127.0.0.1:{port}/").status_code == 200
        assert list(tmp_path.glob("emovlm-serve-*"))
        running.send_signal(signal.SIGINT)
        assert running.wait(60) == 0
    assert not list(tmp_path.iterdir())


def test_a_taken_port_is_said(plain_run, address) -> None:
    port = int(address.rstrip("/").rpartition(":")[2])
    with pytest.raises(UserError, match=f"--port {port}"), serve.started(predictor.load(plain_run[0].folder), port):
        pass


def test_a_path_that_was_not_uploaded_is_not_looked_at(plain_run, tmp_path) -> None:
    import gradio

    asking = serve.Asking(predictor.load(plain_run[0].folder), tmp_path)
    with pytest.raises(gradio.Error, match="only what was uploaded"):
        asking.look("/etc/passwd", "uniform", 4, "none", 1.0, False)
