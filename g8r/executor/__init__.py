"""From graph to plan to outcome: hosts, agents, scheduler and ledger.

Two implementations of the Host port live here. `local_host` is the machine that this process runs on. `fake_host` is a machine in
memory: for tests, for stacks that declare a host with connection "fake", and for `g8r test`, which plans against described
hosts. One contract test holds both to the same promises; `refusals` words what either refuses.

This package refuses to know how a stack is written: it gets a frozen graph, and never evaluates configuration.
"""
