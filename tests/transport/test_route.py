"""How the inventory and ssh config make a route together."""

from __future__ import annotations

import pytest

from fleetctl.inventory.model import Login
from fleetctl.transport.route import parse_jump, resolve


def said(**words: str | list[str]) -> dict[str, str | list[str]]:
    return dict(words)


def test_inventory_rules_over_ssh_config() -> None:
    """What the inventory says is not changed; what it leaves open ssh config fills in."""
    config = said(user="deploy", port="2200", hostname="10.1.2.3", identityfile=["~/.ssh/k"])
    route = resolve("web001", Login(user="root"), lambda name: config)
    assert (route.user, route.port, route.address) == ("root", 2200, "10.1.2.3")
    assert route.identities == ("~/.ssh/k",)
    assert resolve("web001", Login(port=22), lambda name: config).port == 22


def test_bastion_of_the_inventory_rules_over_proxyjump() -> None:
    """Only one of them is the way."""
    config = said(proxyjump="old-bastion")
    assert resolve("a", Login(), lambda name: config).jump == "old-bastion"
    assert resolve("a", Login(via="b1"), lambda name: config).jump == ""
    assert resolve("a", Login(), lambda name: said(proxyjump="none")).jump == ""


def test_proxycommand_is_the_way_when_nothing_else_is_named() -> None:
    """A bastion of the inventory and a ProxyJump come first; `none` means direct."""
    config = said(proxycommand="nc %h %p")
    assert resolve("a", Login(), lambda name: config).proxy_command == "nc %h %p"
    assert resolve("a", Login(via="b1"), lambda name: config).proxy_command == ""
    jumping = said(proxycommand="nc %h %p", proxyjump="j")
    assert resolve("a", Login(), lambda name: jumping).proxy_command == ""
    direct = said(proxycommand="none")
    assert resolve("a", Login(), lambda name: direct).proxy_command == ""


def test_known_hosts_files_and_alias_of_ssh_config_count() -> None:
    """UserKnownHostsFile may name several; HostKeyAlias is the name looked up."""
    config = said(userknownhostsfile="/a /b", hostkeyalias="web")
    route = resolve("a", Login(), lambda name: config)
    assert (route.known_hosts, route.host_key_name) == (("/a", "/b"), "web")


@pytest.mark.parametrize(
    ("jump", "hop"),
    [
        ("b", ("b", 0, "")),
        ("me@b:2222", ("b", 2222, "me")),
        ("ssh://me@b", ("b", 0, "me")),
        ("[::1]:22", ("::1", 22, "")),
        ("fe80::1", ("fe80::1", 0, "")),
    ],
)
def test_hops_are_read_as_ssh_reads_them(jump: str, hop: tuple[str, int, str]) -> None:
    """User and port are optional, IPv6 addresses are not mistaken for ports."""
    assert parse_jump(jump) == hop
