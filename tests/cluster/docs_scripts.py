"""Blocks of the documents that an interpreter runs: how each language names its modules, and what it prints."""

import os
import re
import subprocess

from docs_text import same


class Language:
    """An interpreter, the folder it runs in, and what `import` and comments look like to it.

    `probe` is a script that imports one module. An interpreter that isn't there is None."""

    def __init__(self, command, folder, imports, probe, comment, module):
        self.command, self.folder, self.imports = command, folder, re.compile(imports, re.M)
        self.probe, self.shown, self.module = probe, re.compile(rf"{comment} → (.*)$", re.M), module

    def call(self, text, **environment):
        return subprocess.run(
            self.command,
            input=text,
            text=True,
            capture_output=True,
            timeout=300,
            cwd=self.folder,
            env={**os.environ, **environment},
        )

    def missing(self, text):
        """Why the block can't be run here, or nothing."""
        modules = sorted(set(self.imports.findall(text)))
        if self.command:
            modules = [name for name in modules if self.call(self.probe.format(name)).returncode != 0]
            return modules and f"no {self.module} {', '.join(modules)} here"
        return f"no {self.module}s here"

    def fault(self, text, database):
        """Runs it; what is wrong with what it prints, or nothing."""
        done = self.call(text, PGDATABASE=database)
        shown = "\n".join(self.shown.findall(text))
        if done.returncode == 0 and same(done.stdout, shown):
            return ""
        return f"{done.stderr}{done.stdout}\nshown: {shown}"


PYTHON, NODE = os.environ.get("DOCS_PYTHON"), os.environ.get("DOCS_NODE")
LANGUAGES = {
    "python": Language(
        [PYTHON, "-"] if PYTHON else None, None, r"^(?:import|from) (\w+)", "import {}", "#", "Python module"
    ),
    # Node looks for packages from the folder in which it runs.
    "javascript": Language(
        ["node", "--input-type=module", "-"] if NODE else None,
        NODE or None,
        r"^import .* from ['\"](?!node:)([^'\"\n]+)['\"]",
        "import '{}'",
        "//",
        "npm package",
    ),
}
