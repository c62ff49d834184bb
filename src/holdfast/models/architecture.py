"""What can be built by name: a class of networks, and what its name fixes."""

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from holdfast.errors import BadValue, HoldfastError, UnknownName, UsageError, reason, require
from holdfast.models.answer import how_to_say, shown_answer
from holdfast.models.normalized import WIDENED, normalization

Shape = tuple[int, int, int]
"""Channels, rows and columns of an image."""
Answers = Literal["logits", "images"]
"""What a network answers: one row of logits an image, as a classifier does, or an image of the same shape in [0, 1]."""


@dataclass(frozen=True)
class Architecture:
    """A class of networks and the arguments that its name fixes, as in wrn-28-10."""

    network: type[nn.Module]
    fixed: Mapping[str, int] = field(default_factory=dict)
    rebuild: Callable[[nn.Module, int], nn.Module] | None = None
    """What makes another network of it, for this number of classes."""
    answers: Answers = "logits"

    @property
    def summary(self) -> str:
        """Describe the architecture in one line."""
        line = (self.network.__doc__ or "").partition("\n")[0].rstrip(".")
        fixed = [f"{word} {value}" for word, value in self.fixed.items()]
        said = ", ".join(fixed if self.rebuild is None else [*fixed, self.rebuild.__name__])
        return f"{line}; {said}" if said else line

    @property
    def options(self) -> tuple[str, ...]:
        """Name what may be chosen besides the shape of an image and the number of classes."""
        given = {"channels", "classes", "image_size", *self.fixed}
        own = tuple(word for word in inspect.signature(self.network).parameters if word not in given)
        return (*own, "normalize") if self.answers == "logits" else own

    def build(self, name: str, shape: Shape, classes: int, **options: object) -> nn.Module:
        """Return a network with fresh weights, drawn from torch's global generator.

        The option `normalize` names a normalisation to put in place of the network's own.
        """
        channels, rows, columns = shape
        smallest = getattr(self.network, "smallest", 1)
        require(
            min(rows, columns) >= smallest,
            f"'{name}' needs images of at least {smallest}x{smallest}, not {rows}x{columns}",
        )
        check_options(name, options, self.options)
        asked = inspect.signature(self.network).parameters
        normalize = options.pop("normalize", None)
        seen = channels * WIDENED.get(str(normalize), 1)
        taken = getattr(self.network, "taken", (seen,))
        words = f"normalize = '{normalize}' makes {seen} channels of {channels}, and '{name}' takes"
        require(seen == channels or seen in taken, f"{words} {' or '.join(map(str, taken))}", UsageError)
        known = {"channels": seen, "classes": classes, "image_size": (rows, columns)}
        model = self.network(**{word: known[word] for word in known if word in asked}, **self.fixed, **options)
        if self.rebuild is not None:
            model = self.rebuild(model, classes)
        if normalize is not None:
            twice = [word for word in ("mean", "std") if word in options]
            require(not twice, f"normalize = '{normalize}': leave {' and '.join(twice)} out", UsageError)
            require(hasattr(model, "normalized"), f"'{name}' has no normalisation to put '{normalize}' in place of")
            model.normalized = normalization(str(normalize))
        return model


def check_options(name: str, options: Mapping[str, object], known: tuple[str, ...]) -> None:
    """Refuse an option that the network does not have."""
    for word in options:
        if word not in known:
            raise UnknownName(f"option of '{name}'", word, known)


def check_answer(model: nn.Module, name: str, shape: Shape, classes: int, answers: Answers = "logits") -> None:
    """Refuse a network that does not answer two images of this shape with this many logits each, or with two images."""
    modes = [(part, part.training) for part in model.modules()]
    weight = next(model.parameters(), torch.zeros(0))
    try:
        with torch.no_grad():
            pixels = torch.linspace(0, 1, 2 * math.prod(shape), device=weight.device)
            answer = model.eval()(pixels.reshape(2, *shape))
    except HoldfastError:
        raise
    except Exception as fault:
        raise BadValue(f"'{name}' cannot take images of shape {tuple(shape)}: {reason(fault)}") from fault
    finally:
        for part, mode in modes:
            part.training = mode
    wanted = (2, *shape) if answers == "images" else (2, classes)
    each = "an image each" if answers == "images" else "a row each"
    if not isinstance(answer, Tensor):
        needed = how_to_say(answer) or f"{wanted} is needed, {each}"
        raise BadValue(f"'{name}' returns {shown_answer(answer)}: {needed}")
    found = tuple(answer.shape)
    hint = "; of one score z, torch.cat([-z, z], 1) makes the logits of two classes" if found in ((2,), (2, 1)) else ""
    require(found == wanted, f"'{name}' answers two images with shape {found}, not {wanted}, {each}{hint}")
    if answers == "images" and not answer.is_meta:
        require(bool(((answer >= 0) & (answer <= 1)).all()), f"'{name}' answers images with pixels outside [0, 1]")
