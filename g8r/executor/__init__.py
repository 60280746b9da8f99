"""The executor: what happens on hosts, and what is remembered of it.

An `Agent` is the code that acts on one host: it surveys (reads, diffs) a catalog and performs steps, through a Host and with
the kinds' modules. The same agent runs in-process for `localhost` and simulated hosts, and later behind a transport; so it knows
no compiler, no networkx, no terminal. `observe` asks the agents of all hosts in waves along cross-host references; `run` performs a
plan with the pure `scheduler`, commits outcomes in groups to the `store`, and sends events that rendering listens to.

`planning` brings the compiler's graph, the ledger and what was observed together; `perform` does one step; `judge` says alike in plan
and apply what is to be done. What touches the world has its name for it: `local_*`, `safe_path` and `mounted` the machine, `store*` and
`journal` SQLite, `plan_file`, `store_folder` and `sealing` files; `memory` has the threads of a run. All else is pure, and is given a
Host, a clock, ids. `fake_*` is a simulated Debian behind the same Host port.

`delivery` is how orders reach agents elsewhere and results come back: a protocol without sockets, for whatever carries its frames.

It promises that nothing acknowledged is lost, that no secret leaves it unsealed, and that apply does what the plan says and no more. It
refuses to know where a plan came from: apply never evaluates configuration and never widens a plan.
"""
