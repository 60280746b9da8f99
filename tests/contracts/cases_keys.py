"""Good and bad values of keys.ncl."""

import base64

from case_values import bad, cases


def pem(name: str, content: bytes = b"not a real one, but nobody can see that without cryptography!", end: str | None = None) -> str:
    text = base64.b64encode(content * 3 + b"!").decode()
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {name}-----", *lines, f"-----END {end or name}-----", ""])


ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFL6RDEI2MSF8ihEmvdkSB/DZ20Di67vxDKwrOCVdwJj ada@laptop"
RSA = (
    "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQDYvfrTgMpdchOgyLIeH+lxNe5d5KFfyfKim0ymnol4UB7ba8Z8goyNW+gg+ee8JKPZpwptWe"
    "NKKneChJdWQSU0wfthe/+IK7KCNfBpK6yKT/cTbvuBU6sqx+grEmfFUJZP3nyf2mpFg1tKCK0XxujRiF3KGDok5jW3gu0x5M2/1OwzPrbHQUwv"
    "kbvee4XSvZ9kZmeVz2pV8g316eUIBWBFlLS/hbXiSPHm8TMIQ/c5w3j4Q4OieW2p2k3RM0wKjn8r4tinh7HABWVCEmXwgFwqWZJqkVKg4C19cj"
    "HOmq0eM2Q4MqpE0UpoHa2WLz2Q3dQcAuZPm6KEWs3fKFMfHqCd"
)
P256 = (
    "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBFfxxunXyLA+SuCzlPQiT668F2uKEJO1ZAx1+M"
    "FzMKEH2/2aHlX7gHNroUZOyk0Kh3xw3+fIPdWk+H2A14immmo= x"
)
P384 = (
    "ecdsa-sha2-nistp384 AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbmlzdHAzODQAAABhBCSwvLzrrhn3b0dkXNovMPeufMAvhkuQEebWZP"
    "WDbZmIaCdwrjcTw2dPs7VnE/xtB7ETzJtZjnjH5I5UkDgsQ9eGMZJ2m+YIDk6UOKJbBbS3//Ogbp3z9d/Z2sNXpICYYQ== x"
)
P521 = (
    "ecdsa-sha2-nistp521 AAAAE2VjZHNhLXNoYTItbmlzdHA1MjEAAAAIbmlzdHA1MjEAAACFBADzb/d7fkn45Drnrl1/f1g5SIpeumCjisQZT0"
    "/CndQx1FXwaUMX0PCDjW08QofX1Gx17iOEyvVmYSKUELoQm1dShAA7TuFHuQ5ptwGn7VmLSTTCuuCibSTQwf4hMgFKZHflsFUQLSngsIDVVsck"
    "6ayK7mX19FQWZGXuD+0LMcNclIqRdA== x"
)
CERTIFICATE = pem("CERTIFICATE")
KEY = pem("PRIVATE KEY")
SSH = 'expected an SSH public key such as "ssh-ed25519 AAAA... ada@laptop", got a text of'
KEYS = {
    "keys.SSHPublicKey": cases(
        [ED25519, RSA, P256, P384, P521, ED25519.rsplit(" ", 1)[0]],
        (ED25519[:60], f"{SSH} 60 characters: what follows the type is damaged, or of another type"),
        (pem("OPENSSH PRIVATE KEY"), "that is a private key"),
        (ED25519 + "\n", "it has more than one line"),
        (ED25519.replace("ssh-ed25519", "ssh-rsa"), "of another type"),
        (ED25519.split(" ")[1], SSH),
        ("no-pty " + ED25519, SSH),
        *bad("expected an SSH public key", "", 3, None),
    ),
    "keys.AuthorizedKey": cases(
        [f'from="192.0.2.0/24",no-pty {ED25519}', ED25519, f'command="echo \\"a b\\"" {RSA}'],
        *bad("expected a line of authorized_keys", f"no pty {ED25519}", f"from=a {ED25519}", ED25519[:60], "# comment", ""),
        (KEY, "that is a private key"),
    ),
    "keys.PEM": cases(
        [CERTIFICATE, KEY + CERTIFICATE, "a comment before it\n" + KEY, KEY.replace("\n", "\r\n"), KEY.rstrip("\n")],
        (CERTIFICATE[:100], "expected PEM, from -----BEGIN to -----END, got a text of 100 characters"),
        *bad(
            "expected PEM",
            pem("A KEY", end="B KEY"),
            "hello",
            "",
            CERTIFICATE + CERTIFICATE[:100],
            CERTIFICATE.replace("=", ""),
            pem("A").replace("IQ==", "?==="),
            3,
        ),
    ),
    "keys.Certificate": cases(
        [CERTIFICATE], (KEY, "expected a certificate as PEM"), *bad("expected a certificate as PEM", CERTIFICATE * 2, "", None)
    ),
    "keys.CertificateChain": cases([CERTIFICATE * 2, CERTIFICATE], *bad("expected certificates as PEM", KEY + CERTIFICATE, KEY, "")),
    "keys.PrivateKey": cases(
        [KEY, pem("RSA PRIVATE KEY"), pem("OPENSSH PRIVATE KEY")],
        *bad("expected a private key as PEM", CERTIFICATE, pem("PUBLIC KEY"), KEY * 2, "", pem("NOTAPRIVATE KEY")),
    ),
    "keys.PublicKey": cases([pem("PUBLIC KEY")], *bad("expected a public key as PEM", KEY, ED25519, pem("RSA PUBLIC KEY"))),
    "keys.PasswordHash": cases(
        ["$6$saltsalt$" + "a" * 86, "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$" + "a" * 43, "*", "!", "$2b$12$" + "a" * 53],
        ("hunter2", "not the password itself, got a text of 7 characters"),
        *bad("expected a password hash", "$6$short", "", "***", "$9$" + "a" * 86, "$6$saltsalt$" + "a:" * 43),
    ),
}
