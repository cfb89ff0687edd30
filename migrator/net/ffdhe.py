"""The Diffie-Hellman groups of RFC 7919, computed as its appendix A defines them, and the file that holds one."""

from __future__ import annotations

import base64
from functools import cache

from migrator import host_text

_OFFSETS = {2048: 560316, 3072: 2625351, 4096: 5736041, 6144: 15705020, 8192: 10965728}
"""X of RFC 7919, appendix A: the smallest that makes a safe prime, by the group's size in bits."""

NAMES = tuple(f"ffdhe{bits}" for bits in _OFFSETS)
"""The names of the groups, smallest first (RFC 7919, section 4)."""

GENERATOR = 2


@cache
def prime(name: str) -> int:
    """Given a group's name, return its prime. Raises ValueError for a name that is none."""
    if name not in NAMES:
        raise ValueError(f"{name!r} is no group of RFC 7919: {', '.join(NAMES)}")
    bits = int(name.removeprefix("ffdhe"))
    middle = _power_of_two_times_e(bits - 130) + _OFFSETS[bits]
    return int(2**bits - 2 ** (bits - 64) + middle * 2**64 - 1)


def name_of(modulus: int) -> str:
    """Given the modulus of a handshake, return the name of its group, "" for one that is in no list."""
    name = f"ffdhe{modulus.bit_length()}"
    return name if name in NAMES and prime(name) == modulus else ""


def parameters(name: str) -> str:
    """Given a group's name, return it as a PEM file of DH PARAMETERS (PKCS #3), as `openssl dhparam` writes it."""
    inner = _integer(prime(name)) + _integer(GENERATOR)
    encoded = base64.b64encode(b"\x30" + _length(len(inner)) + inner).decode("ascii")
    lines = [encoded[start : start + 64] for start in range(0, len(encoded), 64)]
    return "\n".join(["-----BEGIN DH PARAMETERS-----", *lines, "-----END DH PARAMETERS-----", ""])


def modulus_of(text: str) -> int | None:
    """Given a PEM file, return the modulus of its DH PARAMETERS, None where it holds none that can be read."""
    _, begin, rest = text.partition("-----BEGIN DH PARAMETERS-----")
    body, end, _ = rest.partition("-----END DH PARAMETERS-----")
    if not (begin and end):
        return None
    try:
        octets = base64.b64decode("".join(host_text.words(body)), validate=True)
        _, content, _ = _element(octets, 0x30)
        _, number, _ = _element(content, 0x02)
    except (ValueError, IndexError):
        return None
    return int.from_bytes(number, "big")


def _power_of_two_times_e(exponent: int) -> int:
    """Return the whole part of 2**exponent * e, from e = 1 + 1/1! + 1/2! + …, with digits to spare."""
    spare = 64
    term = total = 1 << (exponent + spare)
    divisor = 1
    while term:
        term //= divisor
        total += term
        divisor += 1
    return total >> spare


def _integer(number: int) -> bytes:
    octets = number.to_bytes(number.bit_length() // 8 + 1, "big")  # one more bit than needed: it is positive
    return b"\x02" + _length(len(octets)) + octets


def _length(size: int) -> bytes:
    if size < 0x80:
        return bytes([size])
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(octets)]) + octets


def _element(octets: bytes, tag: int) -> tuple[int, bytes, bytes]:
    """Return tag, content and what follows of the first DER element. Raise ValueError or IndexError."""
    if octets[0] != tag:
        raise ValueError("another element was expected")
    size, start = octets[1], 2
    if size & 0x80:
        start += size & 0x7F
        size = int.from_bytes(octets[2:start], "big")
    if len(octets) < start + size:
        raise ValueError("the element is not whole")
    return tag, octets[start : start + size], octets[start + size :]
