"""Contracts against Python's own idea of the same thing, about generated values: near misses more than noise."""

import base64
import binascii
import datetime as dt
import ipaddress
import posixpath
import re
import shutil
import subprocess
import uuid
import zoneinfo
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lib_cases import CASES

MANY = settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def spoiled(valid, alphabet):
    """Valid texts, and such with a character put in, taken away or exchanged."""

    @st.composite
    def draw_one(draw):
        text = draw(valid)
        at = draw(st.integers(0, len(text)))
        mark = draw(st.sampled_from(alphabet))
        return draw(
            st.sampled_from([text, text, text[:at] + mark + text[at:], text[:at] + text[at + 1 :], text[:at] + mark + text[at + 1 :]])
        )

    return draw_one()


def batch(values):
    """One evaluation judges all of them: starting the evaluator costs more than a hundred values."""
    return st.lists(values, min_size=40, max_size=60)


def agrees(prober, contract, values, reference):
    accepted = prober.accepts(contract, values)
    wrong = [
        (value, "accepted" if found else "refused") for value, found in zip(values, accepted, strict=True) if found != reference(value)
    ]
    assert not wrong


def works(function, refusal=ValueError):
    """Whether a function takes a value."""

    def holds(value):
        try:
            function(value)
        except refusal:
            return False
        return True

    return holds


# ---- addresses ----

V4 = st.ip_addresses(v=4).map(str)
V6 = st.one_of(
    st.ip_addresses(v=6).map(str),
    st.ip_addresses(v=6).map(lambda address: address.exploded),
    st.integers(0, 2**64).map(lambda number: str(ipaddress.IPv6Address(number))),
    st.integers(0, 2**32 - 1).map(lambda number: f"::ffff:{ipaddress.IPv4Address(number)}"),
    st.lists(st.sampled_from(["0", "1", "ab", "FFFF"]), min_size=1, max_size=8).map(lambda groups: ":".join(groups) + "::"),
    st.lists(st.sampled_from(["", "0", "1", "ab"]), min_size=1, max_size=9).map(":".join),
)
ADDRESS_MARKS = [*"0129af:./ ", "::", "\n", "256"]


@MANY
@given(batch(spoiled(V4, ADDRESS_MARKS)))
def test_ipv4(prober, values):
    agrees(prober, "net.IPv4", values, works(ipaddress.IPv4Address))


@MANY
@given(batch(spoiled(V6, ADDRESS_MARKS)))
def test_ipv6(prober, values):
    agrees(prober, "net.IPv6", values, works(ipaddress.IPv6Address))


@MANY
@given(batch(st.one_of(spoiled(V4, ADDRESS_MARKS), spoiled(V6, ADDRESS_MARKS))))
def test_ip(prober, values):
    agrees(prober, "net.IP", values, works(ipaddress.ip_address))


def network(version, width):
    prefixes = st.integers(0, width + 2)
    exact = st.tuples(st.ip_addresses(v=version), st.integers(0, width)).map(lambda pair: str(ipaddress.ip_network(pair, strict=False)))
    return st.one_of(exact, st.tuples(st.ip_addresses(v=version), prefixes).map(lambda pair: f"{pair[0]}/{pair[1]}"))


@MANY
@given(st.lists(network(4, 32), min_size=20), st.lists(network(6, 128), min_size=20, max_size=20))
def test_networks_have_no_host_bits(prober, fours, sixes):
    agrees(prober, "net.CIDRv4", fours, works(ipaddress.IPv4Network))
    agrees(prober, "net.CIDRv6", sixes, works(ipaddress.IPv6Network))
    agrees(prober, "net.CIDR", fours + sixes, works(ipaddress.ip_network))
    agrees(prober, "net.InterfaceAddress", fours + sixes, works(ipaddress.ip_interface))


@MANY
@given(batch(st.tuples(st.ip_addresses(v=4), st.integers(0, 32))))
def test_the_network_in_the_message_is_the_right_one(prober, pairs):
    values = [f"{address}/{prefix}" for address, prefix in pairs]
    for value, said in zip(values, prober.judge([("net.CIDRv4", value) for value in values]), strict=True):
        assert said is None or said.endswith(f"it is an address in the network {ipaddress.ip_network(value, strict=False)}")


NAME = st.lists(st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True), min_size=1, max_size=4).map(".".join)


def is_host_name(text):
    parts = text.split(".")
    fits = all(re.fullmatch(r"[A-Za-z0-9-]{1,63}", part) and part[0] != "-" and part[-1] != "-" for part in parts)
    return fits and not parts[-1].isdigit() and len(text) <= 253


@MANY
@given(batch(spoiled(NAME, [*"-._ aZ9", "a" * 60, "\n", "é"])))
def test_host_names(prober, values):
    agrees(prober, "net.HostName", values, is_host_name)


# https://html.spec.whatwg.org/multipage/input.html#valid-e-mail-address, and the limits of RFC 5321
EMAIL = re.compile(
    r"[a-zA-Z0-9.!#$%&'*+\/=?^_`{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*"
)


@MANY
@given(batch(spoiled(st.emails(), [*'@.- "<>(),+é', "a" * 64, "\n"])))
def test_emails(prober, values):
    agrees(prober, "net.Email", values, lambda text: EMAIL.fullmatch(text) is not None and len(text) <= 254 and text.index("@") <= 64)


URL = st.builds(
    "{}://{}{}{}{}".format,
    st.sampled_from(["http", "https"]),
    st.sampled_from(["", "u@", "u:p@"]),
    st.one_of(NAME, V4, V6.map("[{}]".format)),
    st.sampled_from(["", ":80", ":65535", ":65536", ":0"]),
    st.sampled_from(["", "/", "/a/b", "?a=b", "#x", "/a%20b?c&d=/#?", "/%zz", "/a b"]),
)


@MANY
@given(batch(spoiled(URL, [*"/:@?#[]% \\^é", "\n", ".."])))
def test_what_is_accepted_as_a_url_can_be_taken_apart(prober, values):
    accepted = [value for value, found in zip(values, prober.accepts("net.URL", values), strict=True) if found]
    for value in accepted:
        parts = urlsplit(value)
        assert parts.scheme in {"http", "https"}
        assert parts.hostname
        assert parts.port is None or parts.port > 0
        assert value.isascii()
        assert not re.search(r"\s", value)


# ---- text ----

# The one that semver.org suggests in its questions and answers.
SEMVER = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?"
    r"(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?",
    re.ASCII,
)


NUMBERS = st.lists(st.integers(0, 12).map(str), min_size=3, max_size=3).map(".".join)
TAIL = st.lists(st.sampled_from(["0", "1", "01", "a", "0a", "-", "rc"]), max_size=3).map(".".join)
VERSION = st.builds("{}{}{}".format, NUMBERS, TAIL.map(lambda text: text and f"-{text}"), TAIL.map(lambda text: text and f"+{text}"))


@MANY
@given(batch(spoiled(VERSION, [*"0.-+av ", "01", "\n", "٣"])))
def test_semver(prober, values):
    agrees(prober, "versions.SemVer", values, lambda text: SEMVER.fullmatch(text) is not None)


@MANY
@given(batch(spoiled(st.binary(min_size=1, max_size=12).map(lambda content: base64.b64encode(content).decode()), [*"=A+-_ ", "\n"])))
def test_base64(prober, values):
    decodes = works(lambda text: base64.b64decode(text, validate=True), binascii.Error)
    agrees(prober, "text.Base64", values, lambda text: text != "" and len(text) % 4 == 0 and decodes(text))


@MANY
@given(batch(spoiled(st.uuids().map(str), [*"-{}gA0 ", "\n"])))
def test_uuids(prober, values):
    # uuid.UUID alone takes braces, blanks and what else int() takes.
    agrees(prober, "text.UUID", values, works(lambda text: ["", str(uuid.UUID(text))].index(text.lower())))


@MANY
@given(
    batch(
        spoiled(st.lists(st.sampled_from(["a", ".", "..", ".b", "..c", ""]), max_size=4).map(lambda parts: "/" + "/".join(parts)), [*"/. "])
    )
)
def test_normal_paths(prober, values):
    normal = lambda text: text.startswith("/") and not text.startswith("//") and posixpath.normpath(text) == text  # noqa: E731 one use
    agrees(prober, "unix.NormalPath", values, normal)


REF = st.lists(st.from_regex(r"[a-zA-Z0-9@._-]{1,6}", fullmatch=True), min_size=1, max_size=3).map("/".join)


@pytest.mark.skipif(shutil.which("git") is None, reason="NO GIT: GitRef is not compared with git check-ref-format")
@settings(MANY, max_examples=2)
@given(batch(spoiled(REF, [*"@{~^:?*[\\ /.-", "..", ".lock", "@{", "\x7f", "\n", "é"])))
def test_git_refs(prober, values):
    def git(text):
        return subprocess.run(["git", "check-ref-format", "--allow-onelevel", text], check=False).returncode == 0

    # git takes a leading - in a ref; as a branch it refuses it, and on a command line it would be an option.
    agrees(prober, "versions.GitRef", values, lambda text: git(text) and not text.startswith("-"))


# ---- times ----


@MANY
@given(
    batch(
        st.one_of(
            st.builds("{:04}-{:02}-{:02}".format, st.integers(1, 9999), st.integers(0, 13), st.integers(0, 32)),
            st.integers(1, 99).map("{}00-02-29".format).map(lambda text: text.zfill(10)),
        )
    )
)
def test_dates(prober, values):
    agrees(prober, "time.ISODate", values, works(dt.date.fromisoformat))
    agrees(prober, "time.Timestamp", [f"{value}T10:00:00Z" for value in values], lambda text: works(dt.date.fromisoformat)(text[:10]))


def test_every_time_zone_of_the_database(prober):
    names = sorted(zoneinfo.available_timezones())
    assert len(names) > 300
    accepted = prober.accepts("time.TimeZone", names)
    assert [name for name, found in zip(names, accepted, strict=True) if not found] == []


BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
RANGE = st.one_of(st.just("*"), st.integers(0, 61).map(str), st.builds("{}-{}".format, st.integers(0, 61), st.integers(0, 61)))
ELEMENT = st.one_of(RANGE, st.builds("{}/{}".format, RANGE, st.integers(0, 5)))
FIELD = st.one_of(st.just("*"), st.lists(ELEMENT, min_size=1, max_size=2).map(",".join))


def is_cron_field(text, low, high):
    for element in text.split(","):
        span, _, step = element.partition("/")
        ends = [low, high] if span == "*" else [int(end) for end in span.split("-")]
        if not low <= ends[0] <= ends[-1] <= high or ("/" in element and (int(step) == 0 or (span != "*" and len(ends) == 1))):
            return False
    return True


@MANY
@given(batch(st.tuples(st.integers(0, 4), FIELD)))
def test_cron_fields(prober, fields):
    lines = {" ".join(["*"] * at + [field] + ["*"] * (4 - at)): is_cron_field(field, *BOUNDS[at]) for at, field in fields}
    agrees(prober, "time.Cron", list(lines), lines.__getitem__)


# ---- shapes, and all of them ----


@MANY
@given(batch(st.lists(st.one_of(st.integers(0, 3), st.sampled_from(["a", "b", "1"])), max_size=4)))
def test_unique(prober, values):
    agrees(prober, "shapes.Unique", values, lambda elements: len(set(elements)) == len(elements))


ANYTHING = st.one_of(st.text(max_size=12), st.text('\0\n\r\t "\\%{}@/:.-=é0a👍🏽́', max_size=200))


@settings(MANY, max_examples=4)
@given(st.lists(ANYTHING.filter(lambda text: text.isprintable() or "\0" not in text), min_size=3, max_size=3))
def test_any_text_is_accepted_or_refused_with_a_short_message(prober, values):
    probes = [(contract, value) for contract in CASES for value in values]
    for (contract, value), said in zip(probes, prober.judge(probes), strict=True):
        assert said is None or len(said) < 700, (contract, value)
