"""Report: one self-contained page of a plan and of what a run measured."""

from cellwright.report.page import render

__all__ = ["render"]
