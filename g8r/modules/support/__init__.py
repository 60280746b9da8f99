"""What several kinds share: below the kinds, which do not know each other, and above nothing but the protocol.

    paths        the params of a path, where a path leads, owners as they are spelled, what only root may do
    text         content: what of it a State may carry
    files        one regular file: read, diff, restore, apply; `file` and `template` are thin around it
    accounts     /etc/shadow as far as a State may know it, and the programs of the passwd package
    apt          apt and dpkg: what is installed, what apt would do, and doing it
    apt_batches  many packages in one transaction, each told its own part of it
    systemd      units as `systemctl` tells of them, and acting on one
    programs     how failures of programs are worded

This package refuses to know any kind, and like them it touches a machine through the Host alone.
"""
