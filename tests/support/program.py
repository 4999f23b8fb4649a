"""A program that calls the interface with a token, in the process."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count
from typing import Any, Final

from support.console_world import Console

from control_plane import db
from control_plane.access.api_tokens import make_api_token
from control_plane.access.permissions import EVERYTHING, Permission
from control_plane.access.person import Actor
from control_plane.store.staff import load_person

# Somebody's tokens have names of their own.
_NUMBERS: Final = count(1)


def make_token(console: Console, name: str, permissions: frozenset[Permission], holder: str = "admin") -> str:
    """A token of somebody, who may it all."""
    with db.connect(console.conninfo, name="test", origin="command") as connection:
        found = load_person(connection, holder)
        assert found is not None
        made = make_api_token(
            connection,
            found,
            name=name,
            permissions=permissions,
            expires_at=None,
            by=Actor("test"),
            now=datetime.now(UTC),
        )
        connection.commit()
    return made.token


class Program:
    """A program with a token."""

    def __init__(self, console: Console, token: str) -> None:
        self._console, self._token = console, token

    @classmethod
    def of(cls, console: Console, *scopes: Permission) -> Program:
        """One with these scopes; with none named, with all."""
        name = f"{next(_NUMBERS)} {' '.join(scopes) or 'everything'}"
        return cls(console, make_token(console, name[:100], frozenset(scopes) or EVERYTHING))

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """What a call that writes answers; `Idempotency_Key=` is a header."""
        given = {
            "Authorization": f"Bearer {self._token}",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        return self._console.app.test_client().open(f"/api/v1{path}", method=method, json=body, headers=given)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        """The same of a POST."""
        return self.send("POST", path, body, **headers)

    def get(self, path: str) -> Any:
        """What a call that reads answers."""
        given = {"Authorization": f"Bearer {self._token}"}
        # A file is read to its end and closed.
        return self._console.app.test_client().get(f"/api/v1{path}", headers=given, buffered=True)


def problem(answer: Any) -> tuple[int, Any]:
    """Its status and what it says."""
    assert answer.content_type == "application/problem+json"
    assert answer.json["status"] == answer.status_code
    return answer.status_code, answer.json
