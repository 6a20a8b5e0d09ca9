"""Which backend answers: sovereignty first, then latency, price, load and difficulty. Nothing here asks one."""
