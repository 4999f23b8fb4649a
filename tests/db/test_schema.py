"""What the database refuses by itself, whatever the code does."""

import pytest

pytestmark = pytest.mark.db


def test_template_is_loaded(connection):
    row = connection.execute("SELECT count(*) FROM change_horizon").fetchone()
    assert row == (1,)
