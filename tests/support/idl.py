"""
A parser for Varlink interface definitions, written from the published grammar
and not from ours, so that it finds what only our own parser would accept.
[varlink.org, Interface-Definition]
"""
import re

TOKEN = re.compile(r"""
    (?P<space>[ \t\r\n]+|\#[^\n]*(\n|$))
  | (?P<arrow>->)
  | (?P<array>\[\])
  | (?P<dict>\[string\])
  | (?P<interface>[A-Za-z](-*[A-Za-z0-9])*(\.[A-Za-z0-9](-*[A-Za-z0-9])*)+)
  | (?P<word>[A-Za-z](_?[A-Za-z0-9])*)
  | (?P<mark>[(),:?])
""", re.VERBOSE)
BASIC = {"bool", "int", "float", "string", "object"}
MEMBER = re.compile(r"[A-Z][A-Za-z0-9]*$")


class Parser:
    def __init__(self, text):
        self.tokens, at = [], 0
        while at < len(text):
            match = TOKEN.match(text, at)
            if not match:
                raise ValueError(f"nothing of the grammar at {text[at:at + 20]!r}")
            if match.lastgroup != "space" or match.group("space") is None:
                self.tokens.append(match.group())
            at = match.end()
        self.at = 0
        self.used = set()
        self.declared = {}

    def peek(self):
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def take(self, *wanted):
        token = self.peek()
        if token is None or (wanted and token not in wanted):
            raise ValueError(f"{token!r} stands where one of {wanted} must")
        self.at += 1
        return token

    def member_name(self):
        name = self.take()
        if not MEMBER.match(name) or name in self.declared:
            raise ValueError(f"{name!r} is no name for a member, or there are two of it")
        return name

    def struct(self):
        """The fields of a struct, or the words of an enum."""
        self.take("(")
        fields = []
        typed = None
        while self.peek() != ")":
            if fields:
                self.take(",")
            name = self.take()
            if not re.match(r"[A-Za-z](_?[A-Za-z0-9])*$", name) or name in fields:
                raise ValueError(f"field {name!r}")
            fields.append(name)
            if typed is None:
                typed = self.peek() == ":"
            if typed:
                self.take(":")
                self.type()
        self.take(")")
        return fields, typed is not False

    def type(self):
        if self.peek() == "?":
            self.take()
            if self.peek() == "?":
                raise ValueError("??")
        while self.peek() in ("[]", "[string]"):
            self.take()
        if self.peek() == "(":
            self.struct()
            return
        name = self.take()
        if name not in BASIC:
            self.used.add(name)

    def object(self):
        fields, is_struct = self.struct()
        if not is_struct:
            raise ValueError("an enum stands where a struct must")
        return fields

    def parse(self):
        self.take("interface")
        name = self.take()
        if "." not in name:
            raise ValueError(f"interface {name!r} has no dot")
        while self.peek() is not None:
            kind = self.take("type", "method", "error")
            member = self.member_name()
            if kind == "method":
                inputs = self.object()
                self.take("->")
                self.declared[member] = (kind, inputs, self.object())
            else:
                self.declared[member] = (kind, self.struct()[0] if kind == "type" else self.object())
        unknown = {u for u in self.used if self.declared.get(u, ("",))[0] != "type"}
        if unknown:
            raise ValueError(f"types that are not declared: {unknown}")
        return name, self.declared


def parse(text):
    """(interface name, {member: (kind, fields...)}); ValueError if the grammar has no such text."""
    return Parser(text).parse()
