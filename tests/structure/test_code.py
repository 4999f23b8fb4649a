"""What holds for every file: sizes, docstrings, mirrors, and nothing left half done."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("radius_hooks", "control_plane", "nas_drivers", "billing", "web")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
CODE = [path for path in MODULES if path.name != "__init__.py"]
SQL_AND_SHELL = [ROOT / "schema.sql", *ROOT.glob("migrations/*.sql"), *ROOT.glob("bin/*"), *ROOT.glob("requirements/*")]
MODULE_LINES = 500
FUNCTION_LINES = 50


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse(path.read_text())
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def test_there_is_code_to_look_at():
    assert len(CODE) > 10


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_module_says_what_it_is_for(path):
    assert (ast.get_docstring(ast.parse(path.read_text())) or "").strip() != ""


@pytest.mark.parametrize("path", [path for path in MODULES if path.name == "__init__.py"], ids=name)
def test_a_package_file_holds_a_docstring_and_nothing_else(path):
    assert len(ast.parse(path.read_text()).body) == 1


@pytest.mark.parametrize("path", CODE, ids=name)
def test_a_module_fits_a_sitting_and_a_function_a_screen(path):
    assert len(path.read_text().splitlines()) < MODULE_LINES
    long = {
        node.name: length
        for node in functions(path)
        if node.end_lineno is not None and (length := node.end_lineno - node.lineno + 1) >= FUNCTION_LINES
    }
    assert long == {}


def test_nothing_is_left_for_later():
    marks = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b|raise NotImplemented|pragma: no cover")
    files = [*MODULES, *SQL_AND_SHELL, *ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("tests/**/*.py")]
    found = [name(path) for path in files if path != Path(__file__) and marks.search(path.read_text())]
    assert found == []


def test_no_function_is_empty():
    stubs = []
    for path in CODE:
        protocols = {
            function
            for cls in ast.walk(ast.parse(path.read_text()))
            if isinstance(cls, ast.ClassDef) and any("Protocol" in ast.unparse(base) for base in cls.bases)
            for function in (getattr(node, "name", "") for node in cls.body)
        }
        for function in functions(path):
            body = [
                node
                for node in function.body
                if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
            ]
            if not body and function.name not in protocols:
                stubs.append(f"{name(path)}: {function.name}")
    assert stubs == []


@pytest.mark.parametrize("path", sorted((ROOT / "tests/unit").rglob("test_*.py")), ids=name)
def test_a_unit_test_mirrors_a_module(path):
    inside = path.relative_to(ROOT / "tests/unit")
    module = ROOT / inside.parent / inside.name.removeprefix("test_")
    assert module.exists(), f"{inside} tests no module: {name(module)} is not there"


def test_no_bare_number_is_ever_money():
    money = re.compile(r"(amount|price|fee|vat|tax)\w*\s*:\s*float|float\((amount|price|fee|vat|tax)")
    assert [name(path) for path in CODE if money.search(path.read_text())] == []


def test_every_time_has_a_zone():
    """Ruff refuses naive calls; a column without a zone would bring them back."""
    schema = re.sub(r"--.*", "", (ROOT / "schema.sql").read_text())
    assert re.findall(r"\btimestamp\b(?! with time zone)", schema) == []


def test_every_table_has_a_comment():
    schema = (ROOT / "schema.sql").read_text()
    tables = set(re.findall(r"(?m)^CREATE TABLE (\w+)", schema))
    assert len(tables) > 10
    assert tables - set(re.findall(r"COMMENT ON TABLE (\w+)", schema)) <= {"schema_migration"}


def test_requirements_are_pinned_with_hashes_and_name_no_host():
    for path in ROOT.glob("requirements/*.txt"):
        text = path.read_text()
        assert "://" not in text
        pins = re.findall(r"(?m)^([a-z0-9._-]+(?:\[[a-z,]+\])?)==\S+ \\$", text)
        entries = re.findall(r"(?m)^(?=[a-z0-9]).+", text)
        assert len(pins) == len(entries) > 10
        assert text.count("--hash=sha256:") >= len(pins)


def test_every_dependency_of_the_project_is_pinned():
    declared = set(re.findall(r'"([a-z-]+)(?:\[\w+\])?"', _dependencies()))
    pinned = set(re.findall(r"(?m)^([a-z0-9-]+)(?:\[\w+\])?==", (ROOT / "requirements/runtime.in").read_text()))
    assert declared - pinned == set()


def _dependencies() -> str:
    found = re.search(r"(?s)\ndependencies = \[(.*?)\n\]", (ROOT / "pyproject.toml").read_text())
    assert found is not None
    return found.group(1)


def test_the_shell_commands_are_well_formed_and_executable():
    for path in [*(ROOT / "bin").glob("[!.]*"), ROOT / ".ci/run"]:
        subprocess.run(["bash", "-n", path], check=True)
        assert path.suffix == ".sh" or path.stat().st_mode & 0o111


@pytest.mark.parametrize("path", CODE, ids=name)
def test_the_module_that_a_walk_names_next_is_there(path):
    """Beside it, or from the package's or the repository's top."""
    said = re.search(r"(?ms)^Next: (.*?)(?=\n\n|\Z)", ast.get_docstring(ast.parse(path.read_text())) or "")
    package = ROOT / path.relative_to(ROOT).parts[0]
    for word in re.findall(r"[\w./-]+\.(?:py|sql)\b", said[1] if said else ""):
        assert any((place / word).is_file() for place in (path.parent, package, ROOT)), f"{word} is not there"
