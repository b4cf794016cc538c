"""Checks rendered manifests: `check.py VERSION MANIFESTS SECRETS`. Prints the objects of other kinds than Kubernetes' own, as
JSON, for check.cjs. Run by deploy/check-manifests."""

import json
import pathlib
import re
import sys

import kubernetes_validate
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
SERVICES = {"conventions": 50051, "followup": 50052, "payments": 50053}
# Connections that PostgreSQL keeps for itself, its operator, migrations and backups.
RESERVED = 30
# Of one instance at most, beside MAX_CONNECTIONS: one for each feed that it follows, four for small pushes.
BESIDE_THE_POOL = {"conventions": 2, "followup": 5, "payments": 1}
# Made on the cluster: by cert-manager (checked against the Certificates) and by CloudNativePG.
OF_OPERATOR = {"postgres-ca": {"ca.crt"}}
OF_CERTIFICATE = {"tls.crt", "tls.key", "ca.crt"}
# Set in an overlay, by every territory for itself; the services do not start without them.
OF_LIBRARIES = re.compile(r"OTEL_[A-Z_]+$|RUST_LOG$")

faults = []


def fault(where, what):
    faults.append(f"{where}: {what}")


def settings():
    """Every setting and its default, from the table of deploy/README.md, which a test compares with the code."""
    text = (ROOT / "deploy/README.md").read_text().split("\n## Settings\n", 1)[1]
    known = {}
    for row in re.findall(r"^\| (`[^|]*) \| ([^|]*) \|", text, re.M):
        for name in re.findall(r"`([A-Z0-9_]+)`", row[0]):
            known[name] = row[1].strip()
    return known


def main():
    version, manifests, secrets = sys.argv[1:]
    objects = [o for o in yaml.safe_load_all(pathlib.Path(manifests).read_text()) if o]
    given = [o for o in yaml.safe_load_all(pathlib.Path(secrets).read_text()) if o]
    foreign = []
    for o in objects + given:
        where = f"{o['kind']}/{o['metadata']['name']}"
        group = o["apiVersion"].split("/")[0]
        if "." in group and not group.endswith(".k8s.io") or group.endswith((".cert-manager.io", ".cnpg.io")):
            foreign.append(o)
            continue
        try:
            kubernetes_validate.validate(o, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            fault(where, f"{'.'.join(map(str, error.path))}: {error.message}")

    by = {(o["kind"], o["metadata"]["name"]): o for o in objects}
    kept = {o["metadata"]["name"]: set(o["data"]) for o in given} | dict(OF_OPERATOR)
    for o in foreign:
        if o["kind"] == "Certificate":
            kept[o["spec"]["secretName"]] = OF_CERTIFICATE
    check_certificates(foreign, by)
    check_database(foreign, kept, given)
    known = settings()
    connections = 0
    for o in objects:
        if o["kind"] not in ("Deployment", "Job"):
            continue
        where = f"{o['kind']}/{o['metadata']['name']}"
        pod = o["spec"]["template"]["spec"]
        check_pod(where, pod)
        check_references(where, pod, by, kept)
        service = o["metadata"]["labels"]["app.kubernetes.io/name"]
        container = pod["containers"][0]
        env = {}
        for source in container.get("envFrom", []):
            env |= by.get(("ConfigMap", source["configMapRef"]["name"]), {}).get("data", {})
        env |= {e["name"]: e["value"] for e in container["env"]}
        for name in env:
            if name not in known and not OF_LIBRARIES.match(name):
                fault(where, f"no program reads {name}")
        check_files(where, env, container, pod, kept)
        if o["kind"] == "Deployment":
            check_service(where, o, service, env, by)
            scaler = by[("HorizontalPodAutoscaler", service)]["spec"]["maxReplicas"]
            surge = o["spec"]["strategy"].get("rollingUpdate", {}).get("maxSurge", 0)
            connections += (int(env["MAX_CONNECTIONS"]) + BESIDE_THE_POOL[service]) * (scaler + surge)
        else:
            wanted = {f"{service.upper()}_OWNER_DATABASE_URL"}
            if set(env) != wanted:
                fault(where, f"a migration is given {sorted(env)} instead of {sorted(wanted)}")
    cluster = by[("Cluster", "postgres")]["spec"]
    most = int(cluster["postgresql"]["parameters"]["max_connections"])
    if connections + RESERVED > most:
        fault("Cluster/postgres", f"{connections} connections of services and {RESERVED} others, max_connections is {most}")
    check_network(by)
    if faults:
        sys.exit("\n".join(faults))
    json.dump(foreign, sys.stdout)


def check_pod(where, pod):
    if pod.get("securityContext", {}).get("runAsNonRoot") is not True:
        fault(where, "may run as root")
    if pod["securityContext"].get("seccompProfile", {}).get("type") != "RuntimeDefault":
        fault(where, "has no profile of system calls")
    if pod.get("automountServiceAccountToken") is not False:
        fault(where, "is given a token of the cluster")
    for container in pod["containers"]:
        context = container.get("securityContext", {})
        if context.get("allowPrivilegeEscalation") is not False or context.get("capabilities") != {"drop": ["ALL"]}:
            fault(where, "keeps privileges")
        if context.get("readOnlyRootFilesystem") is not True:
            fault(where, "writes into its image")
        for bound in ("requests", "limits"):
            if set(container.get("resources", {}).get(bound, {})) != {"cpu", "memory"}:
                fault(where, f"has no {bound}")


def check_references(where, pod, by, kept):
    for volume in pod.get("volumes", []):
        if "secret" in volume:
            name = volume["secret"]["secretName"]
            missing = {i["key"] for i in volume["secret"].get("items", [])} - kept.get(name, set())
            if name not in kept or missing:
                fault(where, f"nobody makes the Secret {name} {sorted(missing)}")
        claim = volume.get("persistentVolumeClaim")
        if claim and ("PersistentVolumeClaim", claim["claimName"]) not in by:
            fault(where, f"no volume claim {claim['claimName']}")
    names = {v["name"] for v in pod.get("volumes", [])}
    for container in pod["containers"]:
        mounted = {m["name"] for m in container.get("volumeMounts", [])}
        if mounted != names:
            fault(where, f"volumes {sorted(names)}, mounted {sorted(mounted)}")
        for source in container.get("envFrom", []):
            if ("ConfigMap", source["configMapRef"]["name"]) not in by:
                fault(where, f"no ConfigMap {source['configMapRef']['name']}")
    if ("ServiceAccount", pod["serviceAccountName"]) not in by:
        fault(where, f"no ServiceAccount {pod['serviceAccountName']}")


def check_files(where, env, container, pod, kept):
    """Each setting that is a path leads to a key of a mounted Secret."""
    volumes = {v["name"]: v for v in pod.get("volumes", [])}
    mounts = {m["mountPath"]: volumes.get(m["name"], {}) for m in container.get("volumeMounts", [])}
    for name, value in env.items():
        path = value.removeprefix("@")
        if not path.startswith("/"):
            continue
        folder, _, key = path.rpartition("/")
        if path in mounts:
            continue
        secret = mounts.get(folder, {}).get("secret", {}).get("secretName")
        if key not in kept.get(secret, set()):
            fault(where, f"{name} is {value}: nothing is mounted there")


def check_service(where, deployment, service, env, by):
    port = SERVICES[service]
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    if [p["containerPort"] for p in container["ports"]] != [port] or env.get(f"{service.upper()}_LISTEN") != f"0.0.0.0:{port}":
        fault(where, f"does not listen on {port}")
    if by[("Service", service)]["spec"]["ports"][0]["port"] != port:
        fault(f"Service/{service}", f"is not at {port}")
    wanted = {
        f"{service.upper()}_DATABASE_URL", "AUTH_ISSUER", "AUTH_JWKS", "TLS_CERTIFICATE", "TLS_KEY", "TLS_AUTHORITIES", "TLS_PEERS",
    } | {
        "conventions": {"FOLLOWUP_URL", "PAYMENTS_URL", "FILES_LOCATION"},
        "followup": {"CONVENTIONS_URL", "FOLLOWUP_KEYS_FILE"},
        "payments": {"CONVENTIONS_URL"},
    }[service]
    for name in sorted(wanted - set(env)):
        fault(where, f"{name} is not set")
    for name, value in env.items():
        peer = re.fullmatch(r"(CONVENTIONS|FOLLOWUP|PAYMENTS)_URL", name)
        if peer and value != f"https://{peer[1].lower()}:{SERVICES[peer[1].lower()]}":
            fault(where, f"{name} is {value}")
    spec = deployment["spec"]["template"]["spec"]
    pause = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    least = pause + int(env["DRAIN_TIMEOUT_MS"]) / 1000 + 15
    if spec["terminationGracePeriodSeconds"] < least:
        fault(where, f"is killed before {least} s")
    for probe in ("startupProbe", "readinessProbe"):
        if container[probe]["exec"]["command"] != [f"/usr/local/bin/nonrecours-{service}", "health"]:
            fault(where, f"{probe} does not ask the service")
    selector = deployment["spec"]["selector"]["matchLabels"]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    for other in (("Service", service), ("PodDisruptionBudget", service)):
        chosen = by[other]["spec"]["selector"]
        chosen = chosen.get("matchLabels", chosen)
        if not chosen.items() <= labels.items():
            fault("/".join(other), f"selects {chosen}, not {labels}")
    if not selector.items() <= labels.items():
        fault(where, f"selects {selector}, not {labels}")
    program = pathlib.Path(ROOT / "deploy/Dockerfile").read_text()
    if f"EXPOSE {port}" not in program or f"/usr/local/bin/nonrecours-{service}" not in program:
        fault(where, "the Dockerfile says otherwise")


def check_certificates(foreign, by):
    for service in SERVICES:
        certificate = by[("Certificate", service)]["spec"]
        if certificate["dnsNames"][0] != service or certificate["secretName"] != f"{service}-tls":
            fault(f"Certificate/{service}", "is not what the service shows")
    for o in foreign:
        reference = o["spec"].get("issuerRef")
        if reference and ("Issuer", reference["name"]) not in by:
            fault(f"Certificate/{o['metadata']['name']}", f"no Issuer {reference['name']}")


def check_database(foreign, kept, given):
    cluster = next(o for o in foreign if o["kind"] == "Cluster")["spec"]
    roles = {r["name"]: r for r in cluster["managed"]["roles"]}
    databases = {cluster["bootstrap"]["initdb"]["database"]: cluster["bootstrap"]["initdb"]["owner"]}
    databases |= {o["spec"]["name"]: o["spec"]["owner"] for o in foreign if o["kind"] == "Database"}
    if databases != {service: f"{service}_owner" for service in SERVICES}:
        fault("Cluster/postgres", f"databases and owners {databases}")
    if set(roles) != {f"{service}_{kind}" for service in SERVICES for kind in ("owner", "app")}:
        fault("Cluster/postgres", f"roles {sorted(roles)}")
    for name, role in roles.items():
        if any(role.get(power) for power in ("superuser", "createdb", "createrole", "replication", "bypassrls")):
            fault("Cluster/postgres", f"{name} has a power that it must not have")
        if {"username", "password"} - kept.get(role["passwordSecret"]["name"], set()):
            fault("Cluster/postgres", f"nobody makes the Secret of {name}")


def check_network(by):
    """Each pod is bound by what is denied by default; each way between two services is open at both ends."""
    nothing = by[("NetworkPolicy", "nothing")]["spec"]
    if nothing != {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}:
        fault("NetworkPolicy/nothing", "denies less than everything")
    for o in by.values():
        if o["kind"] != "Deployment":
            continue
        caller = o["metadata"]["name"]
        for e in o["spec"]["template"]["spec"]["containers"][0]["env"]:
            peer = re.fullmatch(r"https://([a-z]+):(\d+)", e["value"])
            if not peer:
                continue
            service, port = peer[1], int(peer[2])
            out = by[("NetworkPolicy", caller)]["spec"]["egress"]
            into = by[("NetworkPolicy", service)]["spec"]["ingress"]
            for rules, side, other in ((out, "to", service), (into, "from", caller)):
                open_ = any(
                    {"port": port} in rule["ports"]
                    and any(end.get("podSelector", {}).get("matchLabels", {}).get("app.kubernetes.io/name") == other for end in rule[side])
                    for rule in rules
                )
                if not open_:
                    fault(f"NetworkPolicy/{caller if side == 'to' else service}", f"{caller} does not reach {service}")


main()
