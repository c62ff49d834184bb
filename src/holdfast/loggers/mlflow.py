"""MLflow, on a server or in a folder or database of this machine, as its address says."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from holdfast.devices import need
from holdfast.loggers.logger import Write, flat, told
from holdfast.storage.describe import Described

EXPERIMENT, TAG = "holdfast", "holdfast.run"


@dataclass(frozen=True)
class MLflow:
    """A run in the experiment "holdfast", tagged with the name of holdfast's run: carried out again, it is the same."""

    uri: str | None = None
    """http://..., sqlite:///FILE; without it, what $MLFLOW_TRACKING_URI says."""

    def __post_init__(self) -> None:
        """Refuse to begin without the package."""
        need("mlflow")

    @contextmanager
    def open(self, name: str, run: Described, folder: Path, step: int) -> Iterator[Write]:
        """Begin the run there with its fields as parameters, or go on with it."""
        where = f"mlflow:{self.uri or ''}"
        with told(where):
            from mlflow import MlflowClient

            client = MlflowClient(self.uri)
            found = client.get_experiment_by_name(EXPERIMENT)
            experiment = found.experiment_id if found else client.create_experiment(EXPERIMENT)
            before = client.search_runs([experiment], f"tags.`{TAG}` = '{name}'")
            ours = before[0] if before else client.create_run(experiment, run_name=folder.name, tags={TAG: name})
            place = ours.info.run_id
            for field, value in {} if before else flat(run).items():
                client.log_param(place, field, str(value)[:500])
            client.update_run(place, status="RUNNING")

        def write(at: int, values: Mapping[str, float]) -> None:
            with told(where):
                for term, value in values.items():
                    client.log_metric(place, term, value, step=at)

        try:
            yield write
        except BaseException:
            client.set_terminated(place, "FAILED")
            raise
        client.set_terminated(place)
