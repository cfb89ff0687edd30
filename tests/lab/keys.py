"""The secrets of one lab, made when it starts: the operator's ssh key and the key of DNS updates."""

from __future__ import annotations

import base64
import secrets
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat


def write_private(path: Path, text: str) -> None:
    """Write text to a file that nobody else ever could read."""
    path.touch(mode=0o600)
    path.write_text(text)


def write_operator_key(folder: Path) -> None:
    """Write `operator` and `operator.pub`, an Ed25519 key pair as ssh-keygen writes it, into the folder."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    write_private(folder / "operator", private.decode())
    (folder / "operator.pub").write_text(f"{public.decode()} operator\n")


def write_tsig_key(folder: Path) -> None:
    """Write `tsig.key`, the secret of the key `lab.` in base64 (256 bits, hmac-sha256), into the folder."""
    write_private(folder / "tsig.key", base64.b64encode(secrets.token_bytes(32)).decode() + "\n")
