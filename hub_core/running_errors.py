"""Errors of what runs: deployments, Spaces, clusters, training, budgets. Part of the tree of `hub_core.errors`."""

from __future__ import annotations

from hub_core.errors import Conflict, InvalidInput, LimitExceeded, NotFound, Unavailable


class TooBigForHardware(InvalidInput):
    """The model needs more memory than the asked hardware has; `details` has the estimate, and the hint what it fits on."""

    code = "too_big_for_hardware"


class NoSuchHardware(InvalidInput):
    """The hardware is not in the catalogue, or none of it is in the clusters of this hub; `list_hardware` shows what is."""

    code = "no_such_hardware"


class NoRuntime(InvalidInput):
    """No runtime serves this model on this hardware, or the named one does not; `list_runtimes` shows what each serves."""

    code = "no_runtime"


class ImagesNotBuilt(InvalidInput):
    """The Space has a Dockerfile, and nothing builds images for this hub; the hint says what an operator sets."""

    code = "images_not_built"


class BuildFailed(InvalidInput):
    """The image of a Space cannot be built or pushed; the message has the last lines of its log, or the limit that it went over."""

    code = "build_failed"


class UnsuitableData(InvalidInput):
    """A dataset cannot be learned from or measured on: no rows, or no columns with texts; `details["columns"]` are those it has."""

    code = "unsuitable_data"


class UnsuitableModel(InvalidInput):
    """The model cannot be fine-tuned or evaluated here: no text model, or no weights that can be loaded without running its code."""

    code = "unsuitable_model"


class TrainingDiverged(InvalidInput):
    """The loss of a fine-tune is no number any more; a smaller learning rate or cleaner data helps."""

    code = "training_diverged"


class TrainingOutOfMemory(InvalidInput):
    """A fine-tune or an evaluation needed more memory than its hardware has."""

    code = "training_out_of_memory"


class DeploymentNotFound(NotFound):
    """No such deployment, or not visible to the caller."""

    code = "deployment_not_found"


class AmbiguousDeployment(Conflict):
    """A bare name fits several visible deployments; `details["choices"]` lists them as `namespace/name`."""

    code = "ambiguous_deployment"


class NothingToRollBack(Conflict):
    """The deployment has one revision only."""

    code = "nothing_to_roll_back"


class DeploymentStopped(Conflict):
    """The deployment is stopped, so it answers nothing; start it first."""

    code = "deployment_stopped"


class BudgetSpent(LimitExceeded):
    """The budget that pays for it is used up; nothing was started. `details["until"]` is when the next period begins."""

    code = "budget_spent"


class DeploymentNotReady(Unavailable):
    """The deployment does not answer at this moment: it starts, waits for room, or fails; the message says which."""

    code = "deployment_not_ready"


class ClusterUnavailable(Unavailable):
    """A cluster does not answer; what runs there goes on, and nothing was changed."""

    code = "cluster_unavailable"


class NotIsolated(Unavailable):
    """The kernel of the hub's machine cannot shut in the app of a Space, so it is not run; see `HUB_SPACES_UNCONFINED`."""

    code = "not_isolated"


class ClusterRefused(Unavailable):
    """A cluster does not want what it shall run: a right is missing, a quota is used up, or it finds it wrong; the message says which."""

    code = "cluster_refused"


class RuntimeNotInstalled(Unavailable):
    """The packages of a runtime cannot be installed on this machine; the message has what the installer said."""

    code = "runtime_not_installed"


class TrainingFailed(Unavailable):
    """The program that trains or evaluates ended before its time; the job's log has its last lines."""

    code = "training_failed"
