"""The place of zoo's cache on each platform."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from zoo import user_cache


def test_the_cache_is_where_the_platform_keeps_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(user_cache.CACHE_DIR, "~/zoo-cache")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert user_cache.cache_dir() == tmp_path / "zoo-cache"
    monkeypatch.delenv(user_cache.CACHE_DIR)
    monkeypatch.setattr(sys, "platform", "linux")
    for stated, expected in (
        ("/elsewhere", "/elsewhere/zoo"),
        ("", f"{tmp_path}/.cache/zoo"),
        ("x", f"{tmp_path}/.cache/zoo"),
    ):
        monkeypatch.setenv("XDG_CACHE_HOME", stated)
        assert user_cache.cache_dir() == Path(expected)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert user_cache.cache_dir() == tmp_path / "Library/Caches/zoo"
