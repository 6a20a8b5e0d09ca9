"""Report: one self-contained page of a plan and of what a run measured."""
