"""What docs.py shares: results, and psql."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def report(kind, *texts):
    plain = [text.replace("\0", "").replace("\t", " ").replace("\n", "\\n") for text in texts]
    print(kind, *plain, sep="\t", flush=True)


def check(right, name, why=""):
    report(*(("pass", name) if right else ("fail", name, why)))


def psql(arguments, database, sql):
    command = [f"{os.environ['PG_BIN']}/psql", "-X", "-q", "-d", database, *arguments]
    variables = ["-v", f"repo={ROOT}", "-v", f"data={os.environ.get('DOCS_DATA', '')}/{database}"]
    done = subprocess.run(
        command + variables,
        input=sql,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=600,
        cwd=os.environ.get("DOCS_DATA"),
    )
    return done.stdout


def rows(sql, database="postgres"):
    return [line.split("\t") for line in psql(["-At", "-F", "\t"], database, sql).strip("\n").split("\n") if line]
