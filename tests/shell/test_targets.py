"""Where clients may have us push to, and where not, as tables."""

import socket

import pytest
from aiohttp.abc import AbstractResolver

from coordinator.addresses import AllowList, address_of, is_public
from coordinator.notifying import PushTargets, TargetRefused

PUBLIC = ["93.184.215.14", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"]
INSIDE = [
    "127.0.0.1",
    "127.8.9.10",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "192.0.2.7",
    "198.18.0.1",
    "224.0.0.1",
    "239.1.2.3",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::7f00:1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "fe80::1",
    "fc00::1",
    "fd00:ec2::254",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
    "2001:db8::1",
]


class Names(AbstractResolver):
    """Names that lead to what a test says."""

    def __init__(self, **known):
        self._known = known

    async def resolve(self, host, port=0, family=socket.AF_INET):
        if host not in self._known:
            raise OSError("no such name")
        return [
            {"hostname": host, "host": each, "port": port, "family": family, "proto": 0, "flags": 0}
            for each in self._known[host].split()
        ]

    async def close(self):
        pass


NAMES = Names(
    public="93.184.215.14",
    mixed="93.184.215.14 10.0.0.1",
    inside="10.0.0.1",
    metadata="169.254.169.254",
    mapped="::ffff:127.0.0.1",
)


@pytest.mark.parametrize("text", PUBLIC)
def test_a_public_address_is_one_of_a_single_machine_on_the_internet(text):
    assert is_public(address_of(text))


@pytest.mark.parametrize("text", INSIDE)
def test_everything_else_is_inside(text):
    assert not is_public(address_of(text))


@pytest.mark.parametrize("text", INSIDE)
async def test_an_address_that_is_inside_is_refused_however_it_is_given(text):
    host = f"[{text}]" if ":" in text else text
    with pytest.raises(TargetRefused):
        await PushTargets().check(f"https://{host}/hook")
    with pytest.raises(TargetRefused):
        await PushTargets(names=Names(name=text)).check("https://name/hook")


@pytest.mark.parametrize(
    ("allow", "url"),
    [
        ((), "https://public/hook"),
        ((), "https://public:8443/hook?key=1"),
        ((), "https://93.184.215.14/hook"),
        ((), "HTTPS://PUBLIC/hook"),
        (("10.0.0.0/8",), "http://inside/hook"),
        (("10.0.0.0/8",), "http://10.9.8.7:80/hook"),
        (("10.0.0.1",), "https://inside"),
        (("10.0.0.1",), "https://mixed/hook"),
        (("inside",), "http://inside:9000/hook"),
        (("Inside.",), "http://inside/hook"),
        (("inside:9000",), "http://inside:9000/hook"),
        (("public",), "http://public/hook"),
        (("[::1]",), "http://[::1]:9/"),
        (("::1/128",), "http://[::1]:9/"),
        (("127.0.0.0/8",), "https://mapped/"),
    ],
)
async def test_what_is_public_or_permitted_is_taken(allow, url):
    await PushTargets(allow, NAMES).check(url)


@pytest.mark.parametrize(
    ("allow", "url", "words"),
    [
        ((), "", "https://host/path"),
        ((), "/hook", "https://host/path"),
        ((), "public/hook", "https://host/path"),
        ((), "ftp://public/hook", "https://host/path"),
        ((), "file:///etc/passwd", "https://host/path"),
        ((), "gopher://public/", "https://host/path"),
        ((), "https:///hook", "URL"),
        ((), "https://public:0/hook", "https://host/path"),
        ((), "https://public:99999/hook", "URL"),
        ((), "https://user:password@public/hook", "not in the URL"),
        ((), "https://user@public/hook", "not in the URL"),
        ((), "https://public\\@127.0.0.1/hook", "URL"),
        ((), "https://public/ho ok", "URL"),
        ((), "https://public/\r\nHost: other", "URL"),
        ((), "https://public/" + "x" * 2048, "URL"),
        ((), "http://public/hook", "use https"),
        ((), "https://unknown/hook", "cannot be resolved"),
        ((), "https://inside/hook", "push_allow"),
        ((), "https://mixed/hook", "push_allow"),
        ((), "https://metadata/latest", "push_allow"),
        ((), "https://mapped/", "push_allow"),
        ((), "https://2130706433/", "four numbers"),
        ((), "https://127.1/", "four numbers"),
        ((), "https://0x7f.0.0.1/", "four numbers"),
        ((), "https://0x7f000001/", "four numbers"),
        ((), "https://[fe80::1%25eth0]/", ""),
        (("inside:9000",), "http://inside:9001/hook", "push_allow"),
        (("inside",), "https://metadata/", "push_allow"),
        (("10.0.0.0/8",), "http://mixed/hook", "use https"),
        (("10.0.0.0/8",), "http://11.0.0.1/hook", "use https"),
        (("10.0.0.0/8",), "http://public/hook", "use https"),
    ],
)
async def test_everything_else_is_refused_in_words_that_say_what_to_do(allow, url, words):
    with pytest.raises(TargetRefused) as refusal:
        await PushTargets(allow, NAMES).check(url)
    assert words in str(refusal.value)
    assert "10.0.0.1" not in str(refusal.value).replace(url, "")


@pytest.mark.parametrize(
    "entry", ["", "10.0.0.0/33", "not/a/network", "http://host", "host name", "user@host", "*.host"]
)
def test_an_entry_of_the_allow_list_that_cannot_be_read_is_named(entry):
    with pytest.raises(ValueError, match="write"):
        AllowList.of([entry])
