"""Some images of an audit, in memory: what a check looks at."""

from dataclasses import dataclass, fields

from holdfast.auditing.engine import Subject
from holdfast.types import Images, Rows


@dataclass(frozen=True)
class Part(Subject):
    """A network and some of the images, in memory."""

    images: Images


def part(subject: Subject, rows: Rows | slice) -> Part:
    """Return the subject with some of its images."""
    whole = {field.name: getattr(subject, field.name) for field in fields(subject)}
    return Part(**whole | {"images": subject.images[rows], "labels": subject.labels[rows]})
