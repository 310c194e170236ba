"""A Kubernetes example for podman 4.3, which knows neither native sidecars nor DaemonSets: plain.py pod|probes FILE

`pod` gives the same Pod with its sidecars as ordinary containers, in the order in which they start; of a DaemonSet the Pod that it makes. Everything
else is as it stands, but for the names of ports, which probes are given as numbers. `probes` gives what the kubelet asks: PORT PATH.
"""

import sys
import yaml


def pod_of(document):
    if document["kind"] == "Pod":
        return document
    template = document["spec"]["template"]
    metadata = {"name": document["metadata"]["name"], **template["metadata"]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


def as_containers(spec):
    sidecars = spec.pop("initContainers", [])
    for sidecar in sidecars:
        assert sidecar.pop("restartPolicy") == "Always", "an init container that is no sidecar has to end first"
    return sidecars + spec["containers"]


def probes_of(container):
    return [container[name]["httpGet"] for name in ("startupProbe", "readinessProbe", "livenessProbe") if name in container]


def number_ports(container):
    numbers = {port["name"]: port["containerPort"] for port in container.get("ports", [])}
    for probe in probes_of(container):
        probe["port"] = numbers.get(probe["port"], probe["port"])


what, file = sys.argv[1:]
with open(file) as text:
    pod = pod_of(yaml.safe_load(text))
containers = pod["spec"]["containers"] = as_containers(pod["spec"])
for container in containers:
    number_ports(container)
if what == "pod":
    yaml.safe_dump(pod, sys.stdout)
else:
    for container in containers:
        for probe in probes_of(container):
            print(probe["port"], probe["path"])
