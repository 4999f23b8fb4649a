"""corrente.toml.example shows every setting with its default, so that it can't drift from control_plane/settings.py."""

import re
import tomllib
from pathlib import Path

import msgspec

from control_plane.settings import Settings
from nas_drivers.driver import driver_for, vendor_names

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "corrente.toml.example"


def uncommented() -> dict[str, dict[str, object]]:
    """The example with the # taken from each setting, by section; prose keeps its `# `."""
    return sections(tomllib.loads(re.sub(r"(?m)^#(?=[a-z])", "", EXAMPLE.read_text())))


def sections(settings: dict[str, dict[str, object]]) -> dict[str, dict[str, object]]:
    """A section for each vendor beside the others."""
    drivers = settings.pop("drivers", {})
    return settings | {f"drivers.{vendor}": dict(options) for vendor, options in drivers.items()}


def defaults() -> dict[str, dict[str, object]]:
    """What the settings and the vendor files have where nothing is set."""
    known = {name: value for name, value in msgspec.to_builtins(Settings()).items() if isinstance(value, dict)}
    options = {vendor: msgspec.to_builtins(driver_for(vendor).options) for vendor in vendor_names()}
    return sections(known | {"drivers": {vendor: keys for vendor, keys in options.items() if keys}})


def test_every_setting_stands_in_the_example_with_its_default():
    assert uncommented() == defaults()


def test_numbers_with_a_point_are_those_that_may_have_one():
    # 10 == 10.0 in the comparison above, but not in what TOML accepts.
    shown = {f"{section}.{key}": type(value) for section, keys in uncommented().items() for key, value in keys.items()}
    wanted = {f"{section}.{key}": type(value) for section, keys in defaults().items() for key, value in keys.items()}
    assert shown == wanted


def test_the_example_as_it_stands_changes_nothing():
    assert all(keys == {} for keys in sections(tomllib.loads(EXAMPLE.read_text())).values())


def test_every_setting_or_group_is_explained():
    lines = EXAMPLE.read_text().splitlines()
    sections = [index for index, line in enumerate(lines) if line.startswith("[")]
    bare = [lines[i] for i in sections if not lines[i + 1].startswith("# ") and lines[i] != "[web]"]
    assert bare == []
