"""A script starts whole or not at all, ends whole, and is alone."""

import os
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrator.hosts import script as subject
from tests.hosts.shell import each_shell, run


@pytest.fixture(autouse=True)
def own_lock(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    lock = tmp_path / "lock"
    monkeypatch.setattr(subject, "lock_file", lambda name: f"lock={lock}\n")
    return lock


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 10
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not come"
        time.sleep(0.02)


@each_shell
def test_what_a_script_gives_comes_back(shell: str, tmp_path: Path) -> None:
    result = run(shell, subject.whole("echo out; echo err >&2; cat; exit 5", "n"), temporary=tmp_path / "t")
    assert (result.returncode, result.stdout, result.stderr) == (5, "out\n", "err\n")
    assert not list((tmp_path / "t").iterdir())


@each_shell
@pytest.mark.parametrize("wrap", [subject.whole, subject.streaming])
def test_a_script_that_did_not_arrive_whole_does_not_start(shell: str, wrap: object, tmp_path: Path) -> None:
    assert callable(wrap)
    mark = tmp_path / "mark"
    text = wrap(f"touch {mark}\n" * 20, "n")
    for length in range(0, len(text) - 3, 61):
        run(shell, text[:length], temporary=tmp_path / "t")
    assert not mark.exists()
    assert not (tmp_path / "lock").exists()


@each_shell
@pytest.mark.parametrize("wrap", [subject.whole, subject.streaming])
@pytest.mark.parametrize("length", [1, 200_000], ids=["its output", "the script"])
def test_a_script_does_not_start_where_there_is_no_room(
    shell: str, wrap: object, length: int, tmp_path: Path
) -> None:
    assert callable(wrap)
    mark = tmp_path / "mark"
    text = wrap(f"touch {mark}\n: {'x' * length}\n", "n")
    result = run(shell, f"ulimit -f 64\n{text}", temporary=tmp_path / "t")
    assert (result.returncode, result.stdout) == (subject.IO_ERROR, "")
    assert (
        f"no room for a script, so nothing was done: see df -h and df -i of {tmp_path / 't'}" in result.stderr
    )
    assert not mark.exists()
    assert not list((tmp_path / "t").iterdir())


@each_shell
def test_a_broken_connection_does_not_end_a_script(shell: str, tmp_path: Path) -> None:
    mark, goes_on = tmp_path / "mark", tmp_path / "goes-on"
    text = subject.whole(
        f"touch {mark}; while [ ! -e {goes_on} ]; do sleep 0.05; done; echo late; touch {goes_on}.done", "n"
    )
    process = subprocess.Popen(
        [shell, "-s"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True, text=True
    )
    assert process.stdin and process.stdout
    process.stdin.write(text)
    process.stdin.close()
    wait_for(mark)
    process.stdout.close()
    os.killpg(process.pid, 1)
    goes_on.touch()
    wait_for(Path(f"{goes_on}.done"))
    process.wait(10)


@each_shell
@pytest.mark.parametrize("wrap", [subject.whole, subject.streaming])
def test_a_second_script_waits_its_turn_and_then_gives_up(
    shell: str, wrap: object, own_lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert callable(wrap)
    monkeypatch.setattr(subject, "LOCK_WAIT", 0)
    with subprocess.Popen(["flock", str(own_lock), "sh", "-c", "echo; read x"], stdin=-1, stdout=-1) as first:
        assert first.stdout and first.stdin
        first.stdout.readline()
        result = run(shell, wrap("echo mine", "n"))
        first.stdin.close()
    assert (result.returncode, result.stdout) == (subject.BUSY, "")
    assert "still runs" in result.stderr


@each_shell
def test_a_daemon_that_a_script_starts_does_not_keep_the_lock(shell: str, own_lock: Path) -> None:
    result = run(shell, subject.whole("sleep 20 >/dev/null 2>&1 & echo $!", "n"))
    try:
        taken = subprocess.run(["flock", "-n", str(own_lock), "true"], check=False)
        assert taken.returncode == 0
    finally:
        os.kill(int(result.stdout), 9)


@each_shell
def test_a_streaming_script_is_ended_when_its_reader_goes(shell: str, tmp_path: Path, own_lock: Path) -> None:
    text = subject.streaming("echo line; sleep 60; echo never", "n")
    process = subprocess.Popen([shell, "-s"], stdin=-1, stdout=-1, text=True)
    assert process.stdin and process.stdout
    process.stdin.write(text)
    process.stdin.flush()
    assert process.stdout.readline() == "line\n"
    process.stdin.close()
    assert process.wait(10) != 0
    assert process.stdout.read() == ""
    process.stdout.close()
    assert subprocess.run(["flock", "-w", "5", str(own_lock), "true"], check=False).returncode == 0


@each_shell
def test_a_streaming_script_is_ended_when_its_reader_falls_silent(
    shell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "SILENCE", 1)
    process = subprocess.Popen([shell, "-s"], stdin=-1, stdout=-1, text=True)
    assert process.stdin and process.stdout
    process.stdin.write(subject.streaming("sleep 60", "n"))
    process.stdin.flush()
    assert process.wait(10) != 0
    process.stdin.close()
    process.stdout.close()


@each_shell
def test_a_streaming_script_gives_its_lines_and_status(shell: str, tmp_path: Path) -> None:
    process = subprocess.Popen([shell, "-s"], stdin=-1, stdout=-1, text=True)
    assert process.stdin and process.stdout
    process.stdin.write(subject.streaming("echo line; exit 24", "n"))
    process.stdin.flush()
    assert process.wait(10) == 24
    assert process.stdout.read() == "line\n"
    process.stdin.close()
    process.stdout.close()


@settings(max_examples=40, deadline=None)
@given(
    words=st.lists(st.text(st.characters(exclude_characters="\0\r", exclude_categories=["Cs"])), max_size=3),
    stdin=st.text(st.characters(exclude_characters="\0\r", exclude_categories=["Cs"])),
)
def test_arguments_and_input_arrive_as_they_are(words: list[str], stdin: str) -> None:
    result = run("sh", subject.command(("printf", "%s\\n", "-", *words)))
    assert result.stdout == "".join(f"{word}\n" for word in ("-", *words))
    if stdin:
        assert run("sh", subject.command(("cat",), stdin)).stdout == (
            stdin if stdin.endswith("\n") else stdin + "\n"
        )


def test_the_lock_is_named_after_the_migration_where_only_root_writes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.undo()
    assert run("sh", subject.lock_file("example-mail") + "echo $lock").stdout in {
        "/run/migrate-example-mail\n",
        "/run/lock/migrate-example-mail\n",
        "/tmp/migrate-example-mail\n",
    }
