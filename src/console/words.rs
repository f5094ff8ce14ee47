//! The words of the console.

use crate::{
    language::Language,
    outbox::{Kind, State, Status},
    pages::words,
};

words! {
    overview: "Overview", "总览";
    messages: "Messages", "消息";
    templates: "Templates", "模板";
    templates_hint: "Try a template with data. Drafts stay in this browser; the configuration is never written.",
        "用数据试验模板。草稿只保存在当前浏览器，不会写入配置。";
    template_field: "Field", "字段";
    engine: "Engine", "引擎";
    template_data: "Data", "数据";
    samples: "Samples", "样例";
    received_payloads: "Received", "最近收到";
    pasted_payload: "Pasted JSON", "粘贴的 JSON";
    preview: "Preview", "预览";
    template: "Template", "模板";
    tab_hint: "Tab indents. Esc, then Tab, leaves the field.", "Tab 缩进；先按 Esc 再按 Tab 离开输入框。";
    reset_draft: "Reset to the template in use", "恢复为正在使用的模板";
    send_draft: "Send to their phones", "发到手机上看";
    draft_to: "Send the draft to (user ids)", "把草稿发给（userid）";
    open_payload: "Open payload in Templates", "在模板页打开 payload";
    payload_gone: "The payload is not kept any more (server.console.keep_payloads).",
        "payload 已不再保留（server.console.keep_payloads）。";
    line: "line", "行";
    column: "column", "列";
    sent_instead: "The relay would send the messages below instead.", "relay 实际会改发下面的消息。";
    check_refuses: "The relay refuses a configuration with this template, and keeps the one in use.",
        "relay 会拒绝含有此模板的配置，继续使用当前配置。";
    in_wechat: "In personal WeChat", "个人微信中的样子";
    source_text: "Source", "原文";
    for_the_configuration: "For config.yml", "写入 config.yml";
    copy_yaml: "Copy YAML", "复制 YAML";
    copy_template: "Copy the template", "复制模板";
    payload_fields: "Fields of the data: a click inserts one", "数据字段：点击插入";
    setup: "Setup", "接入";
    login: "Log in", "登录";
    password: "Password", "密码";
    login_hint: "The password is server.console.password (operator) or viewer_password in config.yml. Without them, \
        the credentials of server.auth are valid.",
        "密码是 config.yml 中的 server.console.password（operator）或 viewer_password。没有设置时，使用 server.auth 的凭据。";
    login_wrong: "This password is wrong.", "密码不正确。";
    refused: "Refused", "已拒绝";
    try_now: "Try now", "立即重试";
    look: "Look", "查看";
    requeue: "Requeue", "重新入队";
    discard: "Discard", "丢弃";
    recall: "Recall", "撤回";
    recalled: "Recalled", "已撤回";
    requeue_all: "Requeue all", "全部重新入队";
    discard_all: "Discard all", "全部丢弃";
    cancel: "Cancel", "取消";
    refresh: "Refresh", "刷新";
    pause: "Pause updates", "暂停刷新";
    copy: "Copy", "复制";
    next_try: "next attempt", "下次尝试";
    senders: "Apps and robots", "应用和机器人";
    sender: "Sender", "发送方";
    state: "State", "状态";
    waiting: "Waiting", "等待";
    oldest: "Oldest", "最早";
    last_delivered: "Last delivered", "上次送达";
    last_accepted: "Last accepted", "上次接收";
    receivers: "Receivers", "Receiver";
    receiver: "Receiver", "Receiver";
    dead: "Dead letters, 24 h", "24 小时内死信";
    flows: "flows", "正常";
    held: "held", "暂停";
    gone: "not in the configuration", "已不在配置中";
    up_since: "started", "启动于";
    config_loaded: "configuration loaded", "配置载入于";
    outbox: "outbox", "outbox";
    times_in: "times in", "时区";
    refused_webhooks: "Refused webhooks", "被拒绝的 webhook";
    time: "Time", "时间";
    peer: "From", "来自";
    path: "Path", "路径";
    answer: "Answer", "返回内容";
    search: "Search", "搜索";
    search_example: "words or #id", "词或 #编号";
    search_hint: "Finds messages with all these words in the summary or the group; with content: before a word, also in \
        the text.", "查找摘要或分组中含有全部这些词的消息；在词前加 content: 也查找正文。";
    all: "All", "全部";
    any: "any", "不限";
    since: "Since", "起始时间";
    until: "Until", "截止时间";
    clear: "Remove the filter", "清除筛选";
    filters: "Filters", "筛选";
    older: "Older", "更早";
    newer: "Newer", "较新";
    newest: "Newest", "最新";
    no_messages: "No message yet.", "还没有消息。";
    no_messages_hint: "Alertmanager sends here after you add the receiver of docs/configuration.md to its \
        configuration.", "按 docs/configuration.md 在 Alertmanager 中加入 receiver 后，消息会出现在这里。";
    no_match: "No message matches.", "没有符合条件的消息。";
    searched_back: "Searched back to", "已搜索到";
    search_further: "Search further back", "继续往前搜索";
    new_messages: "new messages", "条新消息";
    part: "part", "分段";
    due: "next attempt", "下次尝试";
    timeline: "Timeline", "经过";
    presses: "Presses of its buttons", "按钮点击记录";
    accepted: "accepted", "已接收";
    attempt: "attempt", "尝试";
    no_answer: "no answer", "没有响应";
    counted: "counts against the rate limits", "计入限额";
    content: "Message", "消息内容";
    bytes: "bytes", "字节";
    facts: "Details", "详情";
    notification: "Notification", "通知";
    siblings: "Other deliveries of this notification", "同一通知的其他投递";
    group: "Group", "分组";
    same_group: "messages of this group", "同一分组的消息";
    recipients: "Recipients", "接收人";
    missed: "Not reached", "未能到达";
    unconfirmed: "WeCom may already have this message: an attempt had no answer. Sending it again may show it twice.",
        "企业微信可能已经收到这条消息：有一次尝试没有得到响应。再次发送可能会重复显示。";
    folded_into: "Folded into the digest", "已并入汇总";
    digest_of: "messages in this digest", "汇总中的消息";
    copy_diagnosis: "Copy diagnosis", "复制诊断信息";
}

/// The state of a delivery.
pub(super) fn state_name(language: Language, state: State) -> &'static str {
    let [english, chinese] = match state {
        State::Queued => ["queued", "排队"],
        State::Ready => ["ready", "就绪"],
        State::InFlight => ["in flight", "发送中"],
        State::Folded => ["folded", "已并入汇总"],
        State::Delivered => ["taken by WeCom", "已送达企业微信"],
        State::Dead => ["dead letter", "死信"],
        State::Discarded => ["discarded", "已丢弃"],
    };
    language.choose(english, chinese)
}

/// The sign of a state, so that it is not shown by its colour alone.
pub(super) fn state_sign(state: State) -> &'static str {
    match state {
        State::Queued | State::Folded => "…",
        State::Ready => "○",
        State::InFlight => "▸",
        State::Delivered => "✔",
        State::Dead => "✖",
        State::Discarded => "–",
    }
}

/// The class of a state in the style sheet.
pub(super) fn state_class(state: State) -> &'static str {
    match state {
        State::Delivered => "ok",
        State::Dead => "bad",
        State::Queued | State::Ready | State::InFlight | State::Folded | State::Discarded => "plain",
    }
}

pub(super) fn status_name(language: Language, status: Status, kind: Kind) -> &'static str {
    let [english, chinese] = match (kind, status) {
        (Kind::Digest, _) => ["digest", "汇总"],
        (Kind::Notice, _) => ["notice", "通告"],
        (Kind::Alert, Status::Firing) => ["firing", "告警"],
        (Kind::Alert, Status::Resolved) => ["resolved", "恢复"],
    };
    language.choose(english, chinese)
}
