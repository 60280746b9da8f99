r"""Nickel's text as tokens: enough of them to tell where records and arrays begin and end, and what stands in them.

Follows the lexer of nickel-lang-parser (`lexer.rs`, 1.18): strings hold code between `%{` and `}`, and that holds strings again. First,
once and in one go, each bracket of a file is paired with the one that closes it. Then the tokens of any stretch can be read, with
what is in brackets as one token, so that no text is read more than twice, whatever is nested in it. Nothing here recurs.

A token has a kind of one character. So the kinds of a stretch are a text too, `i={,i.i=s`, and regular expressions tell what it is.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Final

import msgspec

_KEYWORDS: Final = {
    **dict.fromkeys(("doc", "optional", "not_exported"), "k"),
    **dict.fromkeys(("default", "force", "priority"), "p"),
    **dict.fromkeys(("Number", "String", "Bool", "Dyn", "Array"), "T"),
    **dict.fromkeys(("true", "false", "null"), "b"),
    **dict.fromkeys(("if", "then", "else"), "c"),
    **dict.fromkeys(("fun", "match", "rec", "forall"), "w"),
    "let": "l",
    "in": "n",
    "import": "m",
}
"""Kinds of words. k: metadata, p: priorities, T: types, b: values, c: choices, w: what begins other things. Any other word is `i`."""
_SIGNS: Final = {**{sign: sign for sign in "{}[](),.:;=|_"}, "..": "e", "&&": "c", "||": "c"}
"""Kinds of signs; any other is `o`. `&&` and `||` are choices as `if` is: the place of what they give is that of what they chose."""
_OPENERS: Final = {"}": "{", "]": "[", ")": "("}

_TEXT: Final = r'"(?:[^"\\%]++|\\.|%(?!\{))*+"'
_NUMBER: Final = r"0x[0-9A-Fa-f]++|0o[0-7]++|0b[01]++|[0-9]*+\.[0-9]++(?:[eE][+-]?[0-9]++)?|[0-9]++(?:[eE][+-]?[0-9]++)?"
_WORD: Final = r"_*+[A-Za-z][A-Za-z0-9_'-]*+"
_GAP: Final = r"[ \t\r\n]*+"
_TOKEN: Final = re.compile(
    rf"""(?:[ \t\r\n]++|\#[^\n]*+)*+(?:
        ({_WORD}|{_TEXT}){_GAP}(=)(?![=>])  # 1, 2: a key
      | ({_WORD})((?:%++")?)    # 3, 4: a word, and what makes it the beginning of a string
      | (\.\.|\.(?![0-9])|&&|\|\||\|>|\+\+|[=!<>]=|[=-]>|[{{}}\[\](),:=|&;?$+*/@!<>_-])  # 5: a sign
      | ({_TEXT})               # 6: a string without code in it
      | (")                     # 7: one with code
      | ({_NUMBER})             # 8
      | ('(?:{_WORD}|{_TEXT}))  # 9: an enum tag
      | (%[a-z0-9_/]++%|%)      # 10: an operator
      | (\Z)                    # 11
      | (.)                     # 12: no Nickel
    )""",
    re.VERBOSE | re.DOTALL,
)
_KEYED, _WORDED, _SIGN, _QUOTE, _END, _UNKNOWN = 2, 4, 5, 7, 11, 12
_KINDS: Final = {6: "s", 8: "0", 9: "t", 10: "o"}
_NEXT_BRACKET: Final = re.compile(
    rf"""(?:[^"%\#\[\](){{}}]++|{_TEXT}|\#[^\n]*+|%++(?!"))*+(?:([\[\](){{}}])|(%++")|(")|\Z)""", re.VERBOSE | re.DOTALL
)
_CHUNK: Final = re.compile(r'(?:[^"\\%]++|\\.|%(?!\{))*+("|%\{)', re.DOTALL)
_PERCENTS: Final = re.compile(r'"(%*+)(\{?)|(%++)(\{?)')
_LINE: Final = re.compile("\n")
_WORD_END: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_'-")
_PREFIX: Final = re.compile(r"m|[A-Za-z][A-Za-z0-9_'-]*-s")


class Tokens(msgspec.Struct, frozen=True):
    """The tokens of a stretch of text: their kinds, and where each starts and ends."""

    kinds: str
    starts: list[int]
    ends: list[int]


def closings(text: str) -> dict[int, int] | None:
    """For each bracket of a file that is in no string the one that closes it, by their offsets. None where they do not fit, or where
    there is something that is not known here.
    """
    found: dict[int, int] = {}
    opened: list[int] = []
    at: int | None = 0
    while at is not None and (match := _NEXT_BRACKET.match(text, at)):
        if match.lastindex is None:
            return None if opened else found
        bracket, start, at = match[1], match.start(match.lastindex), match.end()
        if bracket is None:
            percents = 0 if match[3] else _percents(_word_before(text, start), match[2])
            at, _ = (None, False) if percents is None else _string(text, at, percents)
        elif bracket in "{[(":
            opened.append(start)
        elif opened and text[opened[-1]] == _OPENERS[bracket]:
            found[opened.pop()] = start
        else:
            return None
    return None


def tokens(text: str, closing: dict[int, int], start: int, end: int, *, flat: bool = False) -> Tokens | None:
    """The tokens between two offsets. What is in brackets is one token, of the kind of the bracket that opens it, unless `flat`.
    None where there is something that is not known here.
    """
    kinds: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    at: int | None = start
    while at is not None and (match := _TOKEN.match(text, at, end)):
        group, at = match.lastindex or _UNKNOWN, match.end()
        if group == _KEYED:
            kinds += (_key(match[1]), "=")
            starts += (match.start(1), at - 1)
            ends += (match.end(1), at)
            continue
        if group == _END:
            return Tokens("".join(kinds), starts, ends)
        first = match.start(3 if group == _WORDED else group)
        if group == _SIGN:
            sign = match[5]
            if sign in "{[(" and not flat:
                sign, at = "=>" if text.startswith("[|", first) else sign, closing[first] + 1
            kinds.append(_SIGNS.get(sign, "o"))
        else:
            kind, at = _other(text, match, group)
            kinds.append(kind)
        starts.append(first)
        ends.append(at or 0)
    return None


def _key(word: str) -> str:
    return "s" if word[0] == '"' else _KEYWORDS.get(word, "i")


def _other(text: str, match: re.Match[str], group: int) -> tuple[str, int | None]:
    """The kind of a token that is no sign, and where it ends; None where it is none."""
    if group == _WORDED and not match[4]:
        return _KEYWORDS.get(match[3], "i"), match.end()
    if group in {_WORDED, _QUOTE}:
        percents = 0 if group == _QUOTE else _percents(match[3], match[4])
        end, has_code = (None, False) if percents is None else _string(text, match.end(), percents)
        return "y" if percents and match[3] != "m" else "S" if has_code else "M", end
    return _KINDS.get(group, "o"), None if group == _UNKNOWN else match.end()


def _percents(word: str, signs: str) -> int | None:
    """How many percent signs a string has that begins with `m%"` or, as `signs`, more of them. None where no string can begin so."""
    return len(signs) - 1 if _PREFIX.fullmatch(word) else None


def _word_before(text: str, end: int) -> str:
    start = end
    while start and text[start - 1] in _WORD_END:
        start -= 1
    return text[start:end]


def _string(text: str, start: int, percents: int) -> tuple[int | None, bool]:
    """Where a string ends whose text starts there, and whether it has code in it.

    Strings and the code in them take turns: while there is code open in each open string, what comes is code.
    """
    strings, braces, has_code = [percents], list[int](), False
    at: int | None = start
    while strings and at is not None:
        if len(braces) < len(strings):
            at, begins = _chunk(text, at, strings[-1])
            has_code |= begins
            if begins:
                braces.append(0)
            else:
                strings.pop()
        else:
            at, opened = _code(text, at, braces)
            if opened is not None:
                strings.append(opened)
    return at, has_code


def _chunk(text: str, start: int, percents: int) -> tuple[int | None, bool]:
    """The end of a piece of a string's text, and whether code follows and not the string's end."""
    if not percents:
        match = _CHUNK.match(text, start)
        return (None, False) if match is None else (match.end(), match[1] != '"')
    for match in _PERCENTS.finditer(text, start):
        quoted = match[1] is not None
        signs = len(match[1] if quoted else match[3])
        if match[2] or match[4]:
            if signs >= percents:
                return match.end(), True
        elif quoted and signs >= percents:
            return (match.end() if signs == percents else None), False
    return None, False


def _code(text: str, start: int, braces: list[int]) -> tuple[int | None, int | None]:
    """The end of code in a string: behind the brace that closes it; or behind the beginning of a string in it, with the percent signs
    of that. `braces` counts what is open in each piece of code that is under way; the last of it is kept up here.
    """
    at: int = start
    while match := _TOKEN.match(text, at):
        group, at = match.lastindex or _UNKNOWN, match.end()
        if group >= _END:
            break
        if group == _QUOTE or (group == _WORDED and match[4]):
            percents = 0 if group == _QUOTE else _percents(match[3], match[4])
            return (None if percents is None else at), percents
        if match[5] == "{":
            braces[-1] += 1
        elif match[5] == "}":
            if not braces[-1]:
                braces.pop()
                return at, None
            braces[-1] -= 1
    return None, None


class Lines:
    """Offsets into a text as lines and columns, both from 1, columns in characters. A line ends in a line feed and in nothing else."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *(match.end() for match in _LINE.finditer(text))]

    def at(self, offset: int) -> tuple[int, int]:
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1
