"""The executor: from a graph to a plan, from a plan to outcomes and the ledger.

What it remembers is behind two ports (`ports`): the `Store`, one per stack folder, and the `Journal`, one per agent. Only `store*`
and `journal` know SQLite, and only they, `sealing` and `plan_file` touch files; everything else is given a store or a journal.
"""
