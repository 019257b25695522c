"""Build and push images with the command `docker`.

Each run uses its own configuration directory: the user's configuration plus the sign-in to the registry, which is
stored nowhere else and deleted with the directory. Sources: docs.docker.com/reference/cli/docker/buildx/build,
github.com/docker/cli, `cli/config/configfile`.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from contextlib import contextmanager, suppress

from draftgenie_azure.errors import BuildError
from draftgenie_azure.provision.build_log import LOG_LINES
from draftgenie_azure.provision.container_logs import last_lines
from draftgenie_azure.run.poll import poll

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import IO, Any

    from draftgenie_azure.provision.bodies.builds import ImageBuild
    from draftgenie_azure.run.control import RunControl
    from draftgenie_azure.session import Session

ANSWER_TIMEOUT = 30.0  # seconds for docker to report its version, or to sign in
_GRACE = 10.0  # seconds that an interrupted build has to clean up
_LOOK_UP = 0.1  # seconds between checks for a stop


def docker_command(session: Session, report: Callable[[str, str], None] = lambda key, line: None) -> DockerCommand:
    """Return the command `docker`, configured to reach the cloud like all other requests."""
    endpoints = session.transport.endpoints
    environment: dict[str, str] = {}
    if endpoints.proxy:
        environment |= {"HTTPS_PROXY": endpoints.proxy, "https_proxy": endpoints.proxy}
    if endpoints.ca_file:
        environment["SSL_CERT_FILE"] = endpoints.ca_file
    return DockerCommand(session.control, report, environment)


class DockerCommand:
    """Runs `docker`; child processes end with the run.

    Args:
        control: signals when to stop.
        report: called with the service's key and each line of a build's output.
        environment: variables in addition to those of this process, such as a proxy.
    """

    def __init__(
        self, control: RunControl, report: Callable[[str, str], None], environment: Mapping[str, str] | None = None
    ) -> None:
        self._control = control
        self._report = report
        self._environment = {**os.environ, **(environment or {})}

    def problems(self) -> Iterator[str]:
        """Yield what is missing for a build, with remedies."""
        otherwise = "or set docker.builder to acr, which builds in the registry"
        if shutil.which("docker", path=self._environment.get("PATH")) is None:
            yield f"docker.builder is docker, and there is no docker command on PATH: install Docker, {otherwise}"
            return
        for arguments, what, advice in (
            (["buildx", "version"], "docker has no buildx", "install the plugin docker-buildx"),
            (["version", "--format", "{{.Server.Version}}"], "the Docker daemon does not respond", "start Docker"),
        ):
            failure = self._ask(arguments)
            if failure is not None:
                yield f"docker.builder is docker, and {what} ({failure}): {advice}, {otherwise}"

    @contextmanager
    def signed_in(self, server: str, user: str, password: str) -> Iterator[DockerCommand]:
        """Context in which the command is signed in to a registry.

        Raises:
            BuildError: docker refuses the sign-in.
        """
        directory = tempfile.mkdtemp(prefix="draftgenie-docker-")  # accessible only to this user
        try:
            environment = {**self._environment, **_configure(directory, server, self._environment)}
            command = DockerCommand(self._control, self._report, environment)
            failure = command._ask(["login", server, "--username", user, "--password-stdin"], password)
            if failure is not None:
                raise BuildError(f"docker cannot sign in to {server}: {failure}")
            yield command
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    def build(
        self,
        key: str,
        archive: IO[bytes],
        build: ImageBuild,
    ) -> str:
        """Build a context and push the image.

        Args:
            key: the service's key.
            archive: the context as tar.gz.
            build: secret arguments are passed in the environment, not on the command line; a fresh one uses the newest
                base images, too.

        Returns:
            The image's digest.

        Raises:
            BuildError: it failed; the end of its output is in the message.
            StopRequested: a stop was requested; the build was stopped.
        """
        with tempfile.TemporaryDirectory(prefix="draftgenie-build-") as directory:
            metadata = os.path.join(directory, "metadata.json")
            # Without attestations the digest is the image's, not that of an index around it.
            command = ["docker", "buildx", "build", "--platform", build.platform, "--push", "--provenance=false"]
            command += ["--sbom=false", "--progress=plain", "--metadata-file", metadata, "--tag", build.image]
            command += ["--file", build.dockerfile]
            command += ["--target", build.target] if build.target else []
            command += ["--no-cache", "--pull"] if build.fresh else []
            for name, value in build.arguments.items():
                command += ["--build-arg", name if name in build.secret else f"{name}={value}"]
            environment = {name: build.arguments[name] for name in build.secret}
            self._run(key, [*command, "-"], archive, environment, build.timeout)
            return _digest(metadata, key)

    def _ask(self, arguments: list[str], answer: str = "") -> str | None:
        """Run a short command; return an error message or None."""
        try:
            done = subprocess.run(
                ["docker", *arguments],
                input=answer,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=ANSWER_TIMEOUT,
                env=self._environment,
                start_new_session=True,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"no reply within {ANSWER_TIMEOUT:.0f} s"
        except OSError as error:
            return error.strerror or str(error)
        if done.returncode == 0:
            return None
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
        return lines[-1] if lines else f"exit code {done.returncode}"

    def _run(
        self, key: str, command: list[str], stdin: IO[bytes], environment: Mapping[str, str], timeout: int
    ) -> None:
        """Run a build to completion."""
        try:
            # A separate session: Ctrl-C reaches only us, and we stop the whole group.
            child = subprocess.Popen(
                command,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={**self._environment, **environment},
                start_new_session=True,
            )
        except OSError as error:
            raise BuildError(f"{key}: docker cannot be started: {error.strerror or error}") from error
        lines: list[str] = []
        reader = threading.Thread(target=self._read, args=(key, child, lines), daemon=True)
        reader.start()
        try:
            self._wait(key, child, timeout)
        finally:
            _end(child)
            reader.join(_GRACE)
        if child.returncode != 0:
            raise BuildError(
                f"{key}: docker buildx build failed with exit code {child.returncode}",
                hint="Correct the build, then run again: other images are kept.",
                details=last_lines("\n".join(lines), LOG_LINES),
            )

    def _wait(self, key: str, child: subprocess.Popen[bytes], timeout: int) -> None:
        if poll(child.poll, control=self._control, limit=float(timeout), pause=lambda began: _LOOK_UP) is None:
            raise BuildError(
                f"{key}: the build is not done after {timeout} s",
                hint="Set docker.build_timeout to more seconds, then run again.",
            )

    def _read(self, key: str, child: subprocess.Popen[bytes], lines: list[str]) -> None:
        assert child.stdout is not None
        with child.stdout as output:
            for line in output:
                text = line.decode("utf-8", "replace").rstrip("\r\n")
                lines.append(text)
                del lines[:-LOG_LINES]
                self._report(key, text)


def _configure(directory: str, server: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Create a configuration directory like the user's, without registry sign-ins; return variables for it."""
    own = environment.get("DOCKER_CONFIG") or os.path.join(os.path.expanduser("~"), ".docker")
    config = _read_config(os.path.join(own, "config.json"))
    # An empty helper name means none: the sign-in is stored in this file, not in the user's key chain.
    config["credHelpers"] = {**_section(config, "credHelpers"), server: ""}
    config["auths"] = {host: value for host, value in _section(config, "auths").items() if host != server}
    plugins = config.get("cliPluginsExtraDirs")
    config["cliPluginsExtraDirs"] = [*(plugins if isinstance(plugins, list) else []), os.path.join(own, "cli-plugins")]
    path = os.path.join(directory, "config.json")
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(config, file)
    with suppress(OSError):  # contexts define the daemon; without links only the default one is available
        os.symlink(os.path.join(own, "contexts"), os.path.join(directory, "contexts"))
    return {
        "DOCKER_CONFIG": directory,
        "BUILDX_CONFIG": environment.get("BUILDX_CONFIG") or os.path.join(own, "buildx"),
    }


def _read_config(path: str) -> dict[str, Any]:
    """Return the user's docker configuration; as in docker, an unreadable one counts as absent."""
    try:
        with open(path, encoding="utf-8") as file:
            config = json.load(file)
    except (OSError, ValueError, RecursionError):
        return {}
    return config if isinstance(config, dict) else {}


def _section(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    section = config.get(name)
    return section if isinstance(section, dict) else {}


def _digest(path: str, key: str) -> str:
    """Return the digest from buildx's metadata file."""
    digest = _read_config(path).get("containerimage.digest")
    if not isinstance(digest, str) or not digest.startswith("sha256:"):
        raise BuildError(
            f"{key}: docker buildx build did not report the digest of the pushed image",
            hint="Update docker-buildx (0.10 or newer), then run again.",
        )
    return digest


def _end(child: subprocess.Popen[bytes]) -> None:
    """Stop a child process and its descendants."""
    for number in (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
        if child.poll() is not None:
            return
        with suppress(OSError):
            if hasattr(os, "killpg"):
                os.killpg(child.pid, number)
            else:
                child.terminate()
        with suppress(subprocess.TimeoutExpired):
            child.wait(_GRACE)
