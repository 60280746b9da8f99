"""The executor: what happens on hosts, and what is remembered of it.

An `Agent` is the code that acts on one host: it surveys (reads, diffs) a catalog and performs steps, through a Host and with
the kinds' modules. The same agent runs in-process for `localhost` and simulated hosts, and later behind a transport; so it knows
no compiler, no networkx, no terminal. `observe` asks the agents of all hosts in waves along cross-host references; `run` performs a
plan with the pure `scheduler`, commits outcomes in groups to the `store`, and sends events that rendering listens to.

It refuses to know where a plan came from: apply never evaluates configuration and never widens a plan.
"""
