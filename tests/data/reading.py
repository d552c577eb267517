"""What tests of sources ask of the rows."""

import pytest

from emovlm import UserError


def by_id(rows):
    return {row["id"]: row for row in rows}


def refused(load, *args, **kwargs):
    with pytest.raises(UserError) as caught:
        load(*args, **kwargs)
    assert "\n" not in str(caught.value)
    return str(caught.value)
