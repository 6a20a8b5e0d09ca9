"""Economics: what compute, backhaul and tokens cost."""
