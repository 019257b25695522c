"""Checks in Azure before the first step: the owner of the group, and deviations from the records."""

from __future__ import annotations

from draftgenie_azure.provision import foundation, survey
from draftgenie_azure.state.document import last_outputs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from draftgenie_azure.changes.decision import Decider
    from draftgenie_azure.session import Session


def check_surroundings(session: Session, decider: Decider, *, adopt: bool) -> None:
    """Add each finding as a reason to run the step of its resource.

    Raises:
        StateError: the group is another deployment's, or a resource with data would be abandoned.
        AzureError: Azure refused a request.
    """
    survey.check_left_behind(session, lambda step: decider.force_all or step in decider.force_steps)
    if adopt:
        decider.take_over_unrestricted()
    if foundation.check_owner(session):
        decider.add_reason("create_resource_group", "the group is taken over")
    survey.look(session)
    recorded = {step.name: last_outputs(decider.state.state, step.name) for step in decider.steps}
    found = (*survey.find_gone(session), *survey.find_created_again(session, recorded))
    for step, reason in (*found, *survey.find_foreign(session, recorded)):
        decider.add_reason(step, reason)
    # The secrets of a deleted vault are gone too; a role on it says nothing of them.
    if all(reason.startswith("role/") for reason in decider.live_reasons.get("create_key_vault", ())):
        for step, reason in survey.find_changed_secrets(session):
            decider.add_reason(step, reason)
