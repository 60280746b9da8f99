"""The command line: one file per verb, and `session`, where ports get their implementations.

It refuses to decide anything about stacks or hosts: it reads options, calls the compiler and the executor, and hands what they return
to `render`. Exit codes: 0 done or nothing to do; 1 error, usage errors too; 2 changes, with --detailed-exitcode; 3 a stale or refused
plan; 130 interrupted.
"""
