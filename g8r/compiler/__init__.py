"""The compiler: from a source to a checked task graph, and from what agents found to a plan.

It promises that every mistake is collected before one is shown, and can be given its line; and that the same source, facts and findings
give the same graph and the same plan. It refuses to know hosts: it never reads one, and what it must know of one (facts, findings) is
given to it. What touches the world is few files, all of the front: `evaluator` starts Nickel (`nickel_child` is what it may start),
`cache`, `session`, `source`, `sources` and `languages` read and write files, `locate` asks Nickel for lines, `policy.asking` asks it for
policies. Everything else is pure: a value goes in, the next one comes out.

The front, where it differs from the design, and why:

- A place in Nickel is found by evaluating only what is on the way to it, not the whole stack under a contract that fails there: no
  other error can fire first, and elements of arrays need no contract of their own (see `locate`). It takes 15 ms, and at 10,000
  tasks 0.4 s, which is reading the source.
- Whatever the contracts refuse, decode refuses too, so decode runs on every document and not only on refused ones; what it adds is in
  its docstring. A corpus and a property test hold the two together.
- Null is the same as leaving out, for every param and meta-argument that may be left out: `mode = if c then "0600" else null`.
- The result of an evaluation is cached by the digest of all that it hangs on (see `cache`).
"""
