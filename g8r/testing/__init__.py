"""The users' own tests: a test file gives vars, hosts, facts and a world, and says what the compiler and the engine make of them.

    main.test.ncl --files--> TestFile --loads--> stacks --bench--> what was seen --compare--> Failures
      (Nickel, the stack's child)      (each stack and vars once)    (fake hosts)    (pure)      snapshots beside it

It promises that no real host is touched and no ledger, secret or plan of the user's is read: hosts are fake ones, whatever connection
the stack gives them, the ledger is in memory, secrets are those of the test or made up. What a test sees is what `g8r plan` and `g8r
apply` do, by the same compiler and the same engine. It refuses to know terminals and output formats: those are in `render`.

Where it differs from the tools that it was learned from (terraform test, helm-unittest, rspec-puppet, Molecule), and why:

- Exact and partial are two words, not a flag: `tasks` and `changes` are all there is, `has` and `plan` what is named. So a reader sees
  which of the two is meant, and `changes = {}` says what everybody wants to say: nothing to do.
- Content is a text, or a record `{ contains, lacks, matches }`, and not a tag `'Contains "..."`: Nickel cannot export a tag with a
  value, a record is completed by editors, and it can ask several things at once.
- A task is named as for `--target`: without a host it is meant on every host that has it, so one test does for one host and a fleet.
- A fresh fake Debian is the world that nobody has to describe. apt can get whatever the stack installs, and a package brings the service
  of its name: what is only there to make the engine go on need not be written down.
- `applied` puts the stack there first, as the engine does it, with its ledger: for what happens on a change, such as a reload or a
  removal. A world described by hand has no ledger, so what is there in it is adopted.
- An expectation that can never fail is a mistake: a test without any, tasks of unknown kinds, a pattern of the content that is no regex.
- Nothing is asserted of a stack that has errors but the errors; all of them must be expected.
- Stacks are evaluated in one child, many at once in one expression: reading the contracts is most of the work, and is done once.
"""
