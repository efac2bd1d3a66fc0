"""CONTRIBUTING is true: what it says to write suffices, tried in a copy of the packages."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


class Copy:
    """The packages as a contributor has them, and what a row of the table lets him touch."""

    def __init__(self, folder, kind):
        text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
        (row,) = re.findall(rf"^\| {kind} \| (.*?) \|", text, re.MULTILINE)
        self.allowed = re.findall(r"`((?:clv|pipelines)/[\w/.]*)`", row)
        self.folder = folder
        leave = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "clv", folder / "clv", ignore=leave)
        shutil.copytree(ROOT / "pipelines", folder / "clv" / "pipelines", ignore=leave)

    def path(self, name):
        known = any(name == place or Path(name).parent == Path(place) for place in self.allowed)
        assert known, f"{name} is in no step of CONTRIBUTING: {self.allowed}"
        return self.folder / (f"clv/{name}" if name.startswith("pipelines/") else name)

    def write(self, name, text):
        path = self.path(name)
        assert not path.exists()
        path.write_text(text, encoding="utf-8")

    def change(self, name, old, new):
        path = self.path(name)
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, (name, old)
        path.write_text(text.replace(old, new), encoding="utf-8")

    def run(self, *words):
        environment = {**os.environ, "PYTHONPATH": str(self.folder)}
        done = subprocess.run(
            [sys.executable, *words], cwd=self.folder, env=environment, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout


CHECK = '''"""Whether there is an estimate at all."""

from typing import ClassVar

from clv.effects.results import CheckResult


class Estimable:
    """Whether there is an estimate at all."""

    applies_to: ClassVar = ("adjusted",)
    place: ClassVar = 1

    def run(self, estimated):
        """Look at the estimate."""
        return CheckResult("estimable", True, 1.0, 1.0, "There is an estimate.", {})
'''


def test_a_check_is_one_file(tmp_path):
    copy = Copy(tmp_path, "check of an effect")
    copy.write("clv/effects/checks/estimable.py", CHECK)
    seen = copy.run(
        "-c",
        "from clv.effects.checks.base import run_checks, checks_of\n"
        "kinds = [type(check).__name__ for check in checks_of('adjusted')]\n"
        "assert kinds[0] == 'Estimable' and len(kinds) > 1, kinds\n"
        "others = [type(check).__name__ for check in checks_of('quasi-experimental')]\n"
        "assert 'Estimable' not in others and others\n"
        "print(checks_of('adjusted')[0].run(None).name)",
    )
    assert seen == "estimable\n"


MODEL = '''"""A model like MBG/NBD, by another name."""

from __future__ import annotations

from typing import ClassVar

from clv.models.btyd.geometric import GeometricDropout


class TwinNBD(GeometricDropout):
    """Customers may stop after the first purchase too."""

    name: ClassVar[str] = "twin_nbd"
    flips: ClassVar[int] = 1
    prior: ClassVar[tuple[float, ...]] = (0.5, 0.2, 0.8, 1.6)
    one_time_buyers_alive: ClassVar[bool] = False
    reference: ClassVar[str] = "ModifiedBetaGeoFitter"
'''
ESTIMATOR = '''

class TwinNBD(PurchaseEstimator):
    """Customers may stop after the first purchase too."""

    model: ClassVar[str] = "twin_nbd"
'''


def test_a_purchase_model_keeps_the_contract_without_a_test_of_its_own(tmp_path):
    copy = Copy(tmp_path, "BTYD model")
    copy.write("clv/models/btyd/twin_nbd.py", MODEL)
    names = "clv/models/btyd/__init__.py"
    copy.change(
        names,
        "from clv.models.btyd.pareto_nbd import ParetoNBD\n",
        "from clv.models.btyd.pareto_nbd import ParetoNBD\n"
        "from clv.models.btyd.twin_nbd import TwinNBD\n",
    )
    copy.change(names, "ParetoNBD())", "ParetoNBD(), TwinNBD())")
    estimators = copy.path("clv/btyd/purchases.py")
    estimators.write_text(estimators.read_text(encoding="utf-8") + ESTIMATOR, encoding="utf-8")
    copy.change("pipelines/running/settings.py", '"pareto_nbd"]', '"pareto_nbd", "twin_nbd"]')
    tests = ROOT / "tests" / "contracts" / "test_btyd.py"
    (tmp_path / "test_btyd.py").write_text(tests.read_text(encoding="utf-8"), encoding="utf-8")
    asked = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "test_btyd.py"]
    assert "passed" in copy.run(*asked, "-k", "twin_nbd or settings_name")
    copy.run(
        "-c",
        "from clv.btyd.purchases import TwinNBD\n"
        "from clv import LifetimeValue\n"
        "assert TwinNBD.model == 'twin_nbd'\n"
        "LifetimeValue(purchase_model='twin_nbd').model_options()",
    )


SECTION = '''"""How many people there are."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Crowd:
    """The section."""

    people: int | None


def crowd(inputs) -> Crowd:
    """Count the people."""
    return Crowd(inputs.customers)
'''
PARTIAL = """<section id="crowd" aria-labelledby="crowd-title">
  {{ parts.head("crowd", say("crowd.title"), "") }}<p>{{ facts.crowd.people }}</p>
</section>
"""


def test_a_report_section_is_rendered_and_stands_in_the_navigation(tmp_path):
    copy = Copy(tmp_path, "report section")
    facts = "clv/report/facts.py"
    copy.write("clv/report/sections/crowd.py", SECTION)
    copy.write("clv/report/templates/crowd.html.j2", PARTIAL)
    copy.change(facts, '"trust", "changes")', '"trust", "changes", "crowd")')
    copy.change(facts, "    changes: Changes\n", "    changes: Changes\n    crowd: Crowd\n")
    copy.change(
        facts,
        "from clv.report.sections.customers",
        "from clv.report.sections.crowd import Crowd, crowd\nfrom clv.report.sections.customers",
    )
    copy.change(
        facts, "        changes=changes(", "        crowd=crowd(inputs),\n        changes=changes("
    )
    for language in ("en", "de"):
        name = f"clv/report/texts/{language}.toml"
        copy.change(name, "[nav]\n", '[crowd]\ntitle = "Crowd"\n\n[nav]\ncrowd = "Crowd"\n')
    page = copy.run(
        "-c",
        "from clv.report.facts import ReportInputs, collect\n"
        "from clv.report.render import to_html\n"
        "facts = collect(ReportInputs(portfolio={'customers': 4321, 'total_clv': 30.0}))\n"
        "assert facts.as_dict()['crowd'] == {'people': 4321}\n"
        "print(to_html(facts), to_html(facts, language='de'))",
    )
    assert page.count('href="#crowd"') == 2
    assert page.count('id="crowd"') == 2
    assert "<p>4321</p>" in page
