"""`emovlm serve`: a page on this machine alone. Drop a video or a picture, see what was looked at and what was said.

What is uploaded lies in a temporary folder, the only one from which the page gives files, and goes when the page ends.
"""

from __future__ import annotations

import base64
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emovlm import UserError
from emovlm.predict import choices, confidence, figure, timeline
from emovlm.predict.clips import row

if TYPE_CHECKING:
    from emovlm.predict.predictor import Predictor

HOST, PORT = "127.0.0.1", 7860
MOST_BYTES = 200 * 1024**2
MOST_WINDOWS = 600
# The page asks nobody for fonts.
FONTS = ["system-ui", "sans-serif"]
# Uploads that are a day old are looked for once an hour.
HOUR_S, DAY_S = 3600, 86400


def serve(predictor: Predictor, port: int) -> None:
    """Show the page until the process is interrupted."""
    with started(predictor, port) as address:
        print(f"{address} (Ctrl+C ends it)", flush=True)
        _wait()


@contextmanager
def started(predictor: Predictor, port: int, most_bytes: int = MOST_BYTES) -> Iterator[str]:
    """The page's address, while the block lasts. Raises UserError: no gradio, or the port is taken."""
    with tempfile.TemporaryDirectory(prefix="emovlm-serve-") as folder:
        # Read by gradio when it is imported and when the page is made.
        os.environ.update(
            GRADIO_TEMP_DIR=folder, GRADIO_ANALYTICS_ENABLED="False", HF_HUB_DISABLE_TELEMETRY="1", GRADIO_SHARE="False"
        )
        try:
            from gradio.themes import Default
            from starlette.middleware import Middleware
            from starlette.middleware.trustedhost import TrustedHostMiddleware
        except ImportError as error:
            raise UserError("serve: gradio is not installed; in a checkout: pip install -e '.[serve]'") from error
        shown = page(predictor, Path(folder))
        try:
            _, address, _ = shown.launch(
                server_name=HOST,
                server_port=port,
                share=False,
                inbrowser=False,
                prevent_thread_lock=True,
                quiet=True,
                allowed_paths=[],
                # A site whose name is made to lead to this machine gets no answer.
                app_kwargs={"middleware": [Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])]},
                max_file_size=most_bytes,
                ssr_mode=False,
                mcp_server=False,
                run_history=False,
                enable_monitoring=False,
                footer_links=[],
                theme=Default(font=FONTS, font_mono=["monospace"]),
            )
        except OSError as error:
            raise UserError(f"--port {port}: {str(error).splitlines()[0]}") from error
        try:
            yield address
        finally:
            shown.close(verbose=False)


def page(predictor: Predictor, folder: Path) -> Any:
    """gradio's Blocks. folder: where uploads lie."""
    import gradio

    asked = predictor.asked
    with gradio.Blocks(
        title=f"emovlm: {predictor.run.folder.name}", analytics_enabled=False, delete_cache=(HOUR_S, DAY_S)
    ) as shown:
        gradio.Markdown(f"# {predictor.run.folder.name}\nWhat a model says of a face is a guess about what it shows.")
        with gradio.Row():
            with gradio.Column(scale=1):
                file = gradio.File(label="A video or a picture", type="filepath")
                pick = gradio.Dropdown(choices.policies(asked), value=asked.frames.pick, label="Which frames")
                keep = gradio.Slider(1, 32, value=choices.keep_of(asked), step=1, label="How many frames")
                prior = gradio.Dropdown(choices.priors(predictor), value=asked.evaluate.prior, label="Prior taken off")
                tau = gradio.Slider(
                    0, 4, value=predictor.adjustment.tau, step=choices.TAU_STEP, label="So many times (tau)"
                )
                scaled = gradio.Checkbox(asked.evaluate.temperature == "fit", label="Temperature fitted on validation")
                again = gradio.Button("Look again", variant="primary")
                window = gradio.Number(2.0, label="Timeline: length of the window, seconds", minimum=0.1)
                step = gradio.Number(0.5, label="Timeline: from window to window, seconds", minimum=0.05)
                over_time = gradio.Button("Timeline")
            with gradio.Column(scale=2):
                scores = gradio.Label(label="Classes")
                trust = gradio.Textbox(label="How far to trust it", lines=2, interactive=False)
                frames = gradio.Gallery(label="Frames looked at", columns=4, height="auto", interactive=False)
                texts = gradio.Textbox(label="Frames and texts in the prompt", lines=3, interactive=False)
                curves = gradio.HTML(label="Timeline")
        settings = [pick, keep, prior, tau, scaled]
        asking = Asking(predictor, folder)
        for event in (file.upload, again.click, pick.change, keep.release, prior.change, tau.release, scaled.change):
            event(asking.look, [file, *settings], [scores, trust, frames, texts], concurrency_id="model")
        over_time.click(asking.timeline, [file, *settings, window, step], [curves], concurrency_id="model")
    return shown


class Asking:
    """What the page's buttons do. The path of a clip comes from gradio, which has put the upload into `folder`."""

    def __init__(self, predictor: Predictor, folder: Path):
        self.predictor, self.folder = predictor, folder.resolve()

    def look(self, path: str | None, *settings: Any) -> tuple[Any, str, list[Any], str]:
        """-> (class scores, how far to trust them, frames with their times, frames and texts in order)."""
        with _answered(path):
            clip_path = self._checked(path)
            recipe, adjustment, others = choices.changed(self.predictor, *settings)
            answer, clip = next(self.predictor.answers([row(clip_path)], recipe, adjustment))
            if answer.error is not None or clip is None:
                raise UserError(answer.error)
        frames = [
            (frame, f"{time_s:.2f} s" if clip.timed else "picture")
            for frame, time_s in zip(clip.frames_THWC, clip.times_s_T, strict=True)
        ]
        if answer.text is not None:
            return (
                {answer.answer or "unreadable": 1.0},
                f"It wrote: {answer.text}",
                frames,
                "\n".join(answer.storyboard),
            )
        trust = confidence.told(self.predictor.run, recipe.evaluate, answer, others)
        if adjustment.temperature != 1:
            trust += f" Shown with the temperature {adjustment.temperature:.2f}, fitted on validation."
        return dict(answer.probabilities), trust, frames, "\n".join(answer.storyboard)

    def timeline(self, path: str | None, *settings: Any) -> str:
        """-> HTML: the figure, and the stretches of time with one answer."""
        *chosen, window_s, step_s = settings
        with _answered(path):
            clip_path = self._checked(path)
            recipe, adjustment, _ = choices.changed(self.predictor, *chosen)
            if recipe.evaluate.scorer == "generation":
                raise UserError("a timeline needs the probabilities of the classes, and this run writes text")
            rows = timeline.windows(clip_path, window_s or 0, step_s or 0)
            if len(rows) > MOST_WINDOWS:
                raise UserError(
                    f"{len(rows)} windows; here at most {MOST_WINDOWS}: take a longer step, or emovlm predict"
                )
            answers = [answer for answer, _ in self.predictor.answers(rows, recipe, adjustment)]
            for answer in answers:
                if answer.error is not None:
                    raise UserError(answer.error)
        drawn = base64.b64encode(figure.draw(answers, Path(clip_path).name).encode()).decode()
        found = timeline.segments(answers)
        told = "; ".join(
            f"{one.start_s:.2f} to {one.end_s:.2f} s {one.answer} ({one.probability:.2f})" for one in found
        )
        return f'<img src="data:image/svg+xml;base64,{drawn}" alt="{escape(told)}"><p>{escape(told)}</p>'

    def _checked(self, path: str | None) -> str:
        """gradio lets nothing but uploads through; this is the second lock on the same door."""
        if path is None:
            raise UserError("drop a video or a picture first")
        if not Path(path).resolve().is_relative_to(self.folder):
            raise UserError("only what was uploaded is looked at")
        return path


@contextmanager
def _answered(path: str | None) -> Iterator[None]:
    """The user's mistakes as a note in the page, without the paths of this machine."""
    import gradio

    try:
        yield
    except UserError as error:
        name = Path(path).name if path else ""
        raise gradio.Error(
            escape(str(error).replace(path or name, name)), duration=None, print_exception=False
        ) from None


def _wait() -> None:
    """Until Ctrl+C or a polite kill."""
    import signal
    import threading

    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    ended.wait()
