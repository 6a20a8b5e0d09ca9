"""The command that proposes what data reveals: classify."""
