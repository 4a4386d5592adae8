#!/usr/bin/python3
"""
A pinentry for tests: speaks Assuan [libassuan], writes every command to
$FAKE_PINENTRY/said, one JSON string a line, and answers GETPIN and CONFIRM
with the next line of $FAKE_PINENTRY/answers: pin FILE, ok, cancel, timeout,
hang. `hang` shows its process id in $FAKE_PINENTRY/hangs.
"""
import json
import os
import signal
import sys

PLACE = os.environ["FAKE_PINENTRY"]
CANCELED, TIMEOUT = 83886179, 83886142  # GPG_ERR_SOURCE_PINENTRY with GPG_ERR_CANCELED, GPG_ERR_TIMEOUT


def say(text):
    sys.stdout.buffer.write(text + b"\n")
    sys.stdout.buffer.flush()


def next_answer():
    path = os.path.join(PLACE, "answers")
    with open(path, encoding="utf-8") as f:
        first, *rest = f.read().splitlines()
    with open(path, "w", encoding="utf-8") as f:
        f.write("".join(line + "\n" for line in rest))
    return first.split()


def answer():
    words = next_answer()
    if words[0] == "pin":
        with open(words[1], "rb") as f:
            pin = f.read().strip()
        say(b"D " + pin.replace(b"%", b"%25"))
    elif words[0] == "hang":
        with open(os.path.join(PLACE, "hangs.new"), "w", encoding="ascii") as f:
            f.write(str(os.getpid()))
        os.rename(os.path.join(PLACE, "hangs.new"), os.path.join(PLACE, "hangs"))
        while True:
            signal.pause()
    elif words[0] != "ok":
        say(b"ERR %d no" % (TIMEOUT if words[0] == "timeout" else CANCELED))
        return
    say(b"OK")


def main():
    say(b"OK a pinentry for tests")
    for line in sys.stdin.buffer:
        command = line.rstrip(b"\n").decode()
        with open(os.path.join(PLACE, "said"), "a", encoding="utf-8") as f:
            f.write(json.dumps(command) + "\n")
        word = command.split(" ")[0]
        if word in ("GETPIN", "CONFIRM"):
            answer()
        elif word == "BYE":
            say(b"OK")
            return
        else:
            say(b"OK")


main()
