"""Stands for the `radiusd` that FreeRADIUS gives to Python: what is logged is kept, the configuration is set by the test."""

config: dict[str, str] = {}
logged: list[tuple[int, str]] = []


def radlog(level: int, text: str) -> None:
    """As FreeRADIUS: a NUL is an error."""
    if "\0" in text:
        raise ValueError("embedded null character")
    logged.append((level, text))
