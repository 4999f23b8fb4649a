"""A stand-in for a push service and the browser behind it: takes requests as an HTTP receiver, and reads them with Node's own crypto.

No push service was asked. What is read here is written after RFC 8291 and 8188 in another language, with nothing of what encrypts.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from support.http_receiver import Received

NODE: Final = Path(sys.executable).parent / "node"
_READ: Final = """
const crypto = require("crypto"), given = JSON.parse(require("fs").readFileSync(0)), of = (text) => Buffer.from(text, "base64");
const body = of(given.body), salt = body.subarray(0, 16), size = body.readUInt32BE(16), sender = body.subarray(21, 21 + body[20]);
const browser = crypto.createECDH("prime256v1");
browser.setPrivateKey(of(given.secret));
const derived = (secret, salt, info, length) => Buffer.from(crypto.hkdfSync("sha256", secret, salt, info, length));
const info = Buffer.concat([Buffer.from("WebPush: info\\0"), browser.getPublicKey(), sender]);
const input = derived(browser.computeSecret(sender), of(given.auth), info, 32);
const record = body.subarray(21 + body[20]);
if (record.length > size) throw new Error("more than one record");
const key = derived(input, salt, "Content-Encoding: aes128gcm\\0", 16), nonce = derived(input, salt, "Content-Encoding: nonce\\0", 12);
const reader = crypto.createDecipheriv("aes-128-gcm", key, nonce);
reader.setAuthTag(record.subarray(-16));
const clear = Buffer.concat([reader.update(record.subarray(0, -16)), reader.final()]);
const end = clear.lastIndexOf(2);
if (clear.subarray(end + 1).some((octet) => octet)) throw new Error("padding");
process.stdout.write(clear.subarray(0, end));
"""


@dataclass
class BrowserStandIn:
    """The keys of a browser that subscribed, and how it reads what comes."""

    auth: bytes = b"0123456789abcdef"
    private: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @property
    def public_key(self) -> bytes:
        """What it gives away."""
        return self.private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def text(self, octets: bytes) -> str:
        """As browsers write octets."""
        return base64.urlsafe_b64encode(octets).decode().rstrip("=")

    def read(self, request: Received) -> dict[str, Any]:
        """The notice in a request. Fails for what is not encrypted for this browser."""
        assert request.headers["content-encoding"] == "aes128gcm"
        secret = self.private.private_numbers().private_value.to_bytes(32, "big")
        given = {
            name: base64.b64encode(value).decode()
            for name, value in (("body", request.body), ("secret", secret), ("auth", self.auth))
        }
        ran = subprocess.run(
            [NODE, "-e", _READ], input=json.dumps(given).encode(), capture_output=True, check=False, timeout=30
        )
        assert ran.returncode == 0, ran.stderr.decode()
        told: dict[str, Any] = json.loads(ran.stdout)
        return told
