#!/usr/bin/python3
"""
Wait until a token of a daemon that is already up can sign, or has another
state: ready.py SOCKET TOKEN [STATE]

The worker reports to the daemon a moment after the daemon said READY=1, and
the wire has no event for it yet; so this asks again, for a bounded time, and
says what the token's state is if it does not become `ready`.
"""
import sys
import time

import varlink

SECONDS = 30
PAUSE = 0.02


def wait(path, token, wanted="ready"):
    """The token's record once it is in that state, or in one that only a person can end."""
    deadline = time.monotonic() + SECONDS
    with varlink.Connection(path) as connection:
        while True:
            found = connection.call(varlink.TOKEN + "List", {"token": token})["token"]
            if found["state"] == wanted or (wanted == "ready" and found["state"] == "locked" and (
                    found["pinFailures"] or "stored PIN was refused" in (found.get("reason") or ""))):
                return found  # a stored PIN is not sent while a failure stands: that is for a person
            if time.monotonic() > deadline:
                raise TimeoutError(f"token {token} is {found['state']} after {SECONDS} s: {found.get('reason')}")
            time.sleep(PAUSE)


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    try:
        wanted = sys.argv[3] if len(sys.argv) == 4 else "ready"
        if wait(sys.argv[1], sys.argv[2], wanted)["state"] != wanted:
            print(f"token {sys.argv[2]} stays locked after a wrong PIN: sign once with the right one", file=sys.stderr)
    except (OSError, varlink.VarlinkError, varlink.Closed) as problem:
        sys.exit(f"{sys.argv[1]}: {problem}")
