#!/usr/bin/python3
"""
A systemd-ask-password for tests: adds its arguments to $FAKE_ASK/said, one
JSON array a line, and prints the next line of $FAKE_ASK/answers: pin FILE or
text WORD. No line left: exit status 1, as when the time is over.
"""
import json
import os
import sys

PLACE = os.environ["FAKE_ASK"]
with open(os.path.join(PLACE, "said"), "a", encoding="utf-8") as said:
    said.write(json.dumps(sys.argv[1:]) + "\n")
with open(os.path.join(PLACE, "answers"), encoding="utf-8") as answers:
    first, *rest = answers.read().splitlines() or [""]
if not first:
    sys.exit(1)
with open(os.path.join(PLACE, "answers"), "w", encoding="utf-8") as answers:
    answers.write("".join(line + "\n" for line in rest))
kind, _, value = first.partition(" ")
if kind == "pin":
    with open(value, encoding="utf-8") as pin:
        value = pin.read().strip()
print(value)
