"""Inventory: what operators have in tables, topologies, NetBox and Kubernetes becomes estate documents. Pure."""

from cellwright.inventory.documents import LINKS_FILE, SITES_FILE, to_files, to_yaml
from cellwright.inventory.model import Imported, Inventory, Options, Remark, Role, Source, TierRule

__all__ = [
    "LINKS_FILE",
    "SITES_FILE",
    "Imported",
    "Inventory",
    "Options",
    "Remark",
    "Role",
    "Source",
    "TierRule",
    "to_files",
    "to_yaml",
]
