"""Custom domains of apps, in the order that Azure requires: name without certificate, certificate, then both.

Names are verified by DNS records that only their owner can set, so missing ones are reported, and the run continues
without waiting for them; the next run resumes here. An issued certificate is waited for.
Source: learn.microsoft.com/azure/container-apps/custom-domains-managed-certificates.
"""

from __future__ import annotations

from dataclasses import replace

from draftgenie_azure.arm import ids
from draftgenie_azure.arm.client import Resource
from draftgenie_azure.arm.diff import BY_OTHERS, between
from draftgenie_azure.arm.operations import state_of
from draftgenie_azure.arm.plan import CHANGE as CHANGED
from draftgenie_azure.arm.plan import CREATE, DELETE, REPLACE, UNCHANGED, Entry
from draftgenie_azure.errors import AzureError, VerificationError
from draftgenie_azure.provision import addresses
from draftgenie_azure.provision.bodies import domains as bodies
from draftgenie_azure.provision.bodies.traffic import NO_INGRESS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from typing import Any

    from draftgenie_azure.arm.diff import Change
    from draftgenie_azure.arm.plan import Plan
    from draftgenie_azure.config.validated.service_sections import CustomDomain, Service
    from draftgenie_azure.session import Session

    Body = dict[str, Any]

STEP = "verify_deployment"
_APPS = ids.API_VERSIONS["Microsoft.App/containerApps"]
_KEY = "managed_certificate/"


class Domains:
    """The custom domains of one app.

    Args:
        key: of the app's record.
        app_id: of the app.
        wanted: the configured domains.
    """

    def __init__(self, session: Session, key: str, app_id: str, wanted: Sequence[CustomDomain]) -> None:
        self._session = session
        self._arm = session.arm
        self._records = session.records
        self._key = key
        self.app_id = app_id
        self._wanted = wanted
        self._own_key = f"domains/{key.partition('/')[2]}"  # for what a plan and a run show
        self._missing: list[str] = []

    @property
    def are_ours(self) -> bool:
        """Return whether there are domains to bind or to remove."""
        return bool(self._wanted or self._recorded)

    def _wanted_by_any(self, name: str) -> list[CustomDomain]:
        services = self._session.config.services.values()
        return [domain for service in services for domain in service.custom_domains or [] if domain.name == name]

    def _is_certificate_wanted(self, name: str) -> bool:
        return any(domain.certificate == bodies.MANAGED for domain in self._wanted_by_any(name))

    @property
    def _has_ingress(self) -> bool:
        service = self._session.config.services.get(self._key.partition("/")[2])
        return service is None or service.ingress != "none"

    @property
    def _recorded(self) -> dict[str, str]:
        """Names bound by this deployment -> certificate id, empty if there is none yet."""
        found = self._records.resources.get(self._key, {}).get("domains") or {}
        return {str(name): str(certificate) for name, certificate in found.items()}

    # --- the plan ---

    def announce(self) -> None:
        """Add to the plan which names and certificates are added, changed and removed."""
        plan, live = self._arm.plan, self._arm.current(self.app_id)
        assert plan is not None
        # An app that loses its ingress loses its names with it, which its own entry says.
        there = bodies.bindings((live or {}).get("properties", {})) if self._has_ingress else []
        after, others = self._bound(there)
        theirs = {domain.name for domain in self._wanted if self._is_others(domain, _of(there, domain.name))}
        changes, kept = _noted(_differences(there, after), theirs), _differences(there, others)
        if changes or kept:
            note = self._condition() if changes and self._wanted else ""
            action = CHANGED if changes else UNCHANGED
            plan.add(Entry(STEP, self._own_key, self.app_id, action, changes=changes, kept=kept, note=note))
        for domain in self._wanted:
            if self._is_kept(domain, None) and _of(there, domain.name) is None:
                self._records.still_wanted(_KEY + domain.name, STEP)
            elif domain.certificate == bodies.MANAGED:
                self._announce_certificate(plan, domain)
        for name in self._without_managed():
            self._announce_end(plan, name)

    def _bound(self, there: Sequence[Body]) -> tuple[list[Body], list[Body]]:
        """Return the bindings after the change, and those that would exist without changes by others."""
        gone = {name.lower() for name in self.to_take_out()}
        after = [dict(item) for item in there if item["name"].lower() not in gone]
        others = [dict(item) for item in there]
        for domain in self._wanted:
            items = others if self._is_kept(domain, _of(there, domain.name)) else after
            item, certificate = _of(items, domain.name), self._certificate_id(domain)
            if self._is_uploaded(domain):
                item = item if item is not None else _appended(items)
                item |= bodies.bound(domain.name, certificate)
            elif item is None:
                items.append(bodies.bound(domain.name, None))
        return after, others

    def _is_uploaded(self, domain: CustomDomain) -> bool:
        """Return whether a domain's certificate exists, or will be issued."""
        return domain.certificate == bodies.MANAGED or self._arm.current(self._certificate_id(domain)) is not None

    def _condition(self) -> str:
        """Return what planned domains depend on."""
        missing = sorted({domain.certificate for domain in self._wanted if not self._is_uploaded(domain)})
        words = f"; there is no certificate {', '.join(missing)} in the environment" if missing else ""
        return f"as soon as the DNS records exist{words}"

    def _announce_certificate(self, plan: Plan, domain: CustomDomain) -> None:
        key, certificate = _KEY + domain.name, self._certificate_id(domain)
        live, version = self._arm.current(certificate), ids.api_version(certificate)
        if live is None or state_of(live) == "failed":
            if live is None:
                self._records.creating(key, certificate, version, STEP)
            action, note = (CREATE, "issued by Azure") if live is None else (REPLACE, "it was not issued")
            plan.add(Entry(STEP, key, certificate, action, note=note))
        sent = self._records.resources.get(key, {}).get("sent")
        self._records.ensured(key, certificate, version, STEP, str(sent or ""))

    def _announce_end(self, plan: Plan, name: str) -> None:
        record = self._records.resources.get(_KEY + name)
        if record is None:
            return
        if record.get("created"):
            plan.add(Entry(STEP, _KEY + name, record["id"], DELETE))
        self._records.forget(_KEY + name)

    # --- the run ---

    def take_out(self) -> None:
        """Unbind our names that left the configuration, and delete their managed certificates.

        Raises:
            AzureError: Azure refused.
        """
        names = self.to_take_out()
        if not names:
            return
        gone = {name.lower() for name in names}
        there = self._bindings()
        kept = [item for item in there if item["name"].lower() not in gone]
        if len(kept) < len(there):
            self._send(there, kept)
        for name in names:
            if not self._is_certificate_wanted(name):
                self._drop_certificate(name)
            self._records.note(self._key, domains={one: id_ for one, id_ in self._recorded.items() if one != name})

    def bind(self) -> None:
        """Bind the names with their certificates, as far as their DNS records allow.

        Raises:
            VerificationError: DNS records, which it lists, or a certificate are missing.
            AzureError: Azure refused.
        """
        if not self._wanted:
            return
        host(self._live()["properties"])
        bound = [domain for domain in self._wanted if self._is_bound(domain)]
        certificates = {domain.name: self._certificate(domain) for domain in bound}
        self._bind({name: found for name, found in certificates.items() if found is not None})
        for name in self._without_managed():
            if certificates.get(name) is not None:
                self._drop_certificate(name)
        if self._missing:
            words = "; ".join(self._missing)
            raise VerificationError(f"custom domains: {words}. Then run again to continue")

    # --- live domains ---

    def _live(self) -> Body:
        live = self._arm.read(self.app_id)
        if live is None:
            raise VerificationError("its container app does not exist")
        return live

    def _bindings(self) -> list[Body]:
        return bodies.bindings(self._live()["properties"])

    def _certificate_id(self, domain: CustomDomain) -> str:
        return bodies.certificate_id(addresses.environment(self._session), domain)

    def _is_others(self, domain: CustomDomain, item: Body | None) -> bool:
        """Return whether others unbound the name, or changed its certificate, since this deployment bound it.

        Args:
            item: the name as it is bound; None if it is not.
        """
        bound = self._recorded.get(domain.name)
        ours = bool(bound) and _same(bound, self._certificate_id(domain))
        return ours and not _same((item or {}).get("certificateId"), bound)

    def _is_kept(self, domain: CustomDomain, item: Body | None) -> bool:
        """Return whether a name stays as others left it."""
        return not self._arm.repairs and self._is_others(domain, item)

    # --- the name ---

    def _is_bound(self, domain: CustomDomain) -> bool:
        """Bind the name to the app, without certificate if necessary; return whether it is bound."""
        there = {item["name"].lower(): item for item in self._bindings()}
        if domain.name not in there and self._is_kept(domain, None):
            bound = bodies.bound(domain.name, self._certificate_id(domain))
            self._tell_kept(_differences([*there.values()], [*there.values(), bound]))
            self._records.still_wanted(_KEY + domain.name, STEP)
            return False
        if domain.name not in there:
            analysis = self.analysis(domain)
            conflict = bodies.conflict(domain.name, analysis)
            if conflict is not None:
                self._missing.append(conflict)
                return False
            if analysis.get("customDomainVerificationTest") != "Passed":
                self._report(domain)
                return False
            self._note(domain.name, "")
            self._send([*there.values()], [*there.values(), bodies.bound(domain.name, None)])
        return True

    def missing_names(self, live: Body) -> list[CustomDomain]:
        """Return the names that a live app is to get and does not have."""
        there = bodies.bindings(live["properties"])
        return [one for one in self._wanted if _of(there, one.name) is None and not self._is_kept(one, None)]

    def analysis(self, domain: CustomDomain) -> Body:
        """Return what Azure finds out about a name: who has it, and its DNS records.

        Raises:
            AzureError: the analysis is not permitted, or a lock forbids it.
        """
        path = f"{self.app_id}/listCustomHostNameAnalysis?customHostname={domain.name}"
        body = self._arm.act(path, api_version=_APPS).body
        return body if isinstance(body, dict) else {}

    def _report(self, domain: CustomDomain, token: str | None = None) -> None:
        """Report the DNS records that a name needs."""
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
        self._session.warn(f"{ids.last_name(self.app_id)}: set the DNS records {words}")

    # --- its certificate ---

    def _certificate(self, domain: CustomDomain) -> str | None:
        """Return the id of the certificate once it exists."""
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
        """Ensure the managed certificate; return whether it was issued.

        A failed one is recreated, since Azure does not retry. For TXT validation the issuer requires a token in the
        DNS, which only the certificate reports.
        """
        live = self._arm.current(certificate)
        if live is None or state_of(live) == "failed":
            if not self._points_here(domain):
                self._report(domain)
                return False
            if live is not None:
                self._arm.delete(certificate)
                self._arm.ensurer.did(STEP, _KEY + domain.name, [])
        if domain.validation == "TXT":
            return self._is_proved_by_token(domain, certificate)
        try:
            self._ensure(domain, certificate)
        except AzureError as error:
            self._report(domain)
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
            self._arm.ensurer.did(STEP, _KEY + domain.name, [])
            live = self._arm.read(certificate) or {}
        if state_of(live) == "succeeded":
            self._ensure(domain, certificate)
            return True
        self._report(domain, str(live.get("properties", {}).get("validationToken")))
        return False

    def _points_here(self, domain: CustomDomain) -> bool:
        """Return whether the name resolves to this app, without which no certificate is issued."""
        if domain.validation == "TXT":
            return True
        analysis = self.analysis(domain)
        if domain.validation == "HTTP":
            return bool(analysis.get("aRecords"))
        own = host(self._live()["properties"])
        found = [str(item).rstrip(".").lower() for item in analysis.get("cNameRecords") or []]
        return any(item == own or item.endswith(own.partition(".")[2]) for item in found)

    # --- both ---

    def _bind(self, certificates: dict[str, str]) -> None:
        there = self._bindings()
        after = [dict(item) for item in there]
        for domain in self._wanted:
            certificate, item = certificates.get(domain.name), _of(after, domain.name)
            if certificate is None or item is None:
                continue
            if self._is_kept(domain, item):
                wanted = [{**one, "certificateId": certificate} if one is item else one for one in after]
                self._tell_kept(_differences(there, wanted))
            elif not _same(item.get("certificateId"), certificate) or item.get("bindingType") != "SniEnabled":
                item |= bodies.bound(domain.name, certificate)
        if after != there:
            self._send(there, after)
        for name, certificate in certificates.items():
            self._note(name, certificate)

    def _send(self, there: Sequence[Body], items: Sequence[Body]) -> None:
        self._arm.send(self.app_id, _body(items), method="PATCH")
        self._arm.wait(self.app_id)
        self._arm.ensurer.did(STEP, self._own_key, _differences(there, items))
        ingress = self._live()["properties"]["configuration"].get("ingress") or {}
        self._arm.ensurer.wrote(self._key, _body(there), _body(ingress.get("customDomains") or []))

    def _tell_kept(self, changes: list[Change]) -> None:
        """Report changes by others that are not reverted."""
        self._arm.ensurer.kept.setdefault(self._key, []).extend(changes)

    def _note(self, name: str, certificate: str) -> None:
        """Record that a name is ours before binding it."""
        if self._recorded.get(name) != certificate and self._key in self._records.resources:
            self._records.note(self._key, domains={**self._recorded, name: certificate})

    # --- what is no longer wanted ---

    def to_take_out(self) -> list[str]:
        """Return the names of ours that this app loses."""
        wanted = {domain.name for domain in self._wanted}
        return [name for name in self._recorded if name not in wanted]

    def _without_managed(self) -> list[str]:
        """Return our names that no longer need a certificate by Azure."""
        names = [*self.to_take_out(), *(domain.name for domain in self._wanted)]
        return [name for name in names if not self._is_certificate_wanted(name)]

    def _drop_certificate(self, name: str) -> None:
        record = self._records.resources.get(_KEY + name)
        if record is None:
            return
        if record.get("created"):
            try:
                self._arm.delete(str(record["id"]), api_version=str(record["api_version"]))
            except AzureError as error:  # a lock, a right: the name is unbound all the same
                self._session.warn(f"the certificate of {name} could not be deleted and stays: {error.message}")
                return
            self._arm.ensurer.did(STEP, _KEY + name, [])
        self._records.deleted(_KEY + name)


class _Left(Domains):
    """The names of an app that left the configuration: it keeps them, but for those that another app is to get."""

    def to_take_out(self) -> list[str]:
        return [name for name in self._recorded if self._wanted_by_any(name)]

    @property
    def gives_away(self) -> bool:
        """Return whether one of its names moves to another app; a deleted app has none."""
        return bool(self.to_take_out()) and self._arm.current(self.app_id) is not None


def host(properties: Body) -> str:
    """Return the host of a live app.

    Raises:
        VerificationError: it has none, because its ingress was disabled.
    """
    address = (properties["configuration"].get("ingress") or {}).get("fqdn")
    if not address:
        raise VerificationError(NO_INGRESS)
    return str(address)


def announce(session: Session) -> None:
    """Add the custom domains of all apps to the plan."""
    for domains in everyone(session):
        if domains.are_ours:
            domains.announce()


def everyone(session: Session) -> list[Domains]:
    """Return the custom domains of all apps, of those first that left the configuration."""
    return [*_left(session), *(of(session, key, service) for key, service in session.config.services.items())]


def of(session: Session, key: str, service: Service) -> Domains:
    """Return the custom domains of a service's app."""
    app_id = session.scope.resource("Microsoft.App/containerApps", service.name)
    return Domains(session, f"container_app/{key}", app_id, service.custom_domains or [])


def take_from_left(session: Session) -> None:
    """Remove names from apps that left the configuration, if other apps need them.

    Raises:
        AzureError: Azure refused.
    """
    for domains in _left(session):
        domains.take_out()


def _left(session: Session) -> list[Domains]:
    """Return the recorded, no longer configured apps that have a name which another app needs."""
    found = [
        _Left(session, key, str(record["id"]), [])
        for key, record in list(session.records.resources.items())
        if key.startswith("container_app/") and record.get("orphaned") and record.get("domains")
    ]
    return [domains for domains in found if domains.gives_away]


def _of(items: Sequence[Body], name: str) -> Body | None:
    return next((item for item in items if item["name"].lower() == name.lower()), None)


def _appended(items: list[Body]) -> Body:
    items.append({})
    return items[-1]


def _body(items: Sequence[Body]) -> Body:
    return {"properties": {"configuration": {"ingress": {"customDomains": list(items)}}}}


def _differences(before: Sequence[Body], after: Sequence[Body]) -> list[Change]:
    """Return the changes of the names, leaf by leaf."""
    return between("Microsoft.App/containerApps", _body(before), _body(after))


def _noted(changes: Sequence[Change], theirs: Collection[str]) -> list[Change]:
    """Mark the changes that revert those of others.

    Args:
        theirs: the names that others changed.
    """
    return [replace(one, note=BY_OTHERS) if one.path[4].strip("[]") in theirs else one for one in changes]


def _same(one: object, other: object) -> bool:
    return str(one or "").lower() == str(other or "").lower()
