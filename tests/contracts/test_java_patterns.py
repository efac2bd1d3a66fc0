"""The pack in Java's dialect, which is Spark's: every pattern compiles and finds the same spans."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from clv.markers.normalise import normalise
from clv.markers.packs import load_pack

PROGRAM = """
import java.nio.file.*;
import java.util.*;
import java.util.regex.*;

public class Find {
    public static void main(String[] paths) throws Exception {
        StringBuilder found = new StringBuilder();
        Pattern pattern = null;
        for (String line : Files.readAllLines(Path.of(paths[0]))) {
            if (line.startsWith("P ")) {
                pattern = Pattern.compile(line.substring(2));
                continue;
            }
            Matcher matcher = pattern.matcher(line.substring(2));
            while (matcher.find()) {
                found.append(matcher.start()).append(' ').append(matcher.end()).append(' ');
            }
            found.append('\\n');
        }
        Files.writeString(Path.of(paths[1]), found.toString());
    }
}
"""


@pytest.mark.skipif(shutil.which("java") is None, reason="needs a Java runtime")
def test_java_finds_what_the_standard_library_finds(tmp_path):
    import re

    pack = load_pack()
    texts = [
        normalise(text)
        for marker in pack.markers.values()
        for text in (*marker.positive, *marker.negative)
    ]
    lines, expected = [], []
    for marker in pack.markers.values():
        patterns = {marker.pattern, marker.voice_pattern, marker.exclusion} - {None}
        for pattern in sorted(patterns):
            lines.append(f"P {pattern}")
            for text in texts:
                lines.append(f"T {text}")
                spans = (m.span() for m in re.finditer(pattern, text, flags=re.ASCII))
                expected.append([place for span in spans for place in span])
    asked, answered = tmp_path / "asked.txt", tmp_path / "answered.txt"
    asked.write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "Find.java").write_text(PROGRAM, encoding="utf-8")
    command = ["java", str(tmp_path / "Find.java"), str(asked), str(answered)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    if "jdk.compiler" in ran.stderr:
        pytest.skip("needs a Java with its compiler")
    assert ran.returncode == 0, ran.stderr[:500]
    found = [[int(n) for n in line.split()] for line in answered.read_text().split("\n")[:-1]]
    assert len(found) == len(expected) > 10_000
    assert json.dumps(found) == json.dumps(expected)
