"""Policies: what an organisation wants of every stack and of every plan, in Nickel, and who is exempt from it.

    files --asking--> Answers (what each policy found) --judging--> Diagnostics
              ^                                            ^
           inputs (the stack, the plan, as documents)      exemptions of the stack, and the day

`asking` starts Nickel, one child for each file, under the limits of a stack; the rest is pure. What a policy is, and the library that
is shipped, stands in contracts/policy. It refuses to know where a plan's document comes from, and what day it is: both are given.

Decided here:

- A policy takes one of four forms. `check` (all of the input, a list of violations) and `each` (one task or change, true or what is
  wrong) are predicates; `contract` (all of the input) and `params.KIND` (a task's params) are Nickel's own contracts. Nickel cannot go
  on after a contract has failed, so for `params` it is asked again without the task that failed, and a `contract` tells one violation
  only. Where the value stands in the input, and so in the stack, is read from Nickel's report.
- All policies of a file are asked in one evaluation. Only if that fails, each is asked alone: the one that fails is an error with
  its line, and hides no other. That it is advisory does not make it less of one: nobody knows what it would have found.
- A policy that names a kind which is not there is an error, too: it would look at nothing, and be green for ever.
- The input of a plan's policy is the document of `g8r plan --json`, with the stack's beside it (`stack`) for what a plan does not say,
  such as hosts that it does not touch; `now` is in both.
- What is sensitive is masked in the input, so that no message can repeat it. The references in it are left, which tells a policy
  whether a secret is referred to or written out.
- `@{vars.x}` is replaced in the input, so that YAML is judged by what it says; other references are text.
- An exemption covers a task on all its hosts. One of the stack may name a task: the one that a plan deletes is in no stack any more, so
  it could not say so itself. An exemption that covers nothing is told of, except of a plan's policy: the next plan may need it.
- Violations that differ by their host alone are one message.
"""
