"""Cases of the kind `template`."""

from __future__ import annotations

import functools

from case import CANARY, Case, folder, text
from cases.file import validator

from g8r.executor.fake_host import FakeHost

case = functools.partial(Case, kind="template")

BLOCKS = """\
upstream app {
    {% for backend in backends %}
    server {{ backend.address }}:{{ backend.port | default(80) }};
    {% endfor %}
}
{% if note is defined %}
# {{ note }}
{% endif %}
"""


def _no_validator_ran(host: FakeHost) -> None:
    assert not [argv for name, argv in host.calls if name == "run"]


CASES = [
    case(
        name="a new file",
        params={"path": "/srv/x", "content": "listen {{ port }};\n", "vars": {"port": 80}, "mode": "0640", "group": "adm"},
        verdict="create",
        after={"/srv/x": text("listen 80;\n", 0o640, "root", "adm")},
    ),
    case(
        name="blocks leave no empty lines",
        params={"path": "/srv/x", "content": BLOCKS, "vars": {"backends": [{"address": "a"}, {"address": "b", "port": 8080}]}},
        before={"/srv/x": text("old", 0o600, "mail", "adm")},
        verdict="update",
        after={"/srv/x": text("upstream app {\n    server a:80;\n    server b:8080;\n}\n", 0o600, "mail", "adm")},
    ),
    case(
        name="nothing is escaped, and no newline is added",
        params={"path": "/srv/x", "content": "{{ a }}", "vars": {"a": "<&'\">"}},
        verdict="create",
        after={"/srv/x": text("<&'\">")},
    ),
    case(
        name="as rendered",
        params={"path": "/srv/x", "content": "{{ a }}\n", "vars": {"a": "b"}},
        before={"/srv/x": text("b\n")},
        verdict="unchanged",
        after={"/srv/x": text("b\n")},
    ),
    case(
        name="rendered to more than a state carries",
        params={"path": "/srv/x", "content": "{% for _ in range(30000) %}0123456789{% endfor %}"},
        verdict="create",
        after={"/srv/x": text("0123456789" * 30_000)},
    ),
    case(
        name="absent",
        params={"path": "/srv/x", "ensure": "absent"},
        before={"/srv/x": text("b\n")},
        verdict="delete",
        after={"/srv/x": None},
    ),
    case(
        name="a directory in the way",
        params={"path": "/srv/x", "content": "x"},
        before={"/srv/x": folder()},
        verdict="blocked",
        says="/srv/x is a directory",
    ),
    case(
        name="a value that has no such part",
        params={"path": "/srv/x", "content": "one\n{{ a.b }}\n", "vars": {"a": {}}},
        verdict="blocked",
        says="/srv/x cannot be rendered: 'dict object' has no attribute 'b' in line 2 of its template",
        after={"/srv/x": None},
    ),
    case(
        name="a filter that fails",
        params={"path": "/srv/x", "content": "\n\n{{ a + 1 }}\n", "vars": {"a": "b"}},
        verdict="blocked",
        says="TypeError in line 3",
    ),
    case(
        name="what the sandbox forbids",
        params={"path": "/srv/x", "content": "{{ a.__class__.__mro__ }}\n", "vars": {"a": "b"}},
        verdict="blocked",
        says="SecurityError",
    ),
    case(
        name="a secret",
        params={"path": "/srv/x", "content": "password {{ p }}\n", "vars": {"p": CANARY}, "mode": "0600"},
        before={"/srv/x": text("password old\n")},
        sensitive=("vars",),
        verdict="update",
        after={"/srv/x": text(f"password {CANARY}\n", 0o600)},
    ),
    case(
        name="a secret in an error",
        params={"path": "/srv/x", "content": "{{ {}[p] }}\n", "vars": {"p": CANARY}},
        sensitive=("vars",),
        verdict="blocked",
        says="a name that is not defined in line 1",
    ),
    case(
        name="a secret that its validator refuses",
        params={"path": "/srv/x", "content": "bad {{ p }}\n", "vars": {"p": CANARY}, "validate": ["check", "{}"]},
        sensitive=("vars",),
        arrange=validator,
        verdict="create",
        fails="may hold secrets",
        after={"/srv/x": None},
    ),
    case(
        name="attributes alone are not validated",
        params={"path": "/srv/x", "content": "bad\n", "mode": "0600", "validate": ["check", "{}"]},
        before={"/srv/x": text("bad\n")},
        arrange=validator,
        verdict="update",
        after={"/srv/x": text("bad\n", 0o600)},
        check=_no_validator_ran,
    ),
]
