"""The Helm chart, rendered by a real Helm: Kubernetes takes its objects, they fit each other, and say to the hub what it understands."""

from __future__ import annotations

import copy
import json
import re
import tomllib
from typing import Any

import pytest
import yaml

from hub_core.settings import load_settings
from tests.architecture.sources import ROOT
from tests.common.helm import CHART, Helm, Values, helm_missing, unpack_helm
from tests.common.manifests import check
from tests.functional.clusters.test_rights import documented

pytestmark = pytest.mark.xdist_group("chart")

DATABASE = "postgresql+psycopg://hub:s3cr3t-database@db/hub"
EXTERNAL: Values = {
    "mode": "external",
    "settings": {"HUB_STORAGE_URL": "s3://hub", "HUB_S3_ENDPOINT_URL": "http://minio:9000"},
    "secrets": {"HUB_DATABASE_URL": DATABASE, "HUB_S3_ACCESS_KEY": "s3cr3t-access", "HUB_S3_SECRET_KEY": "s3cr3t-store"},
}
INGRESS = {"enabled": True, "className": "nginx", "host": "hub.example.com", "tlsSecret": "hub-tls"}
EVERYTHING: Values = {
    **EXTERNAL,
    "replicas": 3,
    "existingSecret": "hub-secrets",
    "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
    "imagePullSecrets": [{"name": "pull"}],
    "service": {"type": "NodePort", "port": 8080, "annotations": {"a": "b"}},
    "ssh": {"enabled": True, "port": 2022, "annotations": {"a": "b"}},
    "ingress": INGRESS,
    "trustedProxies": "10.0.0.0/8",
    "clusters": {"inCluster": True, "kubeconfigSecret": "other-clusters"},
    "networkPolicy": {"enabled": True, "from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress"}}}]},
    "serviceAccount": {"annotations": {"a": "b"}},
    "podAnnotations": {"prometheus.io/scrape": "true"},
    "podLabels": {"team": "ml"},
    "nodeSelector": {"disk": "fast"},
    "tolerations": [{"key": "ml", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "priorityClassName": "high",
    "extraVolumes": [{"name": "catalog", "configMap": {"name": "catalog"}}],
    "extraVolumeMounts": [{"name": "catalog", "mountPath": "/etc/hubtalk/catalog"}],
}
CASES: dict[str, Values] = {
    "nothing said": {},
    "one's own volume": {"persistence": {"existingClaim": "mine"}, "serviceAccount": {"name": "mine"}},
    "a volume by size": {"persistence": {"size": "1Ti", "storageClass": "fast"}, "ssh": {"enabled": True}, "ingress": INGRESS},
    "several replicas": {**EXTERNAL, "replicas": 2},
    "everything": EVERYTHING,
    "secrets of one's own": {**EXTERNAL, "secrets": {}, "existingSecret": "mine", "networkPolicy": {"enabled": True}},
}
all_cases = pytest.mark.parametrize("values", CASES.values(), ids=CASES.keys())


@pytest.fixture(scope="module")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    if missing := helm_missing():
        pytest.skip(f"{missing} is not installed")
    return unpack_helm(tmp_path_factory.mktemp("helm"))


class Objects:
    """What was rendered, by kind and name."""

    def __init__(self, bodies: list[Values]) -> None:
        self.bodies = bodies

    def all(self, kind: str) -> list[Values]:
        return [body for body in self.bodies if body["kind"] == kind]

    def one(self, kind: str) -> Any:
        (found,) = self.all(kind)
        return found

    def names(self, kind: str) -> set[str]:
        return {body["metadata"]["name"] for body in self.all(kind)}

    @property
    def pods(self) -> Any:
        return self.one("Deployment")["spec"]["template"]

    @property
    def hub(self) -> Any:
        (container,) = self.pods["spec"]["containers"]
        return container


def rendered(helm: Helm, values: Values) -> Objects:
    return Objects(helm.render(values))


def test_helm_finds_nothing_wrong(helm: Helm) -> None:
    helm("lint", "--strict", str(CHART), values={})


@all_cases
def test_kubernetes_takes_every_object(helm: Helm, values: Values) -> None:
    objects = rendered(helm, values)
    for body in objects.bodies:
        seen = copy.deepcopy(body)
        if body["kind"] == "Deployment":
            # Our rule is that no pod has a token; the hub has one where it speaks to the cluster.
            asked = values.get("clusters", {}).get("inCluster", False)
            assert seen["spec"]["template"]["spec"].pop("automountServiceAccountToken") is asked
            seen["spec"]["template"]["spec"]["automountServiceAccountToken"] = False
        check(seen)
    assert len({(body["kind"], body["metadata"]["name"]) for body in objects.bodies}) == len(objects.bodies)
    assert objects.hub["securityContext"]["readOnlyRootFilesystem"] is True


@all_cases
def test_the_objects_fit_each_other(helm: Helm, values: Values) -> None:
    objects = rendered(helm, values)
    labels, spec = objects.pods["metadata"]["labels"], objects.pods["spec"]
    ports = {port["name"]: port["containerPort"] for port in objects.hub["ports"]}
    for service in objects.all("Service"):
        assert service["spec"]["selector"].items() <= labels.items()
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= set(ports)
    for kind, where in (("PodDisruptionBudget", "selector"), ("NetworkPolicy", "podSelector")):
        for body in objects.all(kind):
            assert body["spec"][where]["matchLabels"].items() <= labels.items()
    for policy in objects.all("NetworkPolicy"):
        assert {port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]} == set(ports)
    for ingress in objects.all("Ingress"):
        (backend,) = [path["backend"]["service"] for rule in ingress["spec"]["rules"] for path in rule["http"]["paths"]]
        (service,) = [one for one in objects.all("Service") if one["metadata"]["name"] == backend["name"]]
        assert backend["port"]["name"] in {port["name"] for port in service["spec"]["ports"]}
    account = values.get("serviceAccount", {}).get("name")
    assert spec["serviceAccountName"] in ({account} if account else objects.names("ServiceAccount"))
    claims = {volume["persistentVolumeClaim"]["claimName"] for volume in spec["volumes"] if "persistentVolumeClaim" in volume}
    assert claims <= {values.get("persistence", {}).get("existingClaim"), *objects.names("PersistentVolumeClaim")}
    assert bool(claims) is (values.get("mode") != "external")
    sources = {source["secretRef"]["name"] for source in objects.hub["envFrom"] if "secretRef" in source}
    assert sources == objects.names("Secret") | ({values["existingSecret"]} if "existingSecret" in values else set())


@all_cases
def test_secrets_are_in_the_secret_only(helm: Helm, values: Values) -> None:
    for body in rendered(helm, values).bodies:
        assert body["kind"] == "Secret" or "s3cr3t" not in json.dumps(body), body["kind"]


@all_cases
def test_the_hub_reads_its_environment(helm: Helm, values: Values) -> None:
    objects = rendered(helm, values)
    environment = dict(objects.one("ConfigMap")["data"])
    for secret in objects.all("Secret"):
        environment |= secret["stringData"]
    settings = load_settings(environment)
    assert settings.public_url == ("https://hub.example.com" if "ingress" in values else "")
    assert settings.ssh_port == (values["ssh"].get("port", 2222) if "ssh" in values else 0)
    assert settings.storage.startswith("s3://hub" if values.get("mode") == "external" else "file://")
    if "clusters" in values:
        assert settings.clusters == "in-cluster"
        assert settings.cluster_hub_url == "http://hub-hubtalk.ml.svc:8080"
        assert settings.cluster_peers == "ml"


def test_numbers_and_switches_arrive_as_the_hub_reads_them(helm: Helm) -> None:
    said = {"HUB_GATEWAY_TOKENS": 123_000_000, "HUB_REPO_QUOTA_GB": 0.5, "HUB_DEMO": False, "HUB_LOG_LEVEL": "debug"}
    settings = load_settings(rendered(helm, {"settings": said}).one("ConfigMap")["data"])
    assert (settings.gateway_tokens, settings.repo_quota_gb, settings.demo, settings.log_level) == (123_000_000, 0.5, False, "debug")


def test_what_the_values_say_wins_over_what_the_chart_works_out(helm: Helm) -> None:
    said = {"HUB_PUBLIC_URL": "https://elsewhere.example.com", "HUB_CLUSTERS": "in-cluster,lab"}
    data = rendered(helm, {"settings": said, "ingress": INGRESS, "clusters": {"inCluster": True}}).one("ConfigMap")["data"]
    assert said.items() <= data.items()


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"replicas": 2}, "Set mode: external"),
        ({"mode": "external", "settings": EXTERNAL["settings"]}, "needs PostgreSQL"),
        ({**EXTERNAL, "secrets": {"HUB_DATABASE_URL": "sqlite:///hub.db"}}, "must be postgresql"),
        ({**EXTERNAL, "settings": {}}, "set HUB_STORAGE_URL"),
        ({"secrets": EXTERNAL["secrets"]}, "set mode: external"),
        ({"settings": EXTERNAL["settings"]}, "set mode: external"),
        ({"extraEnv": [{"name": "HUB_DATABASE_URL", "value": DATABASE}]}, "set mode: external"),
        ({"ingress": {"enabled": True}}, "ingress.host"),
        ({"clusters": {"kubeconfigSecret": "mine"}}, "HUB_CLUSTERS"),
        ({"settings": {"HUB_LOGLEVEL": "debug"}}, "HUB_LOGLEVEL"),
        ({"settings": {"HUB_ADMIN_PASSWORD": "x"}}, "HUB_ADMIN_PASSWORD"),
        ({"settings": {"HUB_PORT": 80}}, "HUB_PORT"),
        ({"secrets": {"HUB_LOG_LEVEL": "debug"}}, "HUB_LOG_LEVEL"),
        ({"ssh": {"port": 22}}, "1,024"),
        ({"ingres": {"enabled": True}}, "ingres"),
        ({"mode": "file"}, "mode"),
        ({"persistence": {"size": "20 GB"}}, "size"),
    ],
)
def test_what_cannot_work_is_refused(helm: Helm, values: Values, told: str) -> None:
    with pytest.raises(RuntimeError, match=re.escape(told)):
        helm.render(values)


def test_a_change_of_a_setting_or_a_secret_starts_the_pods_anew(helm: Helm) -> None:
    def marks(**changes: Any) -> Any:
        return rendered(helm, {**EXTERNAL, **changes}).pods["metadata"]["annotations"]

    before = marks()
    assert marks() == before
    assert marks(settings={**EXTERNAL["settings"], "HUB_DEMO": False}) != before
    assert marks(secrets={**EXTERNAL["secrets"], "HUB_ADMIN_TOKEN": "new"}) != before
    assert marks(replicas=2) == before


def test_two_hubs_never_share_a_volume_and_it_outlives_the_release(helm: Helm) -> None:
    objects = rendered(helm, {})
    assert objects.one("Deployment")["spec"]["strategy"] == {"type": "Recreate"}
    assert objects.one("PersistentVolumeClaim")["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


def test_a_change_of_several_replicas_takes_none_away_first(helm: Helm) -> None:
    objects = rendered(helm, {**EXTERNAL, "replicas": 3})
    assert objects.one("Deployment")["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert objects.one("PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    assert not rendered(helm, EXTERNAL).all("PodDisruptionBudget")


def test_releases_of_one_name_in_two_namespaces_share_nothing_in_the_cluster(helm: Helm) -> None:
    values = {"clusters": {"inCluster": True}}
    names = [Objects(helm.render(values, name, namespace)).names("ClusterRole") for name, namespace in (("b-c", "a"), ("c", "a-b"))]
    assert not names[0] & names[1]


def test_the_rights_are_those_of_the_page_and_only_where_they_are_used(helm: Helm) -> None:
    objects = rendered(helm, {"clusters": {"inCluster": True}})
    assert objects.one("ClusterRole")["rules"] == documented()[0]["rules"]
    (subject,) = objects.one("ClusterRoleBinding")["subjects"]
    assert subject == {"kind": "ServiceAccount", "name": objects.pods["spec"]["serviceAccountName"], "namespace": "ml"}
    assert not rendered(helm, {}).all("ClusterRole")


def test_pods_that_the_hub_runs_may_download_from_it(helm: Helm) -> None:
    (rule,) = rendered(helm, EVERYTHING).one("NetworkPolicy")["spec"]["ingress"]
    assert {"namespaceSelector": {"matchLabels": {"app.kubernetes.io/managed-by": "hubtalk"}}} in rule["from"]
    (rule,) = rendered(helm, CASES["secrets of one's own"]).one("NetworkPolicy")["spec"]["ingress"]
    assert "from" not in rule


def test_people_are_told_where_the_hub_is_and_what_is_missing(helm: Helm) -> None:
    first = helm.notes({})
    assert "port-forward service/hub-hubtalk 8000:80" in first
    assert "was made up" in first
    later = helm.notes({**EXTERNAL, "ingress": INGRESS, "secrets": {**EXTERNAL["secrets"], "HUB_ADMIN_PASSWORD": "s3cr3t"}})
    assert "https://hub.example.com" in later
    assert "HUB_SECRET_KEY" in later
    assert "was made up" not in later
    assert "s3cr3t" not in first + later


def test_the_chart_fits_the_image_and_the_version(helm: Helm) -> None:
    about = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert about["appVersion"] == about["version"] == version
    image = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    objects = rendered(helm, {"ssh": {"enabled": True}})
    assert [str(port["containerPort"]) for port in objects.hub["ports"]] == re.findall(r"^EXPOSE (.+)$", image, re.MULTILINE)[0].split()
    assert f"--uid {objects.pods['spec']['securityContext']['runAsUser']} " in image
    assert {"name": "data", "mountPath": re.findall(r"^VOLUME (.+)$", image, re.MULTILINE)[0]} in objects.hub["volumeMounts"]


def test_every_value_has_a_place_in_the_schema() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    assert set(values) == set(schema["properties"]) - {"global"}
    for name, inside in values.items():
        own = schema["properties"][name].get("properties")
        assert own is None or name in {"settings", "secrets"} or set(inside) == set(own)
