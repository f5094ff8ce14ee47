//! The words of the Setup page.

use crate::pages::words;

words! {
    title: "Setup", "接入";
    receivers: "Receivers", "Receiver";
    receiver: "receiver", "receiver";
    via_app: "app", "应用";
    via_robot: "robot", "机器人";
    to: "to", "接收人";
    from_templates: "templates choose them for each payload", "由模板按每个 payload 决定";
    at_most: "at most", "最多";
    parts: "parts", "段";
    fallback: "fallback", "fallback";
    for_alertmanager: "for alertmanager.yml", "写入 alertmanager.yml";
    copy: "Copy", "复制";
    send_test: "Send a test", "发测试消息";
    no_test: "A test needs recipients that the configuration names. Send a sample alert to the webhook instead.",
        "测试消息需要配置中写明的接收人。请改为向 webhook 发送一条示例告警。";
    last_test: "last test", "上次测试";
    confirm_test: "Send a test message?", "发送测试消息？";
    confirm_text: "These people get a message now", "以下接收人会立即收到一条消息";
    cancel: "Cancel", "取消";
    doctor: "Doctor", "体检";
    run_doctor: "Run", "开始检查";
    run_again: "Run again", "再检查";
    sends_nothing: "Nobody gets a message.", "不会有人收到消息。";
    never_ran: "It has not run since the start.", "启动后还没有检查过。";
    running: "running", "检查中";
    good: "ok", "正常";
    warnings: "warnings", "警告";
    failures: "failed", "失败";
    skipped: "skipped", "未检查";
    configuration: "Configuration", "配置";
    loaded: "loaded", "载入于";
    last_reload_failed: "The last reload failed, and the old configuration stays in use.",
        "上次重新加载失败，继续使用原来的配置。";
    reload: "Reload", "重新加载";
}
