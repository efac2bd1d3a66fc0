"""The two folders of the repository as one package: ``pipelines`` is installed in ``clv``."""

from setuptools import find_packages, setup

FOLDER = "pipelines"
application = [f"clv.{name}" for name in find_packages(include=[FOLDER, f"{FOLDER}.*"])]

setup(
    packages=[*find_packages(include=["clv", "clv.*"]), *application],
    package_dir={f"clv.{FOLDER}": FOLDER},
)
