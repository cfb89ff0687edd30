"""A host key is known, unknown, changed or revoked, as OpenSSH would say."""

import base64
import hashlib
import hmac
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.hosts.known_hosts import display_name, fingerprint, parse_known_hosts, read_known_hosts


def hashed(host: str) -> str:
    salt = b"0123456789abcdefghij"
    digest = hmac.new(salt, host.encode(), hashlib.sha1).digest()
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


@pytest.mark.parametrize(
    ("hosts", "host", "wanted"),
    [
        ("mail.example.test", "mail.example.test", "known"),
        ("mail.example.test,198.51.100.10", "198.51.100.10", "known"),
        ("[mail.example.test]:2222", "[mail.example.test]:2222", "known"),
        ("[mail.example.test]:2222", "mail.example.test", "unknown"),
        ("mail.example.test", "[mail.example.test]:2222", "unknown"),
        ("*.example.test", "mail.example.test", "known"),
        ("*.example.test,!mail.example.test", "mail.example.test", "unknown"),
        ("MAIL.example.test", "mail.example.test", "known"),
        (hashed("mail.example.test"), "mail.example.test", "known"),
        (hashed("other.example.test"), "mail.example.test", "unknown"),
        (hashed("[198.51.100.10]:2222"), "[198.51.100.10]:2222", "known"),
        ("|1|broken", "mail.example.test", "unknown"),
        ("|1|a|b", "mail.example.test", "unknown"),
    ],
)
def test_a_host_is_found_by_every_form_of_name(hosts: str, host: str, wanted: str) -> None:
    known = parse_known_hosts(f"# comment\n\n{hosts} ssh-ed25519 AAAAkey comment\n")
    assert known.verdict(host, "ssh-ed25519", "AAAAkey") == wanted


def test_another_key_is_a_changed_one_and_any_of_several_is_known() -> None:
    known = parse_known_hosts("a ssh-ed25519 AAAA1\na ssh-ed25519 AAAA2\na ssh-rsa AAAA3\n")
    assert known.verdict("a", "ssh-ed25519", "AAAA2") == "known"
    assert known.verdict("a", "ssh-ed25519", "AAAA9") == "changed"
    assert known.verdict("a", "ssh-ed25519", "AAAA3") == "changed"
    assert known.kinds("a") == ("ssh-ed25519", "ssh-rsa")
    assert known.kinds("b") == ()


def test_a_revoked_key_is_refused_whatever_else_is_said() -> None:
    known = parse_known_hosts("a ssh-ed25519 AAAA1\n@revoked * ssh-ed25519 AAAA1\n")
    assert known.verdict("a", "ssh-ed25519", "AAAA1") == "revoked"
    authority = parse_known_hosts("@cert-authority * ssh-ed25519 AAAA1\n")
    assert authority.verdict("a", "ssh-ed25519", "AAAA1") == "unknown"


def test_names_and_fingerprints_are_those_of_openssh() -> None:
    assert display_name("Mail.Example.test", 22) == "mail.example.test"
    assert display_name("2001:db8::10", 2222) == "[2001:db8::10]:2222"
    # as `printf abc | openssl dgst -sha256 -binary | base64` prints it
    assert fingerprint(b"abc") == "SHA256:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0"


def test_a_missing_file_knows_nobody(tmp_path: Path) -> None:
    assert read_known_hosts(tmp_path / "none").keys == ()
    with pytest.raises(OSError, match="directory"):
        read_known_hosts(tmp_path)


@given(st.text(max_size=200))
def test_arbitrary_lines_make_nobody_known(text: str) -> None:
    assert parse_known_hosts(text).verdict("host.example", "ssh-ed25519", "AAAAkey") in ("unknown", "changed")
