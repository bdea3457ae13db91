"""What the tests of the experiments share."""

import socket

import pytest


@pytest.fixture
def no_network(monkeypatch):
    """Whoever reaches for the network fails the test."""

    def refuse(*args, **kwargs):
        raise AssertionError("the network was used without being asked for")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
