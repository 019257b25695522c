"""The request to a builder of images."""

from __future__ import annotations

from dataclasses import dataclass, field

from draftgenie_azure.provision.bodies.builds import ImageBuild

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from draftgenie_azure.build_context.context import Context


@dataclass(frozen=True)
class BuildRequest:
    """One image that is wanted.

    Attributes:
        key: the service's key in the configuration.
        repository: the image's name in the registry.
        context: a function that reads the build context again.
        arguments: build arguments; of secret ones (named in `secret_arguments`) only the hash enters the tag.
        force: build although the tag exists, without cache.
        needs_buildkit: whether the registry is to build it with BuildKit.
        way: the reason for it, shown when a build begins.
    """

    key: str
    repository: str
    context: Callable[[], Context]
    dockerfile: str
    platform: str
    timeout: int
    target: str | None = None
    arguments: Mapping[str, str] = field(default_factory=dict, repr=False)
    secret_arguments: Mapping[str, str] = field(default_factory=dict)
    force: bool = False
    needs_buildkit: bool = False
    way: str = ""

    def build(self, image: str, dockerfile: str) -> ImageBuild:
        """The build of a packed context, in which the Dockerfile has this name."""
        return ImageBuild(
            image, dockerfile, self.platform, self.timeout, self.target, self.arguments,
            frozenset(self.secret_arguments), self.force,
        )  # fmt: skip
