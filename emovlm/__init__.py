"""Fine-tune vision-language models on long-tailed emotion data, and score them in a way that can be defended."""

__version__ = "0.1.0"


class UserError(ValueError):
    """The user's mistake. The message is one line: the value, its place, what is allowed, the remedy."""
