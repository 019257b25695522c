"""What tokens come from: the emulator's own sign-in, or whatever the machine is signed in with."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

    from draftgenie_azure.clouds import Endpoints
    from draftgenie_azure.emulator.attach import Attached


def for_emulator(emulator: Attached, endpoints: Endpoints) -> TokenCredential:
    """The emulator's service principal, by the same sign-in that Azure has."""
    from azure.identity import ClientSecretCredential

    return ClientSecretCredential(
        emulator.tenant_id,
        emulator.client_id,
        emulator.client_secret,
        authority=endpoints.authority,
        proxies={"https": emulator.proxy_url},
        connection_verify=str(emulator.ca_file),
        use_env_settings=False,
    )


def for_cloud(endpoints: Endpoints, tenant_id: str) -> TokenCredential:
    """Environment, workload identity, managed identity or a developer's sign-in, in the SDK's own order."""
    from azure.identity import DefaultAzureCredential

    # Passing None for what is not wanted would override the SDK's defaults.
    more: dict[str, object] = {}
    if tenant_id:
        more |= {"additionally_allowed_tenants": [tenant_id]}
    if endpoints.ca_file:
        more["connection_verify"] = endpoints.ca_file
    if endpoints.proxy:
        more["proxies"] = {"https": endpoints.proxy}
    return DefaultAzureCredential(authority=endpoints.authority, **more)
