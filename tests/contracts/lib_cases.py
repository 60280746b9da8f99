"""Good and bad values of every contract in contracts/lib, by FILE.NAME ARGUMENTS; a bad one with a part of its message.

The first good and the first bad value stand in docs/contracts.md, with the whole message: choose them well.
"""

from case_values import Cases
from cases_host import NET, UNIX
from cases_keys import KEYS
from cases_shapes import MAKE, SHAPES
from cases_text import NUMBERS, TEXT, TIME, VERSIONS

CASES: dict[str, Cases] = {**NET, **UNIX, **TEXT, **NUMBERS, **TIME, **VERSIONS, **KEYS, **SHAPES, **MAKE}
