"""What docs.py asks of texts: the blocks and tables of a Markdown document, the statements of a block, and whether two
outputs are the same."""

import math
import random
import re

# ---- Markdown ---------------------------------------------------------------------------------------------------


class Block:
    def __init__(self, line, language, text):
        self.line, self.language, self.text = line, language, text


def parts(text):
    """Blocks, and comments as (keyword, value), in the order of a document."""
    found, lines, i = [], text.split("\n"), 0
    while i < len(lines):
        if fence := re.match(r"( *)```(\w*)$", lines[i]):
            start, indent = i + 1, len(fence[1])
            i = start
            while lines[i].strip() != "```":
                i += 1
            found.append(Block(start, fence[2], "\n".join(line[indent:] for line in lines[start:i])))
        elif re.match(r" *<!--", lines[i]):
            start = i
            while "-->" not in lines[i]:
                i += 1
            comment = "\n".join(lines[start : i + 1]).strip()
            if keyword := re.match(r"<!-- *([a-z]+): *(.*?)\s*-->$", comment, re.S):
                found.append((keyword[1], keyword[2]))
        i += 1
    return found


def tables(text, heading):
    """The rows, as lists of cells, of all tables below a heading, up to the next one of its rank or a higher one."""
    rank = len(heading.split()[0])
    section = re.search(rf"^{re.escape(heading)}$(.*?)(?=^#{{1,{rank}}} |\Z)", text, re.S | re.M)
    if not section:
        return []
    rows = [line.strip() for line in section[1].split("\n") if line.strip().startswith("|")]
    rules = [i for i, row in enumerate(rows) if re.fullmatch(r"[|\-: ]+", row)]
    headings = {i for rule in rules for i in (rule - 1, rule)}
    return [
        [cell.strip() for cell in row.strip("|").split("|")] for i, row in enumerate(rows) if i not in headings
    ]


def code(cell):
    return re.findall(r"`([^`]+)`", cell)


# ---- SQL ----------------------------------------------------------------------------------------------------------

TOKEN = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\"[^\"]*\"|(\$\w*\$).*?\1|;|^\\[^\n]*", re.S | re.M)


def statements(text):
    """Statements and psql's commands, each with the rest of its last line."""
    found, start, at = [], 0, 0
    while token := TOKEN.search(text, at):
        at = token.end()
        if token[0] == ";" or token[0].startswith("\\"):
            end = text.find("\n", at)
            end = len(text) if end < 0 else end
            if not re.fullmatch(r"\s*(--[^\n]*)?", text[at:end]):
                end = at
            found.append(text[start:end].strip("\n"))
            start = at = end
    if re.sub(r"--[^\n]*", "", text[start:]).strip():
        found.append(text[start:].strip("\n"))
    return found


def transcript(text):
    """(statement, what it prints) for each prompt; a statement goes on until it is complete."""
    found = []
    for piece in re.split(r"^=# ", text, flags=re.M)[1:]:
        statement = statements(piece)[0]
        found.append((statement, piece[piece.index(statement) + len(statement) :].strip("\n")))
    return found


def vector(text, dimension):
    """A unit vector that follows from a text."""
    source = random.Random(text)
    numbers = [source.gauss(0, 1) for _ in range(dimension)]
    norm = math.sqrt(sum(x * x for x in numbers))
    return ", ".join(f"{x / norm:.6f}" for x in numbers)


def runnable(sql, data, dimension):
    sql = sql.replace("/data/", f"{data}/")
    return re.sub(
        r"'([\[{])[-0-9., ]*…([\]}])'",
        lambda match: f"'{match[1]}{vector(match[0], dimension)}{match[2]}'",
        sql,
    )


NUMBER = re.compile(r"-?\d+\.\d+(?:e[-+]?\d+)?", re.I)


def words(text):
    text = re.sub(r"^Time: .*$|^\(\d+ rows?\)$", "", text, flags=re.M)
    return " ".join(re.sub(r"-{2,}", "--", text).split())


def without_headings(text):
    return re.sub(r"^[^\n]*\n[-+]+\n", "", text, flags=re.M)


def pattern_of(piece):
    if "…" in piece:
        return r"\s?.*?\s?"
    if NUMBER.fullmatch(piece):
        return r"(-?\d+\.?\d*(?:e[-+]?\d+)?)"
    return re.escape(piece)


def same(printed, shown):
    """Whether what was printed is what a document shows."""
    if not re.search(r"^ *-{2,}(\+-+)* *$", shown, re.M):
        printed = without_headings(printed)
    printed, shown = words(printed), words(shown)
    numbers = [float(number) for number in NUMBER.findall(shown)]
    pattern = "".join(pattern_of(piece) for piece in re.split(rf"( ?… ?|{NUMBER.pattern})", shown, flags=re.I))
    match = re.fullmatch(pattern, printed, re.S | re.I)
    return bool(match) and all(
        abs(float(got) - want) <= max(0.01 * abs(want), 0.0015) for got, want in zip(match.groups(), numbers)
    )


