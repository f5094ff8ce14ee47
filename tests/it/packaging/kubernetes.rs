//! The folders for `kubectl kustomize`. `.ci/run` runs these tests with an old kubectl and with a current one.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use regex::Regex;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{documents, manifests::check, of_kind, parse, path, text};
use crate::support::tools::{KUBECTL, find};

/// The output of `kubectl kustomize` for a folder.
fn render(kubectl: &Path, folder: &Path) -> String {
    let output = Command::new(kubectl).arg("kustomize").arg(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A copy of the folders, for changes.
fn copy() -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    let copied = Command::new("cp").arg("-r").arg(path("kubernetes/.")).arg(copy.path()).status().unwrap();
    assert!(copied.success());
    copy
}

fn append(file: PathBuf, line: &str) {
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{text}{line}\n")).unwrap();
}

/// The names of the configuration and of the secret, which the pod and the monitor must use.
fn generated_names(manifests: &[Value]) -> [String; 2] {
    let name = |kind| of_kind(manifests, kind)["metadata"]["name"].as_str().unwrap().to_owned();
    let (config, secret) = (name("ConfigMap"), name("Secret"));
    let volumes = &of_kind(manifests, "Deployment")["spec"]["template"]["spec"]["volumes"];
    let volumes = volumes.as_array().unwrap();
    assert!(volumes.iter().any(|volume| volume["configMap"]["name"] == config), "{volumes:?}");
    assert!(volumes.iter().any(|volume| volume["secret"]["secretName"] == secret), "{volumes:?}");
    let endpoint = &of_kind(manifests, "ServiceMonitor")["spec"]["endpoints"][0];
    assert_eq!(endpoint["authorization"]["credentials"]["name"], secret);
    [config, secret]
}

#[test]
fn a_change_of_configuration_or_secret_replaces_the_pod() {
    let Some(kubectl) = find(&KUBECTL) else { return };
    let folders = copy();
    let names = || generated_names(&parse(&render(&kubectl, &folders.path().join("monitoring"))));
    let [config, secret] = names();
    append(folders.path().join("single/config.yml"), "timezone: Asia/Shanghai");
    let [changed_config, same_secret] = names();
    assert_ne!(changed_config, config);
    assert_eq!(same_secret, secret);
    append(folders.path().join("single/secrets/ops_secret"), "changed");
    let [same_config, changed_secret] = names();
    assert_eq!(same_config, changed_config);
    assert_ne!(changed_secret, secret);
}

#[test]
fn the_plain_manifest_is_what_kubectl_renders() {
    let Some(kubectl) = find(&KUBECTL) else { return };
    let hash = Regex::new("(?m)(: wecom-relay)-[a-z0-9]{10}$").unwrap();
    let rendered = render(&kubectl, &path("kubernetes/single"));
    let mut rendered = parse(&hash.replace_all(&rendered, "$1"));
    rendered.retain(|document| document["kind"] != "Secret");
    let mut plain = documents("kubernetes/wecom-relay.yaml");
    for manifests in [&mut rendered, &mut plain] {
        manifests.sort_by_key(|document| document["kind"].as_str().unwrap().to_owned());
    }
    assert_eq!(plain, rendered, "run packaging/kubernetes/render");
}

#[test]
fn every_folder_renders_its_resources() {
    let Some(kubectl) = find(&KUBECTL) else { return };
    let base = ["Deployment", "NetworkPolicy", "Service"];
    let single = ["ConfigMap", "Deployment", "NetworkPolicy", "PersistentVolumeClaim", "Secret", "Service"];
    let monitoring = [&single[..], &["PrometheusRule", "ServiceMonitor"]].concat();
    let replicas = [
        "ConfigMap",
        "Deployment",
        "NetworkPolicy",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "Secret",
        "Service",
    ];
    let buttons = [&single[..], &["Ingress", "NetworkPolicy", "Service"]].concat();
    for (folder, expected) in [
        ("base", &base[..]),
        ("single", &single),
        ("replicas", &replicas),
        ("monitoring", &monitoring),
        ("buttons", &buttons),
    ] {
        let manifests = parse(&render(&kubectl, &path("kubernetes").join(folder)));
        let kinds: Vec<_> = manifests.iter().map(|manifest| manifest["kind"].as_str().unwrap()).collect();
        assert_eq!(kinds.len(), expected.len(), "{folder}: {kinds:?}");
        for kind in expected {
            let labels = &of_kind(&manifests, kind)["metadata"]["labels"];
            assert_eq!(labels, &json!({ "app.kubernetes.io/name": "wecom-relay" }), "{folder}: {kind}");
        }
    }
}

#[test]
fn replicas_roll_without_a_gap_and_share_no_node() {
    let Some(kubectl) = find(&KUBECTL) else { return };
    let manifests = parse(&render(&kubectl, &path("kubernetes/replicas")));
    let spec = &of_kind(&manifests, "Deployment")["spec"];
    assert_eq!(spec["replicas"], 2);
    assert_eq!(spec["strategy"]["rollingUpdate"], json!({ "maxUnavailable": 0, "maxSurge": 1 }));
    let pod = &spec["template"]["spec"];
    assert!(pod["securityContext"]["fsGroup"].is_null());
    assert_eq!(pod["topologySpreadConstraints"][0]["topologyKey"], "kubernetes.io/hostname");
    let mounts = pod["containers"][0]["volumeMounts"].as_array().unwrap();
    assert!(mounts.iter().all(|mount| mount["readOnly"] == true), "{mounts:?}");
    let labels = &spec["template"]["metadata"]["labels"];
    assert_eq!(&of_kind(&manifests, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"], labels);
    assert_eq!(of_kind(&manifests, "Service")["spec"]["publishNotReadyAddresses"], false);
}

/// The manifest of this kind and name.
fn named<'m>(manifests: &'m [Value], kind: &str, name: &str) -> &'m Value {
    let found = manifests.iter().find(|one| one["kind"] == kind && one["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("there is no {kind} {name}"))
}

#[test]
fn buttons_open_the_callback_and_the_way_to_alertmanager() {
    let Some(kubectl) = find(&KUBECTL) else { return };
    let manifests = parse(&render(&kubectl, &path("kubernetes/buttons")));
    let yaml = of_kind(&manifests, "ConfigMap")["data"]["config.yml"].as_str().unwrap();
    let config = check(yaml, "/run/secrets/wecom-relay").config;
    let port = config.server.callback_listen.unwrap().port();
    let pod = &of_kind(&manifests, "Deployment")["spec"]["template"]["spec"]["containers"][0];
    let ports = pod["ports"].as_array().unwrap();
    assert!(ports.contains(&json!({ "name": "callback", "containerPort": port })), "{ports:?}");
    let service = &named(&manifests, "Service", "wecom-relay-callback")["spec"];
    assert_eq!(service["ports"], json!([{ "name": "callback", "port": port, "targetPort": "callback" }]));
    assert_eq!(service["selector"], named(&manifests, "Service", "wecom-relay")["spec"]["selector"]);
    let rule = &of_kind(&manifests, "Ingress")["spec"]["rules"][0];
    let external = config.server.callback_external_url.unwrap();
    assert_eq!(external.origin, format!("https://{}", rule["host"].as_str().unwrap()));
    let http = &rule["http"]["paths"][0];
    assert_eq!(http["path"], "/callback/");
    assert_eq!(
        http["backend"]["service"],
        json!({ "name": "wecom-relay-callback", "port": { "name": "callback" } })
    );
    let policy = &named(&manifests, "NetworkPolicy", "wecom-relay-buttons")["spec"];
    assert_eq!(policy["ingress"][0]["ports"], json!([{ "protocol": "TCP", "port": "callback" }]));
    let alertmanager = config.alertmanager.unwrap().url.to_string();
    let port: u16 = alertmanager.rsplit_once(':').unwrap().1.parse().unwrap();
    assert_eq!(policy["egress"][0]["ports"], json!([{ "protocol": "TCP", "port": port }]));
    let secret = of_kind(&manifests, "Secret")["data"].as_object().unwrap();
    let names: Vec<_> = secret.keys().map(String::as_str).collect();
    assert_eq!(names, ["ops_callback_aes_key", "ops_callback_token", "ops_secret", "relay_token"]);
}

#[test]
fn buttons_work_with_several_replicas_too() {
    let Some(kubectl) = find(&KUBECTL) else { return };
    let folders = copy();
    let file = folders.path().join("buttons/kustomization.yaml");
    let of_replicas = fs::read_to_string(&file).unwrap().replace("  - ../single\n", "  - ../replicas\n");
    fs::write(&file, of_replicas).unwrap();
    let manifests = parse(&render(&kubectl, &folders.path().join("buttons")));
    let spec = &of_kind(&manifests, "Deployment")["spec"];
    assert_eq!(spec["replicas"], 2);
    let ports = spec["template"]["spec"]["containers"][0]["ports"].as_array().unwrap();
    assert!(ports.iter().any(|port| port["name"] == "callback"), "{ports:?}");
    let secret = of_kind(&manifests, "Secret")["data"].as_object().unwrap();
    assert!(secret.contains_key("outbox_url") && secret.contains_key("ops_callback_token"), "{secret:?}");
}

#[test]
fn the_secret_has_the_files_that_the_configuration_names() {
    for (folder, expected) in [
        ("single", &["ops_secret", "relay_token"][..]),
        ("replicas", &["ops_secret", "relay_token", "outbox_url"]),
    ] {
        let kustomization = &documents(&format!("kubernetes/{folder}/kustomization.yaml"))[0];
        let files: Vec<_> = expected.iter().map(|file| format!("secrets/{file}")).collect();
        assert_eq!(kustomization["secretGenerator"][0]["files"], json!(files));
        let config = text(&format!("kubernetes/{folder}/config.yml"));
        for file in expected {
            assert!(config.contains(&format!("_file: /run/secrets/wecom-relay/{file}\n")), "{file}");
        }
    }
}

#[test]
fn the_rules_of_the_operator_are_those_of_prometheus() {
    let operator = &documents("kubernetes/monitoring/prometheusrule.yaml")[0];
    let prometheus = &documents("prometheus/rules.yml")[0];
    assert_eq!(&operator["spec"], prometheus, "run packaging/kubernetes/render");
}
