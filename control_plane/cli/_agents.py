"""Agents as commands name them."""

from __future__ import annotations

from billing.store.commissions import Agent, load_agents
from control_plane.cli._console import Connection, Refused, unknown


def known_agent(connection: Connection, text: str) -> Agent:
    """The agent of that number or name, or the refusal that names similar ones."""
    agents = load_agents(connection)
    by_name = [one for one in agents if one.name == text]
    if len(by_name) > 1:
        raise Refused(f"there are {len(by_name)} agents named {text!r}: give the number")
    found = by_name or [one for one in agents if text.isdigit() and one.id == int(text)]
    if not found:
        raise unknown("agent", text, [one.name for one in agents], also="`corrente agent list` shows them")
    return found[0]
