"""Container Apps environments and what is in them: profiles, limits, certificates, domains, components, usages."""

from __future__ import annotations

from typing import Any

import pytest
from certificate_files import HOST, certificate_body, pfx
from emulator_client import AzureClient, Json, environment_body

from azure_emulator.attach import Attached
from azure_emulator.services.app.unserved import UNSERVED

ENVIRONMENT = "Microsoft.App/managedEnvironments/env"
APP = "Microsoft.App/containerApps/app"


def make_environment(azure: AzureClient, *profiles: tuple[str, str]) -> Json:
    body = environment_body()
    if profiles:
        body["properties"]["workloadProfiles"] = [
            {"name": name, "workloadProfileType": kind, "minimumCount": 1, "maximumCount": 3}
            if kind != "Consumption"
            else {"name": name, "workloadProfileType": kind}
            for name, kind in profiles
        ]
    return azure.put(ENVIRONMENT, body)


def app_body(azure: AzureClient, **properties: Any) -> Json:
    container = {"name": "app", "image": "qdrant/qdrant:v1", "resources": {"cpu": 0.5, "memory": "1Gi"}}
    return {
        "location": "eastus2",
        "properties": {
            "environmentId": f"{azure.group}/providers/{ENVIRONMENT}",
            "configuration": {"ingress": {"external": True, "targetPort": 6333}},
            "template": {"containers": [container], "scale": {"minReplicas": 1}},
            **properties,
        },
    }


def make_app(azure: AzureClient, **properties: Any) -> Json:
    return azure.put(APP, app_body(azure, **properties))


def make_job(azure: AzureClient, trigger: str = "manualTriggerConfig") -> Json:
    configuration = {"triggerType": "Manual", "replicaTimeout": 60, trigger: {"parallelism": 1}}
    container = {"name": "job", "image": "busybox:1", "resources": {"cpu": 0.25, "memory": "0.5Gi"}}
    properties = {
        "environmentId": f"{azure.group}/providers/{ENVIRONMENT}",
        "configuration": configuration,
        "template": {"containers": [container]},
    }
    return azure.put("Microsoft.App/jobs/one", {"location": "eastus2", "properties": properties})


def patch_environment(azure: AzureClient, body: Json) -> None:
    """202 with a Location alone, which answers the whole environment at the end."""
    answer = azure.call("PATCH", ENVIRONMENT, body)
    assert answer.status_code == 202
    assert azure.poll(answer.headers["Location"]).status_code == 200


# Workload profiles


def test_an_app_names_its_profile_as_the_environment_spells_it(azure: AzureClient) -> None:
    """2,246 recorded apps of Azure/azure-cli and Azure/azure-dev."""
    make_environment(azure, ("consumption", "Consumption"), ("Big-One", "D4"))

    assert make_app(azure)["properties"]["workloadProfileName"] == "consumption"
    given = make_app(azure, workloadProfileName="BIG-ONE")
    assert given["properties"]["workloadProfileName"] == "Big-One"


def test_a_profile_that_an_app_uses_cannot_be_taken_out(azure: AzureClient) -> None:
    """learn.microsoft.com/azure/container-apps/workload-profiles-manage-cli."""
    make_environment(azure, ("Consumption", "Consumption"), ("big", "D4"))
    make_app(azure, workloadProfileName="big")
    without = {"properties": {"workloadProfiles": [{"name": "Consumption", "workloadProfileType": "Consumption"}]}}

    assert azure.call("PATCH", ENVIRONMENT, without).status_code == 400
    assert azure.call("PUT", ENVIRONMENT, environment_body()).status_code == 400
    assert len(azure.get(ENVIRONMENT)["properties"]["workloadProfiles"]) == 2

    make_app(azure, workloadProfileName="Consumption")
    patch_environment(azure, without)
    assert len(azure.get(ENVIRONMENT)["properties"]["workloadProfiles"]) == 1


# Networks


@pytest.mark.parametrize(
    ("prefix", "service", "profiles", "code"),
    [
        ("10.0.0.0/27", "Microsoft.App/environments", True, ""),
        ("10.0.0.0/28", "Microsoft.App/environments", True, "ManagedEnvironmentInvalidNetworkConfiguration"),
        ("10.0.0.0/27", "", True, "ManagedEnvironmentSubnetDelegationError"),
        ("10.0.0.0/23", "", False, ""),
        ("10.0.0.0/24", "", False, "ManagedEnvironmentInvalidNetworkConfiguration"),
        ("10.0.0.0/23", "Microsoft.App/environments", False, "ManagedEnvironmentSubnetDelegationError"),
        ("", "", True, "ManagedEnvironmentInvalidNetworkConfiguration"),
    ],
)
def test_an_environment_goes_into_a_subnet_of_size_and_delegation(
    azure: AzureClient, prefix: str, service: str, profiles: bool, code: str
) -> None:
    """learn.microsoft.com/azure/container-apps/networking; github.com/Azure/bicep issue 10922."""
    delegations = [{"name": "apps", "properties": {"serviceName": service}}] if service else []
    properties: Json = {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}
    if prefix:
        properties["subnets"] = [{"name": "s", "properties": {"addressPrefix": prefix, "delegations": delegations}}]
    network = {"location": "eastus2", "properties": properties}
    made = azure.put("Microsoft.Network/virtualNetworks/net", network, "2025-05-01")
    body = environment_body()
    body["properties"]["vnetConfiguration"] = {"infrastructureSubnetId": f"{made['id']}/subnets/s"}
    if not profiles:
        del body["properties"]["workloadProfiles"]

    answer = azure.call("PUT", ENVIRONMENT, body)

    if code:
        assert (answer.status_code, azure.error(answer)) == (400, code)
    else:
        assert azure.status(azure.ok(answer)) == "Succeeded"
        assert azure.get(ENVIRONMENT)["properties"]["infrastructureResourceGroup"]


# Limits


def test_a_region_takes_fifteen_environments_and_says_how_many_there_are(azure: AzureClient) -> None:
    """learn.microsoft.com/azure/container-apps/quotas; github.com/microsoft/azure-container-apps issue 429."""
    for number in range(15):
        azure.ok(azure.call("PUT", f"Microsoft.App/managedEnvironments/env{number}", environment_body()))
    usages = f"{azure.subscription}/providers/Microsoft.App/locations/eastus2/usages"

    refused = azure.call("PUT", "Microsoft.App/managedEnvironments/onemore", environment_body())

    assert (refused.status_code, azure.error(refused)) == (400, "MaxNumberOfRegionalEnvironmentsInSubExceeded")
    usage = azure.get(usages, "2026-01-01")["value"][0]
    assert (usage["name"]["value"], usage["currentValue"], usage["limit"]) == ("ManagedEnvironmentCount", 15, 15)
    assert azure.call("PUT", "Microsoft.App/managedEnvironments/env0", environment_body()).status_code == 200


def test_a_subscription_takes_twenty_environments(azure: AzureClient) -> None:
    for number in range(20):
        body = {**environment_body(), "location": "eastus2" if number < 10 else "westus3"}
        azure.ok(azure.call("PUT", f"Microsoft.App/managedEnvironments/env{number}", body))

    body = {**environment_body(), "location": "westeurope"}
    refused = azure.call("PUT", "Microsoft.App/managedEnvironments/onemore", body)

    assert (refused.status_code, azure.error(refused)) == (400, "MaxNumberOfGlobalEnvironmentsInSubExceeded")


def test_an_environment_counts_the_cores_that_its_apps_may_take(azure: AzureClient) -> None:
    make_environment(azure)
    make_app(azure)

    usage = azure.get(f"{ENVIRONMENT}/usages")["value"][0]

    assert (usage["name"]["value"], usage["currentValue"]) == ("ManagedEnvironmentConsumptionCores", 0.5)


def test_a_region_lists_the_types_of_profiles(azure: AzureClient) -> None:
    place = f"{azure.subscription}/providers/Microsoft.App/locations/eastus2"
    listed = azure.get(f"{place}/availableManagedEnvironmentsWorkloadProfileTypes", "2026-01-01")["value"]

    assert {"Consumption", "D4", "E32"} <= {item["name"] for item in listed}


# Certificates


def test_a_certificate_shows_what_is_in_it_and_never_gives_its_key_back(azure: AzureClient) -> None:
    """PyPI azure-mgmt-appcontainers: PUT and DELETE answer 200, PATCH changes tags."""
    make_environment(azure)
    path = f"{ENVIRONMENT}/certificates/mine"

    made = azure.call("PUT", path, certificate_body())

    assert made.status_code == 200
    properties = made.json()["properties"]
    assert (properties["provisioningState"], properties["subjectName"], properties["valid"]) == (
        "Succeeded",
        HOST,
        True,
    )
    assert properties["subjectAlternativeNames"] == [HOST]
    assert not {"value", "password"} & set(properties)
    assert azure.ok(azure.call("PATCH", path, {"tags": {"a": "1"}})).json()["tags"] == {"a": "1"}
    assert [item["name"] for item in azure.get(f"{ENVIRONMENT}/certificates")["value"]] == ["mine"]
    free = {"name": "mine", "type": "Microsoft.App/managedEnvironments/certificates"}
    assert not azure.ok(azure.call("POST", f"{ENVIRONMENT}/checkNameAvailability", free)).json()["nameAvailable"]
    assert azure.call("DELETE", path).status_code == 200
    assert azure.call("DELETE", path).status_code == 204


@pytest.mark.parametrize("properties", [{"password": "wrong"}, {"value": "bm9uZQ=="}, {"value": "%"}, {"value": None}])
def test_a_certificate_that_cannot_be_read_is_refused(azure: AzureClient, properties: Json) -> None:
    make_environment(azure)

    answer = azure.call("PUT", f"{ENVIRONMENT}/certificates/mine", certificate_body(**properties))

    assert answer.status_code == 400
    assert azure.call("GET", f"{ENVIRONMENT}/certificates/mine").status_code == 404


def test_an_environment_takes_a_domain_of_its_own_with_a_certificate(azure: AzureClient) -> None:
    make_environment(azure)
    domain = {
        "dnsSuffix": "apps.example.com",
        "certificateValue": pfx("apps.example.com"),
        "certificatePassword": "test12",
    }

    patch_environment(azure, {"properties": {"customDomainConfiguration": domain}})

    shown = azure.get(ENVIRONMENT)["properties"]["customDomainConfiguration"]
    assert (shown["dnsSuffix"], shown["subjectName"]) == ("apps.example.com", "apps.example.com")
    assert (shown["certificateValue"], shown["certificatePassword"]) == (None, None)


# Custom domains


def declare(emulator: Attached, **records: dict[str, list[str]]) -> None:
    emulator.control("POST", "/control/settings", {"dns": records})


def with_domain(azure: AzureClient, **domain: Any) -> Json:
    ingress = {"external": True, "targetPort": 6333, "customDomains": [{"name": HOST, **domain}]}
    return {"properties": {"configuration": {"ingress": ingress}}}


def test_a_domain_is_taken_when_its_record_proves_it_and_not_before(azure: AzureClient, emulator: Attached) -> None:
    """Azure/azure-cli issue 28680."""
    make_environment(azure)
    app = make_app(azure)
    proof = app["properties"]["customDomainVerificationId"]

    refused = azure.call("PATCH", APP, with_domain(azure, bindingType="Disabled"))
    assert (refused.status_code, azure.error(refused)) == (400, "InvalidCustomHostNameValidation")
    asked = azure.call("POST", f"{APP}/listCustomHostNameAnalysis?customHostname={HOST}")
    assert azure.ok(asked).json()["customDomainVerificationTest"] == "Failed"

    declare(emulator, **{f"asuid.{HOST}": {"TXT": [proof]}})
    asked = azure.call("POST", f"{APP}/listCustomHostNameAnalysis?customHostname={HOST}")
    assert azure.ok(asked).json()["customDomainVerificationTest"] == "Passed"
    azure.operation(azure.ok(azure.call("PATCH", APP, with_domain(azure, bindingType="Disabled"))))
    assert azure.get(APP)["properties"]["configuration"]["ingress"]["customDomains"][0]["name"] == HOST


def test_a_bound_certificate_must_be_there_and_stays(azure: AzureClient, emulator: Attached) -> None:
    make_environment(azure)
    proof = make_app(azure)["properties"]["customDomainVerificationId"]
    declare(emulator, **{f"asuid.{HOST}": {"TXT": [proof]}})
    path = f"{ENVIRONMENT}/certificates/mine"
    identifier = f"{azure.group}/providers/{path}"

    absent = azure.call("PATCH", APP, with_domain(azure, bindingType="SniEnabled", certificateId=identifier))
    assert (absent.status_code, azure.error(absent)) == (400, "CertificateNotFound")
    azure.ok(azure.call("PUT", path, certificate_body()))
    bound = azure.call("PATCH", APP, with_domain(azure, bindingType="SniEnabled", certificateId=identifier))
    azure.operation(azure.ok(bound))
    assert azure.call("DELETE", path).status_code == 409
    assert azure.http("GET", f"https://{HOST}/healthz").status == 200


def test_a_managed_certificate_wants_the_domain_in_the_environment_and_its_records(
    azure: AzureClient, emulator: Attached
) -> None:
    """github.com/microsoft/azure-container-apps issue 1570."""
    environment = make_environment(azure)
    proof = make_app(azure)["properties"]["customDomainVerificationId"]
    path = f"{ENVIRONMENT}/managedCertificates/auto"
    body = {"location": "eastus2", "properties": {"subjectName": HOST, "domainControlValidation": "CNAME"}}

    refused = azure.call("PUT", path, body)
    assert (refused.status_code, azure.error(refused)) == (400, "RequireCustomHostnameInEnvironment")

    declare(emulator, **{f"asuid.{HOST}": {"TXT": [proof]}})
    azure.operation(azure.ok(azure.call("PATCH", APP, with_domain(azure))))
    assert azure.operation(azure.ok(azure.call("PUT", path, body)))["status"] == "Failed"
    azure.ok(azure.call("DELETE", path))

    target = f"app.{environment['properties']['defaultDomain']}"
    declare(emulator, **{HOST: {"CNAME": [target]}})
    made = azure.call("PUT", path, body)
    assert (made.status_code, made.json()["properties"]["provisioningState"]) == (201, "Pending")
    assert azure.operation(made)["status"] == "Succeeded"
    assert azure.get(path)["properties"]["provisioningState"] == "Succeeded"


# Components


def test_a_dapr_component_gives_its_secrets_only_to_who_asks_for_them(azure: AzureClient) -> None:
    make_environment(azure)
    path = f"{ENVIRONMENT}/daprComponents/state"
    properties = {
        "componentType": "state.redis",
        "version": "v1",
        "secrets": [{"name": "key", "value": "top secret"}],
        "metadata": [{"name": "redisPassword", "secretRef": "key"}],
        "scopes": ["app"],
    }

    made = azure.call("PUT", path, {"properties": properties})

    assert made.status_code == 200
    assert made.json()["properties"]["secrets"] == [{"name": "key"}]
    listed = azure.ok(azure.call("POST", f"{path}/listSecrets")).json()
    assert listed == {"value": [{"name": "key", "value": "top secret"}]}
    wrong = {"properties": {**properties, "secrets": []}}
    assert azure.call("PUT", path, wrong).status_code == 400


def test_an_apps_authentication_settings_are_kept_under_one_name(azure: AzureClient) -> None:
    make_environment(azure)
    make_app(azure)
    body = {
        "properties": {"platform": {"enabled": True}, "globalValidation": {"unauthenticatedClientAction": "Return401"}}
    }

    assert azure.ok(azure.call("PUT", f"{APP}/authConfigs/current", body)).json()["properties"] == body["properties"]
    assert azure.call("PUT", f"{APP}/authConfigs/other", body).status_code == 400
    assert len(azure.get(f"{APP}/authConfigs")["value"]) == 1


# Apps


@pytest.mark.parametrize("cpu", [1, 1.0, "1", "1.0"])
def test_a_number_in_another_spelling_makes_no_new_revision(azure: AzureClient, cpu: Any) -> None:
    """`cpu` is a double; recorded traffic of Azure/azure-cli has it as text, too."""
    make_environment(azure)
    container = {"name": "app", "image": "qdrant/qdrant:v1", "resources": {"cpu": 1.0, "memory": "2Gi"}}
    make_app(azure, template={"containers": [container]})
    container["resources"] = {"cpu": cpu, "memory": "2Gi", "ephemeralStorage": ""}

    make_app(azure, template={"containers": [container]})

    assert len(azure.get(f"{APP}/revisions")["value"]) == 1


def test_a_whole_get_is_taken_as_the_body_of_a_new_app(azure: AzureClient) -> None:
    """Read-only properties are ignored, of a new resource as of an old one (recorded traffic of Azure/azure-cli)."""
    make_environment(azure)
    whole = make_app(azure)
    copy = {key: value for key, value in whole.items() if key != "id"}
    copy["properties"]["template"]["revisionSuffix"] = ""

    answer = azure.call("PUT", "Microsoft.App/containerApps/other", copy)

    assert azure.status(azure.ok(answer)) == "Succeeded"


def test_traffic_goes_to_revisions_by_weight_in_multiple_mode(azure: AzureClient) -> None:
    """learn.microsoft.com/azure/container-apps/traffic-splitting."""
    make_environment(azure)
    ingress = {"external": True, "targetPort": 6333}
    configuration = {"activeRevisionsMode": "Multiple", "ingress": ingress}
    first = make_app(azure, configuration=configuration)["properties"]["latestRevisionName"]
    body = app_body(azure, configuration=configuration)
    body["properties"]["template"]["revisionSuffix"] = "two"
    azure.put(APP, body)

    ingress["traffic"] = [
        {"revisionName": first, "weight": 80, "label": "blue"},
        {"latestRevision": True, "weight": 20},
    ]
    azure.put(APP, body)

    weights = {item["name"]: item["properties"]["trafficWeight"] for item in azure.get(f"{APP}/revisions")["value"]}
    assert weights == {first: 80, "app--two": 20}
    ingress["traffic"][0]["weight"] = 10
    assert azure.call("PUT", APP, body).status_code == 400


@pytest.mark.parametrize(
    "ingress",
    [
        {"ipSecurityRestrictions": [{"name": "a", "ipAddressRange": "10.0.0.0/33", "action": "Allow"}]},
        {
            "ipSecurityRestrictions": [
                {"name": "a", "ipAddressRange": "10.0.0.0/8", "action": "Allow"},
                {"name": "b", "ipAddressRange": "10.1.0.0/16", "action": "Deny"},
            ]
        },
        {"customDomains": [{"name": "a.example.com"}, {"name": "A.example.com"}]},
        {"stickySessions": {"affinity": "sticky"}, "transport": "tcp", "external": False},
        {"corsPolicy": {"allowedMethods": ["GET"]}},
    ],
)
def test_an_ingress_that_cannot_be_is_refused(azure: AzureClient, ingress: Json) -> None:
    """learn.microsoft.com/azure/container-apps: ip-restrictions, sticky-sessions, cors."""
    make_environment(azure)
    body = app_body(azure)
    body["properties"]["configuration"]["ingress"] |= ingress

    assert azure.call("PUT", APP, body).status_code == 400


def test_what_an_ingress_takes_comes_back(azure: AzureClient) -> None:
    make_environment(azure)
    ingress = {
        "external": True,
        "targetPort": 6333,
        "ipSecurityRestrictions": [
            {"name": "office", "description": "", "ipAddressRange": "10.0.0.0/8", "action": "Allow"}
        ],
        "corsPolicy": {"allowedOrigins": ["https://a.example.com"], "allowCredentials": True, "maxAge": 10},
        "stickySessions": {"affinity": "sticky"},
        "clientCertificateMode": "Accept",
        "additionalPortMappings": [{"external": False, "targetPort": 6334, "exposedPort": 6334}],
    }

    shown = make_app(azure, configuration={"ingress": ingress})["properties"]["configuration"]["ingress"]

    assert {key: shown[key] for key in ingress} == ingress


def test_an_image_that_no_one_may_pull_is_refused_at_once(azure: AzureClient) -> None:
    """Azure/container-apps-deploy-action issues 50 and 85."""
    make_environment(azure)
    azure.make_registry()
    container = {"name": "app", "image": "registry1.azurecr.io/team/app:1"}

    answer = azure.call("PUT", APP, app_body(azure, template={"containers": [container]}))

    assert (answer.status_code, azure.error(answer)) == (400, "InvalidParameterValueInContainerTemplate")
    assert "UNAUTHORIZED: authentication required" in answer.json()["error"]["message"]
    assert azure.call("GET", APP).status_code == 404


def test_a_scale_rule_names_a_secret_that_is_there(azure: AzureClient) -> None:
    make_environment(azure)
    body = app_body(azure)
    rule = {
        "name": "queue",
        "custom": {
            "type": "rabbitmq",
            "metadata": {"queueName": "q"},
            "auth": [{"secretRef": "host", "triggerParameter": "host"}],
        },
    }
    body["properties"]["template"]["scale"]["rules"] = [rule]

    refused = azure.call("PUT", APP, body)
    assert (refused.status_code, azure.error(refused)) == (400, "ContainerAppSecretRefNotFound")

    body["properties"]["configuration"]["secrets"] = [{"name": "host", "value": "amqp://x"}]
    assert azure.put(APP, body)["properties"]["template"]["scale"]["rules"] == [rule]


def test_a_secret_sent_by_name_keeps_its_value(azure: AzureClient) -> None:
    """Many clients send back the body of GET (learn.microsoft.com/azure/container-apps/manage-secrets)."""
    make_environment(azure)
    secrets = [{"name": "a", "value": "first"}, {"name": "b", "value": "second"}]
    make_app(azure, configuration={"secrets": secrets})

    make_app(azure, configuration={"secrets": [{"name": "a"}, {"name": "b", "value": "***"}]})
    patch = {
        "properties": {"configuration": {"secrets": [{"name": "a"}, {"name": "b"}, {"name": "c", "value": "third"}]}}
    }
    azure.operation(azure.ok(azure.call("PATCH", APP, patch)))

    listed = azure.ok(azure.call("POST", f"{APP}/listSecrets")).json()["value"]
    assert {item["name"]: item["value"] for item in listed} == {"a": "first", "b": "***", "c": "third"}


def test_a_probe_may_start_without_delay(azure: AzureClient) -> None:
    """The body of terraform-provider-azurerm for absent values."""
    make_environment(azure)
    body = app_body(azure)
    probe = {"type": "Liveness", "initialDelaySeconds": 0, "tcpSocket": {"port": 6333}}
    body["properties"]["template"]["containers"][0]["probes"] = [probe]

    azure.put(APP, body)


@pytest.mark.parametrize("method", ["GET", "PUT", "POST"])
@pytest.mark.parametrize("path", sorted(UNSERVED))
def test_what_is_left_out_is_never_a_success(azure: AzureClient, path: str, method: str) -> None:
    make_environment(azure)
    kind, _, below = path.partition("/")
    owner = {"containerApps": APP, "managedEnvironments": ENVIRONMENT}.get(kind, f"Microsoft.App/{kind}/one")
    if kind == "containerApps":
        make_app(azure)
    if kind == "jobs":
        make_job(azure)
    address = f"{owner}/{below}" if below else owner

    answer = azure.call(method, f"{address}/one" if below and method == "PUT" else address, {"location": "eastus2"})

    assert answer.status_code in (404, 405)
    assert azure.error(answer)


def test_environment_that_asks_for_no_network_in_as_many_words_is_put_twice(azure: AzureClient) -> None:
    """An empty object means absent, now and later: Terraform's azurerm sends one."""
    body = environment_body()
    body["properties"]["vnetConfiguration"] = {}
    azure.put("Microsoft.App/managedEnvironments/env", body)

    again = azure.call("PUT", "Microsoft.App/managedEnvironments/env", body)

    assert again.status_code == 200, again.text()
    assert not azure.get("Microsoft.App/managedEnvironments/env")["properties"].get("vnetConfiguration")
