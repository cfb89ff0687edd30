"""Mail that is young: a store that was just restored beside the same one when it has aged, and mailboxes that grow."""

from __future__ import annotations

import json

from tests.bench.measuring import FEW, VOLUMES, Bench, Figures
from tests.bench.predictions import Kind, Outcome
from tests.bench.sides import Ours, ours, shell
from tests.lab.driver import succeed
from tests.lab.lab import Lab
from tests.lab.readers import Readers
from tests.lab.traffic import Traffic

FILES = 200_000
TURNS = 3
BOXES, EACH = 4, 270_000_000
"""How many large mboxes grow, and how many bytes each has."""
LARGE = f"final pass, {BOXES} mboxes of {EACH // 1_000_000} MB grew"
JUST_NOW = f"final pass, {FEW} changes, a store restored just now"
AGED = f"final pass, {FEW} changes, the same store aged"
MAIL, READING = 8.0, 5.0
"""Messages, and changes by readers, a second while a young store is cut over."""

_MAKE = f"""cd /var/mail && head -c {EACH * 3 // 4} /dev/urandom | base64 -w 76 | head -c {EACH} >/root/large
for box in $(seq {BOXES}); do {{ echo 'From a@b.test  Tue Nov 14 22:13:20 2023'; cat /root/large; }} >large$box; done
rm /root/large"""
# Where readers put what they have read.
_FOLDERS = 'for box in /var/www/web1/user/u*/Maildir; do mkdir -p "$box/.Old Mail/"cur; done'
_GROW = (
    "printf 'From a@b.test  Tue Nov 14 22:13:20 2023\\n\\nmail\\n\\n' | tee -a /var/mail/large* >/dev/null"
)


def young(figures: Figures, files: int) -> None:
    """Measure final passes over a store when it is young and when it is not, of large mailboxes, and a cutover."""
    with Lab(volumes=VOLUMES, seed=1) as lab:
        bench = Bench(lab, figures, files, "")
        bench.fill()
        bench.first_copy()
        with ours(lab) as side:
            bench.final_passes(side, JUST_NOW, TURNS)
        bench.age()
        with ours(lab) as side:
            bench.final_passes(side, AGED, TURNS)
        shell(lab, "old", _MAKE)
        with ours(lab) as side:
            side.copy()
            for turn in range(TURNS):
                _grown(bench, side, recipe_first=turn % 2 == 1)
    for one in cutover(files // 10):
        figures.say(str(one))
        figures.note(
            f"{one.what} of a cutover of a young store: real to predicted",
            "migrate",
            one.real / one.predicted,
        )


def _grown(bench: Bench, side: Ours, *, recipe_first: bool) -> None:
    bench.exact(side)
    shell(bench.lab, "old", _GROW)
    for name in ("recipe", "migrate") if recipe_first else ("migrate", "recipe"):
        if name == "recipe":
            bench.copy_recipe(LARGE)
        else:
            bench.note(LARGE, "migrate", side.copy(delete=True, trust=True)[0])
            bench.note(f"{LARGE}: its proof", "migrate", side.verify())


def cutover(files: int) -> list[Outcome]:
    """Cut a store over that was written just now, under mail and with readers; return both times and their forecast."""
    kind = Kind("hold", files=files, rate=MAIL)
    with Lab(strategy=kind.strategy, seed=1) as lab:
        Bench(lab, Figures(say=lambda _text: None), files, "").fill()
        shell(lab, "old", _FOLDERS)
        with Traffic(lab.place, rate=MAIL) as traffic:
            # People have logged off when the window comes, and what they did until then is in the forecast.
            with Readers(lab, rate=READING):
                succeed(lab, "run", "--wait", "--until", "catch-up")
            succeed(lab, "run", "--yes", "--wait")
            traffic.finish()
        told: dict[str, dict[str, float]] = json.loads(succeed(lab, "status", "--json"))["cutover"]
    return [Outcome(kind, what, each["predicted"], each["real"]) for what, each in told.items()]
