"""Trading pairs: every common spelling in, one canonical spelling out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from market.errors import BadSymbol

UNIVERSES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"majors": ("BTC-USDT", "ETH-USDT", "XRP-USDT")}
)
"""Named sets of symbols that are pooled into one training panel."""

# Longest first, so that BTCFDUSD is not read as BTCFD-USD. TUSD and BUSD need a separator: BNBUSD
# is BNB-USD.
_QUOTES = (
    "FDUSD", "USDT", "USDC", "USD", "EUR", "GBP", "JPY", "TRY", "BRL", "DAI", "BTC", "ETH", "BNB",
)  # fmt: skip
_PAIR = re.compile(r"([A-Z0-9]{1,16})[-/_]([A-Z0-9]{2,8})")


def parse_symbol(text: str) -> str:
    """Return the canonical spelling of a trading pair.

    Parameters
    ----------
    text : str
        ``BTC-USDT``, ``BTC/USDT``, ``BTC_USDT`` or ``BTCUSDT``, in any case.

    Returns
    -------
    str
        ``BASE-QUOTE`` in upper case, such as ``BTC-USDT``.

    Raises
    ------
    BadSymbol
        The text is none of these; a pair without a separator must end in a well-known quote.

    Examples
    --------
    >>> parse_symbol("btc/usdt"), parse_symbol("ETHBTC")
    ('BTC-USDT', 'ETH-BTC')
    """
    word = str(text).strip().upper()
    match = _PAIR.fullmatch(word)
    if match and match[1] != match[2]:
        return f"{match[1]}-{match[2]}"
    if re.fullmatch(r"[A-Z0-9]{4,24}", word):
        for quote in _QUOTES:
            if word.endswith(quote) and len(word) > len(quote):
                return f"{word.removesuffix(quote)}-{quote}"
    raise BadSymbol(
        f"{text!r} is not a trading pair; write it as BTC-USDT, BTC/USDT, BTC_USDT or BTCUSDT"
    )


def parse_symbols(text: str | Iterable[str]) -> tuple[str, ...]:
    """Return the canonical symbols of a universe's name, a comma-separated text or a list.

    Order is kept and repeats are dropped.

    Raises
    ------
    BadSymbol
        One of them is not a trading pair, or there is none.

    Examples
    --------
    >>> parse_symbols("majors")
    ('BTC-USDT', 'ETH-USDT', 'XRP-USDT')
    >>> parse_symbols("ETHUSDT, btc/usdt")
    ('ETH-USDT', 'BTC-USDT')
    """
    parts = text.split(",") if isinstance(text, str) else list(text)
    symbols: list[str] = []
    for part in parts:
        symbols += UNIVERSES.get(part.strip().lower(), ()) or (parse_symbol(part),)
    if not symbols:
        raise BadSymbol(f"no symbol given; name some, or a universe: {', '.join(UNIVERSES)}")
    return tuple(dict.fromkeys(symbols))


def scope_of(symbols: Iterable[str]) -> str:
    """Return the name of what a model trained on these symbols is a model of.

    Returns
    -------
    str
        A universe's name if the symbols are exactly its members, the symbol if there is one,
        otherwise all of them sorted and joined by ``+``.

    Examples
    --------
    >>> scope_of(["XRPUSDT", "BTCUSDT", "ETHUSDT"]), scope_of(["BTC/USDT"])
    ('majors', 'BTC-USDT')
    """
    names = sorted(parse_symbols(symbols))
    for name, members in UNIVERSES.items():
        if names == sorted(members):
            return name
    return "+".join(names)
