"""Key files: who may read them, and what may stand in them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.errors import DnsError
from migrator.net.tsig import TsigKey, parse_key, read_key
from migrator.secret import Secret

SECRET = "c2VjcmV0IG9mIHRoZSBsYWI="
CLAUSE = f'key "lab" {{\n\talgorithm hmac-sha256;\n\tsecret "{SECRET}";\n}};\n'
KEY = TsigKey("lab.", "hmac-sha256", Secret(SECRET))


def key_file(folder: Path, content: str, mode: int = 0o600) -> Path:
    path = folder / "tsig.key"
    path.write_text(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    "content", [SECRET, SECRET + "\n", CLAUSE], ids=["bare", "with a newline", "as a clause"]
)
def test_a_key_file_is_read(tmp_path: Path, content: str) -> None:
    assert read_key(key_file(tmp_path, content), name="lab.", algorithm="hmac-sha256") == KEY


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o777])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = key_file(tmp_path, SECRET, mode)
    with pytest.raises(DnsError) as raised:
        read_key(path, name="lab.", algorithm="hmac-sha256")
    assert raised.value.advice == f"chmod 600 {path}"


def test_a_missing_or_endless_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DnsError, match="cannot be read"):
        read_key(tmp_path / "absent", name="lab.", algorithm="hmac-sha256")
    with pytest.raises(DnsError, match="too long"):
        read_key(key_file(tmp_path, "A" * 70000), name="lab.", algorithm="hmac-sha256")


@pytest.mark.parametrize(
    "text",
    [
        f"// of the lab\n# more\n/* and\nmore */ {CLAUSE}",
        f'key lab. {{ secret "{SECRET}"; algorithm HMAC-SHA256.; }};',
        f'key "other" {{ algorithm hmac-md5; secret "AAAA"; }};\n{CLAUSE}',
        f"key LAB {{ secret {SECRET}; }};",
    ],
    ids=["comments", "other order", "several keys", "no algorithm"],
)
def test_clauses_are_read_as_bind_writes_them(text: str) -> None:
    assert parse_key(text, name="lab.", algorithm="hmac-sha256") == KEY


@pytest.mark.parametrize(
    ("text", "algorithm", "words"),
    [
        (CLAUSE, "hmac-sha512", "another algorithm"),
        (CLAUSE.replace("lab", "other"), "hmac-sha256", "another key"),
        ('key lab { algorithm hmac-sha256; secret "?"; };', "hmac-sha256", "not base64"),
        ("key lab { algorithm hmac-sha256; };", "hmac-sha256", "not base64"),
        ("", "hmac-sha256", "not base64"),
        ("hunter2!", "hmac-sha256", "not base64"),
        (SECRET, "rot13", "unknown TSIG algorithm"),
    ],
)
def test_what_is_no_such_key_is_refused(text: str, algorithm: str, words: str) -> None:
    with pytest.raises(DnsError, match=words):
        parse_key(text, name="lab", algorithm=algorithm)


def test_the_secret_shows_in_no_representation() -> None:
    assert SECRET not in f"{KEY} {KEY!r} {KEY.secret}"


@given(st.text())
def test_any_text_is_a_key_or_a_clear_error(text: str) -> None:
    try:
        key = parse_key(text, name="lab", algorithm="hmac-sha256")
    except DnsError:
        return
    assert key.secret
