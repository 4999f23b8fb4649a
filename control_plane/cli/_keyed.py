"""`--key` for commands that a program types: what is typed twice with one key is done once, and answered alike.

The key is kept in the transaction of the deed (billing/store/idempotency.py), so that a program that lost the answer, or
was killed while it waited, types the same again: it has the first answer, or does what was never done. A command is
`@keyed` and knows nothing of it: its connection is opened here, held until all that it says is known, and committed then.

Source: billing model section 17, invariant I31.
"""

from __future__ import annotations

import functools
import hashlib
import io
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, redirect_stdout
from pathlib import Path
from typing import Any, Final, assert_never

import click
import psycopg

from billing.store.idempotency import Answered, First, OtherBody, Running, keep_answer, once
from control_plane.exit_codes import TRY_AGAIN

Connection = psycopg.Connection[Any]

_HELD: Final = "corrente.held"
_DONE: Final = 200
_HELP: Final = "Any text of yours: typed again with it, the same is not done twice; the first answer is shown."


class KeyRefusedError(click.ClickException):
    """Nothing was done: the key stands for something else."""


class KeyBusyError(KeyRefusedError):
    """Nothing was done: what the key stands for is being done at this moment."""

    exit_code = TRY_AGAIN


class _AnsweredError(Exception):
    """It was done before: this is what was said then."""

    def __init__(self, answer: bytes) -> None:
        super().__init__()
        self.answer = answer


def keyed(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command that writes `--key`. It commits nothing itself, and what it says is what it prints."""

    @functools.wraps(function)
    def run(*arguments: Any, key: str | None, **typed: Any) -> None:
        if key is None or typed.get("dry_run"):
            function(*arguments, **typed)
            return
        if "yes" in typed and not typed["yes"]:
            raise click.UsageError("with --key nobody is asked: give --yes, too")
        context = click.get_current_context()
        held = _Held(route=context.command_path.partition(" ")[2], key=key, body=_body(typed))
        context.meta[_HELD] = held
        said, ended = io.StringIO(), False
        try:
            with held.stack, redirect_stdout(said):
                function(*arguments, **typed)
                ended = True
                held.keep(said.getvalue())
        except _AnsweredError as before:
            said = io.StringIO(before.answer.decode())
            click.echo(f"Done before with key {key!r}; this was the answer:", err=True)
        except BaseException:
            if ended:
                # Its commit failed: nothing of what it says was done.
                said = io.StringIO()
            raise
        finally:
            del context.meta[_HELD]
            click.echo(said.getvalue(), nl=False)

    # click has its list from the last one that is shown to the first.
    options: list[click.Parameter] = vars(run).setdefault("__click_params__", [])
    options.insert(0, click.Option(["--key"], help=_HELP))
    return run


def held_connection(opened: Callable[[], AbstractContextManager[Connection]], *, caller: str) -> Connection | None:
    """The connection of the keyed command that runs, opened by its first use; None where no key was typed.

    Raises: KeyRefusedError.
    """
    context = click.get_current_context(silent=True)
    held = None if context is None else context.meta.get(_HELD)
    return held.connection(opened, caller=caller) if isinstance(held, _Held) else None


class _Held:
    """One keyed call."""

    def __init__(self, *, route: str, key: str, body: bytes) -> None:
        self.stack = ExitStack()
        self._route, self._key, self._body = route, key, body
        self._connection: Connection | None = None
        self._first: First | None = None

    def connection(self, opened: Callable[[], AbstractContextManager[Connection]], *, caller: str) -> Connection:
        """Open it, and ask whether this call is the key's first."""
        if self._connection is None:
            self._connection = self.stack.enter_context(opened())
            self._first = self._begin(self._connection, caller)
        return self._connection

    def _begin(self, connection: Connection, caller: str) -> First:
        key = self._key
        match once(connection, caller=caller, route=self._route, key=key, body=self._body):
            case First() as first:
                return first
            case Answered(_, answer):
                raise _AnsweredError(answer)
            case OtherBody():
                raise KeyRefusedError(f"key {key!r} was used for something else: nothing was done; use another key")
            case Running():
                raise KeyBusyError(f"what key {key!r} stands for is being done at this moment: type it again later")
            case other:
                assert_never(other)

    def keep(self, said: str) -> None:
        """Write the answer beside the deed. A command that opened no database has done nothing that could be repeated."""
        if self._connection is not None and self._first is not None:
            keep_answer(self._connection, self._first, status=_DONE, answer=said.encode())


def _body(typed: dict[str, Any]) -> bytes:
    """What was typed, the same octets for the same; of a file its content."""
    return repr(sorted((name, _plain(value)) for name, value in typed.items())).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, Path) and value.is_file():
        return hashlib.sha256(value.read_bytes()).hexdigest()
    return value
