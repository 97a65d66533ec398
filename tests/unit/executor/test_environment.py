from __future__ import annotations

from builders_executor import a_plan, a_planned_task

from prominence.executor.environment import of_task


def test_a_task_is_told_about_its_job_and_itself() -> None:
    plan = a_plan(a_planned_task(), a_planned_task(env={"A": "1"}), cpus=4, memory_mib=2500)
    assert of_task(plan, 1, "docker", "17", {}) == {
        "A": "1",
        "USER": "user",
        "HOME": "/home/user",
        "TMP": "/tmp",
        "TEMP": "/tmp",
        "TMPDIR": "/tmp",
        "PROMINENCE_JOB_ID": "17",
        "PROMINENCE_CPUS": "4",
        "PROMINENCE_MEMORY": "2.5",
        "PROMINENCE_TASK_NUM": "1",
        "PROMINENCE_CONTAINER_RUNTIME": "docker",
    }


def test_users_may_change_what_programs_read_but_not_what_they_are_told() -> None:
    env = {"TMPDIR": "/home/user/t", "HOME": "/x", "PROMINENCE_CPUS": "99"}
    told = of_task(a_plan(a_planned_task(env=env)), 0, "docker", "17", {})
    assert (told["TMPDIR"], told["HOME"], told["PROMINENCE_CPUS"]) == ("/home/user/t", "/home/user", "1")


def test_the_number_of_threads_is_the_users_business() -> None:
    assert "OMP_NUM_THREADS" not in of_task(a_plan(), 0, "docker", "17", {})


def test_a_job_with_gpus_is_told_which_are_its_own_and_no_other_job_is() -> None:
    task = a_planned_task(env={"CUDA_VISIBLE_DEVICES": "all"})
    told = {"CUDA_VISIBLE_DEVICES": "GPU-1"}
    assert of_task(a_plan(task, gpus=1), 0, "apptainer", "17", told)["CUDA_VISIBLE_DEVICES"] == "GPU-1"
    assert of_task(a_plan(task), 0, "apptainer", "17", told)["CUDA_VISIBLE_DEVICES"] == "all"
