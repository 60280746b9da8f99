"""How tests went, as text and XML: the parts that `g8r test` itself does not come to in its own tests."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from g8r.diagnostics import Span, error
from g8r.render import suite_json, suite_text, suite_xml
from g8r.render.suite import Failure, FileResult, Result

AT = ("tests", "a", "expect", "content", "file.a")


def lines(failure, **options):
    return list(suite_text.failure_lines(failure, {}, **options))


def test_a_difference_in_what_is_shown_alike():
    assert lines(Failure(AT, "s", expected="\\x1b", got="\x1b")) == ["s", '  expected "\\\\x1b"', '  got      "\\u001b"']


def test_a_long_difference_is_cut_and_full_shows_all():
    got = "".join(f"{number}\n" for number in range(200))
    cut = lines(Failure(AT, "s", expected="", got=got))
    assert len(cut) == 2 + suite_text.DIFF_LINES + 1
    assert cut[-1] == "  (120 more lines, --full shows all)"
    assert len(lines(Failure(AT, "s", expected="", got=got), full=True)) == 2 + 200


def test_places_in_a_text_are_told_where_there_are_several():
    old = "".join(f"{number}\n" for number in range(40))
    new = old.replace("3\n", "three\n", 1).replace("35\n", "x\n")
    assert sum("@@" in line for line in lines(Failure(AT, "s", expected=old, got=new))) == 2


def test_nothing_moves_the_cursor():
    failure = Failure(("tests",), "s\x1b[2J", "d\x1b[2J", "a\x1b[2J", "b\x1b[2J", (error("c", "x\x1b[2J"),), Span("f\x1b", 1, 1))
    file = FileResult(
        "f\x1b", (Result("n\x1b", 0.1, (failure,)),), (error("c", "y\x1b"),), written=(("k\x1b", "plan"),), obsolete=(("o\x1b", "plan"),)
    )
    assert "\x1b" not in suite_text.file_text(file)


def test_what_xml_cannot_say_is_replaced():
    failure = Failure(AT, "s\x00", "d\x0b\ud800", "a\ufffe", "b")
    text = suite_xml.render([FileResult("f", (Result("n\x01]]>&<", 0.25, (failure,)),))], 0.5)
    ((case,),) = ET.fromstring(text)
    assert case.attrib == {"classname": "f", "name": "n\ufffd]]>&<", "time": "0.250", "file": "f"}
    assert case[0].attrib == {"type": "content", "message": "s\ufffd"}


def test_a_failure_of_what_is_given_has_its_own_type():
    text = suite_xml.render([FileResult("f", (Result("a", 0.0, (Failure(("tests", "a", "world", "h", "files"), "s"),)),))], 0.5)
    ((case,),) = ET.fromstring(text)
    assert case[0].attrib["type"] == "world"


def test_json_of_a_broken_file():
    found = suite_json.render([FileResult("f", broken=(error("c", "s"),))], 0.1)
    assert (found["passed"], found["tests"], found["failed"]) == (False, 0, 0)
    assert found["files"][0]["broken"][0]["summary"] == "s"


def test_the_summary_counts():
    files = [
        FileResult("f", (Result("a", 0.0), Result("b", 0.0, (Failure((), "s"),))), skipped=2),
        FileResult("g", broken=(error("c", "s"),)),
    ]
    assert suite_text.summary(files, 61.0) == "2 tests in 2 files: 1 passed, 1 failed, 1 file broken, 2 left out (1m01s)\n"
