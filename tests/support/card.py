#!/usr/bin/python3
"""
A smart card of its own, with a pcscd of its own: what a test plugs in and pulls out.

    card.py DIRECTORY     (as root; flow tests use the class Card below)

starts pcscd in a network and a mount namespace of its own, so that neither the
machine's readers nor its /run/pcscd are touched; its socket is
DIRECTORY/pcscd/pcscd.comm, for PCSCLITE_CSOCK_NAME. The reader is vpcd, the
card a PIV card [NIST SP 800-73-4, part 2] with

    9A  P-256, asks for the PIN once       9C  RSA 2048, asks for it each time

whose PIN (123456) is blocked by three wrong ones, for good, over removal and
restart. Commands come as lines on standard input, each answered by a line:

    insert | remove | restart | tries | spent | unblock | quit
"""
import fcntl
import hashlib
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

PIN = "123456"
TRIES = 3
PORT = 35963
FASC_N = bytes(range(0x31, 0x4A))  # its last bytes become the token's serial number
GUID = bytes.fromhex("5369676e6574205465737420436172 64".replace(" ", ""))
# that of a YubiKey 4, by which OpenSC knows that there is a PIV applet
ATR = bytes.fromhex("3bf81300008131fe155975 62696b657934d4".replace(" ", ""))
AID = bytes.fromhex("a000000308000010000100")
PACKAGES = ("pcscd", "vsmartcard-vpcd", "opensc-pkcs11", "python3-cryptography")

OK = b"\x90\x00"
NOT_FOUND = b"\x6a\x82"
NEEDS_PIN = b"\x69\x82"
BLOCKED = b"\x69\x83"
WRONG_DATA = b"\x6a\x80"
WRONG_P1P2 = b"\x6a\x86"
UNKNOWN = b"\x6d\x00"


def tlv(tag, value):
    """One BER-TLV object; the tag as hexadecimal digits."""
    n = len(value)
    length = bytes([n]) if n < 128 else b"\x81" + bytes([n]) if n < 256 else b"\x82" + n.to_bytes(2, "big")
    return bytes.fromhex(tag) + length + value


def parse(data):
    """The objects of one level whose tags have one byte, as a dictionary."""
    found, at = {}, 0
    while at < len(data):
        tag, length, at = data[at], data[at + 1], at + 2
        if length > 128:
            octets = length - 128
            length, at = int.from_bytes(data[at:at + octets], "big"), at + octets
        found[tag] = data[at:at + length]
        at += length
    return found


class Key:
    """A private key and its certificate."""

    def __init__(self, name, private):
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        import datetime

        self.private = private
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        now = datetime.datetime.utcnow()
        certificate = (x509.CertificateBuilder().subject_name(subject).issuer_name(subject)
                       .public_key(private.public_key()).serial_number(x509.random_serial_number())
                       .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=30))
                       .sign(private, hashes.SHA256()))
        self.der = certificate.public_bytes(serialization.Encoding.DER)
        self.pem = certificate.public_bytes(serialization.Encoding.PEM)

    def authenticate(self, data):
        """What the card answers to a challenge: the raw private operation [SP 800-73-4, part 2, 3.2.4]."""
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec, rsa, utils

        if isinstance(self.private, rsa.RSAPrivateKey):
            numbers = self.private.private_numbers()
            size = self.private.key_size // 8
            if len(data) != size:
                return None
            return pow(int.from_bytes(data, "big"), numbers.d, numbers.public_numbers.n).to_bytes(size, "big")
        if len(data) != 32:
            return None
        return self.private.sign(data, ec.ECDSA(utils.Prehashed(hashes.SHA256())))


class Applet:
    """The card: what survives when it is pulled out, and what does not."""

    def __init__(self):
        from cryptography.hazmat.primitives.asymmetric import ec, rsa

        self.keys = {0x9A: Key("card personal", ec.generate_private_key(ec.SECP256R1())),
                     0x9C: Key("card seal", rsa.generate_private_key(65537, 2048))}
        self.algorithms = {0x9A: 0x11, 0x9C: 0x07}
        self.tries = TRIES
        self.spent = 0  # wrong PINs, ever
        self.power()

    def power(self):
        """Switched on: nobody has shown a PIN."""
        self.verified = self.fresh = False
        self.chain = self.rest = b""

    def objects(self):
        chuid = (tlv("30", FASC_N) + tlv("34", GUID) + tlv("35", b"20991231") + tlv("3e", b"") + tlv("fe", b""))
        data = {"5fc102": chuid, "5fc107": tlv("f0", bytes(21)) + tlv("fe", b"")}
        for slot, name in ((0x9A, "5fc105"), (0x9C, "5fc10a")):
            data[name] = tlv("70", self.keys[slot].der) + tlv("71", b"\0") + tlv("fe", b"")
        return data

    def answer(self, apdu):
        """One command, one response, in pieces of the size that was asked for [ISO 7816-4, 5.3]."""
        cla, ins, p1, p2 = apdu[:4]
        length = apdu[4] if len(apdu) > 5 else 0
        body = apdu[5:5 + length]
        wanted = apdu[-1] if len(apdu) == 5 or len(apdu) > 5 + length else 0
        if ins == 0xC0:
            return self.piece(wanted)
        if cla & 0x10:
            self.chain += body
            return OK
        body, self.chain = self.chain + body, b""
        found = self.command(ins, p1, p2, body)
        if found[-2:] != OK:
            return found
        self.rest = found[:-2]
        return self.piece(wanted)

    def piece(self, wanted):
        n = wanted or 256
        part, self.rest = self.rest[:n], self.rest[n:]
        return part + (OK if not self.rest else b"\x61" + bytes([min(len(self.rest), 255)]))

    def command(self, ins, p1, p2, body):
        if ins == 0xA4:
            if not AID.startswith(body) or len(body) < 5:
                return NOT_FOUND
            self.fresh = False
            return tlv("61", tlv("4f", AID[5:]) + tlv("79", tlv("4f", AID[:5]))) + OK
        if ins == 0xFD:  # a vendor's: version of the applet
            return b"\x04\x03\x05" + OK
        if ins == 0x20:
            return self.verify(p1, p2, body)
        if ins == 0xCB:
            data = self.objects().get(parse(body).get(0x5C, b"").hex())
            return NOT_FOUND if data is None else tlv("53", data) + OK
        if ins == 0x87:
            return self.authenticate(p1, p2, body)
        return UNKNOWN

    def verify(self, p1, p2, body):
        if p2 != 0x80:
            return WRONG_P1P2
        if p1 == 0xFF:
            self.verified = self.fresh = False
            return OK
        if not body:
            return OK if self.verified else BLOCKED if self.tries == 0 else b"\x63" + bytes([0xC0 | self.tries])
        if self.tries == 0:
            return BLOCKED
        if body != PIN.encode().ljust(8, b"\xff"):
            self.verified = self.fresh = False
            self.tries -= 1
            self.spent += 1
            return BLOCKED if self.tries == 0 else b"\x63" + bytes([0xC0 | self.tries])
        self.tries = TRIES
        self.verified = self.fresh = True
        return OK

    def authenticate(self, algorithm, slot, body):
        if slot not in self.keys or self.algorithms[slot] != algorithm:
            return WRONG_P1P2
        if not (self.fresh if slot == 0x9C else self.verified):
            return NEEDS_PIN
        self.fresh = False
        template = parse(parse(body).get(0x7C, b""))
        signature = self.keys[slot].authenticate(template.get(0x81, b""))
        return WRONG_DATA if signature is None else tlv("7c", tlv("82", signature)) + OK


class Reader:
    """Our end of vpcd's connection: open while the card is in [virtualsmartcard, vpcd protocol]."""

    def __init__(self, applet):
        self.applet = applet
        self.line = None
        self.thread = None

    def insert(self):
        deadline = time.monotonic() + 20
        while True:  # pcscd opens the port a little after its own socket
            try:
                self.line = socket.create_connection(("127.0.0.1", PORT))
                break
            except ConnectionRefusedError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
        self.applet.power()
        self.thread = threading.Thread(target=self.serve, args=(self.line,), daemon=True)
        self.thread.start()

    def remove(self):
        if self.line is None:
            return
        try:
            self.line.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # pcscd was first
        self.thread.join()
        self.line.close()
        self.line = None

    @staticmethod
    def take(line, n):
        data = b""
        while len(data) < n:
            # vpcd sends length and command apart: the second waits for our acknowledgement of the first
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            part = line.recv(n - len(data))
            if not part:
                raise EOFError
            data += part
        return data

    def serve(self, line):
        try:
            while True:
                (n,) = struct.unpack(">H", self.take(line, 2))
                message = self.take(line, n)
                if n == 1:
                    if message[0] in (0, 1, 2):
                        self.applet.power()
                    if message[0] != 4:
                        continue
                    found = ATR
                else:
                    found = self.applet.answer(message)
                line.sendall(struct.pack(">H", len(found)) + found)
        except (EOFError, OSError):
            return


class Service:
    """pcscd, in namespaces that the caller has entered."""

    def __init__(self, place):
        self.place = place
        self.daemon = None
        self.readers = os.path.join(place, "readers")
        os.makedirs(self.readers, exist_ok=True)
        with open(os.path.join(self.readers, "vpcd"), "w", encoding="ascii") as f:
            f.write('FRIENDLYNAME "Signet test reader"\n'
                    f"DEVICENAME /dev/null:0x{PORT:X}\n"
                    "LIBPATH /usr/lib/pcsc/drivers/serial/libifdvpcd.so\n"
                    f"CHANNELID 0x{PORT:X}\n")
        os.makedirs(os.path.join(place, "pcscd"), exist_ok=True)
        os.chmod(os.path.join(place, "pcscd"), 0o755)
        for command in (["mount", "-t", "tmpfs", "tmpfs", "/run"], ["mkdir", "/run/pcscd"],
                        ["mount", "--bind", os.path.join(place, "pcscd"), "/run/pcscd"]):
            subprocess.run(command, check=True)
        self.loopback_up()

    @staticmethod
    def loopback_up():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            request = struct.pack("16sH14x", b"lo", 0x1 | 0x40)  # IFF_UP, IFF_RUNNING
            fcntl.ioctl(s, 0x8914, request)  # SIOCSIFFLAGS [netdevice(7)]

    def start(self):
        with open(os.path.join(self.place, "pcscd.log"), "ab") as log:
            self.daemon = subprocess.Popen(["/usr/sbin/pcscd", "--foreground", "--config", self.readers],
                                           stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + 20
        while not os.path.exists("/run/pcscd/pcscd.comm"):
            if self.daemon.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("pcscd did not start; its messages are in pcscd.log")
            time.sleep(0.01)

    def stop(self):
        self.daemon.terminate()
        try:
            self.daemon.wait(10)
        except subprocess.TimeoutExpired:
            self.daemon.kill()
            self.daemon.wait()


def serve(place):
    """The program: commands from standard input until it ends."""
    applet = Applet()
    for slot, key in applet.keys.items():
        with open(os.path.join(place, f"{slot:02X}.pem"), "wb") as f:
            f.write(key.pem)
    service, reader = Service(place), Reader(applet)
    service.start()

    def restart():
        inside = reader.line is not None
        service.stop()
        reader.remove()
        service.start()
        if inside:
            reader.insert()

    def unblock():
        applet.tries = TRIES

    commands = {"insert": reader.insert, "remove": reader.remove, "restart": restart, "unblock": unblock,
                "tries": lambda: applet.tries, "spent": lambda: applet.spent}
    try:
        print("ready", flush=True)
        for line in sys.stdin:
            if line.strip() == "quit":
                break
            found = commands[line.strip()]()
            print("ok" if found is None else found, flush=True)
    finally:
        reader.remove()
        service.stop()


class Card:
    """The program above, for a test."""

    MODULE = "/usr/lib/x86_64-linux-gnu/pkcs11/opensc-pkcs11.so"
    SERIAL = FASC_N[17:].hex()

    def __init__(self, place):
        self.place = place
        os.makedirs(place, exist_ok=True)
        missing = [f for f in ("/usr/sbin/pcscd", "/usr/lib/pcsc/drivers/serial/libifdvpcd.so", self.MODULE)
                   if not os.path.exists(f)]
        if missing:
            raise AssertionError(f"this test needs {', '.join(missing)}: apt-get install {' '.join(PACKAGES)}")
        prefix = [] if os.geteuid() == 0 else ["sudo", "-n"]
        self.log = open(os.path.join(place, "card.log"), "w+", encoding="utf-8")
        self.program = subprocess.Popen(prefix + ["unshare", "--net", "--mount", "--", "/usr/bin/python3", os.path.abspath(__file__), place],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.expect("ready")

    def expect(self, wanted=None):
        line = self.program.stdout.readline().strip()
        if not line or (wanted and line != wanted):
            self.log.seek(0)
            raise AssertionError(f"the card: {line!r} instead of {wanted!r}; it needs root or sudo, and the packages "
                                 f"{' '.join(PACKAGES)}\n{self.log.read()}")
        return line

    def __getattr__(self, name):
        if name not in ("insert", "remove", "restart", "unblock", "tries", "spent"):
            raise AttributeError(name)

        def tell():
            self.program.stdin.write(name + "\n")
            self.program.stdin.flush()
            found = self.expect()
            return None if found == "ok" else int(found)

        return tell

    @property
    def socket(self):
        return os.path.join(self.place, "pcscd", "pcscd.comm")

    def certificate(self, slot):
        return os.path.join(self.place, slot + ".pem")

    def stop(self):
        self.program.stdin.close()
        self.program.wait(30)
        self.program.stdout.close()
        self.log.close()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    serve(sys.argv[1])
