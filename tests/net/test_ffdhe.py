"""The groups of RFC 7919, and the file that holds one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.net import ffdhe


@pytest.mark.parametrize("name", ["ffdhe2048", "ffdhe3072"])
def test_a_group_is_a_safe_prime_of_its_size(name: str) -> None:
    prime = ffdhe.prime(name)
    half = (prime - 1) // 2
    assert f"ffdhe{prime.bit_length()}" == name
    assert all(pow(base, prime - 1, prime) == 1 and pow(base, half - 1, half) == 1 for base in (3, 5, 7))


def test_the_numbers_are_those_of_the_document() -> None:
    words = f"{ffdhe.prime('ffdhe2048'):X}"
    assert words.startswith("FFFFFFFFFFFFFFFFADF85458A2BB4A9A")
    assert words.endswith("886B423861285C97FFFFFFFFFFFFFFFF")


@pytest.mark.parametrize("name", ffdhe.NAMES)
def test_a_file_gives_back_its_group(name: str) -> None:
    text = ffdhe.parameters(name)
    assert text.startswith("-----BEGIN DH PARAMETERS-----\n")
    assert max(map(len, text.splitlines())) == 64
    modulus = ffdhe.modulus_of(text)
    assert modulus is not None
    assert ffdhe.name_of(modulus) == name


def test_a_group_of_no_list_has_no_name() -> None:
    assert ffdhe.name_of(ffdhe.prime("ffdhe2048") - 2) == ""
    assert ffdhe.name_of(0) == ""
    with pytest.raises(ValueError, match="no group of RFC 7919"):
        ffdhe.prime("ffdhe1024")


@given(st.text(), st.binary(max_size=40))
def test_what_is_no_file_of_parameters_has_no_modulus(text: str, octets: bytes) -> None:
    import base64

    assert ffdhe.modulus_of(text) is None
    body = base64.b64encode(octets).decode()
    ffdhe.modulus_of(f"-----BEGIN DH PARAMETERS-----\n{body}\n-----END DH PARAMETERS-----\n")
