"""
PDF files to test with: what packages have put under /usr/share/doc, what qpdf
makes of small files, and, where it is there, LibreOffice's own.
"""
import gzip
import os
import shutil

import flow
import pdf_make as make

DOC = "/usr/share/doc"


def documents(folder, most=None):
    """PDFs of /usr/share/doc, unpacked into `folder`: the smallest first."""
    found = []
    for place, _, names in os.walk(DOC):
        found += [os.path.join(place, n) for n in names if n.endswith((".pdf", ".pdf.gz"))]
    found = sorted({os.path.realpath(path) for path in found if os.path.isfile(path)}, key=os.path.getsize)
    paths = []
    for path in found[:most]:
        name = os.path.join(folder, f"doc{len(paths)}-{os.path.basename(path).removesuffix('.gz')}")
        with (gzip.open if path.endswith(".gz") else open)(path, "rb") as source, open(name, "wb") as copy:
            shutil.copyfileobj(source, copy)
        paths.append(name)
    return paths


def write(folder, name, data):
    path = os.path.join(folder, name)
    with open(path, "wb") as f:
        f.write(data)
    return path


def qpdf(source, name, *options):
    """What qpdf makes of a file, beside it."""
    path = os.path.join(os.path.dirname(source), name)
    flow.run("qpdf", *options, source, path)
    return path


def forms_of(source):
    """One file in every form that qpdf writes: tables, streams, linearized."""
    stem = os.path.basename(source).removesuffix(".pdf")
    return [
        qpdf(source, stem + "-table.pdf", "--object-streams=disable"),
        qpdf(source, stem + "-streams.pdf", "--object-streams=generate"),
        qpdf(source, stem + "-linear.pdf", "--linearize", "--object-streams=disable"),
        qpdf(source, stem + "-linear-streams.pdf", "--linearize", "--object-streams=generate"),
    ]


def small(folder):
    """Files written by hand: the page alone, with a form in several places, in two revisions, hybrid."""
    page = make.table(make.objects())
    form = make.objects(
        o1=b"<< /Type /Catalog /Pages 2 0 R /AcroForm 6 0 R >>",
        o3=make.PAGE[3][:-2] + b"/Annots 7 0 R >>",
        o6=b"<< /Fields 8 0 R /DA (/F1 0 Tf) >>", o7=b"[9 0 R]", o8=b"[9 0 R]",
        o9=b"<< /Type /Annot /Subtype /Widget /FT /Tx /T (Signature7) /Rect [10 10 50 20] /P 3 0 R /V (x) >>")
    both = dict(form)
    both[6] = b"<< /Fields 7 0 R >>"
    del both[8]
    return [
        write(folder, "page.pdf", page),
        write(folder, "id.pdf", make.table(make.objects(), b"/Root 1 0 R /ID [<00112233445566778899aabbccddeeff> (x)]")),
        write(folder, "form.pdf", make.table(form)),
        write(folder, "shared-list.pdf", make.table(both)),
        write(folder, "inline-form.pdf", make.table(make.objects(
            o1=b"<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [ ] >> >>"))),
        write(folder, "revised.pdf", make.table({3: make.PAGE[3]}, b"/Root 1 0 R", page, make.startxref(page))),
        write(folder, "hybrid.pdf", make.hybrid()),
        write(folder, "no-newline.pdf", page.rstrip(b"\n")),
        write(folder, "carriage-return.pdf", page.replace(b"%%EOF\n", b"%%EOF\r")),
    ]


def of_libreoffice(folder):
    """Its own export, or nothing where it is not installed."""
    if shutil.which("soffice") is None:
        return []
    text = write(folder, "office.txt", "Quyết định số 12\n".encode() * 200)
    paths = []
    for version in ("0", "2", "17"):  # its default, PDF/A-2b, PDF 1.7
        kind = 'pdf:writer_pdf_Export:{"SelectPdfVersion":{"type":"long","value":"%s"}}' % version
        flow.run("soffice", f"-env:UserInstallation=file://{folder}/office", "--headless", "--convert-to", kind, "--outdir",
                 folder, text)
        paths.append(os.path.join(folder, f"office-{version}.pdf"))
        os.rename(os.path.join(folder, "office.pdf"), paths[-1])
    return paths


def is_encrypted(path):
    return flow.run("qpdf", "--is-encrypted", path, check=False).returncode == 0


def qpdf_complaints(path):
    """0: none, 2: errors, 3: warnings."""
    return flow.run("qpdf", "--check", path, check=False).returncode


def pdfsig(path):
    """(signatures, valid ones, those that cover the whole file) that poppler finds."""
    text = flow.run("pdfsig", "-nocert", path, check=False).stdout.decode(errors="replace")
    return text.count("Signature #"), text.count("Signature is Valid"), text.count("Total document signed")
