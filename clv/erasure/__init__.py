"""Erasure: a customer out of everything that clv keeps, and the search that proves it."""

from clv.erasure.job import Erased, Keeping, Places, erase, verify
from clv.erasure.people import People, read_people

__all__ = ["Erased", "Keeping", "People", "Places", "erase", "read_people", "verify"]
