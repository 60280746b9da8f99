import pytest

from g8r.executor import local_facts

DEBIAN = """PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
NAME="Debian GNU/Linux"
VERSION_ID="12"
VERSION_CODENAME=bookworm
ID=debian
# a comment=1
"""
FIB = """Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 10.1.2.0/24 2 0 2
        |-- 10.1.2.3
           /32 host LOCAL
        |-- 10.1.2.255
           /32 link BROADCAST
     +-- 127.0.0.0/8 2 0 2
        |-- 127.0.0.1
           /32 host LOCAL
     |-- 9.0.0.1
        /32 host LOCAL
Local:
        |-- 10.1.2.3
           /32 host LOCAL
"""
INET6 = """00000000000000000000000000000001 01 80 10 80       lo
fe800000000000000000000000000001 02 40 20 80     eth0
20010db8000000000000000000000005 02 40 00 80     eth0
"""


def test_os_release():
    assert local_facts.parse_os_release(DEBIAN) == {
        "id": "debian",
        "family": "debian",
        "version": "12",
        "codename": "bookworm",
        "name": "Debian GNU/Linux 12 (bookworm)",
    }


@pytest.mark.parametrize(
    ("text", "family"),
    [
        ("ID=ubuntu\nID_LIKE=debian\n", "debian"),
        ("ID=linuxmint\nID_LIKE='ubuntu debian'\n", "debian"),
        ('ID="rocky"\nID_LIKE="rhel centos fedora"\n', "redhat"),
        ('ID="opensuse-leap"\nID_LIKE="suse opensuse"\n', "suse"),
        ("ID=arch\n", "arch"),
        ("ID=void\n", "void"),
        ("", "linux"),
        ("ID='broken\n", "'broken"),
    ],
)
def test_families(text: str, family: str):
    assert local_facts.parse_os_release(text)["family"] == family


@pytest.mark.parametrize(
    ("nodename", "hosts", "names"),
    [
        ("web1.example.org", "", ("web1", "web1.example.org")),
        ("web1", "127.0.0.1 localhost\n127.0.1.1 web1.example.org web1 # me\n", ("web1", "web1.example.org")),
        ("web1", "10.0.0.2 web1.other.org web10\n", ("web1", "web1")),
        ("web1", "", ("web1", "web1")),
    ],
)
def test_host_names(nodename: str, hosts: str, names: tuple[str, str]):
    assert local_facts.host_names(nodename, hosts) == names


def test_addresses_are_those_that_others_can_reach():
    assert local_facts.addresses(FIB, INET6) == ("9.0.0.1", "10.1.2.3", "2001:db8::5")
    assert local_facts.addresses("", "") == ()


def test_memory():
    assert local_facts.total_memory("MemFree: 1 kB\nMemTotal:       2048 kB\n") == 2 * 1024 * 1024
    assert local_facts.total_memory("") == 0
