from __future__ import annotations

from builders_executor import a_plan, a_planned_task

from prominence.executor.environment import of_task, told_of_itself, told_of_the_end


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
        "PROMINENCE_NODES": "1",
        "PROMINENCE_NODE_NUM": "0",
        "PROMINENCE_TASK_NUM": "1",
        "PROMINENCE_CONTAINER_RUNTIME": "docker",
    }


def test_a_member_of_an_array_is_told_its_place_and_how_many_there_are() -> None:
    plan = a_plan(a_planned_task(env={"PROMINENCE_ARRAY_INDEX": "99"}))
    told = of_task(plan, 0, "docker", "17.3", {}, (3, 20))
    assert [told[name] for name in ("PROMINENCE_JOB_ID", "PROMINENCE_ARRAY_INDEX", "PROMINENCE_ARRAY_COUNT")] == [
        *("17.3", "3", "20")
    ]


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


def test_tasks_at_the_end_of_a_workflow_are_told_how_it_has_ended_whatever_their_own_environment_says() -> None:
    plan = a_plan(a_planned_task(env={"A": "1", "PROMINENCE_WORKFLOW_STATUS": "mine"}))
    for end, told in (((2, 17), ("failed", "17")), ((0, 0), ("completed", "0"))):
        found = of_task(told_of_the_end(plan, end), 0, "docker", "7", {})
        assert (found["PROMINENCE_WORKFLOW_STATUS"], found["PROMINENCE_WORKFLOW_FAILED"], found["A"]) == (*told, "1")


def test_the_numbers_of_job_and_workflow_stand_in_commands_and_directories_for_themselves() -> None:
    plan = a_plan(
        a_planned_task(
            command=("run", "$PROMINENCE_JOB_ID", "of ${PROMINENCE_WORKFLOW_ID}.", "$PROMINENCE_JOB_IDS $x")
        ),
        a_planned_task(workdir="/home/user/$PROMINENCE_JOB_ID", env={"PROMINENCE_WORKFLOW_ID": "mine"}),
    )
    first, second = told_of_itself(plan, "17", "12").tasks
    assert first.command == ("run", "17", "of 12.", "$PROMINENCE_JOB_IDS $x")
    assert second.workdir == "/home/user/17"
    assert of_task(told_of_itself(plan, "17", "12"), 1, "docker", "17", {})["PROMINENCE_WORKFLOW_ID"] == "12"


def test_a_job_of_its_own_is_told_of_no_workflow() -> None:
    [task] = told_of_itself(a_plan(a_planned_task(command=("echo", "$PROMINENCE_WORKFLOW_ID"))), "17", "").tasks
    assert (task.command, task.env.get("PROMINENCE_WORKFLOW_ID")) == (("echo", "$PROMINENCE_WORKFLOW_ID"), None)
