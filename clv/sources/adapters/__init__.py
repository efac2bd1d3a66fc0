"""Importers: vendors' documented exports, each mapped to the contract; one module per vendor."""

from clv.sources.adapters import genesys, salesforce, shopify, talkdesk, zendesk
from clv.sources.adapters.base import Adapter
from clv.sources.adapters.convert import Imported, ImportOptions, convert

ADAPTERS: dict[str, Adapter] = {
    module.ADAPTER.kind: module.ADAPTER
    for module in (zendesk, talkdesk, genesys, salesforce, shopify)
}

__all__ = ["ADAPTERS", "Adapter", "ImportOptions", "Imported", "convert"]
