"""The processor's record, as different systems describe theirs."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path
from typing import Any

import pytest

from zoo import processor, provenance

X86 = """processor\t: 0
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: 207
model name\t: Intel(R) Xeon(R) Processor
stepping\t: 2
flags\t\t: fpu sse sse4_2 avx avx2 avx512f avx512_vnni avx_vnni avx512_bf16 amx_int8 amx_tile fsrm

processor\t: 1
model\t\t: 1
"""
ARM = """processor\t: 0
Features\t: fp asimd aes asimddp sve i8mm bf16
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x1
CPU part\t: 0xd40
CPU revision\t: 1
"""
MAC = """machdep.cpu.brand_string: Apple M2
hw.optional.arm.FEAT_I8MM: 1
hw.optional.arm.FEAT_BF16: 1
hw.optional.arm.FEAT_SME: 0
hw.l1dcachesize: 65536
hw.l2cachesize: 4194304
"""


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Simulate a system that has only these files and command outputs."""

    def make(cpuinfo: str = "", called: str = "", sysctl: str | None = None, machine: str = "") -> None:
        monkeypatch.setattr(processor, "CPUINFO", tmp_path / "cpuinfo")
        monkeypatch.setattr(processor, "CACHES", tmp_path / "cache")
        if cpuinfo:
            (tmp_path / "cpuinfo").write_text(cpuinfo)
        monkeypatch.setattr(platform, "processor", lambda: called)
        monkeypatch.setattr(platform, "machine", lambda: machine)
        monkeypatch.setattr(platform, "system", lambda: "Darwin" if sysctl is not None else "Linux")

        def run(command: list[str], **_: Any) -> Any:
            if not sysctl:
                raise FileNotFoundError(command[0])
            return subprocess.CompletedProcess(command, 0, sysctl, "")

        monkeypatch.setattr(subprocess, "run", run)

    return make


def test_x86(system: Any, tmp_path: Path) -> None:
    system(X86)
    for number, (level, kind, size) in enumerate([("1", "Data", "48K"), ("2", "Unified", "2048K")]):
        folder = tmp_path / "cache" / f"index{number}"
        folder.mkdir(parents=True)
        for part, value in (("level", level), ("type", kind), ("size", size)):
            (folder / part).write_text(f"{value}\n")
    assert processor.describe() == {
        "processor": "Intel(R) Xeon(R) Processor",
        "cpu": {"vendor": "GenuineIntel", "family": "6", "model": "207", "stepping": "2"},
        "instruction_sets": [
            *("amx_int8", "amx_tile", "avx", "avx2", "avx512_bf16", "avx512_vnni", "avx512f", "avx_vnni", "sse4_2"),
        ],
        "caches": {"L1 data": "48K", "L2 unified": "2048K"},
    }


def test_arm(system: Any) -> None:
    system(ARM, machine="aarch64")
    assert processor.numbers() == {
        "vendor": "0x41", "family": "8", "model": "0xd40", "variant": "0x1", "stepping": "1",
    }  # fmt: skip
    assert processor.instruction_sets() == ["asimd", "asimddp", "bf16", "i8mm", "sve"]
    assert processor.name() == "aarch64"


def test_mac(system: Any) -> None:
    system(sysctl=MAC)
    assert processor.describe() == {
        "processor": "Apple M2",
        "cpu": {},
        "instruction_sets": ["bf16", "i8mm"],
        "caches": {"L1 data": "64K", "L2": "4096K"},
    }


def test_windows(system: Any) -> None:
    system(called="Intel64 Family 6 Model 207 Stepping 2, GenuineIntel")
    assert processor.numbers() == {"vendor": "GenuineIntel", "family": "6", "model": "207", "stepping": "2"}
    assert processor.instruction_sets() == []
    assert processor.caches() == {}


@pytest.mark.parametrize("sysctl", [None, ""])
def test_a_system_that_says_nothing(system: Any, sysctl: str | None) -> None:
    system(sysctl=sysctl)
    assert processor.describe() == {"processor": "unknown", "cpu": {}, "instruction_sets": [], "caches": {}}


def test_nvidias_gpus_are_named(tmp_path: Path) -> None:
    for address, name in (("0000:01:00.0", "NVIDIA H200"), ("0000:00:06.0", "NVIDIA H100 80GB HBM3")):
        (tmp_path / address).mkdir()
        (tmp_path / address / "information").write_text(f"Model: \t\t {name}\nIRQ:   \t\t 11\nVideo BIOS: ??\n")
    assert provenance.nvidia_gpus(tmp_path) == ["NVIDIA H100 80GB HBM3", "NVIDIA H200"]
    assert provenance.nvidia_gpus(tmp_path / "none") == []


def test_provenance_says_which_processor() -> None:
    machine = provenance.machine()
    assert {"processor", "cpu", "instruction_sets", "caches", "cpus", "memory_gib", "system"} <= machine.keys()
    if processor.CPUINFO.exists():
        assert machine["cpu"]
        assert machine["instruction_sets"]
