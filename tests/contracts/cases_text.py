"""Good and bad values of text.ncl, numbers.ncl, time.ncl and versions.ncl."""

from case_values import Nickel, bad, cases

HEX = "0123456789abcdef" * 4

TEXT = {
    "text.NonEmpty": cases(
        ["a", " a\n"], ("", 'expected text that is not empty, got ""'), *bad("expected text that is not empty", " \n\t", 3, None, [])
    ),
    "text.Line": cases(["a b", ""], *bad("expected one line of text", "a\nb", "a\n", "\r", 1)),
    "text.Trimmed": cases(["a b", "a", "a\nb"], *bad("expected text without white space at its ends", " a", "a ", "a\n", "", " ")),
    "text.EndsWithNewline": cases(["a\n", "\n"], *bad("expected text that ends with a newline", "a", "", "a\nb", "a\n ")),
    "text.Printable": cases(["a ~!", ""], *bad("expected printable ASCII text", "naïve", "a\n", "\t", "\x7f")),
    "text.UpTo 5": cases(["abcde", "", "äöü"], *bad("expected text of at most 5 characters", "abcdef", 12345)),
    'text.Matching "an answer" "^(yes|no)$"': cases(
        ["yes"], ("maybe", 'expected an answer, got "maybe"'), *bad("expected an answer", "yes\n", True)
    ),
    "text.Identifier": cases(["max_size", "_", "A1"], *bad("expected an identifier such as max_size", "max-size", "1a", "", "a b", "é")),
    "text.Slug": cases(["my-app-2", "a", "1"], *bad("expected a name such as my-app-2", "My-App", "a--b", "-a", "a-", "a_b", "")),
    "text.Hex": cases(["00ff", "DEADbeef"], *bad("expected an even number of hex digits", "0ff", "0x00", "gg", "")),
    "text.UUID": cases(
        ["6ba7b810-9dad-11d1-80b4-00c04fd430c8", "6BA7B810-9DAD-11D1-80B4-00C04FD430C8"],
        *bad(
            "expected a UUID such as",
            "6ba7b810-9dad-11d1-80b4",
            "6ba7b8109dad11d180b400c04fd430c8",
            "{6ba7b810-9dad-11d1-80b4-00c04fd430c8}",
            "x",
        ),
    ),
    "text.Base64": cases(
        ["aGVsbG8=", "YQ==", "YWJj", "+/+/"],
        ("aGVsbG8", "expected base64 on one line, got a text of 7 characters"),
        *bad("expected base64 on one line, got", "aGVs\nbG8=", "a", "====", "aGVsbG8==", "-_-_", "", 3, Nickel("'a")),
    ),
    "text.Base64URL": cases(
        ["-_-_", "YQ", "YQ==", "YWI", "YWI="],
        *bad("expected base64 with - and _ on one line, got a text of", "+/+/", "a", "YQ=", "YQ\n"),
        ("", "an empty text"),
    ),
    "text.LabelKey": cases(
        ["app", "example.org/app", "a.b_c-d"],
        *bad("expected the key of a label such as app", "-app", "a/b/c", "Example.org/app", "", "a" * 64, "a b"),
    ),
    "text.LabelValue": cases(
        ["web", "", "v1.2", "a" * 63], *bad("expected the value of a label such as web", "a b", "-a", "a-", "a" * 64, 1)
    ),
    "text.Label": cases(
        ["app=web", "example.org/app=", "a=b"],
        *bad("expected a label such as app=web", "app", "=web", "app=web=1", "app = web", "app==web"),
    ),
    "text.Assignment": cases(
        ["PATH=/usr/bin", "A=", "A=b=c\nd"],
        ("TOKEN: hunter2", "expected NAME=VALUE, got a text of 14 characters"),
        *bad("expected NAME=VALUE", "A", "1A=b", "A B=c", ""),
    ),
}

NUMBERS = {
    "numbers.Whole": cases([3, 0, -3], *bad("expected a whole number, got", 1.5, "3", None)),
    "numbers.Natural": cases([1, 100000], *bad("expected a whole number, one or more, got", 0, -1, 1.5, "1")),
    "numbers.Count": cases([0, 3], *bad("expected a whole number, zero or more, got", -1, 0.5, "0")),
    "numbers.Positive": cases([0.5, 3], *bad("expected a number above zero, got", 0, -1, "1")),
    'numbers.Between "a number of replicas (1-9)" 1 9': cases(
        [3, 1, 9], (12, "expected a number of replicas (1-9), got 12"), *bad("got", 0, 10, 1.5, "3")
    ),
    'numbers.InRange "a load (0-64)" 0 64': cases([0.75, 64], *bad("expected a load (0-64), got", 64.5, -0.1, "1")),
    "numbers.Percent": cases([25, 0, 100, 12.5], *bad("expected a percentage from 0 to 100, got", 101, -1, "25%")),
    "numbers.PercentText": cases(
        ["25%", "0%", "100%", "12.5%"], *bad('expected a percentage such as "25%", got', "101%", 25, "25", "-1%", "025%", "%")
    ),
    "numbers.Fraction": cases([0.25, 0, 1], *bad("expected a fraction from 0 to 1, got", 25, -0.1, "0.5")),
    "numbers.CountOrPercent": cases(
        [2, "25%", 0], *bad('expected a number such as 2, or a percentage such as "25%", got', "2", -1, 1.5, "101%")
    ),
    "numbers.Size": cases(
        ["64KiB", 512, "512", "10MB", "2G", "1.5GiB", "100B", "1kB", "2Ti"],
        *bad("expected a size such as 512, 64KiB, 2GiB, 10MB", "64 KiB", "1XB", -1, 1.5, "KiB", "01K", "1kb", ""),
    ),
}

TIME = {
    "time.Duration": cases(
        ["30s", "500ms", "5m", "2h", "0s"],
        *bad("expected a duration such as 500ms, 30s, 5m, 2h, got", "30", 30, "1d", "1h30m", "-1s", "1.5s", "s"),
    ),
    "time.GoDuration": cases(
        ["1h30m", "1.5s", "300ms", "0", "10µs"], *bad("expected a duration such as 1h30m", "1d", "90", "1h 30m", "h", "")
    ),
    "time.TimeSpan": cases(
        ["5min 20s", "2h", "90", "1h30m", "infinity", "1 year", "50ms"],
        *bad("expected a time span such as 5min 20s", "five minutes", "5 parsecs", "-1s", ""),
    ),
    "time.ISODuration": cases(
        ["PT1H30M", "P30D", "P1Y2M3DT4H5M6.7S", "P2W", "PT5S"],
        *bad("expected a duration such as P30D", "1H30M", "P", "PT", "P1H", "PT1H5S6M", "P1W2D"),
    ),
    "time.ISODate": cases(
        ["2030-12-31", "2024-02-29", "2000-02-29"],
        ("2030-02-30", 'expected a date such as 2030-12-31, got "2030-02-30": that month has 28 days'),
        *bad("that month has", "2100-02-29", "2030-04-31"),
        *bad(
            "expected a date such as 2030-12-31, got", "31.12.2030", "2030-13-01", "2030-00-01", "2030-01-00", "2030-1-1", "20301231", 2030
        ),
    ),
    "time.Timestamp": cases(
        ["2030-12-31T23:59:00Z", "2030-12-31 23:59:60.25+02:00", "2024-02-29t00:00:00z"],
        ("2030-12-31T23:59:00", "expected a time such as 2030-12-31T23:59:00Z"),
        ("2030-02-29T00:00:00Z", "that month has 28 days"),
        *bad("expected a time", "2030-12-31", "2030-12-31T24:00:00Z", "2030-12-31T23:59Z", 1924991940),
    ),
    "time.TimeOfDay": cases(["03:30", "23:59:59"], *bad("expected a time of the day such as 03:30", "3:30", "24:00", "03:60", "03:30 am")),
    "time.Weekday": cases(["Mon", "monday", "SUN"], *bad("expected a day of the week such as Mon", "Montag", "Mo", "Mondays", 1)),
    "time.TimeZone": cases(
        ["Europe/Vienna", "UTC", "America/Argentina/Buenos_Aires", "Etc/GMT+1"],
        *bad("expected a time zone such as Europe/Vienna", "Vienna", "CEST", "Europe", "Europe/vienna", "+02:00"),
    ),
    "time.Cron": cases(
        ["*/5 * * * *", "@daily", "0 3 * * 1-5", "0,30 8-18/2 1 jan-JUN,12 sun", "5  4\t* * 7"],
        ("61 * * * *", 'or @daily, got "61 * * * *": 61 is no minute'),
        ("* 24 * * *", "24 is no hour"),
        ("* * 0 * *", "0 is no day of the month"),
        ("* * * 13 *", "13 is no month"),
        ("* * * * 8", "8 is no day of the week"),
        ("* * * foo *", "foo is no month"),
        ("30-10 * * * *", "30-10 is no minute"),
        ("5/2 * * * *", "5/2 is no minute"),
        ("*/0 * * * *", "*/0 is no minute"),
        ("1-2-3 * * * *", "1-2-3 is no minute"),
        (", * * * *", ", is no minute"),
        ("* * * *", "it has 4 fields, not 5"),
        ("* * * * * root", "it has 6 fields"),
        *bad("expected a cron schedule", "", "@never", 5),
    ),
}

VERSIONS = {
    "versions.SemVer": cases(
        ["1.2.3-rc.1", "0.0.0", "1.0.0+build.7", "1.0.0-alpha-b"],
        *bad("expected a version such as 1.2.3", "v1.2.3", "1.2", "01.2.3", "1.2.3-01", "1.2.3-", 1.2),
    ),
    "versions.SemVerTag": cases(["v1.2.3", "v1.2.3-rc.1"], *bad("expected a version tag such as v1.2.3", "1.2.3", "v1.2", "V1.2.3")),
    "versions.SemVerRange": cases(
        ["^1.2.0", ">=1.2 <2", "~1.2.3", "~> 1.2", "1.x", "*", "1.2 - 1.4", "^1 || ^2", ">= 1.2.0, < 2.0.0", "1.2.3", "!=1.2.3"],
        *bad("expected a range of versions such as ^1.2.0", "latest", ">", "1..2", "^1.2 ||", "=>1.2", "1.2 -", ""),
    ),
    "versions.DebVersion": cases(
        ["1:2.36.1-8+deb12u1", "1.22.1-9", "2.0~rc1"], *bad("expected a Debian version", "v1.2", "1.2_3", "a:1.2", "", "1.22.*")
    ),
    "versions.SHA256": cases([HEX], *bad("expected a SHA-256 digest of 64 hex digits", HEX[1:], HEX.upper(), "sha256:" + HEX, HEX + "\n")),
    "versions.SHA512": cases([HEX * 2], *bad("expected a SHA-512 digest of 128 hex digits", HEX, "")),
    "versions.Digest": cases([f"sha256:{HEX}"], *bad("expected a digest such as sha256:9f86...", HEX, "sha256:" + HEX[2:], "md5:" + HEX)),
    "versions.GitRef": cases(
        ["main", "refs/tags/v1.0", "feature/a-b", "a.b", "a@b", "a{b}"],
        *bad(
            "expected a git ref such as main",
            "a b",
            "a..b",
            "/a",
            "a/",
            "-a",
            "a.lock",
            ".a",
            "a/.b",
            "a~1",
            "HEAD^",
            "a:b",
            "a?",
            "a*",
            "a[",
            "a\\b",
            "a@{1}",
            "a.",
            "@",
            "a//b",
            "",
        ),
    ),
    "versions.GitCommit": cases(["3ec29f7a" * 5, HEX], *bad("expected a commit of 40 or 64 hex digits", "3ec29f7", "main", "3EC29F7A" * 5)),
    "versions.Image": cases(
        ["ghcr.io/org/app:1.2", "nginx", "localhost:5000/a/b_c--d:x", f"nginx:1.27@sha256:{HEX}", "docker.io/library/nginx"],
        *bad(
            "expected a container image such as ghcr.io/org/app:1.2",
            "Nginx",
            "nginx:",
            "nginx:a b",
            "https://ghcr.io/a",
            "nginx@sha256:abc",
            "-a",
            "a//b",
            "",
        ),
    ),
    "versions.PinnedImage": cases(
        [f"nginx:1.27@sha256:{HEX}"],
        ("nginx:1.27", 'got "nginx:1.27": it has no digest'),
        *bad("expected a container image with a digest", "Nginx", "nginx@sha256:abc", 1),
    ),
    "versions.TaggedImage": cases(
        ["nginx:1.27", f"nginx@sha256:{HEX}", "localhost:5000/a:1"],
        ("nginx", 'got "nginx": latest means another image every time'),
        *bad("latest means another image", "nginx:latest", "localhost:5000/a", "localhost:5000/a:latest"),
        *bad("expected a container image with a tag", "Nginx:1", 1),
    ),
}
