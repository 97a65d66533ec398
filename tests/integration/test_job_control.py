"""Acts on jobs, news of them and what is kept of them, on real parts."""

from __future__ import annotations

from typing import Any

from real_parts import RealPool, until

from prominence.core.states import ENDED

SMALL = {"cpus": 1, "memory": 0.2, "disk": 0.1}


def done(pool: RealPool, method: str, path: str, **options: Any) -> None:
    answer = pool.request(method, path, **options)
    assert (answer.status_code, answer.json()) == (200, {}), answer.text


def attempts(pool: RealPool, job: int) -> list[dict[str, Any]]:
    """Those that are known so far."""
    found: list[dict[str, Any]] = pool.describe(job).get("attempts", [])
    return found


def test_a_job_on_hold_gives_its_worker_back_and_begins_anew_when_it_is_released(
    pool: RealPool, tiny_image: str
) -> None:
    job = pool.submit({"image": tiny_image, "cmd": "sleep 300"})
    pool.wait_for(job, "running")
    until(lambda: attempts(pool, job), 30)  # HTCondor calls it running before its worker has begun
    done(pool, "PUT", f"/jobs/{job}/hold")
    held = pool.wait_for(job, "waiting")
    assert held["statusReasonCode"] == "HeldByUser"
    # That it has ended is an event of its own, and why is the next.
    [attempt] = until(lambda: [one for one in attempts(pool, job) if "reason" in one], 30)
    assert (attempt["number"], attempt["outcome"], attempt["reason"]) == (1, "held", "held by the user")
    done(pool, "PUT", f"/jobs/{job}/release")
    pool.wait_for(job, "running")
    second = until(lambda: attempts(pool, job)[1:], 30)[0]
    assert (second["number"], second["worker"]) == (2, pool.describe(job)["execution"]["worker"])
    done(pool, "DELETE", f"/jobs/{job}")
    assert pool.finish(job)["statusReasonCode"] == "DeletedByUser"


def test_a_job_that_is_changed_while_it_waits_runs_as_it_was_changed_to(pool: RealPool, tiny_image: str) -> None:
    job = pool.submit({"image": tiny_image, "cmd": "true"}, resources={**SMALL, "cpus": 4096}, labels={"a": "1"})
    change = {"labels": {"a": None, "b": "2"}, "resources": {"walltime": 7}, "policies": {"priority": 3}}
    done(pool, "PATCH", f"/jobs/{job}", json=change)
    [listed] = pool.request("GET", "/jobs?constraint=b=2&detail").json()
    assert (listed["id"], listed["labels"], listed["resources"]["walltime"]) == (job, {"b": "2"}, 7)
    said = pool.inside("access-point", "condor_q", "-allusers", str(job), "-af", "JobPrio", "ProminenceWalltime")
    assert said.split() == ["3", "420"]
    assert pool.request("PATCH", f"/jobs/{job}", json={"resources": {"cpus": 1}}).status_code == 400
    done(pool, "DELETE", f"/jobs/{job}")


def test_a_job_stays_in_the_queue_if_it_is_told_to_and_is_no_other_when_it_is_removed(
    pool: RealPool, tiny_image: str
) -> None:
    job = pool.submit({"image": tiny_image, "cmd": "true"}, policies={"leaveInQueue": True})
    assert pool.finish(job)["status"] == "completed"
    assert (job, "completed") in [(one["id"], one["status"]) for one in pool.request("GET", "/jobs").json()]
    done(pool, "PUT", f"/jobs/{job}/remove")
    until(lambda: job not in [one["id"] for one in pool.request("GET", "/jobs").json()], 30)
    assert pool.describe(job)["status"] == "completed"
    clone = pool.request("PUT", f"/jobs/{job}/clone")
    assert clone.status_code == 201
    done(pool, "DELETE", f"/jobs/{clone.json()['id']}")


def test_news_of_a_job_come_when_there_are_some(pool: RealPool, tiny_image: str) -> None:
    job = pool.submit({"image": tiny_image, "cmd": "sh -c 'echo one; sleep 3; echo two'"})
    version, statuses, asked = "", [], 0
    while not statuses or statuses[-1] not in ENDED:
        answer = pool.request("GET", f"/jobs/{job}?wait=25", headers={"If-None-Match": version} if version else {})
        version, asked = answer.headers["ETag"], asked + 1
        statuses += [answer.json()[0]["status"]] if answer.status_code == 200 else []
    assert statuses[-1] == "completed"
    assert asked <= 20  # asked every half second it would be far more
    assert pool.output(job) == "one\ntwo\n"


def test_jobs_are_listed_page_by_page_wherever_they_are(pool: RealPool, tiny_image: str) -> None:
    jobs = [pool.submit({"image": tiny_image, "cmd": "true"}, labels={"pages": "1"}) for _ in range(3)]
    for job in jobs:
        pool.finish(job)
    jobs.append(pool.submit({"image": tiny_image}, resources={**SMALL, "cpus": 4096}, labels={"pages": "1"}))
    seen: list[int] = []
    query = "/jobs?all&constraint=pages=1&limit=2"
    answer = pool.request("GET", query)
    while True:
        seen += [one["id"] for one in answer.json()]
        where = answer.headers.get("X-Prominence-Cursor")
        if where is None:
            break
        answer = pool.request("GET", f"{query}&cursor={where}")
    assert seen == jobs[::-1]
    done(pool, "DELETE", f"/jobs/{jobs[-1]}")


def test_an_archive_that_is_lost_is_made_anew(pool: RealPool, tiny_image: str) -> None:
    job = pool.submit({"image": tiny_image, "cmd": "sh -c 'exit 3'"}, name="kept")
    before = pool.finish(job)
    until(lambda: attempts(pool, job), 30)
    find = r"grep --files-with-matches 'restapi[.]archive[.]main' /proc/[0-9]*/cmdline | cut -d/ -f3"
    pool.inside("access-point", "sh", "-c", f"rm {pool.state}/archive/jobs.db*; kill -9 $({find})")

    def again() -> Any:
        answer = pool.request("GET", f"/jobs/{job}")
        return answer.status_code == 200 and [one for one in answer.json() if "attempts" in one]

    [after] = until(again, 60)
    assert {**after, "attempts": []} == {**before, "attempts": []}
    assert [one["exitCode"] for one in after["attempts"]] == [3]
