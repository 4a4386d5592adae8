#!/usr/bin/python3
"""
Goal: what any public Varlink client expects of a service holds for signetd:
org.varlink.service with all its errors, replies in call order, `more`,
`oneway`, no upgrade. [varlink.org, Service and Method-Call]
"""
import os

import flow
import idl
from varlink import ADMIN, SERVICE, SIGNER, TOKEN, VarlinkError

FILES = os.path.join(flow.REPO, "include/signet")
INTERFACES = [name.removesuffix(".varlink") for name in os.listdir(FILES) if name.endswith(".varlink")]


class VarlinkService(flow.SandboxTest):
    def test_get_info_names_every_interface(self):
        info = self.box.call(SERVICE + "GetInfo")
        self.assertEqual(set(info), {"vendor", "product", "version", "url", "interfaces"})
        self.assertEqual(sorted(info["interfaces"]), sorted(INTERFACES))
        for member in ("vendor", "product", "version", "url"):
            self.assertIsInstance(info[member], str)

    def test_descriptions_are_the_files_byte_for_byte_and_parse(self):
        for name in INTERFACES:
            with self.subTest(name):
                text = self.box.call(SERVICE + "GetInterfaceDescription", {"interface": name})["description"]
                with open(os.path.join(FILES, name + ".varlink"), "rb") as f:
                    self.assertEqual(text.encode(), f.read())
                self.assertEqual(idl.parse(text)[0], name)

    def test_no_parameters_may_be_omitted_null_or_empty(self):
        with self.box.connect() as c:
            for message in (b'{"method":"%s"}', b'{"method":"%s","parameters":null}', b'{"method":"%s","parameters":{}}',
                            b'{"method":"%s","more":false,"oneway":false,"upgrade":false}',
                            b'{"method":"%s","com.example.trace":{"id":1}}'):
                c.send_raw(message % (SERVICE + "GetInfo").encode() + b"\0")
                self.assertIn("interfaces", c.reply(), message)

    def test_unknown_interface(self):
        for method, interface in (("org.example.Other.Do", "org.example.Other"), ("org.signetd.Do", "org.signetd")):
            self.assertEqual(self.assertFails("InterfaceNotFound", method), {"interface": interface})
        self.assertEqual(self.assertFails("InterfaceNotFound", SERVICE + "GetInterfaceDescription",
                                          {"interface": "org.example.Other"}), {"interface": "org.example.Other"})

    def test_unknown_method_of_a_known_interface(self):
        for method in (SIGNER + "Forge", SERVICE + "getInfo", ADMIN + "Sign"):
            parameters = self.assertFails("MethodNotFound", method)
            self.assertEqual(parameters["method"].rpartition(".")[2], method.rpartition(".")[2])

    def test_errors_of_the_service_carry_its_name(self):
        with self.assertRaises(VarlinkError) as caught:
            self.box.call(SIGNER + "Forge")
        self.assertEqual(caught.exception.name, "org.varlink.service.MethodNotFound")

    def test_invalid_parameters_are_named(self):
        for parameters, field in (({"key": "ec"}, "digest"), ({"digest": flow.digest()}, "key"),
                                  ({"key": 7, "digest": flow.digest()}, "key"),
                                  ({"key": "ec", "digest": flow.digest(), "colour": "red"}, "colour"),
                                  ({"key": "ec", "digest": flow.digest(), "timeoutMs": "5"}, "timeoutMs"),
                                  ({"key": "ec", "digest": flow.digest(), "scheme": "rsa"}, "scheme"),
                                  ({"key": "ec", "digest": flow.digest(), "document": {"titel": "x"}}, "titel")):
            with self.subTest(field):
                found = self.assertFails("InvalidParameter", SIGNER + "Sign", parameters)
                self.assertTrue(found["parameter"].endswith(field), found)

    def test_null_is_an_absent_parameter(self):
        reply = self.box.call(SIGNER + "Sign", {"key": "ec", "digest": flow.digest(), "scheme": None, "document": None})
        self.assertEqual(reply["state"], "done")

    def test_lists_need_more_or_one_match(self):
        self.assertFails("ExpectedMore", SIGNER + "ListKeys")
        self.assertEqual(self.box.call(SIGNER + "ListKeys", {"key": "ec"})["key"]["name"], "ec")
        self.assertEqual(self.box.call(TOKEN + "List")["token"]["name"], "sandbox")

    def test_more_streams_with_continues_until_the_last(self):
        with self.box.connect() as c:
            c.send(SIGNER + "ListKeys", more=True)
            names, message = [], {"continues": True}
            while message.get("continues"):
                message = c.message()
                names.append(message["parameters"]["key"]["name"])
            self.assertEqual(sorted(names), ["ec", "ed", "rsa", "seal", "tsa"])
            self.assertNotIn("continues", message)
            self.assertIn("interfaces", c.call(SERVICE + "GetInfo"))

    def test_more_on_a_single_reply_is_legal(self):
        with self.box.connect() as c:
            c.send(SERVICE + "GetInfo", more=True)
            self.assertFalse(c.message().get("continues"))

    def test_pipelined_calls_are_answered_in_their_order(self):
        """Slow signatures, instant answers and errors, all sent before the first reply is read."""
        calls, expected = [], []
        for n in range(120):
            wanted = flow.digest(b"%d" % n)
            kind = n % 4
            calls.append([(SIGNER + "Sign", {"key": "rsa", "digest": wanted}), (SERVICE + "GetInfo", None),
                          (SIGNER + "Sign", {"key": "no-such-key", "digest": wanted}),
                          (SIGNER + "Sign", {"key": "ec", "digest": wanted})][kind])
            expected.append(wanted if kind in (0, 3) else ("info", "KeyNotFound")[kind - 1])
        with self.box.connect() as c:
            for method, parameters in calls:
                c.send(method, parameters)
            for wanted in expected:
                message = c.message()
                if wanted == "KeyNotFound":
                    self.assertTrue(message["error"].endswith(".KeyNotFound"), message)
                elif wanted == "info":
                    self.assertIn("interfaces", message["parameters"])
                else:
                    self.assertIn(wanted, message["parameters"]["receipt"]["entry"])

    def test_oneway_calls_get_no_reply_not_even_an_error(self):
        lone = flow.digest()
        with self.box.connect() as c:
            c.send(SERVICE + "GetInfo", oneway=True)
            c.send("org.example.Other.Do", oneway=True)
            c.send(SIGNER + "Forge", oneway=True)
            c.send(SIGNER + "Sign", {"key": "ec"}, oneway=True)
            c.send(SIGNER + "Sign", {"key": "no-such-key", "digest": lone}, oneway=True)
            c.send(SIGNER + "Sign", {"key": "ec", "digest": lone}, oneway=True)
            c.send(SIGNER + "ListKeys", {"key": "rsa"})
            self.assertEqual(c.reply()["key"]["name"], "rsa")
        flow.until(lambda: [e for e in self.box.signed() if e["digest"] == lone], what="the oneway signature's entry")

    def test_upgrade_is_refused_and_the_connection_goes_on(self):
        with self.box.connect() as c:
            c.send(SERVICE + "GetInfo", upgrade=True)
            message = c.message()
            self.assertTrue(message["error"].startswith("org.varlink.service."), message)
            self.assertIn("interfaces", c.call(SERVICE + "GetInfo"))

    def test_message_in_many_pieces_and_many_in_one_piece(self):
        with self.box.connect() as c:
            for byte in b'{"method":"org.varlink.service.GetInfo"}\0':
                c.send_raw(bytes([byte]))
            self.assertIn("interfaces", c.reply())
            c.send_raw(b'{"method":"org.varlink.service.GetInfo"}\0' * 50)
            for _ in range(50):
                self.assertIn("interfaces", c.reply())


if __name__ == "__main__":
    flow.main()
