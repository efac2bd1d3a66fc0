"""Blocks of Python in a document, run from top to bottom like a doctest."""

import doctest
import re

BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def failures(path):
    """Run every block of a document in one namespace; return what came out otherwise."""
    text = path.read_text(encoding="utf-8")
    code = ["\n"] * (text.count("\n") + 1)
    for block in BLOCK.finditer(text):
        first = text.count("\n", 0, block.start()) + 1
        code[first : first + block[1].count("\n")] = block[1].splitlines(keepends=True)
    test = doctest.DocTestParser().get_doctest("".join(code), {}, path.name, str(path), 0)
    assert test.examples
    said = []
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    doctest.DocTestRunner(optionflags=flags, verbose=False).run(test, out=said.append)
    return "".join(said)
