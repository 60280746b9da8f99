import time
from pathlib import Path

import pytest

from g8r.executor import accounts, local_names
from g8r.executor.local_names import LocalNames
from g8r.host import HostError

PASSWD = b"""root:x:0:0:root:/root:/bin/bash
toor:x:0:0::/root:/bin/sh
ada:x:1815:100:Ada L\xc3\xb6velace,,,:/home/ada:/bin/bash
+nis::::::
# comment
broken:x:12
letters:x:one:two:::
stray:x:7:4242::/:/bin/false

ada:x:9:9::/:/bin/false
"""
GROUP = b"root:x:0:\nusers:x:100:ada,root\nalso:x:100:\nempty:x:5\nstaff:x:50:ada\n"


def test_parse():
    names = accounts.parse(PASSWD, GROUP)
    assert set(names.accounts) == {"root", "toor", "ada", "stray"}
    ada = names.accounts["ada"]
    assert (ada.uid, ada.gid, ada.group, ada.comment, ada.home, ada.shell) == (
        1815,
        100,
        "users",
        "Ada Lövelace,,,",
        "/home/ada",
        "/bin/bash",
    )
    assert names.accounts["stray"].group == "4242"
    assert names.groups["users"].members == ("ada", "root")
    assert names.owner(0) == "root"
    assert names.owner(77) == "77"
    assert names.group(100) == "users"
    assert names.uid("ada") == 1815
    assert names.uid("77") == 77
    assert names.uid("ghost") is None
    assert names.groups_of("ada") == {100, 50}


def test_what_changes_on_disk_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    passwd, group = tmp_path / "passwd", tmp_path / "group"
    passwd.write_bytes(PASSWD)
    group.write_bytes(GROUP)
    monkeypatch.setattr(local_names, "_PASSWD", str(passwd))
    monkeypatch.setattr(local_names, "_GROUP", str(group))
    names = LocalNames()
    assert names.of_ids(1815, 50) == ("ada", "staff")
    first = names.names()
    assert names.names() is first
    fresh = tmp_path / "new"
    fresh.write_bytes(PASSWD.replace(b"ada:x:1815", b"eve:x:1815"))
    fresh.rename(passwd)
    time.sleep(2 * local_names.FRESH)
    assert names.of_ids(1815, 50) == ("eve", "staff")
    second = names.names()
    names.forget()
    assert names.names() is not second
    passwd.unlink()
    time.sleep(2 * local_names.FRESH)
    assert names.names().accounts == {}


def test_the_c_library_is_asked_about_strangers():
    names = LocalNames()
    assert names.of_ids(3_999_999_999, 3_999_999_999) == ("3999999999", "3999999999")
    assert names.ids(None, None, (4, 5)) == (4, 5)
    assert names.ids("12", None, (4, 5)) == (12, 5)
    assert names.account("ghost-of-g8r") is None
    with pytest.raises(HostError, match='no user "ghost-of-g8r"'):
        names.ids("ghost-of-g8r", None, (0, 0))
    with pytest.raises(HostError, match='no group "ghost-of-g8r"'):
        names.ids(None, "ghost-of-g8r", (0, 0))
