"""Failures before Azure is asked: usage, configuration, machine, network and sign-in."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import trustme
from failing_network import LOGIN, proxy, refusing, signing_in, use_cloud
from failure_kinds import kind
from project import COMMAND, Project, Result

# --- usage ---


@kind("unknown flag", what="unknown flag --forse-all", why="did you mean --force-all", next="--help")
def _(project: Project) -> Result:
    return project.run("--forse-all")


@kind("unknown step", what="argument --force-step",
      why="no step 'create_databses'; did you mean create_databases", next="--help")  # fmt: skip
def _(project: Project) -> Result:
    return project.run("--force-step", "create_databses")


@kind("flags that contradict", what="--status and --destroy", why="different commands", next="give only one|--help")
def _(project: Project) -> Result:
    return project.run("--status", "--destroy")


@kind("a duration that is none", what="argument --lock-timeout", why="expected a duration .* got 'soon'", next="--help")
def _(project: Project) -> Result:
    return project.run("--lock-timeout", "soon")


@kind("report that cannot be written", what="argument --report: 'no/such/place.html'",
      why="no directory 'no/such'", next="--help")  # fmt: skip
def _(project: Project) -> Result:
    return project.run("--report", "no/such/place.html")


@kind("log over the configuration", what="config.yaml is not a log", why="it was left unchanged", next="another path")
def _(project: Project) -> Result:
    return project.run("--log-file", "config.yaml")


# --- configuration ---


@kind("configuration missing", what="configuration has 1 fault", why="cofnig.yaml: no such file",
      next="Fix what is listed")  # fmt: skip
def _(project: Project) -> Result:
    return project.run("--config", "cofnig.yaml")


@kind("configuration empty", what="configuration has 1 fault", why="config.yaml:1: is empty", next="Fix what is listed")
def _(project: Project) -> Result:
    (project.directory / "config.yaml").write_text("")
    return project.run()


@kind("configuration not UTF-8", what="configuration has 1 fault", why="config.yaml:1: is not UTF-8",
      next="Fix what is listed")  # fmt: skip
def _(project: Project) -> Result:
    (project.directory / "config.yaml").write_bytes("azure: {location: Zürich}\n".encode("latin-1"))
    return project.run()


@kind("YAML not closed", what="configuration has 1 fault", why="bad.yaml:2: not valid YAML: .* expected ',' or",
      next="Fix what is listed")  # fmt: skip
def _(project: Project) -> Result:
    (project.directory / "bad.yaml").write_text("azure: {location: eastus2\nredis: [\n")
    return project.run("--config", "config.yaml", "--config", "bad.yaml")


@kind("tab in YAML", what="configuration has 1 fault", why="bad.yaml:2: .* a tab; use spaces",
      next="Fix what is listed")  # fmt: skip
def _(project: Project) -> Result:
    (project.directory / "bad.yaml").write_text("azure:\n\tlocation: eastus2\n")
    return project.run("--config", "config.yaml", "--config", "bad.yaml")


@kind("key twice", what="configuration has 1 fault",
      why="bad.yaml:3: redis.sku: duplicate key .first on line 2", next="Fix what is listed")  # fmt: skip
def _(project: Project) -> Result:
    (project.directory / "bad.yaml").write_text("redis:\n  sku: Balanced_B0\n  sku: Balanced_B1\n")
    return project.run("--config", "config.yaml", "--config", "bad.yaml")


@kind("unknown key", what="configuration has 1 fault",
      why="postgresql.storage_sze: .* did you mean `storage_size`", next="Fix what is listed")  # fmt: skip
def _(project: Project) -> Result:
    project.change("postgresql.storage_sze", 64)
    return project.run()


@kind("value of another type", what="configuration has 1 fault",
      why="max_replicas: must be an integer; found `many`", next="Fix what is listed")  # fmt: skip
def _(project: Project) -> Result:
    project.change("services.rag_service.max_replicas", "many")
    return project.run()


@kind("value out of range", what="configuration has 1 fault",
      why="backup_retention_days: must be at most 35; found `90`", next="Fix what is listed")  # fmt: skip
def _(project: Project) -> Result:
    project.change("postgresql.backup_retention_days", 90)
    return project.run()


@kind("name that Azure refuses", what="configuration has 1 fault",
      why="key_vault.name: must be 3–24 letters.* found `1draft", next="Fix what is listed")  # fmt: skip
def _(project: Project) -> Result:
    project.change("key_vault.name", "1draftgenie_vault")
    return project.run()


@kind("variable of a secret not set", what="configuration has 1 fault",
      why="secrets.gemini_api_key: needs a value .*; export GEMINI_API_KEY", next="Fix what is listed")  # fmt: skip
def _(project: Project) -> Result:
    use_cloud(project)
    project.change("secrets.gemini_api_key", "${GEMINI_API_KEY}")
    return project.run()


@kind("variable that the runner left", what="configuration has 1 fault",
      why="GEMINI_API_KEY is a reference that was not replaced.*define GEMINI_API_KEY",
      next="Fix what is listed")  # fmt: skip
def _(project: Project) -> Result:
    project.environment["GEMINI_API_KEY"] = "$(GEMINI_API_KEY)"
    return project.run()


@kind("published placeholder as a secret", what="configuration has 1 fault",
      why="secrets.jwt_secret: needs a real value", next="Fix what is listed")  # fmt: skip
def _(project: Project) -> Result:
    use_cloud(project)
    project.change("secrets.jwt_secret", "your-jwt-secret")
    return project.run()


@kind("unknown reference", what="configuration has 1 fault",
      why="services.qdrnt.host }}` is an unknown reference; did you mean `{{ services.qdrant.host",
      next="Fix what is listed")  # fmt: skip
def _(project: Project) -> Result:
    project.change("services.rag_service.environment.X", "{{ services.qdrnt.host }}")
    return project.run()


@kind("service taken out that another one uses", what="configuration has 1 fault",
      why="needs a service `qdrant`, which is missing", next="Fix what is listed")  # fmt: skip
def _(project: Project) -> Result:
    (project.directory / "less.yaml").write_text("services:\n  qdrant:\n")
    return project.run("--config", "config.yaml", "--config", "less.yaml")


@kind("zone redundancy without a subnet", what="configuration has 1 fault",
      why="zone_redundant: needs `subnet_id`", next="Fix what is listed")  # fmt: skip
def _(project: Project) -> Result:
    project.change("container_apps.zone_redundant", True)
    return project.run()


@kind("build context missing", what="configuration has 1 fault",
      why="docker.build_context: none of the Dockerfiles is there", next="Fix what is listed")  # fmt: skip
def _(project: Project) -> Result:
    project.change("docker.build_context", "../draftgenie")
    return project.run()


@kind("Dockerfile missing", what="configuration has 1 fault",
      why="docker.dockerfiles.rag_service: there is no `docker/Dockerfile.rag-service` below",
      next="Fix what is listed")  # fmt: skip
def _(project: Project) -> Result:
    (project.directory / "examples/draftgenie/docker/Dockerfile.rag-service").unlink()
    return project.run()


@kind("COPY of a file that is not there", what="configuration has 1 fault",
      why="Dockerfile.rag-service:\\d+: .*`services/rag-service/models` does not exist",
      next="Fix what is listed")  # fmt: skip
def _(project: Project) -> Result:
    dockerfile = project.directory / "examples/draftgenie/docker/Dockerfile.rag-service"
    dockerfile.write_text(dockerfile.read_text() + "\nCOPY services/rag-service/models ./models\n")
    return project.run()


@kind("env file missing", what="configuration has 1 fault", why=".env.prod: no such file",
      next="Fix what is listed")  # fmt: skip
def _(project: Project) -> Result:
    return project.run("--env-file", ".env.prod")


@kind("docker not running", what="check_prerequisites: docker.builder is docker",
      why="no docker command on PATH", next="Nothing was made yet. Correct this")  # fmt: skip
def _(project: Project) -> Result:
    project.change("docker.builder", "docker")
    project.environment["PATH"] = str(project.directory)
    return project.run()


# --- the machine ---


@kind("requirements not installed", what="the Python package that provides yaml is not installed",
      why="not installed for ", next="pip install --require-hashes")  # fmt: skip
def _(project: Project) -> Result:
    return _ended(project, [sys.executable, "-S", str(COMMAND)])


@kind("state path is a pipe", what="is a pipe, not a file", why="is a pipe", next="Give the path of a file")
def _(project: Project) -> Result:
    os.mkfifo(project.state_file)
    return project.run()


@kind("state path is a directory", what="is a directory, not a file", why="is a directory",
      next="Give the path of a file")  # fmt: skip
def _(project: Project) -> Result:
    project.state_file.mkdir()
    return project.run()


@kind("standard output is full", deployed=True, what="the result could not be written",
      why="No space left on device", next="Free space")  # fmt: skip
def _(project: Project) -> Result:
    with open("/dev/full", "w") as full:
        done = subprocess.run(project.command("--status"), cwd=project.directory, env=project.env(), stdout=full,
                              stderr=subprocess.PIPE, text=True, check=False, timeout=60)  # fmt: skip
    return Result(done.returncode, "", done.stderr)


@kind("emulator cannot be started", what="emulator.json cannot be read", why="Not a directory",
      next="Delete .azure-emulator")  # fmt: skip
def _(project: Project) -> Result:
    (project.directory / ".azure-emulator").write_text("in the way")
    return project.run()


@kind("declared fault that is none", what="configuration has 1 fault",
      why="azure.emulator.faults.0: needs `status`, `drop` or `fail`", next="Fix what is listed")  # fmt: skip
def _(project: Project) -> Result:
    return project.run(*project.faults({"method": "PUT", "path": "*"}))


def _ended(project: Project, command: list[str]) -> Result:
    done = subprocess.run(command, cwd=project.directory, env=project.env(), capture_output=True, text=True,
                          check=False, timeout=60)
    return Result(done.returncode, done.stdout, done.stderr)


# --- network and sign-in ---


def _refused_tunnel(project: Project, status: str) -> Result:
    with proxy(refusing(status)) as url:
        use_cloud(project, proxy=url)
        return project.run()


@kind("proxy wants a password", what="no token for Azure: login.nowhere.invalid",
      why="requires a user and a password .407", next="USER:PASSWORD@")  # fmt: skip
def _(project: Project) -> Result:
    return _refused_tunnel(project, "407 Proxy Authentication Required")


@kind("proxy refuses the host", what="no token for Azure: login.nowhere.invalid",
      why="refuses to connect to it .403 Forbidden", next="NO_PROXY")  # fmt: skip
def _(project: Project) -> Result:
    return _refused_tunnel(project, "403 Forbidden")


@kind("proxy not there", what="no token for Azure: 127.0.0.1",
      why="proxy cannot be reached .Connection refused", next="HTTPS_PROXY")  # fmt: skip
def _(project: Project) -> Result:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    use_cloud(project, proxy=f"http://127.0.0.1:{port}")
    project.change("advanced.operation_timeout", 1)
    return project.run()


@kind("name not resolved", what="no token for Azure: login.nowhere.invalid", why="cannot be resolved .DNS",
      next="VPN and DNS")  # fmt: skip
def _(project: Project) -> Result:
    use_cloud(project)
    project.change("advanced.operation_timeout", 1)
    return project.run()


@kind("connection refused", what="no token for Azure: localhost", why="connection is refused", next="firewall, proxy")
def _(project: Project) -> Result:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    use_cloud(project, authority=f"https://localhost:{port}")
    project.change("advanced.operation_timeout", 1)
    return project.run()


@kind("certificate that nobody trusts", what="no token for Azure: login.nowhere.invalid",
      why="does not trust the issuer", next="REQUESTS_CA_BUNDLE")  # fmt: skip
def _(project: Project) -> Result:
    with proxy(signing_in(trustme.CA().issue_cert(LOGIN), 200, {})) as url:
        use_cloud(project, proxy=url)
        return project.run()


@kind("CA file missing", what="no token for Azure", why="certificates to trust is not there .*no-such-ca.pem",
      next="REQUESTS_CA_BUNDLE, or the CA file")  # fmt: skip
def _(project: Project) -> Result:
    use_cloud(project, ca_file="no-such-ca.pem")
    return project.run()


def _with_certificate(project: Project, name: str, expired: bool) -> Result:
    authority = trustme.CA()
    ca_file = project.directory / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    until = datetime.now(UTC) - timedelta(days=1) if expired else None
    with proxy(signing_in(authority.issue_cert(name, not_after=until), 200, {})) as url:
        use_cloud(project, proxy=url, ca_file=str(ca_file))
        return project.run()


@kind("clock wrong", what="no token for Azure: login.nowhere.invalid", why="not valid at this machine's time",
      next="clock")  # fmt: skip
def _(project: Project) -> Result:
    return _with_certificate(project, LOGIN, True)


@kind("certificate of another host", what="no token for Azure: login.nowhere.invalid",
      why="is for another host", next="check proxy and DNS")  # fmt: skip
def _(project: Project) -> Result:
    return _with_certificate(project, "portal.hotel.example", False)


@kind("nobody signed in", what="no token for Azure", why="nobody is signed in", next="az login")
def _(project: Project) -> Result:
    use_cloud(project)
    for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"):
        del project.environment[name]
    project.environment |= {"PATH": str(project.directory), "HOME": str(project.directory)}
    return project.run()


def _refused_sign_in(words: str) -> Callable[[Project], Result]:
    def provoke(project: Project) -> Result:
        authority = trustme.CA()
        ca_file = project.directory / "ca.pem"
        authority.cert_pem.write_to_path(str(ca_file))
        body = {"error": "invalid_client", "error_description": f"{words} Trace ID: 1 Correlation ID: 2"}
        with proxy(signing_in(authority.issue_cert(LOGIN), 401, body)) as url:
            use_cloud(project, proxy=url, ca_file=str(ca_file))
            return project.run()

    return provoke


for _name, _words, _why, _next in (
    ("client secret expired", "AADSTS7000222: The client secret keys are expired.", "has expired", "credential reset"),
    ("client secret wrong", "AADSTS7000215: Invalid client secret provided.", "secret is wrong", "value, not its id"),
    ("application unknown", "AADSTS700016: Application 'x' was not found in the directory 'y'.", "tenant", "--tenant"),
    ("tenant unknown", "AADSTS90002: Tenant '00000000' not found.", "tenant does not know", "azure.tenant_id"),
    ("federated credential", "AADSTS700213: No matching federated identity record found.", "no federated", "subject"),
    ("assertion too old", "AADSTS700024: Client assertion is not within its valid time range.", "clock", "clock"),
    ("second factor wanted", "AADSTS50076: Use multi-factor authentication.", "second factor", "interactively"),
    ("sign-in expired", "AADSTS700082: The refresh token has expired due to inactivity.", "has expired", "az login"),
    ("refusal that nobody knows", "AADSTS9999999: Something that is new.", "AADSTS9999999: Something", "az login"),
):
    kind(f"sign-in: {_name}", what="no token for Azure: ", why=_why, next=_next)(_refused_sign_in(_words))
