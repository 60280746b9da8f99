"""What policies are asked about: the stack's document, what is masked in it, and which value stands in which line of it."""

from __future__ import annotations

import json

import toys
from hypothesis import given
from hypothesis import strategies as st

from g8r.compiler.decode import decode
from g8r.compiler.expand import expand_hosts
from g8r.compiler.policy import inputs

NOW = "2026-11-22T17:03:09Z"
DOCUMENT = {
    "name": "s",
    "vars": {"mode": "0600", "port": 80, "deep": {"a": [1]}},
    "hosts": {"web1": {"labels": {"role": "web"}, "connection": "fake"}, "db1": {"address": "192.0.2.1", "vars": {"x": 1}}},
    "groups": {"role=web": {"vars": {"y": 2}}},
    "outputs": {"o": "@{vars.port}"},
    "tasks": {
        "file": {
            "a": {
                "on": {"role": "web"},
                "path": "/etc/@{vars.mode}/@{host.name}",
                "mode": "@{vars.mode}",
                "content": "token = @{secret.a/b}\n",
                "lifecycle": {"prevent_destroy": True, "exempt": [{"policy": "p", "reason": "r", "until": "2026-12-31"}]},
            },
            "b": {"path": "/b", "content": "geheim"},
            "c": {"path": "/c", "content": "@{secret.c}", "retry": {"attempts": 3}, "timeout": "5s", "moved_from": "file.old"},
        },
        "service": {
            "s": {
                "port": "@{vars.port}",
                "needs": ["file.a"],
                "restart_on": ["file.a"],
                "become": "ada",
                "on": "web1",
                "extra": {"n": 1, "t": ["x", None, True]},
                "sensitive": ["extra"],
            }
        },
    },
}


def of(document):
    decoded = decode(document, toys.KINDS)
    assert not decoded.diagnostics
    return inputs.of_stack(decoded.stack, expand_hosts(decoded.stack, {})[0], NOW, lambda kind: toys.KINDS[kind])


def test_the_stack_is_whole():
    made = of(DOCUMENT)
    assert {key: made[key] for key in ("name", "vars", "groups", "outputs")} == {
        "name": "s",
        "vars": DOCUMENT["vars"],
        "groups": DOCUMENT["groups"],
        "outputs": DOCUMENT["outputs"],
    }
    assert made["hosts"] == {
        "db1": {"address": "192.0.2.1", "labels": {}, "connection": None, "vars": {"x": 1}},
        "web1": {"address": "web1", "labels": {"role": "web"}, "connection": "fake", "vars": {}},
    }
    assert [task["address"] for task in made["tasks"]] == ["file.a", "file.b", "file.c", "service.s"]


def test_now_is_in_parts():
    assert of(DOCUMENT)["now"] == {
        "timestamp": NOW,
        "date": "2026-11-22",
        "time": "17:03",
        "weekday": "Sunday",
        "hour": 17,
        "minute": 3,
    }


def test_a_task_has_its_hosts_all_its_params_and_its_meta_arguments():
    first, second, third, service = of(DOCUMENT)["tasks"]
    assert first["params"] == {
        "path": "/etc/0600/@{host.name}",
        "content": "(sensitive)@{secret.a/b}(sensitive)",
        "source": None,
        "mode": "0600",
        "owner": None,
        "backup": False,
        "ensure": "present",
    }
    assert (first["hosts"], second["hosts"]) == (["web1"], ["db1", "web1"])
    assert first["lifecycle"] == {"prevent_destroy": True, "ignore_changes": [], "on_remove": None}
    assert (third["retry"], third["timeout"], third["moved_from"]) == ({"attempts": 3, "delay": 1.0}, 5.0, ["file.old"])
    assert (service["params"]["port"], service["params"]["ports"], service["params"]["name"]) == (80, [1], "s")
    assert (service["needs"], service["triggers"], service["become"]) == (["file.a"], {"restart": ["file.a"]}, "ada")


def test_what_is_sensitive_is_masked_and_what_it_refers_to_is_not():
    first, second, third, service = of(DOCUMENT)["tasks"]
    assert [task["params"]["content"] for task in (second, third)] == ["(sensitive)", "@{secret.c}"]
    assert service["params"]["extra"] == {"n": "(sensitive)", "t": ["(sensitive)", None, "(sensitive)"]}
    assert (first["sensitive"], service["sensitive"]) == (["content"], ["extra"])
    assert "geheim" not in json.dumps(of(DOCUMENT))


def test_a_stack_without_hosts_is_for_this_machine():
    made = of({"name": "s", "tasks": {"file": {"a": {"path": "/a"}}}})
    assert list(made["hosts"]) == ["localhost"]
    assert made["tasks"][0]["hosts"] == ["localhost"]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


@given(VALUES)
def test_every_line_has_the_path_of_what_begins_in_it(value):
    lines = inputs.text(value).decode().split("\n")
    paths = inputs.by_line(value)
    assert len(lines) == len(paths)
    for path in dict.fromkeys(paths):
        first, last = paths.index(path), len(paths) - 1 - paths[::-1].index(path)
        text = "\n".join(lines[first : last + 1]).strip().removesuffix(",")
        is_field = bool(path) and isinstance(path[-1], str)
        read = json.loads(f"{{{text}}}")[path[-1]] if is_field else json.loads(text)
        wanted = value
        for part in path:
            wanted = wanted[part]
        assert read == wanted
