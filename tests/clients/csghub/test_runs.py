"""`csghub-cli inference` and `finetune`: deployments are listed, started and stopped; nothing is fine-tuned in instances."""

from __future__ import annotations

import pytest

from hub_core.authz import Permission, Visibility
from hub_core.deployments.specs import Asked
from hub_core.deployments.views import DeploymentView
from tests.clients.csghub.conftest import LOCAL_ONLY, Run
from tests.clients.csghub.test_api import send
from tests.common.deploying import add_model
from tests.common.factories import actor_for
from tests.common.hf_hub import HfHub

pytestmark = [pytest.mark.clients, LOCAL_ONLY]


@pytest.fixture
def deployed(hub: HfHub) -> DeploymentView:
    """A deployment of Ann's that is about to run."""
    ann = actor_for(hub.ann)
    repo = add_model(hub.services, ann, f"served-{next(hub.numbers)}")
    name, spec = hub.services.deployments.plan_deploy(ann, repo, None, Asked())
    return hub.services.deployments.deploy(ann, repo, name, spec)


def test_an_instance_is_listed_stopped_and_started(hub: HfHub, run: Run, deployed: DeploymentView) -> None:
    number = str(deployed.id)
    listed = run("inference", "list", "-u", "ann").stdout
    assert [line.split() for line in listed.splitlines() if line.startswith(number)] == [[number, deployed.name, deployed.repo, "queued"]]
    run("inference", "stop", deployed.repo, number)
    deployments, ann = hub.services.deployments, actor_for(hub.ann)
    assert deployments.find(ann, deployed.name).view.stopped
    run("inference", "start", deployed.repo, number)
    assert not deployments.find(ann, deployed.name).view.stopped
    before = deployments.find(ann, deployed.name, Permission.DEPLOYMENT_MANAGE).view.updated_at
    run("inference", "start", deployed.repo, number)
    assert deployments.find(ann, deployed.name).view.updated_at == before, "what runs is left alone"


def test_others_neither_see_nor_change_an_instance(hub: HfHub, run: Run, deployed: DeploymentView) -> None:
    assert deployed.name not in run("inference", "list", "-u", "ann", token=hub.ben_token).stdout
    address = f"models/{deployed.repo}/run/{deployed.id}"
    hub.services.repos.set_visibility(actor_for(hub.ann), hub.services.repos.find(actor_for(hub.ann), deployed.repo), Visibility.PUBLIC)
    hidden = send(hub, "GET", address, hub.ben_token)
    absent = send(hub, "GET", f"models/{deployed.repo}/run/999999", hub.ben_token)
    assert (hidden.status_code, absent.status_code) == (404, 404)
    assert hidden.text.replace(str(deployed.id), "999999") == absent.text
    for token in (hub.ben_token, ""):
        assert send(hub, "PUT", f"{address}/stop", token).status_code == 404
    assert not hub.services.deployments.find(actor_for(hub.ann), deployed.name).view.stopped


def test_the_model_and_the_number_must_fit(hub: HfHub, deployed: DeploymentView) -> None:
    other = hub.repo().full_name
    assert send(hub, "PUT", f"models/{other}/run/{deployed.id}/stop").status_code == 404
    assert send(hub, "GET", f"models/{deployed.repo}/run/first").status_code == 400
    shown = send(hub, "GET", f"models/{deployed.repo}/run/{deployed.id}").json()["data"]
    assert (shown["deploy_id"], shown["model_id"], shown["status"], shown["private"]) == (deployed.id, deployed.repo, "queued", True)
    assert send(hub, "GET", "user/ann/run/model?page=2").status_code == 400


def test_fine_tuning_is_refused_with_a_reason(hub: HfHub, run: Run, deployed: DeploymentView) -> None:
    assert run("finetune", "list", "-u", "ann").stdout.splitlines()[-1].startswith("---")
    assert "no instances to fine-tune in" in run("finetune", "start", deployed.repo, "1").stdout
    assert "no instances to fine-tune in" in run("finetune", "stop", deployed.repo, "1").stdout
    assert send(hub, "PUT", f"models/{deployed.repo}/finetune/1/start", hub.ben_token).status_code == 404
