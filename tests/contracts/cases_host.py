"""Good and bad values of net.ncl and unix.ncl."""

from case_values import bad, cases

PORT = "expected a port number (1-65535), got "

NET = {
    "net.Port": cases([80, 1, 65535, 8080.0], (70000, f"{PORT}70000"), *bad(PORT, 0, -1, 1.5, "80", None, True, [80])),
    "net.UnprivilegedPort": cases([8080, 1024], (80, "expected a port number above 1023 (1024-65535), got 80"), *bad("got", 65536, "8080")),
    "net.PortRange": cases(
        ["8000-8100", "1-65535", "80-80"],
        ("8100-8000", '"8100-8000": it ends before it begins'),
        *bad("expected a port range such as 8000-8100", "80", "0-80", "80-70000", "80-", " 1-2", 8000),
    ),
    "net.DNSLabel": cases(["web-1", "a", "1", "a" * 63], *bad("expected a DNS label", "Web_1", "-a", "a-", "a" * 64, "a.b", "")),
    "net.HostName": cases(
        ["web1.example.org", "web1", "WEB1", "a.b.c", "1a", "xn--bcher-kva.example", "3.com", ".".join(["a" * 49] * 5)],
        *bad("expected a host name", "web_1", "192.0.2.999", "192.0.2.1", "a..b", ".a", "a.", "-a", "a-", "a" * 64, "a b", "a\n", ""),
        (".".join(["a" * 50] * 5), "expected a host name"),
    ),
    "net.FQDN": cases(
        ["web1.example.org", "web1.example.org.", "a.b"],
        *bad("expected a host name with its domain", "web1", "a..b", "a.b..", "192.0.2.1", "web_1.example.org", "."),
    ),
    "net.DNSName": cases(
        ["_sip._tcp.example.org", "*.example.org", "example.org.", "www"],
        *bad("expected a DNS name", "*", "a.*.org", "-a.org", "a b.org", "192.0.2.1", ""),
    ),
    "net.InterfaceName": cases(
        ["eth0", "br-lan", "eth0.100", "a" * 15],
        *bad("expected the name of a network interface", "enp0s31f6-uplink", "a b", "a/b", "a:b", "..", ".", ""),
    ),
    "net.IPv4": cases(
        ["192.0.2.1", "0.0.0.0", "255.255.255.255"],
        *bad(
            "expected an IPv4 address such as 192.0.2.1", "192.0.2.256", "1.2.3", "1.2.3.4.5", "01.2.3.4", "1.2.3.4 ", "1.2.3.4\n", "::1", 1
        ),
    ),
    "net.IPv6": cases(
        ["2001:db8::1", "::", "::1", "1::", "1:2:3:4:5:6:7:8", "::ffff:192.0.2.1", "1:2:3:4:5:6:192.0.2.1", "1:2:3:4:5:6:7::", "FE80::A"],
        *bad(
            "expected an IPv6 address such as 2001:db8::1", "2001:db8:::1", "1:2:3:4:5:6:7", "1::2::3", "12345::", "fe80::1%eth0", "[::1]"
        ),
        *bad("expected an IPv6 address", "1:2:3:4:5:6:7:8:9", "::192.0.2.256", "192.0.2.1::", "1:2:3:4:5:6:7::8", ""),
    ),
    "net.IP": cases(["192.0.2.1", "2001:db8::1"], *bad("expected an IP address", "192.0.2", "localhost", "192.0.2.0/24", "192.0.2.1\n")),
    "net.CIDRv4": cases(
        ["192.0.2.0/24", "0.0.0.0/0", "192.0.2.1/32"],
        ("10.1.2.3/8", 'got "10.1.2.3/8": it is an address in the network 10.0.0.0/8'),
        ("192.0.2.255/25", "network 192.0.2.128/25"),
        *bad("expected an IPv4 network such as 192.0.2.0/24", "192.0.2.0/33", "192.0.2.0/024", "192.0.2.0", "::/0", "10/8"),
    ),
    "net.CIDRv6": cases(
        ["2001:db8::/32", "::/0", "::1/128", "2001:DB8:0:ff00::/56", "::ffff:192.0.2.0/120"],
        ("2001:db8::1/32", "there are bits set behind the prefix"),
        *bad("expected an IPv6 network such as 2001:db8::/32", "2001:db8::/129", "2001:db8::", "192.0.2.0/24", "2001:db8:/32"),
    ),
    "net.CIDR": cases(
        ["192.0.2.0/24", "2001:db8::/32"],
        ("192.0.2.7/24", "it is an address in the network 192.0.2.0/24"),
        ("2001:db8::1/64", "bits set behind the prefix"),
        *bad("expected a network such as 192.0.2.0/24 or 2001:db8::/32", "192.0.2.0", "::", "example.org/8", 24),
    ),
    "net.InterfaceAddress": cases(
        ["192.0.2.7/24", "2001:db8::7/64", "10.0.0.0/8"],
        *bad("expected an address with a prefix such as 192.0.2.7/24", "192.0.2.7", "192.0.2.7/33", "::/129"),
    ),
    "net.MAC": cases(
        ["02:00:5e:10:00:ff", "02-00-5E-10-00-FF"],
        *bad(
            "expected a MAC address such as 02:00:5e:10:00:ff",
            "02:00:5e:10:00",
            "02:00-5e:10:00:ff",
            "02005e1000ff",
            "0g:00:5e:10:00:ff",
            "02:00:5e:10:00:ff:",
        ),
    ),
    "net.HostPort": cases(
        ["db1.example.org:5432", "db1:1", "192.0.2.1:80", "[2001:db8::1]:53"],
        *bad("expected a host and port", "db1", "db1:", "db1:0", "db1:65536", "2001:db8::1:53", ":80"),
    ),
    "net.ListenAddress": cases(
        ["127.0.0.1:8080", "[::]:80", ":80", "*:80", "localhost:80"],
        *bad("expected an address and port", "8080", "example.org:80", "::1:80", "127.0.0.1", ":0"),
    ),
    "net.URL": cases(
        [
            "https://example.org/a?b=c#d",
            "http://a",
            "http://a:8080",
            "https://u:p@a.b/",
            "https://[::1]:443/x",
            "http://192.0.2.1/%20",
            "http://a?b=/?",
        ],
        *bad(
            "expected a URL such as https://example.org/a",
            "example.org",
            "ftp://a/b",
            "https://",
            "https:///a",
            "https://a b",
            "https://a/b c",
            "https://a:99999",
        ),
        *bad("expected a URL", "https://192.0.2.999/", "https://a/%2", "https://-a/", "HTTPS//a", "https://a/\n"),
        ("https://ada:hunter2@exa mple.org", 'got "https://***@exa mple.org"'),
    ),
    "net.HTTPS": cases(["https://example.org/a"], *bad("expected an https URL such as", "http://example.org/a", "https:/a", "x https://a")),
    "net.URI": cases(
        ["postgres://db1/app", "s3://bucket/key", "urn:x:y", "mailto:a@b", "https://a/b"],
        *bad("expected a URI with a scheme", "db1/app", "1s://a", "a:", "a:b c", "://a"),
    ),
    "net.Email": cases(
        ["ops@example.org", "a.b+c@d", "root@localhost", "o'neil@example.co.uk"],
        *bad(
            "expected an e-mail address such as ops@example.org",
            "ops",
            "@a",
            "a@",
            "a@b@c",
            "a b@c.d",
            "a@-b.c",
            "a@b..c",
            "a" * 65 + "@b.c",
            "Ada <ada@b.c>",
        ),
        ("a@" + ".".join(["b" * 60] * 5), "expected an e-mail address"),
    ),
}

UNIX = {
    "unix.AbsolutePath": cases(
        ["/etc/motd", "/", "/a b", "//a/../b/"], *bad("expected an absolute path", "etc/motd", "", "~/a", "/a\0b", "./a")
    ),
    "unix.NormalPath": cases(
        ["/etc/nginx/conf.d", "/", "/a/.b", "/a/..b", "/.a.", "/a..b", "/..."],
        *bad(
            "expected an absolute path without //, ., .. or a / at the end", "/etc/../etc", "/a/", "/a//b", "//", "/.", "/a/..", "/./a", "a"
        ),
    ),
    "unix.RelativePath": cases(
        ["conf.d/site.conf", "a", "./a", ".a", "a/", "..a", "a..b/c"],
        *bad("expected a relative path without ..", "../a", "/a", "a/../b", "..", "a/..", "a//b", ""),
    ),
    "unix.FileName": cases(
        ["site.conf", ".bashrc", "...", "..a", "a" * 255],
        *bad("expected the name of a file, without a /", "a/b", ".", "..", "", "a" * 256, "a\0"),
    ),
    "unix.Mode": cases(
        ["0644", "755", "4755"],
        (644, 'expected an octal mode in quotes such as "0644", got 644'),
        *bad("expected an octal mode", "0888", "u+x", "64", "00644"),
    ),
    "unix.SafeMode": cases(
        ["0644", "0640", "1775"],
        ("0666", 'got "0666": everybody may write'),
        ("1777", "everybody may write"),
        *bad("expected an octal mode", 644, "x"),
    ),
    "unix.UserName": cases(
        ["www-data", "_apt", "a", "machine$", "a" * 32],
        *bad("expected a user name such as www-data", "Ada", "1ada", "a b", "a" * 33, "", "-a", "a:b"),
    ),
    "unix.GroupName": cases(["www-data", "_ssh"], *bad("expected a group name such as www-data", "Wheel", "0", "a,b")),
    "unix.AccountName": cases(["www-data", "1000", "0"], *bad("expected a user or group name", "Ada", 1000, "1a", "-1")),
    "unix.UID": cases([1000, 0], *bad("expected a user or group id (0-4294967294)", -1, 4294967295, "1000", 1.5)),
    "unix.UnitName": cases(
        ["nginx.service", "backup@db.timer", "getty@.service", "dev-disk-by\\x2duuid.device", "a.b.socket"],
        *bad(
            "expected a systemd unit such as nginx.service",
            "nginx",
            "nginx.conf",
            "a b.service",
            "a@b@c.service",
            ".service",
            "a/b.mount",
            "a" * 250 + ".service",
        ),
    ),
    "unix.EnvName": cases(
        ["HTTP_PROXY", "_a", "a1"], *bad("expected the name of an environment variable such as HTTP_PROXY", "HTTP-PROXY", "1A", "A=", "")
    ),
    "unix.SysctlKey": cases(
        ["net.ipv4.ip_forward", "net/ipv4/conf/eth0.100/forwarding", "net.ipv4.conf.*.rp_filter"],
        *bad("expected a kernel parameter", "ip_forward", "net..a", "net.a = 1", ""),
    ),
    "unix.KernelModule": cases(
        ["br_netfilter", "8021q", "snd-hda-intel"],
        *bad("expected the name of a kernel module such as br_netfilter", "br_netfilter.ko", "_a", ""),
    ),
    "unix.Signal": cases(["HUP", "SIGTERM", "RTMIN+3"], *bad("expected a signal such as HUP or SIGTERM", "hup", "SIG", "9", 9, "SIGFOO")),
    "unix.Locale": cases(
        ["en_US.UTF-8", "C", "POSIX", "C.UTF-8", "de_AT", "ca_ES@valencia", "sr_RS.utf8@latin", "ast_ES"],
        *bad("expected a locale such as en_US.UTF-8", "en-US", "english", "en_us", "EN", "en_US.", ""),
    ),
    "unix.DebPackage": cases(
        ["nginx", "libc6:i386", "g++", "libstdc++6"],
        *bad("expected a package name such as nginx", "Nginx", "a", "nginx=1.2", "nginx curl", "-a"),
    ),
}
