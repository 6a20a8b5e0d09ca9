"""NetBox's REST API: the pages of every endpoint an import reads, within bounds of time, tries and size."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any, Final

from cellwright.errors import UnavailableError, UsageError
from cellwright.inventory.model import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from email.message import Message
    from typing import IO

    from cellwright.wiring.progress import Advance

TOKEN_VARIABLE: Final = "CELLWRIGHT_NETBOX_TOKEN"  # noqa: S105 - the variable's name
_ENDPOINTS: Final = (
    ("dcim/regions", ""),
    ("dcim/sites", ""),
    ("dcim/device-types", ""),
    ("dcim/devices", "exclude=config_context"),
    ("dcim/inventory-items", ""),
    ("dcim/interfaces", "cabled=true"),
    ("dcim/cables", ""),
    ("circuits/circuits", ""),
)
_PAGE: Final = 500  # objects asked for at a time; a server may give fewer
_TIMEOUT_S: Final = 30.0
_TRIES: Final = 4
_FIRST_WAIT_S: Final = 0.5
_LONGEST_WAIT_S: Final = 20.0
_PAGE_BYTES: Final = 64 << 20
_TOTAL_BYTES: Final = 1 << 30
_PAGES: Final = 10_000
_AGAIN: Final = frozenset((429, 500, 502, 503, 504))
_REFUSED: Final = frozenset((401, 403))


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirection: the token is for the address that the user named."""

    def redirect_request(  # noqa: PLR0913, PLR0917 - the signature that urllib calls
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        """Refuse to follow."""
        del req, fp, code, msg, headers, newurl


def fetch_netbox(
    url: str, token: str | None, progress: Advance, wait: Callable[[float], None] = time.sleep
) -> tuple[Source, ...]:
    """Return every page of every endpoint as a source; all requests are GETs and may be repeated.

    Raises UsageError for an address that is none, UnavailableError for a server that does not answer as NetBox does.
    """
    base = _base(url)
    sources: list[Source] = []
    size = 0
    for done, (endpoint, filters) in enumerate(_ENDPOINTS):
        progress(done, len(_ENDPOINTS))
        for source in _pages(f"{base}/api/{endpoint}/", filters, token, wait):
            sources.append(source)
            size += len(source.data)
            if size > _TOTAL_BYTES or len(sources) > _PAGES:
                raise UnavailableError.of(
                    "too-large", f"{base} answers with more than {_TOTAL_BYTES >> 20} MiB or {_PAGES:,} pages"
                )
    progress(len(_ENDPOINTS), len(_ENDPOINTS))
    return tuple(sources)


def _base(url: str) -> str:
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query:
        raise UsageError.of(
            "bad-address", f"{url!r} is no address of a NetBox", expected="such as https://netbox.example"
        )
    return urllib.parse.urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/").removesuffix("/api"), "", ""))


def _pages(address: str, filters: str, token: str | None, wait: Callable[[float], None]) -> Iterator[Source]:
    """Yield the pages of one endpoint; of `next` only the query is used, so that no answer leads elsewhere."""
    query = "&".join(filter(None, (filters, f"limit={_PAGE}")))
    asked: set[str] = set()
    while query and query not in asked:
        asked.add(query)
        page = f"{address}?{query}"
        data = _get(page, token, wait)
        yield Source(page, data)
        query = _next_query(data, page)


def _next_query(data: bytes, page: str) -> str:
    try:
        answer: Any = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _odd(page, "no JSON") from error
    if not isinstance(answer, dict) or not isinstance(answer.get("results"), list):
        raise _odd(page, "JSON without results")
    following = answer.get("next")
    return urllib.parse.urlsplit(following).query if isinstance(following, str) else ""


def _odd(page: str, what: str) -> UnavailableError:
    return UnavailableError.of(
        "not-netbox", f"{page} answers with {what}", expected="count, next and results, as NetBox's REST API"
    )


def _get(page: str, token: str | None, wait: Callable[[float], None]) -> bytes:
    """Return an answer's body; a server that is busy or away is asked again, four times in all."""
    scheme = "Bearer" if token and token.startswith("nbt_") else "Token"  # tokens of version 2, NetBox 4.5
    headers = {"Accept": "application/json", **({"Authorization": f"{scheme} {token}"} if token else {})}
    request = urllib.request.Request(page, headers=headers)  # noqa: S310 - http or https, see _base
    opener = urllib.request.build_opener(_Stay)
    cause = ""
    for tried in range(_TRIES):
        pause = _FIRST_WAIT_S * 2**tried
        try:
            with opener.open(request, timeout=_TIMEOUT_S) as answer:
                return _body(answer, page)
        except urllib.error.HTTPError as error:
            cause = f"HTTP {error.code} {error.reason}"
            error.close()
            if error.code not in _AGAIN:
                raise _refused(page, error.code, cause, has_token=token is not None) from error
            asked = error.headers.get("Retry-After", "")
            pause = min(float(asked), _LONGEST_WAIT_S) if asked.isdecimal() else pause
        except (OSError, http.client.HTTPException) as error:
            cause = str(getattr(error, "reason", error)) or type(error).__name__
        if tried < _TRIES - 1:
            wait(pause)
    raise UnavailableError.of(
        "netbox-unavailable",
        f"{page} did not answer in {_TRIES} tries",
        cause=cause,
        hint="check the address, and that the server is up",
    )


def _body(answer: http.client.HTTPResponse, page: str) -> bytes:
    data: bytes = answer.read(_PAGE_BYTES + 1)
    if len(data) > _PAGE_BYTES:
        raise UnavailableError.of("too-large", f"{page} answers with more than {_PAGE_BYTES >> 20} MiB")
    return data


def _refused(page: str, code: int, cause: str, *, has_token: bool) -> UnavailableError:
    hint = "is this the address of NetBox, without /api?"
    if code in _REFUSED:
        hint = "may this token read it?" if has_token else f"put a token into {TOKEN_VARIABLE}"
    elif 300 <= code < 400:  # noqa: PLR2004 - redirections of HTTP
        hint = "name the address that it leads to: the token is sent nowhere else"
    return UnavailableError.of("netbox-refused", f"{page} was refused", cause=cause, hint=hint)
