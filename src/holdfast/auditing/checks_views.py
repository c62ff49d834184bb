"""The doubt that the views of a defended network raise: do its own gradients lead where others do?"""

from holdfast.auditing.engine_state import Progress
from holdfast.auditing.findings import Finding, finding
from holdfast.auditing.report import Stage
from holdfast.auditing.view import FAR, FAR_IMAGES, FEATURES
from holdfast.defences.views import PLAIN


def views_disagree(found: Progress, stages: tuple[Stage, ...]) -> Finding:
    """Doubt the gradients of a defended network where another view breaks what they leave.

    Attacks on features follow another aim through one of the views, and say nothing of gradients.
    """
    names = [stage.name for stage in stages[1 : 1 + found.fell.shape[1]]]
    plain = found.fell[:, names.index(PLAIN)]
    missed = {name: int((found.fell[:, place] & ~plain).sum()) for place, name in enumerate(names) if name != FEATURES}
    best = max(missed, key=lambda name: missed[name])
    figure = missed[best] / len(plain)
    meaning = (
        f"attacks through '{best}' break {missed[best]} images that the defended network's own gradients leave: these "
        "gradients mislead; believe no robust accuracy measured with them alone (this audit tells the worst of all)"
    )
    return finding(figure > FAR and missed[best] >= FAR_IMAGES, FAR, figure, meaning)
