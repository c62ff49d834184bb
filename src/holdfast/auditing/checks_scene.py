"""What a check is, and what it looks at."""

from collections.abc import Callable
from dataclasses import dataclass, field

from holdfast.auditing.checks_attacks import Breaks
from holdfast.auditing.checks_rations import Ration
from holdfast.auditing.engine import Subject
from holdfast.auditing.engine_state import Progress
from holdfast.auditing.findings import Finding
from holdfast.auditing.part import Part, part
from holdfast.auditing.report import Stage
from holdfast.threats import Threat


@dataclass(frozen=True)
class Scene:
    """What a check looks at: a network, so many images, and after the attacks what these found."""

    subject: Subject
    """All images, with a seed of the checks' own, so that they do not repeat the audit's random numbers."""
    threat: Threat
    right: Part
    """The first images that the network gets right, as many as any check is shown."""
    count: int = 0
    """How many images this check is shown."""
    found: Progress | None = None
    stages: tuple[Stage, ...] = ()
    random: bool = False
    """Whether the network answers at random, so that two of its answers cannot be compared."""
    cut_off: bool = False
    """Whether no gradient reaches the images, so that none can be looked at."""
    breaks: Breaks = field(default_factory=Breaks)
    """What checks that make the same attack share."""

    @property
    def few(self) -> Part:
        """The images that this check is shown of those that the network gets right."""
        return part(self.right, slice(self.count))

    @property
    def some(self) -> Part:
        """The same; where the network gets none right, the first images."""
        return self.few if len(self.right.images) else part(self.subject, slice(self.count))

    @property
    def outcome(self) -> Progress:
        """What the attacks found."""
        assert self.found is not None, "this check is made after the attacks"
        return self.found


@dataclass(frozen=True)
class Kind:
    """One check of the registry."""

    name: str
    criterion: str
    """When it raises a doubt, in words."""
    look: Callable[[Scene], Finding]
    ration: Ration
    """How many images it is shown."""
    misled: bool = False
    """Whether its doubt says that the attacks failed: `standard` then goes on."""
    needs_right: bool = True
    """Whether it is made on images that the network gets right, and does not apply where there are none."""
    compares: bool = False
    """Whether it compares two answers, and does not apply to a network that answers at random."""
    differentiates: bool = False
    """Whether it looks at gradients, and does not apply to a network that gives none."""
    again: bool = False
    """Whether what it finds changes with what the attacks found: it is made again after an escalation."""
    draws_as: str = ""
    """The name under which it draws its random numbers, where that is not its own: checks that share an attack."""
