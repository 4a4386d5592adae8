#!/usr/bin/python3
"""
A small Varlink client for tests: the standard library and nothing else.

It is as strict as a test needs and no more helpful than that: `send_raw` puts
any bytes on the wire, `message` returns the next reply as it came.

    varlink.py SOCKET METHOD ['{"parameter": 1}']      one call from a shell
"""
import json
import socket
import sys

SERVICE = "org.varlink.service."
SIGNER = "org.signetd.Signer."
TOKEN = "org.signetd.Token."
ADMIN = "org.signetd.Admin."


class VarlinkError(Exception):
    def __init__(self, name, parameters):
        super().__init__(f"{name} {json.dumps(parameters)}")
        self.name = name  # fully qualified
        self.short = name.rpartition(".")[2]
        self.parameters = parameters


class Closed(Exception):
    """The peer closed the connection."""


class Connection:
    def __init__(self, path, timeout=30):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        self.socket.connect(path)
        self.received = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send_raw(self, data):
        self.socket.sendall(data)

    def send(self, method, parameters=None, **flags):
        call = {"method": method}
        if parameters is not None:
            call["parameters"] = parameters
        call.update(flags)
        self.send_raw(json.dumps(call, ensure_ascii=False).encode() + b"\0")

    def message_bytes(self):
        while b"\0" not in self.received:
            try:
                data = self.socket.recv(1 << 16)
            except ConnectionResetError:
                data = b""
            if not data:
                raise Closed(f"with {len(self.received)} bytes of a message")
            self.received += data
        message, _, self.received = self.received.partition(b"\0")
        return message

    def message(self):
        return json.loads(self.message_bytes())

    def reply(self):
        """The parameters of the next reply, or its error raised."""
        return unwrap(self.message())

    def call(self, method, parameters=None):
        self.send(method, parameters)
        return self.reply()

    def more(self, method, parameters=None):
        """Each reply of a call that says `more`."""
        self.send(method, parameters, more=True)
        while True:
            message = self.message()
            yield unwrap(message)
            if not message.get("continues"):
                return

    def expect_close(self):
        """Everything that still comes until the peer closes."""
        rest, self.received = self.received, b""
        try:
            while data := self.socket.recv(1 << 16):
                rest += data
        except ConnectionResetError:
            pass
        return rest


def unwrap(message):
    if "error" in message:
        raise VarlinkError(message["error"], message.get("parameters", {}))
    return message.get("parameters", {})


def call(path, method, parameters=None, timeout=30):
    with Connection(path, timeout) as connection:
        return connection.call(method, parameters)


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    try:
        answer = call(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]) if len(sys.argv) == 4 else None)
    except VarlinkError as problem:
        sys.exit(str(problem))
    print(json.dumps(answer, ensure_ascii=False))
