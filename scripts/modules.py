"""Who imports whom among the modules of one Rust crate, read from its text.

A module is a file. An import is a path in a `use` or in the code that begins with `crate`, `self`, `super` or the name
of a module below; a name that a module only passes on (`pub use`) counts as one of the module that defines it, so that
a folder's front (`mod.rs`) isn't taken for a dependency of what stands behind it.
"""

import re
from pathlib import PurePosixPath

USE = re.compile(r"^[ \t]*((?:pub(?:\([^)]*\))?\s+)?)use\s+([^;]+);", re.M)
INLINE = re.compile(r"(?<![\w:])(crate|super|self)((?:::\w+)+)")
TESTS = re.compile(r"#\[cfg\([^\]]*\btest\b[^\]]*\)\]\s*(?:pub(?:\([^)]*\))?\s+)?mod\s+\w+\s*\{", re.M)


def leaves(tree, before=()):
    """The paths of a use tree, each with the name that it gets."""
    tree = tree.strip()
    if tree.startswith("{"):
        depth, start = 0, 1
        for place, letter in enumerate(tree):
            depth += (letter == "{") - (letter == "}")
            if (letter == "," and depth == 1) or depth == 0:
                if tree[start:place].strip():
                    yield from leaves(tree[start:place], before)
                start = place + 1
        return
    match = re.match(r"(\w+|\*)\s*(::)?\s*", tree)
    if not match:
        return
    name, rest = match[1], tree[match.end() :]
    if match[2]:
        yield from leaves(rest, before + (name,))
    elif name == "self" and before:
        yield before, before[-1]
    else:
        alias = re.match(r"as\s+(\w+)", rest)
        yield before + (name,), alias[1] if alias else name


def without_tests(text):
    """The code without its modules of tests, which may know what they like."""
    while match := TESTS.search(text):
        depth, place = 1, match.end()
        while depth and place < len(text):
            depth += (text[place] == "{") - (text[place] == "}")
            place += 1
        text = text[: match.start()] + text[place:]
    return text


class Modules:
    """The modules below one folder of sources, and their imports of each other."""

    def __init__(self, top, names, read):
        self.files = {}
        for name in names:
            parts = PurePosixPath(name).relative_to(top).with_suffix("").parts
            self.files[parts[:-1] if parts[-1] in ("mod", "lib", "main") else parts] = name
        text = {module: without_tests(read(name)) for module, name in self.files.items()}
        self.passed_on = {module: self._passed_on(module, text[module]) for module in self.files}
        self.imports = {module: self._imports(module, text[module]) for module in self.files}

    def absolute(self, path, module):
        """A path as seen from the crate's root; None if it leads out of the crate."""
        if path[0] == "crate":
            return tuple(path[1:])
        if path[0] in ("self", "super"):
            base, path = list(module), list(path)
            while path and path[0] in ("self", "super"):
                if path.pop(0) == "super" and base:
                    base.pop()
            return tuple(base) + tuple(path)
        return module + tuple(path) if module + (path[0],) in self.files else None

    def _passed_on(self, module, text):
        found = {}
        for match in USE.finditer(text):
            if match[1].strip():
                for path, name in leaves(re.sub(r"\s+", " ", match[2])):
                    if (place := self.absolute(path, module)) is not None:
                        found[name] = place
        return found

    def owner(self, place):
        """The module that defines what stands at a place."""
        for _ in range(16):
            module = next((place[:n] for n in range(len(place), -1, -1) if place[:n] in self.files), None)
            rest = place[len(module) :] if module is not None else ()
            if rest and rest[0] in self.passed_on.get(module, {}):
                place = self.passed_on[module][rest[0]] + rest[1:]
                continue
            return module
        return module

    def _imports(self, module, text):
        found = set()
        for match in USE.finditer(text):
            if match[1].strip():
                continue
            for path, _ in leaves(re.sub(r"\s+", " ", match[2])):
                found.add(self._seen(path, module))
        # A visibility names a module, too, without importing it.
        text = re.sub(r"\bpub\([^)]*\)", "pub", USE.sub("", text))
        for match in INLINE.finditer(text):
            found.add(self._seen((match[1], *match[2][2:].split("::")), module))
        for child in self.files:
            if child[:-1] == module and child and re.search(rf"(?<![\w:.]){child[-1]}::\w", text):
                for inner in re.findall(rf"(?<![\w:.]){child[-1]}::(\w+)", text):
                    found.add(self.owner(child + (inner,)))
        return found - {None, module, ()}

    def _seen(self, path, module):
        place = self.absolute(path, module)
        return None if place is None else self.owner(place)

    def circles(self):
        """The sets of modules that import each other, however far round."""
        reach = {}
        for module in self.files:
            seen, stack = set(), [module]
            while stack:
                for other in self.imports.get(stack.pop(), ()):
                    if other not in seen:
                        seen.add(other)
                        stack.append(other)
            reach[module] = seen
        done, found = set(), []
        for module in sorted(self.files):
            if module in reach[module] and module not in done:
                circle = {other for other in reach[module] if module in reach.get(other, ())}
                done |= circle
                found.append(sorted(circle))
        return found
