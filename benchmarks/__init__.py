"""How long g8r takes beside its peers, for the same work, on the same machine, in the same run: `python -m benchmarks`.

The work is N two-line files of mode 0644 in a fresh directory, each declared by a task of its own; timed are whole processes, from
start to end, first where nothing is there and again, as a plan, where everything is. Terraform has no files without a provider,
so it keeps N `terraform_data` of the same text: its graph and state alone. All peers take turns within each round, so that a slow
minute is everybody's; each has fresh directories, which are deleted at the very end, since creating files right after deleting
thousands of them is many times slower. The slow ones do fewer tasks, and the table says how many and what was extrapolated from
them. A peer that cannot be had is listed as missing, with the reason.

Each peer lives in a venv of its own in `${G8R_CACHE:-~/.cache/g8r}/peers`, at the version in `peers.py`. Settings are those that favour the
peer where there is a choice, and stand beside it there. `g8r validate` is timed by itself: see validate.py. Absolute times belong to the
machine; only ratios mean anything elsewhere.
"""
