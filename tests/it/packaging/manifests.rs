//! The systemd unit, the image and the Kubernetes manifests.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
    time::Duration,
};

use serde_json::json;
use wecom_relay::{
    app::{PrepareOptions, Prepared},
    config::{self, Database, parse_duration},
    http::{DEFAULT_MAX_MEMORY, OTHER_MEMORY},
    lifecycle::DRAIN,
};

use super::{documents, of_kind, text};

/// The longest time of a stop: the drain, then 5 s to close the outbox.
const STOP: Duration = Duration::from_secs(DRAIN.as_secs() + 5);

/// Checks a configuration like `wecom-relay check`, with files in place of the deployment's secrets.
pub(super) fn check(yaml: &str, secrets: &str) -> Prepared {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("ops_secret", "not-a-real-secret"),
        ("relay_token", "not-a-real-secret"),
        ("ops_callback_token", "NotARealToken"),
        ("ops_callback_aes_key", "NotARealKeyNotARealKeyNotARealKeyNotARealKe"),
        ("outbox_url", "postgres://relay:not-a-real-password@db1,db2/relay"),
    ] {
        let secret = folder.path().join(name);
        fs::write(&secret, text).unwrap();
        fs::set_permissions(&secret, Permissions::from_mode(0o440)).unwrap();
    }
    assert!(yaml.contains(&format!("api_secret_file: {secrets}/ops_secret")), "{yaml}");
    let yaml = yaml.replace(secrets, folder.path().to_str().unwrap());
    let loaded = config::parse(&yaml, &folder.path().join("config.yml"), &|_| None).unwrap();
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    Prepared::new(loaded.config, PrepareOptions::default()).unwrap()
}

/// The value of a key in the unit.
fn setting(key: &str) -> String {
    let unit = text("systemd/wecom-relay.service");
    let value = unit.lines().find_map(|line| line.strip_prefix(&format!("{key}=")));
    value.unwrap_or_else(|| panic!("{key} is not in the unit")).to_owned()
}

#[test]
fn the_unit_leaves_time_for_a_stop() {
    assert!(parse_duration(&setting("TimeoutStopSec")).unwrap() > STOP);
    assert_eq!(setting("Type"), "notify");
    assert_eq!(setting("RestartPreventExitStatus"), "64");
    // The default outbox.path is in this directory.
    assert_eq!(setting("StateDirectory"), "wecom-relay");
}

#[test]
fn the_kubernetes_configuration_is_valid_and_uses_the_volume() {
    let documents = documents("kubernetes/wecom-relay.yaml");
    let config = of_kind(&documents, "ConfigMap")["data"]["config.yml"].as_str().unwrap();
    let prepared = check(config, "/run/secrets/wecom-relay");
    assert_eq!(prepared.config.outbox.path().unwrap(), Path::new("/data/outbox.db"));
    let pod = &of_kind(&documents, "Deployment")["spec"]["template"]["spec"];
    let mounts = pod["containers"][0]["volumeMounts"].as_array().unwrap();
    let mut mounted: Vec<_> = mounts.iter().map(|mount| mount["mountPath"].as_str().unwrap()).collect();
    mounted.sort_unstable();
    assert_eq!(mounted, ["/data", "/etc/wecom-relay", "/run/secrets/wecom-relay"]);
    for mount in mounts {
        let volumes = pod["volumes"].as_array().unwrap();
        assert!(volumes.iter().any(|volume| volume["name"] == mount["name"]), "{mount}");
    }
}

#[test]
fn the_pod_is_single_unprivileged_and_has_time_to_stop() {
    let documents = documents("kubernetes/wecom-relay.yaml");
    let spec = &of_kind(&documents, "Deployment")["spec"];
    assert_eq!((&spec["replicas"], &spec["strategy"]["type"]), (&json!(1), &json!("Recreate")));
    let pod = &spec["template"]["spec"];
    assert!(Duration::from_secs(pod["terminationGracePeriodSeconds"].as_u64().unwrap()) > STOP);
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
    let container = &pod["containers"][0];
    assert_eq!(
        container["securityContext"],
        json!({
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": { "drop": ["ALL"] },
        })
    );
    assert_eq!(container["livenessProbe"]["httpGet"]["path"], "/-/healthy");
    assert_eq!(container["readinessProbe"]["httpGet"]["path"], "/-/ready");
    let labels = &spec["template"]["metadata"]["labels"];
    assert_eq!(&spec["selector"]["matchLabels"], labels);
    assert_eq!(&of_kind(&documents, "Service")["spec"]["selector"], labels);
    assert_eq!(&of_kind(&documents, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"], labels);
    let monitor = &super::documents("kubernetes/monitoring/servicemonitor.yaml")[0];
    assert_eq!(&monitor["spec"]["selector"]["matchLabels"], labels);
}

#[test]
fn the_docker_configuration_is_valid_and_uses_the_volume() {
    let prepared = check(&text("docker/config.yml"), "/run/secrets");
    assert_eq!(prepared.config.outbox.path().unwrap(), Path::new("/data/outbox.db"));
    let compose = &documents("docker/compose.yml")[0];
    let relay = &compose["services"]["wecom-relay"];
    assert!(parse_duration(relay["stop_grace_period"].as_str().unwrap()).unwrap() > STOP);
    assert_eq!((&relay["read_only"], &relay["cap_drop"]), (&json!(true), &json!(["ALL"])));
    let alertmanager = &documents("docker/alertmanager.yml")[0];
    let receiver = alertmanager["route"]["receiver"].as_str().unwrap();
    assert!(prepared.config.receiver(receiver).is_some());
    let port = prepared.config.server.listen.port();
    let url = format!("http://wecom-relay:{port}/webhook");
    assert_eq!(alertmanager["receivers"][0]["webhook_configs"][0]["url"], url);
}

#[test]
fn the_replicas_share_a_database_and_alertmanager_names_both() {
    for (config, secrets) in [
        ("docker/config.replicas.yml", "/run/secrets"),
        ("kubernetes/replicas/config.yml", "/run/secrets/wecom-relay"),
    ] {
        let prepared = check(&text(config), secrets);
        assert!(matches!(prepared.config.outbox.database, Database::Postgres(_)), "{config}");
        assert_eq!(prepared.config.server.max_memory_bytes, DEFAULT_MAX_MEMORY);
    }
    let compose = &documents("docker/compose.replicas.yml")[0];
    let alertmanager = &documents("docker/alertmanager.replicas.yml")[0];
    for (number, name) in ["relay-a", "relay-b"].into_iter().enumerate() {
        let relay = &compose["services"][name];
        assert_eq!(relay["hostname"], name);
        assert_eq!(relay["secrets"], json!(["ops_secret", "relay_token", "outbox_url"]));
        assert!(parse_duration(relay["stop_grace_period"].as_str().unwrap()).unwrap() > STOP);
        let url = &alertmanager["receivers"][0]["webhook_configs"][number]["url"];
        assert_eq!(url, &json!(format!("http://{name}:8061/webhook")));
    }
    // The relay of the other example differs only in its volume and secrets.
    let single = &documents("docker/compose.yml")[0]["services"]["wecom-relay"];
    for key in ["build", "image", "restart", "mem_limit", "read_only", "cap_drop", "security_opt", "expose"] {
        assert_eq!(compose["services"]["relay-a"][key], single[key], "{key}");
    }
}

#[test]
fn memory_limits_leave_room_for_the_default_configuration() {
    let needed = DEFAULT_MAX_MEMORY + OTHER_MEMORY;
    let mebibytes = |text: &str, unit: &str| text.strip_suffix(unit).unwrap().parse::<usize>().unwrap() << 20;
    assert!(mebibytes(&setting("MemoryMax"), "M") >= needed);
    // The end of a process that renders a draft does not stop the relay.
    assert_eq!(setting("OOMPolicy"), "continue");
    let documents = documents("kubernetes/wecom-relay.yaml");
    let pod = &of_kind(&documents, "Deployment")["spec"]["template"]["spec"];
    let limit = pod["containers"][0]["resources"]["limits"]["memory"].as_str().unwrap();
    assert!(mebibytes(limit, "Mi") >= needed);
    let compose = &super::documents("docker/compose.yml")[0];
    assert!(mebibytes(compose["services"]["wecom-relay"]["mem_limit"].as_str().unwrap(), "m") >= needed);
    // The configurations of the packages use the default.
    for prepared in [
        check(
            of_kind(&documents, "ConfigMap")["data"]["config.yml"].as_str().unwrap(),
            "/run/secrets/wecom-relay",
        ),
        check(&text("docker/config.yml"), "/run/secrets"),
    ] {
        assert_eq!(prepared.config.server.max_memory_bytes, DEFAULT_MAX_MEMORY);
    }
}

#[test]
fn the_image_has_a_static_binary_and_a_numeric_user() {
    let image = text("docker/Dockerfile");
    for line in [
        "ARG REGISTRY=docker.io/library",
        "ARG CRATES_MIRROR=",
        "FROM scratch",
        "USER 65532:65532",
        "VOLUME /data",
        r#"ENTRYPOINT ["/wecom-relay"]"#,
        r#"CMD ["serve"]"#,
    ] {
        assert!(image.lines().any(|found| found == line), "{line}");
    }
    let flags = |script: &str| {
        script.split("RUSTFLAGS='").nth(1).and_then(|rest| rest.split('\'').next()).map(str::to_owned)
    };
    let released = flags(&text("dist")).unwrap();
    assert!(released.contains("target-feature=+crt-static"));
    assert_eq!(flags(&image), Some(released), "the image and the release have the same flags");
    assert!(image.contains(r#"CMD ["/wecom-relay", "health"]"#));
}
