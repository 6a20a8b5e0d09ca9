"""Callers with signed tokens: whom they are of, and every way in which they are none."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import time
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from aiohttp import web
from gateway_kit import KEY, Scripted, bench, call, config, opener, whole
from test_gateway_config import WHOLE, problems

from cellwright.errors import UsageError
from cellwright.gateway.config import load_config
from cellwright.gateway.identity import Tokens, is_token
from cellwright.gateway.model import BatchSettings, Timeouts
from cellwright.gateway.model_identity import Issuer
from cellwright.gateway.server import Network
from cellwright.gateway.wire import ApiError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from cellwright.gateway.model import AccessKey
    from cellwright.gateway.server import Gateway

jose = pytest.importorskip("joserfc", reason="SKIPPED LOUDLY: there is no package joserfc here")
from joserfc import jwk, jwt  # noqa: E402 - only where it is installed

NOW_S = 1_800_000_000.0
ISSUER = "https://login.example/realm"
RSA = jwk.RSAKey.generate_key(2048, {"kid": "one"}, private=True)
EC = jwk.ECKey.generate_key("P-256", {"kid": "two"}, private=True)
STRANGER = jwk.RSAKey.generate_key(2048, {"kid": "one"}, private=True)
SECRET = jwk.OctKey.import_key(orjson.dumps(RSA.as_dict(private=False)))
CLAIMS = {"iss": ISSUER, "aud": ["gateway", "other"], "sub": "PLANTED-person", "tenant": "noc", "exp": NOW_S + 60}


def key_set(*keys: Any) -> bytes:  # noqa: ANN401 - of a package that may not be there
    return orjson.dumps({"keys": [key.as_dict(private=False) for key in keys]})


def signed(claims: dict[str, Any] = CLAIMS, key: Any = RSA, algorithm: str = "RS256", **header: object) -> str:  # noqa: ANN401 - as above, and never changed
    head = {"alg": algorithm, "kid": key.kid, **header}
    return str(jwt.encode({k: v for k, v in head.items() if v is not None}, claims, key, algorithms=[algorithm]))


def issuer(folder: Path, *keys: Any, **changes: Any) -> Issuer:  # noqa: ANN401 - as above
    path = folder / "jwks.json"
    path.write_bytes(key_set(*(keys or (RSA, EC))))
    values = {"jwks_file": str(path), "jwks_url": None, "tenant_claim": "tenant", "tenants": None} | changes
    return Issuer("idp", ISSUER, "gateway", ("RS256", "ES256"), **values)


def identified(tokens: list[str], *issuers: Issuer, clock: list[float] | None = None) -> list[AccessKey | ApiError]:
    async def main() -> list[AccessKey | ApiError]:
        network = Network(Timeouts())
        known = Tokens(issuers, network.pool, lambda: clock[0] if clock else NOW_S)
        found: list[AccessKey | ApiError] = []
        for token in tokens:
            try:
                found.append(await known.identify(token.encode()))
            except ApiError as error:
                found.append(error)
        network.close()
        return found

    return asyncio.run(main())


@pytest.mark.parametrize(("key", "algorithm"), [(RSA, "RS256"), (EC, "ES256")])
def test_a_token_says_whose_it_is(tmp_path: Path, key: Any, algorithm: str) -> None:  # noqa: ANN401 - as above
    first, again = identified([signed(key=key, algorithm=algorithm)] * 2, issuer(tmp_path))
    assert not isinstance(first, ApiError), first
    assert (first.name, first.tenant, first.roles) == ("idp", "noc", frozenset())
    assert again is first


def test_claims_become_tenants_and_roles(tmp_path: Path) -> None:
    nested = CLAIMS | {"realm_access": {"groups": ["watch", "core"]}}
    changes = {
        "tenant_claim": "realm_access.groups",
        "tenants": {"radio": "ran", "core": "core-network"},
        "metrics_claim": "realm_access.groups",
        "metrics_values": frozenset({"watch"}),
    }
    (found, nobody) = identified([signed(nested), signed()], issuer(tmp_path, **changes))
    assert not isinstance(found, ApiError), found
    assert (found.tenant, found.roles) == ("core-network", {"metrics"})
    assert isinstance(nobody, ApiError)


def unsigned(claims: dict[str, Any]) -> str:
    parts = ({"alg": "none"}, claims)
    return ".".join(base64.urlsafe_b64encode(orjson.dumps(part)).rstrip(b"=").decode() for part in parts) + "."


BAD = {
    "signed by somebody else": signed(key=STRANGER),
    "unsigned": unsigned(CLAIMS),
    "with the public key as a secret": signed(key=SECRET, algorithm="HS256"),
    "with an algorithm that is not accepted": signed(algorithm="RS512"),
    "of another issuer": signed(CLAIMS | {"iss": "https://evil.example"}),
    "for another audience": signed(CLAIMS | {"aud": "other"}),
    "without an audience": signed({name: value for name, value in CLAIMS.items() if name != "aud"}),
    "expired": signed(CLAIMS | {"exp": NOW_S - 31}),
    "without an end": signed({name: value for name, value in CLAIMS.items() if name != "exp"}),
    "not valid yet": signed(CLAIMS | {"nbf": NOW_S + 31}),
    "without a tenant": signed(CLAIMS | {"tenant": None}),
    "with two tenants": signed(CLAIMS | {"tenant": ["a", "b"]}),
    "with a tenant that is no name": signed(CLAIMS | {"tenant": 'a"} 1\nx'}),
    "changed": signed()[:-8] + "AAAAAAAA",
    "with a critical header": signed().replace("eyJ", "eyJ", 1)[:-1] + "!",
    "garbage": "eyJ.eyJ.eyJ",
    "not even JSON": "eyJhbGciOiJSUzI1NiJ9.////.AAAA",
}


@pytest.mark.parametrize("token", BAD.values(), ids=BAD)
def test_anything_else_is_refused_in_the_same_words(
    tmp_path: Path, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    (error,) = identified([token], issuer(tmp_path))
    assert isinstance(error, ApiError)
    assert (error.status, str(error)) == (401, "error[invalid_api_key]: the token is not valid here")
    assert error.headers == {"www-authenticate": 'Bearer error="invalid_token"'}
    assert "PLANTED" not in caplog.text
    assert token not in caplog.text


def test_clocks_may_differ_a_little_and_what_was_verified_ends_too(tmp_path: Path) -> None:
    token = signed(CLAIMS | {"exp": NOW_S - 29})
    clock = [NOW_S]
    assert not isinstance(identified([token], issuer(tmp_path), clock=clock)[0], ApiError)

    async def main() -> None:
        network = Network(Timeouts())
        tokens = Tokens([issuer(tmp_path)], network.pool, lambda: clock[0])
        assert (await tokens.identify(token.encode())).tenant == "noc"
        clock[0] += 2
        with pytest.raises(ApiError):
            await tokens.identify(token.encode())
        network.close()

    asyncio.run(main())


@contextlib.asynccontextmanager
async def provider(answers: list[bytes | int], asked: list[str]) -> AsyncIterator[str]:
    """An identity provider that gives one answer after the other, the last one again and again."""

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        return web.Response(status=found) if isinstance(found, int) else web.Response(body=found)

    application = web.Application()
    application.router.add_get("/keys", answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/keys"
    finally:
        await runner.cleanup()


@pytest.mark.integration
def test_keys_are_fetched_kept_and_fetched_anew_where_a_token_names_a_new_one(tmp_path: Path) -> None:
    clock, asked = [NOW_S], [""]
    asked.clear()
    later = CLAIMS | {"exp": NOW_S + 10_000}

    async def main() -> None:
        async with provider([500, key_set(RSA), key_set(RSA, EC), key_set(EC)], asked) as url:
            network = Network(Timeouts())
            tokens = Tokens([issuer(tmp_path, jwks_file=None, jwks_url=url)], network.pool, lambda: clock[0])

            async def answer(token: str) -> int:
                try:
                    await tokens.identify(token.encode())
                except ApiError as error:
                    return error.status
                return 200

            old, new = signed(later), signed(later, key=EC, algorithm="ES256")
            assert [await answer(old), await answer(old), len(asked)] == [503, 503, 1]
            clock[0] += 30
            assert [await answer(old), await answer(old), len(asked)] == [200, 200, 2]
            assert [await answer(new), len(asked)] == [401, 2]  # not so soon again
            clock[0] += 30
            assert [await answer(new), await answer(old), len(asked)] == [200, 200, 3]
            clock[0] += 600
            assert [await answer(old), len(asked)] == [401, 4]  # withdrawn by its issuer
            assert await answer(new) == 200
            network.close()

    asyncio.run(main())


def test_keys_that_cannot_be_read_are_told_before_anything_starts(tmp_path: Path) -> None:
    for text in (None, "{}", '{"keys": [{"kty": "oct", "k": "AAAA"}]}', "[", '{"keys": [{"kty": "RSA"}]}'):
        source = issuer(tmp_path)
        path = tmp_path / "jwks.json"
        path.unlink()
        if text is not None:
            path.write_text(text, encoding="utf-8")
        with pytest.raises(UsageError, match="the keys of issuer idp cannot be read"):
            identified([], source)


def test_a_gateway_takes_keys_and_tokens(tmp_path: Path) -> None:
    token = signed(CLAIMS | {"exp": time.time() + 600})

    async def talk(app: Gateway) -> list[int]:
        return [(await call(app, key=key)).status for key in (KEY, token, f"{token}x", "wrong")]

    with bench(tmp_path, config(issuers=(issuer(tmp_path),)), opener(Scripted((whole(),)))) as gateway:
        assert gateway.run(talk) == [200, 200, 401, 401]
        assert [(row.tenant, row.key_name) for row in gateway.meter.rows()] == [("operator", "tests"), ("noc", "idp")]


def test_a_token_queues_nothing_that_would_outlive_it(tmp_path: Path) -> None:
    token = signed(CLAIMS | {"exp": time.time() + 600})
    setup = config(issuers=(issuer(tmp_path),), batches=BatchSettings(str(tmp_path / "batches.db")))
    with bench(tmp_path, setup, opener(Scripted((whole(),)))) as gateway:
        response = gateway.ask({}, path="/v1/batches", key=token)
    assert (response.status, response.error) == (403, "token_cannot_queue")


@pytest.mark.parametrize(("text", "expected"), [(b"cw-abc", False), (b"eyJhbGciOi.eyJpc3Mi.c2ln", True)])
def test_keys_and_tokens_are_told_apart(text: bytes, *, expected: bool) -> None:
    assert is_token(text) is expected


PART = "{name: idp, issuer: 'https://login.example', audience: gateway, jwks: {url: 'https://login.example/keys'}%s}"


def with_issuer(part: str) -> str:
    return WHOLE + f"  issuers:\n    - {part}\n"


def test_an_issuer_is_read_whole() -> None:
    more = ", algorithms: [ES384], tenantClaim: groups, tenants: {ran-team: ran}, leeway: 10 s, boundary: premises"
    (found,) = load_config(with_issuer(PART % (more + ", metrics: {claim: groups, values: [sre]}")), "g.yaml").issuers
    assert (found.issuer, found.audience, found.algorithms) == ("https://login.example", "gateway", ("ES384",))
    assert (found.tenant_claim, found.tenants, found.leeway_s) == ("groups", {"ran-team": "ran"}, 10.0)
    assert (found.metrics_claim, found.metrics_values) == ("groups", {"sre"})
    assert (found.jwks_url, found.jwks_file) == ("https://login.example/keys", None)


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (
            PART.replace("https://login.example/keys", "http://login.example/keys") % "",
            "expected an address with https",
        ),
        (PART.replace("{url: 'https://login.example/keys'}", "{}") % "", "either a file or a url"),
        (PART % ", algorithms: [HS256]", "algorithms"),
        (PART % ", algorithms: [none]", "algorithms"),
        (PART % ", leeway: 10 min", "leeway"),
        (PART.replace("name: idp", "name: noc") % "", "the name 'noc' is taken already"),
    ],
)
def test_an_issuer_that_makes_no_sense_is_refused(part: str, expected: str) -> None:
    assert expected in "\n".join(problems(with_issuer(part)))


def test_somebody_has_to_be_let_in() -> None:
    start, end = WHOLE.index("  keys:"), WHOLE.index("  backends:")
    assert "nobody may ask" in "\n".join(problems(WHOLE[:start] + WHOLE[end:]))
