"""examples/nginx on a booted Debian, from nothing to a page and back again."""

from __future__ import annotations

import json
from typing import Any

import machines
import pytest
import rootfs
import snapshots

pytestmark = [pytest.mark.real, pytest.mark.slow]

EXAMPLE = rootfs.CHECKOUT / "examples" / "nginx"
SITE = "/root/site"
CONF = "/etc/nginx/conf.d/site.conf"
OWN = ("/root", "/var/lib/g8r")
"""The stack with its state, and g8r's record of who manages what on this host."""
FORGIVEN = (*OWN, "/etc/machine-id", "/var/lib/dpkg/status-old", "/var/lib/apt/extended_states")
"""Beside that: what differs between any two machines; dpkg's backup; the list of automatic packages, which apt leaves empty."""

WITHOUT_NGINX = """
{
  name = "nginx-example",
  vars.greeting | default = "Hello from g8r",
  tasks = {
    directory.site = { path = "/srv/site", mode = "0755" },
    template.page = {
      path = "/srv/site/index.html",
      source = "index.html.j2",
      mode = "0644",
      vars = { greeting = "@{vars.greeting}", host = "@{host.name}" },
    },
  },
}
"""


def fresh(boot: machines.Boot, bridge: machines.Bridge) -> machines.Machine:
    """A machine with current package lists and nothing else: g8r must not need to refresh them, so that machines compare."""
    machine = boot("h1", bridge=bridge)
    machine.run(["apt-get", "update", "-q"], check=True)
    return machine


@pytest.fixture(scope="module")
def served(shared_boot: machines.Boot) -> machines.Machine:
    return fresh(shared_boot, shared_boot.bridge(apt=True))


@pytest.fixture
def site(served: machines.Machine) -> machines.Machine:
    """A machine that is as the example says."""
    served.push(EXAMPLE, SITE)
    served.g8r("apply", "--yes", cwd=SITE, check=True)
    return served


def planned(machine: machines.Machine) -> dict[str, Any]:
    """The plan as a document, saved as p.g8r, too; its exit code must agree with it."""
    ran = machine.g8r("plan", "--json", "-o", "p.g8r", "--detailed-exitcode", cwd=SITE)
    assert ran.code in {0, 2}, ran
    document: dict[str, Any] = json.loads(ran.stdout)
    changing = any(actions != ["no-op"] for actions in changes(document).values()) or bool(triggers(document))
    assert ran.code == (2 if changing else 0), ran
    return document


def changes(document: dict[str, Any]) -> dict[str, list[str]]:
    """What a plan does to each task, without those that it leaves alone."""
    found = {change["address"]: change["change"]["actions"] for change in document["resource_changes"]}
    return {address.removeprefix("localhost/"): actions for address, actions in sorted(found.items()) if actions != ["no-op"]}


def triggers(document: dict[str, Any]) -> list[str]:
    return [f"{trigger['address'].removeprefix('localhost/')}#{trigger['verb']}" for trigger in document["g8r"]["triggers"]]


def page(machine: machines.Machine) -> str:
    """The answer of the site, with its headers."""
    ask = ["curl", "--silent", "--show-error", "--fail", "--include", "--max-time", "10", "http://127.0.0.1:8080/"]
    return machine.run(ask, check=True).stdout


def edit(machine: machines.Machine, path: str, old: str, new: str) -> None:
    before = machine.read(path)
    assert old in before
    machine.put(path, before.replace(old, new))


def test_from_nothing_to_a_page_and_back(boot: machines.Boot) -> None:
    bridge = boot.bridge(apt=True)
    machine = fresh(boot, bridge)
    machine.push(EXAMPLE, SITE)
    before = machine.snapshot()

    document = planned(machine)
    everything = ["directory.site", "package.nginx", "service.nginx", "template.page", "template.site"]
    assert changes(document) == {address: changes(document)[address] for address in everything}
    assert changes(document)["package.nginx"] == ["create"]
    assert before.differences(machine.snapshot(), forgiven=OWN) == [], "[P-pure] a plan changed the machine"

    machine.g8r("apply", "p.g8r", "--yes", cwd=SITE, check=True)
    assert "<p>Hello from g8r, on localhost.</p>" in page(machine)
    assert machine.run(["systemctl", "is-enabled", "nginx"]).stdout == "enabled\n"
    again = planned(machine)
    assert (changes(again), triggers(again)) == ({}, [])

    machine.put(f"{SITE}/main.ncl", WITHOUT_NGINX)
    document = planned(machine)
    assert sorted(changes(document)) == ["package.nginx", "service.nginx", "template.site"]
    assert (changes(document)["package.nginx"], changes(document)["template.site"]) == (["delete"], ["delete"])
    machine.g8r("apply", "--yes", cwd=SITE, check=True)
    assert not machine.exists(CONF)
    assert not machine.exists("/usr/sbin/nginx")
    assert "Hello from g8r" in machine.read("/srv/site/index.html"), "what is still declared must stay"
    left = before.differences(machine.snapshot(), times=False, forgiven=(*FORGIVEN, "/srv/site"))
    assert left == left_by_apt(boot, bridge), "[S-prune] removal leaves exactly what purging nginx by hand leaves"


def test_destroy_leaves_what_apt_leaves(boot: machines.Boot) -> None:
    bridge = boot.bridge(apt=True)
    machine = fresh(boot, bridge)
    machine.push(EXAMPLE, SITE)
    before = machine.snapshot()
    machine.g8r("apply", "--yes", cwd=SITE, check=True)
    machine.g8r("destroy", "--yes", cwd=SITE, check=True)
    assert before.differences(machine.snapshot(), times=False, forgiven=FORGIVEN) == left_by_apt(boot, bridge)


def test_what_the_package_brought_is_adopted(boot: machines.Boot) -> None:
    """Law 4: what g8r did not create stays as last set. nginx.conf and the unit come with the package, not from g8r."""
    machine = fresh(boot, boot.bridge(apt=True))
    package = "package.nginx = {}"
    whole = 'file.whole = { path = "/etc/nginx/nginx.conf", content = "events {}\\n" }, service.nginx.running = true'
    machine.put(f"{SITE}/main.ncl", f'{{ name = "s", tasks = {{ {package}, {whole} }} }}\n')
    machine.g8r("apply", "--yes", cwd=SITE, check=True)
    assert machine.read("/etc/nginx/nginx.conf") == "events {}\n"
    machine.put(f"{SITE}/main.ncl", f'{{ name = "s", tasks = {{ {package} }} }}\n')
    assert changes(planned(machine)) == {"file.whole": ["forget"], "service.nginx": ["forget"]}


def left_by_apt(boot: machines.Boot, bridge: machines.Bridge) -> list[str]:
    """What differs on a machine where nginx was installed and purged by hand: what Debian's own packages leave behind."""
    machine = fresh(boot, bridge)
    before = machine.snapshot()
    machine.run(["apt-get", "install", "-qy", "--no-install-recommends", "nginx"], check=True)
    machine.run(["apt-get", "purge", "-qy", "--auto-remove", "nginx"], check=True)
    left = before.differences(machine.snapshot(), times=False, forgiven=FORGIVEN)
    assert not any(line.startswith("package") for line in left)
    return left


def test_changed_template_is_one_update_and_one_reload(site: machines.Machine) -> None:
    edit(site, f"{SITE}/site.conf.j2", "server_name _;", "server_name _;\n    add_header X-Edition two;")
    document = planned(site)
    assert changes(document) == {"template.site": ["update"]}
    assert triggers(document) == ["service.nginx#reload"]

    main = ["systemctl", "show", "--property=MainPID", "nginx"]
    process = site.run(main).stdout
    site.g8r("apply", "p.g8r", "--yes", cwd=SITE, check=True)
    assert "X-Edition: two" in page(site)
    assert site.run(main).stdout == process, "a reload must not restart"
    assert triggers(planned(site)) == []


def test_hand_edited_file_is_drift(site: machines.Machine) -> None:
    assert "template.site" not in site.g8r("drift", cwd=SITE, check=True).stdout
    edit(site, CONF, "listen 8080;", "listen 8080;\n    # by hand")
    before = site.snapshot()
    told = site.g8r("drift", cwd=SITE)
    assert told.code in {0, 2}, told
    assert "template.site" in told.stdout
    assert "template.page" not in told.stdout
    assert before.differences(site.snapshot(), forgiven=OWN) == [], "looking for drift changed the machine"


def test_hand_edited_file_is_mended(site: machines.Machine) -> None:
    edit(site, CONF, "listen 8080;", "listen 8080;\n    # by hand")
    document = planned(site)
    assert changes(document) == {"template.site": ["update"]}
    assert triggers(document) == ["service.nginx#reload"]
    assert [change["address"].removeprefix("localhost/") for change in document["resource_drift"]] == ["template.site"]
    site.g8r("apply", "--yes", cwd=SITE, check=True)
    assert "by hand" not in site.read(CONF)


def test_stopped_service_is_started(site: machines.Machine) -> None:
    site.run(["systemctl", "disable", "--now", "nginx"], check=True)
    document = planned(site)
    assert changes(document) == {"service.nginx": ["update"]}
    site.g8r("apply", "--yes", cwd=SITE, check=True)
    assert "Hello from g8r" in page(site)
    assert site.run(["systemctl", "is-enabled", "nginx"]).stdout == "enabled\n"


def test_var_changes_the_page_without_a_reload(site: machines.Machine) -> None:
    site.g8r("apply", "--yes", "--var", "greeting=Hi", cwd=SITE, check=True)
    assert "<p>Hi, on localhost.</p>" in page(site)
    document = planned(site)
    assert changes(document) == {"template.page": ["update"]}
    assert triggers(document) == []


def test_snapshot_of_a_converged_site_stays(site: machines.Machine) -> None:
    before: snapshots.Snapshot = site.snapshot()
    site.g8r("apply", "--yes", cwd=SITE, check=True)
    assert before.differences(site.snapshot(), forgiven=OWN) == [], "an apply with nothing to do touched the machine"
