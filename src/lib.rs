//! wecom-relay: Alertmanager's webhook in, WeCom messages out, nothing lost in between.
