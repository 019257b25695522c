"""What a plan announces is what the run does: domains, shares, images, volumes, registries, and others' deeds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import drawn_apps
import others_first
import pytest
from azure_types import needs_types
from deeds import DEEDS
from hypothesis import given, settings
from hypothesis import strategies as st
from plan_and_run import check_refused, check_rest, check_run, examples
from project import Azure
from warm_command import WarmProject, needs_fork, warm_project

pytestmark = [needs_types, needs_fork]


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[WarmProject, Azure]]:
    with ExitStack() as stack:
        project = stack.enter_context(warm_project(tmp_path_factory.mktemp("apps")))
        project.environment["OTHER_PASSWORD"] = "not-known-yet"
        drawn_apps.write_application(project)
        project.write(drawn_apps.BASE)
        project.deploy()
        azure = stack.enter_context(project.azure())
        drawn_apps.prepare(project, azure)
        yield project, azure


EXAMPLES = examples(4)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@EXAMPLES
@given(drawn=drawn_apps.DRAWN, deeds=st.lists(st.sampled_from(sorted(DEEDS)), max_size=3, unique=True))
def test_what_is_announced_of_apps_is_what_is_done(
    deployed: tuple[WarmProject, Azure], drawn: dict[str, Any], deeds: list[str]
) -> None:
    project, azure = deployed
    for name in sorted(deeds, key=lambda name: "deleted" in name):
        DEEDS[name](project, azure)
    port = drawn["web"].get("port", drawn_apps.PUBLIC["port"])
    live = drawn_apps.revisions(project, azure, port) if "web deleted" not in deeds else []
    values = drawn_apps.configured(drawn, live)
    drawn_apps.write_application(project, drawn["source"])
    before = project.config()
    project.write(values)
    print("others:", deeds)
    print("drawn:", drawn)

    if check_refused(project, azure):
        project.write(before)
        return
    check_run(project, azure)
    check_rest(project, azure)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@settings(EXAMPLES, max_examples=EXAMPLES.max_examples // 4 + 1)
@given(chosen=others_first.CHOSEN, app=others_first.CHOSEN_APP, drawn=drawn_apps.DRAWN)
def test_what_is_announced_is_what_is_done_where_others_were_first(
    tmp_path_factory: pytest.TempPathFactory, chosen: dict[str, int | None], app: int | None, drawn: dict[str, Any]
) -> None:
    """The first deployment takes over what it finds; the second one changes it."""
    with warm_project(tmp_path_factory.mktemp("first")) as project, project.azure() as azure:
        found = others_first.make(azure, chosen, app)
        drawn_apps.write_application(project, drawn["source"])
        project.write(drawn_apps.without_others(drawn_apps.configured({**drawn, "traffic": None}, [])))
        print("found:", chosen, app)
        print("drawn:", drawn)

        if not check_refused(project, azure):
            check_run(project, azure, found)
            check_rest(project, azure)
