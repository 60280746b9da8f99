"""What several kinds share: below the kinds, which do not know each other, and above nothing but the protocol.

    paths   the params of a path, where a path leads, owners as they are spelled, what only root may do
    text    content: what of it a State may carry
    files   one regular file: read, diff, restore, apply; `file` and `template` are thin around it

This package refuses to know any kind, and like them it touches a machine through the Host alone.
"""
