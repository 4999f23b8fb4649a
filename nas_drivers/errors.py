"""The base of what can go wrong with a NAS, and how what a device says is shown to a person."""


class NasError(Exception):
    """Something about an access device; `retryable` says whether the same call may go through later.

    The message is fit for a terminal whatever words of the device are in it.
    """

    retryable: bool = False

    def __init__(self, message: object = "") -> None:
        """`message` may have the device's own words in it."""
        super().__init__(printable(str(message)))


def printable(text: str) -> str:
    """A device's words on one line, without power over the terminal that shows them: what can't be printed, such as escape codes,
    line ends and marks that turn the direction of writing, as `\\x1b`."""
    return text if text.isprintable() else "".join(one if one.isprintable() else f"\\x{ord(one):02x}" for one in text)
