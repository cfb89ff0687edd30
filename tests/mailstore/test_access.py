"""The key of a migration lets one host in, and leaves every other line as it is."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.mailstore import access

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGhxuXmWHrrkijqQ44VwZliyziR6SfFtYPQLT31Xcpbu"


def test_the_line_restricts_the_key_to_its_command_and_addresses() -> None:
    line = access.authorized_line(
        "unit", f"{KEY} root@new", ["198.51.100.20", "2001:db8::20"], "/root/.ssh/w", (9, 2)
    )
    assert line == (
        f'restrict,from="198.51.100.20,2001:db8::20",command="sh /root/.ssh/w" {KEY} migrate:unit\n'
    )
    assert access.authorized_line("unit", KEY, ["198.51.100.20"], "/w", (7, 1)).startswith(
        "no-pty,no-port-forwarding"
    )
    quoted = access.authorized_line("unit", KEY, ["198.51.100.20"], '/home/a "b"/w', (9, 2))
    assert r"""command="sh '/home/a \"b\"/w'" """ in quoted


@pytest.mark.parametrize("key", ["", "ssh-ed25519", f'command="id" {KEY}', "no key at all"])
def test_what_is_no_public_key_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="public key"):
        access.authorized_line("unit", key, ["198.51.100.20"], "/w")


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(ValueError, match="does not appear"):
        access.authorized_line("unit", KEY, ['"*'], "/w")


@pytest.mark.parametrize(
    "text", ["", f"{KEY} me\n", f"# mine\n\n{KEY} a migrate:unit-2\n", f"{KEY} migrate:unit x\n"]
)
def test_other_lines_of_authorized_keys_stay_byte_for_byte(text: str, tmp_path: Path) -> None:
    line = access.authorized_line("unit", KEY, ["198.51.100.20"], "/w")
    wanted = access.with_entry(text, "unit", line)
    assert wanted == text + line
    assert access.with_entry(wanted, "unit", line) == wanted
    assert access.without_entry(wanted, "unit") == text
    door = access.DoorPaths(str(tmp_path / "authorized_keys"), str(tmp_path / "wrapper"))
    for path in (door.authorized_keys, door.wrapper):
        Path(path).write_text(wanted)
    Path(door.authorized_keys).chmod(0o600)
    for _ in range(2):
        subprocess.run(["sh", "-c", access.remove_entry_script(door, "unit")], check=True)
    assert Path(door.authorized_keys).read_text() == text
    assert Path(door.authorized_keys).stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["authorized_keys"]


def test_a_line_is_taken_out_of_every_file_that_sshd_reads(tmp_path: Path) -> None:
    door = access.DoorPaths.of("unit", str(tmp_path), (f"{tmp_path}/a b", f"{tmp_path}/none"))
    assert door.files == (f"{tmp_path}/a b", f"{tmp_path}/.ssh/authorized_keys", f"{tmp_path}/none")
    for path in door.files[:2]:
        Path(path).parent.mkdir(exist_ok=True)
        Path(path).write_text(f"{KEY} admin\nrestrict {KEY} migrate:unit\n")
    subprocess.run(["sh", "-c", access.remove_entry_script(door, "unit")], check=True)
    assert [Path(path).read_text() for path in door.files[:2]] == [f"{KEY} admin\n"] * 2


def test_the_usual_file_is_written_where_sshd_reads_it() -> None:
    usual = "/root/.ssh/authorized_keys"
    assert access.DoorPaths.of("unit", "/root").files == (usual,)
    assert access.DoorPaths.of("unit", "/root", ("/etc/keys/root", usual)).authorized_keys == usual
    assert access.DoorPaths.of("unit", "/root", ("/etc/keys/root",)).authorized_keys == "/etc/keys/root"


LINES = st.lists(
    st.one_of(
        st.binary(max_size=30).filter(lambda line: b"\n" not in line),
        st.sampled_from(
            [
                *(
                    f"{KEY} migrate:unit".encode(),
                    b" migrate:unit \t\r",
                    b"\x0bmigrate:unit",
                    b"migrate:unit",
                ),
                *(
                    b"# migrate:unit-2",
                    b" migrate:unit x",
                    b"\xe2\x80\xa8 migrate:unit",
                    b"x\x0c migrate:unit",
                ),
            ]
        ),
    ),
    max_size=6,
)


@given(lines=LINES, ended=st.booleans())
def test_both_ways_to_take_the_line_out_agree_whatever_else_is_there(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], ended: bool
) -> None:
    folder = tmp_path_factory.mktemp("keys")
    content = b"\n".join(lines) + (b"\n" if ended and lines else b"")
    path = folder / "authorized_keys"
    path.write_bytes(content)
    door = access.DoorPaths(str(path), str(folder / "wrapper"))
    script = "LC_ALL=C; export LC_ALL\n" + access.remove_entry_script(door, "unit")
    subprocess.run(["sh", "-c", script], check=True)
    left = access.without_entry(content.decode("utf-8", "surrogateescape"), "unit")
    assert left.encode("utf-8", "surrogateescape") == path.read_bytes()
    own = [line for line in lines if line.rstrip(b" \t\r\x0b\x0c").endswith(b" migrate:unit")]
    assert not own or path.read_bytes() != content
