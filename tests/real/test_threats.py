"""ThreatPolicy through a real Envoy: attacks that must not pass, and requests like them that must."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio
import yarl

from tests.conditions import eventually
from tests.shop import Shop, policy, running_shop

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("threats")]

EVERYTHING = (
    "bounds: {bodyBytes: 65536}, patterns: [SQLInjection, PathTraversal, CrossSiteScripting], "
    "inspect: [Path, Query, Headers, Body]"
)

SQL_ATTACKS = [
    "' OR 1=1 --",
    "' or '1'='1",
    "' OR 'a'='a' --",
    '" or ""="',
    "') or ('1'='1",
    "1 or 1=1",
    "1) or (2=2",
    "1' and '1'='1",
    "x' or 2>1 --",
    "' or true--",
    "' or not false #",
    "admin'--",
    "admin' #",
    "admin'/*",
    "admin'; --",
    "' || '1'='1",
    "'||1=1",
    "' or username like '%admin%",
    "' or name = 'admin",
    "1 UNION SELECT username, password FROM users",
    "1 union all select null,null--",
    "-1'/**/uNiOn/**/sElEcT/**/1,2,3#",
    "1/*!50000union*//*!50000select*/1",
    "1 union(select(1))",
    "1%0aunion%0aselect 1",
    "1; DROP TABLE users",
    "1;delete from orders where 1=1",
    "'; INSERT INTO users VALUES ('a','b') --",
    "x'; update users set admin=1 where name='x",
    "1; exec xp_cmdshell('dir')",
    "1 and (select count(*) from users) > 0",
    "1=(select top 1 name from users)",
    "1 AND SLEEP(5)",
    "1'; select pg_sleep(5) --",
    "1 and benchmark(5000000,md5(1))",
    "1; waitfor delay '0:0:5'--",
    "1 and extractvalue(1,concat(0x7e,version()))",
    "x' and 1=2 union select 1 from information_schema.tables",
    "1 into outfile '/tmp/x'",
    "' having 1=1",
    "' order by 9 --",
]

TRAVERSALS = [
    "../../etc/passwd",
    "..%2f..%2fetc%2fpasswd",
    "..%252f..%252f..%252fetc%252fpasswd",
    "....//....//etc/passwd",
    "..\\..\\windows\\win.ini",
    "..%c0%af..%c0%afetc/passwd",
    "%c0%ae%c0%ae/%c0%ae%c0%ae/x",
    "..%u002f..%u002fx",
    "/etc/passwd",
    "/etc/passwd%00.png",
    "file:///etc/passwd",
    "c:\\windows\\win.ini",
    "..;/..;/manager/html",
    "images/../../../../etc/shadow",
    "../.env",
    "/proc/self/environ",
]

SCRIPTS = [
    "<script>alert(1)</script>",
    "<ScRiPt src=//evil.test/x.js>",
    "<script/src=x>",
    "</title><script>",
    "</script><b>",
    "%3Cscript%3Ealert(1)%3C/script%3E",
    "%253Cscript%253Ealert(1)",
    "<scr%00ipt>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<img src=x onerror = alert(1)>",
    "<img/src=x/onerror=alert(1)>",
    '<img alt=">" src=x onerror=alert(1)>',
    "<svg onload=alert(1)>",
    "<svg/onload=alert(1)>",
    "<body onpageshow=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "<video><source onerror='alert(1)'>",
    "<a href=x onfocusin=alert`1` autofocus>",
    '" onmouseover="alert(1)',
    "' autofocus onfocus='alert(1)",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java%0ascript:alert(1)",
    "javascript://x%0aalert(1)",
    "javascript:void(0)",
    "javascript: alert`1`",
    '<a href="jav&#x61;script:alert(1)">',
    '<a href="javascript&colon;alert(1)">',
    "vbscript:msgbox(1)",
    "data:text/html,<b>",
    "data:text/html;base64,PHNjcmlwdD4=",
    "<iframe src=//evil.test>",
    "<iframe srcdoc=x>",
    "<object data=x>",
    "<embed src=x>",
    "<base href=//evil.test>",
    "<meta http-equiv=refresh content=0>",
    "<link rel=stylesheet href=//evil.test>",
    "<button formaction=//evil.test>",
    "';alert(1)//",
    '"-alert(1)-"',
    "'+document.cookie+'",
    "');fetch('//evil.test')//",
]

HARMLESS = [
    "JavaScript: The Good Parts (2008)",
    "javascript: the definitive guide",
    "TypeScript: an introduction",
    "learn javascript and html",
    "a < b and c > d",
    "I <3 you, only once = enough",
    "x<y onclick",
    "<b>bold</b> and <i>italic</i>",
    "<p>one = 1, only = 2</p>",
    "if (a <b) online = 3",
    "the description: what the script: does",
    "load=1 error=2",
    "on load = heavy, on error = stop",
    "She said 'alert the others'; print it",
    "the <object> of study, <base> level, a <link> in it",
    "data:image/png;base64,iVBORw0KGgo=",
    "script-kiddies & manuscripts",
    "subscript: H2O",
    "tom & jerry &amp; friends",
    "shoes",
    "O'Reilly",
    "O'Brien & Sons",
    "rock 'n' roll or blues",
    "Romeo and Juliet",
    "The Lord of the Rings: The Two Towers (extended edition)",
    "either 1 or 2 pieces, and 3 = three",
    "x or y",
    "I'd like to select a union representative",
    "select the best one from our list",
    "student union selection committee",
    "credit union select account",
    "please drop the table at the door",
    "the table; dropped and broken",
    "order by phone -- or by mail",
    "delete from cart",
    "insert coin; update pending",
    "it's 5 o'clock -- somewhere",
    '"quoted" -- and a dash',
    "C# or F#",
    "#1 in the charts",
    "a--b",
    "50% off & more",
    "1+1=2",
    "price>10 and price<20",
    "5 > 3 or 2 < 4 ?",
    "a=b",
    "user@example.com",
    "https://example.com/a/b?c=d&e=f#g",
    "2024-01-01T00:00:00+00:00",
    "550e8400-e29b-41d4-a716-446655440000",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl--",
    "background-image: url(../img/a.png);",
    "../next-page",
    "...and so on...",
    "wait... what?",
    "1,000.00",
    "Thread.sleep(1000) is slow",
    "What's new / what's old",
    'He said "yes" or "no"',
    'title:"foo" or author:"bar"',
    "naïve café — “quotes” ‘n’ dashes",
    "日本語 の 検索",
    "🙂 ok",
    "a; b; c",
    "(1) first (2) second",
    "x && y || z",
    "/etc/nginx is documented in the manual",
    "how to read /etc/passwd in C",
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    folder = tmp_path_factory.mktemp("shop")
    async with running_shop(folder) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def shop(running: Shop) -> Shop:
    await running.reset()
    return running


def threats(spec: str, **options: str) -> str:
    return policy("ThreatPolicy", spec, **options)


async def status(shop: Shop, path: str = "/", **options: Any) -> int:
    url = yarl.URL(f"http://127.0.0.1:{shop.port}{path}", encoded=True)
    async with shop.session.request(options.pop("method", "GET"), url, allow_redirects=False, **options) as response:
        await response.read()
        return response.status


def form(value: str) -> bytes:
    return f"a=b&c={quote(value, safe='%')}".encode()


async def everywhere(shop: Shop, value: str) -> dict[str, int]:
    """The answers to requests with `value` in each place."""
    text = value if "%" in value else quote(value)
    as_form = {"content-type": "application/x-www-form-urlencoded"}
    return {
        "query": await status(shop, f"/search?page=1&q={quote(value, safe='%')}"),
        "form": await status(shop, method="POST", data=form(value), headers=as_form),
        "json": await status(shop, method="POST", json={"list": [{"q": value.replace("%0a", "\n")}], "n": 1}),
        "cookie": await status(shop, headers={"cookie": f"a=b; c={text}"}),
    }


async def test_sql_is_found_wherever_it_is_put(shop: Shop) -> None:
    await shop.apply(threats(EVERYTHING))
    found = {attack: await everywhere(shop, attack) for attack in SQL_ATTACKS}
    passed = {attack: [place for place, code in codes.items() if code != 403] for attack, codes in found.items()}
    assert {attack: places for attack, places in passed.items() if places} == {}
    assert shop.payment.requests == []


async def test_traversals_are_found_wherever_they_are_put(shop: Shop) -> None:
    await shop.apply(threats(EVERYTHING))
    found = {attack: await everywhere(shop, attack) for attack in TRAVERSALS}
    passed = {attack: [place for place, code in codes.items() if code != 403] for attack, codes in found.items()}
    assert {attack: places for attack, places in passed.items() if places} == {}
    assert shop.payment.requests == []


async def test_scripts_are_found_wherever_they_are_put(shop: Shop) -> None:
    await shop.apply(threats(EVERYTHING))
    found = {attack: await everywhere(shop, attack) for attack in SCRIPTS}
    passed = {attack: [place for place, code in codes.items() if code != 403] for attack, codes in found.items()}
    assert {attack: places for attack, places in passed.items() if places} == {}
    assert shop.payment.requests == []


async def test_harmless_requests_pass(shop: Shop) -> None:
    await shop.apply(threats(EVERYTHING))
    found = {text: await everywhere(shop, text) for text in HARMLESS}
    refused = {text: [place for place, code in codes.items() if code != 200] for text, codes in found.items()}
    assert {text: places for text, places in refused.items() if places} == {}


async def test_a_traversal_in_the_path_is_found_where_envoy_left_it(shop: Shop) -> None:
    await shop.apply(threats("patterns: [PathTraversal], inspect: [Path]"))
    assert await status(shop, "/files/%252e%252e/%252e%252e/etc/passwd") == 403
    assert await status(shop, "/files/..%255c..%255cx") == 403
    assert await status(shop, "/files/a..b/.hidden/...") == 200
    assert await status(shop, "/public/../files/a") == 200
    assert await status(shop, "/public/..;/files/b") == 200
    assert [request.path for request in shop.payment.requests] == ["/files/a..b/.hidden/...", "/files/a", "/files/b"]


async def test_only_what_the_policy_names_is_inspected(shop: Shop) -> None:
    attack = quote("1 or 1=1")
    await shop.apply(threats("patterns: [SQLInjection], inspect: [Query], skipHeaders: [x-query]"))
    assert await status(shop, f"/?q={attack}") == 403
    assert await status(shop, "/", headers={"x-anything": "1 or 1=1"}) == 200
    assert await status(shop, "/?file=../../etc/passwd") == 200
    await shop.apply(threats("patterns: [SQLInjection], inspect: [Headers], skipHeaders: [X-Query]"))
    assert await status(shop, "/", headers={"x-anything": "1 or 1=1"}) == 403
    assert await status(shop, "/", headers={"x-query": "1 or 1=1"}) == 200
    assert await status(shop, f"/?q={attack}") == 200


async def test_log_only_says_so_and_does_not_repeat_the_request(shop: Shop) -> None:
    await shop.apply(threats(f"mode: Log, {EVERYTHING}"))
    assert await status(shop, f"/?q={quote('1 or 1=1 secret-word')}") == 200

    def said() -> bool:
        log = shop.log.read_text()
        assert "secret-word" not in log
        return "ThreatPolicy default/test: sql-injection/tautology in query: logged only" in log

    await eventually(said)


async def test_what_is_too_large_is_refused(shop: Shop) -> None:
    await shop.apply(threats("bounds: {bodyBytes: 1000, urlBytes: 200, headerBytes: 2000, headerCount: 20}"))
    assert await status(shop, method="POST", data=b"x" * 1000) == 200
    assert await status(shop, method="POST", data=b"x" * 1001) == 413
    assert await status(shop, "/" + "a" * 199) == 200
    assert await status(shop, "/" + "a" * 200) == 414
    assert await status(shop, headers={"x-a": "b" * 1000}) == 200
    assert await status(shop, headers={"x-a": "b" * 2000}) == 431
    assert await status(shop, headers={f"x-{number}": "a" for number in range(5)}) == 200
    assert await status(shop, headers={f"x-{number}": "a" for number in range(20)}) == 431


async def test_a_body_that_cannot_be_read_is_refused(shop: Shop) -> None:
    await shop.apply(threats(EVERYTHING))
    assert await status(shop, method="POST", data=b"xxx", headers={"content-encoding": "gzip"}) == 415
    assert await status(shop, method="POST", data=b"", headers={"content-encoding": "identity"}) == 200


async def test_json_is_read_string_by_string(shop: Shop) -> None:
    await shop.apply(threats(EVERYTHING))

    async def post(text: str) -> int:
        return await status(shop, method="POST", data=text.encode(), headers={"content-type": "application/json"})

    assert await post(json.dumps({"a": ["' or 1=1"]})) == 403
    assert await post(r'{"a": "\u0027 or \u0031=1"}') == 403
    assert await post(r'{"a": "\" or 1=1"}') == 403
    assert await post('{"1 or 1=1": 1}') == 403
    assert await post('{"a": "1 or 1=1') == 403
    assert await post('{"say": "\\"or\\"", "or": "=", "b": ["1", "or", "1=1"]}') == 200


async def test_texts_that_are_made_to_take_long_do_not(shop: Shop) -> None:
    """30 kB of what patterns begin with, over and over: some milliseconds each, and some 10 s where time is squared."""
    await shop.apply(threats(EVERYTHING))
    size = 30_000
    pieces = [
        "/*",
        "'",
        "' or ",
        "(",
        "or ('",
        "union ",
        "union(",
        "; ",
        "a",
        "1=",
        "..",
        "../",
        "/",
        "\\",
        "%25",
        "%",
        '\\"',
        "or 1 ",
        "&a=",
        "<a ",
        "<script",
        " onx",
        '"onload ',
        "javascript:",
        "&#",
        "'-",
        " ",
    ]
    loop = asyncio.get_running_loop()
    for piece in pieces:
        for kind in ("text/plain", "application/json", "application/x-www-form-urlencoded"):
            data = ('"' if kind.endswith("json") else "") + piece * (size // len(piece))
            start = loop.time()
            await status(shop, method="POST", data=data.encode(), headers={"content-type": kind})
            assert loop.time() - start < 3.0, (piece, kind)
