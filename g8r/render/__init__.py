"""Rendering: nouns to text, JSON, Markdown, DOT, Mermaid, SVG. It decides nothing, reads nothing and writes nothing.

A function here takes nouns and gives text or a document; where a stream is needed, `write` is an argument, and so is the clock. Only
`progress_live` and `plan_svg` know rich, so that nothing else pays for importing it.

Two promises hold for all of it. What a sink shows of a field that its step calls sensitive is `(sensitive)`, in diffs as well, and so
are digests beside it, since the digest of a short secret can be guessed. And whatever came from a host or a user is cleaned before it
reaches a terminal: a character that is not printable is shown as its escape, so that no file name moves the cursor, hides a line or
sets a title.
"""
