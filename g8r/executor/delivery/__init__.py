"""Delivery: orders from the core to agents, and their results back, over a wire that may lose, repeat, delay, alter and forge.

Both sides are pure: `handle(event, now)` takes what happened and returns commands, in the order in which they are to be done. No socket,
thread, clock or file is touched here; `tests/simulation` runs the same code under virtual time, network and disk.

It promises, while the disks keep what they said was durable:
- a result that was acknowledged is durable at the core; one that was not is in the agent's outbox, also after a restart;
- an effect happens only for an order that the core signed for this agent, that has not expired, and whose fence is not below one seen;
- an order is given at least once and acted on once: a step that is not idempotent never runs twice. Where a crash leaves open whether it
  ran, it ends `unknown`. An idempotent step whose end was not yet durable is performed again;
- results are taken only from the agent that has the work, and for the attempt and fence that it was given;
- an agent that is not heard from makes its work `unreachable`; what it had begun by then is still taken, as late;
- whatever is received, the answer is a command or a `Refusal`, never an exception; what is kept for a peer is bounded.

It refuses to know what a step is or does, how bytes travel, what an agent's key is (a peer's id is the transport's word), and when a step
may start. `now` is in seconds since the epoch, for expiry compares two machines' clocks.

`messages` has the frames, `order` what the core signs, `ports` events, commands and the durable store, `blobs` content by digest, `marks`
what an agent keeps against replays, `agent_side` and `core_side` the two machines, `ed25519` the real signatures.
"""
