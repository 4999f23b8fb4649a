"""How the API of one RouterOS device is reached, and what can go wrong with it.

Source: RouterOS manual, pages API and Services.
Next: routeros_connection.py
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from nas_drivers.errors import NasError

TLS_PORT: Final = 8729
PLAIN_PORT: Final = 8728
# A list of 10,000 sessions takes a small router seconds.
DEFAULT_TIMEOUT_S: Final = 30.0
# Of silence within an answer; a router that is at work on a long list sends rows all the time.
LONGEST_SILENCE_S: Final = 15.0


class ApiLogin(StrEnum):
    """How a password is shown. `auto`: by TLS in clear, without TLS to the challenge first and in clear where that fails."""

    AUTO = "auto"
    CHALLENGE = "challenge"
    CLEAR = "clear"


class LoginWay(StrEnum):
    """One way to log in: MD5 over a challenge (before release 6.45.1) or name and password (since 6.43)."""

    CHALLENGE = "challenge"
    CLEAR = "clear"


class RouterOsError(NasError):
    """The API of a device can't be used; the message names the device and what to do."""


class RouterOsUnreachableError(RouterOsError):
    """No connection, a connection that broke, or no answer in time."""

    retryable = True


class RouterOsLoginError(RouterOsError):
    """User or password are not right, the user may not use the API, or the device knows no login that is allowed."""


class RouterOsTlsError(RouterOsError):
    """What answers there speaks no TLS, or none that can be trusted."""


class RouterOsCertificateError(RouterOsTlsError):
    """The device shows another certificate than the one that is trusted, or none."""


class RouterOsRefusedError(RouterOsError):
    """The device refused a command (`!trap`); the message has its words."""


@dataclass(frozen=True, slots=True)
class ApiAccess:
    """How the API of one device is reached. `certificate` is the SHA-256 of the only one to trust,
    `nas_name` what messages call the device, else its number. Units: seconds."""

    nas_id: int
    address: str
    username: str
    password: str = field(repr=False)
    port: int | None = None
    tls: bool = True
    certificate: bytes | None = None
    timeout_s: float = DEFAULT_TIMEOUT_S
    login: ApiLogin = ApiLogin.AUTO
    nas_name: str = ""

    @property
    def silence_s(self) -> float:
        """How long a device may be silent within an answer: after half of a call's time there must be time to try again."""
        return min(LONGEST_SILENCE_S, self.timeout_s / 2)


def port_of(access: ApiAccess) -> int:
    """The port that is meant."""
    return access.port or (TLS_PORT if access.tls else PLAIN_PORT)


def name_of(access: ApiAccess) -> str:
    """The device as messages name it."""
    return f"RouterOS API of NAS {access.nas_name or access.nas_id} at {access.address} port {port_of(access)}"


def ways_of(access: ApiAccess, *, last: LoginWay | None = None) -> tuple[LoginWay, ...]:
    """The ways to log in, in the order in which they are tried; `last` is the one that the device took before.

    Under TLS the password is safe, and releases since 6.45.1 take it in no other way. Without TLS it goes in clear only to a device
    that took no challenge: those releases may still offer one and refuse the answer to it.
    """
    match access.login:
        case ApiLogin.CHALLENGE:
            return (LoginWay.CHALLENGE,)
        case ApiLogin.CLEAR:
            return (LoginWay.CLEAR,)
        case ApiLogin.AUTO:
            if access.tls or last is LoginWay.CLEAR:
                return (LoginWay.CLEAR,)
            return (LoginWay.CHALLENGE, LoginWay.CLEAR)
