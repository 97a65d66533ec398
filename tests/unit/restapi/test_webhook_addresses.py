"""No webhook leads to where only this service could reach."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prominence.restapi.webhook_settings import WebhookSettings
from prominence.restapi.webhooks.addresses import (
    LONGEST_URL,
    PATTERN,
    may_be_called,
    of_site,
    parts_of,
    port_of,
    refusal,
)

OURS = (ipaddress.ip_network("10.1.0.0/16"), ipaddress.ip_network("fd00:1::/32"))

INSIDE = [
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
    "169.254.170.2", "100.64.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192", "192.0.2.1", "198.18.0.1",
    "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.88.99.1",
    "::", "::1", "fe80::1", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1", "100::1",
    "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::7f00:1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "::127.0.0.1", "2001:0:7f00:1::",
    "1.1.1", "0x7f000001", "2130706433", "", "localhost", "1.1.1.1 ",
]  # fmt: skip
OUTSIDE = ["1.1.1.1", "8.8.8.8", "2606:4700:4700::1111", "64:ff9b::101:101"]


@pytest.mark.parametrize("address", INSIDE)
def test_nothing_but_the_internet_is_called(address: str) -> None:
    assert not may_be_called(address, ())


@pytest.mark.parametrize("address", OUTSIDE)
def test_the_internet_is(address: str) -> None:
    assert may_be_called(address, ())


def test_what_the_operator_allows_is_called_too_and_nothing_beside_it() -> None:
    assert may_be_called("10.1.2.3", OURS) and may_be_called("fd00:1::7", OURS)
    assert not may_be_called("10.2.0.1", OURS) and not may_be_called("fd00:2::7", OURS)
    assert not may_be_called("::ffff:10.1.2.3", OURS), "in the spelling that was allowed"
    assert not of_site("1.1.1.1", OURS)


@given(st.ip_addresses(v=4))
def test_an_address_that_is_not_public_is_not_public_in_any_spelling(address: ipaddress.IPv4Address) -> None:
    plain = may_be_called(str(address), ())
    assert not plain or address.is_global
    for spelled in (f"::ffff:{address}", str(ipaddress.IPv6Address((0x2002 << 112) | (int(address) << 80)))):
        assert plain or not may_be_called(spelled, ())


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/", "ftp://example.org/", "file:///etc/passwd", "gopher://example.org/", "//example.org/",
        "https://", "https:///x", "https://user@example.org/", "https://user:pw@example.org/", "https://:pw@example.org",
        "https://example.org/#x", "https://example.org/a b", "https://example.org\\@127.0.0.1/", "https://exa\rmple.org",
        "https://example.org/\r\nHost: x", "https://[::1", "https://example.org:0/", "https://example.org:99999/",
        "https://example.org:x/", "https://münchen.example/", "https://127.0.0.1/", "https://[::1]/", "https://0.0.0.0",
        "https://[::ffff:169.254.169.254]/", "https://169.254.169.254/latest/meta-data", f"https://e.org/{'a' * 2000}",
        "http://1.1.1.1/", "", "example.org",
    ],
)  # fmt: skip
def test_addresses_that_are_none_are_refused_when_they_are_registered(url: str) -> None:
    assert refusal(url, ()) != ""


@pytest.mark.parametrize("url", ["https://example.org/", "https://example.org:8443/a?b=c", "https://1.1.1.1/x"])
def test_others_are_taken(url: str) -> None:
    assert refusal(url, ()) == ""


def test_without_encryption_only_the_sites_own_are_called() -> None:
    assert refusal("http://10.1.0.1:8000/", OURS) == ""
    assert refusal("http://1.1.1.1/", OURS) == "must begin with https://"


@given(st.text())
def test_no_text_breaks_it(text: str) -> None:
    assert isinstance(refusal(text, ()), str)
    assert isinstance(refusal(f"https://{text}", OURS), str)


def test_a_port_is_the_one_of_its_kind_unless_it_is_named() -> None:
    assert [port_of(parts_of(url)) for url in ("https://a.org", "http://a.org", "https://a.org:8443")] == [
        443,
        80,
        8443,
    ]


def test_networks_in_settings_are_networks() -> None:
    assert WebhookSettings(allowed_networks=("10.1.0.0/16",)).allowed == (ipaddress.ip_network("10.1.0.0/16"),)
    with pytest.raises(ValueError, match="must be a network"):
        WebhookSettings(allowed_networks=("10.1.0.1/16",))


@given(st.from_regex(PATTERN, fullmatch=True))
def test_what_is_spelled_as_it_must_be_is_refused_for_where_it_leads_alone(url: str) -> None:
    everywhere = (ipaddress.ip_network("0.0.0.0/0"),)
    assert len(url) > LONGEST_URL or refusal(url, everywhere) == ""
