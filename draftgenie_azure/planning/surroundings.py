"""What is looked at in Azure before the first step: whose the group is, and what is no longer as recorded."""

from __future__ import annotations

from draftgenie_azure.provision import foundation, survey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from draftgenie_azure.changes.decision import Decider
    from draftgenie_azure.session import Session


def look_around(session: Session, decider: Decider, *, adopt: bool) -> None:
    """Each finding is a reason to run the step whose resource it is about.

    Raises:
        StateError: the group is another deployment's, or something that holds data would be left behind.
        AzureError: Azure refused to be asked.
    """
    survey.check_left_behind(session, lambda step: decider.force_all or step in decider.force_steps)
    if adopt:
        decider.take_over_unrestricted()
    if foundation.check_owner(session):
        decider.add_reason("create_resource_group", "the group is taken over")
    survey.look(session)
    recorded = {step.name: (decider.state.last_success(step.name) or {}).get("outputs", {}) for step in decider.steps}
    for step, reason in (*survey.find_gone(session), *survey.find_foreign(session, recorded)):
        decider.add_reason(step, reason)
    if not decider.live_reasons.get("create_key_vault"):  # the secrets of a vault that is gone are gone with it
        for step, reason in survey.find_changed_secrets(session):
            decider.add_reason(step, reason)
