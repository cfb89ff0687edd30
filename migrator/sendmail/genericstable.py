"""Where the rows of a genericstable come from: a CSV file, or the accounts of a host.

cf/README ("genericstable"): the key is a login name, the value the address that stands in its place.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping

from migrator import host_text
from migrator.sendmail import maps
from migrator.sendmail.text_error import TextError
from migrator.sendmail.verification import checked_addresses

_LOGIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,63}")


def rows_of_csv(text: str) -> dict[str, str]:
    """Given a CSV text of two columns, login and address, return its rows; empty ones and `#` comments are passed over.

    Raise TextError with every fault at once, each with its line: what is no login, no full address, or a login twice.
    """
    rows: dict[str, str] = {}
    faults: list[str] = []
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff")), skipinitialspace=True)
    try:
        for columns in reader:
            if not columns or columns[0].startswith("#"):
                continue
            if fault := _fault(columns, rows):
                faults.append(f"line {reader.line_num}: {fault}")
            else:
                rows[columns[0]] = host_text.stripped(columns[1])
    except csv.Error as error:
        faults.append(f"line {reader.line_num}: {error}")
    if faults or not rows:
        raise TextError("; ".join(faults) or "the table has no rows")
    return rows


def rows_of_logins(logins: Iterable[str], domain: str) -> dict[str, str]:
    """Given login names and a domain, return a row for each, with the login as the local part of its address."""
    return {login: f"{login}@{domain}" for login in logins if _LOGIN.fullmatch(login)}


def with_rows(text: str, rows: Mapping[str, str]) -> str:
    """Given a genericstable and rows, return it with these, and with every other line byte for byte.

    Raise TextError for a row that no table can hold.
    """
    for login, address in rows.items():
        text = maps.set_entry(text, login, address)
    return text


def _fault(columns: list[str], known: Mapping[str, str]) -> str:
    if len(columns) != 2:
        return f"two columns are wanted, login and address, and it has {len(columns)}"
    login, address = columns[0], host_text.stripped(columns[1])
    if not _LOGIN.fullmatch(login):
        return f"{login!r} is no login name"
    if maps.fold(login) in map(maps.fold, known):
        return f"{login!r} has a row already"
    try:
        checked_addresses((address,))
    except TextError as error:
        return str(error)
    return "" if "@" in address else f"{address!r} has no domain"
