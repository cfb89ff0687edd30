"""`make demo`: a mail host moves to another one before your eyes, under a stream of mail, and every message counts."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

from tests.lab.lab import PROJECT, Lab
from tests.lab.recipe import by_hand
from tests.lab.scene import Scene, scene

WARM_UP_SECONDS = 5.0
AFTERMATH_SECONDS = 5.0
RUN_SECONDS = 600.0


def say(text: str) -> None:
    """Write a line at once, between those of the program that runs meanwhile."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def title(text: str) -> None:
    """Write a heading."""
    say(f"\n── {text} {'─' * max(0, 100 - len(text))}")


def migrate(lab: Lab, *options: str) -> int:
    """Run `migrate run` on this terminal and return its exit code."""
    say(f"$ migrate run {lab.plan_path.name} {' '.join(options)}")
    return subprocess.run(lab.migrate_argv("run", *options), cwd=PROJECT, timeout=RUN_SECONDS).returncode


def move(lab: Lab, stage: Scene) -> int:
    """Rehearse the copy while people read their mail, then migrate; return the exit code of the last run."""
    title("The copy, ahead of time, while people read and delete their mail on the old host")
    code = migrate(lab, "--until", "presync", "--yes")
    if code != 0:
        return code
    stage.readers.stop()
    title("The migration")
    return migrate(lab, "--yes", "--wait")


def move_by_hand(lab: Lab, stage: Scene) -> int:
    """Follow the recipe instead, for comparison; return 0."""
    title("The recipe by hand")
    by_hand(lab, say, before_the_cutover=stage.readers.stop)
    return 0


def show(arguments: argparse.Namespace) -> int:
    """Play the whole piece and return its exit code: 0 where the run succeeded and the account is clean."""
    title("Two mail hosts, a name server and a plan")
    with Lab(strategy=arguments.strategy, seed=arguments.seed) as lab:
        say(f"old {lab.place.old}, new {lab.place.new}, dns {lab.place.dns}; the plan:\n")
        say(lab.plan_path.read_text().replace(f"{lab.folder}/", ""))
        with scene(lab, rate=arguments.rate) as stage:
            say(
                f"{len(stage.seeds)} messages in the mailboxes; {arguments.rate:g} more come in every second;"
            )
            say("30 % of the senders hold the old address for ever; both ports are looked at every 50 ms")
            time.sleep(WARM_UP_SECONDS)
            began = time.monotonic()
            code = move_by_hand(lab, stage) if arguments.recipe else move(lab, stage)
            seconds = time.monotonic() - began
            time.sleep(AFTERMATH_SECONDS)
            title("The account")
            account = stage.end()
        say(f"{len(stage.traffic.messages)} messages were sent meanwhile; the move took {seconds:.0f} s\n")
        say(account.text())
        say(f"\n{stage.ports()}")
    if code != 0:
        say(f"migrate ended with {code}")
    return 0 if code == 0 and account.clean else 1


def main() -> int:
    """Read the command line, play, and return the exit code; Ctrl-C removes everything as well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strategy", choices=("hold", "firewall"), default="hold")
    parser.add_argument("--rate", type=float, default=15.0, help="messages a second (default: 15)")
    parser.add_argument(
        "--seed", type=int, default=30, help="messages in each mailbox beforehand (default: 30)"
    )
    parser.add_argument("--recipe", action="store_true", help="follow the recipe by hand instead, to compare")
    try:
        return show(parser.parse_args())
    except KeyboardInterrupt:
        say("\ninterrupted; the lab is removed")
        return 130


if __name__ == "__main__":
    sys.exit(main())
