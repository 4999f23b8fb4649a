"""TLS to the API of a RouterOS device: one certificate that is trusted, and what stands in its way in a person's words.

Source: RouterOS manual, page API: without a certificate api-ssl offers only anonymous Diffie-Hellman, which is refused here.
Next: routeros_connection.py
"""

from __future__ import annotations

import hashlib
import hmac
import socket
import ssl
from typing import Final

from nas_drivers.transport.routeros_access import (
    ApiAccess,
    RouterOsCertificateError,
    RouterOsError,
    RouterOsTlsError,
    RouterOsUnreachableError,
    name_of,
)

# First octets of a TLS record: an alert or a handshake, of any version. As a word they would be 21 or 22 characters long.
_TLS_RECORDS: Final = (b"\x15\x03", b"\x16\x03")
_NO_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNSUPPORTED_PROTOCOL", "PACKET_LENGTH_TOO_LONG"})
_PLAIN: Final = (
    "is it the port of the plain service `api`? Name that of api-ssl (--api-port), or go without TLS (--no-api-tls)"
)


def wrap(opened: socket.socket, access: ApiAccess) -> ssl.SSLSocket:
    """The connection under TLS, its other side trusted. The socket's time limit holds for all of the handshake.

    Raises: RouterOsError, and then the socket is closed.
    """
    context = _context(access)
    try:
        wrapped = context.wrap_socket(opened, server_hostname=access.address)
    except OSError as error:
        opened.close()
        raise _explained(access, error) from error
    if access.certificate is not None:
        shown = hashlib.sha256(wrapped.getpeercert(binary_form=True) or b"").digest()
        if not hmac.compare_digest(shown, access.certificate):
            wrapped.close()
            raise RouterOsCertificateError(
                f"{name_of(access)}: it shows a certificate with the fingerprint {shown.hex()}, trusted is"
                f" {access.certificate.hex()}. Nothing was sent to it. If somebody has renewed its certificate:"
                f" --api-certificate {shown.hex()}; if not, somebody answers in its place"
            )
    return wrapped


def looks_like_tls(octets: bytes) -> bool:
    """Whether an answer in plain text is in truth the beginning of a TLS record."""
    return octets[:2] in _TLS_RECORDS


def _context(access: ApiAccess) -> ssl.SSLContext:
    if access.certificate is None:
        return ssl.create_default_context()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    # No authority is asked: the fingerprint is.
    context.verify_mode = ssl.CERT_NONE
    return context


def _explained(access: ApiAccess, error: OSError) -> RouterOsError:
    name = name_of(access)
    match error:
        case ssl.SSLCertVerificationError():
            return RouterOsCertificateError(
                f"{name}: TLS: {error.verify_message}: no authority that this machine trusts vouches for its certificate under"
                f" {access.address}; trust the one it has by its fingerprint: --api-certificate"
            )
        case ssl.SSLEOFError() | ssl.SSLZeroReturnError():
            return RouterOsUnreachableError(f"{name}: it closed the connection instead of speaking TLS; {_PLAIN}")
        case ssl.SSLError(reason=reason) if reason in _NO_TLS:
            return RouterOsTlsError(f"{name}: what answers there speaks no TLS; {_PLAIN}")
        case ssl.SSLError(reason=reason) if "ALERT" in (reason or ""):
            return RouterOsTlsError(
                f"{name}: TLS: the device refused ({reason}): has its service api-ssl a certificate? Without one it offers"
                f" nothing that can be trusted; /ip service set api-ssl certificate=NAME"
            )
        case ssl.SSLError():
            return RouterOsTlsError(f"{name}: TLS: {error}")
        case TimeoutError():
            return RouterOsUnreachableError(
                f"{name}: no answer within the time limit to the beginning of TLS; {_PLAIN}"
            )
        case ConnectionError():
            return RouterOsUnreachableError(f"{name}: it closed the connection instead of speaking TLS; {_PLAIN}")
        case _:
            return RouterOsUnreachableError(f"{name}: {error}")
