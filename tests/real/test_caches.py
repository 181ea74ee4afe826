"""CachePolicy through a real Envoy."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web

from tests.conditions import eventually
from tests.meshes import route
from tests.shop import Answer, Shop, policy, running_shop

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("caches")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    async with running_shop(tmp_path_factory.mktemp("shop")) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def shop(running: Shop) -> Shop:
    await running.reset()
    answering(running, "max-age=60")
    return running


def answering(shop: Shop, cache_control: str, **headers: str) -> None:
    """Answers that can be told apart: each holds its number."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=str(len(shop.payment.requests)), headers={"cache-control": cache_control, **headers})

    shop.payment.answer = answer


async def is_kept(shop: Shop, path: str, **headers: str) -> Answer | None:
    """The answer, if it comes from the cache by the third request: answers are written behind the requests."""
    before = len(shop.payment.requests)
    answers = [await shop.request(path, headers=headers) for _ in range(3)]
    return answers[-1] if "age" in answers[-1].headers and len(shop.payment.requests) < before + 3 else None


async def test_a_fresh_answer_is_given_again(shop: Shop, tmp_path: Path) -> None:
    await shop.apply(policy("CachePolicy", f"directory: {tmp_path}"))
    answer = await eventually(lambda: is_kept(shop, "/a"))
    asked = len(shop.payment.requests)
    assert (await shop.request("/a")).body == answer.body
    assert len(shop.payment.requests) == asked
    assert (await shop.request("/b")).body != answer.body
    assert (await shop.request("/a?x=1")).body != answer.body


@pytest.mark.parametrize(
    ("cache_control", "sent", "answered"),
    [
        ("no-store", {}, {}),
        ("private, max-age=60", {}, {}),
        ("max-age=60", {"authorization": "Basic YTpi"}, {}),
        ("max-age=60", {"cache-control": "no-cache"}, {}),
        ("max-age=60", {"accept-language": "de"}, {"vary": "accept-language"}),
    ],
)
async def test_what_is_not_for_everybody_is_asked_for_each_time(
    shop: Shop, tmp_path: Path, cache_control: str, sent: dict[str, str], answered: dict[str, str]
) -> None:
    await shop.apply(policy("CachePolicy", f"directory: {tmp_path}"))
    answering(shop, cache_control, **answered)
    for _ in range(5):
        assert await is_kept(shop, "/", **sent) is None


async def test_answers_that_vary_are_kept_by_the_headers_that_the_policy_names(shop: Shop, tmp_path: Path) -> None:
    await shop.apply(policy("CachePolicy", f"directory: {tmp_path}, varyOn: [Accept-Language]"))
    answering(shop, "max-age=60", vary="accept-language")
    german = await eventually(lambda: is_kept(shop, "/", **{"accept-language": "de"}))
    english = await eventually(lambda: is_kept(shop, "/", **{"accept-language": "en"}))
    assert german.body != english.body


async def test_no_client_gets_anothers_cookies(shop: Shop, tmp_path: Path) -> None:
    await shop.apply(policy("CachePolicy", f"directory: {tmp_path}"))
    answering(shop, "max-age=60", **{"set-cookie": "session=1"})
    assert "set-cookie" not in (await shop.request("/")).headers
    assert "set-cookie" not in (await eventually(lambda: is_kept(shop, "/"))).headers


async def test_what_the_router_has_to_do_is_done_and_nothing_is_kept_then(shop: Shop, tmp_path: Path) -> None:
    rewrite = "filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /new}}}]"
    await shop.apply(
        route("payment", name="old", path="/old") + f"      {rewrite}\n",
        policy("CachePolicy", f"directory: {tmp_path}", target="{kind: Gateway, name: edge}"),
    )
    for _ in range(5):
        assert await is_kept(shop, "/old/x") is None
        assert shop.payment.requests[-1].path == "/new/x"
    await eventually(lambda: is_kept(shop, "/x"))


async def test_clients_can_be_denied_a_fresh_answer(shop: Shop, tmp_path: Path) -> None:
    await shop.apply(policy("CachePolicy", f"directory: {tmp_path}, ignoreRequestCacheControl: true"))
    await eventually(lambda: is_kept(shop, "/", **{"cache-control": "no-cache"}))


async def test_a_stale_answer_is_asked_about_and_given_again_if_it_still_holds(shop: Shop, tmp_path: Path) -> None:
    async def answer(request: web.Request) -> web.Response:
        known = request.headers.get("if-none-match") == '"one"'
        headers = {"cache-control": "max-age=0", "etag": '"one"'}
        return web.Response(status=304, headers=headers) if known else web.Response(text="one", headers=headers)

    await shop.apply(policy("CachePolicy", f"directory: {tmp_path}"))
    shop.payment.answer = answer

    async def asked_about() -> bool:
        found = await shop.request("/")
        return (found.status, found.body) == (200, "one") and "if-none-match" in shop.payment.requests[-1].headers

    await eventually(asked_about)


async def test_without_the_directory_nothing_is_kept_and_nothing_fails(shop: Shop, tmp_path: Path) -> None:
    await shop.apply(policy("CachePolicy", f"directory: {tmp_path}/missing"))
    for _ in range(5):
        assert await is_kept(shop, "/") is None
        assert shop.payment.requests[-1].path == "/"


async def test_two_routes_share_a_directory_and_others_are_left_alone(shop: Shop, tmp_path: Path) -> None:
    await shop.apply(
        route("payment", name="other", path="/other"),
        route("payment", name="third", path="/third"),
        policy("CachePolicy", f"directory: {tmp_path}"),
        policy("CachePolicy", f"directory: {tmp_path}, varyOn: [accept]", name="third", target="{kind: HTTPRoute, name: third}"),
    )  # fmt: skip
    await eventually(lambda: is_kept(shop, "/third"))
    await eventually(lambda: is_kept(shop, "/mine"))
    for _ in range(5):
        assert await is_kept(shop, "/other") is None
