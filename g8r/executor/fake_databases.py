"""What the programs of a fake host know, kept where a snapshot finds it."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping


class Databases(MutableMapping[str, object]):
    """What programs know: one value per name, replaced and never edited."""

    def __init__(self, values: dict[str, object], *, frozen: bool) -> None:
        self._values = values
        self._frozen = frozen

    def __getitem__(self, name: str) -> object:
        return self._values[name]

    def __setitem__(self, name: str, value: object) -> None:
        check_thawed(self._frozen, f"the database {name} was written")
        self._values[name] = value

    def __delitem__(self, name: str) -> None:
        check_thawed(self._frozen, f"the database {name} was removed")
        del self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def check_thawed(broken: bool, what: str) -> None:  # noqa: FBT001 - a condition, not a mode
    """An AssertionError where something was written that should only be read."""
    if broken:
        message = f"{what}, where only reading was promised"
        raise AssertionError(message)
