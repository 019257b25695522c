"""The comparison that plan, run, log and drift share, and the bodies that are made of it."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from azure_types import needs_types, properties, types
from hypothesis import given
from hypothesis import strategies as st

from draftgenie_azure.arm import diff
from draftgenie_azure.arm.diff import Change, compare, leaves
from draftgenie_azure.arm.leaf_digests import Digests
from draftgenie_azure.arm.merge import merged, patch
from draftgenie_azure.arm.properties import CASELESS_KEYS, TRAITS, traits

APP = "Microsoft.App/containerApps"
PG = "Microsoft.DBforPostgreSQL/flexibleServers"
ME = "/subscriptions/s/resourcegroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/me"


def app(**env: str) -> dict[str, Any]:
    """A desired app."""
    variables = [{"name": name, "value": value} for name, value in sorted(env.items())]
    return {
        "location": "eastus2",
        "tags": {"team": "a"},
        "identity": {"type": "UserAssigned", "userAssignedIdentities": {ME: {}}},
        "properties": {
            "environmentId": "/subscriptions/s/e",
            "configuration": {
                "ingress": {
                    "external": True, "transport": "auto",
                },
                "registries": [],
            },
            "template": {
                "containers": [{"name": "api", "image": "i", "resources": {"cpu": 0.5}, "env": variables}],
                "scale": {"maxReplicas": 3},
            },
        },
    }  # fmt: skip


def shown(body: dict[str, Any]) -> dict[str, Any]:
    """Azure's representation (recorded traffic)."""
    live = copy.deepcopy(body)
    live["location"] = "East US 2"
    live["identity"]["userAssignedIdentities"] = {ME.replace("resourcegroups", "resourceGroups"): {"principalId": "p"}}
    live["properties"]["provisioningState"] = "Succeeded"
    live["properties"]["outboundIpAddresses"] = ["1.2.3.4"]
    configuration, template = live["properties"]["configuration"], live["properties"]["template"]
    configuration["ingress"] |= {"transport": "Auto", "fqdn": "api.x", "exposedPort": 0, "customDomains": None}
    configuration |= {"registries": None, "secrets": None, "maxInactiveRevisions": 100}
    template["containers"][0]["resources"] = {"cpu": 0.5, "memory": "1Gi", "ephemeralStorage": "2Gi"}
    template["scale"] |= {"minReplicas": None, "cooldownPeriod": 300}
    return live


def digests(body: dict[str, Any], *, sent: bool) -> Digests:
    """Of what was sent, or of what came back."""
    return Digests.of(leaves(APP, body, creating=not sent), "5a17")


def look(wanted: dict[str, Any], live: dict[str, Any], before: dict[str, Any], **more: Any) -> diff.Comparison:
    """The comparison where `before` was sent last and came back as Azure shows it."""
    baseline = digests(shown(before), sent=False)
    return compare(APP, wanted, live, sent=digests(before, sent=True), baseline=baseline, **more)


def paths(changes: list[Change]) -> list[str]:
    """The paths as displayed."""
    return [change.where for change in changes]


# --- equality ---


def test_spelling_and_additions_of_azure_are_not_a_difference() -> None:
    """The first comparison after a deployment finds nothing, with or without a baseline."""
    wanted = app(A="1")

    assert look(wanted, shown(wanted), wanted) == diff.Comparison()
    assert compare(APP, wanted, shown(wanted)).ours == []


@pytest.mark.parametrize(
    ("resource_type", "wanted", "live"),
    [
        (APP, {"tags": {"tier": "gold"}}, {"tags": {"tier": "Gold"}}),
        (PG, {"tags": {"mode": "a"}}, {"tags": {"mode": "A"}}),
        (PG, {"tags": {"location": "eastus"}}, {"tags": {"location": "East US"}}),
        (APP, {"properties": {"template": {"containers": [{"name": "a", "env": [{"name": "type", "value": "x"}]}]}}},
         {"properties": {"template": {"containers": [{"name": "a", "env": [{"name": "type", "value": "X"}]}]}}}),
        (APP, {"properties": {"template": {"containers": [{"name": "a", "args": ["x", "y"]}]}}},
         {"properties": {"template": {"containers": [{"name": "a", "args": ["y", "x"]}]}}}),
        (PG, {"properties": {"storage": {"storageSizeGB": 64}}}, {"properties": {"storage": {"storageSizeGB": 32}}}),
        (APP, {"properties": {"configuration": {"ingress": {"external": True}}}},
         {"properties": {"configuration": {"ingress": {"external": 1}}}}),
    ],
)  # fmt: skip
def test_changed_value_is_a_difference(resource_type: str, wanted: dict[str, Any], live: dict[str, Any]) -> None:
    """User-defined text is case-sensitive, whatever the property's name."""
    assert len(compare(resource_type, wanted, live).ours) == 1


@pytest.mark.parametrize("nothing", [None, "", [], {}])
def test_empty_and_absent_are_equal_where_nothing_is_configured(nothing: object) -> None:
    """An empty desired list does not cover items that others added."""
    wanted, live = app(), shown(app())
    wanted["properties"]["configuration"]["registries"] = nothing
    live["properties"]["configuration"]["registries"] = None

    assert compare(APP, wanted, live).ours == []


def test_named_items_are_compared_by_name_regardless_of_order() -> None:
    """Variables are identified by their names."""
    live = shown(app(A="1", B="2"))
    live["properties"]["template"]["containers"][0]["env"].reverse()

    assert compare(APP, app(A="1", B="2"), live).ours == []


def test_items_with_the_same_name_are_reported_by_position() -> None:
    """Azure accepts two variables with the same name; neither hides the other."""
    wanted, live = app(A="1"), app(A="1")
    wanted["properties"]["template"]["containers"][0]["env"] += [{"name": "A", "value": "2"}]

    assert paths(compare(APP, wanted, live).ours) == ["template.containers[api].env[A#2].value"]


# --- whose change it is ---


def test_our_change_is_ours_regardless_of_changes_by_others() -> None:
    """One line a leaf, with the old value."""
    live = shown(app(A="1"))
    live["properties"]["template"]["scale"]["maxReplicas"] = 20

    found = look(app(A="2"), live, app(A="1"))

    assert [str(change) for change in found.ours] == ['~ template.containers[api].env[A].value: "1" → "2"']
    assert paths(found.others) == ["template.scale.maxReplicas"]


def test_changes_by_others_are_reverted_only_on_request() -> None:
    """Or when our own value of that very leaf changes."""
    live = shown(app(A="1"))
    live["properties"]["template"]["scale"]["maxReplicas"] = 20
    other = app(A="1")
    other["properties"]["template"]["scale"]["maxReplicas"] = 4

    assert look(app(A="1"), live, app(A="1")).ours == []
    assert paths(look(app(A="1"), live, app(A="1"), repair=True).ours) == ["template.scale.maxReplicas"]
    assert paths(look(other, live, app(A="1")).ours) == ["template.scale.maxReplicas"]


def test_only_what_we_set_and_no_longer_want_is_removed() -> None:
    """A variable and a tag; those added by others are kept."""
    before, live = app(A="1", B="2"), shown(app(A="1", B="2"))
    live["properties"]["template"]["containers"][0]["env"].append({"name": "C", "value": "3"})
    live["tags"] = {"team": "a", "theirs": "x"}
    wanted = app(A="1")
    wanted["tags"] = {}

    found = look(wanted, live, before)

    assert sorted(map(str, found.ours)) == ['- tags.team: "a"', '- template.containers[api].env[B]: "B"']
    assert paths(found.unmanaged) == ["tags.theirs", "template.containers[api].env[C].value"]
    body = patch(APP, wanted, live, found.ours)
    assert body["tags"] == {"theirs": "x"}
    assert [one["name"] for one in body["properties"]["template"]["containers"][0]["env"]] == ["A", "C"]


def test_property_that_no_update_removes_is_reset_to_its_default() -> None:
    """A property that always has a value: null in an update leaves it as it is."""
    sent = Digests.of(leaves(PG, {"properties": {"storage": {"autoGrow": "Enabled"}}}, creating=False), "5a17")
    live = {"properties": {"storage": {"autoGrow": "Enabled", "storageSizeGB": 32}}}

    found = compare(PG, {}, live, sent=sent)

    assert [str(change) for change in found.ours] == ['~ storage.autoGrow: "Enabled" → "Disabled"']
    assert patch(PG, {}, live, found.ours) == {"properties": {"storage": {"autoGrow": "Disabled"}}}
    live["properties"]["storage"]["autoGrow"] = "Disabled"
    assert compare(PG, {}, live, sent=sent).ours == []


def test_object_is_removed_with_its_required_properties() -> None:
    """An ingress whose parts are null is still one."""
    before, after = app(), app()
    del after["properties"]["configuration"]["ingress"]

    found = look(after, shown(before), before)

    assert paths(found.ours) == ["configuration.ingress"]
    assert (found.others, found.unmanaged) == ([], [])
    assert patch(APP, after, shown(before), found.ours) == {"properties": {"configuration": {"ingress": None}}}
    assert "ingress" not in merged(APP, after, shown(before), found.ours)["properties"]["configuration"]


def test_value_that_azure_ignored_is_not_drift() -> None:
    """Azure's reply to our write had it already."""
    wanted, live = app(A="1"), shown(app(A="1"))
    live["properties"]["template"]["scale"]["maxReplicas"] = 30
    baseline = Digests.of(leaves(APP, live), "5a17")

    found = compare(APP, wanted, live, sent=digests(wanted, sent=True), baseline=baseline, repair=True)

    assert found.ours == found.others == []
    assert paths(found.ignored) == ["template.scale.maxReplicas"]


def test_lost_baseline_loses_only_the_author_of_a_change() -> None:
    """Changes by others to configured properties are still reported; of the rest nothing is known."""
    live = shown(app(A="1"))
    live["properties"]["template"]["scale"]["maxReplicas"] = 20
    live["properties"]["configuration"]["ingress"]["customDomains"] = [{"name": "x.org"}]

    found = compare(APP, app(A="1"), live, sent=digests(app(A="1"), sent=True))

    assert paths(found.others) == ["template.scale.maxReplicas"]
    assert found.ours == found.unmanaged == []


def test_traffic_split_by_hand_is_reported_and_never_reverted() -> None:
    """Unconfigured properties are not ours to repair."""
    live = shown(app())
    live["properties"]["configuration"]["activeRevisionsMode"] = "Multiple"
    live["properties"]["configuration"]["ingress"]["traffic"] = [{"revisionName": "api--1", "weight": 100}]

    found = look(app(), live, app(), repair=True)

    assert found.ours == found.others == []
    assert "configuration.activeRevisionsMode" in paths(found.unmanaged)
    assert "configuration.ingress.traffic[api--1].weight" in paths(found.unmanaged)


@pytest.mark.parametrize("grows", ["Enabled", "Disabled"])
def test_size_is_a_minimum_where_the_server_grows_by_itself(grows: str) -> None:
    """Elsewhere a smaller one is a fault, since storage does not shrink."""
    wanted = {"properties": {"storage": {"storageSizeGB": 32}}}
    live = {"properties": {"storage": {"storageSizeGB": 64, "autoGrow": grows}}}

    found = compare(PG, wanted, live, sent=Digests.of({("location",): "x"}, "5a17"))

    assert found.ours == []
    assert len(found.fixed) == (grows == "Disabled")


def test_size_that_others_raised_is_kept_by_a_refresh() -> None:
    """No update makes it smaller, and a refused one would stop every other repair."""

    def server(size: int) -> dict[str, Any]:
        return {"properties": {"storage": {"storageSizeGB": size, "autoGrow": "Disabled"}}}

    before = Digests.of(leaves(PG, server(32)), "5a17")

    found = compare(PG, server(32), server(64), sent=before, baseline=before, repair=True)

    assert (paths(found.others), found.ours, found.fixed) == (["storage.storageSizeGB"], [], [])


def test_unchangeable_difference_is_distinguished() -> None:
    """It is never written, and the step never counts as completed."""
    wanted, live = app(), shown(app())
    wanted["properties"]["environmentId"] = "/subscriptions/s/other"

    assert paths(look(wanted, live, app()).fixed) == ["environmentId"]


# --- bodies ---


def test_patch_has_what_changes_and_lists_with_everything_that_was_in_them() -> None:
    """Values set by the service are left out, and lists have no nulls."""
    live = shown(app(A="1"))
    live["properties"]["template"]["containers"].append({"name": "sidecar", "image": "x", "probes": None})
    wanted = app(A="2")

    body = patch(APP, wanted, live, look(wanted, live, app(A="1")).ours)

    assert set(body) == {"properties"}
    assert set(body["properties"]) == {"template"}
    assert set(body["properties"]["template"]) == {"containers"}
    mine, other = body["properties"]["template"]["containers"]
    assert mine["env"] == [{"name": "A", "value": "2"}]
    assert "ephemeralStorage" not in mine["resources"]
    assert other == {"name": "sidecar", "image": "x"}


def test_probe_of_another_kind_takes_the_place_of_the_former() -> None:
    """Azure refuses an item with both, and one with an empty rest of the former; also where others added to that."""

    def probed(**check: Any) -> dict[str, Any]:
        body = app()
        body["properties"]["template"]["containers"][0]["probes"] = [{"type": "Startup", **check}]
        return body

    http, tcp = {"path": "/health", "port": 80, "scheme": "HTTP"}, {"tcpSocket": {"port": 80}}
    for theirs in ({}, {"httpHeaders": [{"name": "Host", "value": "x"}]}):
        live = shown(probed(httpGet=http | theirs))

        body = patch(APP, probed(**tcp), live, look(probed(**tcp), live, probed(httpGet=http)).ours)

        (container,) = body["properties"]["template"]["containers"]
        assert container["probes"] == [{"type": "Startup", **tcp}]


def test_identities_of_others_are_kept() -> None:
    """A system-assigned identity enabled by others is kept."""
    live = shown(app())
    live["identity"] = {"type": "SystemAssigned", "principalId": "p"}

    found = look(app(), live, app(), repair=True)
    body = patch(APP, app(), live, found.ours)

    assert body["identity"]["type"] == "SystemAssigned,UserAssigned"
    assert list(body["identity"]["userAssignedIdentities"]) == [ME]


def test_identity_that_is_configured_no_longer_stays_and_is_not_announced_to_go() -> None:
    former = app()
    other = ME.replace("/me", "/other")
    wanted = {**former, "identity": {**former["identity"], "userAssignedIdentities": {other: {}}}}

    found = look(wanted, shown(former), former)

    assert [(change.path[-1], change.kind) for change in found.ours] == [(other.lower(), "add")]


def test_empty_text_of_what_is_excluded_is_not_announced_to_go() -> None:
    """Azure shows a registry with an identity with an empty user name and password."""
    former = app()
    former["properties"]["configuration"]["registries"] = [{"server": "a.azurecr.io", "identity": ME}]
    live = shown(former)
    (registry,) = former["properties"]["configuration"]["registries"]
    live["properties"]["configuration"]["registries"] = [{**registry, "username": "", "passwordSecretRef": ""}]
    wanted = copy.deepcopy(former)
    wanted["properties"]["configuration"]["registries"][0]["identity"] = ME.replace("/me", "/other")

    found = look(wanted, live, former)

    assert [change.path[-1] for change in found.ours] == ["identity"]


def test_value_takes_the_place_of_a_reference() -> None:
    """Azure refuses a variable that has both."""
    live = shown(app(A="1"))
    live["properties"]["template"]["containers"][0]["env"] = [{"name": "A", "secretRef": "a"}]

    found = look(app(A="2"), live, app(A="1"))
    body = patch(APP, app(A="2"), live, found.ours)

    assert body["properties"]["template"]["containers"][0]["env"] == [{"name": "A", "value": "2"}]


def _one(place: str, item: dict[str, Any]) -> dict[str, Any]:
    """An app with one item in a list."""
    body: dict[str, Any] = {"containers": [{"name": "api"}]}
    if place == "configuration":
        return {"properties": {"configuration": item}}
    (body["containers"][0] if place == "container" else body).update(item)
    return {"properties": {"template": body}}


@pytest.mark.parametrize(
    ("place", "items", "wanted", "there", "gone"),
    [
        ("container", "env", {"name": "A", "value": "1"}, {"name": "A", "secretRef": "s"}, "secretRef"),
        ("container", "env", {"name": "A", "secretRef": "s"}, {"name": "A", "value": "1"}, "value"),
        ("container", "probes", {"type": "Liveness", "tcpSocket": {"port": 1}},
         {"type": "Liveness", "httpGet": {"port": 1}}, "httpGet.port"),
        ("configuration", "registries", {"server": "x.io", "identity": "me"},
         {"server": "x.io", "username": "u"}, "username"),
        ("scale", "scale", {"name": "r", "http": {"metadata": {"c": "1"}}},
         {"name": "r", "custom": {"metadata": {"c": "1"}}}, "custom.metadata.c"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("whose", ["theirs", "ours", "unknown"])
def test_value_takes_the_place_of_one_that_it_excludes_which_is_reported(
    place: str, items: str, wanted: dict[str, Any], there: dict[str, Any], gone: str, whose: str
) -> None:
    """Whether a refresh reverts what others did, or the configuration changed, after a deployment or an adoption."""
    before, live = (
        _one(place, {items: {"rules": [one]} if items == "scale" else [one]}) for one in (wanted, there)
    )
    sent = digests({"theirs": before, "ours": live, "unknown": {}}[whose], sent=True)

    found = compare(APP, before, live, sent=sent, baseline=sent, repair=whose == "theirs")

    (removal,) = (change for change in found.ours if change.kind == diff.REMOVE)
    assert removal.where.endswith(f"].{gone}")
    assert removal.note == (diff.BY_OTHERS if whose == "theirs" else "")
    assert found.unmanaged == []
    assert merged(APP, before, live, found.ours) == before


def test_tag_that_others_spelled_in_another_letter_case_is_the_same_tag() -> None:
    live = shown(app())
    live["tags"] = {"Team": "b", "Theirs": "1"}

    kept = look(app(), live, app())
    changed = look({**app(), "tags": {"team": "c"}}, live, app())

    assert [(one.where, one.old, one.new) for one in kept.others] == [("tags.team", "b", "a")]
    assert [(one.where, one.old, one.new) for one in changed.ours] == [("tags.team", "b", "c")]
    assert paths(kept.unmanaged) == ["tags.Theirs"]
    assert patch(APP, {**app(), "tags": {"team": "c"}}, live, changed.ours)["tags"] == {"team": "c", "Theirs": "1"}


def test_object_that_others_removed_is_complete_where_a_leaf_of_it_is_written() -> None:
    """Half an ingress, or half a rule, would be neither ours nor theirs."""

    def wanted(port: int, text: str) -> dict[str, Any]:
        rule = {"name": "a", "ipAddressRange": "203.0.113.0/24", "action": "Allow", "description": text}
        body = app()
        body["properties"]["configuration"]["ingress"] |= {"targetPort": port, "ipSecurityRestrictions": [rule]}
        return body

    nothing, no_rule = shown(wanted(1, "x")), shown(wanted(1, "x"))
    nothing["properties"]["configuration"]["ingress"] = None
    no_rule["properties"]["configuration"]["ingress"]["ipSecurityRestrictions"] = []

    rebuilt = look(wanted(2, "x"), nothing, wanted(1, "x"))
    rule = look(wanted(1, "y"), no_rule, wanted(1, "x"))
    kept = look(wanted(1, "x"), nothing, wanted(1, "x"))

    assert (rebuilt.others, rule.others, kept.ours) == ([], [], [])
    ingress = patch(APP, wanted(2, "x"), nothing, rebuilt.ours)["properties"]["configuration"]["ingress"]
    assert ingress == wanted(2, "x")["properties"]["configuration"]["ingress"]
    ingress = patch(APP, wanted(1, "y"), no_rule, rule.ours)["properties"]["configuration"]["ingress"]
    assert ingress == {"ipSecurityRestrictions": [{
        "name": "a", "ipAddressRange": "203.0.113.0/24", "action": "Allow", "description": "y",
    }]}  # fmt: skip


def test_put_keeps_what_others_set_and_leaves_out_what_the_service_sets() -> None:
    """For types without a PATCH that merges."""
    live = {
        "id": "i", "etag": '"e"', "location": "eastus2", "kind": "web", "tags": {"theirs": "x"},
        "properties": {
            "Application_Type": "web", "ConnectionString": "c", "SamplingPercentage": 5, "RetentionInDays": 30,
        },
    }  # fmt: skip
    wanted = {"location": "eastus2", "tags": {"a": "b"}, "properties": {"Application_Type": "web"}}

    body = merged("Microsoft.Insights/components", wanted, live, [Change(("tags", "a"), "add", new="b")])

    assert body == {
        "location": "eastus2", "kind": "web", "tags": {"theirs": "x", "a": "b"},
        "properties": {"Application_Type": "web", "SamplingPercentage": 5, "RetentionInDays": 30},
    }  # fmt: skip


_VALUES = st.dictionaries(st.sampled_from("ABCDE"), st.sampled_from(["1", "2", "3"]), max_size=5)


@given(before=_VALUES, after=_VALUES, theirs=_VALUES)
def test_merge_of_variables_gives_ours_as_wanted_and_leaves_theirs(
    before: dict[str, str], after: dict[str, str], theirs: dict[str, str]
) -> None:
    """After the write our variables are as desired, and those of others unchanged."""
    added = {name: value for name, value in theirs.items() if name not in before and name not in after}
    live = shown(app(**before, **added))

    found = look(app(**after), live, app(**before))
    body = merged(APP, app(**after), live, found.ours)

    variables = body["properties"]["template"]["containers"][0].get("env", [])
    assert {one["name"]: one["value"] for one in variables} == {**added, **after}
    assert look(app(**after), shown(body), app(**after)).ours == []


@given(_VALUES)
def test_digests_are_read_as_they_were_written(values: dict[str, str]) -> None:
    """Digests reveal nothing about their values."""
    found = {("tags", name): value for name, value in values.items()}
    read = Digests.read(str(Digests.of(found, "5a17")), "5a17")

    assert read is not None
    assert all(read.has(path, value) and not read.has(path, value + "x") for path, value in found.items())
    assert ("tags", "Z") not in read


@pytest.mark.parametrize("text", [None, 5, "?", "AAAA"])
def test_invalid_digests_count_as_none(text: object) -> None:
    """A state edited by hand loses what was sent, and nothing else."""
    assert Digests.read(text, "5a17") is None


# --- the tables, against the official types ---


@needs_types
@pytest.mark.parametrize("resource_type", sorted(TRAITS))
def test_tables_agree_with_the_official_types(resource_type: str) -> None:
    """Every path exists; what is read-only or write-only there is so here; every list of objects has its key."""
    if resource_type not in types():
        pytest.skip("its type does not lie beside this checkout")
    known = traits(resource_type)
    official = {one.path: one for one in properties(resource_type)}
    named = {
        *known.caseless, *known.numbers, *known.minimums, *known.minimums.values(), *known.keys, *known.sets,
        *known.initial,
    }  # fmt: skip

    assert {path for path in named if path not in official} == set()
    assert [one.path for one in official.values() if one.read_only and not known.is_hidden(one.path)] == []
    assert [one.path for one in official.values() if one.write_only and not known.is_hidden(one.path)] == []
    lists = [one for one in official.values() if one.kind == "array" and not known.is_hidden(one.path)]
    assert [one.path for one in lists if one.items == "object" and one.path not in known.keys] == []
    assert [path for path in known.keys if official[path].kind != "array"] == []
    for path, keys in known.keys.items():
        assert all(f"{path}[].{key}" in official for key in keys), path


@needs_types
def test_every_caseless_key_exists_in_a_type() -> None:
    """In at least one type."""
    official = {one.path for resource_type in TRAITS.keys() & types().keys() for one in properties(resource_type)}

    assert official >= CASELESS_KEYS
