"""Custom domains of apps, in the order that Azure wants: the name without certificate, its certificate, then both.

Names are proved by DNS records that only their owner can set, so what is missing is told, and the run goes on without
waiting for people; the next run continues where this one stopped. An issued certificate is waited for.
Source: learn.microsoft.com/azure/container-apps/custom-domains-managed-certificates.
"""

from __future__ import annotations

from draftgenie_azure.arm import ids
from draftgenie_azure.arm.client import Resource
from draftgenie_azure.arm.diff import ADD, CHANGE, REMOVE, Change
from draftgenie_azure.arm.operations import state_of
from draftgenie_azure.arm.plan import CHANGE as CHANGED
from draftgenie_azure.arm.plan import DELETE, Entry
from draftgenie_azure.errors import AzureError, VerificationError
from draftgenie_azure.provision import addresses
from draftgenie_azure.provision.bodies import domains as bodies

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from draftgenie_azure.config.validated.service_sections import CustomDomain, Service
    from draftgenie_azure.session import Session

    Body = dict[str, Any]

STEP = "verify_deployment"
_APPS = ids.API_VERSIONS["Microsoft.App/containerApps"]
_PATH = ("properties", "configuration", "ingress", "customDomains")
_KEY = "managed_certificate/"


class Domains:
    """The custom domains of one app.

    Args:
        key: of the service.
    """

    def __init__(self, session: Session, key: str, service: Service) -> None:
        self._session = session
        self._arm = session.arm
        self._records = session.records
        self._key = f"container_app/{key}"
        self._service = service
        self._wanted = service.custom_domains or []
        self._app_id = session.scope.resource("Microsoft.App/containerApps", service.name)
        self._missing: list[str] = []

    @property
    def are_ours(self) -> bool:
        """Whether there is anything to do, or to take out again."""
        return bool(self._wanted or self._recorded)

    @property
    def gives_away(self) -> bool:
        """Whether a name of this app is now wanted at another one."""
        return any(self._wanted_by_any(name) for name in self._to_take_out())

    def _wanted_by_any(self, name: str) -> list[CustomDomain]:
        services = self._session.config.services.values()
        return [domain for service in services for domain in service.custom_domains or [] if domain.name == name]

    def _is_certificate_wanted(self, name: str) -> bool:
        return any(domain.certificate == bodies.MANAGED for domain in self._wanted_by_any(name))

    @property
    def _recorded(self) -> dict[str, str]:
        """Names that this deployment has bound -> id of the certificate; empty where there is none yet."""
        found = self._records.resources.get(self._key, {}).get("domains") or {}
        return {str(name): str(certificate) for name, certificate in found.items()}

    def announce(self) -> None:
        """Tell a plan which names come, change and go."""
        plan, live = self._arm.plan, self._arm.current(self._app_id)
        assert plan is not None
        there = {item["name"]: item for item in bodies.bindings((live or {}).get("properties", {}))}
        changes = [
            Change((*_PATH, f"[{name}]"), REMOVE, old=name) for name in self._to_take_out() if name in there
        ]
        for domain in self._wanted:
            item, path = there.get(domain.name), (*_PATH, f"[{domain.name}]", "certificateId")
            wanted = self._certificate_id(domain)
            if item is None:
                changes.append(Change(path, ADD, new=wanted))
            elif not _same(item.get("certificateId"), wanted) and not self._is_others(domain, item):
                changes.append(Change(path, CHANGE, item.get("certificateId"), wanted))
        if changes:
            note = "as soon as the DNS records are there"
            plan.add(Entry(STEP, f"domains/{self._service.name}", self._app_id, CHANGED, changes=changes, note=note))
        for name in [*self._to_take_out(), *(domain.name for domain in self._wanted)]:
            record = self._records.resources.get(_KEY + name)
            if record is None:
                continue
            if self._is_certificate_wanted(name):
                self._records.ensured(
                    _KEY + name, record["id"], record["api_version"], STEP, record.get("sent") or ""
                )
            elif record.get("created"):
                plan.add(Entry(STEP, _KEY + name, record["id"], DELETE))
                self._records.forget(_KEY + name)

    def settle(self) -> None:
        """Have the names bound with their certificates, as far as their DNS records allow.

        Raises:
            VerificationError: DNS records are missing, and which, or a certificate is not there.
            AzureError: Azure refused.
        """
        self._take_out()
        if self._wanted:
            host(self._live()["properties"])
        bound = [domain for domain in self._wanted if self._is_bound(domain)]
        certificates = {domain.name: self._certificate(domain) for domain in bound}
        self._bind({name: found for name, found in certificates.items() if found is not None})
        if self._missing:
            words = "; ".join(self._missing)
            raise VerificationError(f"custom domains: {words}. Then run again: the run goes on from there")

    # --- what is there ---

    def _live(self) -> Body:
        live = self._arm.read(self._app_id)
        if live is None:
            raise VerificationError("its container app is gone")
        return live

    def _bindings(self) -> list[Body]:
        return bodies.bindings(self._live()["properties"])

    def _certificate_id(self, domain: CustomDomain) -> str:
        return bodies.certificate_id(addresses.environment(self._session), domain)

    def _is_others(self, domain: CustomDomain, item: Body) -> bool:
        """Whether somebody else gave the name another certificate since this deployment had bound it."""
        bound = self._recorded.get(domain.name)
        ours = bool(bound) and _same(bound, self._certificate_id(domain))
        return ours and not self._arm.repairs and not _same(item.get("certificateId"), bound)

    # --- the name ---

    def _is_bound(self, domain: CustomDomain) -> bool:
        """Have the name at the app, without certificate if need be; whether it is there."""
        there = {item["name"].lower(): item for item in self._bindings()}
        if domain.name not in there:
            analysis = self._analysis(domain)
            conflict = analysis.get("conflictingContainerAppResourceId")
            if analysis.get("hasConflictOnManagedEnvironment"):
                self._missing.append(f"{domain.name} is bound to {ids.last_name(str(conflict or 'another app'))}")
                return False
            if analysis.get("customDomainVerificationTest") != "Passed":
                self._tell(domain)
                return False
            self._note(domain.name, "")
            self._send([*there.values(), bodies.bound(domain.name, None)])
        return True

    def _analysis(self, domain: CustomDomain) -> Body:
        path = f"{self._app_id}/listCustomHostNameAnalysis?customHostname={domain.name}"
        body = self._arm.act(path, api_version=_APPS).body
        return body if isinstance(body, dict) else {}

    def _tell(self, domain: CustomDomain, token: str | None = None) -> None:
        """Note the DNS records that a name needs."""
        properties = self._live()["properties"]
        environment = self._arm.current(addresses.environment(self._session)) or {}
        records = bodies.dns_records(
            domain,
            host=host(properties),
            address=str(environment.get("properties", {}).get("staticIp")),
            verification=str(properties.get("customDomainVerificationId")),
            token=token,
        )
        words = ", ".join(f"{kind} {name} = {value}" for kind, name, value in records)
        self._missing.append(f"{domain.name} needs the DNS records {words}")
        self._session.warn(f"{self._service.name}: set the DNS records {words}")

    # --- its certificate ---

    def _certificate(self, domain: CustomDomain) -> str | None:
        """The id of the certificate, once it is there."""
        wanted = self._certificate_id(domain)
        if domain.certificate == bodies.MANAGED:
            return wanted if self._is_issued(domain, wanted) else None
        if self._arm.current(wanted) is not None:
            return wanted
        environment = ids.last_name(addresses.environment(self._session))
        self._missing.append(
            f"{domain.name}: there is no certificate {domain.certificate} in the environment {environment}; put it "
            "there (az containerapp env certificate upload)"
        )
        return None

    def _is_issued(self, domain: CustomDomain, certificate: str) -> bool:
        """Have the certificate that Azure gets; whether it was issued.

        One that failed is made anew, since Azure does not try again. By TXT the issuer wants a token of its own in the
        DNS, which only the certificate tells.
        """
        live = self._arm.current(certificate)
        if live is None or state_of(live) == "failed":
            if not self._points_here(domain):
                self._tell(domain)
                return False
            if live is not None:
                self._arm.delete(certificate)
        if domain.validation == "TXT":
            return self._is_proved_by_token(domain, certificate)
        try:
            self._ensure(domain, certificate)
        except AzureError as error:
            self._tell(domain)
            self._missing.append(f"{domain.name}: {error.message}")
            return False
        return True

    def _ensure(self, domain: CustomDomain, certificate: str) -> None:
        body = bodies.managed_certificate(self._session.config, domain)
        self._arm.ensure([Resource(f"{_KEY}{domain.name}", certificate, body)], step=STEP)

    def _is_proved_by_token(self, domain: CustomDomain, certificate: str) -> bool:
        live = self._arm.read(certificate)
        if live is None:
            body = bodies.managed_certificate(self._session.config, domain)
            version = ids.api_version(certificate)
            self._records.creating(f"{_KEY}{domain.name}", certificate, version, STEP)
            self._arm.send(certificate, body)
            live = self._arm.read(certificate) or {}
        if state_of(live) == "succeeded":
            self._ensure(domain, certificate)
            return True
        self._tell(domain, str(live.get("properties", {}).get("validationToken")))
        return False

    def _points_here(self, domain: CustomDomain) -> bool:
        """Whether the name leads to this app, without which no certificate is issued."""
        if domain.validation == "TXT":
            return True
        analysis = self._analysis(domain)
        if domain.validation == "HTTP":
            return bool(analysis.get("aRecords"))
        own = host(self._live()["properties"])
        found = [str(item).rstrip(".").lower() for item in analysis.get("cNameRecords") or []]
        return any(item == own or item.endswith(own.partition(".")[2]) for item in found)

    # --- both ---

    def _bind(self, certificates: dict[str, str]) -> None:
        there, changed = self._bindings(), False
        for domain in self._wanted:
            certificate = certificates.get(domain.name)
            item = next((one for one in there if one["name"].lower() == domain.name), None)
            if certificate is None or item is None:
                continue
            is_same = _same(item.get("certificateId"), certificate) and item.get("bindingType") == "SniEnabled"
            if not is_same and self._is_others(domain, item):
                change = Change((*_PATH, f"[{domain.name}]"), CHANGE, certificate, item.get("certificateId"))
                self._arm.ensurer.kept.setdefault(self._key, []).append(change)
            elif not is_same:
                item |= bodies.bound(domain.name, certificate)
                changed = True
        if changed:
            self._send(there)
        for name, certificate in certificates.items():
            self._note(name, certificate)

    def _send(self, items: Sequence[Body]) -> None:
        body = {"properties": {"configuration": {"ingress": {"customDomains": list(items)}}}}
        self._arm.send(self._app_id, body, method="PATCH")
        self._arm.wait(self._app_id)

    def _note(self, name: str, certificate: str) -> None:
        """Record that a name is ours, before it is bound."""
        if self._recorded.get(name) != certificate and self._key in self._records.resources:
            self._records.note(self._key, domains={**self._recorded, name: certificate})

    # --- what is no longer wanted ---

    def _to_take_out(self) -> list[str]:
        wanted = {domain.name for domain in self._wanted}
        return [name for name in self._recorded if name not in wanted]

    def _take_out(self) -> None:
        """Unbind names of ours that left the configuration, and delete the certificates that Azure got for them."""
        names = self._to_take_out()
        if names:
            there = self._bindings()
            kept = [item for item in there if item["name"] not in names]
            if len(kept) < len(there):
                self._send(kept)
        for name in names:
            self._drop_certificate(name)
            self._records.note(self._key, domains={one: id_ for one, id_ in self._recorded.items() if one != name})

    def _drop_certificate(self, name: str) -> None:
        record = self._records.resources.get(_KEY + name)
        if record is None or self._is_certificate_wanted(name):
            return
        if record.get("created"):
            self._arm.delete(str(record["id"]), api_version=str(record["api_version"]))
        self._records.deleted(_KEY + name)


def host(properties: Body) -> str:
    """The address of a live app.

    Raises:
        VerificationError: it has none: somebody switched its ingress off.
    """
    address = (properties["configuration"].get("ingress") or {}).get("fqdn")
    if not address:
        raise VerificationError("its ingress is switched off in Azure. Run with --refresh to switch it on again")
    return str(address)


def announce(session: Session) -> None:
    """Tell a plan about the custom domains of all services."""
    for key, service in session.config.services.items():
        domains = Domains(session, key, service)
        if domains.are_ours:
            domains.announce()


def settle(session: Session, key: str, service: Service) -> None:
    """See `Domains.settle`; nothing where a service has no names of ours."""
    domains = Domains(session, key, service)
    if domains.are_ours:
        domains.settle()


def gives_away(session: Session, key: str, service: Service) -> bool:
    """See `Domains.gives_away`."""
    return Domains(session, key, service).gives_away


def _same(one: object, other: object) -> bool:
    return str(one or "").lower() == str(other or "").lower()
