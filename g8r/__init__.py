"""g8r: a declarative compiler and executor for configuration management.

    main.ncl --evaluate--> Document --decode--> Stack --expand, references, claims--> TaskGraph
       (Nickel, in a child process)                                                      | one Catalog per host
                                                                                         v
                            Plan <--planner-- Observation <--read + diff, on the host, by the agent
                             |  saved, shown, approved
                             v
                       scheduler --> steps to agents --> Outcome --> State (ledger) and Report

Every arrow takes a value and returns the next one; nothing edits a value it was given. Nouns live here at the root, verbs in
the packages: `compiler` (source to graph), `executor` (graph to plan to outcome), `modules` (one kind of resource each),
`render` (nouns to text), `testing` (the users' own tests, on fake hosts), `cli` (the commands, and the composition root).

One word per idea:

    Document     the evaluated source: plain JSON
    Stack        the decoded source: name, hosts, tasks
    Task         one declaration: a kind, a name, params and meta-arguments; `file.motd`
    Address      a task on a host: `web1/file.motd`
    Resource     the real thing a task manages, known by kind and identity: `file /etc/motd`
    Claim        what a task provides, requires or holds: `path:/etc/motd`, `user:deploy`, `lock:dpkg`
    TaskGraph    all addresses with their edges, acyclic, frozen
    Catalog      one host's part of the graph, content-addressed
    Observation  what an agent read and the changes it computed
    Change       action, before, after, which parts are unknown
    Plan, Step   the frozen, ordered changes; what is reviewed, saved and performed
    Outcome      changed, unchanged, failed, skipped (because), stale, unknown
    State        the ledger: what g8r manages, where, what it created, what it owes; lineage and serial
    Drift        recorded state against observed state
    Order        a work order: steps of a plan for one agent, signed by the core, with attempt, fence, epoch, sequence and expiry
    Directive    what only the core may say to an agent, signed: an order, an acknowledgement, a catalog's digest
    Fence        the number of a writer's lease; agents refuse lower ones than they have seen
    Ending       how an order ended on its host; kept in the agent's outbox until the core has acknowledged it
    Blob         content known by its digest, sent in chunks
    Frame, Peer  one message as bytes; whom it comes from, as the transport knows from the peer's key
    Refusal      what was received and is not acted on, and why
    Diagnostic   severity, summary, detail, span(s): a message to the user
    Policy       what an organisation wants of every stack or plan; an Exemption is leave to break it, with a reason and a last day
    Reach        the files that an evaluation may read
"""

__version__ = "0.1.0"
