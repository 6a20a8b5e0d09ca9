"""Questions of the third step: tokens of each function, prices of a cloud model, and prices of machines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cellwright.economics.tokens import TokenSaving, TokenUse, published_example, saving
from cellwright.estate.model import ComputePrices, Tier, TokenPrices
from cellwright.wiring.assess.question import Question
from cellwright.wiring.assess.reading import chosen, currency, number

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cellwright.wiring.assess.ask_latency import Function
    from cellwright.wiring.assess.ask_network import Network
    from cellwright.wiring.assess.question import Asker

FLOOR: Final = 0.60
"""Share of the tokens that any filter takes off; source: the placement guidance, third of its four steps."""

ASSUMPTION: Final = "assumption"
_OWN: Final = "own"
_RANGE: Final = "60 is the floor, 90 the target for a tuned small model."
_PARTS: Final = 4
_BASE: Final = {"L4": 0.80, "L40S": 1.45, "H100": 3.20, "H200": 4.00}  # an hour, region
_TIER_PRICES: Final = {  # core, GiB, factor on GPUs, GB in
    Tier.REGION: (0.042, 0.0045, 1.0, 0.01),
    Tier.METRO: (0.055, 0.006, 1.3, 0.01),
    Tier.ONPREM: (0.075, 0.008, 1.8, 0.005),
    Tier.AI_FACTORY: (0.085, 0.009, 1.4, 0.01),
    Tier.FAR_EDGE: (0.120, 0.012, 2.2, 0.02),
}
"""Assumptions of a plausible size, not those of any provider."""


@dataclass(frozen=True, slots=True)
class TokenCost:
    """What a function costs in a cloud model, with its input filtered as far as the operator expects."""

    function: str
    compression: float  # 0 to 1
    saved: TokenSaving
    at_floor: TokenSaving


@dataclass(frozen=True, slots=True)
class Costs:
    """Prices of machines, prices of tokens, and what each function's tokens cost."""

    source: str
    compute: tuple[ComputePrices, ...]
    token_prices: TokenPrices
    token_currency: str
    tokens: tuple[TokenCost, ...]


def costs(asker: Asker, network: Network, functions: Sequence[Function]) -> Costs:
    """Return the costs of the answers."""
    prices, money = _token_prices(asker)
    tokens = tuple(_tokens(asker, each, prices) for each in functions if each.archetype.tokens)
    source = asker.ask(
        Question(
            "prices.source",
            "Prices of machines: assumptions, or your own?",
            "Among the sites that remain the cheapest is taken. Assumptions are marked as such in the price book.",
            (ASSUMPTION, _OWN),
            ASSUMPTION,
            chosen((ASSUMPTION, _OWN)),
        )
    )
    present = [tier for tier in Tier if any(site.tier is tier for site in network.sites)]
    compute = tuple(_assumed(tier) if source == ASSUMPTION else _own(asker, tier, network) for tier in present)
    return Costs(source, compute, prices, money, tokens)


def _token_prices(asker: Asker) -> tuple[TokenPrices, str]:
    known = published_example().prices

    def price(key: str, text: str, default: float) -> float:
        why = "Output costs several times as much as input, so a tenth of the input is not a tenth of the cost."
        return asker.ask(Question(f"tokens.{key}", text, why, ("2.50",), f"{default:.2f}", number()))

    money = asker.ask(
        Question(
            "tokens.currency",
            "Currency of the cloud model's prices?",
            "List prices of models are mostly in US dollars.",
            ("USD", "EUR"),
            "USD",
            currency,
        )
    )
    tokens_in = price("input_price", "Price of a million tokens in?", known.input_per_million)
    tokens_out = price("output_price", "Price of a million tokens out?", known.output_per_million)
    return TokenPrices("cloud-model", tokens_in, tokens_out), money


def _tokens(asker: Asker, function: Function, prices: TokenPrices) -> TokenCost:
    events, raw = function.archetype.tokens or (0, 0)
    key = f"tokens.{function.name}"

    def figure(part: str, text: str, why: str, default: float, read: Callable[[str], float]) -> float:
        known = f"{default:g}"
        return asker.ask(Question(f"{key}.{part}", f"{function.name}: {text}", why, (known,), known, read))

    events_h = figure(
        "events", "events or requests an hour?", "Volume decides whether tokens matter.", events, number()
    )
    tokens_in = figure("raw", "raw tokens of each?", "A raw alarm event spans 15,000 to 25,000.", raw, number(least=1))
    percent = figure("compression", "how much does a filter at the edge take off, in %?", _RANGE, 90, number(0, 99.9))
    out = figure("answer", "tokens of an answer?", "They cost as much after filtering as before.", 200, number())
    use = TokenUse(events_h, tokens_in, out)
    left = 1 - percent / 100
    return TokenCost(
        function.name,
        percent / 100,
        saving(use, tokens_in * left, prices),
        saving(use, tokens_in * (1 - FLOOR), prices),
    )


def _assumed(tier: Tier) -> ComputePrices:
    core, memory, factor, ingress = _TIER_PRICES[tier]
    return ComputePrices(
        tier, None, core, memory, {gpu: round(base * factor, 4) for gpu, base in _BASE.items()}, ingress
    )


def _own(asker: Asker, tier: Tier, network: Network) -> ComputePrices:
    core, memory, factor, ingress = _TIER_PRICES[tier]
    default = f"{core:g}, {memory:g}, {_BASE['L40S'] * factor:.4g}, {ingress:g}"
    figures = asker.ask(
        Question(
            f"prices.{tier}",
            f"Prices at sites of tier {tier}: core-hour, GiB-hour, GPU-hour, GB arriving, in {network.currency}?",
            "What an hour of a machine's parts costs you, and a gigabyte that comes from elsewhere.",
            (default,),
            default,
            _four,
        )
    )
    models = sorted(
        {node.gpus.model for site in network.sites if site.tier is tier for node in site.nodes if node.gpus}
    )
    return ComputePrices(tier, None, figures[0], figures[1], dict.fromkeys(models, figures[2]), figures[3])


def _four(text: str) -> tuple[float, ...]:
    read = number()
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != _PARTS:
        msg = "four numbers with commas between them"
        raise ValueError(msg)
    return tuple(read(part) for part in parts)
