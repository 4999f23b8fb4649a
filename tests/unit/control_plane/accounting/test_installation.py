"""The number of a spool: made once, kept, never written over."""

import re
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from control_plane.accounting.installation import installation_file, load_installation, load_or_make_installation
from control_plane.accounting.spool import SpoolError
from control_plane.settings import Settings


@pytest.fixture
def settings(tmp_path):
    made = msgspec.convert({"base_dir": str(tmp_path)}, Settings)
    made.accounting_spool_dir.mkdir(parents=True)
    return made


def test_a_number_is_made_once_and_found_again(settings):
    assert load_installation(settings) is None
    made = load_or_make_installation(settings)
    assert re.fullmatch("[0-9a-f]{32}", made)
    assert load_or_make_installation(settings) == load_installation(settings) == made
    # Nothing half-made is left beside it.
    assert [path.name for path in installation_file(settings).parent.iterdir() if path.is_file()] == ["installation"]


def test_many_that_start_at_once_agree(settings):
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: load_or_make_installation(settings), range(32)))) == 1


@pytest.mark.parametrize("damaged", ["", "0a" * 15, "0A" * 16, "0a" * 16 + "0", "\xff"])
def test_a_damaged_number_is_refused_with_what_to_do(settings, damaged):
    installation_file(settings).write_text(damaged, encoding="latin-1")
    with pytest.raises(SpoolError, match="corrente node release node-1"):
        load_or_make_installation(settings)


def test_without_a_spool_directory_there_is_no_number(settings, tmp_path):
    elsewhere = msgspec.convert({"base_dir": str(tmp_path / "elsewhere")}, Settings)
    assert load_installation(elsewhere) is None
    with pytest.raises(SpoolError, match="no such spool directory"):
        load_or_make_installation(elsewhere)
