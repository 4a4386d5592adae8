#!/usr/bin/python3
"""
Goal: whatever wrote a PDF, two people can sign it one after the other: other
programs find both signatures valid and no fault in the file, a changed byte is
found, and a file that must not or cannot be signed is refused by its name.
The keys are files here, so that the corpus can be large: flow/pdf has a daemon.
"""
import os
import shutil
import tempfile
import unittest

import flow
import pdf_files as files
import pdf_make as make

TOOL = os.path.join(flow.BUILD, "tests/flow/signet-pdf")
REFUSED = 3
MOST = None if flow.LONG else 12


def tool(*words, code=0):
    done = flow.run(TOOL, *words, check=False)
    if done.returncode != code:
        raise AssertionError((words, done))
    return done.stdout.decode()


class Corpus(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="signet-pdf-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        for who in ("leader", "clerk"):
            flow.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days",
                     "30", "-subj", f"/CN=The {who}", "-addext", "keyUsage=critical,digitalSignature,nonRepudiation",
                     "-keyout", cls.path(who + ".key"), "-out", cls.path(who + ".pem"))

    @classmethod
    def path(cls, *names):
        return os.path.join(cls.folder, *names)

    def sign(self, source, out, who):
        tool("sign", source, self.path(out), self.path(who + ".pem"), self.path(who + ".key"))
        return self.path(out)

    def assert_signed_by_two(self, source):
        with open(source, "rb") as f:
            before = f.read()
        complaints = files.qpdf_complaints(source)
        once = self.sign(source, "once.pdf", "leader")
        twice = self.sign(once, "twice.pdf", "clerk")
        with open(once, "rb") as a, open(twice, "rb") as b:
            first, second = a.read(), b.read()
        self.assertTrue(first.startswith(before) and second.startswith(first))
        self.assertEqual(files.pdfsig(twice), (2, 2, 1))
        self.assertLessEqual(files.qpdf_complaints(twice), complaints)
        lines = tool("list", twice).splitlines()
        self.assertEqual(len(lines), 2)
        self.assertTrue(all("whole=1 filled=1" in line and "foreign=0" in line for line in lines), lines)
        self.assertIn(f"end={len(first)} of {len(second)}", lines[0])

    def assert_all_signed(self, paths):
        for path in paths:
            with self.subTest(file=os.path.basename(path)):
                self.assert_signed_by_two(path)

    def test_files_written_by_hand(self):
        self.assert_all_signed(files.small(self.folder))

    def test_forms_that_qpdf_writes(self):
        page = files.write(self.folder, "made.pdf", make.table(make.objects()))
        self.assert_all_signed(files.forms_of(page))

    def test_documents_of_this_machine(self):
        paths = [p for p in files.documents(self.folder, MOST) if not files.is_encrypted(p)]
        self.assertTrue(paths, "no PDF under /usr/share/doc: zlib1g-dev has one")
        for path in paths if flow.LONG else paths[:3]:
            paths = paths + files.forms_of(path)
        self.assert_all_signed(paths)

    def test_what_libreoffice_writes(self):
        self.assert_all_signed(files.of_libreoffice(self.folder) if flow.LONG else [])

    def test_a_changed_byte_is_found(self):
        page = files.write(self.folder, "page.pdf", make.table(make.objects()))
        twice = self.sign(self.sign(page, "once.pdf", "leader"), "twice.pdf", "clerk")
        with open(twice, "rb") as f:
            data = f.read()
        path = files.write(self.folder, "bent.pdf", data.replace(b"Decision 12", b"Decision 13"))
        self.assertEqual(files.pdfsig(path)[:2], (2, 0))

    def test_a_hundred_signatures(self):
        path = files.write(self.folder, "many.pdf", make.table(make.objects()))
        for n in range(100):
            path = self.sign(path, f"many{n % 2}.pdf", "leader")
        self.assertEqual(files.pdfsig(path)[:2], (100, 100))

    def refusal(self, data):
        path = files.write(self.folder, "refused.pdf", data)
        return tool("sign", path, self.path("never.pdf"), self.path("leader.pem"), self.path("leader.key"),
                    code=REFUSED).strip()

    def test_files_that_forbid_it_are_refused_by_name(self):
        docmdp = b"/Perms << /DocMDP 8 0 R >>"
        for word, data in (
                ("certified", make.with_signature(docmdp, make.DOCMDP % 1)),
                ("certified", make.with_signature(docmdp, make.DOCMDP % 1, fields=b"[]")),
                ("certified", make.with_signature(b"", make.DOCMDP % 1)),
                ("certified", make.with_signature(field=b"/Lock << /Action /Include /Fields [] /P 1 >>")),
                ("locked", make.with_signature(signature=make.FIELDMDP % (b"All", b""))),
                ("locked", make.with_signature(signature=make.FIELDMDP % (b"Exclude", b"Leader"))),
                ("locked", make.with_signature(field=b"/Lock << /Action /All >>"))):
            with self.subTest(word=word, data=data):
                self.assertEqual(self.refusal(data), word)

    def test_what_permits_it_is_signed(self):
        docmdp = b"/Perms << /DocMDP 8 0 R >>"
        for data in (make.with_signature(docmdp, make.DOCMDP % 2), make.with_signature(docmdp, make.DOCMDP % 3),
                     make.with_signature(signature=make.FIELDMDP % (b"Include", b"Signature4"))):
            path = files.write(self.folder, "permits.pdf", data)
            self.assertIn("Signature", tool("list", self.sign(path, "out.pdf", "leader")))
        # a name that was locked before there was such a field is not taken
        self.assertIn("Signature5 ", tool("list", self.path("out.pdf")))

    def test_an_object_behind_the_end_of_what_was_signed_is_seen(self):
        page = make.table(make.objects(o3=make.PAGE[3].replace(b"/Contents 4", b"/Contents 6"), o6=make.PAGE[4]))
        at = b"%010d 00000 n" % page.index(b"6 0 obj")
        path = files.write(self.folder, "behind.pdf", page.replace(at, b"%010d 00000 n" % 20000))
        with open(self.sign(path, "signed.pdf", "leader"), "rb") as f:
            signed = f.read()
        data = signed.ljust(20000) + b"6 0 obj\n%s\nendobj\nstartxref\n%d\n%%%%EOF\n" % (
            make.PAGE[4].replace(b"12", b"99"), make.startxref(signed))
        # other readers show that object now, and the signature stays valid
        self.assertIn("foreign=1", tool("list", files.write(self.folder, "changed.pdf", data)))

    def test_encrypted_files_are_refused_by_name(self):
        page = files.write(self.folder, "open.pdf", make.table(make.objects()))
        for options in (("--encrypt", "", "owner", "256", "--"), ("--encrypt", "user", "owner", "128", "--use-aes=y", "--"),
                        ("--object-streams=generate", "--encrypt", "", "owner", "256", "--")):
            closed = files.qpdf(page, "closed.pdf", *options)
            with open(closed, "rb") as f:
                self.assertEqual(self.refusal(f.read()), "encrypted")

    def test_damaged_files_are_refused_by_name(self):
        page = make.table(make.objects())
        for word, data in (
                ("no-pdf", b"hello\n" * 10), ("no-pdf", b" " + page), ("no-pdf", b""),
                ("no-end", page[:page.index(b"startxref")]), ("no-end", page + b" " * 4096),
                ("bad-xref", page.replace(b"startxref\n", b"startxref\n1")),
                ("bad-xref", page.replace(b"trailer", b"trailed")),
                ("bad-object", page.replace(b"3 0 obj", b"6 0 obj")),
                ("bad-object", make.table(make.objects(o1=b"<< /Type /Catalog /Pages 2 0 R /Pages 2 0 R >>"))),
                ("no-page", page.replace(b"/Kids [3 0 R]", b"/Kids [     ]"))):
            with self.subTest(word=word, data=data):
                self.assertEqual(self.refusal(data), word)

    def test_every_cut_of_a_file_ends_in_a_refusal(self):
        page = make.table(make.objects())
        for end in range(0, len(page) - 8, 7):
            self.assertIn(self.refusal(page[:end]), ("no-pdf", "no-end", "bad-xref"))

    def test_changes_otherwise_than_by_signing_are_seen(self):
        page = files.write(self.folder, "page.pdf", make.table(make.objects()))
        with open(self.sign(page, "signed.pdf", "leader"), "rb") as f:
            signed = f.read()
        at = make.startxref(signed)
        other = make.PAGE[4].replace(b"12", b"99")
        for things in ({4: other}, {3: make.PAGE[3].replace(b"/Contents 4", b"/Contents 20"), 20: other},
                       {2: make.PAGE[2].replace(b"3 0", b"20 0"), 20: make.PAGE[3]}, {5: make.PAGE[5].replace(b"Helvetica", b"Symbol")}):
            path = files.write(self.folder, "changed.pdf", make.table(things, b"/Root 1 0 R", signed, at))
            self.assertIn("foreign=1", tool("list", path), things)
        # what was signed refers to nothing, and later that is there; or it lies behind the end until something is added
        dangling = files.write(self.folder, "dangling.pdf", make.table(make.objects(
            o3=make.PAGE[3].replace(b"/Contents 4", b"/Contents 20"))))
        with open(self.sign(dangling, "signed.pdf", "leader"), "rb") as f:
            more = f.read()
        path = files.write(self.folder, "changed.pdf", make.table({20: other}, b"/Root 1 0 R", more, make.startxref(more)))
        self.assertIn("foreign=1", tool("list", path))
        path = files.write(self.folder, "root.pdf", make.table({30: make.PAGE[1]}, b"/Root 30 0 R", signed, at))
        self.assertEqual(tool("list", path), "", "another catalog has no form")


if __name__ == "__main__":
    flow.main()
