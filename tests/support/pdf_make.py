"""
Small PDF files, written by hand: one page of text, with what a test wants to
change. Nothing here knows how signet_pdf reads them.
"""
PAGE = {
    1: b"<< /Type /Catalog /Pages 2 0 R >>",
    2: b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
    3: b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 100] /Contents 4 0 R "
       b"/Resources << /Font << /F1 5 0 R >> >> >>",
    4: b"<< /Length 42 >>\nstream\nBT /F1 18 Tf 20 40 Td (Decision 12) Tj ET\nendstream",
    5: b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
}


def objects(**changed):
    """The page, with objects replaced or added: objects(o1=b"...", o9=b"...")."""
    return {**PAGE, **{int(name[1:]): text for name, text in changed.items()}}


def table(things, trailer=b"/Root 1 0 R", begin=b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", prev=None):
    """A file, or with `begin` an update of one, with a cross-reference table."""
    out, at = bytearray(begin), {}
    for number, text in things.items():
        at[number] = len(out)
        out += b"%d 0 obj\n%s\nendobj\n" % (number, text)
    start = len(out)
    out += b"xref\n"
    if prev is None:
        out += b"0 1\n0000000000 65535 f \n"
    for number, where in at.items():
        out += b"%d 1\n%010d 00000 n \n" % (number, where)
    size = max(things) + 1
    chain = b"" if prev is None else b" /Prev %d" % prev
    out += b"trailer\n<< /Size %d %s%s >>\nstartxref\n%d\n%%%%EOF\n" % (size, trailer, chain, start)
    return bytes(out)


def startxref(data):
    return int(data[data.rindex(b"startxref") + 9:].split()[0])


def stream(dictionary, data):
    return b"<< %s /Length %d >>\nstream\n%s\nendstream" % (dictionary, len(data), data)


def hybrid():
    """A table that leaves the page's font to a stream [ISO 32000-1, 7.5.8.4]."""
    things = objects()
    font = things.pop(5)
    out, at = bytearray(b"%PDF-1.7\n"), {}
    things[6] = stream(b"/Type /ObjStm /N 1 /First 4", b"5 0 " + font)
    for number, text in things.items():
        at[number] = len(out)
        out += b"%d 0 obj\n%s\nendobj\n" % (number, text)
    rows = bytes((2, 0, 6, 0)) + bytes((1,)) + at[6].to_bytes(2, "big") + b"\0"
    second = len(out)
    out += b"7 0 obj\n%s\nendobj\n" % stream(b"/Type /XRef /Size 8 /W [1 2 1] /Index [5 2] /Root 1 0 R", rows)
    start = len(out)
    out += b"xref\n0 6\n0000000000 65535 f \n"
    for number in (1, 2, 3, 4):
        out += b"%010d 00000 n \n" % at[number]
    out += b"0000000000 00000 f \n"
    out += b"trailer\n<< /Size 8 /Root 1 0 R /XRefStm %d >>\nstartxref\n%d\n%%%%EOF\n" % (second, start)
    return bytes(out)


SIGNED = (b"<< /Type /Sig /Filter /Adobe.PPKLite /SubFilter /ETSI.CAdES.detached /ByteRange [0 1 2 3] "
          b"/Contents <3003020101> /M (D:20250301153000+07'00') %s >>")
FIELD = b"<< /Type /Annot /Subtype /Widget /FT /Sig /T (Leader) /V 8 0 R /Rect [0 0 0 0] /P 3 0 R %s >>"


def with_signature(catalog=b"", signature=b"", field=b"", fields=b"[9 0 R]"):
    """A signature of no worth in the form, so that it can say what it forbids."""
    return table(objects(
        o1=b"<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields %s /SigFlags 3 >> %s >>" % (fields, catalog),
        o8=SIGNED % signature, o9=FIELD % field))


DOCMDP = b"/Reference [<< /TransformMethod /DocMDP /TransformParams << /P %d /V /1.2 >> >>]"
FIELDMDP = b"/Reference [<< /TransformMethod /FieldMDP /TransformParams << /Action /%s /Fields [(%s)] >> >>]"
