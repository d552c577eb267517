"""Where what can be made again is kept, on this machine."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """$EMOVLM_CACHE, or ~/.cache/emovlm."""
    return Path(os.environ.get("EMOVLM_CACHE") or "~/.cache/emovlm").expanduser()
