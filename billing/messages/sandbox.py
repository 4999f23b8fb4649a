"""Texts with names to fill in, by Jinja's syntax and a small part of its language: what an operator writes can't do harm.

There are names, their parts (`issuer.name`), `{% if %}`, `{% for %}` and a few filters. Nothing is called, worked out, set,
included or imported, so no text reaches code, files or the network, and none takes longer than its loops over the lists that it was
given, nor more memory than the longest message. A name that is not there is an error, not an empty place in somebody's letter.

Source: Jinja 3.1, whose sandbox runs what is left.
Next: texts.py
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any, Final

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, UndefinedError, meta, nodes
from jinja2 import pass_eval_context as of_context
from jinja2.filters import do_join
from jinja2.sandbox import ImmutableSandboxedEnvironment

from billing.messages.errors import Fault, TextError

MOST_LETTERS: Final = 300_000
_DEEPEST_LOOP: Final = 2
# More than anybody has on one letter.
_MOST_ITEMS: Final = 5000
_EACH: Final = "each"
_FILTERS: Final = frozenset({"upper", "lower", "capitalize", "trim", "length", "join", "first", "last"})
_TESTS: Final = frozenset({"none", "defined"})
_NODES: Final = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.If, nodes.For, nodes.CondExpr),
    *(nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Getattr, nodes.Getitem, nodes.Filter),
    nodes.Test,
)
_KEPT: Final = 512
_QUOTED: Final = re.compile(r"'([^']*)'")


@dataclass(frozen=True, slots=True)
class Text:
    """A text that was read: it does nothing but say what it was given."""

    template: Template
    names: frozenset[str]

    def filled(self, given: Mapping[str, object]) -> str:
        """With the names filled in. Raises: TextError, which names what is not given."""
        written: list[str] = []
        letters = 0
        try:
            for part in self.template.generate(given):
                written.append(part)
                letters += len(part)
                if letters > MOST_LETTERS:
                    raise TextError(f"it comes to more than {MOST_LETTERS:,} letters", Fault.LONG)
        except UndefinedError as error:
            message = f"{error.message}: `corrente message template show` says what there is"
            raise TextError(message, Fault.UNKNOWN, line=_line_of(error), name=_name_of(error)) from error
        except (TemplateError, TypeError, ValueError, ArithmeticError) as error:
            raise TextError(f"it can't be filled in: {error}") from error
        return "".join(written)


@lru_cache(maxsize=_KEPT)
def read_text(source: str, *, as_html: bool = False) -> Text:
    """A text as it was written; in HTML what it is filled with is escaped.

    Raises: TextError with the line.
    """
    environment = _HTML if as_html else _PLAIN
    try:
        tree = environment.parse(source)
        for node in _walk(tree, 0):
            _allow(node)
        names = frozenset(meta.find_undeclared_variables(tree))
        for loop in tree.find_all(nodes.For):
            loop.iter = nodes.Filter(loop.iter, _EACH, [], [], None, None, lineno=loop.lineno)
        return Text(environment.from_string(tree), names)
    except TemplateSyntaxError as error:
        raise TextError(
            f"line {error.lineno}: {error.message}", Fault.SYNTAX, line=error.lineno, name=error.message or ""
        ) from error
    except RecursionError as error:
        raise TextError("it is nested too deeply", Fault.LOOPS) from error


def _walk(node: nodes.Node, loops: int) -> Iterator[nodes.Node]:
    loops += isinstance(node, nodes.For)
    if loops > _DEEPEST_LOOP:
        message = f"line {node.lineno}: loops stand in each other {_DEEPEST_LOOP} deep at most"
        raise TextError(message, Fault.LOOPS, line=node.lineno)
    yield node
    for child in node.iter_child_nodes():
        yield from _walk(child, loops)


def _allow(node: nodes.Node) -> None:
    word = type(node).__name__.lower()
    allowed = isinstance(node, _NODES)
    if isinstance(node, nodes.Filter | nodes.Test):
        known = _FILTERS if isinstance(node, nodes.Filter) else _TESTS
        word = f"{word} {node.name}"
        allowed = node.name in known and not node.kwargs and all(isinstance(one, nodes.Const) for one in node.args)
    elif isinstance(node, nodes.For):
        allowed = isinstance(node.target, nodes.Name) and not node.recursive
    elif isinstance(node, nodes.Getitem):
        allowed = isinstance(node.arg, nodes.Const)
    elif isinstance(node, nodes.Getattr):
        word = f"a part named {node.attr}"
        allowed = not node.attr.startswith("_")
    elif isinstance(node, nodes.Name):
        # The template as an object.
        word, allowed = node.name, node.name != "self"
    if not allowed:
        message = f"line {node.lineno}: {word} is not there in a message: names, if, for and {_told()} are"
        raise TextError(message, Fault.NOT_ALLOWED, line=node.lineno, name=word)


def _line_of(error: BaseException) -> int | None:
    """The line of the template: Jinja puts it into the traceback."""
    line, step = None, error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == "<template>":
            line = step.tb_lineno
        step = step.tb_next
    return line


def _name_of(error: UndefinedError) -> str:
    """What was asked for."""
    quoted = _QUOTED.findall(error.message or "")
    if not quoted:
        return ""
    return str(quoted[-1] if "has no attribute" in (error.message or "") else quoted[0])


def _told() -> str:
    return ", ".join(f"|{name}" for name in sorted(_FILTERS))


class _Values(ImmutableSandboxedEnvironment):
    """Values are texts, tables and lists: what else they can do as objects of Python is not there."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        """A table's entry of that name; of a loop where it stands."""
        if isinstance(obj, Mapping):
            return obj[attribute] if attribute in obj else self.undefined(obj=dict(obj), name=attribute)
        if type(obj).__name__ == "LoopContext" and attribute in ("first", "last", "index"):
            return super().getattr(obj, attribute)
        return self.undefined(f"{attribute!r} is no part of {str(obj)[:40]!r}")

    def getitem(self, obj: Any, argument: Any) -> Any:
        """As by a point."""
        return self.getattr(obj, str(argument))


def _each(value: Any) -> list[Any]:
    """What a loop goes over: a list that was given, for the letters of a text are no lines of anybody's. Raises: ValueError."""
    if isinstance(value, str):
        raise ValueError("a loop goes over a list, not over the letters of a text")
    items = list(islice(value, _MOST_ITEMS + 1))
    if len(items) > _MOST_ITEMS:
        raise ValueError(f"a list of more than {_MOST_ITEMS:,}")
    return items


@of_context
def _joined(context: Any, value: Any, between: str = "", *rest: Any) -> Any:
    """Jinja's own, measured before it is made: joined again and again, some letters fill any memory. Raises: ValueError."""
    items = list(islice(value, MOST_LETTERS + 1))
    if sum(len(str(one)) for one in items) + len(items) * len(str(between)) > MOST_LETTERS:
        raise ValueError(f"joined it comes to more than {MOST_LETTERS:,} letters")
    return do_join(context, items, between, *rest)


def _environment(*, as_html: bool) -> ImmutableSandboxedEnvironment:
    made = _Values(autoescape=as_html, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.globals = {}
    made.filters = {name: made.filters[name] for name in (*_FILTERS, "escape", "e")}
    made.filters |= {_EACH: _each, "join": _joined}
    made.tests = {name: made.tests[name] for name in _TESTS}
    return made


_PLAIN: Final = _environment(as_html=False)
_HTML: Final = _environment(as_html=True)
