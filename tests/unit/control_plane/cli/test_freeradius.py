from pathlib import Path

import pytest
from click.testing import CliRunner

from control_plane.cli.main import corrente


@pytest.fixture
def run(tmp_path):
    file = tmp_path / "corrente.toml"
    file.write_text("")
    return lambda *words: CliRunner().invoke(corrente, ["--settings", str(file), "freeradius", *words])


def test_the_configuration_is_written_where_it_is_wanted(run, tmp_path):
    done = run(str(tmp_path / "raddb"))
    assert (done.exit_code, done.output) == (0, f"{tmp_path / 'raddb'}: written\n")
    assert (tmp_path / "raddb" / "authentication.conf").exists()


def test_somebody_elses_directory_is_refused_and_left_alone(run, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    done = run(str(tmp_path / "other"))
    assert done.exit_code == 1
    assert "files of someone else" in done.output
    assert [path.name for path in Path(tmp_path / "other").iterdir()] == ["file"]
