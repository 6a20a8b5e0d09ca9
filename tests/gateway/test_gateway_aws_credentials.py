"""Credentials of Amazon Web Services that change and expire while the gateway runs, wherever they stand."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from gateway_kit import QUESTION, Upstream, alive, bench, call, config, document, remote
from test_gateway_bedrock import ACCESS, ANSWER
from upstream_kit import in_turn, says

from cellwright.errors import UsageError
from cellwright.gateway.aws_credentials import Fetched, NoCredentialsError
from cellwright.gateway.config import load_config
from cellwright.gateway.model import AwsAccess, AwsSource

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from gateway_kit import Response
    from upstream_kit import Handler

NOW_S = 1_800_000_000.0
FILE = "[noc]\naws_access_key_id = {key}\naws_secret_access_key = s3cr3t\naws_session_token = tok\n"


def told(key: str, ends_s: float) -> dict[str, str]:
    ends = datetime.fromtimestamp(ends_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"AccessKeyId": key, "SecretAccessKey": "s3cr3t", "Token": "tok", "Expiration": ends}


class Place:
    """An endpoint that says what it is told to; an exception is raised."""

    name = "a test"

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def fetch(self) -> Any:  # noqa: ANN401 - JSON
        self.asked += 1
        await asyncio.sleep(0)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_credentials_are_fetched_anew_before_they_expire_and_kept_where_that_fails() -> None:
    now_s = NOW_S
    place = Place(told("one", NOW_S + 3_600), OSError(), {"Code": "Failed"}, told("two", NOW_S + 7_200))

    async def main() -> None:
        nonlocal now_s
        access = Fetched(place, lambda: now_s)

        async def keys() -> set[str]:
            return {each.access_key for each in await asyncio.gather(*(access.current() for _ in range(3)))}

        for later_s, key, asked in (
            (0, "one", 1),
            (3_299, "one", 1),
            (3_301, "one", 2),  # in vain
            (3_302, "one", 2),  # not again so soon
            (3_320, "one", 3),
            (3_340, "one two", 4),  # nobody waits while what is there holds
            (6_000, "two", 4),
        ):
            now_s = NOW_S + later_s
            assert (await keys(), place.asked) == (set(key.split()), asked)

    asyncio.run(main())


def test_credentials_that_expired_are_not_used() -> None:
    now_s = NOW_S
    place = Place(told("one", NOW_S + 60), OSError(), told("two", NOW_S + 7_200))

    async def main() -> None:
        nonlocal now_s
        access = Fetched(place, lambda: now_s)
        assert (await access.current()).access_key == "one"
        now_s += 61
        with pytest.raises(NoCredentialsError, match="a test"):
            await access.current()
        assert (await access.current()).access_key == "two"

    asyncio.run(main())


def test_who_waits_for_credentials_in_vain_does_not_ask_once_more() -> None:
    place = Place(OSError(), told("one", NOW_S + 3_600), OSError(), told("two", NOW_S + 3_600))

    async def main() -> None:
        access = Fetched(place, lambda: NOW_S)
        found = await asyncio.gather(*(access.current() for _ in range(3)), return_exceptions=True)
        assert {type(each) for each in found} == {NoCredentialsError}
        assert (place.asked, (await access.current()).access_key) == (1, "one")

    asyncio.run(main())


def test_whoever_is_refused_gets_others_by_one_fetch_and_none_soon_after_one_that_did_not_help() -> None:
    now_s = NOW_S
    hold_s = NOW_S + 3_600
    place = Place(*(told(key, hold_s) for key in ("one", "two", "two", "three")), OSError(), told("four", hold_s))

    async def main() -> None:
        nonlocal now_s
        access = Fetched(place, lambda: now_s)

        async def renewed() -> tuple[list[bool], str, int]:
            refused = await access.current()
            found = await asyncio.gather(*(access.renew(refused) for _ in range(3)))
            return found, (await access.current()).access_key, place.asked

        first = await access.current()
        assert await renewed() == ([True] * 3, "two", 2)
        assert (await access.renew(first), place.asked) == (True, 2)  # others are there by now
        assert await renewed() == ([False] * 3, "two", 2)
        for later_s, found, key, asked in (
            (30, False, "two", 3),  # the same again
            (59, False, "two", 3),
            (60, True, "three", 4),
            (90, False, "three", 5),  # in vain
            (119, False, "three", 5),
            (120, True, "four", 6),
        ):
            now_s = NOW_S + later_s
            assert await renewed() == ([found] * 3, key, asked)

    asyncio.run(main())


def test_a_client_that_leaves_while_it_looks_for_others_leaves_that_to_the_next() -> None:
    place = Place(*(told(key, NOW_S + 3_600) for key in ("one", "two", "three")))

    async def main() -> None:
        access = Fetched(place, lambda: NOW_S)
        refused = await access.current()
        first = asyncio.create_task(access.renew(refused))
        await asyncio.sleep(0)
        first.cancel()
        assert await access.renew(refused)
        assert place.asked == 3

    asyncio.run(main())


def test_a_client_that_leaves_while_it_fetches_credentials_leaves_that_to_the_next() -> None:
    place = Place(told("one", NOW_S + 3_600))

    async def main() -> None:
        access = Fetched(place, lambda: NOW_S)
        first, second = (asyncio.create_task(access.current()) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        assert (await second).access_key == "one"
        assert place.asked == 2

    asyncio.run(main())


@contextlib.asynccontextmanager
async def metadata(*answers: dict[str, str]) -> AsyncIterator[tuple[str, list[tuple[str, str, str | None]]]]:
    """Serve credentials as instances and containers have them; gives the address, and what was asked."""
    seen: list[tuple[str, str, str | None]] = []
    waiting = list(answers)

    async def answer(request: web.Request) -> web.StreamResponse:
        token = request.headers.get("x-aws-ec2-metadata-token") or request.headers.get("authorization")
        seen.append((request.method, request.path, token))
        if request.method == "PUT":
            return web.Response(text="the-token")
        if request.path.endswith("/security-credentials/"):
            return web.Response(text="a role\n")
        return web.json_response(waiting.pop(0) if len(waiting) > 1 else waiting[0])

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", seen
    finally:
        await runner.cleanup()


def signed_by(upstream: Upstream) -> list[str]:
    return [each["authorization"].partition("Credential=")[2].partition("/")[0] for each in upstream.headers]


async def asked(
    folder: Path, upstream: Upstream, access: AwsAccess, secrets: dict[str, str], *between: object, times: int = 2
) -> list[Response]:
    """Ask a gateway several times; `between` are called before each but the first."""
    base = upstream.url.removesuffix("/v1")
    setup = config(remote(type="bedrock", model="a:0", base_url=base, aws=access, retries=0))
    with bench(folder, setup, secrets=secrets) as gateway:
        async with alive(gateway.app) as app:
            found = [await call(app, QUESTION)]
            for change in between or (lambda: None,) * (times - 1):
                change()  # type: ignore[operator]
                found.append(await call(app, QUESTION))
            return found


def tried(folder: Path, handler: Handler, access: AwsAccess, secrets: dict[str, str], *between: object) -> list[str]:
    upstream = Upstream(handler)

    async def main() -> None:
        async with upstream.open():
            assert {each.status for each in await asked(folder, upstream, access, secrets, *between)} == {200}

    asyncio.run(main())
    return signed_by(upstream)


@pytest.mark.integration
def test_a_shared_file_is_read_anew_when_it_changes_and_kept_where_it_does_not_read(tmp_path: Path) -> None:
    path = tmp_path / "credentials"

    def write(text: str) -> None:
        path.with_suffix(".new").write_text(text)
        path.with_suffix(".new").replace(path)

    write(FILE.format(key="one"))
    access = replace(ACCESS, source=AwsSource.FILE, file=str(path), profile="noc")
    between = (lambda: write(FILE.format(key="two")), lambda: write("[noc]\n"), path.unlink)
    assert tried(tmp_path, says(ANSWER), access, {}, *between) == ["one", "two", "two", "two"]


@pytest.mark.integration
def test_a_shared_file_that_does_not_read_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "credentials"
    path.write_text(FILE.format(key="one"))
    access = replace(ACCESS, source=AwsSource.FILE, file=str(path), profile="noc")
    damage, mend = (functools.partial(path.write_text, text) for text in ("[noc]\n", FILE.format(key="two")))
    found = tried(tmp_path, says(ANSWER), access, {}, damage, lambda: None, lambda: None, mend)
    assert found == ["one", "one", "one", "one", "two"]
    assert caplog.text.count("cannot be read anew") == 1


@pytest.mark.integration
def test_the_usual_file_and_profile_are_named_by_the_environment(tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text(FILE.format(key="one"))
    secrets = {"AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"), "AWS_PROFILE": "noc"}
    access = replace(ACCESS, source=AwsSource.FILE)
    assert tried(tmp_path, says(ANSWER), access, secrets, lambda: None) == ["one", "one"]


@pytest.mark.integration
def test_variables_are_read_anew(tmp_path: Path) -> None:
    secrets = {"AWS_ACCESS_KEY_ID": "one", "AWS_SECRET_ACCESS_KEY": "s3cr3t"}
    between = (lambda: secrets.update(AWS_ACCESS_KEY_ID="two"), secrets.clear)
    assert tried(tmp_path, says(ANSWER), ACCESS, secrets, *between) == ["one", "two", "two"]


@pytest.mark.integration
def test_an_instance_is_asked_for_the_credentials_of_its_role(tmp_path: Path) -> None:
    upstream = Upstream(says(ANSWER))

    async def main() -> list[tuple[str, str, str | None]]:
        far_s = datetime.now(UTC).timestamp() + 3_600
        async with upstream.open(), metadata(told("role", far_s)) as (url, seen):
            secrets = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": url}
            access = replace(ACCESS, source=AwsSource.INSTANCE)
            assert {each.status for each in await asked(tmp_path, upstream, access, secrets)} == {200}
            return seen

    roles = "/latest/meta-data/iam/security-credentials/"
    assert asyncio.run(main()) == [
        ("PUT", "/latest/api/token", None),
        ("GET", roles, "the-token"),
        ("GET", f"{roles}a role", "the-token"),
    ]
    assert signed_by(upstream) == ["role", "role"]
    assert upstream.headers[0]["x-amz-security-token"] == "tok"


@pytest.mark.integration
def test_credentials_of_a_container_that_are_refused_are_fetched_anew_once(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("a-token\n")
    refused = says({"message": "The security token included in the request is expired"}, 403)
    upstream = Upstream(in_turn(refused, says(ANSWER), refused))

    async def main() -> tuple[list[Response], list[tuple[str, str, str | None]]]:
        far_s = datetime.now(UTC).timestamp() + 3_600
        answers = (told("one", far_s), told("two", far_s))
        async with upstream.open(), metadata(*answers) as (url, seen):
            secrets = {
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{url}/get",
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(tmp_path / "token"),
            }
            access = replace(ACCESS, source=AwsSource.CONTAINER)
            return await asked(tmp_path, upstream, access, secrets), seen

    (good, bad), seen = asyncio.run(main())
    assert (good.status, bad.error) == (200, "upstream_refused_key")
    assert signed_by(upstream) == ["one", "two", "two"]
    assert seen == [("GET", "/get", "a-token")] * 2


@pytest.mark.integration
def test_a_lasting_refusal_has_credentials_fetched_once(tmp_path: Path) -> None:
    upstream = Upstream(says({"message": "not authorised to perform bedrock:InvokeModel"}, 403))

    async def main() -> int:
        far_s = datetime.now(UTC).timestamp() + 3_600
        async with upstream.open(), metadata(*(told(f"key{number}", far_s) for number in range(9))) as (url, seen):
            access = replace(ACCESS, source=AwsSource.CONTAINER)
            secrets = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{url}/get"}
            found = await asked(tmp_path, upstream, access, secrets, times=4)
            assert {each.error for each in found} == {"upstream_refused_key"}
            return len(seen)

    assert asyncio.run(main()) == 2
    assert signed_by(upstream) == ["key0", *["key1"] * 4]


@pytest.mark.integration
def test_a_backend_whose_credentials_cannot_be_had_is_told_without_them(tmp_path: Path) -> None:
    upstream = Upstream(says(ANSWER))

    async def main() -> list[Response]:
        async with upstream.open(), metadata({"AccessKeyId": "PLANTED"}) as (url, _):
            secrets = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": url}
            return await asked(tmp_path, upstream, replace(ACCESS, source=AwsSource.INSTANCE), secrets, times=1)

    (response,) = asyncio.run(main())
    assert (response.status, response.error) == (502, "upstream_no_credentials")
    assert "the metadata of this instance gives no credentials that hold" in response.json["error"]["message"]
    assert "PLANTED" not in response.body.decode()
    assert not upstream.bodies


@pytest.mark.parametrize(
    ("source", "secrets", "words"),
    [
        (AwsSource.FILE, {"AWS_SHARED_CREDENTIALS_FILE": "/nowhere/at/all"}, "cannot be read from /nowhere/at/all"),
        (AwsSource.CONTAINER, {}, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
        (AwsSource.CONTAINER, {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://evil.example/x"}, "over http a local one"),
        (AwsSource.CONTAINER, {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "@evil.example/x"}, "a local one"),
        (AwsSource.CONTAINER, {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "file:///etc/passwd"}, "a local one"),
        (AwsSource.ENVIRONMENT, dict.fromkeys(("AWS_ACCESS_KEY_ID",), "x"), "aws.credentials says where else"),
    ],
)
def test_what_is_not_there_is_told_before_anything_starts(
    tmp_path: Path, source: AwsSource, secrets: dict[str, str], words: str
) -> None:
    backend = remote(type="bedrock", base_url="http://127.0.0.1:1", aws=replace(ACCESS, source=source))
    with pytest.raises(UsageError) as refused, bench(tmp_path, config(backend), secrets=secrets):
        pass
    assert words in str(refused.value)


def test_a_file_that_holds_no_profile_is_told_without_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "credentials"
    access = replace(ACCESS, source=AwsSource.FILE, file=str(path))
    backend = remote(type="bedrock", base_url="http://127.0.0.1:1", aws=access)
    for content in (FILE.format(key="PLANTED"), "PLANTED\n", "[default]\naws_access_key_id=PLANTED\n", "\0\xff"):
        path.write_bytes(content.encode("latin-1"))
        with pytest.raises(UsageError, match=r"section \[default\]") as refused, bench(tmp_path, config(backend)):
            pass
        assert "PLANTED" not in str(refused.value)


DOCUMENT = document("""
  backends:
    - {name: cloud, type: bedrock, model: m, tier: region, boundary: none, aws: {AWS}}
  routes: [{name: auto, backends: [cloud]}]
""")


def test_the_document_says_where_they_stand() -> None:
    built = load_config(DOCUMENT.replace("AWS", "credentials: file, file: keys, profile: noc"), "g.yaml")
    assert built.backends[0].aws == AwsAccess(source=AwsSource.FILE, file="keys", profile="noc")
    for wrong, words in (("credentials: instanse", "instance"), ("profile: noc", "credentials: file")):
        with pytest.raises(UsageError, match=r"g\.yaml:9") as refused:
            load_config(DOCUMENT.replace("AWS", wrong), "g.yaml")
        assert words in str(refused.value)
