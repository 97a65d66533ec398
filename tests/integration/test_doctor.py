"""`prominence doctor` on a real pool: all is well, or it says what is not."""

from __future__ import annotations

import json
from typing import Any

from real_parts import RealPool, until

PARTS = {
    *("schedd", "collector", "negotiator", "etcd", "objects", "archive", "accounting", "scaler", "imc"),
    *("mail", "webhooks", "retention", "metrics"),
    *("cloud docker", "disk of jobs", "disk of archive", "disk of objects", "clock", "version"),
}


def doctor(pool: RealPool) -> tuple[int, dict[str, dict[str, str]]]:
    """Its exit code, and what it says of each part."""
    done = pool.run("doctor", "-o", "json", check=False)
    assert done.stdout, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, {one["part"]: one for one in told["parts"]}


def test_it_tells_what_is_well_and_what_is_broken(pool: RealPool) -> None:
    seen: list[Any] = []

    def is_well() -> bool:
        code, found = doctor(pool)
        seen[:] = [one for one in found.values() if one["condition"] != "ok"]
        # The machine's disk is not the pool's to judge.
        return not [one for one in seen if not one["part"].startswith("disk")] and set(found) == PARTS and code < 125

    until(is_well, 120, lambda: str(seen))
    objects, aside = pool.state / "objects" / "objects", pool.state / "objects" / "aside"
    had_some = objects.exists()
    if had_some:
        objects.rename(aside)
    try:
        objects.write_text("no directory")
        code, found = doctor(pool)
        assert (code, found["objects"]["condition"]) == (1, "broken"), found
        assert "section data" in found["objects"]["advice"]
        assert found["schedd"]["sentence"].startswith("It answers: HTCondor ")
    finally:
        objects.unlink()
        if had_some:
            aside.rename(objects)
    until(is_well, 120, lambda: str(seen))
