"""The base of what can go wrong with a NAS."""


class NasError(Exception):
    """Something about an access device; `retryable` says whether the same call may go through later."""

    retryable: bool = False
