"""Inventory: what operators have in tables, topologies, NetBox and Kubernetes becomes estate documents. Pure."""
