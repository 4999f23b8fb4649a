"""Which access line of a NAS a request or a record is about: one rule for the login and for accounting.

An account may be bound to its line, and a session is shown and told apart by it, so both sides must name it alike.

Next: packet.py
"""

from __future__ import annotations


def line_of(circuit_id: str, port_id: str, port: str) -> str:
    """The circuit id that an access node put in, else the port's name, else its number; empty when none is said.

    Each is text as a person reads it: a circuit id by `normal_circuit_id`, the others unquoted. An empty one says nothing.
    Source: RFC 4679 section 3.3.1 (Agent-Circuit-Id), RFC 2869 section 5.17 (NAS-Port-Id), RFC 2865 section 5.5.
    """
    return circuit_id or port_id or port
