"""Every kind of expectation holds where it should, and says what differs, with the line of the test, where it does not."""

from __future__ import annotations

import pytest
from trying import results, told

from g8r.testing.cases import Expect

STACK = """\
{
  name = "shop",
  vars = { env | default = "dev", port | default = 80 },
  hosts = {
    web1.labels.role = "web",
    web2.labels.role = "web",
    db1.labels.role = "db",
  },
  tasks = {
    package.nginx = { on = { role = "web" } },
    file.conf = {
      on = { role = "web" },
      path = "/etc/nginx/conf.d/shop.conf",
      mode = "0640",
      content = "port %{std.to_string vars.port}\\nhost @{host.name}\\nos @{host.facts.os.codename}\\n",
    },
    file.sum = { on = { role = "web" }, path = "/etc/shop.sum", content = "@{file.conf.checksum}\\n" },
    file.token = { on = "db1", path = "/etc/token", content = "t=@{secret.shop/token}\\n", mode = "0600" },
    template.page = { on = "web1", path = "/srv/page", source = "page.j2", vars = { env = "@{vars.env}" } },
    directory.srv = { path = "/srv/shop" },
    service.nginx = { on = { role = "web" }, running = true, enabled = true, reload_on = ["file.conf"] },
    command.index = { on = "db1", argv = ["reindex", "--all"], creates = "/srv/shop/index" },
  },
  outputs = { port = vars.port, sum = "@{web1/file.conf.checksum}", made = "@{command.index.stdout}" },
}
"""

ALL = '["db1/command.index", "directory.srv", "db1/file.token", "web*/file.*", "web*/package.*", "web*/service.*", "template.page"]'
CONF = '"port 80\\nhost web1\\nos bookworm\\n"'

INDEXED = 'world.db1.programs.reindex.creates."/srv/shop/index" = ""'

HOLD = {
    "tasks": f"expect.tasks = {ALL}",
    "has and lacks": 'expect = { has = ["web1/file.conf", "file.*"], lacks = ["db1/file.conf", "user.*"] }',
    "params": 'expect.params."file.conf" = { mode = "0640", path = "/etc/nginx/conf.d/shop.conf" }',
    "params have their defaults": 'expect.params."file.conf" = { ensure = "present", owner = null, force = false }',
    "params on one host": 'expect.params."web1/template.page".vars.env = "dev"',
    "content whole": f'expect.content."web1/file.conf" = {CONF}',
    "content of every host": (
        'expect.content."file.conf" = { contains = ["port 80", "os bookworm"], lacks = "port 81", matches = "^host web\\\\d$" }'
    ),
    "content of a template": 'expect.content."template.page" = "env dev\\n"',
    "content with an output": 'expect.content."web1/file.sum".matches = "^sha256:[0-9a-f]{64}$"',
    "content with a secret": 'secrets."shop/token" = "hunter2", expect.content."file.token" = "t=hunter2\\n"',
    "content with a secret that is made up": 'expect.content."file.token" = "t=secret:shop/token\\n"',
    "vars": 'vars = { env = "prod", port = 8080 }, expect.content."web1/file.conf".contains = "port 8080"',
    "facts": 'facts.web1.os.codename = "trixie", expect.content."web1/file.conf".contains = "os trixie"',
    "hosts": 'hosts = { solo.labels.role = "web", web1.labels.role = "web", db1 = {} }, expect.has = ["solo/file.conf"]',
    "edges": 'expect.edges = [["file.conf", "file.sum"], ["file.conf", "service.nginx"]]',
    "order": (
        'expect.order = [["web1/package.nginx", "web1/file.sum"], ["package.nginx", "file.conf", "file.sum"], '
        '["directory.srv", "command.index"]]'
    ),
    "plan": (
        'expect.plan = { "web1/file.conf" = \'unknown, "file.sum" = \'create, "web1/service.nginx#restart" = \'no-op, '
        '"db1/command.index" = \'run }'
    ),
    "plan against a world": (
        'world.web1 = { packages.nginx = "", files."/etc/nginx/conf.d/shop.conf" = { content = "old", mode = "0600" } }, '
        'expect.plan = { "web1/file.conf" = \'update, "web1/package.nginx" = \'no-op, "web1/service.nginx#reload" = \'trigger }'
    ),
    "no changes": 'applied = {}, world.db1.programs.reindex.creates."/srv/shop/index" = "", expect.changes = {}',
    "changes": (
        'applied.vars = {}, vars.env = "prod", world.db1.programs.reindex.creates."/srv/shop/index" = "", '
        'expect.changes."template.page" = \'update'
    ),
    "outputs": "expect.outputs.port = 80",
    "outputs after an apply": (
        'world.db1.programs.reindex = { stdout = "12 shops", creates."/srv/shop/index" = "" }, '
        'expect = { converges = true, outputs.made = "12 shops" }'
    ),
    "converges": 'world.db1.programs.reindex.creates."/srv/shop/index" = "", expect.converges = true',
    "errors": 'vars.prot = 81, expect.errors = ["unknown-var"]',
    "errors by their text": 'vars.prot = 81, expect.errors = [{ code = "unknown-var", matches = "no var .prot" }]',
    "errors of other hosts": 'hosts.web1.labels.role = "web", expect.errors = ["unknown-host"]',
    "warnings": "expect.warnings = []",
    "warnings there are": 'vars.env = "@{host.name}", expect.warnings = ["reference-in-vars", { matches = "not resolved in a var" }]',
}

FAIL = {
    "tasks": (
        'expect.tasks = ["file.*", "user.ada"]',
        ["HERE: the tasks are not as expected; missing: user.ada; not expected: command.index, directory.srv, package.nginx"],
    ),
    "has": ('expect.has = ["file.conf", "file.cnf"]', ['HERE: there is no task file.cnf\nDid you mean "file.conf"?']),
    "has on a host": ('expect.has = ["db1/file.conf"]', ["HERE: there is no task db1/file.conf\nDid you mean"]),
    "lacks": ('expect.lacks = ["file.conf"]', ["HERE: there is web1/file.conf, web2/file.conf\nExpected none."]),
    "params": (
        'expect.params."web1/file.conf" = { mode = "0644", pth = "/x" }',
        ['HERE: web1/file.conf: mode is "0640"\nExpected "0644".', 'HERE: file has no param "pth"\nDid you mean "path"?'],
    ),
    "params of nothing": ('expect.params."user.ada" = {}', ["HERE: there is no task user.ada\nThe stack has command.index"]),
    "params inside": ('expect.params."template.page".vars.env = "prod"', ['HERE: web1/template.page: vars.env is "dev"\nExpected "prod".']),
    "content": (
        'expect.content."web1/file.conf" = "port 80\\n"',
        ["HERE: the content of web1/file.conf is not as expected\n- 'port 80\\n'\n+ 'port 80\\nhost web1\\nos bookworm\\n'"],
    ),
    "content in part": (
        'expect.content."web1/file.conf" = { contains = "port 81", lacks = "host", matches = ["^os$"] }',
        [
            'HERE: the content of web1/file.conf does not contain "port 81"\nIt holds:\n| port 80',
            'HERE: the content of web1/file.conf contains "host"',
            'HERE: the content of web1/file.conf does not match "^os$"',
        ],
    ),
    "content of what has none": (
        'expect.content."web1/service.nginx" = ""',
        ["HERE: web1/service.nginx has no content\nA service is not about"],
    ),
    "content of nothing": ('expect.content."file.nope" = ""', ["HERE: there is no task file.nope"]),
    "content with a secret": (
        'secrets."shop/token" = "hunter2", expect.content."file.token" = "t=hunter3\\n"',
        ["HERE: the content of db1/file.token is not as expected\nIt is sensitive, so it is not shown: (sensitive)."],
    ),
    "content in part with a secret": (
        'secrets."shop/token" = "hunter2", expect.content."file.token".contains = "3"',
        ['HERE: the content of db1/file.token does not contain "3"\nIt holds (sensitive).'],
    ),
    "content that is blocked": (
        'world.web1.directories."/etc/shop.sum" = {}, expect.content."web1/file.sum" = "x"',
        ["HERE: the content of web1/file.sum is not known\nIt is blocked: /etc/shop.sum is a directory"],
    ),
    "edges": (
        'expect.edges = [["file.sum", "file.conf"]]',
        ["HERE: web1/file.conf has no edge from file.sum\nIt comes after nothing.", "HERE: web2/file.conf has no edge"],
    ),
    "edges that are none of their own": (
        'expect.edges = [["package.nginx", "web1/file.sum"]]',
        ["HERE: web1/file.sum has no edge from package.nginx"],
    ),
    "order": (
        'expect.order = [["file.sum", "web1/file.conf"]]',
        ["HERE: web1/file.conf does not come after file.sum\nIt comes after web1/package.nginx."],
    ),
    "order of nothing": ('expect.order = [["file.sum", "user.ada"]]', ["HERE: there is no task user.ada"]),
    "plan": ('expect.plan."web1/file.sum" = \'update', ["HERE: web1/file.sum: the plan says create\nExpected update."]),
    "plan of a trigger": (
        'expect.plan."web1/service.nginx#restart" = \'trigger',
        ["HERE: the plan does not fire web1/service.nginx#restart\nExpected"],
    ),
    "plan that is blocked": (
        'world.web1.directories."/etc/shop.sum" = {}, expect.plan."web1/file.sum" = \'create',
        ["HERE: web1/file.sum: the plan says blocked because /etc/shop.sum is a directory"],
    ),
    "plan of nothing": ('expect.plan."file.cnf" = \'create', ['HERE: there is no task file.cnf\nDid you mean "file.conf"?']),
    "no changes": ("expect.changes = {}", ["HERE: the plan has changes: create db1/directory.srv, run db1/command.index"]),
    "changes": (
        f'applied.vars = {{}}, vars.env = "prod", {INDEXED}, expect.changes."file.conf" = \'update',
        [
            "HERE: web1/file.conf: the plan says no-op\nExpected update.",
            "HERE: web2/file.conf",
            "HERE: the plan does more than that: update web1/template.page",
        ],
    ),
    "outputs": (
        'expect.outputs = { port = 81, prot = 1, made = "x" }',
        [
            "HERE: the output port is 80\nExpected 81.",
            'HERE: the stack has no output "prot"\nDid you mean "port"?',
            "HERE: the output made is known only after apply\nSay converges = true",
        ],
    ),
    "converges": (
        "expect.converges = true",
        [
            (
                "HERE: it cannot be applied\ndb1/command.index: this host has no program reindex: declare the package that brings it\n"
                "The fake host has few"
            ),
        ],
    ),
    "converges to what is not there": (
        "world.db1.programs.reindex = {}, expect.converges = true",
        ["HERE: it cannot be applied\ndb1/command.index: "],
    ),
    "converges though blocked": (
        'world.web1.directories."/etc/shop.sum" = {}, expect.converges = true',
        ["HERE: the plan is blocked in 1 place\nweb1/file.sum: /etc/shop.sum is a directory"],
    ),
    "errors where there are none": ('expect.errors = ["unknown-var"]', ['HERE: no error is "unknown-var"\nThere is no error at all.']),
    "errors that are others": (
        'vars.prot = 81, expect.errors = ["unknown-vra"]',
        [
            'HERE: no error is "unknown-vra"\nThere is unknown-var (the stack has no var "prot"). Did you mean "unknown-var"?',
            "HERE: there is an error that was not expected: unknown-var",
        ],
    ),
    "errors by their text": (
        'vars.prot = 81, expect.errors = [{ code = "unknown-var", matches = "nothing like it" }]',
        ['HERE: no error is "unknown-var" and like "nothing like it"', "HERE: there is an error that was not expected"],
    ),
    "errors that nobody expects": (
        'vars.prot = 81, expect.has = ["file.conf"]',
        ["HERE: the stack has errors\nA test that means them says so with errors.\nunknown-var FILE:HERE:"],
    ),
    "errors of the hosts that the test gives": (
        'hosts.web1.labels.role = "web", expect.has = ["file.conf"]',
        ["HERE: the stack has errors\nA test that means them says so with errors.\nunknown-host "],
    ),
    "warnings": (
        'vars.env = "@{host.name}", expect.warnings = []',
        ["HERE: there is a warning that was not expected: reference-in-vars"],
    ),
    "warnings where there are none": ('expect.warnings = ["matches-nobody"]', ["HERE: no warning is"]),
    "facts of an unknown host": (
        'facts.wbe1.init = "", expect.has = ["file.conf"]',
        ['HERE: facts: unknown host "wbe1"\nDid you mean "web1"?'],
    ),
    "a world of an unknown host": (
        'world.elsewhere = {}, expect.has = ["file.conf"]',
        ['HERE: world: unknown host "elsewhere"\nThe stack is for db1, web1'],
    ),
    "a world that cannot be": (
        'world.web1 = { files."/etc/x" = { owner = "ada" }, packages.nginx.depends = ["nope"] }, expect.has = ["file.conf"]',
        ["HERE: /etc/x cannot be put on the host\n", "HERE: the package nginx cannot be installed\n"],
    ),
    "what was applied before cannot be": (
        "applied = {}, expect.changes = {}",
        ["HERE: before: it cannot be applied\ndb1/command.index: this host has no program reindex"],
    ),
    "what was applied before has errors": (
        "applied.vars.prot = 1, expect.changes = {}",
        ["HERE: what is to be applied before has errors\nunknown-var FILE:HERE"],
    ),
    "another stack": ('stack = "mian.ncl", expect.has = ["file.conf"]', ["HERE: there is no FOLDER/mian.ncl\n"]),
    "a stack outside": ('stack = "../../x.ncl", expect.has = ["file.conf"]', ['HERE: the stack "../../x.ncl" is not beside the tests\n']),
}


def tried(folder, tests):
    """The results of these tests, each on a line of its own, from line 2 on."""
    (folder / "main.ncl").write_text(STACK)
    (folder / "page.j2").write_text("env {{ env }}\n")
    lines = [f'  tests."{name}" = {{ {text} }},\n' for name, text in tests.items()]
    (folder / "main.test.ncl").write_text(f"{{\n{''.join(lines)}}}\n")
    return results(folder)


@pytest.fixture(scope="module")
def held(tmp_path_factory):
    return tried(tmp_path_factory.mktemp("held"), HOLD)


@pytest.fixture(scope="module")
def failed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("failed")
    found = tried(folder, {name: text for name, (text, _) in FAIL.items()})
    said = {}
    for number, name in enumerate(FAIL, 2):
        texts = [text.replace(str(folder / "main.test.ncl"), "FILE").replace(str(folder), "FOLDER") for text in told(found[name])]
        said[name] = [text.replace(f"{number}: ", "HERE: ", 1).replace(f"FILE:{number}:", "FILE:HERE:") for text in texts]
    return said


@pytest.mark.parametrize("name", HOLD)
def test_an_expectation_that_holds(held, name):
    assert told(held[name]) == []


@pytest.mark.parametrize("name", FAIL)
def test_an_expectation_that_does_not_hold_says_what_differs_and_where(failed, name):
    _, wanted = FAIL[name]
    assert len(failed[name]) == len(wanted), failed[name]
    for beginning in wanted:
        assert any(text.startswith(beginning) for text in failed[name]), (beginning, failed[name])


def test_a_command_of_every_apply_never_converges(tmp_path):
    tasks = '{ tasks.command.hi = { argv = ["true"], run = \'always }, name = "hi" }'
    (tmp_path / "main.ncl").write_text(tasks)
    (tmp_path / "main.test.ncl").write_text("{ tests.a.expect.converges = true }")
    (text,) = told(results(tmp_path)["a"])
    assert text.startswith("1: after an apply there is still something to do\nrun localhost/command.hi: ")


def test_a_sensitive_param_is_compared_and_not_shown(tmp_path):
    stack = '{ name = "pin", tasks.file.pin = { path = "/p", content = "CANARY", sensitive = ["content"] } }'
    (tmp_path / "main.ncl").write_text(stack)
    (tmp_path / "main.test.ncl").write_text(
        '{ tests = { a.expect.params."file.pin".content = "x", b.expect.params."file.*".content = "CANARY" } }'
    )
    found = results(tmp_path)
    assert told(found["a"]) == ["1: localhost/file.pin: content is not as expected\nIt is sensitive, so it is not shown: (sensitive)."]
    assert found["b"].passed


def test_an_order_may_go_by_way_of_others_and_an_edge_may_not(tmp_path):
    files = 'a = { path = "/a" }, b = { path = "/b", needs = ["file.a"] }, c = { path = "/c", needs = ["file.b"] }'
    (tmp_path / "main.ncl").write_text(f'{{ name = "abc", tasks.file = {{ {files} }} }}')
    chain = '[["file.a", "file.c"]]'
    (tmp_path / "main.test.ncl").write_text(f"{{ tests = {{ order.expect.order = {chain}, edges.expect.edges = {chain} }} }}")
    found = results(tmp_path)
    assert found["order"].passed
    assert told(found["edges"]) == ["1: localhost/file.c has no edge from file.a\nIt comes after localhost/file.b (needs)."]


def test_every_kind_of_expectation_is_seen_to_fail():
    asked = " ".join(text for text, _ in FAIL.values())
    assert [field for field in Expect.__struct_fields__ if field not in asked] == ["snapshot"]  # that one is in test_snapshots.py
