//! The words of the page.

use crate::pages::words;

words! {
    title: "Phone", "手机";
    safe: "This is a sandbox: nothing leaves this machine.", "沙箱：数据不出本机。";
    approximate: "Messages are drawn approximately as WeCom shows them.", "消息外观为近似效果，以企业微信为准。";
    console: "Open the relay's console", "打开 relay 的控制台";
    members: "Members", "成员";
    groups: "Groups", "群";
    phone_of: "The phone of", "手机：";
    group_of: "The group", "群：";
    none: "No messages yet.", "还没有消息。";
    older: "Older messages are not shown:", "更早的消息未显示：";
    dropped: "Dropped by WeCom: more than it allows in a minute or an hour. The member never sees it, and the answer was errcode 0.", "被企业微信丢弃：超过每分钟或每小时的上限。成员看不到，接口仍返回 errcode 0。";
    duplicate: "Duplicate: WeCom does not show it again.", "重复：企业微信不再显示。";
    recalled: "recalled a message", "撤回了一条消息";
    updated: "Before the update", "更新前";
    press_faults: "Make callbacks misbehave", "让回调出故障";
    next_press: "The next button that is pressed:", "下一次点按钮：";
    presses: "Pressed buttons", "按钮点击";
    on_the_way: "on its way", "发送中";
    no_callback: "No app has a callback, so no button works. Start the sandbox with --callback.", "没有应用配置回调，按钮不可用。启动沙箱时请加 --callback。";
    no_press: "No button was pressed.", "还没有点过按钮。";
    shown_count: "shown", "显示";
    dropped_count: "dropped", "丢弃";
    duplicate_count: "duplicates", "重复";
    faults: "Make WeCom misbehave", "让企业微信出故障";
    in_force: "In force", "生效中";
    no_fault: "No fault is in force.", "没有生效的故障。";
    end_all: "End all faults", "结束所有故障";
    send: "Send alerts", "发送告警";
    sample: "A sample alert", "示例告警";
    resolved: "Its end", "恢复通知";
    storm: "A storm of 500", "500 条风暴";
    calls: "Calls of WeCom's API", "企业微信 API 调用";
    no_call: "No calls yet.", "还没有调用。";
    clear: "Delete all messages", "清空消息";
    help: "All requests of the sandbox", "沙箱的全部接口";
}
