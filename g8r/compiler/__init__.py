"""The compiler: from a source to a checked task graph, and from what agents found to a plan.

`evaluate` and `locate` start Nickel, `yaml_source` and `sources` read files; everything else here is pure: a value goes in, the
next one comes out. It refuses to know hosts: it never reads one, and what it must know of one (facts, findings) is given to it.
"""
