"""Which installation a spool belongs to: a number kept beside it, recorded in the database with the node's name.

Two machines of one node name would each say for both up to when accounting has been read, and live sessions would seem
silent. So the first edge that ships under a name has it, and one with another spool directory is refused. The number lies
with the spools, not with the machine: a spool that is moved to another machine takes its name along.

Next: store/node.py
"""

from __future__ import annotations

import os
import re
import secrets
import socket
from pathlib import Path
from typing import Final

from control_plane.accounting.spool import SpoolError
from control_plane.settings import NOT_YOURS, Settings
from control_plane.store.node import NodeHolder, claim_name
from control_plane.store.session_reads import Connection

_ID: Final = re.compile(r"[0-9a-f]{32}")


class NodeNameTakenError(Exception):
    """Another installation ships under this node name; the message says which setting to change."""


def installation_file(settings: Settings) -> Path:
    """Where the number is kept: beside the two spools, in a directory that the edge may write to."""
    return settings.accounting_spool_dir.parent / "installation"


def load_installation(settings: Settings) -> str | None:
    """The number of this spool, None while no edge has shipped from it. Raises: SpoolError."""
    file = installation_file(settings)
    try:
        text = file.read_text(encoding="ascii", errors="replace").strip()
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise SpoolError(f"{file}: not for you to read; {NOT_YOURS}") from error
    if not _ID.fullmatch(text):
        raise SpoolError(
            f"{file}: expected 32 hexadecimal digits. Delete it, and give the name free: "
            f"`corrente node release {settings.edge.node}`"
        )
    return text


def load_or_make_installation(settings: Settings) -> str:
    """The number of this spool, made when there is none, and on disk before anybody is told. Raises: SpoolError."""
    known = load_installation(settings)
    if known is not None:
        return known
    file = installation_file(settings)
    number = secrets.token_hex(16)
    half = file.with_name(f"{file.name}.{number}")
    try:
        with half.open("x", encoding="ascii") as new:
            new.write(f"{number}\n")
            new.flush()
            os.fsync(new.fileno())
        try:
            # Never over one that another process made meanwhile.
            os.link(half, file)
        except FileExistsError:
            pass
        finally:
            half.unlink()
        _sync_directory(file.parent)
    except FileNotFoundError as error:
        raise SpoolError(f"{file.parent}: there is no such spool directory; `corrente up` makes it") from error
    except OSError as error:
        raise SpoolError(f"{file}: can't be written ({error.strerror}); the edge must own {file.parent}") from error
    made = load_installation(settings)
    assert made is not None, "linked a moment ago"
    return made


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def claim_node_name(connection: Connection, settings: Settings) -> None:
    """Make sure that the node's name is this installation's, taking it when nobody has it.

    Raises: NodeNameTakenError; SpoolError when the number can't be read or made.
    """
    ours = load_or_make_installation(settings)
    holder = claim_name(connection, settings.edge.node, installation=ours, host=socket.gethostname())
    if holder.installation != ours:
        raise NodeNameTakenError(f"{taken_text(holder)}; {taken_advice(settings, holder)}")


def taken_text(holder: NodeHolder) -> str:
    """Whose a name is that this installation can't have."""
    return (
        f"node name {holder.node} belongs to another installation (host {holder.host}, since {holder.since:%Y-%m-%d})"
    )


def taken_advice(settings: Settings, holder: NodeHolder) -> str:
    """What to do about it."""
    file = settings.source_file or "corrente.toml"
    return (
        f'give this one a name of its own in {file}: [edge] node = "…"; or, if this replaces that machine, free the name: '
        f"corrente node release {holder.node}"
    )
