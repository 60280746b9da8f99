"""The socket layer: opaque payloads between a controller and agents that have proved which key they hold, and who is there.

    keys           key pairs in files, Z85, fingerprints
    roster         who may come in: keys to agents' ids, a value; default deny
    zap            the answer to one question about a handshake, a pure and total function
    authenticator  the thread that gives these answers
    factory        the only maker of sockets; sets every option, and checks it
    listener       the controller's ROUTER: `receive`, `welcome`, `send`, `admit`
    dialer         the agent's DEALER: `send`, `receive`, `link`, `sessions`
    connections    the TCP connections below the ROUTER, and cutting one of them
    gauge          when to look for a peer that fills the memory
    monitoring     libzmq's own account of a socket

Nothing else in g8r imports zmq (import-linter) or makes a socket (a test). No command imports this before it needs it. It refuses to
know what a payload means: what a hello is, acknowledgements and repetition belong to delivery. SENT never means delivered.

How a controller uses it: `receive` in a loop; decode; on a valid hello `welcome(peer)`; hear nothing but hellos of arrivals that are not
`welcome`; `admit(roster)` whenever the roster changes; end the process when it raises AuthenticatorDiedError. An agent says hello
whenever `sessions` has changed, and redials when acknowledgements stay away. A listener and a dialer belong to one thread each.

What fails open in libzmq 4.3.5 (measured, and each held by a test that first shows it open):

    CURVE, domain set, no ZAP handler, not enforcing     an unknown key is let in
    CURVE, empty domain, enforcing, a denying handler    let in: ZAP is not asked
    CURVE forgotten, a denying handler                   let in: ZAP is not asked
    CURVE, domain set, enforcing, handler or none        refused

Measured, and decided by it:

- ZAP sees the handshake only. So the User-Id is looked up in the roster for every frame, and who left the roster is cut.
- libzmq cannot close one peer of a ROUTER. `shutdown(2)` on a duplicate of the accepted descriptor can (`connections`): within three
  milliseconds on loopback, also amid a flood that is not read. ROUTER_NOTIFY, which would tell of arrivals and departures, is a draft
  option, and pyzmq's wheels do not have it.
- The routing id frame carries the metadata (User-Id, descriptor), so payloads are received as plain bytes.
- Routing ids chosen by peers: HANDOVER=1 gives a place away, HANDOVER=0 locks the owner out, and the one that libzmq draws next aborts the
  process. They cannot be forbidden, so such a peer is cut and reported. Guessing takes about 2^32 / (live connections) tries, each of them
  reported: revoke at the first. The edge process is restarted as after any crash.
- MAXMSGSIZE is per frame, and high water marks count messages: one message of endless frames takes all memory. The kernel's count of a
  connection's bytes, less what was heard from it, shows it; it is compared when our memory has grown by 16 MiB. RLIMIT_AS of the edge
  process stands behind this: many peers may each hold 2 x queue x frame size.
- A DEALER that was refused, or saw a malformed frame, never dials again by itself: libzmq gives up silently, and a controller that
  started with an empty roster would lose its fleet. So the dialer takes a new socket after a pause that doubles.
- `unbind` cuts who came in by that endpoint and tells the monitor nothing; `shut` settles it.
- A monitor with a high water mark stops libzmq's I/O thread when nobody reads it: ours has none, and is read with every `receive`.
- Without heartbeats a dead peer on a standing TCP connection is never noticed, and sends to it succeed.

Left to the processes around it: RLIMIT_AS and RLIMIT_NOFILE, restarts, the number of connections per address.
"""
