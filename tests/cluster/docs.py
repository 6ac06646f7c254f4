#!/usr/bin/env python3
"""Runs what README.md and docs/*.md show, and compares what they list with what is there. docs.sh says when and where.

    docs.py run DOCUMENT...       the blocks of each document, in order, in the database and with the files made for it
    docs.py reference             docs/reference.md against the catalogue and the sources, both ways
    docs.py options               the table of COPY options in docs/files.md against what the parser knows
    docs.py pages                 links between documents, sizes, languages of blocks

A document is Markdown. What is tested are its fenced blocks, by language:

    sql       statements. An ERROR fails, unless the block is a transcript; `-- → x` behind a statement is what it
              prints.
    psql      a transcript: a statement behind each `=# `, below it what psql prints.
    python    a script of its own for each block, after all SQL; `# → x` is what a line prints.
    javascript    likewise, a module for Node; `// → x`.
    others    sh, conf, json, text, java: shown, not run.

What is printed is compared word by word: `…` stands for anything, numbers with a decimal point may be off by one per
cent, the lines of `\\timing` don't count, and a result's heading may be left out. In SQL, `/data/` is the document's
own folder, and a vector that ends in `…`, as in '[0.1, 0.2, …]', is filled up to a unit vector.

Comments steer it:

    <!-- setup: SQL -->           SQL that is run there, unseen
    <!-- vectors: 384 -->         dimension of the vectors that end in `…`, from there on
    <!-- needs: vector -->        the rest of the document wants this extension
    <!-- skip: REASON -->         the next block isn't run
    <!-- elsewhere: TEST -->      the next block is run by tests/cluster/TEST.sh

Each result is a line for docs.sh: pass, fail or note, a tab, and a text; with fail, a tab and why.
"""

import os
import re
import sys
from pathlib import Path

from docs_catalogue import options, reference
from docs_scripts import LANGUAGES
from docs_server import ROOT, check, psql, report, rows
from docs_text import same, parts, runnable, statements, transcript

SHOWN = {"sh", "conf", "json", "text", "java"}
SKIPPED = {"skip", "elsewhere"}
# Of a statement, or in a file that psql reads.
FAULT = re.compile(r"^(psql:.*: )?(ERROR|FATAL|PANIC): ", re.M)
README_BYTES, CONTRIBUTING_BYTES = 12 * 1024, 6 * 1024

# ---- a document ---------------------------------------------------------------------------------------------------


class Document:
    """A database, a folder and a session of psql for one document."""

    def __init__(self, path):
        self.path, self.name = path, path.stem.lower().replace("-", "_")
        self.text = path.read_text()
        self.data = Path(os.environ["DOCS_DATA"]) / self.name
        self.script, self.asked, self.dimension = [], [], 384
        self.counts = {"run": 0, "elsewhere": 0, "skipped": 0, "shown": 0}

    def ask(self, sql, block, shown=None, errors=False):
        self.script.append(runnable(sql, self.data, self.dimension) + f"\n\\echo <<<{len(self.asked)}>>>\n")
        self.asked.append((block, sql, shown, errors))

    def title(self, block):
        return f"{self.path.relative_to(ROOT)}:{block.line}: {block.language}"

    def read(self, extensions):
        """Takes the document apart, into a script for psql and those of other languages. What isn't run is said."""
        skip, scripts = None, []
        setup = ROOT / "tests/docs" / f"{self.path.stem.lower()}.sql"
        if setup.exists():
            self.ask(f"\\i {setup}", None)
        for part in parts(self.text):
            if isinstance(part, tuple):
                if not skip or skip[0] != "needs":
                    skip = self.comment(*part, extensions) or skip
                continue
            if part.language in SHOWN:
                self.counts["shown"] += 1
            elif skip:
                self.skip(part, *skip)
            elif part.language in LANGUAGES:
                scripts.append(part)
            elif part.language in ("sql", "psql"):
                self.take(part)
            else:
                report("fail", self.title(part), "no known language")
            if skip and skip[0] != "needs":
                skip = None
        return scripts

    def comment(self, keyword, value, extensions):
        """What a comment asks for; returns why the next block, or with `needs` all that follow, aren't run here."""
        if keyword == "setup":
            self.ask(value.rstrip("; \n") + ";", None)
        elif keyword == "vectors":
            self.dimension = int(value)
        elif keyword in SKIPPED or (keyword == "needs" and value not in extensions):
            return keyword, value
        elif keyword != "needs":
            report("fail", f"{self.path.name}: comments", f"unknown: {keyword}")
        return None

    def take(self, block):
        """The statements of a block, and what they print."""
        if block.language == "psql":
            found = transcript(block.text)
        else:
            found = [(sql, re.search(r"-- → (.*)$", sql)) for sql in statements(block.text)]
            found = [(sql, shown and shown[1]) for sql, shown in found]
        if not found:
            report("fail", self.title(block), "no statement in it")
        for sql, shown in found:
            self.ask(sql, block, shown, block.language == "psql" and "ERROR:" in shown)

    def skip(self, block, keyword, value):
        if keyword != "elsewhere":
            why = value if keyword == "skip" else f"no extension {value} here"
            report("note", f"SKIPPED: {self.title(block)}: {why}")
            self.counts["skipped"] += 1
        else:
            test = ROOT / "tests/cluster" / f"{value}.sh"
            named = test.exists() and self.path.name in test.read_text()
            check(named, f"{self.title(block)} is run by tests/cluster/{value}.sh", "which doesn't name the document")
            self.counts["elsewhere"] += 1

    def run(self, extensions):
        scripts = self.read(extensions)
        psql([], "postgres", f"CREATE DATABASE {self.name}")
        output = psql([], self.name, "".join(self.script))
        pieces = re.split(r"<<<(\d+)>>>\n", output)
        printed = {int(pieces[i + 1]): pieces[i] for i in range(0, len(pieces) - 1, 2)}
        faults = {}
        for number, (block, sql, shown, errors) in enumerate(self.asked):
            got = printed.get(number, "the session ended before").replace(f"{self.data}/", "/data/")
            wrong = (
                number not in printed
                or (FAULT.search(got) and not errors)
                or (shown is not None and not same(got, shown))
            )
            faults.setdefault(block, [])
            if wrong:
                faults[block].append(f"{sql[:300]}\n-- printed:\n{got[:1500]}\n-- shown:\n{shown}\n")
        for block, found in faults.items():
            if block:
                self.counts["run"] += 1
            if block or found:
                check(not found, self.title(block) if block else f"{self.path.name}: what it needs", "\n".join(found))
        for block in scripts:
            self.run_script(block, LANGUAGES[block.language])
        counts = ", ".join(f"{number} blocks {what}" for what, number in self.counts.items())
        report("note", f"{self.path.relative_to(ROOT)}: {counts}")

    def run_script(self, block, language):
        if missing := language.missing(block.text):
            report("note", f"SKIPPED: {self.title(block)}: {missing}")
            self.counts["skipped"] += 1
            return
        fault = language.fault(block.text, self.name)
        self.counts["run"] += 1
        check(not fault, self.title(block), fault)


# ---- pages ----------------------------------------------------------------------------------------------------------


def anchors(text):
    text = re.sub(r"^ *```.*?^ *```", "", text, flags=re.S | re.M)
    found = set()
    for heading in re.findall(r"^#+ (.*)$", text, re.M):
        heading = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        found.add(re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-"))
    return found


def pages():
    documents = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    documents += sorted((ROOT / "docs").glob("*.md"))
    broken, index = [], set()
    for path in documents:
        prose = re.sub(r"^ *```.*?^ *```|`[^`\n]*`", "", path.read_text(), flags=re.S | re.M)
        for target in re.findall(r"\]\(([^)\s]+)\)", prose):
            if target.startswith("http"):
                continue
            name, _, anchor = target.partition("#")
            to = (path.parent / name).resolve() if name else path
            if path.name == "README.md":
                index.add(to)
            if not to.exists() or (anchor and to.suffix == ".md" and anchor not in anchors(to.read_text())):
                broken.append(f"{path.relative_to(ROOT)}: {target}")
    check(not broken, "links between the documents lead somewhere", "\n".join(broken))
    lost = [str(path.relative_to(ROOT)) for path in documents if path.parent.name == "docs" and path not in index]
    check(not lost, "the README's index has every document", "\n".join(lost))
    for name, limit in (("README.md", README_BYTES), ("CONTRIBUTING.md", CONTRIBUTING_BYTES)):
        size = (ROOT / name).stat().st_size
        check(size <= limit, f"{name} has at most {limit} bytes", str(size))


def main():
    what, arguments = sys.argv[1], sys.argv[2:]
    if what == "run":
        extensions = {row[0] for row in rows("SELECT name FROM pg_available_extensions")}
        for name in arguments:
            Document(ROOT / name).run(extensions)
    else:
        {"reference": reference, "options": options, "pages": pages}[what]()


main()
